//! The wiring: builds every part, starts it, and stops it in order. The only room that knows all others.

mod counting;
mod error;
mod plugins;
mod security;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

pub use counting::{Counting, Mode, open_options, price_table};
pub use error::AppError;
pub use plugins::{SinkTarget, configured_sinks, sink_targets};
pub use security::tokens;

use crate::clock::Clock;
use crate::config::Settings;
use crate::deliver::{self, House};
use crate::hub::Wishes;
use crate::plugin::{SinkFactory, Stop, Stopper};
use crate::web::server::ConnectionLimits;
use crate::web::tls::Tls;
use crate::web::{self, WebSettings, WebState};

/// Counts and serves until SIGINT or SIGTERM. `more` are kinds of sinks beside those that are compiled in; `watch` is
/// shown the counting as it begins.
pub fn serve(
    settings: &Settings,
    clock: &Clock,
    demo: bool,
    more: &'static [SinkFactory],
    watch: impl FnOnce(&Counting),
) -> Result<(), AppError> {
    // What is wrong with settings or the address is said before the history is opened or even made.
    let sinks = plugins::configured_sinks(settings, clock, more)?;
    let wishes = sinks.iter().fold(Wishes::default(), |wishes, sink| wishes.and(sink.wishes));
    security::check_open(settings)?;
    // Each live connection is one; the usual limit is for interactive programs.
    if let Err(error) = crate::platform::raise_open_files() {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let listener = listen(settings)?;
    let bound = listener.local_addr().context("asking for the address that is listened on")?;
    let web = Arc::new(security::web_settings(settings, bound, demo)?);
    let mut counting = Counting::start(settings, clock, Mode::Follow, wishes)?;
    watch(&counting);
    let served = serve_counted(settings, clock, web, listener, &mut counting, sinks);
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
    web: Arc<WebSettings>,
    listener: TcpListener,
    counting: &mut Counting,
    sinks: Vec<deliver::Configured>,
) -> Result<(), AppError> {
    let bound = listener.local_addr().context("asking for the address that is listened on")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let (mut stopper, stop) = Stopper::new();
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).context("taking over the listener")?;
        let tls = web.tls.clone();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let renewing = tls.map(|tls| tokio::spawn(renew(tls, stop.clone())));
        let house = House {
            hub: counting.hub.clone(),
            readers: counting.readers.clone(),
            ledger: counting.ledger.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
        };
        let mut sinks = deliver::start(sinks, &house).context("starting the sinks")?;
        let state = WebState::new(
            counting.hub.clone(),
            counting.readers.clone(),
            clock.clone(),
            Arc::clone(&counting.prices),
            web,
            Some(sinks.control.clone()),
        );
        let open = !state.auth.is_on();
        let server = tokio::spawn(web::serve(listener, state, std::mem::take(&mut sinks.routes), stop.clone()));
        tracing::info!("listening on {scheme}://{bound}");
        if settings.native_telemetry {
            tracing::warn!(
                "Claude Code's own telemetry seems to be on, too: where both arrive under the same names, keep them \
                 apart by `job` or set `profile = \"own\"` in [sinks.prometheus]"
            );
        }
        if open && !bound.ip().to_canonical().is_loopback() {
            tracing::warn!("other machines can reach this address, and nobody is asked for a password");
        }
        wait_for_the_end(counting).await?;
        stopper.stop();
        if let Some(renewing) = renewing {
            renewing.await.context("ending the watch on the certificate")?;
        }
        // The spine last: what has just arrived somewhere is to be remembered. The server ends meanwhile.
        let goodbye = tokio::time::timeout(ConnectionLimits::default().drain_time, counting.hub.close());
        let ((), gone) = tokio::join!(sinks.stopped(), goodbye);
        if gone.is_err() {
            tracing::info!("closing live connections that did not end in time");
        }
        counting.begin_stop();
        server.await.context("ending the server")?
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(served?)
}

/// How often the certificate's files are looked at. Whoever renews one has it for weeks before the old one ends.
const RENEWAL: Duration = Duration::from_secs(60);

/// Takes over a renewed certificate: when its files have changed, and on SIGHUP.
async fn renew(tls: Arc<Tls>, mut stop: Stop) {
    let mut hangup = Hangup::new();
    loop {
        let asked = tokio::select! {
            () = stop.wait() => return,
            () = tokio::time::sleep(RENEWAL) => false,
            () = hangup.wait() => true,
        };
        let tls = Arc::clone(&tls);
        match tokio::task::spawn_blocking(move || tls.reload(asked)).await {
            Ok(Ok(true)) => tracing::info!("the certificate was read again"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the certificate that was in use stays"),
            Err(error) => tracing::warn!(%error, "reading the certificate again"),
        }
    }
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
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
