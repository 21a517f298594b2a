//! `/sessions`: the conversations of a range, one a row.

mod search;

use std::sync::Arc;

use askama::Template;

use super::data;
use super::figures::{Row, project_names};
use super::format;
use super::frame::{Choice, Frame};
use super::paging::{NUMBER, Pages};
use super::view::path_of;
use super::visit::{Answering, Page, Visit};
use crate::event::UnixMillis;
use crate::route::Response;
use crate::store::{SessionPage, SessionRow};
use crate::web::api::sessions::{SORT, order};
use crate::web::error::ApiError;
use search::Search;

pub static PAGE: Page = Page {
    path: "/sessions",
    nav: Some(|words| words.sessions.title),
    parameters: &[&SORT, &search::TEXT, &NUMBER],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

/// Rows a page.
const ROWS: usize = 50;

/// For how many minutes after a response a session counts as active.
const ACTIVE_MINUTES: i64 = 10;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    search: SearchForm,
    sorts: Vec<Choice>,
    sessions: Vec<SessionItem>,
    count: String,
    /// What to say where there is no session.
    empty: String,
    /// A wider view, and what leads there.
    wider: Choice,
    caption: String,
    pages: Pages,
    /// None where the API could not be asked the same in one address.
    api: Option<String>,
}

/// The field to look for a session with.
struct SearchForm {
    path: String,
    text: String,
    /// Fields that keep the rest of the view.
    hidden: Vec<(&'static str, String)>,
    /// Where the same is without the search.
    clear: String,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let (sort, number) = (visit.asked.word(&SORT), visit.asked.integer(&NUMBER).unwrap_or(1));
    let offset = (number as usize - 1).saturating_mul(ROWS);
    let search = Search::of(&visit).await?;
    let found = match search.scope(&visit)? {
        Some(scope) => data::sessions(&visit.state, &scope, order(sort), (offset, ROWS)).await?,
        None => Arc::new(SessionPage::default()),
    };
    let t = &visit.words().sessions;
    let text = search.text.clone();
    let clear = visit.view.with_own(search::TEXT.name, "").url();
    let widen = visit.view.widest();
    let wider = if text.is_empty() { (visit.words().common.widen, widen) } else { (t.clear_search, clear.clone()) };
    let page = SessionsPage {
        frame: visit.frame(t.title.to_string()).with_filters(&visit).await,
        sorts: sorts(&visit, sort),
        sessions: SessionItem::all(&found.rows, &visit),
        count: t.count.count(found.total, &visit.format).into(),
        empty: search.nothing(&visit),
        wider: Choice { name: wider.0.to_string(), url: wider.1, current: false },
        caption: t.caption.with("zone", visit.format.zone_name()).with("minutes", ACTIVE_MINUTES).into(),
        pages: Pages::of(&visit, number, found.total.div_ceil(ROWS as u64)),
        api: search.api(&visit, "/api/v1/stats/sessions", sort),
        search: SearchForm {
            path: visit.view.path().to_owned(),
            text,
            hidden: visit.view.pairs_without(&[search::TEXT.name]),
            clear,
        },
    };
    Ok(visit.show(&page))
}

/// The orders to choose from.
fn sorts(visit: &Visit, current: &str) -> Vec<Choice> {
    let (t, common) = (&visit.words().sessions, &visit.words().common);
    let mut sorts = vec![("last_activity", t.last), ("started", t.started), ("tokens", common.tokens)];
    sorts.extend(visit.costs().then_some(("cost", common.cost)));
    Choice::of_own(visit, SORT.name, current, &sorts)
}

/// One session in a list.
pub struct SessionItem {
    pub id: Arc<str>,
    /// As much of the id as people tell sessions apart by.
    pub short: String,
    pub url: String,
    pub projects: Vec<ProjectLink>,
    /// The first of its models.
    pub model: String,
    /// How many more there are: `+2`.
    pub more_models: Option<String>,
    /// All of them.
    pub models: String,
    pub started: String,
    pub last: String,
    pub duration: String,
    pub row: Row,
    pub is_active: bool,
}

/// Where a session worked.
#[derive(Clone)]
pub struct ProjectLink {
    pub name: String,
    pub path: Arc<str>,
    pub url: String,
}

impl ProjectLink {
    pub fn all(mut paths: Vec<Arc<str>>, visit: &Visit) -> Vec<Self> {
        paths.sort_unstable();
        paths.dedup();
        let names = project_names(&paths, visit.words());
        let link = |(path, name): (&Arc<str>, String)| Self {
            name,
            path: Arc::clone(path),
            url: visit.view.with_projects(Vec::new()).at(&path_of("/projects", path)),
        };
        paths.iter().zip(names).map(link).collect()
    }
}

impl SessionItem {
    pub fn all(rows: &[SessionRow], visit: &Visit) -> Vec<Self> {
        // Names are told apart among all that are shown.
        let links = ProjectLink::all(rows.iter().flat_map(|row| row.projects.iter().cloned()).collect(), visit);
        let link = |path: &Arc<str>| links.iter().find(|link| link.path == *path).cloned();
        let item = |row: &SessionRow| Self {
            short: short(&row.session),
            url: visit.view.at(&path_of("/sessions", &row.session)),
            id: Arc::clone(&row.session),
            projects: row.projects.iter().filter_map(link).collect(),
            model: format::cut(row.models.first().map_or("", |model| &**model)),
            more_models: (row.models.len() > 1).then(|| format!("+{}", row.models.len() - 1)),
            models: row.models.join(", "),
            started: visit.format.instant(row.first_at),
            last: visit.format.instant(row.last_at),
            duration: visit.format.duration(row.last_at.0 - row.first_at.0),
            row: Row::of(&row.sums.tally, &visit.format),
            is_active: is_active(row.last_at, visit.now),
        };
        rows.iter().map(item).collect()
    }
}

/// The first part of an id: eight letters of most.
pub(super) fn short(id: &str) -> String {
    const LETTERS: usize = 8;
    if id.chars().nth(LETTERS).is_none() {
        return id.to_owned();
    }
    id.chars().take(LETTERS).chain(['…']).collect()
}

/// A response has just come.
pub(super) fn is_active(last: UnixMillis, now: UnixMillis) -> bool {
    now.0.abs_diff(last.0) < ACTIVE_MINUTES.unsigned_abs() * 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut_to_what_tells_them_apart() {
        assert_eq!(short("5f0c1a52-0000-4000-8000-000000000001"), "5f0c1a52…");
        assert_eq!([short("5f0c1a52"), short("é")], ["5f0c1a52", "é"]);
    }

    #[test]
    fn a_session_is_active_for_ten_minutes() {
        let now = UnixMillis(1_795_438_800_000);
        assert!(is_active(UnixMillis(now.0 - 599_999), now) && !is_active(UnixMillis(now.0 - 600_000), now));
    }
}
