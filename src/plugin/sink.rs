//! What a sink is: somewhere that usage goes to.
//!
//! A sink consists of [`Parts`]: routes on the house's own server, a follower that is fed by the hub, deliveries that
//! are handed batches. A follower is for what shows the present: it gets a snapshot first and a fresh one instead of a
//! gap. A [`Delivery`] is for what must arrive: it only sends one batch and says what became of it. Cursor, retries,
//! deadlines, dead letters, health and metrics are the runner's (see the room `deliver`); no delivery has any of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{BuildError, Stop};
use crate::clock::Clock;
use crate::event::{Change, QuerySource, Tally, UnixMillis};
use crate::hub::{Feed, Hub, Snapshot};
use crate::route::Route;

/// HTTP routes that a part adds to the server.
pub type Routes = Vec<Route>;

/// Somewhere that usage goes to.
pub trait Sink: Sized + Send + 'static {
    /// The `type = "…"` of its section in the configuration.
    const KIND: &'static str;
    /// It works without a section, and is there unless one says `enabled = false`.
    const ALWAYS: bool = false;

    /// Whether variables that a standard gives a meaning to ask for it, so that it needs no section either.
    fn is_asked_for(_: &Setup) -> bool {
        false
    }

    /// The section a user copies; a test builds it.
    const SAMPLE: &'static str;
    /// Its own keys; with `deny_unknown_fields`. Those that all sinks share never get here.
    type Config: DeserializeOwned;

    /// Checks the settings; opens nothing.
    fn build(config: Self::Config, setup: &Setup) -> Result<Self, BuildError>;

    /// What it consists of.
    fn parts(self, hub: &Hub) -> Parts;
}

/// What a sink may know of the house when it is built.
#[derive(Clone)]
pub struct Setup {
    /// The name of its section: `[sinks.NAME]`.
    pub name: String,
    /// Where relative paths in the configuration start from.
    pub base: PathBuf,
    pub clock: Clock,
    /// Whose days days are.
    pub zone: TimeZone,
    /// Whether the user wants to see money at all.
    pub costs: bool,
    /// A variable of the environment; for [`SecretRef`], and for variables that a standard defines.
    pub env: fn(&str) -> Option<String>,
}

impl Setup {
    /// A house without an environment, whose days are UTC's.
    pub fn new(name: &str, clock: Clock) -> Self {
        Self { name: name.to_owned(), base: PathBuf::new(), clock, zone: TimeZone::UTC, costs: true, env: |_| None }
    }

    /// A path from the configuration: `~/…` in the user's home, a relative one below [`Setup::base`].
    pub fn path(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), (self.env)("HOME")) {
            (Ok(rest), Some(home)) => Path::new(&home).join(rest),
            _ => self.base.join(path),
        }
    }
}

/// A secret by reference: a variable of the environment or a file. Never inline, so that no configuration file holds
/// one. `KEY_env` and `KEY_file` are the names that its two keys have by custom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretRef {
    pub env: Option<String>,
    pub file: Option<PathBuf>,
}

impl SecretRef {
    /// From the values of `KEY_env` and `KEY_file`.
    pub fn new(env: Option<String>, file: Option<PathBuf>) -> Self {
        Self { env, file }
    }

    /// The secret, if one is named. A variable must be set now; a file is read at each use, so it may be replaced.
    pub fn resolve(&self, key: &str, setup: &Setup) -> Result<Option<Secret>, BuildError> {
        match (&self.env, &self.file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(BuildError::at(key, format!("`{key}_env` and `{key}_file` exclude each other"))),
            (Some(name), None) => match (setup.env)(name).filter(|value| !value.is_empty()) {
                Some(value) => Ok(Some(Secret(Kept::Value(value)))),
                None => Err(BuildError::at(
                    &format!("{key}_env"),
                    format!("`{key}_env` names the environment variable {name}, which is not set"),
                )),
            },
            (None, Some(file)) => Ok(Some(Secret(Kept::File(setup.path(file))))),
        }
    }
}

/// A secret that was referred to. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret(Kept);

#[derive(Clone)]
enum Kept {
    Value(String),
    File(PathBuf),
}

