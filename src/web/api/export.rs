//! `/api/v1/export/csv` and `/api/v1/export/json`: the history to take away, as a stream.
//!
//! However long the history is, an export holds a page of it. A page is read when the one before it is on its way, so a
//! client that does not read costs its own connection and no thread, and no look at the database stays open.

mod csv;
mod json;
pub mod preview;

use std::sync::Arc;

use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;
use warp::http::{HeaderValue, header};
use warp::hyper::body::Bytes;
use warp::reply::Reply as _;

use crate::route::Response;
use crate::stats::Row;
use crate::store::{self, BucketRow, Buckets, RawRows, Readers, Span, StoreError};
use crate::web::WebState;
use crate::web::api::answer::blocking;
use crate::web::api::endpoint::{Content, Endpoint};
use crate::web::api::history::HistoryRow;
use crate::web::api::rows::CostParts;
use crate::web::api::scope::{Reach, SCOPE, Scope, day, shown};
use crate::web::api::trends::Period;
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

pub static LEVEL: Parameter = Parameter {
    name: "level",
    about: "One row a response, or sums by hour or day, model, project and query source.",
    kind: Kind::Choice(&["raw", "hour", "day"]),
    example: "day",
};

static PARAMETERS: [&[&Parameter]; 2] = [&[&LEVEL], SCOPE];

const ABOUT: &str = "Without dates, the last 30 days. The oldest first. The answer is a stream of any length; if it is cut \
    off, something went wrong on the way.";

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "The history as CSV",
        about: ABOUT,
        parameters: &PARAMETERS,
        refusals: &[422],
        ..Endpoint::get(
            "/api/v1/export/csv",
            "export",
            Content::text(
                "text/csv",
                "RFC 4180 with a header; text that a spreadsheet would take for a formula begins with an apostrophe",
                "\"timestamp\",\"model\",\"project\"\r\n\"2026-01-06T12:00:00Z\",\"claude-opus-4-8\",\"/home/me/shop\"\r\n",
            ),
            |state, _, asked| Box::pin(answer(state, asked, Format::Csv)),
        )
    },
    Endpoint {
        summary: "The history as JSON",
        about: ABOUT,
        parameters: &PARAMETERS,
        refusals: &[422],
        ..Endpoint::get(
            "/api/v1/export/json",
            "export",
            Content::json::<Vec<ExportRow>>("an array of rows; at `raw` those of /api/v1/stats/history", json::EXAMPLE),
            |state, _, asked| Box::pin(answer(state, asked, Format::Json)),
        )
    },
];

/// How many exports may be under way.
pub const AT_ONCE: usize = 4;

/// Rows that are put into one piece.
const ROWS: usize = 500;

/// The most buckets of one export: more than ten years of hours.
const MOST_BUCKETS: usize = 100_000;

/// A row of an export.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ExportRow {
    Response(Box<HistoryRow>),
    Sum(Box<SumRow>),
}

/// The sums of an hour or a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct SumRow {
    /// The day, or the hour's beginning.
    pub date: String,
    pub start: String,
    /// Not included.
    pub end: String,
    pub model: Arc<str>,
    pub project: Arc<str>,
    /// `main` or `subagent`.
    pub query_source: &'static str,
    #[serde(flatten)]
    pub row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostParts>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// What one row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Raw,
    Hour,
    Day,
}

/// Rows that are still to be read.
enum Rows {
    Raw(Box<RawRows>),
    Sums(Box<Buckets>),
}

/// The rows of an export, one after the other.
struct Source {
    rows: Rows,
    level: Level,
    scope: Scope,
    costs: bool,
}

/// An export under way.
struct Export {
    source: Source,
    format: Format,
    begun: bool,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Level {
    /// What the parameter says.
    pub fn of(word: &str) -> Self {
        match word {
            "hour" => Self::Hour,
            "day" => Self::Day,
            _ => Self::Raw,
        }
    }
}

impl Export {
    /// The next piece; none after the last one. It waits for the disk.
    fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let mut rows = Vec::with_capacity(ROWS);
        while rows.len() < ROWS {
            let Some(row) = self.source.next() else {
                self.ended = true;
                break;
            };
            rows.push(row?);
        }
        let first = !std::mem::replace(&mut self.begun, true);
        let text = match self.format {
            Format::Csv => csv::piece(&rows, self.source.level, self.source.costs, first)?,
            Format::Json => json::piece(&rows, first, self.ended).into_bytes(),
        };
        Ok(Some(text.into()))
    }
}

impl Source {
    /// It looks where the rows begin, and waits for the disk.
    fn new(readers: &Readers, scope: Scope, level: Level, costs: bool) -> Result<Self, ApiError> {
        Ok(Self { rows: rows(readers, &scope, level)?, level, scope, costs })
    }

