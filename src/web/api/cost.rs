//! `/api/v1/cost/…`: what it costs, what it would have cost with another model, and by which prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::StatusCode;

use crate::event::PicoUsd;
use crate::pricing::{Multiplier, Price, PriceRow, PriceTable, SEARCH};
use crate::route::{Request, Response};
use crate::store::{Estimated, Readers, WhatIf};
use crate::web::WebState;
use crate::web::api::answer::{json_with_etag, of_history};
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::rows::CostParts;
use crate::web::api::scope::{Range, Reach, SCOPE, Scope};
use crate::web::api::sessions::ModelRow;
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

static AS_MODEL: Parameter = Parameter {
    name: "as_model",
    about: "What if it had been this model? The same tokens at its prices of each day.",
    kind: Kind::Text,
    example: "claude-haiku-4-5",
};
static PRICED_MODEL: Parameter = Parameter {
    name: "model",
    about: "Only the model that this id means, in any form that it is known to have.",
    kind: Kind::Text,
    example: "claude-opus-4-8",
};

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "What it costs",
        about: "Without dates, over all time. Every response is priced by the list price of its own day. Tokens of models \
                without a price are in no cost: `unpriced_tokens` counts them. A what-if keeps the tokens as they are, \
                though another model would have used others; it prices the unpriced ones, too.",
        parameters: &[SCOPE, &[&AS_MODEL]],
        refusals: &[403, 422],
        ..Endpoint::get(
            "/api/v1/cost/estimate",
            "cost",
            Content::json::<Estimate>("the cost, and what it is made of", ESTIMATE),
            estimate,
        )
    },
    Endpoint {
        summary: "The price table",
        about: "In US dollars per million tokens, each price from its day on, with the places where it was read.",
        parameters: &[&[&PRICED_MODEL]],
        refusals: &[403],
        ..Endpoint::get(
            "/api/v1/cost/pricing",
            "cost",
            Content::json::<Pricing>("every price, by model", PRICING),
            |state, request, asked| Box::pin(std::future::ready(pricing(&state, &request, &asked))),
        )
    },
];

const ESTIMATE: &str = r#"{
    "total_cost": 0.01915, "unpriced_tokens": 0,
    "breakdown": {
        "by_kind": {"input": 0.005, "output": 0.0125, "cache_creation": 0.00125, "cache_creation_5m": 0.00125,
            "cache_creation_1h": 0.0, "cache_read": 0.0004, "web_search": 0.0, "unexplained": 0.0},
        "by_model": [{"model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 500,
            "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0,
            "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915, "requests": 1,
            "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0,
            "costs": {"input": 0.005, "output": 0.0125, "cache_creation": 0.00125, "cache_creation_5m": 0.00125,
                "cache_creation_1h": 0.0, "cache_read": 0.0004, "web_search": 0.0, "unexplained": 0.0}}]},
    "what_if": {"as_model": "claude-haiku-4-5", "total_cost": 0.00383, "difference": -0.01532,
        "by_kind": {"input": 0.001, "output": 0.0025, "cache_creation": 0.00025, "cache_creation_5m": 0.00025,
            "cache_creation_1h": 0.0, "cache_read": 0.00008, "web_search": 0.0, "unexplained": 0.0},
        "by_model": [{"model": "claude-opus-4-8", "total_cost": 0.00383}]},
    "price_table": "2026-11-23", "currency": "USD", "is_estimate": true,
    "range": {"start": null, "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

const PRICING: &str = r#"{
    "models": {"claude-opus-4-8": {"prices": [{"effective_date": "2026-04-16", "retired_date": null,
        "input_price": 5.0, "output_price": 25.0, "cache_creation_price": 6.25, "cache_creation_1h_price": 10.0,
        "cache_read_price": 0.5, "long_context": null, "fast_multiplier": null, "fast_until": null,
        "us_inference_multiplier": null, "batch_multiplier": 0.5, "confidence": "official",
        "sources": ["https://platform.claude.com/docs/en/about-claude/pricing"], "note": null}]}},
    "version": "2026-11-23", "unit": "USD per million tokens", "web_search_per_thousand": 10.0}"#;

