//! What the search field of `/sessions` finds: sessions whose id begins with a text, or else those of projects that have
//! it in their path. Either is a filter that the API has, too.

use std::sync::Arc;

use crate::web::api::scope::{PROJECT, SESSION, Scope};
use crate::web::error::ApiError;
use crate::web::pages::data;
use crate::web::pages::visit::Visit;
use crate::web::query::{Kind, MOST_NAMES, Parameter};

pub(super) static TEXT: Parameter = Parameter { name: "q", about: "", kind: Kind::Text, example: "5f0c1a52" };

/// The most sessions or projects that a text may stand for.
const MOST: usize = 1_000;

/// A text, and what it stands for.
pub(super) struct Search {
    /// Empty: nobody looks for anything.
    pub(super) text: String,
    found: Found,
}

enum Found {
    Everything,
    Sessions(Vec<Arc<str>>),
    Projects(Vec<Arc<str>>),
    Nothing,
    TooMany,
}

impl Search {
    pub(super) async fn of(visit: &Visit) -> Result<Self, ApiError> {
        let text = visit.asked.text(&TEXT).unwrap_or_default().trim().to_owned();
        if text.is_empty() {
            return Ok(Self { text, found: Found::Everything });
        }
        let beginning = text.clone();
        let look = move |readers: &crate::store::Readers| Ok(readers.session_ids(&beginning, MOST + 1)?);
        let sessions = data::remembered(&visit.state, &format!("session ids {text}"), look).await?;
        let found = match sessions.len() {
            0 => Self::projects(visit, &text).await?,
            1..=MOST => Found::Sessions(sessions.to_vec()),
            _ => Found::TooMany,
        };
        Ok(Self { text, found })
    }

    async fn projects(visit: &Visit, text: &str) -> Result<Found, ApiError> {
        let text = text.to_lowercase();
        let known = data::project_names(&visit.state, MOST).await?;
        let filter = &visit.view.projects;
        let is_meant =
            |path: &&Arc<str>| path.to_lowercase().contains(&text) && (filter.is_empty() || filter.contains(path));
        let projects: Vec<Arc<str>> = known.iter().filter(is_meant).cloned().collect();
        Ok(if projects.is_empty() { Found::Nothing } else { Found::Projects(projects) })
    }

    /// The scope of the view, narrowed. None: nothing can be in it.
    pub(super) fn scope(&self, visit: &Visit) -> Result<Option<Scope>, ApiError> {
        let mut scope = visit.scope()?;
        match &self.found {
            Found::Everything => {}
            Found::Sessions(sessions) => scope.filter.sessions.clone_from(sessions),
            Found::Projects(projects) => scope.filter.projects.clone_from(projects),
            Found::Nothing | Found::TooMany => return Ok(None),
        }
        Ok(Some(scope))
    }

    /// What is said where there is no session.
    pub(super) fn nothing(&self, visit: &Visit) -> String {
        let t = &visit.words().sessions;
        match &self.found {
            Found::TooMany => t.too_many.with("n", visit.format.grouped(MOST as u64)).with("text", &self.text).into(),
            Found::Everything => visit.nothing_here(),
            _ => t.none_found.with("text", &self.text).into(),
        }
    }

    /// Where the API says the same; none where that takes more names than it allows.
    pub(super) fn api(&self, visit: &Visit, path: &str, sort: &str) -> Option<String> {
        let names = match &self.found {
            Found::Everything => &[][..],
            Found::Sessions(names) | Found::Projects(names) => names,
            Found::Nothing | Found::TooMany => return None,
        };
        if names.len() > MOST_NAMES {
            return None;
        }
        let is_of_projects = matches!(self.found, Found::Projects(_));
        let name = if is_of_projects { PROJECT.name } else { SESSION.name };
        // Projects that were found take the place of those of the view.
        let said = |name: &Arc<str>| is_of_projects && visit.view.projects.contains(name);
        let mut more = vec![("sort", sort)];
        more.extend(names.iter().filter(|name| !said(name)).map(|value| (name, &**value)));
        let narrowed = is_of_projects && !visit.view.projects.iter().all(|project| names.contains(project));
        (!narrowed).then(|| visit.api(path, &more))
    }
}
