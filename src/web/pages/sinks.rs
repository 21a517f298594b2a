//! `/sinks`: how everything that leaves is doing, and everything that comes in; and `POST /sinks`, which tells a sink to
//! pause, to go on, or to send again.

use std::sync::Arc;

use askama::Template;
use warp::http::Method;

use super::figures::Fact;
use super::format;
use super::frame::Frame;
use super::language::Text;
use super::visit::{Answering, Page, Visit};
use crate::deliver::Start;
use crate::event::UnixMillis;
use crate::plugin::Routes;
use crate::route::{Class, Request, Response, Route};
use crate::status::{SinkReport, SinkRole, SinkState};
use crate::web::WebState;
use crate::web::api::health::SourceHealth;
use crate::web::error::ApiError;
use crate::web::form::{Form, see_other};

pub static PAGE: Page = Page {
    path: "/sinks",
    nav: Some(|words| words.sinks.nav),
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(std::future::ready(Ok(page(&visit)))) },
};

#[derive(Template)]
#[template(path = "sinks.html")]
struct SinksPage {
    frame: Frame,
    sinks: Vec<SinkItem>,
    /// Where an action leads back to; none where nobody can tell a sink anything.
    back: Option<String>,
    /// The last day from which something may be sent again.
    today: String,
    sources: Vec<SourceItem>,
    store: [Fact; 3],
}

