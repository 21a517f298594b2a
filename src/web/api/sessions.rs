//! `/api/v1/stats/sessions` and `/api/v1/stats/sessions/{id}`: conversations, and one of them in full.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::event::UnixMillis;
use crate::route::Request;
use crate::stats::Row;
use crate::store::{self, AgentRow, Filter, Readers, SessionOrder, Span, Split};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::rows::{CostParts, Pagination, rows};
use crate::web::api::scope::{PAGING, Range, Reach, SCOPE, Scope, shown};
use crate::web::api::trends::Period;
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

pub static SORT: Parameter = Parameter {
    name: "sort",
    about: "The latest or the greatest first, by this.",
    kind: Kind::Choice(&["last_activity", "started", "cost", "tokens"]),
    example: "cost",
};
static ID: Parameter = Parameter {
    name: "id",
    about: "The session's id.",
    kind: Kind::Text,
    example: "5f0c1a52-0000-4000-8000-000000000001",
};

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "Sums by session",
        about: "Without dates, the last 30 days. Numbers are of the range alone; `reported_cost` is of the whole session.",
        parameters: &[SCOPE, &[&SORT], PAGING],
        refusals: &[422],
        ..Endpoint::get(
            "/api/v1/stats/sessions",
            "statistics",
            Content::json::<SessionPage>("a page of sessions", PAGE_EXAMPLE),
            page,
        )
    },
    Endpoint {
        summary: "One session in full",
        about: "Over all time: by model, by sub-agent, and hour by hour.",
        variables: &[&ID],
        refusals: &[404],
        ..Endpoint::get(
            "/api/v1/stats/sessions/{id}",
            "statistics",
            Content::json::<SessionDetail>("the session", DETAIL_EXAMPLE),
            detail,
        )
    },
];

