//! `/api/v1/stats/trends`: sums by hour, day, week or month, as a time zone cuts them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::ToSchema;

use crate::event::{TokenCounts, UnixMillis};
use crate::route::Request;
use crate::stats::Row;
use crate::store::{Bucket, Costs, Dimension, Span, Split};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::scope::{Range, Reach, SCOPE, START, Scope, day, shown, start_of};
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

static PERIOD: Parameter = Parameter {
    name: "period",
    about: "What one row is. Weeks begin on Monday.",
    kind: Kind::Choice(&["daily", "hourly", "weekly", "monthly"]),
    example: "daily",
};
static DAYS: Parameter = Parameter {
    name: "days",
    about: "How many days, the last one included. Instead of `start_date`.",
    kind: Kind::Integer { min: 1, max: 3660, default: Some(30) },
    example: "30",
};
static GROUP_BY: Parameter = Parameter {
    name: "group_by",
    about: "What to tell apart within a row.",
    kind: Kind::Choice(&["none", "model", "project", "kind"]),
    example: "model",
};
static SORT: Parameter = Parameter {
    name: "sort",
    about: "By time: the oldest first, or the newest.",
    kind: Kind::Choice(&["date", "-date"]),
    example: "date",
};

/// The most rows of one answer: a year of hours.
const MOST_ROWS: usize = 366 * 24;

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Sums by hour, day, week or month",
    about: "Rows without usage are there, too. The first and the last row end where the range does. Days, weeks and \
            months are those of `tz`: a day on which clocks change has 23 or 25 hours.",
    parameters: &[&[&PERIOD, &DAYS], SCOPE, &[&GROUP_BY, &SORT]],
    refusals: &[422],
    ..Endpoint::get("/api/v1/stats/trends", "statistics", Content::json::<Trends>("one row a period", EXAMPLE), answer)
}];

const EXAMPLE: &str = r#"{
    "period": "daily", "group_by": "none",
    "data": [{"date": "2026-01-06", "start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z",
        "total_tokens": 15000, "input_tokens": 10000, "output_tokens": 5000, "cache_creation_tokens": 0,
        "cache_creation_5m_tokens": 0, "cache_creation_1h_tokens": 0, "cache_read_tokens": 0, "cache_hit_rate": 0.0,
        "requests": 12, "web_searches": 0, "unpriced_tokens": 0, "total_cost": 0.175, "cost": 0.175}],
    "range": {"start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

/// Sums over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trends {
    /// `hourly`, `daily`, `weekly` or `monthly`.
    pub period: &'static str,
    /// `none`, `model`, `project` or `kind`.
    pub group_by: &'static str,
    pub data: Vec<TrendRow>,
    pub range: Range,
}

/// One hour, day, week or month.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendRow {
    /// The day it begins on, `2026-01-06`; of hours the beginning with its offset, `2026-01-06T13:00:00+01:00`.
    pub date: String,
    pub start: String,
    /// Not included.
    pub end: String,
    #[serde(flatten)]
    pub row: Row,
    /// The same as `total_cost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// By model or project, those without usage left out; there if `group_by` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<Arc<str>, Row>>,
    /// By kind of token; there if `group_by` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeMap<&'static str, KindRow>>,
}

/// One kind of token.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindRow {
    pub tokens: u64,
    /// US dollars; not there where cost estimation is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// What one row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
}

impl Period {
    fn of(word: &str) -> Self {
        match word {
            "hourly" => Self::Hour,
            "weekly" => Self::Week,
            "monthly" => Self::Month,
            _ => Self::Day,
        }
    }

    /// The instants at which a row of this period begins or ends, from the beginning of a span to its end. None: there are
    /// more than `most`.
    pub fn bounds(self, span: Span, zone: &TimeZone, most: usize) -> Option<Vec<UnixMillis>> {
        let mut bounds = vec![span.from];
        let mut next = self.first_after(span.from, zone)?;
        while next < span.to {
            if bounds.len() > most {
                return None;
            }
            bounds.push(next);
            next = self.first_after(next, zone)?;
        }
        if span.from < span.to {
            bounds.push(span.to);
        }
        (bounds.len() <= most + 1).then_some(bounds)
    }

    /// The beginning of the period that an instant falls in; the instant itself where that is not simple.
    pub fn start_of(self, at: UnixMillis, zone: &TimeZone) -> UnixMillis {
        match self {
            Self::Day => start_of(day(at, zone), zone).unwrap_or(at),
            // The last boundary that is not after it: hours of a clock are two hours long at the most.
            Self::Hour => {
                let mut start = UnixMillis(at.0 - 2 * 3_600_000);
                while let Some(next) = next_hour(start, zone).filter(|next| *next <= at) {
                    start = next;
                }
                start
            }
            Self::Week | Self::Month => at,
        }
    }

