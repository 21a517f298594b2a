//! `/api/v1/stats/projects`: which directories the tokens were used in.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::route::Request;
use crate::stats::Row;
use crate::store::{self, GroupOrder};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::rows::{Pagination, rows};
use crate::web::api::scope::{PAGING, Range, Reach, SCOPE, Scope, instant};
use crate::web::query::{Asked, Kind, Parameter};

static SORT: Parameter = Parameter {
    name: "sort",
    about: "The greatest first, by this.",
    kind: Kind::Choice(&["tokens", "cost", "requests"]),
    example: "cost",
};

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Sums by project",
    about: "Without dates, the last 30 days. A project is the root of the repository that was worked in, or else the \
            directory.",
    parameters: &[SCOPE, &[&SORT], PAGING],
    refusals: &[422],
    ..Endpoint::get(
        "/api/v1/stats/projects",
        "statistics",
        Content::json::<ProjectPage>("a page of projects", EXAMPLE),
        answer,
    )
}];

const EXAMPLE: &str = r#"{
    "data": [{"project": "/home/me/shop", "name": "shop", "sessions": 3, "first_activity": "2026-01-05T08:00:00Z",
        "last_activity": "2026-01-06T12:00:00Z", "input_tokens": 1000, "output_tokens": 500,
        "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200, "cache_creation_1h_tokens": 0,
        "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915, "requests": 1, "unpriced_tokens": 0,
        "cache_hit_rate": 0.4444444444444444, "web_searches": 0}],
    "pagination": {"page": 1, "limit": 50, "total": 1, "total_pages": 1},
    "range": {"start": "2025-12-07T00:00:00Z", "end": "2026-01-07T00:00:00Z", "time_zone": "UTC"}}"#;

/// A page of projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectPage {
    pub data: Vec<ProjectRow>,
    pub pagination: Pagination,
    pub range: Range,
}

/// One project in a range.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectRow {
    /// The directory.
    pub project: Arc<str>,
    /// Its last part.
    pub name: String,
    /// Sessions with a response in the range.
    pub sessions: u64,
    pub first_activity: Option<String>,
    pub last_activity: Option<String>,
    #[serde(flatten)]
    pub row: Row,
}

impl ProjectRow {
    fn of(project: &store::ProjectRow, costs: bool) -> Self {
        Self {
            name: short(&project.project).to_owned(),
            project: Arc::clone(&project.project),
            sessions: project.sessions,
            first_activity: project.first_at.and_then(instant),
            last_activity: project.last_at.and_then(instant),
            row: Row::of(&project.sums.tally, costs),
        }
    }
}

/// The last part of a path, whichever way its parts are divided.
fn short(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path)
}

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let scope = Scope::of(&state, &asked, Reach::Days(30))?;
        let order = match asked.word(&SORT) {
            "cost" => GroupOrder::Cost,
            "requests" => GroupOrder::Requests,
            _ => GroupOrder::Tokens,
        };
        let (costs, page) = (state.hub.shows_costs(), rows(&asked));
        let question = scope.question(&format!("projects {order:?} {page:?}"));
        of_history(&state, &request, question, move |readers| {
            let (found, total) = readers.project_rows(scope.span, &scope.filter, order, page)?;
            Ok(ProjectPage {
                data: found.iter().map(|project| ProjectRow::of(project, costs)).collect(),
                pagination: Pagination::of(&asked, total),
                range: scope.range(),
            })
        })
        .await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_called_by_the_last_part_of_their_path() {
        for (path, name) in
            [("/home/me/shop", "shop"), (r"C:\work\shop\", "shop"), ("shop", "shop"), ("/", "/"), ("", "")]
        {
            assert_eq!(short(path), name);
        }
    }
}
