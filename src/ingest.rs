//! The spine: one plain thread that takes what sources claim, commits it, and shows the result. No async, no lock that
//! a reader could hold, no plugin's name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, never, select, tick};

use crate::clock::Clock;
use crate::event::UnixMillis;
use crate::hub::{Commit, Hub, IngestTotals};
use crate::plugin::{SourceMessage, Stop};
use crate::slow::slow;
use crate::store::{LogLength, Store, StoreError};

/// A transaction ends when it holds this many claims: enough to make commits rare in a first read, and few enough for
/// memory.
const CLAIMS_PER_COMMIT: usize = 8_000;

/// Or this many messages.
const MESSAGES_PER_COMMIT: usize = 1_024;

/// How long a transaction of the first catch-up waits for more: nobody is shown its numbers yet, and every page is
/// then written once rather than once a file.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(200);

/// How long nothing must have come before the write-ahead log is folded in: whoever waits for a line does not wait for
/// the disk.
const QUIET: Duration = Duration::from_millis(300);

/// How often detail that has grown too old is looked for.
const RETENTION_EVERY: Duration = Duration::from_secs(86_400);

/// Something small to do on the writing connection, such as to move a delivery's cursor. An error that it gives is the
/// spine's: damage is recovered from.
pub type Job = Box<dyn FnOnce(&mut Store) -> Result<(), StoreError> + Send>;

/// How many jobs may wait. Whoever has one waits for it, so there are never more than there are deliveries and requests.
pub const JOBS: usize = 256;

/// What the spine works with.
pub struct Ingest {
    pub store: Store,
    pub inbox: Receiver<(&'static str, SourceMessage)>,
    pub jobs: Receiver<Job>,
    pub hub: Hub,
    pub clock: Clock,
    pub stop: Stop,
    /// Sources whose first catch-up makes the numbers whole.
    pub awaited: BTreeSet<&'static str>,
    /// Somebody found damaged pages.
    pub damage: Receiver<String>,
    pub upkeep: Upkeep,
}

/// What is done now and then, in between.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Detail older than this is removed; 0 keeps it for ever.
    pub retention_days: u32,
    /// How many backups are kept; 0 makes none.
    pub backups: usize,
    pub backup_interval: Duration,
    /// Whether this run does upkeep at all: a one-off catch-up does not.
    pub enabled: bool,
}

/// The state of the spine between commits.
struct Spine {
    store: Store,
    hub: Hub,
    clock: Clock,
    stop: Stop,
    awaited: BTreeSet<&'static str>,
    totals: IngestTotals,
    trouble: Option<String>,
    upkeep: Upkeep,
    pruned_at: Option<UnixMillis>,
}

impl Ingest {
    /// Works until every source has hung up, and gives the store back. An error is one that trying again won't mend.
    pub fn run(self) -> Result<Store, StoreError> {
        let Self { store, inbox, jobs, hub, clock, stop, awaited, damage, upkeep } = self;
        let totals = IngestTotals::default();
        let mut spine = Spine { store, hub, clock, stop, awaited, totals, trouble: None, upkeep, pruned_at: None };
        spine.publish(None)?;
        let mut jobs = jobs;
        let hourly = if upkeep.enabled { tick(Duration::from_secs(3_600)) } else { never() };
        loop {
            let quiet = if spine.store.log_length() == LogLength::Short { never() } else { after(QUIET) };
            let message = select! {
                recv(inbox) -> message => message,
                recv(damage) -> reason => match reason {
                    Ok(reason) => return Err(StoreError::Corrupt { path: spine.store.path().to_owned(), reason }),
                    Err(_) => inbox.recv(),
                },
                recv(jobs) -> job => {
                    // Between two commits, so that nobody has to wait for a lock.
                    match job {
                        Ok(job) => spine.work(job)?,
                        Err(_) => jobs = never(),
                    }
                    continue;
                }
                recv(quiet) -> _ => {
                    spine.fold_log();
                    continue;
                }
                recv(hourly) -> _ => {
                    spine.maintain();
                    continue;
                }
            };
            let Ok(message) = message else { break };
            let patience = if spine.awaited.is_empty() { Duration::ZERO } else { CATCH_UP_PATIENCE };
            let messages = gather(message, &inbox, patience);
            if !spine.commit(&messages)? {
                break;
            }
            if spine.store.log_length() == LogLength::TooLong {
                spine.fold_log();
            }
        }
        Ok(spine.store)
    }
}