    /// The end of the period that an instant falls in.
    pub fn end_of(self, at: UnixMillis, zone: &TimeZone) -> UnixMillis {
        self.first_after(at, zone).unwrap_or(UnixMillis(at.0 + 1))
    }

    /// The first beginning of a period after an instant.
    fn first_after(self, at: UnixMillis, zone: &TimeZone) -> Option<UnixMillis> {
        if self == Self::Hour {
            return next_hour(at, zone);
        }
        let today = day(at, zone);
        let next = match self {
            Self::Week => {
                let past = i64::from(today.weekday().since(Weekday::Monday));
                today.checked_add((7 - past).days()).ok()?
            }
            Self::Month => today.first_of_month().checked_add(1.month()).ok()?,
            _ => today.tomorrow().ok()?,
        };
        start_of(next, zone).ok()
    }
}

/// The next instant at which a clock in the zone shows a full hour. Where clocks change by half an hour, hours of the
/// clock are half an hour or one and a half.
fn next_hour(at: UnixMillis, zone: &TimeZone) -> Option<UnixMillis> {
    const HOUR: i64 = 3_600_000;
    let now = Timestamp::from_millisecond(at.0).ok()?;
    let offset = i64::from(zone.to_offset(now).seconds()) * 1_000;
    let next = UnixMillis((at.0 + offset).div_euclid(HOUR) * HOUR + HOUR - offset);
    // The offset may have changed on the way there; then the hour ends with the change, or it is a full one then.
    let changed = zone.following(now).next().map(|change| UnixMillis(change.timestamp().as_millisecond()));
    Some(match changed {
        Some(change) if change < next => change,
        _ => next,
    })
}

impl TrendRow {
    fn of(bucket: &Bucket, period: Period, zone: &TimeZone, group_by: &str, costs: bool) -> Self {
        let row = Row::of(&bucket.tally, costs);
        let groups = matches!(group_by, "model" | "project").then(|| {
            let groups = bucket.groups.iter();
            groups.map(|(name, tally)| (Arc::clone(name), Row::of(tally, costs))).collect()
        });
        Self {
            date: date(bucket.from, period, zone),
            start: shown(bucket.from),
            end: shown(bucket.to),
            cost: row.total_cost,
            row,
            groups,
            kinds: bucket.costs.map(|by_kind| kinds(bucket.tally.tokens, &by_kind, costs)),
        }
    }
}

/// What a row is called.
fn date(from: UnixMillis, period: Period, zone: &TimeZone) -> String {
    let day: Date = day(from, zone);
    match period {
        Period::Hour => {
            let at = Timestamp::from_millisecond(from.0).unwrap_or_default();
            at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        }
        Period::Day => day.to_string(),
        Period::Week => {
            let past = i64::from(day.weekday().since(Weekday::Monday));
            day.saturating_sub(past.days()).to_string()
        }
        Period::Month => day.first_of_month().to_string(),
    }
}

/// The sums by kind of token, named as Claude Code's own telemetry does.
fn kinds(tokens: TokenCounts, costs: &Costs, with_costs: bool) -> BTreeMap<&'static str, KindRow> {
    let writes = crate::event::PicoUsd(costs.cache_write_5m.0 + costs.cache_write_1h.0);
    let row = |tokens, cost: crate::event::PicoUsd| KindRow { tokens, cost: with_costs.then(|| cost.usd()) };
    BTreeMap::from([
        ("input", row(tokens.input, costs.input)),
        ("output", row(tokens.output, costs.output)),
        ("cacheCreation", row(tokens.cache_write(), writes)),
        ("cacheRead", row(tokens.cache_read, costs.cache_read)),
    ])
}