/// One sink.
struct SinkItem {
    id: String,
    kind: &'static str,
    /// Where it sends to.
    target: Option<String>,
    class: &'static str,
    state: Text,
    facts: Vec<Fact>,
    /// The last error and when it was; with since when it goes on like that, if it does.
    error: Option<(String, String)>,
    /// What it can be told now, each with its word in the form; none of what is only asked.
    actions: Vec<(&'static str, Text)>,
    /// It can be told to send again.
    has_cursor: bool,
}

/// One source.
struct SourceItem {
    kind: &'static str,
    facts: Vec<Fact>,
    roots: Vec<(String, String)>,
}

fn page(visit: &Visit) -> Response {
    let (t, state) = (&visit.words().sinks, &visit.state);
    let sinks = state.hub.house().sinks(visit.snapshot.revision, visit.now.0);
    let store = &visit.snapshot.store;
    let page = SinksPage {
        frame: visit.frame(t.title.to_string()).without_welcome(),
        sinks: sinks.iter().map(|sink| SinkItem::of(sink, visit)).collect(),
        back: state.control.is_some().then(|| visit.view.url()),
        today: visit.today().to_string(),
        sources: state.health().sources.iter().map(|source| SourceItem::of(source, visit)).collect(),
        store: [
            Fact::of(t.size, format::bytes(store.size_bytes)),
            Fact::of(visit.words().common.responses, visit.format.grouped(store.responses)),
            Fact::of(t.revision, visit.format.grouped(visit.snapshot.revision)),
        ],
    };
    visit.show(&page)
}

impl SinkItem {
    fn of(sink: &SinkReport, visit: &Visit) -> Self {
        let (t, format) = (&visit.words().sinks, &visit.format);
        let (class, state) = match sink.state {
            SinkState::Ok => ("good", t.ok),
            SinkState::Waiting => ("calm", t.waiting),
            SinkState::Retrying => ("warn", t.retrying),
            SinkState::Paused => ("calm", t.paused),
            SinkState::Failed => ("bad", t.failed),
        };
        let at = |at: i64| format.moment(UnixMillis(at), visit.now);
        let (is_told, has_cursor) = (sink.role != SinkRole::Follower, sink.role == SinkRole::Delivery);
        let mut facts = Vec::new();
        if has_cursor {
            let lag = t.lag_of.with("n", format.grouped(sink.lag_events)).with("time", format.duration(lag(sink)));
            facts.push(Fact::of(t.lag, if sink.lag_events == 0 { t.nothing.to_string() } else { lag.into() }));
        }
        if is_told {
            facts.push(Fact::of(t.last_success, sink.last_success_at.map_or_else(|| "–".to_owned(), at)));
            facts.push(Fact::of(t.sent, format.grouped(sink.events)));
            facts.extend(sink.cursor.map(|cursor| Fact::of(t.cursor, format.grouped(cursor))));
            facts.extend((sink.dead_letters > 0).then(|| Fact::of(t.dead_letters, format.grouped(sink.dead_letters))));
            facts.extend((sink.dropped_events > 0).then(|| Fact::of(t.dropped, format.grouped(sink.dropped_events))));
        }
        let failures = sink.failures.each().iter().map(|(_, count)| count).sum::<u64>();
        facts.extend((failures > 0).then(|| Fact::of(t.failures, format.grouped(failures))));
        facts.extend((sink.restarts > 0).then(|| Fact::of(t.restarts, format.grouped(sink.restarts))));
        facts.extend(sink.next_try_at.map(|next| Fact::of(t.next_try, at(next))));
        let error = sink.last_error.as_ref().map(|error| {
            let when = sink.last_error_at.map(at).unwrap_or_default();
            let since = sink.failing_since.map(|since| t.failing_since.with("at", at(since)).to_string());
            (error.clone(), since.map_or(when.clone(), |since| format!("{when} · {since}")))
        });
        Self {
            id: sink.id.clone(),
            kind: sink.kind,
            target: sink.target.clone(),
            class,
            state,
            facts,
            error,
            actions: match sink.state {
                _ if !is_told => Vec::new(),
                SinkState::Paused => vec![("resume", t.resume)],
                SinkState::Retrying | SinkState::Failed => vec![("pause", t.pause), ("resume", t.try_now)],
                SinkState::Ok | SinkState::Waiting => vec![("pause", t.pause)],
            },
            has_cursor,
        }
    }
}

/// How long it has not been up to date, in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a time for display")]
fn lag(sink: &SinkReport) -> i64 {
    (sink.lag_seconds * 1000.0) as i64
}

impl SourceItem {
    fn of(source: &SourceHealth, visit: &Visit) -> Self {
        let (t, format) = (&visit.words().sinks, &visit.format);
        let read = visit.snapshot.ingest.by_source.get(source.kind).map_or(0, |totals| totals.tally.bytes);
        Self {
            kind: source.kind,
            facts: [
                Some(Fact::of(t.files, format.grouped(source.files))),
                // Only of what is read line by line.
                (read > 0).then(|| Fact::of(t.read, format::bytes(read))),
                Some(Fact::of(t.missing_files, format.grouped(source.missing_files))),
                Some(Fact::of(t.io_errors, format.grouped(source.io_errors))),
                Some(Fact::of(t.skipped_lines, format.grouped(source.skipped_lines))),
            ]
            .into_iter()
            .flatten()
            .collect(),
            roots: source.roots.iter().map(|root| (root.path.clone(), root.state.clone())).collect(),
        }
    }
}

/// `POST /sinks`: the fields `sink`, `action` (`pause`, `resume` or `replay`), `from` for the last one, and `back`.
pub fn routes(state: &WebState) -> Routes {
    let state = state.clone();
    let handler = move |request: Arc<Request>| {
        let state = state.clone();
        async move { told(&state, &request).await.unwrap_or_else(ApiError::response) }
    };
    vec![Route::new(Method::POST, "/sinks", handler).class(Class::Page)]
}

async fn told(state: &WebState, request: &Request) -> Result<Response, ApiError> {
    let form = Form::of(request)?;
    let field = |name: &str| form.field(name).unwrap_or_default();
    let control = state.control.as_ref().ok_or_else(|| ApiError::not_found("no sink runs here"))?;
    let sink = field("sink");
    match field("action").as_str() {
        "pause" => control.pause(&sink).await?,
        "resume" => control.resume(&sink).await?,
        "replay" => {
            // A form that names no day means all of it.
            let from = form.field("from").filter(|day| !day.is_empty()).unwrap_or_else(|| "beginning".to_owned());
            let start = Start::parse(&from, &state.settings.zone)
                .ok_or_else(|| ApiError::parameter("from", "it cannot be", "now, beginning or a day"))?;
            control.replay(&sink, start).await?;
        }
        _ => return Err(ApiError::parameter("action", "it is none", "pause, resume or replay")),
    }
    Ok(see_other(form.back().as_deref().unwrap_or("/sinks")))
}
