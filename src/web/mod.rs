//! The HTTP server, the API and the pages. They read the hub and the history and write nothing.

pub mod api;
pub mod assets;
pub mod auth;
pub mod compress;
pub mod cors;
pub mod error;
pub mod exchange;
pub mod form;
pub mod guard;
pub mod headers;
pub mod memory;
pub mod pages;
pub mod process;
pub mod proxy;
pub mod query;
pub mod rate;
pub mod server;
mod site;
pub mod stall;
#[cfg(test)]
mod tests;
pub mod tls;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::deliver::Control;
use crate::hub::Hub;
use crate::plugin::{Routes, Stop};
use crate::pricing::PriceTable;
use crate::route::Router;
use crate::store::Readers;
use api::answer::{Present, Rendered};
use api::health::Health;
use auth::{Auth, AuthSettings};
use exchange::{Exchange, ExchangeLimits};
use guard::Gate;
use memory::Memory;
use pages::data::Shelf;
use pages::format::Currency;
use pages::language::Language;
use rate::Rates;
use server::{ConnectionLimits, Serving};
use tls::Tls;

/// What users configure about the server.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// Further names this server is reached under, `host` or `host:port`. Without a port it stands for the port that
    /// is listened on and for the default ports, as behind a proxy.
    pub allowed_hosts: Vec<String>,
    /// The one address that people use, `https://host[:port]`, where that is a proxy's.
    pub public_url: Option<String>,
    /// Other sites whose pages may read answers and change things, `https://host[:port]`.
    pub allowed_origins: Vec<String>,
    /// Pages of every port of this machine may do the same.
    pub dev_mode: bool,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests a minute and client for the API, other classes of routes in proportion; 0 is no limit.
    pub requests_per_minute: u32,
    pub auth: AuthSettings,
    pub tls: Option<Arc<Tls>>,
    /// Whose days the pages show.
    pub zone: TimeZone,
    /// The pages' language; without one, what the browser asks for.
    pub language: Option<Language>,
    /// What money is shown in.
    pub currency: Currency,
    /// The history is made up; the pages say so.
    pub demo: bool,
    /// After how many days Claude Code deletes transcripts.
    pub cleanup_days: u32,
    pub connections: ConnectionLimits,
    pub exchanges: ExchangeLimits,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            public_url: None,
            allowed_origins: Vec::new(),
            dev_mode: false,
            trusted_proxies: Vec::new(),
            requests_per_minute: 0,
            auth: AuthSettings::default(),
            tls: None,
            zone: TimeZone::UTC,
            language: None,
            currency: Currency::default(),
            demo: false,
            cleanup_days: 30,
            connections: ConnectionLimits::default(),
            exchanges: ExchangeLimits::default(),
        }
    }
}

/// What handlers work with. Cheap to clone: every request does.
#[derive(Clone)]
pub struct WebState(Arc<Shared>);

impl Deref for WebState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a [`WebState`] gives access to.
pub struct Shared {
    pub hub: Hub,
    pub readers: Readers,
    pub clock: Clock,
    pub settings: Arc<WebSettings>,
    /// What responses cost, for what-if questions and for whoever wants to see the table.
    pub prices: Arc<PriceTable>,
    /// What was answered about the history.
    pub answers: Memory<Rendered>,
    /// What was said of the present snapshot.
    pub present: Present,
    /// What can be told to sinks; none where no sink runs.
    pub control: Option<Control>,
    /// Places for exports.
    pub exports: Arc<Semaphore>,
    pub auth: Arc<Auth>,
    /// What the pages remember of the history.
    shelf: Shelf,
    started: Instant,
}

impl WebState {
    /// `control` lets somebody tell sinks what to do.
    pub fn new(
        hub: Hub,
        readers: Readers,
        clock: Clock,
        prices: Arc<PriceTable>,
        settings: Arc<WebSettings>,
        control: Option<Control>,
    ) -> Self {
        let auth = Arc::new(Auth::new(&settings.auth, clock.clone()));
        let exports = Arc::new(Semaphore::new(api::export::AT_ONCE));
        Self(Arc::new(Shared {
            hub,
            readers,
            clock,
            settings,
            prices,
            answers: Memory::new(Rendered::bytes),
            present: Present::default(),
            control,
            exports,
            auth,
            // How much what is on it takes is not known; it is a page's worth each.
            shelf: Memory::new(|_| 0),
            started: Instant::now(),
        }))
    }

    fn health(&self) -> Health {
        Health::of(&self.hub, &self.hub.snapshot(), self.started.elapsed().as_secs())
    }
}

/// Everything that is served: the API, the pages, and what plugins add.
pub fn router(state: &WebState, plugins: Routes) -> Router {
    Router::new(
        [api::routes(state), pages::routes(state), auth::routes::routes(state), assets::routes(), plugins].concat(),
    )
}

/// Serves on `listener` until `stop`, and ends soon after it: answers under way get [`ConnectionLimits::drain_time`].
pub async fn serve(listener: TcpListener, state: WebState, plugins: Routes, stop: Stop) -> anyhow::Result<()> {
    let WebSettings { connections, exchanges, .. } = (*state.settings).clone();
    let bound = listener.local_addr().context("asking for the address that is listened on")?;
    let exchange = Exchange {
        gate: Gate::new(bound, &state.settings)?,
        trusted_proxies: state.settings.trusted_proxies.clone(),
        rates: Rates::new(state.settings.requests_per_minute),
        auth: Arc::clone(&state.auth),
        limits: exchanges,
        language: state.settings.language,
        router: router(&state, plugins),
        hub: state.hub.clone(),
    };
    let serving = Serving { exchange: Arc::new(exchange), limits: connections, tls: state.settings.tls.clone() };
    let sampler = tokio::spawn(process::sample(state.hub.clone(), state.clock.now(), stop.clone()));
    server::run(listener, serving, stop).await;
    sampler.await.context("ending the sampler of the process's own metrics")
}
