//! `/projects`: where the tokens were used, and `/projects/{id}`: one of these places. The id is the project's path.

use std::sync::Arc;

use askama::Template;

use super::data;
use super::figures::{Row, Share, project_names};
use super::format::Number;
use super::frame::{Choice, Frame};
use super::models::{ModelRow, order, sorts};
use super::paging::{NUMBER, Pages};
use super::trend::TrendPanel;
use super::view::path_of;
use super::visit::{Answering, Page, Visit};
use crate::event::Tally;
use crate::route::Response;
use crate::store::{Filter, GroupOrder, ProjectRow, Span};
use crate::web::api::scope::Scope;
use crate::web::error::ApiError;
use crate::web::query::{Kind, Parameter};

static SORT: Parameter =
    Parameter { name: "sort", about: "", kind: Kind::Choice(&["tokens", "cost", "requests"]), example: "cost" };

pub static LIST: Page = Page {
    path: "/projects",
    nav: Some(|words| words.projects.title),
    parameters: &[&SORT, &NUMBER],
    handler: |visit| -> Answering { Box::pin(list(visit)) },
};

pub static ONE: Page =
    Page { path: "/projects/{id}", nav: None, parameters: &[], handler: |visit| -> Answering { Box::pin(one(visit)) } };

/// Rows a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    frame: Frame,
    sorts: Vec<Choice>,
    projects: Vec<Listed>,
    count: String,
    pages: Pages,
    api: String,
}

async fn list(visit: Visit) -> Result<Response, ApiError> {
    let scope = visit.scope()?;
    let (sort, number) = (visit.asked.word(&SORT), visit.asked.integer(&NUMBER).unwrap_or(1));
    let offset = (number as usize - 1).saturating_mul(ROWS);
    let found = data::projects(&visit.state, &scope, order(sort), (offset, ROWS)).await?;
    let (rows, total) = &*found;
    let t = &visit.words().projects;
    let page = ProjectsPage {
        frame: visit.frame(t.title.to_string()).with_filters(&visit).await,
        sorts: sorts(&visit, sort),
        projects: Listed::all(rows, &visit),
        count: t.count.count(*total, &visit.format).into(),
        pages: Pages::of(&visit, number, total.div_ceil(ROWS as u64)),
        api: visit.api("/api/v1/stats/projects", &[("sort", sort)]),
    };
    Ok(visit.show(&page))
}

/// One project in a list.
pub struct ProjectItem {
    pub name: String,
    pub path: Arc<str>,
    pub url: String,
    pub row: Row,
    /// Its tokens beside those of the largest in the list.
    pub share: Share,
}

impl ProjectItem {
    pub fn all<'a>(rows: impl IntoIterator<Item = (&'a Arc<str>, &'a Tally)>, visit: &Visit) -> Vec<Self> {
        let rows: Vec<(&Arc<str>, &Tally)> = rows.into_iter().collect();
        let paths: Vec<Arc<str>> = rows.iter().map(|(path, _)| Arc::clone(path)).collect();
        let largest = rows.iter().map(|(_, tally)| tally.tokens.total()).max().unwrap_or(0);
        let item = |((path, tally), name): ((&Arc<str>, &Tally), String)| Self {
            name,
            url: visit.view.with_projects(Vec::new()).at(&path_of("/projects", path)),
            path: Arc::clone(path),
            row: Row::of(tally, &visit.format),
            share: Share::of(tally.tokens.total(), largest),
        };
        rows.into_iter().zip(project_names(&paths, visit.words())).map(item).collect()
    }
}

/// The same with what only the list of all says.
struct Listed {
    item: ProjectItem,
    sessions: Number,
    last: Option<String>,
}

impl Listed {
    fn all(rows: &[ProjectRow], visit: &Visit) -> Vec<Self> {
        let items = ProjectItem::all(rows.iter().map(|row| (&row.project, &row.sums.tally)), visit);
        let listed = |(item, row): (ProjectItem, &ProjectRow)| Self {
            item,
            sessions: visit.format.things(row.sessions),
            last: row.last_at.map(|at| visit.format.instant(at)),
        };
        items.into_iter().zip(rows).map(listed).collect()
    }
}

#[derive(Template)]
#[template(path = "project.html")]
struct Project {
    frame: Frame,
    name: String,
    path: Arc<str>,
    /// None: nothing in this range.
    sums: Option<Sums>,
    trend: TrendPanel,
    models: Vec<ModelRow>,
    /// Of all models, where there is more than one.
    sum: Option<Row>,
    widen: String,
    api: String,
}

/// A project in a range.
struct Sums {
    row: Row,
    sessions: Number,
    first: Option<String>,
    last: Option<String>,
}

async fn one(mut visit: Visit) -> Result<Response, ApiError> {
    let path: Arc<str> = visit.request.variable("id").into();
    let asked = std::mem::replace(&mut visit.view.projects, vec![Arc::clone(&path)]);
    let scope = visit.scope()?;
    let (totals, models, all) = tokio::try_join!(
        data::totals(&visit.state, &scope),
        data::models(&visit.state, &scope, GroupOrder::Tokens),
        data::all_models(&visit.state),
    )?;
    if totals.sums.tally.requests == 0 {
        // Whatever else the address asks for.
        let filter = Filter { projects: vec![Arc::clone(&path)], ..Filter::default() };
        let all = data::totals(&visit.state, &Scope { filter, ..visit.scope_of(Span::ALL) }).await?;
        if all.sums.tally.requests == 0 {
            return Err(ApiError::not_found("there is no such project"));
        }
    }
    let format = &visit.format;
    let sums = (totals.sums.tally.requests > 0).then(|| Sums {
        row: Row::of(&totals.sums.tally, format),
        sessions: format.things(totals.sessions),
        first: totals.first_at.map(|at| format.instant(at)),
        last: totals.last_at.map(|at| format.instant(at)),
    });
    let rows = ModelRow::all(&models, &totals.sums.tally, &all, &visit);
    let api = visit.api("/api/v1/stats/projects", &[]);
    // The page itself is the filter; the form must not say it a second time.
    visit.view.projects = asked;
    let trend = TrendPanel::read(&visit, &scope).await?;
    let name = project_names(&[Arc::clone(&path)], visit.words()).pop().unwrap_or_default();
    let page = Project {
        frame: visit.frame(name.clone()).with_filters(&visit).await,
        name,
        path,
        sums,
        trend,
        models: rows,
        sum: (models.len() > 1).then(|| Row::of(&totals.sums.tally, &visit.format)),
        widen: visit.view.widest(),
        api,
    };
    Ok(visit.show(&page))
}
