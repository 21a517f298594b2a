//! What running parts show of themselves: written by the part, read by health, metrics and pages. Counts and short
//! words; never content.

mod sink;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use sink::{GRACE_MS, SinkFailures, SinkReport, SinkRole, SinkState, SinkStatus};

/// Why a line, or a part of it, was not taken as it stood. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Not JSON, or cut off.
    Malformed,
    /// JSON, but not an object.
    NotAnObject,
    /// Longer than the limit.
    Oversized,
    /// Nothing but NUL bytes, as a crash of the machine leaves them.
    NulRun,
    /// Numbers that no response can have; kept out of every sum.
    Implausible,
    /// Not UTF-8 text at all (UTF-16).
    Encoding,
    /// A broken line from whose remains a later record was saved. That record counts; its predecessor is lost.
    Spliced,
}

impl SkipReason {
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::NotAnObject,
        Self::Oversized,
        Self::NulRun,
        Self::Implausible,
        Self::Encoding,
        Self::Spliced,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotAnObject => "not_an_object",
            Self::Oversized => "oversized",
            Self::NulRun => "nul_run",
            Self::Implausible => "implausible",
            Self::Encoding => "encoding",
            Self::Spliced => "spliced",
        }
    }
}

/// What was seen while reading: counts only, no content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineTally {
    pub lines: u64,
    pub bytes: u64,
    /// Claims read, extra iterations included; minus the stored responses this is the number of duplicates.
    pub claims: u64,
    /// Local notices about failed requests (`<synthetic>` lines).
    pub api_errors: u64,
    /// Iterations of an unknown type; they are not billed.
    pub unknown_iterations: u64,
    /// Lines whose time had to be estimated.
    pub estimated_times: u64,
    /// Lines skipped, by [`SkipReason::ALL`].
    pub skipped: [u64; SkipReason::ALL.len()],
}

impl LineTally {
    pub fn skip(&mut self, reason: SkipReason) {
        self.skipped[reason as usize] += 1;
    }

    pub fn skipped_total(&self) -> u64 {
        self.skipped.iter().sum()
    }

    pub fn add(&mut self, other: &Self) {
        let Self { lines, bytes, claims, api_errors, unknown_iterations, estimated_times, skipped } = other;
        self.lines += lines;
        self.bytes += bytes;
        self.claims += claims;
        self.api_errors += api_errors;
        self.unknown_iterations += unknown_iterations;
        self.estimated_times += estimated_times;
        for (mine, theirs) in self.skipped.iter_mut().zip(skipped) {
            *mine += theirs;
        }
    }
}

/// One source's counters since the history began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    pub tally: LineTally,
    pub new_responses: u64,
    pub corrections: u64,
    pub duplicates: u64,
    /// Claims older than what retention has removed; taking them would bring deleted rows back.
    pub below_retention: u64,
}

/// A root directory as the last scan found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootStatus {
    pub path: PathBuf,
    /// `ok`, `missing`, or why it cannot be read.
    pub state: String,
    /// Transcripts below it.
    pub files: u64,
}

/// What a running source shows of itself; written by the source, read by health, metrics and pages.
#[derive(Debug, Default)]
pub struct SourceStatus {
    /// Bytes that the first catch-up has to read, and those that it has read.
    pub catchup_bytes: AtomicU64,
    pub catchup_done_bytes: AtomicU64,
    pub files: AtomicU64,
    pub missing_files: AtomicU64,
    pub polling: AtomicBool,
    pub watch_events: AtomicU64,
    pub watch_errors: AtomicU64,
    pub watch_overflows: AtomicU64,
    pub rescans: AtomicU64,
    /// Changes that a scan found and no event had named.
    pub reconcile_found: AtomicU64,
    pub io_errors: AtomicU64,
    words: Mutex<StatusWords>,
}

/// The part of [`SourceStatus`] that is words.
#[derive(Clone, Debug, Default)]
pub struct StatusWords {
    pub roots: Vec<RootStatus>,
    /// Why files are polled, if they are.
    pub poll_reason: Option<String>,
    pub last_error: Option<String>,
}

impl SourceStatus {
    pub fn words(&self) -> StatusWords {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut StatusWords)) {
        change(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What the process and its HTTP server show of themselves. Nothing in it is ever waited for by ingest.
#[derive(Debug, Default)]
pub struct HouseStatus {
    /// Claude Code's own telemetry seems to be on: a database that takes both sees everything twice.
    pub native_telemetry: AtomicBool,
    process: Mutex<Option<ProcessSample>>,
    requests: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    sinks: Mutex<BTreeMap<String, Arc<SinkStatus>>>,
    login_failures: AtomicU64,
    rate_limited: AtomicU64,
    pub websocket: WebSocketStatus,
}

/// What the WebSocket shows of itself.
#[derive(Debug, Default)]
pub struct WebSocketStatus {
    /// Clients that are connected now.
    pub clients: AtomicU64,
    /// Clients that were turned away because there were too many.
    pub refused: AtomicU64,
    /// Times a client was so slow that it got the present state instead of the updates it had missed.
    pub lagged: AtomicU64,
    /// Connections that were ended here: too slow, silent or against the protocol.
    pub dropped: AtomicU64,
    /// Messages sent, and those that came in.
    pub sent: AtomicU64,
    pub received: AtomicU64,
}

/// What the operating system said about this process a moment ago; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessSample {
    /// Seconds since 1970.
    pub start_seconds: f64,
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub open_fds: Option<u64>,
    pub max_fds: Option<u64>,
}

impl HouseStatus {
    pub fn process(&self) -> Option<ProcessSample> {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_process(&self, sample: ProcessSample) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(sample);
    }

    /// Counts one login that did not succeed, whatever the reason.
    pub fn count_login_failure(&self) {
        self.login_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Logins that did not succeed.
    pub fn login_failures(&self) -> u64 {
        self.login_failures.load(Ordering::Relaxed)
    }

    /// Counts one request beyond its client's budget.
    pub fn count_rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests beyond their client's budget.
    pub fn rate_limited(&self) -> u64 {
        self.rate_limited.load(Ordering::Relaxed)
    }

    /// Counts one answered request: the route's template and the class of its status code, such as `2xx`.
    pub fn count_request(&self, route: &'static str, class: &'static str) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((route, class)).or_default() += 1;
    }

    /// Answered requests by route template and class of the status code.
    pub fn requests(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows a sink from now on.
    pub fn add_sink(&self, id: String, status: Arc<SinkStatus>) {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).insert(id, status);
    }

    /// How every sink is doing, by id. `head` is the newest revision, `now` in milliseconds since 1970.
    pub fn sinks(&self, head: u64, now: i64) -> Vec<SinkReport> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.values().map(|status| status.report(head, now)).collect()
    }
}

/// A histogram over [`BUCKETS`].
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    pub counts: [u64; BUCKETS.len() + 1],
    pub sum: f64,
}

/// Upper bounds in seconds.
pub const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

impl Histogram {
    pub fn observe(&mut self, seconds: f64) {
        let place = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.counts[place] += 1;
        self.sum += seconds;
    }
}
