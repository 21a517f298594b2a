//! Says in the log when something took longer than it should.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// What takes longer is worth a line.
const SLOW: Duration = Duration::from_secs(1);

/// To be called when something is done that began at `since`. The name is ours, never something from outside.
pub fn slow(name: impl Display, since: Instant) {
    let took = since.elapsed();
    if took > SLOW {
        let seconds = took.as_secs_f64();
        tracing::warn!(duration_ms = took.as_millis(), "Slow operation: {name} took {seconds:.2}s");
    }
}
