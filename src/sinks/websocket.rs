//! `/ws`: the present totals at once, then each change as it is stored. Whoever listens costs a few kilobytes, waits for
//! nobody and holds nobody up: a client that does not keep up gets the present state instead of what it missed.
//!
//! The upgrade is our own, on hyper's connection, since the buffers of the usual one cost 130 KiB a client. Messages are
//! in `docs/websocket.md`; the protocol is RFC 6455.

pub mod board;
pub mod client;
pub mod frame;
pub mod handshake;
pub mod message;
pub mod seats;
pub mod subscription;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::clock::Clock;
use crate::hub::Hub;
use crate::plugin::{BuildError, Parts, Setup, Sink};
use crate::route::{Class, Request, Response, Route};
use board::Board;
use client::Patience;
use seats::Seats;

/// Serves `/ws`.
pub struct WebSocket {
    config: Config,
    clock: Clock,
}

/// What users configure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Clients at the same time.
    pub max_clients: usize,
    /// The same for one address that is not this machine's.
    pub max_per_client: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_clients: 10_000, max_per_client: 20 }
    }
}

impl Sink for WebSocket {
    const KIND: &'static str = "websocket";
    const ALWAYS: bool = true;
    const SAMPLE: &'static str = "\
[sinks.websocket]
# Pushes every change over a WebSocket at /ws.
enabled = true
# Clients at the same time, and those of one address that is not this machine's.
max_clients = 10000
max_per_client = 20
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        Ok(Self { config, clock: setup.clock.clone() })
    }

    fn parts(self, hub: &Hub) -> Parts {
        let seats = Arc::new(Seats::new(self.config.max_clients, self.config.max_per_client, hub.clone()));
        let board = Arc::new(Board::new(hub.clone(), self.clock, Patience::default()));
        let welcome = move |request: Arc<Request>| std::future::ready(welcome(&request, &seats, &board));
        Parts::default().with_routes([Route::new(warp::http::Method::GET, "/ws", welcome).class(Class::Live)])
    }
}

/// How long hyper may take to hand the connection over once the answer is given.
const HANDOVER: Duration = Duration::from_secs(10);

/// Answers the handshake, and starts the client's life if all is well.
fn welcome(request: &Request, seats: &Arc<Seats>, board: &Arc<Board>) -> Response {
    let (accepted, since) = match handshake::check(request) {
        Ok(accepted) => accepted,
        Err(refusal) => return *refusal,
    };
    let Some(upgrade) = request.upgrade.clone() else { return handshake::not_upgradable() };
    let seat = match Seats::take(seats, request.client) {
        Ok(seat) => seat,
        Err(full) => return handshake::full(&full),
    };
    let board = Arc::clone(board);
    tokio::spawn(async move {
        // Otherwise it was gone before it began, and there is nobody to tell.
        if let Ok(Ok(connection)) = tokio::time::timeout(HANDOVER, upgrade).await {
            client::serve(TokioIo::new(connection), &board, since).await;
        }
        drop(seat);
    });
    accepted
}
