//! One writer, any number of readers: the present totals as an immutable snapshot, and each commit as it happens.
//!
//! Reading takes no lock that ingest holds and does no I/O. A [`Feed`] gives a snapshot first and then each commit; a
//! reader that falls behind gets a fresh snapshot instead of a gap, so nobody can hold ingest up.

mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};

use crate::clock::Calendar;
use crate::event::{Change, QuerySource, Tally, UnixMillis};
use crate::status::{HouseStatus, SourceStatus, SourceTotals};

pub use crate::status::{BUCKETS, Histogram};
pub use series::{
    ActiveSession, Direction, MODEL_PLACES, MOST_PROJECT_PLACES, ProjectSums, RequestSizes, SESSION_HELD_MS,
    SESSIONS_HELD, SIZE_BOUNDS, SIZES, SessionPart, SizeExemplar, Spend, size_class,
};

/// What sinks show beside totals, and so has to be kept for them. Said before the history is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The most projects that anybody shows one by one.
    pub projects: usize,
    /// Somebody shows the sessions that were active lately.
    pub sessions: bool,
}

impl Wishes {
    /// What satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { projects: self.projects.max(other.projects), sessions: self.sessions || other.sessions }
    }
}

/// Everything that is known at one revision. Immutable.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The newest revision that is in these numbers.
    pub revision: u64,
    /// The name of this history, the same over restarts; see OpenTelemetry's `service.instance.id`.
    pub instance: Arc<str>,
    /// The first catch-up is stored: the numbers are whole. Until then usage families are withheld.
    pub ready: bool,
    /// What the history holds, by model as the transcripts write it.
    pub models: BTreeMap<Arc<str>, Tally>,
    pub totals: Tally,
    /// Sessions with at least one response.
    pub sessions: u64,
    /// What counters show: the highest value each series ever had, so that a correction never looks like a reset.
    pub series: BTreeMap<(Arc<str>, QuerySource), Tally>,
    /// The same for the session counter.
    pub session_count: u64,
    /// What counters by project show.
    pub projects: ProjectSums,
    /// Models that have a label of their own; all others share one.
    pub model_places: Arc<BTreeSet<Arc<str>>>,
    /// Responses by size, by [`Direction`].
    pub request_sizes: Arc<[RequestSizes; 2]>,
    /// The sessions that were active last, newest first; empty unless somebody [wishes](Wishes) for them.
    pub active_sessions: Arc<[ActiveSession]>,
    /// What was spent lately.
    pub spend: Arc<Spend>,
    /// Responses whose last known line did not say that they were complete.
    pub unfinished: u64,
    /// Responses that were given another price later, since the history began.
    pub repriced: u64,
    /// The newest response that does not claim to be from the future.
    pub last_event_at: Option<UnixMillis>,
    /// Tokens by model that Claude Code's own statistics state; estimates, never part of the totals.
    pub estimates: BTreeMap<Arc<str>, crate::event::TokenCounts>,
    pub ingest: IngestTotals,
    pub store: StoreFacts,
    /// Trouble that health has to name, by subject.
    pub troubles: BTreeMap<&'static str, String>,
}

/// What the spine did since the history began (`by_source`), and since the process started (the rest).
#[derive(Clone, Debug, Default)]
pub struct IngestTotals {
    pub by_source: BTreeMap<String, SourceTotals>,
    pub commits: u64,
    pub last_commit_at: Option<UnixMillis>,
    /// How long commits took.
    pub commit_seconds: Histogram,
    /// Time from writing a line to having it committed.
    pub lag_seconds: Histogram,
}

/// What the store says of itself.
#[derive(Clone, Debug, Default)]
pub struct StoreFacts {
    pub size_bytes: u64,
    pub responses: u64,
    pub busy: u64,
    /// Version of the price table that new responses are priced with.
    pub price_table: String,
    /// When that table was last checked against its sources.
    pub price_table_at: Option<UnixMillis>,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Update {
    /// Start over from this.
    Snapshot(Arc<Snapshot>),
    /// These changes lead to this snapshot.
    Commit(Arc<Commit>),
}

/// One commit.
#[derive(Clone, Debug)]
pub struct Commit {
    pub snapshot: Arc<Snapshot>,
    /// `None`: too many to be worth carrying (the first catch-up); take the snapshot.
    pub changes: Option<Arc<[Change]>>,
}

/// Where sources show how they are doing, by kind.
pub type Statuses = Arc<BTreeMap<&'static str, Arc<SourceStatus>>>;

/// The meeting point of the spine and the edges. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    now: Arc<ArcSwap<Snapshot>>,
    commits: broadcast::Sender<Arc<Commit>>,
    pulse: watch::Sender<u64>,
    statuses: Statuses,
    house: Arc<HouseStatus>,
    closing: Arc<watch::Sender<bool>>,
    wishes: Arc<ArcSwap<Wishes>>,
    calendar: Calendar,
    costs: bool,
}

