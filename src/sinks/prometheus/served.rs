//! What the HTTP server shows of itself: answers, refusals, and those who stay connected.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::families::Families;
use crate::hub::Hub;
use crate::status::WebSocketStatus;

type ReadSocket = fn(&WebSocketStatus) -> &AtomicU64;

/// The metrics of the server.
pub struct Served(pub Hub);

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

impl Collector for Served {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let house = self.0.house();
        let requests = house.requests();
        let samples = requests.iter().map(|((route, class), count)| ([("route", *route), ("code", *class)], *count));
        let help = "Requests answered, by route and class of the status code";
        families.counters("http_requests", help, None, samples)?;
        let help = "Requests beyond what their client may ask in a minute";
        families.counter("http_rate_limited", help, &house.rate_limited())?;
        families.counter("login_failures", "Logins that did not succeed", &house.login_failures())?;
        let clients = house.websocket.clients.load(Relaxed);
        families.gauge("ws_clients", "WebSocket clients that are connected", Some(clients))?;
        let counters: [(&str, &str, ReadSocket); 5] = [
            ("ws_refused", "WebSocket clients turned away because there were too many", |socket| &socket.refused),
            ("ws_lagged", "Times a WebSocket client got the present state instead of what it missed", |socket| {
                &socket.lagged
            }),
            ("ws_dropped", "WebSocket connections ended here: too slow, silent or wrong", |socket| &socket.dropped),
            ("ws_messages_sent", "WebSocket messages sent", |socket| &socket.sent),
            ("ws_messages_received", "WebSocket messages that came in", |socket| &socket.received),
        ];
        for (name, help, read) in counters {
            families.counter(name, help, &read(&house.websocket).load(Relaxed))?;
        }
        Ok(())
    }
}
