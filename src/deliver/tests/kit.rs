//! A house for the runner without a spine: a real database, a thread for jobs, and a sink that does what a test says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Notify;

use super::super::{Configured, House, Ledger, Running, start};
use crate::clock::Clock;
use crate::event::{
    GroupId, Owner, RecordKey, ResponseKind, TokenCounts, UnixMillis, Usage, UsageFlags, UsageRecord, Variant,
};
use crate::hub::{Commit, Hub, Statuses};
use crate::ingest::Job;
use crate::plugin::{
    Batch, BuildError, Delivery, Outcome, Pace, Parts, Setup, Sink, SinkFactory, SourceBatch, SourceMessage, Stopper,
};
use crate::pricing::PriceTable;
use crate::status::SinkReport;
use crate::store::{OpenOptions, Readers, Store};

/// 2026-11-20T12:00:00Z
pub(super) const NOON: i64 = 1_795_176_000_000;

/// What a probe does with a batch.
#[derive(Clone)]
pub(super) enum Act {
    Say(Outcome),
    Panic,
    Hang,
    /// Waits until somebody opens the gate, then takes the batch.
    Gate(Arc<Notify>),
}

/// What a probe was told to do, and what it saw.
#[derive(Default)]
pub(super) struct Script {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Vec<(u64, bool)>>>,
    recalled: Mutex<Option<String>>,
}

impl Script {
    pub(super) fn then(&self, act: Act) -> &Self {
        lock(&self.acts).push_back(act);
        self
    }

    /// The revisions of every batch so far, each with whether it came with a before.
    pub(super) fn seen(&self) -> Vec<Vec<(u64, bool)>> {
        lock(&self.seen).clone()
    }

    /// The revisions of all batches in a row.
    pub(super) fn revisions(&self) -> Vec<u64> {
        self.seen().into_iter().flatten().map(|(revision, _)| revision).collect()
    }

    pub(super) fn recalled(&self) -> Option<String> {
        lock(&self.recalled).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scripts of all tests, by the name of the sink: a sink knows no more than that.
fn scripts() -> &'static Mutex<HashMap<String, Arc<Script>>> {
    static SCRIPTS: OnceLock<Mutex<HashMap<String, Arc<Script>>>> = OnceLock::new();
    SCRIPTS.get_or_init(Mutex::default)
}

/// A sink that follows a script.
struct Probe {
    script: Arc<Script>,
    target: String,
    batches: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    target: String,
}

impl Sink for Probe {
    const KIND: &'static str = "probe";
    const SAMPLE: &'static str = "[sinks.probe]\ntarget = \"here\"\n";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        let script = Arc::clone(lock(scripts()).entry(setup.name.clone()).or_default());
        Ok(Self { script, target: config.target, batches: 0 })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_delivery(self)
    }
}

impl Delivery for Probe {
    fn pace(&self) -> Pace {
        Pace { interval: Duration::ZERO, ..Pace::default() }
    }

    fn target(&self) -> String {
        self.target.clone()
    }

    fn recall(&mut self, memo: &str) {
        *lock(&self.script.recalled) = Some(memo.to_owned());
        self.batches = memo.parse().unwrap_or_default();
    }

    fn remember(&self) -> Option<String> {
        Some(self.batches.to_string())
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let changes = batch.changes.iter().map(|change| (change.revision, change.before.is_some()));
        lock(&self.script.seen).push(changes.collect());
        let act = lock(&self.script.acts).pop_front().unwrap_or(Act::Say(Outcome::Acked));
        match act {
            Act::Panic => panic!("as the script says"),
            Act::Hang => std::future::pending().await,
            Act::Gate(gate) => gate.notified().await,
            Act::Say(outcome) if outcome != Outcome::Acked => return outcome,
            Act::Say(_) => {}
        }
        self.batches += 1;
        Outcome::Acked
    }
}

const PROBE: &SinkFactory = &SinkFactory::of::<Probe>();

/// A sink that only follows, as its script says: it panics, fails or ends. With nothing left to do it waits for the stop.
struct Watcher {
    script: Arc<Script>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Sink for Watcher {
    const KIND: &'static str = "watcher";
    const SAMPLE: &'static str = "[sinks.watcher]\n";
    type Config = Nothing;

    fn build(_: Nothing, setup: &Setup) -> Result<Self, BuildError> {
        Ok(Self { script: Arc::clone(lock(scripts()).entry(setup.name.clone()).or_default()) })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_follower(move |mut context| async move {
            let first = context.feed.next().await.map(|_| (0, false));
            lock(&self.script.seen).push(first.into_iter().collect());
            let act = lock(&self.script.acts).pop_front();
            match act {
                Some(Act::Panic) => panic!("as the script says"),
                Some(Act::Say(Outcome::Retry { why, .. })) => anyhow::bail!(why),
                Some(_) => Ok(()),
                None => {
                    context.stop.wait().await;
                    Ok(())
                }
            }
        })
    }
}

const WATCHER: &SinkFactory = &SinkFactory::of::<Watcher>();

/// The house. Its database outlives [`Run`].
pub(super) struct Bench {
    directory: tempfile::TempDir,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { directory: tempfile::tempdir().unwrap(), runtime }
    }