    /// How many hours or days there are.
    fn buckets(&self) -> usize {
        match &self.rows {
            Rows::Raw(_) => 0,
            Rows::Sums(buckets) => buckets.of_time(),
        }
    }

    fn next(&mut self) -> Option<Result<ExportRow, StoreError>> {
        let costs = self.costs;
        match &mut self.rows {
            Rows::Raw(rows) => Some(rows.next()?.map(|row| Self::response(&row, costs))),
            Rows::Sums(rows) => {
                let row = rows.next()?;
                Some(row.map(|row| ExportRow::Sum(Box::new(self.sum(&row)))))
            }
        }
    }

    fn response(row: &store::HistoryRow, costs: bool) -> ExportRow {
        ExportRow::Response(Box::new(HistoryRow::of(row, costs)))
    }

    fn sum(&self, row: &BucketRow) -> SumRow {
        SumRow {
            date: match self.level {
                Level::Hour => shown(row.from),
                _ => day(row.from, &self.scope.zone).to_string(),
            },
            start: shown(row.from),
            end: shown(row.to),
            model: Arc::clone(&row.model),
            project: Arc::clone(&row.project),
            query_source: row.query_source.name(),
            row: Row::of(&row.sums.tally, self.costs),
            costs: self.costs.then(|| CostParts::of(&row.sums.costs)),
        }
    }
}

async fn answer(state: WebState, asked: Asked, format: Format) -> Result<Response, ApiError> {
    let scope = Scope::of(&state, &asked, Reach::Days(30))?;
    let level = Level::of(asked.word(&LEVEL));
    let place = Arc::clone(&state.exports)
        .try_acquire_owned()
        .map_err(|_| ApiError::unavailable("busy", "other exports are under way; try again"))?;
    let (readers, costs) = (state.readers.clone(), state.hub.shows_costs());
    let name = file_name(&scope, level, format);
    // The first piece is read before anything is sent, so that what goes wrong at once is said properly.
    let (first, export) = blocking(move || {
        let source = Source::new(&readers, scope, level, costs)?;
        let mut export = Export { source, format, begun: false, ended: false, _place: place };
        Ok((export.piece()?, export))
    })
    .await?;
    let body = stream::try_unfold((first, Some(export)), |(ready, export)| async {
        match (ready, export) {
            (Some(piece), export) => Ok(Some((piece, (None, export)))),
            (None, Some(mut export)) => {
                let next = blocking(move || Ok((export.piece()?, export))).await;
                let (piece, export) = next.map_err(|error| std::io::Error::other(error.message))?;
                Ok::<_, std::io::Error>(piece.map(|piece| (piece, (None, Some(export)))))
            }
            (None, None) => Ok(None),
        }
    });
    let mut response = warp::reply::stream(Box::pin(body)).into_response();
    let headers = response.headers_mut();
    let media_type = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::Json => "application/json; charset=utf-8",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(|_| ApiError::internal())?);
    Ok(response)
}

fn rows(readers: &Readers, scope: &Scope, level: Level) -> Result<Rows, ApiError> {
    let period = match level {
        Level::Raw => return Ok(Rows::Raw(Box::new(readers.raw_rows(scope.span, &scope.filter)))),
        Level::Hour => Period::Hour,
        Level::Day => Period::Day,
    };
    // Only where there is anything, so that a range may begin long before it.
    let overview = readers.sums(scope.span, &scope.filter)?;
    let bounds = match (overview.first_at, overview.last_at) {
        (Some(first), Some(last)) => {
            let span = Span {
                from: period.start_of(first, &scope.zone).max(scope.span.from),
                to: period.end_of(last, &scope.zone).min(scope.span.to),
            };
            period.bounds(span, &scope.zone, MOST_BUCKETS)
        }
        _ => Some(vec![scope.span.from]),
    };
    let bounds = bounds
        .ok_or_else(|| ApiError::contradiction(LEVEL.name, "too many rows", "a shorter range, or `level=day`"))?;
    Ok(Rows::Sums(Box::new(readers.bucket_rows(bounds, &scope.filter))))
}

/// A name of our own making: nothing that somebody else chose gets into it.
fn file_name(scope: &Scope, level: Level, format: Format) -> String {
    let level = match level {
        Level::Raw => "responses",
        Level::Hour => "hours",
        Level::Day => "days",
    };
    let ending = match format {
        Format::Csv => "csv",
        Format::Json => "json",
    };
    let (first, last) = (scope.span.from, crate::event::UnixMillis(scope.span.to.0 - 1));
    let [first, last] = [first, last].map(|at| day(at, &scope.zone));
    format!("claude-token-monitor-{level}-{first}-{last}.{ending}")
}
