//! What one delivery has read and not yet sent, and how much of it goes into the next batch. Pure.
//!
//! A batch that is refused for what is in it is halved until one change is left; only a change that was refused by
//! itself is given up. What was accepted on the way is moved past at once.

use crate::event::Change;
use crate::store::Page;

/// The changes of a page that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    changes: Vec<Change>,
    /// How many of them are done with.
    done: usize,
    /// Everything up to here is in `changes`.
    until: u64,
    /// The end of a part that was refused as a whole: somewhere before it is what the receiver does not take.
    refused_until: Option<usize>,
    /// Left out before sending, and not yet counted.
    pub(super) dropped: u64,
}

impl Queue {
    pub(super) fn new(page: Page) -> Self {
        Self { changes: page.changes, until: page.until, ..Self::default() }
    }

    pub(super) fn waiting(&self) -> &[Change] {
        self.changes.get(self.done..).unwrap_or_default()
    }

    /// The next batch, of at most `most` changes.
    pub(super) fn batch(&self, most: usize) -> &[Change] {
        let waiting = self.waiting();
        let size = match self.refused_until {
            // The whole of a refused part need not be tried again.
            Some(end) => (end - self.done).div_ceil(2),
            None => waiting.len(),
        };
        &waiting[..size.clamp(1, most.max(1)).min(waiting.len())]
    }

    /// The revision up to which everything is done once the next `sent` are.
    pub(super) fn until_after(&self, sent: usize) -> u64 {
        let waiting = self.waiting();
        match sent.checked_sub(1).and_then(|last| waiting.get(last)) {
            Some(last) if sent < waiting.len() => last.revision,
            _ => self.until,
        }
    }

    /// The next `sent` are done with.
    pub(super) fn finish(&mut self, sent: usize) {
        self.done += sent;
        self.dropped = 0;
        if self.refused_until.is_some_and(|end| self.done >= end) {
            self.refused_until = None;
        }
    }

    /// The next `sent`, more than one, were refused together.
    pub(super) fn refuse(&mut self, sent: usize) {
        self.refused_until = Some(self.done + sent);
    }

    /// Leaves out what need not be sent, and says how many those were.
    pub(super) fn leave_out(&mut self, mut is_out: impl FnMut(&Change) -> bool) -> u64 {
        let before = self.waiting().len();
        self.changes.drain(..self.done);
        self.done = 0;
        self.changes.retain(|change| !is_out(change));
        if self.changes.len() < before {
            self.refused_until = None;
        }
        (before - self.changes.len()) as u64
    }

    /// Nothing waits; `Some`: up to which revision.
    pub(super) fn exhausted(&self) -> Option<u64> {
        self.waiting().is_empty().then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(revisions: std::ops::RangeInclusive<u64>, until: u64) -> Queue {
        let changes = revisions.map(|revision| Change { revision, before: None, after: None }).collect();
        Queue::new(Page { changes, until })
    }

    /// Sends everything to a receiver that refuses some revisions; gives what arrived, what was given up, and how many
    /// requests that took.
    fn drain(mut queue: Queue, most: usize, poison: &[u64]) -> (Vec<u64>, Vec<u64>, usize) {
        let (mut arrived, mut dead, mut requests) = (Vec::new(), Vec::new(), 0);
        while queue.exhausted().is_none() {
            requests += 1;
            let batch: Vec<u64> = queue.batch(most).iter().map(|change| change.revision).collect();
            let sent = batch.len();
            match (batch.iter().any(|revision| poison.contains(revision)), sent) {
                (true, 1) => dead.extend(batch),
                (true, _) => {
                    queue.refuse(sent);
                    continue;
                }
                (false, _) => arrived.extend(batch),
            }
            queue.finish(sent);
        }
        (arrived, dead, requests)
    }

    #[test]
    fn one_poison_is_found_in_a_logarithm_of_requests() {
        for poison in [1, 2, 500, 999, 1_000] {
            let (arrived, dead, requests) = drain(queue(1..=1_000, 1_000), 1_000, &[poison]);
            assert_eq!(dead, [poison]);
            assert_eq!(arrived.len(), 999);
            assert!(arrived.is_sorted());
            assert!(requests <= 24, "{poison}: {requests}");
        }
    }

    #[test]
    fn several_and_all_are_found_too() {
        let (arrived, dead, _) = drain(queue(1..=64, 70), 16, &[3, 4, 40]);
        assert_eq!((arrived.len(), dead), (61, vec![3, 4, 40]));
        let all: Vec<u64> = (1..=9).collect();
        let (arrived, dead, _) = drain(queue(1..=9, 9), 4, &all);
        assert_eq!((arrived, dead), (vec![], all));
    }

    #[test]
    fn the_cursor_follows_what_is_done() {
        let mut queue = queue(11..=14, 20);
        assert_eq!((queue.until_after(2), queue.until_after(4)), (12, 20));
        queue.finish(3);
        assert_eq!((queue.until_after(1), queue.exhausted()), (20, None));
        assert_eq!(queue.leave_out(|_| true), 1);
        assert_eq!(queue.exhausted(), Some(20));
    }
}
