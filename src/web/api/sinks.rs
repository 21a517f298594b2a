//! What sinks answer over the same server, for the API's own document.

use crate::route::{Access, Class};
use crate::web::api::endpoint::{Content, Endpoint};
use crate::web::query::{Kind, Parameter};

static SINCE: Parameter = Parameter {
    name: "since",
    about: "The revision of the last message that was seen: go on from there without a gap.",
    kind: Kind::Integer { min: 0, max: u32::MAX, default: None },
    example: "4321",
};

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        access: Access::Scrape,
        summary: "Metrics for Prometheus",
        about: "As OpenMetrics or in the older text format, whichever the scraper asks for.",
        ..Endpoint::of_a_sink(
            "/metrics",
            "sinks",
            Class::Scrape,
            Content::text("text/plain", "every metric", "claude_token_monitor_ready 1\n"),
        )
    },
    Endpoint {
        summary: "Every change, as it happens",
        about: "A WebSocket (RFC 6455). The first message is `initial_data` with all of /api/v1/stats/current, then comes a \
                `stats_update` for each model that has changed. A client may send `subscribe` and `unsubscribe` with \
                `models`, and `ping`. docs/websocket.md has every message with an example.",
        parameters: &[&SINCE],
        refusals: &[403, 426],
        ..Endpoint::of_a_sink(
            "/ws",
            "live",
            Class::Live,
            Content::text("application/json", "the connection is a WebSocket from here on", ""),
        )
    },
];
