//! What a source and a sink are, and what the house hands to them. The one erasure of their types is here.
//!
//! A source turns somebody's files into [`SourceMessage`]s and knows nothing of who counts them; a sink reads the hub
//! or is handed changes, and knows nothing of files. `build` checks settings and opens nothing. Sinks are in
//! [`sink`], everything of whose is reachable from here, too.

mod sink;
mod time;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::clock::Clock;
use crate::event::{TokenCounts, UnixMillis, UsageRecord};
use crate::status::{LineTally, RootStatus, SourceStatus};

pub use sink::{
    AnyDelivery, Batch, BuiltSink, Delivery, Follower, FollowerContext, History, Local, NamedDelivery, Outcome, Pace,
    Parts, Routes, Secret, SecretRef, Setup, Sink, SinkFactory, Wants,
};
pub use time::Time;

/// How far one item of a source (a file, a database) has been read, and how to recognise it. It is committed in the
/// transaction that stores what was read up to there. A source that rewrites a file whole stores its size as `offset`
/// and its content's hash as `head_hash`; one that follows a database keeps its watermark in `cursor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The item's path as raw bytes: file names need not be UTF-8.
    pub path: Vec<u8>,
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    /// Bytes of complete lines that are stored.
    pub offset: u64,
    /// How often the item was found rewritten and read from the start.
    pub generation: u64,
    /// How many of the first bytes `head_hash` covers.
    pub head_len: u64,
    pub head_hash: u64,
    /// Hash of up to 64 bytes just before `offset`.
    pub tail_hash: u64,
    /// What the source itself needs to go on from `offset`, as JSON of its own.
    pub cursor: String,
    /// Sums over this generation of the item.
    pub tally: LineTally,
    /// When the item was found to be gone; its events stay.
    pub gone_at: Option<UnixMillis>,
    /// Why it could not be read at the last try, in words without content.
    pub error: Option<String>,
}

/// What Claude Code itself says a session cost; shown beside our own figure, never added to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedCost {
    pub session: Arc<str>,
    pub at: UnixMillis,
    pub usd: f64,
}

/// One read of one item: its claims and how far they reach.
#[derive(Clone, Debug, Default)]
pub struct SourceBatch {
    pub records: Vec<UsageRecord>,
    pub checkpoint: Option<Checkpoint>,
    /// The item's former path, when it was renamed.
    pub renamed_from: Option<Vec<u8>>,
    /// What this read saw (the checkpoint's tally is the sum over the generation).
    pub tally: LineTally,
    pub reported_costs: Vec<ReportedCost>,
    /// When an account limit ends, as an error line stated it.
    pub limit_reset_at: Option<UnixMillis>,
    /// When the newest byte of this batch was written, for the lag metric.
    pub written_at: Option<UnixMillis>,
}

/// Somebody's own daily statistics: less exact than transcripts, kept apart, used only for days that no transcript
/// covers, and labelled as an estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Which file said so.
    pub origin: String,
    /// Hash of the content: the same file under two roots counts once.
    pub content_hash: u64,
    /// Last complete UTC day that is included, as `YYYY-MM-DD`; none for lifetime totals without dates.
    pub last_day: Option<String>,
    /// The daily numbers include cache reads and writes (else only input and output).
    pub includes_cache: bool,
    /// `(day, model, tokens)`.
    pub days: Vec<(String, String, u64)>,
    /// Lifetime totals per model; cache writes are in `cache_write_5m`, since the file has no split.
    pub lifetime: Vec<(String, TokenCounts)>,
}

/// What a source tells the ingest thread.
#[derive(Clone, Debug)]
pub enum SourceMessage {
    Batch(Box<SourceBatch>),
    Estimate(Estimate),
    /// The source is done with everything that existed when it started.
    CaughtUp,
    /// A complete scan ended: every UTC day from `from` to `to` is covered by what was on disk. The first comes before
    /// [`Self::CaughtUp`], after which pages are asked for.
    Covered {
        from: UnixMillis,
        to: UnixMillis,
    },
}

/// The way from a source to the store. Bounded: when the store is slow, the source waits and the disk keeps.
#[derive(Clone)]
pub struct Outbox {
    pub(crate) source: &'static str,
    pub(crate) to: crossbeam_channel::Sender<(&'static str, SourceMessage)>,
}

/// The house is closing; there is nobody to send to.
#[derive(Debug, thiserror::Error)]
#[error("the house is closing")]
pub struct Closed;

impl Outbox {
    /// Waits for room.
    pub fn send(&self, message: SourceMessage) -> Result<(), Closed> {
        self.to.send((self.source, message)).map_err(|_| Closed)
    }
}

/// Ends whoever holds it. Threads select on [`Stop::channel`]; tasks await [`Stop::wait`].
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    channel: crossbeam_channel::Receiver<()>,
    watch: tokio::sync::watch::Receiver<bool>,
}

/// The other end of [`Stop`]. Dropping it stops, too.
pub struct Stopper {
    flag: Arc<AtomicBool>,
    channel: Option<crossbeam_channel::Sender<()>>,
    watch: tokio::sync::watch::Sender<bool>,
}

