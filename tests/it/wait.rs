//! The only place in the tests that lets time pass, and every wait in it is bounded.

use std::time::{Duration, Instant};

/// Long enough for a debug build on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer, ever more slowly, and panics with `what` was waited for when there is none in time.
pub(crate) fn eventually<T>(what: &str, limit: Duration, probe: impl FnMut() -> Option<T>) -> T {
    within(limit, probe).unwrap_or_else(|| panic!("{what}: not within {limit:?}"))
}

/// Like [`eventually`], for a wait whose end is not a failure.
pub(crate) fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    let mut step = Duration::from_millis(1);
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        pause(step);
        step = (step * 3 / 2).min(Duration::from_millis(50));
    }
}

/// Lets a fault last, or an observation run, for as long as the test's own schedule says.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
