//! The wall clock as a value that is passed in, so that tests decide what day it is.

use std::sync::Arc;

use crate::event::UnixMillis;

/// Tells the time. Timers use the monotonic clock instead; this one is only for instants that are stored or shown.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        }))
    }

    /// A clock that stands still.
    pub fn fixed(at: UnixMillis) -> Self {
        Self(Arc::new(move || at))
    }

    /// The present instant.
    pub fn now(&self) -> UnixMillis {
        (self.0)()
    }
}