const PAGE_EXAMPLE: &str = r#"{
    "data": [{"session_id": "5f0c1a52-0000-4000-8000-000000000001", "projects": ["/home/me/shop"],
        "branches": ["main"], "models": ["claude-opus-4-8"], "started_at": "2026-01-06T11:00:00Z",
        "last_activity": "2026-01-06T12:00:00Z", "exact_times": true, "subagent_tokens": 0, "reported_cost": 0.02,
        "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
        "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915,
        "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0}],
    "pagination": {"page": 1, "limit": 50, "total": 1, "total_pages": 1},
    "range": {"start": "2025-12-07T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

const DETAIL_EXAMPLE: &str = r#"{
    "session": {"session_id": "5f0c1a52-0000-4000-8000-000000000001", "projects": ["/home/me/shop"],
        "branches": ["main"], "models": ["claude-opus-4-8"], "started_at": "2026-01-06T11:00:00Z",
        "last_activity": "2026-01-06T12:00:00Z", "exact_times": true, "subagent_tokens": 0, "reported_cost": 0.02,
        "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
        "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915,
        "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0},
    "models": [{"model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200,
        "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500,
        "total_cost": 0.01915, "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444,
        "web_searches": 0, "costs": {"input": 0.005, "output": 0.0125, "cache_creation": 0.00125,
            "cache_creation_5m": 0.00125, "cache_creation_1h": 0.0, "cache_read": 0.0004, "web_search": 0.0,
            "unexplained": 0.0}}],
    "agents": [{"agent": null, "first_activity": "2026-01-06T11:00:00Z", "last_activity": "2026-01-06T12:00:00Z",
        "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
        "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915,
        "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0}],
    "hours": [{"start": "2026-01-06T12:00:00Z", "end": "2026-01-06T13:00:00Z", "input_tokens": 1000,
        "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
        "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915,
        "requests": 1, "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0}]}"#;

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionPage {
    pub data: Vec<SessionRow>,
    pub pagination: Pagination,
    pub range: Range,
}

/// One session in a range.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionRow {
    pub session_id: Arc<str>,
    /// A session may move from one to another.
    pub projects: Vec<Arc<str>>,
    pub branches: Vec<Arc<str>>,
    pub models: Vec<Arc<str>>,
    /// Its first response in the range.
    pub started_at: String,
    /// Its last response in the range.
    pub last_activity: String,
    /// Both times are exact; else they are known to the quarter hour, since retention has removed the detail.
    pub exact_times: bool,
    /// The part of `total_tokens` that sub-agents used.
    pub subagent_tokens: u64,
    /// What Claude Code itself says the whole session cost, in US dollars; null where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost: Option<Option<f64>>,
    #[serde(flatten)]
    pub row: Row,
}

impl SessionRow {
    fn of(session: &store::SessionRow, costs: bool) -> Self {
        Self {
            session_id: Arc::clone(&session.session),
            projects: session.projects.clone(),
            branches: session.branches.clone(),
            models: session.models.clone(),
            started_at: shown(session.first_at),
            last_activity: shown(session.last_at),
            exact_times: session.is_exact,
            subagent_tokens: session.subagents.tokens.total(),
            reported_cost: costs.then_some(session.reported_usd),
            row: Row::of(&session.sums.tally, costs),
        }
    }
}

/// One session in full.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDetail {
    pub session: SessionRow,
    /// The dearest first.
    pub models: Vec<ModelRow>,
    /// The main conversation, which has no agent, and every sub-agent. Of responses that still have their detail.
    pub agents: Vec<Agent>,
    /// Hours with usage, the oldest first.
    pub hours: Vec<Hour>,
}

/// What one model did.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelRow {
    pub model: Arc<str>,
    #[serde(flatten)]
    pub row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostParts>,
}

impl ModelRow {
    pub fn of(group: &store::Group, costs: bool) -> Self {
        Self {
            model: group.name.clone().unwrap_or_default(),
            row: Row::of(&group.sums.tally, costs),
            costs: costs.then(|| CostParts::of(&group.sums.costs)),
        }
    }
}

/// What one agent did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    /// Null: the main conversation.
    pub agent: Option<Arc<str>>,
    pub first_activity: String,
    pub last_activity: String,
    #[serde(flatten)]
    pub row: Row,
}

/// One hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hour {
    pub start: String,
    /// Not included.
    pub end: String,
    #[serde(flatten)]
    pub row: Row,
}

/// The most hours that one session's detail may span before it is told by days: a year of them.
const MOST_HOURS: usize = 366 * 24;

impl SessionDetail {
    fn of(session: &store::SessionDetail, hours: &[store::Bucket], costs: bool) -> Self {
        let agent = |agent: &AgentRow| Agent {
            agent: agent.agent.clone(),
            first_activity: shown(agent.first_at),
            last_activity: shown(agent.last_at),
            row: Row::of(&agent.tally, costs),
        };
        let used = hours.iter().filter(|hour| hour.tally.requests > 0);
        let hour = |hour: &store::Bucket| Hour {
            start: shown(hour.from),
            end: shown(hour.to),
            row: Row::of(&hour.tally, costs),
        };
        Self {
            session: SessionRow::of(&session.row, costs),
            models: session.models.iter().map(|model| ModelRow::of(model, costs)).collect(),
            agents: session.agents.iter().map(agent).collect(),
            hours: used.map(hour).collect(),
        }
    }
}

/// The order that a word stands for.
pub fn order(word: &str) -> SessionOrder {
    match word {
        "started" => SessionOrder::Started,
        "cost" => SessionOrder::Cost,
        "tokens" => SessionOrder::Tokens,
        _ => SessionOrder::LastActivity,
    }
}

fn page(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = Scope::of(&state, &asked, Reach::Days(30))?;
        let order = order(asked.word(&SORT));
        let (costs, page) = (state.hub.shows_costs(), rows(&asked));
        let question = scope.question(&format!("sessions {order:?} {page:?}"));
        of_history(&state, &request, question, move |readers| {
            let found = readers.sessions(scope.span, &scope.filter, order, page)?;
            Ok(SessionPage {
                data: found.rows.iter().map(|session| SessionRow::of(session, costs)).collect(),
                pagination: Pagination::of(&asked, found.total),
                range: scope.range(),
            })
        })
        .await
    })
}

/// One session by its id.
pub fn find(readers: &Readers, id: &str) -> Result<store::SessionDetail, ApiError> {
    let unknown = || ApiError::not_found("there is no such session").with("parameter", ID.name);
    readers.session(id)?.ok_or_else(unknown)
}

fn detail(state: WebState, request: Arc<Request>, _: Asked) -> Answering {
    Box::pin(async move {
        let id = request.variable(ID.name).to_owned();
        let costs = state.hub.shows_costs();
        let question = format!("session {id}");
        of_history(&state, &request, question, move |readers| {
            let session = find(readers, &id)?;
            let (first, last) = (session.row.first_at, session.row.last_at);
            let hour = |at: UnixMillis| UnixMillis(at.0.div_euclid(3_600_000) * 3_600_000);
            let span = Span { from: hour(first), to: UnixMillis(hour(last).0 + 3_600_000) };
            let by_hour = Period::Hour.bounds(span, &TimeZone::UTC, MOST_HOURS);
            let bounds = by_hour.or_else(|| Period::Day.bounds(span, &TimeZone::UTC, MOST_HOURS)).unwrap_or_default();
            let filter = Filter { sessions: vec![Arc::clone(&session.row.session)], ..Filter::default() };
            let hours = readers.trend(&bounds, &filter, Split::Nothing)?;
            Ok(SessionDetail::of(&session, &hours, costs))
        })
        .await
    })
}
