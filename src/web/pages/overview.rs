//! The first page: the whole history in a few numbers, the last thirty days, models and projects.

pub mod figures;
pub mod situation;
mod trend;

use std::sync::Arc;

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use warp::http::StatusCode;

use crate::hub::Snapshot;
use crate::route::Response;
use crate::version;
use crate::web::WebState;
use crate::web::api::health::Health;
use crate::web::assets::{self, Links};
use crate::web::history::History;
use crate::web::pages::chart::Columns;
use crate::web::pages::{format, html};
use figures::{Cards, Kind, Models, Period, Project};
use situation::{Live, Notice, Progress, Welcome};

/// `GET /`
pub async fn page(state: WebState) -> Response {
    let snapshot = state.hub.snapshot();
    let zone = &state.settings.zone;
    let now = jiff::Timestamp::from_millisecond(state.clock.now().0).unwrap_or_default();
    let today = now.to_zoned(zone.clone()).date();
    let (history, unreadable) = match state.history.get(&state.readers, zone, snapshot.revision, today).await {
        Ok(history) => (history, false),
        Err(error) => {
            tracing::error!("{error:#}");
            (Arc::default(), true)
        }
    };
    let facts = Facts {
        snapshot: &snapshot,
        health: &state.health(),
        history: &history,
        unreadable,
        zone,
        today,
        costs: state.hub.shows_costs(),
        demo: state.settings.demo,
        logout: state.auth.is_on().then_some("/logout"),
    };
    html(StatusCode::OK, &Overview::of(&facts))
}

/// All that the page is made of.
pub struct Facts<'a> {
    snapshot: &'a Snapshot,
    health: &'a Health,
    history: &'a History,
    /// The history could not be read; `history` is empty.
    unreadable: bool,
    zone: &'a TimeZone,
    today: Date,
    costs: bool,
    demo: bool,
    /// Where one logs out, if there is a login.
    logout: Option<&'static str>,
}

/// The page, every word of it ready to be shown.
#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    links: Links,
    live: Live,
    notices: Vec<Notice>,
    /// Set until the first catch-up is done. Without a script the browser then asks again by itself.
    progress: Option<Progress>,
    /// Set for as long as there is nothing to count.
    welcome: Option<Welcome<'a>>,
    cards: Cards,
    kinds: Vec<Kind>,
    models: Models,
    /// None if there is nothing to draw.
    trend: Option<Columns>,
    /// What to say instead.
    no_trend: String,
    periods: Vec<Period>,
    projects: Vec<Project>,
    costs: bool,
    logout: Option<&'static str>,
    zone: String,
    price_table: &'a str,
    version: &'static str,
}

impl<'a> Overview<'a> {
    fn of(facts: &Facts<'a>) -> Self {
        Self {
            links: assets::links(),
            live: Live::of(facts.health),
            notices: situation::notices(facts),
            progress: Progress::of(facts.health),
            welcome: Welcome::of(facts),
            cards: Cards::of(facts),
            kinds: figures::kinds(facts.snapshot.totals.tokens),
            models: Models::of(facts.snapshot),
            trend: trend::of(facts),
            no_trend: situation::no_recent_usage(facts),
            periods: figures::periods(&facts.history.days),
            projects: figures::projects(&facts.history.projects),
            costs: facts.costs,
            logout: facts.logout,
            zone: format::zone_name(facts.zone),
            price_table: &facts.snapshot.store.price_table,
            version: version::VERSION,
        }
    }
}

#[cfg(test)]
mod tests;