/// A cost and what it is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Estimate {
    /// US dollars at list prices of the tokens that have a price.
    pub total_cost: f64,
    /// Tokens that are not in it, since their model has no price.
    pub unpriced_tokens: u64,
    pub breakdown: Breakdown,
    /// There if `as_model` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_if: Option<WhatIfRow>,
    /// Version of the price table that new responses are priced with.
    pub price_table: String,
    pub currency: &'static str,
    /// Always true: what the API would charge at list prices is no bill.
    pub is_estimate: bool,
    pub range: Range,
}

/// What a cost is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breakdown {
    pub by_kind: CostParts,
    /// The dearest first.
    pub by_model: Vec<ModelRow>,
}

/// The same tokens at another model's prices.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhatIfRow {
    /// The model's plain id.
    pub as_model: Arc<str>,
    pub total_cost: f64,
    /// From what it did cost; negative: it would have been cheaper.
    pub difference: f64,
    pub by_kind: CostParts,
    /// By the model that was used.
    pub by_model: Vec<WhatIfModel>,
}

/// What another model's tokens would have cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhatIfModel {
    pub model: Arc<str>,
    pub total_cost: f64,
}

/// The price table.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pricing {
    /// By plain id.
    pub models: BTreeMap<Arc<str>, ModelPricing>,
    pub version: String,
    pub unit: &'static str,
    /// US dollars for a thousand web searches, whatever the model.
    pub web_search_per_thousand: f64,
}

/// What one model costs.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ModelPricing {
    /// The oldest first.
    pub prices: Vec<DatedPrice>,
}

/// What a model costs from one day on.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatedPrice {
    /// The first UTC day.
    pub effective_date: String,
    /// The day from which the model is not offered any more.
    pub retired_date: Option<String>,
    pub input_price: f64,
    pub output_price: f64,
    /// Of five-minute cache writes.
    pub cache_creation_price: f64,
    pub cache_creation_1h_price: f64,
    pub cache_read_price: f64,
    /// The prices of whole requests with a longer prompt.
    pub long_context: Option<LongContextPrice>,
    pub fast_multiplier: Option<f64>,
    /// The last UTC day on which fast answers are offered.
    pub fast_until: Option<String>,
    pub us_inference_multiplier: Option<f64>,
    pub batch_multiplier: Option<f64>,
    /// `official`, `secondary`, `derived` or `user`.
    pub confidence: &'static str,
    /// Where it was read.
    pub sources: Vec<String>,
    pub note: Option<String>,
}

/// Prices of requests with a long prompt.
#[derive(Debug, Serialize, ToSchema)]
pub struct LongContextPrice {
    /// Longer prompts than this many tokens.
    pub threshold: u64,
    pub input_price: f64,
    pub output_price: f64,
    pub cache_creation_price: f64,
    pub cache_creation_1h_price: f64,
    pub cache_read_price: f64,
}

/// In US dollars per million tokens.
#[expect(clippy::cast_precision_loss, reason = "prices are far below 2^53")]
fn usd(price: Price) -> f64 {
    price.0 as f64 / 1e6
}

fn factor(multiplier: Multiplier) -> f64 {
    f64::from(multiplier.0) / 1e3
}

impl DatedPrice {
    fn of(row: &PriceRow) -> Self {
        Self {
            effective_date: row.effective_date.to_string(),
            retired_date: row.retired_date.map(|day| day.to_string()),
            input_price: usd(row.input),
            output_price: usd(row.output),
            cache_creation_price: usd(row.cache_write_5m),
            cache_creation_1h_price: usd(row.cache_write_1h),
            cache_read_price: usd(row.cache_read),
            long_context: row.long_context.as_ref().map(|long| LongContextPrice {
                threshold: long.threshold,
                input_price: usd(long.input),
                output_price: usd(long.output),
                cache_creation_price: usd(long.cache_write_5m),
                cache_creation_1h_price: usd(long.cache_write_1h),
                cache_read_price: usd(long.cache_read),
            }),
            fast_multiplier: row.fast_multiplier.map(factor),
            fast_until: row.fast_until.map(|day| day.to_string()),
            us_inference_multiplier: row.us_inference_multiplier.map(factor),
            batch_multiplier: row.batch_multiplier.map(factor),
            confidence: row.confidence.name(),
            sources: row.sources.clone(),
            note: row.note.clone(),
        }
    }
}

