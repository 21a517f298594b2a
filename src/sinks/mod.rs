//! Where usage goes to. A new sink is one new file and one line in [`SINKS`]; siblings know nothing of each other.

pub mod prometheus;
pub mod websocket;

use crate::plugin::SinkFactory;

/// Every sink that is compiled in.
pub const SINKS: &[SinkFactory] =
    &[SinkFactory::of::<prometheus::Prometheus>(), SinkFactory::of::<websocket::WebSocket>()];
