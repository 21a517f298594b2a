//! When which path is due for another look. Pure: it is told the time.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Instant;

/// Paths and their instants, soonest first. A path may be due several times.
#[derive(Default)]
pub(super) struct Schedule(BTreeSet<(Instant, OsString)>);

impl Schedule {
    pub(super) fn add(&mut self, at: Instant, path: OsString) {
        self.0.insert((at, path));
    }

    /// When the first path is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A path that is due by now, if there is one.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<OsString> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, path)| path)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        for (ms, path) in [(30, "c"), (10, "a"), (20, "b"), (10, "a"), (40, "a")] {
            schedule.add(at(ms), path.into());
        }
        assert_eq!((schedule.len(), schedule.next()), (4, Some(at(10))));
        assert_eq!(schedule.take_due(at(9)), None);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take_due(at(30))).collect();
        assert_eq!(due, ["a", "b", "c"]);
        assert_eq!(schedule.next(), Some(at(40)));
    }
}
