//! `/api/v1/sinks`: how everything that leaves is doing, and what somebody may tell it; and what sinks answer over the
//! same server, for the API's own document.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::StatusCode;

use crate::deliver::{Control, ControlError, Start};
use crate::route::{Access, Class, Request, Response};
use crate::status::SinkReport;
use crate::web::WebState;
use crate::web::api::answer::json;
use crate::web::api::endpoint::{Answering, Content, Endpoint, Verb};
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Parameter};

static SINCE: Parameter = Parameter {
    name: "since",
    about: "The revision of the last message that was seen: go on from there without a gap.",
    kind: Kind::Integer { min: 0, max: u32::MAX, default: None },
    example: "4321",
};

static ID: Parameter =
    Parameter { name: "id", about: "The sink's id, as the list has it.", kind: Kind::Text, example: "otlp.logs" };
static FROM: Parameter = Parameter {
    name: "from",
    about: "`now`, `beginning`, a day (in the server's time zone) or a revision.",
    kind: Kind::Start,
    example: "2026-01-31",
};

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        summary: "How every sink is doing",
        about: "State, position, what waits, the last error and when it is tried again. A sink that is only asked, such as \
                /metrics, has no position.",
        ..Endpoint::get("/api/v1/sinks", "sinks", Content::json::<SinkList>("every sink", LIST), |state, _, _| {
            let sinks = state.hub.house().sinks(state.hub.snapshot().revision, state.clock.now().0);
            Box::pin(std::future::ready(Ok(json(StatusCode::OK, &SinkList { sinks }))))
        })
    },
    Endpoint {
        verb: Verb::Post,
        summary: "Send again",
        about: "From somewhere in the past, or go on from now; also says what to send to a target that has changed. A \
                receiver gets what it has had a second time, under the same ids.",
        variables: &[&ID],
        parameters: &[&[&FROM]],
        refusals: &[403, 404, 409, 413],
        ..Endpoint::get("/api/v1/sinks/{id}/replay", "sinks", Content::json::<Told>("it was told", TOLD), replay)
    },
    Endpoint {
        verb: Verb::Post,
        summary: "Pause a sink",
        about: "It sends nothing until it is told to go on, also after a restart. What comes meanwhile is kept.",
        variables: &[&ID],
        refusals: &[403, 404, 413],
        ..Endpoint::get("/api/v1/sinks/{id}/pause", "sinks", Content::json::<Told>("it was told", TOLD), pause)
    },
    Endpoint {
        verb: Verb::Post,
        summary: "Let a sink go on",
        about: "One that waits before its next try tries at once.",
        variables: &[&ID],
        refusals: &[403, 404, 413],
        ..Endpoint::get("/api/v1/sinks/{id}/resume", "sinks", Content::json::<Told>("it was told", TOLD), resume)
    },
    Endpoint {
        access: Access::Scrape,
        summary: "Metrics for Prometheus",
        about: "As OpenMetrics or in the older text format, whichever the scraper asks for.",
        ..Endpoint::of_a_sink(
            "/metrics",
            "sinks",
            Class::Scrape,
            Content::text("text/plain", "every metric", "claude_token_monitor_ready 1\n"),
        )
    },
    Endpoint {
        summary: "Every change, as it happens",
        about: "A WebSocket (RFC 6455). The first message is `initial_data` with all of /api/v1/stats/current, then comes a \
                `stats_update` for each model that has changed. A client may send `subscribe` and `unsubscribe` with \
                `models`, and `ping`. `/docs` has every message with an example.",
        parameters: &[&[&SINCE]],
        refusals: &[403, 426, 503],
        ..Endpoint::of_a_sink(
            "/ws",
            "live",
            Class::Live,
            Content::text("application/json", "the connection is a WebSocket from here on", ""),
        )
    },
];

const LIST: &str = r#"{"sinks": [{"id": "otlp.logs", "type": "otlp", "role": "delivery", "state": "retrying",
    "target": "http://127.0.0.1:4318", "cursor": 4300, "lag_events": 21, "lag_seconds": 12.5,
    "last_success_at": "2026-01-06T11:59:00.000Z", "last_error": "connection refused",
    "last_error_at": "2026-01-06T12:00:00.000Z", "failing_since": "2026-01-06T11:59:30.000Z",
    "next_try_at": "2026-01-06T12:00:08.000Z", "events": 4300, "dead_letters": 0, "dropped_events": 0, "restarts": 0,
    "failures": {"retryable": 3, "rejected": 0, "timeout": 0, "config": 0}}]}"#;

const TOLD: &str = r#"{"status": "ok"}"#;

/// Every sink.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkList {
    pub sinks: Vec<SinkReport>,
}

/// It was told, and will still know after a restart.
#[derive(Debug, Serialize, ToSchema)]
pub struct Told {
    /// Always `ok`.
    pub status: &'static str,
}

fn replay(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let from = Start::parse(asked.text(&FROM).unwrap_or_default(), &state.settings.zone)
            .ok_or_else(|| ApiError::parameter(FROM.name, "it cannot be", FROM.about))?;
        let control = control(&state)?;
        control.replay(request.variable(ID.name), from).await?;
        Ok(done())
    })
}

fn pause(state: WebState, request: Arc<Request>, _: Asked) -> Answering {
    Box::pin(async move {
        control(&state)?.pause(request.variable(ID.name)).await?;
        Ok(done())
    })
}

fn resume(state: WebState, request: Arc<Request>, _: Asked) -> Answering {
    Box::pin(async move {
        control(&state)?.resume(request.variable(ID.name)).await?;
        Ok(done())
    })
}

fn control(state: &WebState) -> Result<&Control, ApiError> {
    state.control.as_ref().ok_or_else(|| ApiError::not_found("no sink runs here"))
}

fn done() -> Response {
    json(StatusCode::OK, &Told { status: "ok" })
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NoSuchSink(_) => Self::not_found(error.to_string()),
            ControlError::NoCursor(_) => Self::new(StatusCode::CONFLICT, "no_cursor", error.to_string()),
            ControlError::Store(error) => error.into(),
        }
    }
}
