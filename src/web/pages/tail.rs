//! The newest responses, one a row: for `/live` and for the overview.

use std::sync::Arc;

use super::chart::ModelColours;
use super::data;
use super::figures::Row;
use super::format;
use super::sessions::{ProjectLink, short};
use super::view::path_of;
use super::visit::Visit;
use crate::event::{Event, QuerySource, Tally};
use crate::store::{Filter, HistoryRow, Order, Place, Span};
use crate::web::error::ApiError;

/// The newest responses, the newest first.
pub struct Tail {
    pub rows: Vec<TailRow>,
    pub caption: String,
    /// Where the API says the same.
    pub api: String,
}

/// One response.
pub struct TailRow {
    /// `14:05:09`; with the day where that is not today.
    pub at: String,
    pub model: String,
    /// Its colour's class.
    pub colour: &'static str,
    pub project: ProjectLink,
    pub session: String,
    pub session_url: String,
    pub is_subagent: bool,
    pub row: Row,
}

impl Tail {
    /// At most `count` responses of what a filter lets through, of all time.
    pub async fn read(visit: &Visit, filter: Filter, count: usize) -> Result<Self, ApiError> {
        let question = format!("tail {count} {filter:?}");
        let api = api(&filter, count);
        let rows = data::remembered(&visit.state, &question, move |readers| {
            Ok(readers.history(Span::ALL, &filter, Order::Newest, Place::Offset(0), count)?.rows)
        });
        let (rows, models) = tokio::try_join!(rows, data::all_models(&visit.state))?;
        Ok(Self {
            rows: TailRow::all(&rows, &models, visit),
            caption: visit.words().live.tail_caption.with("zone", visit.format.zone_name()).into(),
            api,
        })
    }
}

impl TailRow {
    fn all(rows: &[HistoryRow], models: &[Arc<str>], visit: &Visit) -> Vec<Self> {
        let colours = ModelColours::of(models.iter().map(|model| &**model));
        // Names are told apart among all that are shown.
        let links = ProjectLink::all(rows.iter().map(|row| Arc::clone(&row.event.project)).collect(), visit);
        let row = |row: &HistoryRow| {
            let event = &row.event;
            let project = links.iter().find(|link| link.path == event.project)?.clone();
            Some(Self {
                at: visit.format.moment(event.at, visit.now),
                model: format::cut(&event.model),
                colour: colours.colour(&event.model).class(),
                project,
                session: short(&event.session),
                session_url: visit.view.at(&path_of("/sessions", &event.session)),
                is_subagent: event.query_source == QuerySource::Subagent,
                row: Row::of(&tally(event), &visit.format),
            })
        };
        rows.iter().filter_map(row).collect()
    }
}

/// Where the API says the same.
fn api(filter: &Filter, count: usize) -> String {
    let mut query = form_urlencoded::Serializer::new("/api/v1/stats/history?".to_owned());
    query.append_pair("start_date", "1970-01-01").append_pair("limit", &count.to_string());
    query.extend_pairs(filter.models.iter().map(|model| ("model", model)));
    query.extend_pairs(filter.projects.iter().map(|project| ("project", project)));
    query.finish()
}

fn tally(event: &Event) -> Tally {
    Tally::of(event.tokens, event.web.searches, event.cost)
}
