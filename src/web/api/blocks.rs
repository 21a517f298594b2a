//! `/api/v1/stats/blocks`: the five-hour windows in which subscriptions are limited, as far as transcripts show them.
//!
//! Nobody outside knows the real windows: they hold what other machines and the web did, too. All of this is an estimate
//! and says so. The rule and its sources are in `docs/counting.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::UnixMillis;
use crate::route::Request;
use crate::stats::Row;
use crate::store::{BlockOptions, Blocks, Sums, Window};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::scope::{END, Range, START, TZ, instant, shown};
use crate::web::api::trends::scope_of_days;
use crate::web::query::{Asked, Kind, Parameter};

static DAYS: Parameter = Parameter {
    name: "days",
    about: "How many days, the last one included. Instead of `start_date`.",
    kind: Kind::Integer { min: 1, max: 366, default: Some(7) },
    example: "7",
};
static START_RULE: Parameter = Parameter {
    name: "start",
    about: "Where a window begins: at the full hour (UTC) before its first response, or at the response.",
    kind: Kind::Choice(&["hour", "exact"]),
    example: "hour",
};
pub static TOKEN_LIMIT: Parameter = Parameter {
    name: "token_limit",
    about: "A limit of your own, to be compared with. The program knows of none.",
    kind: Kind::Integer { min: 1, max: u32::MAX, default: None },
    example: "1000000",
};

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Five-hour windows",
    about: "Estimates: windows belong to an account, and transcripts show one machine's part of it. A window begins with \
            the first response after the one before has ended, and ends five hours later; where Claude Code said when a \
            limit ends, that window ends then. Speeds are given with and without cache reads, which are most tokens and \
            hardly any of a limit.",
    parameters: &[&[&DAYS, &START, &END, &TZ, &START_RULE, &TOKEN_LIMIT]],
    refusals: &[422],
    ..Endpoint::get(
        "/api/v1/stats/blocks",
        "statistics",
        Content::json::<BlockList>("windows and pauses, the newest first", EXAMPLE),
        answer,
    )
}];

const EXAMPLE: &str = r#"{
    "blocks": [{"id": "2026-01-06T10:00:00Z", "start": "2026-01-06T10:00:00Z", "end": "2026-01-06T15:00:00Z",
        "first_activity": "2026-01-06T10:05:00Z", "last_activity": "2026-01-06T12:05:00Z", "is_active": true,
        "is_gap": false, "is_stated": false, "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200,
        "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500,
        "total_cost": 0.01915, "requests": 2, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444,
        "web_searches": 0,
        "models": {"claude-opus-4-8": {"input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200,
            "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0, "cache_read_tokens": 800,
            "total_tokens": 2500, "total_cost": 0.01915, "requests": 2, "unpriced_tokens": 0,
            "cache_hit_rate": 0.4444444444444444, "web_searches": 0}},
        "burn_rate": {"minutes": 120.0, "tokens_per_minute": 20.833333333333332,
            "uncached_tokens_per_minute": 14.166666666666666, "cost_per_hour": 0.009575},
        "projection": {"remaining_minutes": 170.0, "total_tokens": 6041, "total_cost": 0.046279},
        "limit": null}],
    "last_hour": {"tokens_per_minute": 41.666666666666664, "uncached_tokens_per_minute": 28.333333333333332,
        "cost_per_hour": 0.01915},
    "limit_reset_at": null, "is_estimate": true,
    "range": {"start": "2025-12-31T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

/// Windows.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockList {
    /// The newest first.
    pub blocks: Vec<BlockRow>,
    /// The present speed: the last 60 minutes, whatever window they are in.
    pub last_hour: Speed,
    /// When an account limit ends, as Claude Code said it last.
    pub limit_reset_at: Option<String>,
    /// Always true: see the description.
    pub is_estimate: bool,
    pub range: Range,
}

/// A window, or a pause that is longer than one.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockRow {
    /// Its start.
    pub id: String,
    pub start: String,
    /// Not included.
    pub end: String,
    pub first_activity: Option<String>,
    pub last_activity: Option<String>,
    /// It is going on.
    pub is_active: bool,
    /// Nothing happened in it.
    pub is_gap: bool,
    /// Claude Code said when it ends.
    pub is_stated: bool,
    #[serde(flatten)]
    pub row: Row,
    pub models: BTreeMap<Arc<str>, Row>,
    /// The average between the first and the last response; null where there is only one.
    pub burn_rate: Option<BurnRate>,
    /// What the window will have come to if it goes on like that; of the window that is going on.
    pub projection: Option<Projection>,
    /// The comparison with `token_limit`.
    pub limit: Option<Limit>,
}

/// How fast tokens are used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Speed {
    pub tokens_per_minute: f64,
    /// Without cache reads.
    pub uncached_tokens_per_minute: f64,
    /// US dollars; not there where cost estimation is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_hour: Option<f64>,
}

