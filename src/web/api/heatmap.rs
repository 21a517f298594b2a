//! `/api/v1/stats/heatmap`: usage by day, and by hour of the week.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::Tally;
use crate::route::Request;
use crate::store::Split;
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::scope::{Range, SCOPE, START, day};
use crate::web::api::trends::{Period, scope_of_days};
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

static DAYS: Parameter = Parameter {
    name: "days",
    about: "How many days, the last one included. Instead of `start_date`.",
    kind: Kind::Integer { min: 1, max: 3660, default: Some(371) },
    example: "371",
};

/// Ten years and a bit.
const MOST_DAYS: usize = 3_672;

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Usage by day and by hour of the week",
    about: "Without dates, 53 weeks. Days and hours are those of `tz`; days without usage are there, too.",
    parameters: &[&[&DAYS], SCOPE],
    refusals: &[422],
    ..Endpoint::get(
        "/api/v1/stats/heatmap",
        "statistics",
        Content::json::<Heatmap>("one row a day, and 168 rows of hours", EXAMPLE),
        answer,
    )
}];

const EXAMPLE: &str = r#"{
    "days": [{"date": "2026-01-06", "total_tokens": 2500, "requests": 1, "cost": 0.01915}],
    "hours": [{"weekday": 1, "hour": 0, "total_tokens": 2500, "requests": 1, "cost": 0.01915}],
    "range": {"start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

/// When there was how much usage.
#[derive(Debug, Serialize, ToSchema)]
pub struct Heatmap {
    /// The oldest first.
    pub days: Vec<HeatDay>,
    /// Monday midnight first: 7 times 24.
    pub hours: Vec<HeatHour>,
    pub range: Range,
}

/// How much.
#[derive(Debug, Serialize, ToSchema)]
pub struct Heat {
    pub total_tokens: u64,
    pub requests: u64,
    /// US dollars; not there where cost estimation is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// A day.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatDay {
    pub date: String,
    #[serde(flatten)]
    pub heat: Heat,
}

/// An hour of the week, over all weeks of the range.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeatHour {
    /// 1 is Monday, 7 is Sunday.
    pub weekday: i8,
    /// 0 to 23.
    pub hour: i8,
    #[serde(flatten)]
    pub heat: Heat,
}

impl Heat {
    fn of(tally: &Tally, costs: bool) -> Self {
        Self { total_tokens: tally.tokens.total(), requests: tally.requests, cost: costs.then(|| tally.cost.usd()) }
    }
}

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = scope_of_days(&state, &asked, &DAYS)?;
        let bounds = Period::Day
            .bounds(scope.span, &scope.zone, MOST_DAYS)
            .ok_or_else(|| ApiError::contradiction(START.name, "too many days", format!("at most {MOST_DAYS} days")))?;
        let costs = state.hub.shows_costs();
        let question = scope.question("heatmap");
        of_history(&state, &request, question, move |readers| {
            let days = readers.trend(&bounds, &scope.filter, Split::Nothing)?;
            let hours = readers.week(scope.span, &scope.filter, &scope.zone)?;
            Ok(Heatmap {
                days: days
                    .iter()
                    .map(|bucket| HeatDay {
                        date: day(bucket.from, &scope.zone).to_string(),
                        heat: Heat::of(&bucket.tally, costs),
                    })
                    .collect(),
                hours: hours
                    .iter()
                    .map(|hour| HeatHour { weekday: hour.weekday, hour: hour.hour, heat: Heat::of(&hour.tally, costs) })
                    .collect(),
                range: scope.range(),
            })
        })
        .await
    })
}
