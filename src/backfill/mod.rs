//! The whole history at once, for a receiver that begins today: as a file of OpenMetrics, as samples that are pushed, or
//! as OTLP logs. Reads only; a server may run meanwhile.
//!
//! Samples are the counters of `/metrics` as they would have been read at the end of every step, with the same names and
//! labels, so that `increase()` over any day says what was used on it.

mod history;
mod logs;
mod openmetrics;
mod push;
mod resume;

use std::path::PathBuf;
use std::time::Duration;

pub use history::{History, Plan};
pub use logs::{Range, send_logs};
pub use openmetrics::write_file;
pub use push::{Pusher, Receiver};
pub use resume::Resume;

use crate::event::UnixMillis;

/// Where the history is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A file for `promtool tsdb create-blocks-from openmetrics`.
    OpenMetrics,
    RemoteWrite,
    /// `/api/v1/import/prometheus` of VictoriaMetrics.
    Victoria,
    /// One log record a response.
    Otlp,
}

impl Destination {
    pub const ALL: [(&'static str, Self); 4] = [
        ("openmetrics", Self::OpenMetrics),
        ("remote-write", Self::RemoteWrite),
        ("victoria", Self::Victoria),
        ("otlp", Self::Otlp),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, this)| *this == self).map_or("", |(name, _)| name)
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Samples or records.
    pub written: u64,
    /// What the receiver did not want.
    pub refused: u64,
}

/// Told after every part: how much is done, from 0 to 1, and up to which instant.
pub type Progress<'a> = &'a mut dyn FnMut(f64, UnixMillis);

/// What goes wrong.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// The receiver is not there, or does not take it. What was written up to `until` has arrived.
    #[error("the receiver does not take it: {why}")]
    Refused { why: String },
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A receiver that is away is waited for, but not for ever: somebody watches.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);

/// How far `at` is on the way.
#[expect(clippy::cast_precision_loss, reason = "a fraction for a bar")]
fn fraction(from: UnixMillis, at: UnixMillis, until: UnixMillis) -> f64 {
    let (done, all) = ((at.0 - from.0) as f64, (until.0 - from.0) as f64);
    if all > 0.0 { (done / all).clamp(0.0, 1.0) } else { 1.0 }
}
