//! The part of the house that counts: store, spine and sources, with a recovery in between if the file is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use super::AppError;
use super::plugins::configured_sources;
use crate::clock::{Calendar, Clock};
use crate::config::Settings;
use crate::deliver::Ledger;
use crate::hub::{Hub, Statuses, Wishes};
use crate::ingest::{Ingest, JOBS, Job, Upkeep};
use crate::plugin::{Outbox, SourceMessage, Stop, Stopper};
use crate::pricing::PriceTable;
use crate::store::{OpenOptions, Opened, Readers, Store, StoreError};
use crate::supervise::{Configured, Surroundings};

/// How many messages may wait for the spine. With the size of a batch this bounds the memory of a first read.
const INBOX: usize = 128;

/// How long the spine may take to store what it holds once the house stops.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

/// How long the pages of a large database are looked at in the background after a start.
const BACKGROUND_CHECK: Duration = Duration::from_secs(60);

/// How often everything in the database is looked at while the house stands.
const FULL_CHECK_EVERY: Duration = Duration::from_secs(7 * 86_400);

/// The part of the house that counts: store, spine and sources, on threads of their own.
pub struct Counting {
    pub hub: Hub,
    pub readers: Readers,
    pub prices: Arc<PriceTable>,
    /// The way to the writing connection.
    pub ledger: Ledger,
    thread: JoinHandle<Result<(), StoreError>>,
    stopper: Stopper,
    /// Set once the spine has ended, which it does by itself only on an error or when it reads once.
    pub ended: Stop,
}

/// How to count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Follow what is written, until stopped.
    Follow,
    /// Read what there is and end.
    Once,
}

impl Counting {
    /// Opens the history and starts reading. `wishes`: what sinks need beside totals.
    pub fn start(settings: &Settings, clock: &Clock, mode: Mode, wishes: Wishes) -> Result<Self, AppError> {
        let prices = Arc::new(price_table(settings)?);
        let options = open_options(settings, clock);
        let sources = configured_sources(settings)?;
        let Opened { store, recovery, unchecked } = Store::open(&options, Arc::clone(&prices))?;
        if let Some(recovery) = recovery {
            tracing::error!("{}", recovery.words());
        }
        let statuses: Statuses = Arc::new(
            sources.iter().map(|source| (source.factory.kind, Arc::clone(&source.status))).collect::<BTreeMap<_, _>>(),
        );
        let calendar = Calendar { clock: clock.clone(), zone: settings.time_zone.clone() };
        let mut hub = Hub::new(store.snapshot()?, statuses).with_calendar(calendar);
        hub.wish(wishes);
        hub.house().native_telemetry.store(settings.native_telemetry, Relaxed);
        if !settings.enable_cost {
            hub = hub.without_costs();
        }
        let readers = Readers::new(&options.path);
        let (stopper, stop) = Stopper::new();
        let (at_end, ended) = Stopper::new();
        let (to_jobs, jobs) = crossbeam_channel::bounded(JOBS);
        let spine = SpineThread {
            options,
            prices: Arc::clone(&prices),
            sources,
            hub: hub.clone(),
            readers: readers.clone(),
            clock: clock.clone(),
            stop,
            jobs,
            mode,
            upkeep: Upkeep {
                retention_days: settings.retention_days,
                backups: usize::try_from(settings.backup.keep).unwrap_or(usize::MAX),
                backup_interval: settings.backup.interval,
                enabled: mode == Mode::Follow,
            },
        };
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || {
                let _at_end = at_end;
                spine.run(store, unchecked)
            })
            .context("starting the ingest thread")?;
        Ok(Self { hub, readers, prices, ledger: Ledger::new(to_jobs), thread, stopper, ended })
    }

    /// Stops reading and begins to store what is held; [`Counting::stop`] waits for it.
    pub fn begin_stop(&mut self) {
        self.stopper.stop();
    }

    /// Stops reading, stores what is held, closes the history.
    pub fn stop(mut self) -> Result<(), AppError> {
        self.begin_stop();
        let (done, waiting) = crossbeam_channel::bounded(1);
        let thread = self.thread;
        std::thread::spawn(move || done.send(thread.join()));
        match waiting.recv_timeout(STOP_WITHIN) {
            Ok(Ok(outcome)) => Ok(outcome?),
            Ok(Err(_)) => {
                Err(anyhow::anyhow!("the ingest thread panicked; what it had not stored is read again").into())
            }
            Err(_) => {
                tracing::warn!("stopped before everything was stored; it is read again at the next start");
                Ok(())
            }
        }
    }

    /// Waits until everything there was is stored.
    pub fn finish(self) -> Result<(), AppError> {
        match self.thread.join() {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(anyhow::anyhow!("the ingest thread panicked; what it had not stored is read again").into()),
        }
    }
}

/// Where the history and its backups are.
pub fn open_options(settings: &Settings, clock: &Clock) -> OpenOptions {
    OpenOptions { path: settings.database.clone(), backups: settings.backup.directory.clone(), clock: clock.clone() }
}

