//! `/`: a range of the history in a few numbers, its days, models and projects.

mod aging;
mod heat;
mod month;

use std::sync::Arc;

use askama::Template;

use super::blocks::{ActiveBlock, Recent};
use super::chart::{Colour, Heat, Shares, Sparkline};
use super::data;
use super::figures::{Delta, Kinds, Row};
use super::format::{Number, percent};
use super::frame::Frame;
use super::models::ModelRow;
use super::projects::ProjectItem;
use super::range::Range;
use super::sessions::SessionItem;
use super::slots::{Slots, slots};
use super::tail::Tail;
use super::trend::TrendPanel;
use super::visit::{Answering, Page, Visit};
use crate::event::Tally;
use crate::route::Response;
use crate::store::{Brief, GroupOrder};
use crate::web::error::ApiError;
use month::Month;

pub static PAGE: Page = Page {
    path: "/",
    nav: Some(|words| words.overview.title),
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

/// How many models, projects, sessions and responses are shown.
const MODELS: usize = 10;
const PROJECTS: usize = 8;
const SESSIONS: usize = 8;
const RESPONSES: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    cards: Cards,
    month: Month,
    /// The five-hour window that is going on.
    active: Option<ActiveBlock>,
    trend: TrendPanel,
    year: Option<Heat>,
    week: Option<Heat>,
    models: Vec<ModelRow>,
    /// Of all models, where more than one is shown and none is left out.
    sum: Option<Row>,
    kinds: Kinds,
    projects: Vec<ProjectItem>,
    /// The newest.
    sessions: Vec<SessionItem>,
    sessions_url: String,
    tail: Tail,
    models_url: String,
    projects_url: String,
    api: Api,
}

/// Where the API says the same as each table.
struct Api {
    models: String,
    projects: String,
    sessions: String,
    hours: String,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let (state, scope, before) = (&visit.state, visit.scope()?, visit.scope_before());
    let previous = async {
        match &before {
            Some(before) => data::brief(state, before).await,
            None => Ok(Arc::default()),
        }
    };
    let (totals, previous, month, recent, models, all_models, projects, sessions, tail, slots, trend, year, week) = tokio::try_join!(
        data::brief(state, &scope),
        previous,
        Month::read(&visit),
        Recent::of(&visit),
        data::models(state, &scope, GroupOrder::Tokens),
        data::all_models(state),
        data::largest_projects(state, &scope, PROJECTS),
        data::newest_sessions(state, &scope, SESSIONS),
        Tail::read(&visit, scope.filter.clone(), RESPONSES),
        slots(state, &scope),
        TrendPanel::read(&visit, &scope),
        data::year(state, &scope),
        data::week(state, &scope),
    )?;
    let words = visit.words();
    let first = slots.all.first().map_or(visit.today(), |slot| slot.date).to_string();
    let mut frame = visit.frame(words.overview.title.to_string()).with_filters(&visit).await;
    frame.notices.extend(aging::notice(&visit).await);
    let page = Overview {
        frame,
        cards: Cards::of(&visit, &totals, &previous, &slots),
        month,
        active: ActiveBlock::of(&recent, None, &visit),
        trend,
        year: heat::year(&visit, &year),
        week: heat::week(&visit, &week),
        models: ModelRow::all(&models[..models.len().min(MODELS)], &totals.tally, &all_models, &visit),
        sum: (2..=MODELS).contains(&models.len()).then(|| Row::of(&totals.tally, &visit.format)),
        kinds: Kinds::of(totals.tally.tokens, words, &visit.format),
        projects: ProjectItem::all(projects.iter().map(|(path, tally)| (path, tally)), &visit),
        sessions: SessionItem::all(&sessions, &visit),
        tail,
        sessions_url: visit.view.at("/sessions"),
        models_url: visit.view.at("/models"),
        projects_url: visit.view.at("/projects"),
        api: Api {
            models: visit.api("/api/v1/stats/trends", &[("period", "monthly"), ("group_by", "model")]),
            projects: visit.api("/api/v1/stats/projects", &[]),
            sessions: visit.api("/api/v1/stats/sessions", &[]),
            hours: visit.api_since(&first, "/api/v1/stats/heatmap", &[]),
        },
    };
    Ok(visit.show(&page))
}

/// The figures at the top.
struct Cards {
    total: Number,
    total_change: Option<Delta>,
    /// The course of the total over the range; none where a line would say nothing.
    total_line: Option<Sparkline>,
    /// The total is that of the whole history, so it can be shown as soon as it is heard of.
    is_everything: bool,
    /// The total of the whole history beside that of a part of its time.
    ever: Option<Number>,
    cost: String,
    cost_change: Option<Delta>,
    cost_line: Option<Sparkline>,
    /// Tokens that the cost leaves out.
    unpriced: Number,
    hit_rate: String,
    hit: Shares,
    hit_change: Option<Delta>,
    sessions: Number,
    sessions_change: Option<Delta>,
    responses: Number,
    responses_change: Option<Delta>,
    newest: Option<String>,
}

impl Cards {
    fn of(visit: &Visit, now: &Brief, before: &Brief, slots: &Slots) -> Self {
        let (format, words) = (&visit.format, visit.words());
        let (sum, old) = (&now.tally, &before.tally);
        let change = |now: u64, before: u64| Delta::of(now.into(), before.into(), words);
        let reads = sum.tokens.cache_read;
        let (snapshot, unfiltered) = (&visit.snapshot, !visit.view.is_filtered());
        let all_time = visit.view.range == Range::All;
        Self {
            total: format.count(sum.tokens.total()),
            total_change: change(sum.tokens.total(), old.tokens.total()),
            total_line: line(slots, |tally| tally.tokens.total().into()),
            is_everything: all_time && unfiltered,
            ever: (!all_time && unfiltered).then(|| format.count(snapshot.totals.tokens.total())),
            cost: format.cost(sum).unwrap_or_else(|| words.overview.unknown.to_string()),
            // Bounds cannot be compared.
            cost_change: (sum.unpriced_tokens == 0 && old.unpriced_tokens == 0)
                .then(|| Delta::of(sum.cost.0, old.cost.0, words))
                .flatten(),
            cost_line: line(slots, |tally| u128::try_from(tally.cost.0).unwrap_or(0)),
            unpriced: format.count(sum.unpriced_tokens),
            hit_rate: percent(sum.cache_hit_rate()),
            hit: Shares::one(Colour::CacheRead, reads.into(), (reads + sum.tokens.input).into()),
            hit_change: (old.requests > 0).then(|| Delta::of_shares(sum.cache_hit_rate(), old.cache_hit_rate(), words)),
            sessions: format.things(now.sessions),
            sessions_change: change(now.sessions, before.sessions),
            responses: format.things(sum.requests),
            responses_change: change(sum.requests, old.requests),
            newest: snapshot.last_event_at.map(|at| format.instant(at)),
        }
    }
}

fn line(slots: &Slots, of: fn(&Tally) -> u128) -> Option<Sparkline> {
    let amounts: Vec<u128> = slots.all.iter().map(|slot| of(&slot.tally)).collect();
    (amounts.len() > 2 && amounts.iter().any(|amount| *amount > 0)).then(|| Sparkline::of(Colour::Plain, &amounts))
}