/// Files longer than this hold no secret.
const LONGEST_SECRET: u64 = 64 * 1024;

impl Secret {
    /// Its present value, without the line end that editors put into files.
    pub fn read(&self) -> std::io::Result<String> {
        match &self.0 {
            Kept::Value(value) => Ok(value.clone()),
            Kept::File(path) => {
                use std::io::Read;
                let mut text = String::new();
                std::fs::File::open(path)?.take(LONGEST_SECRET).read_to_string(&mut text)?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What a sink consists of.
#[derive(Default)]
pub struct Parts {
    pub routes: Routes,
    pub follower: Option<Follower>,
    pub deliveries: Vec<NamedDelivery>,
}

/// A task that is fed by the hub. When it ends before the house stops, or panics, the sink is made anew after a pause, and
/// its new follower started; its routes stay those of the first time.
pub type Follower = Box<dyn FnOnce(FollowerContext) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send>;

/// What a follower gets to run with.
pub struct FollowerContext {
    /// A snapshot first, then commits; a fresh snapshot instead of a gap.
    pub feed: Feed,
    pub clock: Clock,
    pub stop: Stop,
}

/// A delivery and the part of the sink that it is: with the part `logs`, the sink `otlp` has a delivery `otlp.logs`.
/// The only delivery of a sink has no part.
pub struct NamedDelivery {
    pub part: Option<&'static str>,
    pub delivery: Box<dyn AnyDelivery>,
}

impl NamedDelivery {
    /// Its id in the sink of this name.
    pub fn id(&self, sink: &str) -> String {
        self.part.map_or_else(|| sink.to_owned(), |part| format!("{sink}.{part}"))
    }
}

impl Parts {
    #[must_use]
    pub fn with_routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    #[must_use]
    pub fn with_follower<F, Fut>(mut self, follow: F) -> Self
    where
        F: FnOnce(FollowerContext) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.follower = Some(Box::new(move |context| Box::pin(follow(context))));
        self
    }

    /// The sink's only delivery.
    #[must_use]
    pub fn with_delivery(mut self, delivery: impl Delivery) -> Self {
        self.deliveries.push(NamedDelivery { part: None, delivery: Box::new(delivery) });
        self
    }

    /// One of several deliveries, each with a cursor of its own.
    #[must_use]
    pub fn with_part(mut self, part: &'static str, delivery: impl Delivery) -> Self {
        self.deliveries.push(NamedDelivery { part: Some(part), delivery: Box::new(delivery) });
        self
    }
}

/// What a delivery is handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Each change of the history after its cursor, in the order of revisions.
    Changes,
    /// The present totals, again and again. There is no cursor and no dead letter: the next one says it all.
    Snapshot,
}

/// What a delivery likes where the user says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most changes in a batch.
    pub batch_max: u32,
    /// Least time from the start of one batch to the start of the next, unless the former was full; for
    /// [`Wants::Snapshot`] the time between snapshots.
    pub interval: Duration,
    /// How long one batch may take.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch_max: 500, interval: Duration::from_secs(1), timeout: Duration::from_secs(10) }
    }
}

/// Sends batches somewhere. It runs on a thread of its own, inside a runtime of its own with one thread, so it may
/// block; what it must not do is to wait for ever.
pub trait Delivery: Send + 'static {
    const WANTS: Wants = Wants::Changes;

    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// What it sends to, in words without secrets, such as `https://host/path`. When this is another than last time,
    /// the runner asks the user what to send there instead of guessing.
    fn target(&self) -> String;

    /// Called once before the first batch with what [`Delivery::remember`] last gave, if anything.
    fn recall(&mut self, _memo: &str) {}

    /// Called after a batch has arrived: what has to survive a restart, at most 64 KiB. It is stored in the transaction
    /// that moves the cursor.
    fn remember(&self) -> Option<String> {
        None
    }

    /// Sends one batch and says what became of it. Dropped when its time is up or the house stops; the batch is then
    /// handed over again. A panic restarts the sink.
    fn deliver(&mut self, batch: &Batch<'_>) -> impl Future<Output = Outcome>;

    /// The house stops.
    fn close(&mut self) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// One batch. Every change has the stable id of its response and a revision of its own, so that a receiver can know
/// what it has seen; `before` is what this delivery was last handed of that response, as far as it is known.
pub struct Batch<'a> {
    /// Revisions in this batch are greater than this.
    pub after: u64,
    /// And at most this.
    pub until: u64,
    /// Empty for [`Wants::Snapshot`].
    pub changes: &'a [Change],
    pub snapshot: &'a Arc<Snapshot>,
    /// Somebody asked for these again.
    pub replay: bool,
    pub now: UnixMillis,
    pub history: &'a dyn History,
}

