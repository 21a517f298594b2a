//! The wiring: builds every part, starts it, and stops it in order. The only file that knows all parts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::Settings;
use crate::hub::{Hub, Snapshot, Statuses};
use crate::ingest::{Ingest, Upkeep};
use crate::plugin::{Outbox, Routes, SourceMessage, Stop, Stopper};
use crate::pricing::PriceTable;
use crate::sinks::SINKS;
use crate::sources::SOURCES;
use crate::store::{OpenOptions, Opened, Readers, Store, StoreError};
use crate::supervise::{Configured, Surroundings};
use crate::web::exchange::ExchangeLimits;
use crate::web::server::ConnectionLimits;
use crate::web::{self, WebSettings, WebState};

/// How many messages may wait for the spine. With the size of a batch this bounds the memory of a first read.
const INBOX: usize = 16;

/// How long the spine may take to store what it holds once the house stops.
const STOP_WITHIN: Duration = Duration::from_millis(4_500);

/// How long the pages of a large database are looked at in the background after a start.
const BACKGROUND_CHECK: Duration = Duration::from_secs(60);

/// What ends the program with an error.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("[[prices]] in the configuration: {0}")]
    Prices(#[from] crate::pricing::PriceError),
    #[error("[{section}] in the configuration: {reason}")]
    Plugin { section: String, reason: crate::plugin::BuildError },
    #[error("[{section}] in the configuration: there is no such {what}; known: {known}")]
    UnknownPlugin { section: String, what: &'static str, known: String },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: std::net::SocketAddr, reason: String },
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// The part of the house that counts: store, spine and sources, on threads of their own.
pub struct Counting {
    pub hub: Hub,
    pub readers: Readers,
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
    /// Opens the history and starts reading.
    pub fn start(settings: &Settings, clock: &Clock, mode: Mode) -> Result<Self, AppError> {
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
        let mut hub = Hub::new(store.snapshot()?, statuses);
        if !settings.enable_cost {
            hub = hub.without_costs();
        }
        let readers = Readers::new(&options.path);
        let (stopper, stop) = Stopper::new();
        let (at_end, ended) = Stopper::new();
        let spine = SpineThread {
            options,
            prices,
            sources,
            hub: hub.clone(),
            readers: readers.clone(),
            clock: clock.clone(),
            stop,
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
        Ok(Self { hub, readers, thread, stopper, ended })
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
        let checker = unchecked.then(|| check_in_background(self.readers.clone(), found_damage));
        let ingest = Ingest {
            store,
            inbox,
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
        for thread in threads.into_iter().chain(forward).chain(checker.flatten()) {
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

/// Looks at the pages that a quick start left unseen.
fn check_in_background(readers: Readers, found: crossbeam_channel::Sender<String>) -> Option<JoinHandle<()>> {
    let check = move || match readers.check_pages(BACKGROUND_CHECK) {
        Ok(true) => tracing::debug!("every page of the database is sound"),
        Ok(false) => tracing::info!("the database is too large to check at each start; `db check` looks at all of it"),
        Err(StoreError::Corrupt { reason, .. }) => {
            if found.send(reason).is_err() {
                tracing::debug!("found damage while stopping; the next start finds it again");
            }
        }
        Err(error) => tracing::warn!(%error, "could not check the database"),
    };
    std::thread::Builder::new().name("check".to_owned()).spawn(check).ok()
}

/// Every source with its section of the configuration, built once to see that the section works.
pub fn configured_sources(settings: &Settings) -> Result<Vec<Configured>, AppError> {
    let known = || SOURCES.iter().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
    for name in settings.sources.keys() {
        if !SOURCES.iter().any(|factory| factory.kind == name) {
            let section = format!("sources.{name}");
            return Err(AppError::UnknownPlugin { section, what: "source", known: known() });
        }
    }
    let mut sources = Vec::new();
    for factory in SOURCES {
        let table = settings.sources.get(factory.kind).cloned().unwrap_or_default();
        let source = Configured { factory, table, settings: settings.source_settings(), status: Arc::default() };
        drop(
            (factory.build)(source.table.clone(), &source.settings)
                .map_err(|reason| AppError::Plugin { section: format!("sources.{}", factory.kind), reason })?,
        );
        sources.push(source);
    }
    Ok(sources)
}

/// The sinks' routes. Every kind that needs no settings is there by itself; a section configures it.
fn sink_routes(settings: &Settings, hub: &Hub) -> Result<Vec<Routes>, AppError> {
    let known = || SINKS.iter().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
    let mut sections: BTreeMap<String, (String, toml::Table)> =
        SINKS.iter().map(|factory| (factory.kind.to_owned(), (factory.kind.to_owned(), toml::Table::new()))).collect();
    for (name, table) in &settings.sinks {
        let mut table = table.clone();
        let kind = match table.remove("type") {
            Some(toml::Value::String(kind)) => kind,
            _ => name.clone(),
        };
        sections.insert(name.clone(), (kind, table));
    }
    let mut routes = Vec::new();
    for (name, (kind, table)) in sections {
        let section = format!("sinks.{name}");
        let Some(factory) = SINKS.iter().find(|factory| factory.kind == kind) else {
            return Err(AppError::UnknownPlugin { section, what: "type of sink", known: known() });
        };
        let sink = (factory.build)(table, hub).map_err(|reason| AppError::Plugin { section, reason })?;
        routes.extend(sink.routes);
    }
    Ok(routes)
}

/// Counts and serves until SIGINT or SIGTERM. `watch` is shown the counting as it begins.
pub fn serve(settings: &Settings, clock: &Clock, demo: bool, watch: impl FnOnce(&Counting)) -> Result<(), AppError> {
    // What is wrong with settings or the address is said before the history is opened or even made.
    drop(sink_routes(settings, &Hub::new(Snapshot::default(), Statuses::default()))?);
    let listener = listen(settings)?;
    let mut counting = Counting::start(settings, clock, Mode::Follow)?;
    watch(&counting);
    let served = serve_counted(settings, clock, demo, listener, &mut counting);
    let stopped = counting.stop();
    served.and(stopped)
}

fn listen(settings: &Settings) -> Result<TcpListener, AppError> {
    let refused = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program has the port; stop it or choose another address with --listen".to_owned()
            }
            std::io::ErrorKind::PermissionDenied => "not allowed; choose a port above 1023 with --listen".to_owned(),
            _ => error.to_string(),
        };
        AppError::Listen { address: settings.listen, reason }
    };
    let listener = TcpListener::bind(settings.listen).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

fn serve_counted(
    settings: &Settings,
    clock: &Clock,
    demo: bool,
    listener: TcpListener,
    counting: &mut Counting,
) -> Result<(), AppError> {
    let bound = listener.local_addr().context("asking for the address that is listened on")?;
    let routes = sink_routes(settings, &counting.hub)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let (mut stopper, stop) = Stopper::new();
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).context("taking over the listener")?;
        let state = WebState::new(
            counting.hub.clone(),
            counting.readers.clone(),
            clock.clone(),
            Arc::new(web_settings(settings, demo)),
        );
        let server = tokio::spawn(web::serve(listener, state, routes, stop.clone()));
        tracing::info!("listening on http://{bound}");
        if !bound.ip().is_loopback() {
            tracing::warn!("other machines can reach this address, and nobody is asked for a password");
        }
        wait_for_the_end(counting).await?;
        // Both ends at once: the store works while the last answers leave.
        counting.begin_stop();
        stopper.stop();
        server.await.context("ending the server")?
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(served?)
}

fn web_settings(settings: &Settings, demo: bool) -> WebSettings {
    let size = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
    let limits = &settings.server;
    WebSettings {
        allowed_hosts: settings.allowed_hosts.clone(),
        zone: settings.time_zone.clone(),
        demo,
        connections: ConnectionLimits {
            total: size(limits.max_connections),
            per_address: size(limits.max_connections_per_client),
            header_time: limits.header_timeout,
            ..ConnectionLimits::default()
        },
        exchanges: ExchangeLimits { handler_time: limits.request_timeout, ..ExchangeLimits::default() },
    }
}

/// Resolves on a signal, or when the spine has ended by itself, which only an error makes it do.
async fn wait_for_the_end(counting: &Counting) -> anyhow::Result<()> {
    let mut ended = counting.ended.clone();
    tokio::select! {
        name = shutdown_signal()? => tracing::info!("stopping: {name}"),
        () = ended.wait() => {}
    }
    Ok(())
}

#[cfg(unix)]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    // A file over the size limit is an error to handle, not a reason to die (SIGXFSZ's default action).
    let file_size = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).context("ignoring SIGXFSZ")?;
    Ok(async move {
        let _held = file_size;
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
