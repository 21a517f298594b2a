//! What is remembered of answers: for as long as nothing changes, a question costs the database one look, however many
//! ask it, and a snapshot is written out once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::OnceCell;

use super::Rendered;
use crate::hub::Snapshot;

/// How many answers about the history are remembered.
const REMEMBERED: usize = 256;

/// How many bytes they may have together.
const BYTES: usize = 8 * 1024 * 1024;

/// How long an answer is good for, even if nothing changes.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Answers that were given, about the history and about the present.
#[derive(Default)]
pub struct Answers {
    known: Mutex<HashMap<String, Known>>,
    present: Mutex<HashMap<&'static str, (Arc<Snapshot>, Rendered)>>,
}

struct Known {
    revision: u64,
    since: Instant,
    /// Of the text; 0 until it is known.
    bytes: usize,
    /// Empty while the first who asked is still looking.
    rendered: Arc<OnceCell<Rendered>>,
}

impl Known {
    fn is_good(&self, revision: u64) -> bool {
        self.revision == revision && self.since.elapsed() < GOOD_FOR
    }
}

impl Answers {
    /// The place for an answer about the history; whoever comes at the same time waits for the same look at it.
    pub(super) fn place(&self, question: &str, revision: u64) -> Arc<OnceCell<Rendered>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(question).filter(|found| found.is_good(revision)) {
            return Arc::clone(&found.rendered);
        }
        make_room(&mut known, revision, 0);
        let rendered = Arc::<OnceCell<Rendered>>::default();
        let new = Known { revision, since: Instant::now(), bytes: 0, rendered: Arc::clone(&rendered) };
        known.insert(question.to_owned(), new);
        rendered
    }

    /// Notes how long an answer has become. One that would leave no room for others is not remembered.
    pub(super) fn weigh(&self, question: &str, place: &Arc<OnceCell<Rendered>>, bytes: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut one) = known.remove(question) else { return };
        if Arc::ptr_eq(&one.rendered, place) {
            if bytes > BYTES / 4 {
                return;
            }
            make_room(&mut known, one.revision, bytes);
            one.bytes = bytes;
        }
        known.insert(question.to_owned(), one);
    }

    pub(super) fn forget(&self, question: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(question);
    }

    /// What is said of a snapshot, written out by the first who asks.
    pub(super) fn of_snapshot<T: Serialize>(
        &self,
        question: &'static str,
        snapshot: &Arc<Snapshot>,
        say: impl FnOnce(&Snapshot) -> T,
    ) -> Rendered {
        let present = || self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, rendered)) = present().get(question)
            && Arc::ptr_eq(of, snapshot)
        {
            return rendered.clone();
        }
        let rendered = Rendered::of(snapshot.revision, &say(snapshot));
        present().insert(question, (Arc::clone(snapshot), rendered.clone()));
        rendered
    }
}

/// Forgets what is no longer true, and then the oldest, until there is room for one more of so many bytes.
fn make_room(known: &mut HashMap<String, Known>, revision: u64, bytes: usize) {
    known.retain(|_, one| one.is_good(revision));
    loop {
        let taken: usize = known.values().map(|one| one.bytes).sum();
        if known.len() < REMEMBERED && taken + bytes <= BYTES {
            return;
        }
        let oldest = known.iter().min_by_key(|(_, one)| one.since).map(|(question, _)| question.clone());
        let Some(oldest) = oldest else { return };
        known.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(answers: &Answers) -> (usize, usize) {
        let known = answers.known.lock().unwrap();
        (known.len(), known.values().map(|one| one.bytes).sum())
    }

    #[test]
    fn answers_are_remembered_for_as_long_as_they_are_true() {
        let answers = Answers::default();
        let first = answers.place("a", 1);
        assert!(Arc::ptr_eq(&first, &answers.place("a", 1)));
        assert!(!Arc::ptr_eq(&first, &answers.place("b", 1)));
        assert!(!Arc::ptr_eq(&first, &answers.place("a", 2)), "something has changed");
        let second = answers.place("a", 2);
        answers.forget("a");
        assert!(!Arc::ptr_eq(&second, &answers.place("a", 2)));
    }

    #[test]
    fn the_memory_is_bounded_and_the_newest_stay() {
        let answers = Answers::default();
        for n in 0..10 * REMEMBERED {
            answers.place(&n.to_string(), 2);
        }
        assert!(remembered(&answers).0 <= REMEMBERED);

        let long = BYTES / 5;
        for n in 0..20 {
            let question = format!("long {n}");
            let place = answers.place(&question, 2);
            answers.weigh(&question, &place, long);
            assert!(remembered(&answers).1 <= BYTES);
            assert!(Arc::ptr_eq(&place, &answers.place(&question, 2)), "the newest is there");
        }
        let place = answers.place("too long", 2);
        answers.weigh("too long", &place, BYTES);
        assert!(!Arc::ptr_eq(&place, &answers.place("too long", 2)));
        assert!(remembered(&answers).1 >= 4 * long, "and nothing was forgotten for its sake");
    }

    #[test]
    fn what_was_found_for_an_older_question_is_not_kept_for_a_newer_one() {
        let answers = Answers::default();
        let old = answers.place("a", 1);
        let new = answers.place("a", 2);
        answers.weigh("a", &old, 1000);
        assert!(Arc::ptr_eq(&new, &answers.place("a", 2)));
        assert_eq!(remembered(&answers), (1, 0));
    }

    #[test]
    fn a_snapshot_is_written_out_once() {
        let (answers, snapshot) = (Answers::default(), Arc::new(Snapshot::default()));
        assert_eq!(&answers.of_snapshot("a", &snapshot, |_| 1).text[..], b"1");
        assert_eq!(&answers.of_snapshot("a", &snapshot, |_| 2).text[..], b"1");
        assert_eq!(&answers.of_snapshot("b", &snapshot, |_| 3).text[..], b"3");
        assert_eq!(&answers.of_snapshot("a", &Arc::new(Snapshot::default()), |_| 4).text[..], b"4");
    }
}
