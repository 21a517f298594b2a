//! `/api/v1/stats/history`: every response, in pages.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::{ResponseKind, UsageFlags};
use crate::route::Request;
use crate::store::{self, Order, Place};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::rows::{CostParts, limit, page};
use crate::web::api::scope::{PAGE, PAGING, Range, Reach, SCOPE, Scope, shown};
use crate::web::error::ApiError;
use crate::web::query::{self, Asked, Kind, Parameter};

static CURSOR: Parameter = Parameter {
    name: "cursor",
    about: "Goes on behind the row that it names, whatever has been added since. Instead of `page`.",
    kind: Kind::Cursor,
    example: "1767700800000_4321",
};
static SORT: Parameter = Parameter {
    name: "sort",
    about: "By time: the newest first, or the oldest.",
    kind: Kind::Choice(&["-timestamp", "timestamp"]),
    example: "-timestamp",
};

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Every response, in pages",
    about: "Without dates, the last 30 days. The responses of a millisecond are in the order in which they were read. \
            Retention removes single responses after a while; `pagination.pruned` says how many are missing here for \
            that reason, while all sums still hold them.",
    parameters: &[SCOPE, &[&SORT], PAGING, &[&CURSOR]],
    refusals: &[422],
    ..Endpoint::get(
        "/api/v1/stats/history",
        "statistics",
        Content::json::<HistoryPage>("a page of responses", EXAMPLE),
        answer,
    )
}];

const EXAMPLE: &str = r#"{
    "data": [{"timestamp": "2026-01-06T12:00:00Z", "model": "claude-opus-4-8", "input_tokens": 1000,
        "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
        "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915,
        "costs": {"input": 0.005, "output": 0.0125, "cache_creation": 0.00125, "cache_creation_5m": 0.00125,
            "cache_creation_1h": 0.0, "cache_read": 0.0004, "web_search": 0.0, "unexplained": 0.0},
        "project": "/home/me/shop", "session_id": "5f0c1a52-0000-4000-8000-000000000001", "branch": "main",
        "agent": null, "query_source": "main", "kind": "message", "web_searches": 0, "web_fetches": 0, "speed": null,
        "service_tier": "standard", "inference_geo": null, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        "price_from": "2026-04-16", "estimated_time": false, "id": "8e2f0c6a1b9d4e7f8e2f0c6a1b9d4e7f", "revision": 4321}],
    "pagination": {"page": 1, "limit": 50, "total": 1, "total_pages": 1, "next_cursor": null, "pruned": 0},
    "range": {"start": "2025-12-07T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

/// A page of responses.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    pub data: Vec<HistoryRow>,
    pub pagination: HistoryPagination,
    pub range: Range,
}

/// Where a page stands among all.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPagination {
    /// From 1 on; null where a cursor was followed.
    pub page: Option<u32>,
    pub limit: u32,
    /// Rows on all pages.
    pub total: u64,
    pub total_pages: u64,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
    /// Responses that are in every sum, and whose detail retention has removed.
    pub pruned: u64,
}

/// One response.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryRow {
    pub timestamp: String,
    pub model: Arc<str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_creation_tokens: u64,
    pub cache_creation_5m_tokens: u64,
    pub cache_creation_1h_tokens: u64,
    pub cache_read_tokens: u64,
    pub total_tokens: u64,
    /// US dollars at the list price of its day; null where its model has no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<Option<CostParts>>,
    pub project: Arc<str>,
    pub session_id: Arc<str>,
    pub branch: Option<Arc<str>>,
    /// The sub-agent that made it.
    pub agent: Option<Arc<str>>,
    /// `main` or `subagent`.
    pub query_source: &'static str,
    /// `message`, `advisor` or `compaction`.
    pub kind: &'static str,
    pub web_searches: u64,
    pub web_fetches: u64,
    pub speed: Option<Arc<str>>,
    pub service_tier: Option<Arc<str>>,
    pub inference_geo: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
    /// The day from which the price holds that it was priced with.
    pub price_from: Option<Arc<str>>,
    /// The transcript has no usable time for it; a neighbour's was taken.
    pub estimated_time: bool,
    /// Stable over restarts and re-reads.
    pub id: String,
    /// Grows with every change of the history.
    pub revision: u64,
}

impl HistoryRow {
    pub fn of(row: &store::HistoryRow, with_costs: bool) -> Self {
        let store::HistoryRow { revision, event, card, costs, flags } = row;
        let tokens = event.tokens;
        Self {
            timestamp: shown(event.at),
            model: Arc::clone(&event.model),
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cache_creation_tokens: tokens.cache_write(),
            cache_creation_5m_tokens: tokens.cache_write_5m,
            cache_creation_1h_tokens: tokens.cache_write_1h,
            cache_read_tokens: tokens.cache_read,
            total_tokens: tokens.total(),
            total_cost: with_costs.then(|| event.cost.map(crate::event::PicoUsd::usd)),
            costs: with_costs.then(|| costs.as_ref().map(CostParts::of)),
            project: Arc::clone(&event.project),
            session_id: Arc::clone(&event.session),
            branch: event.branch.clone(),
            agent: event.agent.clone(),
            query_source: event.query_source.name(),
            kind: kind(event.kind),
            web_searches: event.web.searches,
            web_fetches: event.web.fetches,
            speed: event.speed.clone(),
            service_tier: event.tier.clone(),
            inference_geo: event.geo.clone(),
            request_id: event.request_id.clone(),
            price_from: card.as_ref().map(|card| Arc::clone(&card.effective_date)),
            estimated_time: flags.has(UsageFlags::ESTIMATED_TIME),
            id: hexadecimal(event.id.0),
            revision: *revision,
        }
    }
}

/// What kind of work a response was.
pub fn kind(kind: ResponseKind) -> &'static str {
    match kind {
        ResponseKind::Message => "message",
        ResponseKind::Advisor => "advisor",
        ResponseKind::Compaction => "compaction",
    }
}

/// 32 digits.
fn hexadecimal(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = Scope::of(&state, &asked, Reach::Days(30))?;
        let (page, limit) = (page(&asked), limit(&asked));
        let order = if asked.word(&SORT) == "timestamp" { Order::Oldest } else { Order::Newest };
        let place = match asked.cursor(&CURSOR) {
            Some(_) if asked.has(&PAGE) => {
                return Err(ApiError::contradiction(CURSOR.name, "there is a page, too", "one of them"));
            }
            Some(query::Cursor { at, revision }) => {
                Place::After(store::Cursor { at: crate::event::UnixMillis(at), revision })
            }
            None => Place::Offset(u64::from(page - 1) * u64::from(limit)),
        };
        let costs = state.hub.shows_costs();
        let question = scope.question(&format!("history {order:?} {place:?} {limit}"));
        of_history(&state, &request, question, move |readers| {
            let found = readers.history(scope.span, &scope.filter, order, place, limit as usize)?;
            Ok(HistoryPage {
                data: found.rows.iter().map(|row| HistoryRow::of(row, costs)).collect(),
                pagination: HistoryPagination {
                    page: matches!(place, Place::Offset(_)).then_some(page),
                    limit,
                    total: found.total,
                    total_pages: found.total.div_ceil(u64::from(limit)),
                    next_cursor: found
                        .next
                        .map(|next| query::Cursor { at: next.at.0, revision: next.revision }.to_string()),
                    pruned: found.pruned,
                },
                range: scope.range(),
            })
        })
        .await
    })
}