/// How many commits a reader may lag behind before it gets a snapshot instead.
const LAG: usize = 64;

impl Hub {
    pub fn new(first: Snapshot, statuses: Statuses) -> Self {
        let now = Arc::new(ArcSwap::from_pointee(first));
        Self {
            now,
            commits: broadcast::channel(LAG).0,
            pulse: watch::Sender::new(0),
            statuses,
            house: Arc::default(),
            closing: Arc::new(watch::Sender::new(false)),
            wishes: Arc::default(),
            calendar: Calendar::default(),
            costs: true,
        }
    }

    /// The user wants no money shown anywhere (`ENABLE_COST_ESTIMATION=false`).
    #[must_use]
    pub fn without_costs(self) -> Self {
        Self { costs: false, ..self }
    }

    /// Whose days and months count, and what time it is.
    #[must_use]
    pub fn with_calendar(self, calendar: Calendar) -> Self {
        Self { calendar, ..self }
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Asks for more than totals to be kept.
    pub fn wish(&self, wish: Wishes) {
        self.wishes.rcu(|wishes| wishes.and(wish));
    }

    /// What sinks have asked for.
    pub fn wishes(&self) -> Wishes {
        **self.wishes.load()
    }

    /// Whether API, metrics and pages show costs.
    pub fn shows_costs(&self) -> bool {
        self.costs
    }

    /// The present totals.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// What the process and its HTTP server show of themselves.
    pub fn house(&self) -> &HouseStatus {
        &self.house
    }

    /// Shows a new snapshot and wakes whoever listens. Only the spine calls this.
    pub fn publish(&self, commit: Commit) {
        self.now.store(Arc::clone(&commit.snapshot));
        self.pulse.send_replace(commit.snapshot.revision);
        if self.commits.receiver_count() > 0 && self.commits.send(Arc::new(commit)).is_err() {
            // The last listener has just left.
        }
    }

    /// For whoever keeps something open that has to be ended in an orderly way, such as a socket.
    pub fn guest(&self) -> Guest {
        Guest(self.closing.subscribe())
    }

    /// Says that the house is closing; resolves once no guest is left.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        self.closing.closed().await;
    }

    /// Changes with every commit, and holds its revision: for whoever reads the history and need not carry changes.
    pub fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    /// Starts listening.
    pub fn subscribe(&self) -> Feed {
        // Subscribed before the snapshot is taken: a commit in between is seen twice rather than not at all, and a
        // reader can tell by the revision.
        let commits = self.commits.subscribe();
        Feed { hub: self.clone(), commits, guest: self.guest(), fresh: true, revision: 0 }
    }
}

/// Somebody whom the house waits for when it closes, for a while.
pub struct Guest(watch::Receiver<bool>);

impl Guest {
    /// Resolves once the house is closing.
    pub async fn closing(&mut self) {
        // An error means that there is no house any more.
        drop(self.0.wait_for(|closing| *closing).await);
    }
}

/// One reader's view: a snapshot, then commits.
pub struct Feed {
    hub: Hub,
    commits: broadcast::Receiver<Arc<Commit>>,
    guest: Guest,
    fresh: bool,
    revision: u64,
}

impl Feed {
    /// The next update; `None` when the house is closing.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            if std::mem::take(&mut self.fresh) {
                let snapshot = self.hub.snapshot();
                self.revision = snapshot.revision;
                return Some(Update::Snapshot(snapshot));
            }
            let commit = tokio::select! {
                () = self.guest.closing() => return None,
                commit = self.commits.recv() => commit,
            };
            match commit {
                // Seen already, or a backup has taken the place of a damaged history.
                Ok(commit) if commit.snapshot.revision < self.revision => {
                    self.fresh = self.hub.snapshot().revision < self.revision;
                }
                Ok(commit) => {
                    self.revision = commit.snapshot.revision;
                    return Some(Update::Commit(commit));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.fresh = true;
                    self.commits = self.commits.resubscribe();
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