impl Stopper {
    pub fn new() -> (Self, Stop) {
        let flag = Arc::new(AtomicBool::new(false));
        let (tx, rx) = crossbeam_channel::bounded(0);
        let (watch_tx, watch_rx) = tokio::sync::watch::channel(false);
        let stopper = Self { flag: Arc::clone(&flag), channel: Some(tx), watch: watch_tx };
        (stopper, Stop { flag, channel: rx, watch: watch_rx })
    }

    pub fn stop(&mut self) {
        self.flag.store(true, Ordering::Release);
        self.channel = None;
        self.watch.send_replace(true);
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Stop {
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Disconnected once the house stops; nothing is ever sent on it.
    pub fn channel(&self) -> &crossbeam_channel::Receiver<()> {
        &self.channel
    }

    /// Resolves once the house stops.
    pub async fn wait(&mut self) {
        while !*self.watch.borrow_and_update() {
            if self.watch.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sleeps, unless the house stops first; says whether it did.
    pub fn sleep(&self, time: Duration) -> bool {
        !matches!(self.channel.recv_timeout(time), Err(crossbeam_channel::RecvTimeoutError::Timeout))
    }
}

/// How changes in files are noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchMode {
    /// File events, and a full scan at a slow pace for what they miss.
    #[default]
    Native,
    /// Scans at a quick pace: events are off, not available or not to be trusted here.
    Poll,
}

/// What users configure about sources as a whole.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Directories that hold `projects/`, in order; they need not exist.
    pub roots: Vec<PathBuf>,
    /// `FILE_WATCH_ENABLED`: without it files are polled.
    pub watch: bool,
    /// Time between full scans while events work.
    pub reconcile_interval: Duration,
    /// Time between full scans while they do not.
    pub poll_interval: Duration,
    /// How long Claude Code keeps transcripts (`cleanupPeriodDays`): a scan covers that many days back.
    pub cleanup_days: u32,
    /// Threads that parse at the same time.
    pub readers: usize,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            watch: true,
            reconcile_interval: Duration::from_secs(30),
            poll_interval: Duration::from_secs(5),
            cleanup_days: 30,
            readers: std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4),
        }
    }
}

/// What a source gets to run with.
pub struct SourceContext {
    pub out: Outbox,
    /// Where it was when the history was last committed.
    pub checkpoints: Vec<Checkpoint>,
    pub clock: Clock,
    pub stop: Stop,
    pub status: Arc<SourceStatus>,
    /// Read what there is, say [`SourceMessage::CaughtUp`] and return.
    pub once: bool,
}

/// Somewhere that usage comes from: a JSONL file that is appended, a JSON file that is rewritten whole, a database
/// that is updated. It runs on a thread of its own; a source that wants a runtime brings one.
pub trait Source: Sized + Send + 'static {
    /// The name of its section in the configuration and of its label.
    const KIND: &'static str;
    /// The section a user copies; a test builds it.
    const SAMPLE: &'static str;
    type Config: DeserializeOwned;

    /// Checks the settings; opens nothing.
    fn build(config: Self::Config, settings: &SourceSettings) -> Result<Self, BuildError>;

    /// Where it would look and what is there now, for `doctor`; reads no content.
    fn probe(&self) -> Vec<RootStatus> {
        Vec::new()
    }

    /// Reads until `stop`. An error restarts it with its last committed checkpoints.
    fn run(self, ctx: SourceContext) -> anyhow::Result<()>;
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{0}")]
    Settings(String),
    /// The same, with the key that is to blame.
    #[error("{words}")]
    At { key: String, words: String },
    #[error("{}", .0.message())]
    Parse(#[from] toml::de::Error),
}

impl BuildError {
    /// What is wrong with one key of the section.
    pub fn at(key: &str, words: impl Into<String>) -> Self {
        Self::At { key: key.to_owned(), words: words.into() }
    }

    /// The key that is to blame, with dots for tables inside the section, if it is one.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Settings(_) => None,
            Self::At { key, .. } => Some(key.clone()),
            Self::Parse(error) => {
                // A wrong value is told of with the keys that lead to it, an unknown field by its name alone.
                let text = error.to_string();
                let path = text.split("in `").nth(1).and_then(|rest| rest.split('`').next());
                let field = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
                match (path, field) {
                    (Some(path), Some(field)) if !path.ends_with(field) => Some(format!("{path}.{field}")),
                    (path, field) => path.or(field).map(str::to_owned),
                }
            }
        }
    }
}

/// A source, ready to run, without its type.
pub type BuiltSource = Box<dyn FnOnce(SourceContext) -> anyhow::Result<()> + Send>;

/// How the house makes sources it has no name for.
pub struct SourceFactory {
    pub kind: &'static str,
    pub sample: &'static str,
    pub build: fn(toml::Table, &SourceSettings) -> Result<BuiltSource, BuildError>,
    pub probe: fn(toml::Table, &SourceSettings) -> Result<Vec<RootStatus>, BuildError>,
}

impl SourceFactory {
    pub const fn of<S: Source>() -> Self {
        Self {
            kind: S::KIND,
            sample: S::SAMPLE,
            build: |table, settings| {
                let source = S::build(table.try_into()?, settings)?;
                Ok(Box::new(move |ctx| source.run(ctx)))
            },
            probe: |table, settings| Ok(S::build(table.try_into()?, settings)?.probe()),
        }
    }
}
