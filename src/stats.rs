//! How totals look to whoever reads them as JSON: the same rows from the API and on the WebSocket. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Tally;
use crate::hub::Snapshot;

/// All there is, by model and in total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Current {
    /// By model as the transcripts write it.
    pub models: BTreeMap<Arc<str>, Row>,
    pub totals: Totals,
    /// Everything that was on disk at the start has been read; until then the numbers are still growing towards it.
    pub ready: bool,
}

/// Sums over responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
    pub requests: u64,
    /// Tokens that `total_cost` leaves out because their model has no price.
    pub unpriced_tokens: u64,
    /// Reads / (reads + uncached input), 0 to 1.
    pub cache_hit_rate: f64,
    pub web_searches: u64,
}

/// The sum over all models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    #[serde(flatten)]
    pub row: Row,
    pub sessions: u64,
    /// Increases with every change of the history.
    pub revision: u64,
}

impl Row {
    /// The row of one sum.
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

impl Totals {
    pub fn of(snapshot: &Snapshot, costs: bool) -> Self {
        Self { row: Row::of(&snapshot.totals, costs), sessions: snapshot.sessions, revision: snapshot.revision }
    }
}

impl Current {
    pub fn of(snapshot: &Snapshot, costs: bool) -> Self {
        let models = snapshot.models.iter().map(|(model, tally)| (Arc::clone(model), Row::of(tally, costs))).collect();
        Self { models, totals: Totals::of(snapshot, costs), ready: snapshot.ready }
    }
}
