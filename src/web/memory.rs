//! What was said of the history, remembered for as long as it is true: until something changes, a question costs the
//! database one look, however many ask it. Whoever asks the same at the same time waits for the same look.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::web::error::ApiError;

/// How many answers are remembered.
const REMEMBERED: usize = 256;

/// How many bytes they may have together.
const BYTES: usize = 8 * 1024 * 1024;

/// How long an answer is good for, even if nothing changes.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Answers by question and revision.
pub struct Memory<V> {
    known: Mutex<HashMap<String, Known<V>>>,
    weigh: fn(&V) -> usize,
}

struct Known<V> {
    revision: u64,
    since: Instant,
    /// 0 until it is known.
    bytes: usize,
    /// Empty while the first who asked is still looking.
    answer: Arc<OnceCell<V>>,
}

impl<V> Known<V> {
    fn is_good(&self, revision: u64) -> bool {
        self.revision == revision && self.since.elapsed() < GOOD_FOR
    }
}

impl<V: Clone> Memory<V> {
    /// `weigh` tells how many bytes an answer has.
    pub fn new(weigh: fn(&V) -> usize) -> Self {
        Self { known: Mutex::default(), weigh }
    }

    /// The answer at `revision`: remembered, or found by `look`. `question` names everything that the answer depends on
    /// besides the history itself.
    pub async fn get<F>(&self, question: &str, revision: u64, look: impl FnOnce() -> F) -> Result<V, ApiError>
    where
        F: Future<Output = Result<V, ApiError>>,
    {
        let place = self.place(question, revision);
        let found = || async {
            let answer = look().await?;
            self.note(question, &place, (self.weigh)(&answer));
            Ok(answer)
        };
        let answer = place.get_or_try_init(found).await.cloned();
        if answer.is_err() {
            // A failure is nobody's answer for a minute.
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(question);
        }
        answer
    }

    /// The place for an answer.
    fn place(&self, question: &str, revision: u64) -> Arc<OnceCell<V>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(question).filter(|found| found.is_good(revision)) {
            return Arc::clone(&found.answer);
        }
        make_room(&mut known, revision, 0);
        let answer = Arc::<OnceCell<V>>::default();
        let new = Known { revision, since: Instant::now(), bytes: 0, answer: Arc::clone(&answer) };
        known.insert(question.to_owned(), new);
        answer
    }

    /// Notes how long an answer has become. One that would leave no room for others is not remembered.
    fn note(&self, question: &str, place: &Arc<OnceCell<V>>, bytes: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut one) = known.remove(question) else { return };
        if Arc::ptr_eq(&one.answer, place) {
            if bytes > BYTES / 4 {
                return;
            }
            make_room(&mut known, one.revision, bytes);
            one.bytes = bytes;
        }
        known.insert(question.to_owned(), one);
    }
}

/// Forgets what is no longer true, and then the oldest, until there is room for one more of so many bytes.
fn make_room<V>(known: &mut HashMap<String, Known<V>>, revision: u64, bytes: usize) {
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

    fn memory() -> Memory<usize> {
        Memory::new(|answer| *answer)
    }

    fn remembered(memory: &Memory<usize>) -> (usize, usize) {
        let known = memory.known.lock().unwrap();
        (known.len(), known.values().map(|one| one.bytes).sum())
    }

    #[test]
    fn answers_are_remembered_for_as_long_as_they_are_true() {
        let memory = memory();
        let first = memory.place("a", 1);
        assert!(Arc::ptr_eq(&first, &memory.place("a", 1)));
        assert!(!Arc::ptr_eq(&first, &memory.place("b", 1)));
        assert!(!Arc::ptr_eq(&first, &memory.place("a", 2)), "something has changed");
    }

    #[tokio::test]
    async fn the_memory_is_bounded_and_the_newest_stay() {
        let memory = memory();
        for n in 0..10 * REMEMBERED {
            memory.place(&n.to_string(), 2);
        }
        assert!(remembered(&memory).0 <= REMEMBERED);

        let long = BYTES / 5;
        for n in 0..20 {
            let question = format!("long {n}");
            memory.get(&question, 2, || async { Ok(long) }).await.unwrap();
            assert!(remembered(&memory).1 <= BYTES);
            let again = memory.get(&question, 2, || async { Err(ApiError::internal()) }).await;
            assert_eq!(again.unwrap(), long, "the newest is there");
        }
        memory.get("too long", 2, || async { Ok(BYTES) }).await.unwrap();
        assert!(
            memory.get("too long", 2, || async { Err(ApiError::internal()) }).await.is_err(),
            "it was looked again"
        );
        assert!(remembered(&memory).1 >= 4 * long, "and nothing was forgotten for its sake");
    }

    #[test]
    fn what_was_found_for_an_older_question_is_not_kept_for_a_newer_one() {
        let memory = memory();
        let old = memory.place("a", 1);
        let new = memory.place("a", 2);
        memory.note("a", &old, 1000);
        assert!(Arc::ptr_eq(&new, &memory.place("a", 2)));
        assert_eq!(remembered(&memory), (1, 0));
    }

    #[tokio::test]
    async fn failures_are_not_remembered() {
        let memory = memory();
        let failed = memory.get("a", 1, || async { Err(ApiError::internal()) }).await;
        assert!(failed.is_err());
        assert_eq!(memory.get("a", 1, || async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(memory.get("a", 1, || async { Err(ApiError::internal()) }).await.unwrap(), 7, "nobody looks again");
    }
}