/// The prices in force: the built-in ones with the user's over them.
pub fn price_table(settings: &Settings) -> Result<PriceTable, AppError> {
    Ok(PriceTable::builtin().with_overrides(&settings.prices)?)
}

/// Everything that one run of the spine needs, and the next one after a recovery.
struct SpineThread {
    options: OpenOptions,
    prices: Arc<PriceTable>,
    sources: Vec<Configured>,
    hub: Hub,
    readers: Readers,
    clock: Clock,
    stop: Stop,
    jobs: crossbeam_channel::Receiver<Job>,
    mode: Mode,
    upkeep: Upkeep,
}

impl SpineThread {
    /// Runs until the house stops. Damage found on the way is recovered from in place: sources are stopped, the file
    /// is put aside, and reading goes on from where the restored history stands.
    fn run(self, mut store: Store, mut unchecked: bool) -> Result<(), StoreError> {
        loop {
            match self.run_with(store, unchecked) {
                Err(StoreError::Corrupt { reason, .. }) => {
                    tracing::error!(reason, "the database is damaged; recovering");
                    self.readers.forget();
                    let opened = Store::open_damaged(&self.options, Arc::clone(&self.prices), &reason)?;
                    if let Some(recovery) = &opened.recovery {
                        tracing::error!("{}", recovery.words());
                    }
                    (store, unchecked) = (opened.store, false);
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn run_with(&self, store: Store, unchecked: bool) -> Result<(), StoreError> {
        let (to, inbox) = crossbeam_channel::bounded(INBOX);
        let (found_damage, damage) = crossbeam_channel::bounded(1);
        let (generation, stop) = Stopper::new();
        let generation = Arc::new(Mutex::new(generation));
        let forward = forward_stop(&self.stop, &stop, &generation);
        let around = Surroundings {
            readers: self.readers.clone(),
            clock: self.clock.clone(),
            stop,
            once: self.mode == Mode::Once,
        };
        let threads = self.start_sources(&to, &around)?;
        drop(to);
        let checker = match self.mode {
            Mode::Follow => check_in_background(self.readers.clone(), found_damage, around.stop.clone(), unchecked),
            Mode::Once => None,
        };
        let ingest = Ingest {
            store,
            inbox,
            jobs: self.jobs.clone(),
            hub: self.hub.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            awaited: self.sources.iter().map(|source| source.factory.kind).collect::<BTreeSet<_>>(),
            damage,
            upkeep: self.upkeep,
        };
        let outcome = ingest.run();
        // The writer is the last to close the file, which folds the write-ahead log into it.
        self.readers.forget();
        let outcome = outcome.map(drop);
        generation.lock().unwrap_or_else(PoisonError::into_inner).stop();
        for thread in threads.into_iter().chain(forward).chain(checker) {
            if thread.join().is_err() {
                tracing::error!("a thread panicked while stopping");
            }
        }
        outcome
    }

    fn start_sources(
        &self,
        to: &crossbeam_channel::Sender<(&'static str, SourceMessage)>,
        around: &Surroundings,
    ) -> Result<Vec<JoinHandle<()>>, StoreError> {
        let mut threads = Vec::new();
        for source in &self.sources {
            let out = Outbox { source: source.factory.kind, to: to.clone() };
            let thread = source.clone().start(out, around.clone());
            threads.push(thread.map_err(|error| StoreError::Unavailable(format!("starting a source: {error}")))?);
        }
        Ok(threads)
    }
}

/// Ends this generation of sources when the house stops.
fn forward_stop(house: &Stop, generation: &Stop, stopper: &Arc<Mutex<Stopper>>) -> Option<JoinHandle<()>> {
    let (house, generation, stopper) = (house.clone(), generation.clone(), Arc::clone(stopper));
    let forward = move || {
        crossbeam_channel::select! {
            recv(house.channel()) -> _ => stopper.lock().unwrap_or_else(PoisonError::into_inner).stop(),
            recv(generation.channel()) -> _ => {}
        }
    };
    std::thread::Builder::new().name("stop".to_owned()).spawn(forward).ok()
}

/// Looks at the pages that a quick start left unseen, and at everything once a week.
fn check_in_background(
    readers: Readers,
    found: crossbeam_channel::Sender<String>,
    stop: Stop,
    unchecked: bool,
) -> Option<JoinHandle<()>> {
    let verdict = move |outcome: Result<bool, StoreError>| match outcome {
        Ok(true) => tracing::debug!("the database is sound"),
        Ok(false) => tracing::info!("the database is too large to check at each start; `db check` looks at all of it"),
        Err(StoreError::Corrupt { reason, .. }) => {
            if found.send(reason).is_err() {
                tracing::debug!("found damage while stopping; the next start finds it again");
            }
        }
        Err(error) => tracing::warn!(%error, "could not check the database"),
    };
    let check = move || {
        if unchecked {
            verdict(readers.check_pages(BACKGROUND_CHECK));
        }
        while !stop.sleep(FULL_CHECK_EVERY) {
            verdict(readers.check_everything().map(|()| true));
        }
    };
    std::thread::Builder::new().name("check".to_owned()).spawn(check).ok()
}
