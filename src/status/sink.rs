//! What a sink shows of itself: written by its runner after each batch, read by health, metrics and the API.

use std::sync::{Mutex, PoisonError};

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::Histogram;

/// How a sink is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// It works, or there was nothing to do yet.
    #[default]
    Ok,
    /// It has not begun: it waits for the first catch-up.
    Waiting,
    /// The last try failed, and it is tried again.
    Retrying,
    /// Somebody paused it.
    Paused,
    /// It needs somebody: wrong settings, or a decision.
    Failed,
}

impl SinkState {
    /// The word that is shown and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

/// What a sink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkRole {
    /// It is asked (routes), or follows the hub.
    Follower,
    /// It is sent every change, and has a cursor.
    Delivery,
    /// It is sent the present totals now and then.
    Snapshots,
}

/// Tries that failed since the process started, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SinkFailures {
    pub retryable: u64,
    pub rejected: u64,
    pub timeout: u64,
    pub config: u64,
}

impl SinkFailures {
    /// With the label value of each kind.
    pub fn each(&self) -> [(&'static str, u64); 4] {
        let Self { retryable, rejected, timeout, config } = *self;
        [("retryable", retryable), ("rejected", rejected), ("timeout", timeout), ("config", config)]
    }
}

/// How a sink is doing, in full. Instants are milliseconds since 1970, and leave as RFC 3339.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SinkReport {
    /// The name of its section; with `.PART` where a sink has several deliveries.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub role: SinkRole,
    pub state: SinkState,
    /// Where it sends to, without secrets.
    pub target: Option<String>,
    /// Everything up to this revision has arrived or was dealt with. None before the first, and without a cursor.
    pub cursor: Option<u64>,
    /// Changes that wait, at most: several of one response leave as one.
    pub lag_events: u64,
    /// How long it has not been up to date.
    pub lag_seconds: f64,
    #[serde(serialize_with = "instant")]
    #[schema(value_type = Option<String>)]
    pub last_success_at: Option<i64>,
    pub last_error: Option<String>,
    #[serde(serialize_with = "instant")]
    #[schema(value_type = Option<String>)]
    pub last_error_at: Option<i64>,
    /// Since when every try has failed.
    #[serde(serialize_with = "instant")]
    #[schema(value_type = Option<String>)]
    pub failing_since: Option<i64>,
    #[serde(serialize_with = "instant")]
    #[schema(value_type = Option<String>)]
    pub next_try_at: Option<i64>,
    /// Changes that arrived, since the history began.
    pub events: u64,
    /// Changes that were refused for good, since the history began; the newest of them are kept to look at.
    pub dead_letters: u64,
    /// Changes that its own settings left out, since the history began.
    pub dropped_events: u64,
    /// Starts after a panic or an error, since the process started.
    pub restarts: u64,
    pub failures: SinkFailures,
    /// How long tries took, in seconds.
    #[serde(skip)]
    pub send_seconds: Histogram,
    /// Since when something has waited for it.
    #[serde(skip)]
    pub behind_since: Option<i64>,
}

impl SinkReport {
    pub fn new(id: String, kind: &'static str, role: SinkRole) -> Self {
        Self {
            id,
            kind,
            role,
            state: SinkState::Ok,
            target: None,
            cursor: None,
            lag_events: 0,
            lag_seconds: 0.0,
            last_success_at: None,
            last_error: None,
            last_error_at: None,
            failing_since: None,
            next_try_at: None,
            events: 0,
            dead_letters: 0,
            dropped_events: 0,
            restarts: 0,
            failures: SinkFailures::default(),
            send_seconds: Histogram::default(),
            behind_since: None,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands references")]
fn instant<S: Serializer>(at: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()).map(|at| format!("{at:.3}")).serialize(to)
}

/// How long a sink may fail before that is trouble of the house: a receiver may restart without anybody being called.
pub const GRACE_MS: i64 = 5 * 60 * 1_000;

/// A sink's report while it changes.
#[derive(Debug)]
pub struct SinkStatus(Mutex<SinkReport>);

impl SinkStatus {
    pub fn new(report: SinkReport) -> Self {
        Self(Mutex::new(report))
    }

    pub fn update(&self, change: impl FnOnce(&mut SinkReport)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// As it is now: `head` is the newest revision of the history, `now` in milliseconds since 1970.
    #[expect(clippy::cast_precision_loss, reason = "seconds for display")]
    pub fn report(&self, head: u64, now: i64) -> SinkReport {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(cursor) = report.cursor {
            report.lag_events = head.saturating_sub(cursor);
            if report.lag_events > 0 {
                let since = report.behind_since.map_or(0, |at| now.saturating_sub(at).max(0));
                report.lag_seconds = since as f64 / 1_000.0;
            }
        }
        report
    }
}

impl SinkReport {
    /// What health has to say about it at `now`, if anything.
    pub fn trouble(&self, now: i64) -> Option<String> {
        let words = self.last_error.as_deref().unwrap_or("it does not say why");
        let long = self.failing_since.is_some_and(|since| now.saturating_sub(since) >= GRACE_MS);
        match self.state {
            SinkState::Failed => Some(words.to_owned()),
            SinkState::Retrying if long => Some(format!("nothing has arrived for a while: {words}")),
            _ => None,
        }
    }
}