/// The scope of a question that may say its length in days.
pub fn scope_of_days(state: &WebState, asked: &Asked, days: &'static Parameter) -> Result<Scope, ApiError> {
    if asked.has(days) && asked.has(&START) {
        return Err(ApiError::contradiction(days.name, "there is a start_date, too", "one of them"));
    }
    // So many days with the last one are one fewer before it.
    Scope::of(state, asked, Reach::Days(asked.integer(days).unwrap_or(1) - 1))
}

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = scope_of_days(&state, &asked, &DAYS)?;
        let (word, group_by) = (asked.word(&PERIOD), asked.word(&GROUP_BY));
        let period = Period::of(word);
        let bounds = period.bounds(scope.span, &scope.zone, MOST_ROWS).ok_or_else(|| {
            let allowed = format!("at most {MOST_ROWS} rows; a longer period or a shorter range");
            ApiError::contradiction(PERIOD.name, format!("too many rows for `{word}`"), allowed)
        })?;
        let split = match group_by {
            "model" => Split::By(Dimension::Model),
            "project" => Split::By(Dimension::Project),
            "kind" => Split::Costs,
            _ => Split::Nothing,
        };
        let newest_first = asked.word(&SORT) == "-date";
        let costs = state.hub.shows_costs();
        let question = scope.question(&format!("trends {period:?} {group_by} {newest_first}"));
        of_history(&state, &request, question, move |readers| {
            let buckets = readers.trend(&bounds, &scope.filter, split)?;
            let row = |bucket: &Bucket| TrendRow::of(bucket, period, &scope.zone, group_by, costs);
            let mut data: Vec<_> = buckets.iter().map(row).collect();
            if newest_first {
                data.reverse();
            }
            Ok(Trends { period: word, group_by, data, range: scope.range() })
        })
        .await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn check(period: Period, zone: &str, from: &str, to: &str, expected: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let bounds = period.bounds(Span { from: at(from), to: at(to) }, &zone, 100).unwrap();
        let bounds: Vec<String> = bounds.into_iter().map(shown).collect();
        assert_eq!(bounds, expected, "{period:?} {from} {to}");
    }

    #[test]
    fn days_are_those_of_the_zone() {
        check(
            Period::Day,
            "UTC",
            "2026-01-01T00:00:00Z",
            "2026-01-03T00:00:00Z",
            &["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
        );
        // 23 and 25 hours.
        check(
            Period::Day,
            "America/New_York",
            "2026-03-08T05:00:00Z",
            "2026-03-10T04:00:00Z",
            &["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", "2026-03-10T04:00:00Z"],
        );
        check(
            Period::Day,
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-26T23:00:00Z",
            &["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"],
        );
        check(
            Period::Day,
            "Asia/Kathmandu",
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            &["2026-01-01T00:00:00Z", "2026-01-01T18:15:00Z", "2026-01-02T00:00:00Z"],
        );
        // On this day there was no midnight.
        check(
            Period::Day,
            "Africa/Cairo",
            "2026-04-22T22:00:00Z",
            "2026-04-24T21:00:00Z",
            &["2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"],
        );
    }

    #[test]
    fn weeks_and_months() {
        check(
            Period::Week,
            "UTC",
            "2026-01-01T00:00:00Z",
            "2026-01-13T00:00:00Z",
            &["2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-13T00:00:00Z"],
        );
        check(
            Period::Month,
            "UTC",
            "2026-01-31T00:00:00Z",
            "2026-03-02T00:00:00Z",
            &["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"],
        );
        let zone = TimeZone::UTC;
        assert_eq!(date(at("2026-01-01T00:00:00Z"), Period::Week, &zone), "2025-12-29");
        assert_eq!(date(at("2026-01-31T00:00:00Z"), Period::Month, &zone), "2026-01-01");
    }

    #[test]
    fn hours_are_those_of_the_clock() {
        // An hour is shown twice, told apart by its offset.
        check(
            Period::Hour,
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            "2026-10-25T03:00:00Z",
            &["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"],
        );
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let names = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"].map(|text| date(at(text), Period::Hour, &zone));
        assert_eq!(names, ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]);
        check(
            Period::Hour,
            "Asia/Kathmandu",
            "2026-01-01T00:00:00Z",
            "2026-01-01T02:00:00Z",
            &["2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z", "2026-01-01T01:15:00Z", "2026-01-01T02:00:00Z"],
        );
        // Half an hour forward at 15:30 UTC.
        check(
            Period::Hour,
            "Australia/Lord_Howe",
            "2026-10-03T14:30:00Z",
            "2026-10-03T17:00:00Z",
            &["2026-10-03T14:30:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"],
        );
    }

    #[test]
    fn an_empty_span_has_no_rows_and_a_long_one_too_many() {
        let zone = TimeZone::UTC;
        let noon = at("2026-01-01T12:00:00Z");
        assert_eq!(Period::Day.bounds(Span { from: noon, to: noon }, &zone, 100), Some(vec![noon]));
        let year = Span { from: at("2026-01-01T00:00:00Z"), to: at("2027-01-01T00:00:00Z") };
        assert_eq!(Period::Day.bounds(year, &zone, 364), None);
        assert_eq!(Period::Day.bounds(year, &zone, 365).map(|bounds| bounds.len()), Some(366));
    }
}