impl Pricing {
    fn of(table: &PriceTable, model: Option<&str>) -> Self {
        let mut models: BTreeMap<Arc<str>, ModelPricing> = BTreeMap::new();
        let mut put = |name: &Arc<str>, row: &PriceRow| {
            models.entry(Arc::clone(name)).or_default().prices.push(DatedPrice::of(row));
        };
        match model.map(|model| table.find(model)) {
            None => table.rows().for_each(|row| put(&row.model, row)),
            Some(Some(found)) => found.rows().for_each(|row| put(found.model(), row)),
            Some(None) => {}
        }
        Self {
            models,
            version: table.version().to_owned(),
            unit: "USD per million tokens",
            web_search_per_thousand: PicoUsd(i128::from(SEARCH) * 1_000).usd(),
        }
    }
}

impl WhatIfRow {
    fn of(what_if: &WhatIf) -> Self {
        let by_model = what_if.models.iter().map(|(group, costs)| WhatIfModel {
            model: group.name.clone().unwrap_or_default(),
            total_cost: costs.total().usd(),
        });
        let after = what_if.after.total();
        Self {
            as_model: Arc::clone(&what_if.as_model),
            total_cost: after.usd(),
            // Exact, and rounded once.
            difference: PicoUsd(after.0 - what_if.before.tally.cost.0).usd(),
            by_kind: CostParts::of(&what_if.after),
            by_model: by_model.collect(),
        }
    }
}

fn switched_off() -> ApiError {
    let message = "cost estimation is switched off here (enable_cost_estimation, ENABLE_COST_ESTIMATION)";
    ApiError::new(StatusCode::FORBIDDEN, "costs_disabled", message)
}

fn estimate(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        if !state.hub.shows_costs() {
            return Err(switched_off());
        }
        let scope = Scope::of(&state, &asked, Reach::Everything)?;
        let as_model = asked.text(&AS_MODEL).map(str::to_owned);
        let prices = Arc::clone(&state.prices);
        let question = scope.question(&format!("estimate {as_model:?}"));
        of_history(&state, &request, question, move |readers| {
            let Estimated { total, models } = readers.estimate(scope.span, &scope.filter)?;
            let what_if = as_model.map(|model| asked_what_if(readers, &scope, &model, &prices)).transpose()?;
            Ok(Estimate {
                total_cost: total.tally.cost.usd(),
                unpriced_tokens: total.tally.unpriced_tokens,
                breakdown: Breakdown {
                    by_kind: CostParts::of(&total.costs),
                    by_model: models.iter().map(|group| ModelRow::of(group, true)).collect(),
                },
                what_if,
                price_table: prices.version().to_owned(),
                currency: "USD",
                is_estimate: true,
                range: scope.range(),
            })
        })
        .await
    })
}

fn asked_what_if(readers: &Readers, scope: &Scope, model: &str, prices: &PriceTable) -> Result<WhatIfRow, ApiError> {
    let found = readers.what_if(scope.span, &scope.filter, model, prices)?;
    found.map(|found| WhatIfRow::of(&found)).ok_or_else(|| {
        let allowed = "a model of /api/v1/cost/pricing, in any form of its id";
        ApiError::contradiction(AS_MODEL.name, "there is no price for this model", allowed)
    })
}

fn pricing(state: &WebState, request: &Request, asked: &Asked) -> Result<Response, ApiError> {
    if !state.hub.shows_costs() {
        return Err(switched_off());
    }
    Ok(json_with_etag(request, 0, &Pricing::of(&state.prices, asked.text(&PRICED_MODEL))))
}