/// Takes what else comes within `patience` into the same transaction; by default only what is already waiting.
fn gather(
    first: (&'static str, SourceMessage),
    inbox: &Receiver<(&'static str, SourceMessage)>,
    patience: Duration,
) -> Vec<(&'static str, SourceMessage)> {
    let claims = |message: &SourceMessage| match message {
        SourceMessage::Batch(batch) => batch.records.len(),
        _ => 0,
    };
    let deadline = Instant::now() + patience;
    let mut held = claims(&first.1);
    let mut messages = vec![first];
    while held < CLAIMS_PER_COMMIT && messages.len() < MESSAGES_PER_COMMIT {
        let next = inbox.try_recv().ok().or_else(|| inbox.recv_deadline(deadline).ok());
        let Some(next) = next else { break };
        held += claims(&next.1);
        let caught_up = matches!(next.1, SourceMessage::CaughtUp);
        messages.push(next);
        if caught_up {
            break;
        }
    }
    messages
}

impl Spine {
    /// Commits, however long the disk refuses; `false`: the house stopped first. Nothing is lost then, since the
    /// position has not moved either.
    fn commit(&mut self, messages: &[(&'static str, SourceMessage)]) -> Result<bool, StoreError> {
        let mut pause = Duration::from_millis(250);
        loop {
            let started = Instant::now();
            match self.store.commit(messages, self.clock.now()) {
                Ok(committed) => {
                    slow("storing what was read", started);
                    self.totals.commits += 1;
                    self.totals.commit_seconds.observe(started.elapsed().as_secs_f64());
                    self.totals.last_commit_at = Some(self.clock.now());
                    if self.trouble.take().is_some() {
                        tracing::info!("the database can be written again; nothing was lost");
                    }
                    let waited = !self.awaited.is_empty();
                    for source in committed.caught_up {
                        self.awaited.remove(source);
                    }
                    if waited && self.awaited.is_empty() && self.upkeep.enabled {
                        tracing::info!("everything that was on disk at the start is counted");
                    }
                    if self.awaited.is_empty() {
                        self.observe_lag(messages);
                    }
                    self.publish(committed.changes)?;
                    return Ok(true);
                }
                Err(error) if error.is_passing() => {
                    if self.trouble.is_none() {
                        let after_ms = started.elapsed().as_millis();
                        tracing::error!(%error, after_ms, "cannot store what was read; will try again until it works");
                    }
                    self.trouble = Some(error.to_string());
                    // On a full disk this may make room.
                    self.fold_log();
                    self.publish(None).or_else(|error| if error.is_passing() { Ok(()) } else { Err(error) })?;
                }
                Err(error) => return Err(error),
            }
            if self.stop.sleep(pause) {
                return Ok(false);
            }
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    fn work(&mut self, job: Job) -> Result<(), StoreError> {
        match job(&mut self.store) {
            Err(StoreError::Corrupt { reason, .. }) => {
                Err(StoreError::Corrupt { path: self.store.path().to_owned(), reason })
            }
            // Whoever asked has been told.
            Err(error) => {
                tracing::debug!(%error, "a job on the database failed");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Folds the write-ahead log in. That it cannot be done now, because the disk is full or somebody reads, is no
    /// trouble of its own: it is tried again.
    fn fold_log(&self) {
        if let Err(error) = self.store.fold_log() {
            tracing::debug!(%error, "could not fold the write-ahead log in");
        }
    }

    fn observe_lag(&mut self, messages: &[(&'static str, SourceMessage)]) {
        let now = self.clock.now();
        for (_, message) in messages {
            if let SourceMessage::Batch(batch) = message
                && let Some(written_at) = batch.written_at
                && !batch.records.is_empty()
            {
                let lag = Duration::from_millis(now.0.saturating_sub(written_at.0).max(0).unsigned_abs());
                self.totals.lag_seconds.observe(lag.as_secs_f64());
            }
        }
    }

    fn publish(&mut self, changes: Option<Vec<crate::event::Change>>) -> Result<(), StoreError> {
        let ready = self.awaited.is_empty() && self.settle()?;
        let mut snapshot = self.store.snapshot()?;
        snapshot.ready = ready;
        snapshot.ingest = IngestTotals { by_source: snapshot.ingest.by_source, ..self.totals.clone() };
        if let Some(trouble) = &self.trouble {
            snapshot.troubles.insert("database", trouble.clone());
        }
        self.hub.publish(Commit { snapshot: Arc::new(snapshot), changes: changes.map(Into::into) });
        Ok(())
    }

    /// From the first catch-up on numbers are shown; `false`: they cannot be yet, and will be at the next commit.
    fn settle(&mut self) -> Result<bool, StoreError> {
        match self.store.settle(self.hub.wishes(), self.clock.now()) {
            Ok(()) => Ok(true),
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "cannot show the numbers yet; will try again");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Backups and retention. Their failure is told and tried again; it never stops ingest.
    fn maintain(&mut self) {
        let now = self.clock.now();
        let age = |last: UnixMillis| Duration::from_millis(now.0.saturating_sub(last.0).max(0).unsigned_abs());
        let backup_due = self.store.backed_up_at().is_none_or(|last| age(last) >= self.upkeep.backup_interval);
        if self.upkeep.backups > 0 && backup_due {
            match self.store.back_up(now, self.upkeep.backups) {
                Ok(backup) => tracing::info!(path = %backup.path.display(), bytes = backup.size_bytes, "backed up"),
                Err(error) => tracing::warn!(%error, "the backup failed; will try again in an hour"),
            }
        }
        let prune_due = self.pruned_at.is_none_or(|last| age(last) >= RETENTION_EVERY);
        if self.upkeep.retention_days > 0 && prune_due {
            match self.store.prune(self.upkeep.retention_days, now) {
                Ok(report) => {
                    self.pruned_at = Some(now);
                    if report.responses > 0 {
                        tracing::info!(responses = report.responses, "removed the detail of old responses");
                    }
                }
                Err(error) => tracing::warn!(%error, "retention failed; will try again in an hour"),
            }
        }
    }
}
