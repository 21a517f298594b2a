//! `/sessions/{id}`: one conversation over all time, with its models, its agents, and how it went on.

mod time;

use std::sync::Arc;

use askama::Template;

use super::chart::Columns;
use super::data;
use super::figures::{Kinds, Row, Share};
use super::format::{self, Number};
use super::frame::Frame;
use super::models::ModelRow;
use super::sessions::{ProjectLink, is_active, short};
use super::view::path_of;
use super::visit::{Answering, Page, Visit};
use crate::event::{PicoUsd, Tally};
use crate::route::Response;
use crate::store::{AgentRow, Bucket, SessionDetail};
use crate::web::api::sessions::find;
use crate::web::error::ApiError;

pub static PAGE: Page = Page {
    path: "/sessions/{id}",
    nav: None,
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    frame: Frame,
    id: Arc<str>,
    short: String,
    facts: Facts,
    note: String,
    chart: Option<Columns>,
    models: Vec<ModelRow>,
    /// Of all models, where there is more than one.
    sum: Option<Row>,
    kinds: Kinds,
    /// None where the main conversation did everything.
    agents: Vec<AgentItem>,
    list: String,
    api: String,
}

/// What the session is and has.
struct Facts {
    projects: Vec<ProjectLink>,
    branches: Vec<String>,
    row: Row,
    started: String,
    last: String,
    duration: String,
    subagents: Number,
    subagent_share: String,
    /// What Claude Code says that it cost.
    reported: Option<String>,
    is_active: bool,
}

/// One agent.
struct AgentItem {
    /// None: the main conversation.
    name: Option<String>,
    first: String,
    last: String,
    row: Row,
    share: Share,
}

/// What is known of a session, and how it went on.
struct Found {
    session: SessionDetail,
    time: Vec<Bucket>,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let id = visit.request.variable("id").to_owned();
    let zone = visit.zone().clone();
    let question = format!("session {id} {zone:?}");
    let found = data::remembered(&visit.state, &question, move |readers| {
        let session = find(readers, &id)?;
        let time = time::of(readers, &session.row, &zone)?;
        Ok(Found { session, time })
    })
    .await?;
    let known = data::all_models(&visit.state).await?;
    let SessionDetail { row, models, agents } = &found.session;
    let (t, format, tally) = (&visit.words().sessions, &visit.format, &row.sums.tally);
    let mut note = t.whole.with("zone", format.zone_name()).to_string();
    if !row.is_exact {
        note = [note.as_str(), t.not_exact.as_str()].join(visit.taste.language.between_sentences());
    }
    let page = SessionPage {
        frame: visit.frame(format!("{} {}", t.one, short(&row.session))),
        short: short(&row.session),
        facts: Facts::of(&found.session, &visit),
        note,
        chart: time::chart(&visit, &found.time),
        models: ModelRow::all(models, tally, &known, &visit),
        sum: (models.len() > 1).then(|| Row::of(tally, format)),
        kinds: Kinds::of(tally.tokens, visit.words(), format),
        agents: AgentItem::all(agents, tally, &visit),
        list: visit.view.at("/sessions"),
        api: path_of("/api/v1/stats/sessions", &row.session),
        id: Arc::clone(&row.session),
    };
    Ok(visit.show(&page))
}

impl Facts {
    fn of(session: &SessionDetail, visit: &Visit) -> Self {
        let (row, format) = (&session.row, &visit.format);
        let theirs = row.subagents.tokens.total();
        Self {
            projects: ProjectLink::all(row.projects.clone(), visit),
            branches: row.branches.iter().map(|branch| format::cut(branch)).collect(),
            row: Row::of(&row.sums.tally, format),
            started: format.instant(row.first_at),
            last: format.instant(row.last_at),
            duration: format.duration(row.last_at.0 - row.first_at.0),
            subagents: format.count(theirs),
            subagent_share: Share::of(theirs, row.sums.tally.tokens.total()).text,
            reported: row.reported_usd.filter(|_| visit.costs()).map(|usd| format.money(PicoUsd::of_usd(usd))),
            is_active: is_active(row.last_at, visit.now),
        }
    }
}

impl AgentItem {
    fn all(agents: &[AgentRow], whole: &Tally, visit: &Visit) -> Vec<Self> {
        let item = |agent: &AgentRow| Self {
            name: agent.agent.as_deref().map(format::cut),
            first: visit.format.instant(agent.first_at),
            last: visit.format.instant(agent.last_at),
            row: Row::of(&agent.tally, &visit.format),
            share: Share::of(agent.tally.tokens.total(), whole.tokens.total()),
        };
        if agents.iter().any(|agent| agent.agent.is_some()) { agents.iter().map(item).collect() } else { Vec::new() }
    }
}