/// The history's sums, for what needs more than the changes.
pub trait History {
    /// Sums of whole days in the zone of [`Setup::zone`], both included, in order.
    fn days(&self, from: Date, to: Date) -> anyhow::Result<Vec<(Date, Tally)>>;

    /// Lifetime sums by model and query source as they were at a revision. It takes the longer the more came after it.
    fn series_at(&self, revision: u64) -> anyhow::Result<BTreeMap<(Arc<str>, QuerySource), Tally>>;
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived, all of it.
    Acked,
    /// It arrived, except what the receiver refuses for good: these revisions, and some that it did not name.
    Partial { rejected: Vec<u64>, unnamed: u64, why: String },
    /// Not now. `after`: when the receiver wants to be asked again.
    Retry { after: Option<Duration>, why: String },
    /// Never: something that is in the batch. Halves of it are tried until the one change is found.
    Reject { why: String },
    /// Too much at once; the same with less.
    TooLarge { why: String },
    /// Never, whatever is in the batch: an address, a password or a right is wrong. Nothing is lost or skipped; it is
    /// tried again at the slowest pace, and after a `resume`.
    Refused { why: String },
}

impl Outcome {
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry { after: None, why: why.into() }
    }

    pub fn reject(why: impl Into<String>) -> Self {
        Self::Reject { why: why.into() }
    }

    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}

/// A future that stays on its thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// [`Delivery`] without its type; implemented for each of them, and for nothing else.
pub trait AnyDelivery: Send {
    fn wants(&self) -> Wants;
    fn pace(&self) -> Pace;
    fn target(&self) -> String;
    fn recall(&mut self, memo: &str);
    fn remember(&self) -> Option<String>;
    fn deliver<'a>(&'a mut self, batch: &'a Batch<'a>) -> Local<'a, Outcome>;
    fn close(&mut self) -> Local<'_, ()>;
}

impl<D: Delivery> AnyDelivery for D {
    fn wants(&self) -> Wants {
        D::WANTS
    }

    fn pace(&self) -> Pace {
        Delivery::pace(self)
    }

    fn target(&self) -> String {
        Delivery::target(self)
    }

    fn recall(&mut self, memo: &str) {
        Delivery::recall(self, memo);
    }

    fn remember(&self) -> Option<String> {
        Delivery::remember(self)
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch<'a>) -> Local<'a, Outcome> {
        Box::pin(Delivery::deliver(self, batch))
    }

    fn close(&mut self) -> Local<'_, ()> {
        Box::pin(Delivery::close(self))
    }
}

/// A sink whose settings are checked, without its type.
pub type BuiltSink = Box<dyn FnOnce(&Hub) -> Parts + Send>;

/// How the house makes sinks it has no name for.
#[derive(Debug)]
pub struct SinkFactory {
    pub kind: &'static str,
    pub always: bool,
    pub asked: fn(&Setup) -> bool,
    pub sample: &'static str,
    pub build: fn(toml::Table, &Setup) -> Result<BuiltSink, BuildError>,
}

impl SinkFactory {
    pub const fn of<S: Sink>() -> Self {
        Self {
            kind: S::KIND,
            always: S::ALWAYS,
            asked: S::is_asked_for,
            sample: S::SAMPLE,
            build: |table, setup| {
                let sink = S::build(S::Config::deserialize(table)?, setup)?;
                Ok(Box::new(move |hub| sink.parts(hub)))
            },
        }
    }
}
