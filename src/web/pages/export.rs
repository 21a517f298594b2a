//! `/export`: the history of a range as a file. The form goes to the API itself, so what is downloaded is what programs
//! get.

use askama::Template;
use warp::http::header;

use super::data::{self, remembered};
use super::format::{self, Number};
use super::frame::{Choice, Frame};
use super::language::Text;
use super::visit::{Answering, Page, Visit};
use crate::event::QuerySource;
use crate::route::Response;
use crate::store::{Overview, Span};
use crate::web::api::export::preview::{Preview, RowCount};
use crate::web::api::export::{LEVEL, Level};
use crate::web::api::scope::{END, QUERY_SOURCE, START, Scope, day};
use crate::web::error::ApiError;

pub static PAGE: Page = Page {
    path: "/export",
    nav: Some(|words| words.export.title),
    parameters: &[&LEVEL, &QUERY_SOURCE],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

/// Rows that are shown of a file.
const ROWS: usize = 5;

#[derive(Template)]
#[template(path = "export.html")]
struct ExportPage {
    frame: Frame,
    levels: Vec<Choice>,
    sources: Vec<Choice>,
    about: String,
    /// The fields of the form: what the API is asked with.
    fields: Vec<(&'static str, String)>,
    rows: Number,
    is_exact: bool,
    size: Option<String>,
    pruned: Option<String>,
    columns: Vec<String>,
    preview: Vec<Vec<Cell>>,
    preview_title: String,
    names_note: Text,
    url: String,
    curl: String,
    widen: String,
}

/// A value of a file, at a length that fits.
struct Cell {
    shown: String,
    whole: String,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let mut scope = visit.scope()?;
    let word = visit.asked.word(&LEVEL);
    let level = Level::of(word);
    let query_source = visit.asked.word(&QUERY_SOURCE);
    scope.filter.query_source = match query_source {
        "main" => Some(QuerySource::Main),
        "subagent" => Some(QuerySource::Subagent),
        _ => None,
    };
    let (totals, preview) = tokio::try_join!(data::totals(&visit.state, &scope), beginning(&visit, &scope, level))?;
    let (t, format) = (&visit.words().export, &visit.format);
    let mut fields = bounded(&visit, &scope, &totals);
    fields.push((LEVEL.name, word.to_owned()));
    if query_source != "all" {
        fields.push((QUERY_SOURCE.name, query_source.to_owned()));
    }
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let url = format!("/api/v1/export/csv?{query}");
    let page = ExportPage {
        frame: visit.frame(t.title.to_string()).with_filters(&visit).await,
        levels: Choice::of_own(
            &visit,
            LEVEL.name,
            word,
            &[("raw", t.level_raw), ("hour", t.level_hour), ("day", t.level_day)],
        ),
        sources: Choice::of_own(
            &visit,
            QUERY_SOURCE.name,
            query_source,
            &[("all", t.everything), ("main", t.main), ("subagent", t.subagent)],
        ),
        about: match level {
            Level::Raw => t.about_raw.to_string(),
            Level::Hour => t.about_hour.to_string(),
            Level::Day => t.about_day.with("zone", format.zone_name()).into(),
        },
        fields,
        rows: format.things(preview.count.number()),
        is_exact: matches!(preview.count, RowCount::Exactly(_)),
        size: size(&preview),
        pruned: (preview.pruned > 0).then(|| t.pruned.with("n", format.grouped(preview.pruned)).into()),
        columns: preview.columns.clone(),
        preview: preview.rows.iter().map(|row| row.iter().map(|value| Cell::of(value)).collect()).collect(),
        preview_title: t.preview_rows.count(preview.rows.len() as u64, format).into(),
        names_note: if level == Level::Raw { t.names_in } else { t.names_sum },
        curl: curl(&visit, &url),
        url,
        widen: visit.view.widest(),
    };
    Ok(visit.show(&page))
}

async fn beginning(visit: &Visit, scope: &Scope, level: Level) -> Result<std::sync::Arc<Preview>, ApiError> {
    let (asked, costs) = (scope.clone(), visit.costs());
    remembered(&visit.state, &scope.question(&format!("preview {level:?}")), move |readers| {
        Preview::of(readers, &asked, level, costs, ROWS)
    })
    .await
}

/// The view as the API's parameters. An export without a beginning would be of a month, so all time is written as its
/// days.
fn bounded(visit: &Visit, scope: &Scope, totals: &Overview) -> Vec<(&'static str, String)> {
    let mut fields = visit.api_pairs();
    if scope.span == Span::ALL {
        let known = |at: Option<_>| at.map_or(scope.today, |at| day(at, &scope.zone));
        let first = known(totals.first_at).min(scope.today);
        let last = known(totals.last_at).max(scope.today);
        fields.splice(0..0, [(START.name, first.to_string()), (END.name, last.to_string())]);
    }
    fields
}

/// What all rows take if they are like the first.
fn size(preview: &Preview) -> Option<String> {
    let RowCount::Exactly(count) = preview.count else { return None };
    let whole = preview.bytes.saturating_mul(count).checked_div(preview.rows.len() as u64)?;
    Some(format::bytes(whole))
}

impl Cell {
    fn of(value: &str) -> Self {
        Self { shown: format::cut_to(28, value), whole: value.to_owned() }
    }
}

/// The command line that downloads the same. The address is encoded, so nothing in it means anything to a shell.
fn curl(visit: &Visit, url: &str) -> String {
    let request = &visit.request;
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let here = |host: &str| format!("{}://{host}", if request.secure { "https" } else { "http" });
    let site = match (&visit.state.settings.public_url, host) {
        (Some(site), _) => site.trim_end_matches('/').to_owned(),
        (None, Some(host)) => here(host),
        (None, None) => here("localhost"),
    };
    let token = "-H \"Authorization: Bearer $(claude-token-monitor auth token)\" ";
    let login = if visit.state.auth.is_on() { token } else { "" };
    format!("curl --compressed -OJ {login}'{site}{url}'")
}
