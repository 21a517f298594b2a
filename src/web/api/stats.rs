//! `/api/v1/stats/…`: what has been used, out of the present snapshot.

use std::sync::Arc;

use crate::route::{Request, Response};
use crate::stats::Current;
use crate::web::WebState;
use crate::web::api::answer::of_snapshot;
use crate::web::api::endpoint::{Content, Endpoint};

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "Everything so far, by model and in total",
        about: "The sums over the whole history. They come out of memory, at any length of the history.",
        ..Endpoint::get(
            "/api/v1/stats/current",
            "statistics",
            Content::json::<Current>("one row a model, and their sum", EXAMPLE),
            |state, request, _| Box::pin(std::future::ready(Ok(current(&state, &request)))),
        )
    },
    Endpoint {
        summary: "The ids of all models",
        about: "As the transcripts write them.",
        ..Endpoint::get(
            "/api/v1/stats/models",
            "statistics",
            Content::json::<Vec<String>>(
                "the ids in alphabetical order",
                r#"["claude-opus-4-8", "claude-sonnet-4-5-20250929"]"#,
            ),
            |state, request, _| Box::pin(std::future::ready(Ok(models(&state, &request)))),
        )
    },
];

const EXAMPLE: &str = r#"{
    "models": {"claude-opus-4-8": {"input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200,
        "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500,
        "total_cost": 0.01915, "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444,
        "web_searches": 0}},
    "totals": {"input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200,
        "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500,
        "total_cost": 0.01915, "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444,
        "web_searches": 0, "sessions": 1, "revision": 1},
    "ready": true}"#;

fn current(state: &WebState, request: &Request) -> Response {
    let costs = state.hub.shows_costs();
    of_snapshot(state, request, "current", |snapshot| Current::of(snapshot, costs))
}

fn models(state: &WebState, request: &Request) -> Response {
    of_snapshot(state, request, "models", |snapshot| snapshot.models.keys().cloned().collect::<Vec<Arc<str>>>())
}
