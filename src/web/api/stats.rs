//! `/api/v1/stats/…`: what has been used, out of the present snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::Tally;
use crate::hub::Snapshot;
use crate::route::{Request, Response};
use crate::web::WebState;
use crate::web::api::answer::json_with_etag;
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

/// All there is, by model and in total.
#[derive(Debug, Serialize, ToSchema)]
pub struct Current {
    pub models: BTreeMap<Arc<str>, Row>,
    pub totals: Totals,
    /// Everything that was on disk at the start has been read; until then the numbers are still growing towards it.
    pub ready: bool,
}

/// Sums over responses.
#[derive(Debug, Serialize, ToSchema)]
pub struct Row {
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Five-minute and one-hour cache writes together.
    pub cache_creation_tokens: u64,
    pub cache_creation_5m_tokens: u64,
    pub cache_creation_1h_tokens: u64,
    pub cache_read_tokens: u64,
    pub total_tokens: u64,
    /// US dollars at list prices of the tokens that have a price: a lower bound wherever `unpriced_tokens` is not zero.
    /// Not there where cost estimation is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
    pub requests: u64,
    /// Tokens that `total_cost` leaves out because their model has no price.
    pub unpriced_tokens: u64,
    /// Reads / (reads + uncached input), 0 to 1.
    pub cache_hit_rate: f64,
    pub web_searches: u64,
}

/// The sum over all models.
#[derive(Debug, Serialize, ToSchema)]
pub struct Totals {
    #[serde(flatten)]
    pub row: Row,
    pub sessions: u64,
    /// Increases with every change of the history.
    pub revision: u64,
}

impl Row {
    /// The row of one model.
    pub fn of(tally: &Tally, costs: bool) -> Self {
        let Tally { tokens, requests, searches, cost, unpriced_tokens } = *tally;
        Self {
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cache_creation_tokens: tokens.cache_write(),
            cache_creation_5m_tokens: tokens.cache_write_5m,
            cache_creation_1h_tokens: tokens.cache_write_1h,
            cache_read_tokens: tokens.cache_read,
            total_tokens: tokens.total(),
            total_cost: costs.then(|| cost.usd()),
            requests,
            unpriced_tokens,
            cache_hit_rate: tally.cache_hit_rate(),
            web_searches: searches,
        }
    }
}

impl Current {
    pub fn of(snapshot: &Snapshot, costs: bool) -> Self {
        let totals =
            Totals { row: Row::of(&snapshot.totals, costs), sessions: snapshot.sessions, revision: snapshot.revision };
        let models = snapshot.models.iter().map(|(model, tally)| (Arc::clone(model), Row::of(tally, costs))).collect();
        Self { models, totals, ready: snapshot.ready }
    }
}

fn current(state: &WebState, request: &Request) -> Response {
    let snapshot = state.hub.snapshot();
    json_with_etag(request, snapshot.revision, &Current::of(&snapshot, state.hub.shows_costs()))
}

fn models(state: &WebState, request: &Request) -> Response {
    let snapshot = state.hub.snapshot();
    let models: Vec<&Arc<str>> = snapshot.models.keys().collect();
    json_with_etag(request, snapshot.revision, &models)
}