    /// What a sink of this name will do.
    pub(super) fn script(name: &str) -> Arc<Script> {
        Arc::clone(lock(scripts()).entry(name.to_owned()).or_default())
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            path: self.directory.path().join("monitor.db"),
            backups: self.directory.path().join("backups"),
            clock: Clock::fixed(UnixMillis(NOON + 3_600_000)),
        }
    }

    /// The history, while nothing else has it open.
    pub(super) fn store(&self) -> Store {
        Store::open(&self.options(), Arc::new(PriceTable::builtin())).unwrap().store
    }

    pub(super) fn readers(&self) -> Readers {
        Readers::new(&self.options().path)
    }

    /// Starts one sink by this name, with these keys beside its target.
    pub(super) fn run(&self, name: &str, keys: &str) -> Run<'_> {
        self.run_beside(None, name, keys)
    }

    /// The same beside one that only follows, by another name.
    pub(super) fn run_beside(&self, watcher: Option<&str>, name: &str, keys: &str) -> Run<'_> {
        let mut store = self.store();
        let (to, jobs) = crossbeam_channel::bounded::<Job>(16);
        let hub = Hub::new(store.snapshot().unwrap(), Statuses::default());
        let (stopper, stop) = Stopper::new();
        let writer = std::thread::spawn(move || {
            while let Ok(job) = jobs.recv() {
                job(&mut store).unwrap();
            }
        });
        let clock = self.options().clock;
        let house = House { hub, readers: self.readers(), ledger: Ledger::new(to), clock: clock.clone(), stop };
        let table = format!("target = 'here'\n{keys}");
        let table = table.replacen("target = 'here'\ntarget", "target", 1).parse().unwrap();
        let mut sinks = vec![Configured::check(PROBE, table, Setup::new(name, clock.clone())).unwrap()];
        sinks.extend(
            watcher.map(|name| Configured::check(WATCHER, toml::Table::new(), Setup::new(name, clock)).unwrap()),
        );
        let script = Arc::clone(&lock(scripts())[name]);
        let _inside = self.runtime.enter();
        let running = start(sinks, &house).unwrap();
        let run = Run {
            bench: self,
            name: name.to_owned(),
            house,
            running: Some(running),
            stopper,
            writer: Some(writer),
            script,
        };
        run.publish();
        run
    }
}

/// A sink while it runs.
pub(super) struct Run<'a> {
    bench: &'a Bench,
    name: String,
    pub(super) house: House,
    running: Option<Running>,
    stopper: Stopper,
    writer: Option<std::thread::JoinHandle<()>>,
    pub(super) script: Arc<Script>,
}

impl Run<'_> {
    /// Stores what responses claim, `(name, output tokens)`, and wakes the sink.
    pub(super) fn commit(&self, claims: &[(&str, u64)]) {
        let records = claims.iter().map(|(name, output)| claim(name, *output)).collect();
        let ledger = &self.house.ledger;
        let stored = ledger.ask(move |store| commit(store, records));
        self.bench.runtime.block_on(stored).unwrap();
        self.publish();
    }

    fn publish(&self) {
        let snapshot = self.bench.runtime.block_on(self.house.ledger.ask(|store| store.snapshot())).unwrap();
        let snapshot = crate::hub::Snapshot { ready: true, ..snapshot };
        self.house.hub.publish(Commit { snapshot: Arc::new(snapshot), changes: None });
    }

    pub(super) fn report(&self) -> SinkReport {
        self.report_of(&self.name)
    }

    pub(super) fn report_of(&self, name: &str) -> SinkReport {
        self.control().list().into_iter().find(|report| report.id == name).unwrap()
    }

    pub(super) fn control(&self) -> super::super::Control {
        self.running.as_ref().unwrap().control.clone()
    }

    /// Waits until the sink's report says something.
    pub(super) fn wait(&self, what: &str, holds: impl Fn(&SinkReport) -> bool) -> SinkReport {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let report = self.report();
            if holds(&report) {
                return report;
            }
            assert!(Instant::now() < end, "not {what}: {report:?}, {:?}", self.script.seen());
            std::thread::yield_now();
        }
    }

    /// Waits until everything has been dealt with.
    pub(super) fn wait_caught_up(&self) -> SinkReport {
        self.wait("up to date", |report| report.cursor.is_some() && report.lag_events == 0)
    }

    /// Stops, and says how long the sink took.
    pub(super) fn stop(mut self) -> Duration {
        let started = Instant::now();
        self.stopper.stop();
        self.bench.runtime.block_on(self.running.take().unwrap().stopped());
        let took = started.elapsed();
        let writer = self.writer.take();
        drop(self);
        writer.unwrap().join().unwrap();
        took
    }
}

pub(super) fn commit(store: &mut Store, records: Vec<UsageRecord>) -> Result<(), crate::store::StoreError> {
    let batch = SourceBatch { records, ..SourceBatch::default() };
    store.commit(&[("claude", SourceMessage::Batch(Box::new(batch)))], UnixMillis(NOON)).map(drop)
}

/// What a response claims; the same name with more output is a correction. A name that is a number is its second after
/// noon.
pub(super) fn claim(name: &str, output: u64) -> UsageRecord {
    let at = UnixMillis(NOON + 1_000 * name.parse::<i64>().unwrap_or(0));
    UsageRecord {
        key: RecordKey { group: GroupId::of(&[name.as_bytes()]), variant: Variant::Floating },
        usage: Usage {
            kind: ResponseKind::Message,
            at,
            model: "claude-sonnet-4-5-20250929".into(),
            tokens: TokenCounts { input: 1, output, ..TokenCounts::default() },
            has_split: true,
            finished: true,
            web: None,
            speed: None,
            tier: None,
            geo: None,
            request_id: None,
            flags: UsageFlags::default(),
        },
        first_at: at,
        owner: Owner {
            sidechain: false,
            at,
            away: false,
            session: "s".into(),
            project: "/p".into(),
            branch: None,
            agent: None,
        },
        fills: Vec::new(),
    }
}
