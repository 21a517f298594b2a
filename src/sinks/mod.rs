//! Where usage goes to. A new sink is one new file and one line in [`SINKS`]; siblings know nothing of each other.

pub mod exec;
pub mod http;
pub mod jsonl;
pub mod otlp;
pub mod prometheus;
pub mod remote_write;
pub mod series;
pub mod textfile;
pub mod webhook;
pub mod websocket;
pub mod wire;

use crate::plugin::SinkFactory;

/// Every sink that is compiled in.
pub const SINKS: &[SinkFactory] = &[
    SinkFactory::of::<prometheus::Prometheus>(),
    SinkFactory::of::<websocket::WebSocket>(),
    SinkFactory::of::<otlp::Otlp>(),
    SinkFactory::of::<remote_write::RemoteWrite>(),
    SinkFactory::of::<jsonl::Jsonl>(),
    SinkFactory::of::<webhook::Webhook>(),
    SinkFactory::of::<exec::Exec>(),
    SinkFactory::of::<textfile::Textfile>(),
];
