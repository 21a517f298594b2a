//! `/api/v1/stats/…`: what has been used, out of the present snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::event::Tally;
use crate::hub::Snapshot;
use crate::plugin::Routes;
use crate::route::{Request, Response, Route};
use crate::web::WebState;
use crate::web::api::{json_with_etag, no_parameters};
use crate::web::error::ApiError;

pub fn routes(state: &WebState) -> Routes {
    type Handler = fn(&WebState, &Request) -> Result<Response, ApiError>;
    let at = |path, handler: Handler| {
        let state = state.clone();
        Route::get(path, move |request| handler(&state, request).unwrap_or_else(ApiError::response))
    };
    vec![at("/api/v1/stats/current", current), at("/api/v1/stats/models", models)]
}

/// All there is, by model and in total.
#[derive(Debug, Serialize)]
pub struct Current<'a> {
    pub models: BTreeMap<&'a str, Row>,
    pub totals: Totals,
    /// Everything that was on disk at the start has been read; until then the numbers are still growing towards it.
    pub ready: bool,
}

/// Sums over responses.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub row: Row,
    pub sessions: u64,
    /// Increases with every change of the history.
    pub revision: u64,
}

impl Row {
    /// The row of one model.
    fn of(tally: &Tally, costs: bool) -> Self {
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

impl<'a> Current<'a> {
    pub fn of(snapshot: &'a Snapshot, costs: bool) -> Self {
        let totals =
            Totals { row: Row::of(&snapshot.totals, costs), sessions: snapshot.sessions, revision: snapshot.revision };
        let models = snapshot.models.iter().map(|(model, tally)| (model.as_ref(), Row::of(tally, costs))).collect();
        Self { models, totals, ready: snapshot.ready }
    }
}

/// `GET /api/v1/stats/current`
fn current(state: &WebState, request: &Request) -> Result<Response, ApiError> {
    no_parameters(request)?;
    let snapshot = state.hub.snapshot();
    Ok(json_with_etag(request, snapshot.revision, &Current::of(&snapshot, state.hub.shows_costs())))
}

/// `GET /api/v1/stats/models`
fn models(state: &WebState, request: &Request) -> Result<Response, ApiError> {
    no_parameters(request)?;
    let snapshot = state.hub.snapshot();
    let models: Vec<&Arc<str>> = snapshot.models.keys().collect();
    Ok(json_with_etag(request, snapshot.revision, &models))
}
