//! What part of the history a question is about: from when to when, in whose days, and which responses.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use utoipa::ToSchema;

use crate::event::{QuerySource, UnixMillis};
use crate::store::{Filter, Span};
use crate::web::WebState;
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Moment, Parameter};

pub static START: Parameter = Parameter {
    name: "start_date",
    about: "The first day, or the first instant.",
    kind: Kind::Moment,
    example: "2026-01-01",
};
pub static END: Parameter = Parameter {
    name: "end_date",
    about: "The last day, which is included; or the instant before which it ends. Without it, the end of today.",
    kind: Kind::Moment,
    example: "2026-01-06",
};
pub static TZ: Parameter = Parameter {
    name: "tz",
    about: "Whose days are meant; without it, those of the server's time zone.",
    kind: Kind::Zone,
    example: "Europe/Berlin",
};
pub static MODEL: Parameter =
    Parameter { name: "model", about: "Only these models.", kind: Kind::Names, example: "claude-opus-4-8" };
pub static PROJECT: Parameter =
    Parameter { name: "project", about: "Only these projects.", kind: Kind::Names, example: "/home/me/shop" };
pub static SESSION: Parameter = Parameter {
    name: "session",
    about: "Only these sessions.",
    kind: Kind::Names,
    example: "5f0c1a52-0000-4000-8000-000000000001",
};
pub static BRANCH: Parameter =
    Parameter { name: "branch", about: "Only these Git branches.", kind: Kind::Names, example: "main" };
pub static SOURCE: Parameter =
    Parameter { name: "source", about: "Only what these sources have read.", kind: Kind::Names, example: "claude" };
pub static QUERY_SOURCE: Parameter = Parameter {
    name: "query_source",
    about: "Only the main conversation, or only sub-agents.",
    kind: Kind::Choice(&["all", "main", "subagent"]),
    example: "main",
};

/// What part of the history is meant: nearly every question has these.
pub const SCOPE: &[&Parameter] = &[&START, &END, &TZ, &MODEL, &PROJECT, &SESSION, &BRANCH, &SOURCE, &QUERY_SOURCE];

pub static PAGE: Parameter = Parameter {
    name: "page",
    about: "Which page, from 1 on. Any page takes as long as the first.",
    kind: Kind::Integer { min: 1, max: 10_000_000, default: Some(1) },
    example: "1",
};
pub static LIMIT: Parameter = Parameter {
    name: "limit",
    about: "Rows a page.",
    kind: Kind::Integer { min: 1, max: 100, default: Some(50) },
    example: "50",
};

/// Which rows of a list.
pub const PAGING: &[&Parameter] = &[&PAGE, &LIMIT];

/// From when to when an answer is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Range {
    /// Included. Null: from the beginning.
    #[schema(example = "2026-01-01T00:00:00Z")]
    pub start: Option<String>,
    /// Not included. Null: without an end.
    #[schema(example = "2026-01-07T00:00:00Z")]
    pub end: Option<String>,
    /// Whose days are meant.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
}

/// What a question is about.
#[derive(Clone, Debug)]
pub struct Scope {
    pub span: Span,
    pub zone: TimeZone,
    pub filter: Filter,
    /// The present day in the zone.
    pub today: Date,
}

/// How far back a question reaches that does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// So many days before the last one.
    Days(u32),
    /// To the beginning.
    Everything,
}

impl Scope {
    /// Reads the parameters above; those that an endpoint does not have are not there to be read.
    pub fn of(state: &WebState, asked: &Asked, reach: Reach) -> Result<Self, ApiError> {
        let zone = asked.zone(&TZ).unwrap_or_else(|| state.settings.zone.clone());
        let now = state.clock.now();
        let today = day(now, &zone);
        let (to, last) = match asked.moment(&END) {
            None => (start_of(today.tomorrow().unwrap_or(Date::MAX), &zone)?, today),
            Some(Moment::Day(last)) => (start_of(last.tomorrow().unwrap_or(Date::MAX), &zone)?, last),
            Some(Moment::Instant(to)) => (to, day(UnixMillis(to.0 - 1), &zone)),
        };
        let from = match (asked.moment(&START), reach) {
            (Some(Moment::Day(first)), _) => start_of(first, &zone)?,
            (Some(Moment::Instant(from)), _) => from,
            (None, Reach::Days(days)) => start_of(last.saturating_sub(i64::from(days).days()), &zone)?,
            (None, Reach::Everything) => Span::ALL.from,
        };
        // What begins in the future is empty, unless it was said to end before.
        let to = if asked.has(&END) { to } else { to.max(from) };
        let backwards = match (asked.moment(&START), asked.moment(&END)) {
            (Some(Moment::Day(first)), Some(Moment::Day(last))) => first > last,
            _ => from > to,
        };
        if backwards {
            let allowed = format!("not after the end, {}", instant(to).unwrap_or_default());
            return Err(ApiError::contradiction(START.name, "it begins after it ends", allowed));
        }
        let filter = Filter {
            models: asked.names(&MODEL),
            projects: asked.names(&PROJECT),
            sessions: asked.names(&SESSION),
            branches: asked.names(&BRANCH),
            sources: asked.names(&SOURCE),
            query_source: match asked.word(&QUERY_SOURCE) {
                "main" => Some(QuerySource::Main),
                "subagent" => Some(QuerySource::Subagent),
                _ => None,
            },
        };
        Ok(Self { span: Span { from, to }, zone, filter, today })
    }

    /// What an answer depends on besides the history, as far as it is in here.
    pub fn question(&self, what: &str) -> String {
        let Self { span, zone, filter, .. } = self;
        format!("{what} {} {} {:?} {filter:?}", span.from.0, span.to.0, zone)
    }

    pub fn range(&self) -> Range {
        let end = |at: UnixMillis, open: UnixMillis| if at == open { None } else { instant(at) };
        Range {
            start: end(self.span.from, Span::ALL.from),
            end: end(self.span.to, Span::ALL.to),
            time_zone: zone_name(&self.zone),
        }
    }
}

/// The zone's name, where it has one.
pub fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("local").to_owned()
}

/// An instant as RFC 3339 in UTC; none where a calendar has no such year.
pub fn instant(at: UnixMillis) -> Option<String> {
    Timestamp::from_millisecond(at.0).ok().map(|at| at.to_string())
}

/// An instant as RFC 3339 in UTC. What the history holds is always one that can be shown.
pub fn shown(at: UnixMillis) -> String {
    instant(at).unwrap_or_default()
}

/// The day that an instant falls in.
pub fn day(at: UnixMillis, zone: &TimeZone) -> Date {
    Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone()).date()
}

/// A day's first instant in a zone. It is not midnight where a clock change skips it.
pub fn start_of(day: Date, zone: &TimeZone) -> Result<UnixMillis, ApiError> {
    let start = day.to_zoned(zone.clone());
    let start = start.map_err(|_| ApiError::parameter(START.name, format!("{day} is too far away"), "a closer day"))?;
    Ok(UnixMillis(start.timestamp().as_millisecond()))
}
