//! The accept loop: connections under limits, HTTP/1.1 on each of them, and an orderly end.
//!
//! `warp::serve` has no timeouts and no limits, so the routes are served by hyper directly. Everything a client can make
//! the server hold on to has a bound: connections, in all and by address, time without a complete header, time without
//! taking the answer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::plugin::Stop;
use crate::web::exchange::{Connection, Exchange};
use crate::web::stall::Stalling;
use crate::web::tls::Tls;

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    pub total: usize,
    /// From one address on this machine, where several programs may share it.
    pub per_loopback_address: usize,
    pub per_address: usize,
    /// From the connection's first byte, or the end of the answer before, to the end of a request's headers. It ends
    /// silent connections, dripping headers and idle keep-alive alike.
    pub header_time: Duration,
    /// How long a peer may not take any of its answer.
    pub write_stall: Duration,
    /// How long answers under way may take once the house is closing.
    pub drain_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total: 512,
            per_loopback_address: 256,
            per_address: 64,
            header_time: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            drain_time: Duration::from_secs(3),
        }
    }
}

/// Largest request line and headers together; hyper answers 431 beyond it. Above the limit that [`Exchange`] has, so
/// that what is only a little too large gets a proper answer.
const READ_BUFFER: usize = 32 * 1024;

/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Clone)]
pub struct Serving {
    pub exchange: Arc<Exchange>,
    pub limits: ConnectionLimits,
    /// Without it the connections are plain.
    pub tls: Option<Arc<Tls>>,
}

/// Serves until `stop`, then lets answers under way finish for a while.
pub async fn run(listener: TcpListener, serving: Serving, mut stop: Stop) {
    let limits = serving.limits;
    let places = Arc::new(Places::new(limits));
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.wait() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    // Over the limit the stream is dropped, which closes it: cheaper than any answer.
                    if let Some(place) = Places::take(&places, peer.ip()) {
                        let served = serve(stream, peer, serving.clone(), stop.clone());
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    }
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    // It repeats for as long as descriptors or memory are short; once said is enough.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "accepting connections fails, trying again until it works");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_time, drained).await.is_err() {
        tracing::info!(connections = connections.len(), "closing connections that did not finish in time");
        connections.shutdown().await;
    }
}

/// The client was gone before it was accepted: no reason to wait.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(stream: TcpStream, peer: SocketAddr, serving: Serving, mut stop: Stop) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY on a connection");
    }
    let Some(tls) = serving.tls.clone() else {
        return speak(stream, Connection { peer, tls: false }, &serving, stop).await;
    };
    // The handshake is part of what may take as long as a head.
    let handshake = tokio::time::timeout(serving.limits.header_time, tls.accept(stream));
    let outcome = tokio::select! {
        outcome = handshake => outcome,
        () = stop.wait() => return,
    };
    match outcome {
        Ok(Ok(stream)) => speak(stream, Connection { peer, tls: true }, &serving, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// HTTP/1.1 on a stream, to its end.
async fn speak<S>(stream: S, from: Connection, serving: &Serving, mut stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = serving.limits;
    let service = service_fn(|request| {
        let answer = Arc::clone(&serving.exchange).answer(from, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(Stalling::new(stream, limits.write_stall)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // Clients hang up in the middle all the time; that is nobody's concern.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// How many connections there are, in all and by address.
struct Places {
    limits: ConnectionLimits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    fn new(limits: ConnectionLimits) -> Self {
        Self { limits, taken: Mutex::default() }
    }

    fn take(places: &Arc<Self>, address: IpAddr) -> Option<Place> {
        // An IPv4 client of a dual-stack socket is the IPv4 client it is.
        let address = address.to_canonical();
        let limit = if address.is_loopback() { places.limits.per_loopback_address } else { places.limits.per_address };
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.total >= places.limits.total || here >= limit {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, here + 1);
        Some(Place { places: Arc::clone(places), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        match taken.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_by_address() {
        let limits =
            ConnectionLimits { total: 5, per_loopback_address: 3, per_address: 2, ..ConnectionLimits::default() };
        let places = Arc::new(Places::new(limits));
        let take = |address: &str| Places::take(&places, address.parse().unwrap());
        let loopback = [take("127.0.0.1"), take("::ffff:127.0.0.1"), take("127.0.0.1")];
        assert!(loopback.iter().all(Option::is_some));
        assert!(take("127.0.0.1").is_none(), "the address is full");
        let other = [take("192.0.2.1"), take("192.0.2.1")];
        assert!(other.iter().all(Option::is_some));
        assert!(take("192.0.2.2").is_none(), "the house is full");
        drop(loopback);
        assert!(take("192.0.2.1").is_none(), "the address is full");
        assert!(take("192.0.2.2").is_some());
        drop(other);
        assert!(places.taken.lock().unwrap().by_address.is_empty(), "nothing is remembered of who has left");
    }
}
