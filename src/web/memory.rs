//! What the history said, remembered for as long as it is true: until something changes, a question costs the database one
//! look, however many ask it. Whoever asks the same at the same time waits for the same look.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::web::error::ApiError;

/// How many answers are remembered.
const REMEMBERED: usize = 256;

/// How long an answer is good for, even if nothing changes.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Answers by question and revision.
pub struct Memory<V> {
    known: Mutex<HashMap<String, Known<V>>>,
}

struct Known<V> {
    revision: u64,
    since: Instant,
    /// Empty while the first who asked is still looking.
    answer: Arc<OnceCell<V>>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<V: Clone> Memory<V> {
    /// The answer at `revision`: remembered, or found by `look`. `question` names everything that the answer depends on
    /// besides the history itself.
    pub async fn get<F>(&self, question: &str, revision: u64, look: impl FnOnce() -> F) -> Result<V, ApiError>
    where
        F: Future<Output = Result<V, ApiError>>,
    {
        let place = self.place(question, revision);
        let answer = place.get_or_try_init(look).await.cloned();
        if answer.is_err() {
            // A failure is nobody's answer for a minute.
            self.forget(question);
        }
        answer
    }

    pub fn forget(&self, question: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(question);
    }

    /// The place for an answer.
    fn place(&self, question: &str, revision: u64) -> Arc<OnceCell<V>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(question)
            && found.revision == revision
            && found.since.elapsed() < GOOD_FOR
        {
            return Arc::clone(&found.answer);
        }
        if known.len() >= REMEMBERED {
            known.retain(|_, one| one.revision == revision && one.since.elapsed() < GOOD_FOR);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let answer = Arc::<OnceCell<V>>::default();
        let new = Known { revision, since: Instant::now(), answer: Arc::clone(&answer) };
        known.insert(question.to_owned(), new);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_remembered_for_as_long_as_they_are_true() {
        let memory = Memory::<u32>::default();
        let first = memory.place("a", 1);
        assert!(Arc::ptr_eq(&first, &memory.place("a", 1)));
        assert!(!Arc::ptr_eq(&first, &memory.place("b", 1)));
        assert!(!Arc::ptr_eq(&first, &memory.place("a", 2)), "something has changed");
        let second = memory.place("a", 2);
        memory.forget("a");
        assert!(!Arc::ptr_eq(&second, &memory.place("a", 2)));
        for n in 0..10 * REMEMBERED {
            memory.place(&n.to_string(), 2);
        }
        assert!(memory.known.lock().unwrap().len() <= REMEMBERED);
    }

    #[tokio::test]
    async fn failures_are_not_remembered() {
        let memory = Memory::default();
        let failed = memory.get("a", 1, || async { Err::<u32, _>(ApiError::internal()) }).await;
        assert!(failed.is_err());
        assert_eq!(memory.get("a", 1, || async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(memory.get("a", 1, || async { Err(ApiError::internal()) }).await.unwrap(), 7, "nobody looks again");
    }
}