/// An average speed, and over how long.
#[derive(Debug, Serialize, ToSchema)]
pub struct BurnRate {
    pub minutes: f64,
    #[serde(flatten)]
    pub speed: Speed,
}

/// What a window comes to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projection {
    pub remaining_minutes: f64,
    pub total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<f64>,
}

/// A comparison with a limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limit {
    pub tokens: u32,
    /// Used so far, 1 is all of it.
    pub used_ratio: f64,
    /// What the projection comes to; null without one.
    pub projected_ratio: Option<f64>,
}

impl Speed {
    #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
    pub fn of(sums: &Sums, minutes: f64, costs: bool) -> Self {
        let tokens = sums.tally.tokens;
        Self {
            tokens_per_minute: tokens.total() as f64 / minutes,
            uncached_tokens_per_minute: (tokens.total() - tokens.cache_read) as f64 / minutes,
            cost_per_hour: costs.then(|| sums.tally.cost.usd() / minutes * 60.0),
        }
    }
}

/// Milliseconds as minutes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn minutes(ms: i64) -> f64 {
    ms as f64 / 60_000.0
}

impl BlockRow {
    pub fn of(window: &Window, now: UnixMillis, limit: Option<u32>, costs: bool) -> Self {
        let block = match window {
            Window::Gap(gap) => return Self::gap(gap.from, gap.to, costs),
            Window::Block(block) => block,
        };
        let lasted = minutes(block.last_at.0 - block.first_at.0);
        let burn_rate =
            (lasted > 0.0).then(|| BurnRate { minutes: lasted, speed: Speed::of(&block.sums, lasted, costs) });
        let projection = burn_rate.as_ref().filter(|_| block.is_active).map(|rate| {
            let remaining = minutes(block.end.0 - now.0).max(0.0);
            projection(&block.sums, &rate.speed, remaining, costs)
        });
        let limit = limit.map(|tokens| Limit::of(tokens, &block.sums, projection.as_ref()));
        Self {
            id: shown(block.start),
            start: shown(block.start),
            end: shown(block.end),
            first_activity: instant(block.first_at),
            last_activity: instant(block.last_at),
            is_active: block.is_active,
            is_gap: false,
            is_stated: block.is_stated,
            row: Row::of(&block.sums.tally, costs),
            models: block.by_model.iter().map(|(name, sums)| (Arc::clone(name), Row::of(&sums.tally, costs))).collect(),
            burn_rate,
            projection,
            limit,
        }
    }

    fn gap(from: UnixMillis, to: UnixMillis, costs: bool) -> Self {
        Self {
            id: format!("gap-{}", shown(from)),
            start: shown(from),
            end: shown(to),
            first_activity: None,
            last_activity: None,
            is_active: false,
            is_gap: true,
            is_stated: false,
            row: Row::of(&crate::event::Tally::default(), costs),
            models: BTreeMap::new(),
            burn_rate: None,
            projection: None,
            limit: None,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a guess at the future is not exact to the token"
)]
fn projection(sums: &Sums, speed: &Speed, remaining: f64, costs: bool) -> Projection {
    let more = speed.tokens_per_minute * remaining;
    let dearer = speed.cost_per_hour.unwrap_or_default() * remaining / 60.0;
    Projection {
        remaining_minutes: remaining,
        total_tokens: (sums.tally.tokens.total() as f64 + more) as u64,
        total_cost: costs.then(|| sums.tally.cost.usd() + dearer),
    }
}

impl Limit {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    fn of(tokens: u32, sums: &Sums, projection: Option<&Projection>) -> Self {
        let ratio = |used: u64| used as f64 / f64::from(tokens);
        Self {
            tokens,
            used_ratio: ratio(sums.tally.tokens.total()),
            projected_ratio: projection.map(|projection| ratio(projection.total_tokens)),
        }
    }
}

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = scope_of_days(&state, &asked, &DAYS)?;
        let options = BlockOptions { floor_to_hour: asked.word(&START_RULE) == "hour", ..BlockOptions::default() };
        let (now, limit, costs) = (state.clock.now(), asked.integer(&TOKEN_LIMIT), state.hub.shows_costs());
        // The projection moves on by itself; to the second is close enough.
        let question = scope.question(&format!("blocks {options:?} {limit:?} {}", now.0 / 1_000));
        of_history(&state, &request, question, move |readers| {
            let Blocks { windows, last_hour, limit_reset_at } = readers.blocks(scope.span, now, options)?;
            let blocks = windows.iter().rev().map(|window| BlockRow::of(window, now, limit, costs)).collect();
            Ok(BlockList {
                blocks,
                last_hour: Speed::of(&last_hour, 60.0, costs),
                limit_reset_at: limit_reset_at.and_then(instant),
                is_estimate: true,
                range: scope.range(),
            })
        })
        .await
    })
}
