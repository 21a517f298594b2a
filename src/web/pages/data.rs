//! What the pages ask of the history: the questions of the API, away from the threads that serve, remembered until
//! something changes. Every page reads through here.

use std::any::Any;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::event::{Tally, UnixMillis};
use crate::store::{
    Aging, BlockOptions, Blocks, Brief, Bucket, Dimension, Group, GroupOrder, Overview, ProjectRow, Readers,
    SessionOrder, SessionPage, SessionRow, Span, Split, WeekRow,
};
use crate::web::WebState;
use crate::web::api::answer::blocking;
use crate::web::api::scope::{Scope, start_of};
use crate::web::error::ApiError;
use crate::web::memory::Memory;

/// What pages have read, of any type.
pub type Shelf = Memory<Arc<dyn Any + Send + Sync>>;

const QUARTER: i64 = 900_000;

/// The most models that a page is about; who has more sees those with the most tokens.
const MOST_MODELS: usize = 200;

/// Looks at the history, or remembers what it said at this revision. `question` names everything that the answer depends
/// on besides the history itself.
pub async fn remembered<T: Send + Sync + 'static>(
    state: &WebState,
    question: &str,
    look: impl FnOnce(&Readers) -> Result<T, ApiError> + Send + 'static,
) -> Result<Arc<T>, ApiError> {
    let revision = state.hub.snapshot().revision;
    let readers = state.readers.clone();
    let look = || async move {
        let found = blocking(move || look(&readers)).await?;
        Ok(Arc::new(found) as Arc<dyn Any + Send + Sync>)
    };
    let question = format!("{} {question}", std::any::type_name::<T>());
    let found = state.shelf.get(&question, revision, look).await?;
    // The type is part of the question.
    found.downcast().map_err(|_| ApiError::internal())
}

/// The sums of a scope, its sessions, its first and its last response.
pub async fn totals(state: &WebState, scope: &Scope) -> Result<Arc<Overview>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question("totals"), move |readers| Ok(readers.sums(span, &filter)?)).await
}

/// The sums of a scope and its sessions, which is less work.
pub async fn brief(state: &WebState, scope: &Scope) -> Result<Arc<Brief>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question("brief"), move |readers| Ok(readers.brief(span, &filter)?)).await
}

/// The models of a scope, the greatest first.
pub async fn models(state: &WebState, scope: &Scope, order: GroupOrder) -> Result<Arc<Vec<Group>>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question(&format!("models {order:?}")), move |readers| {
        Ok(readers.grouped(span, &filter, Dimension::Model, order, (0, MOST_MODELS))?.0)
    })
    .await
}

/// A page of the projects of a scope, the greatest first, and how many there are.
pub async fn projects(
    state: &WebState,
    scope: &Scope,
    order: GroupOrder,
    page: (usize, usize),
) -> Result<Arc<(Vec<ProjectRow>, u64)>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question(&format!("projects {order:?} {page:?}")), move |readers| {
        Ok(readers.project_rows(span, &filter, order, page)?)
    })
    .await
}

/// A page of the sessions of a scope in an order, and how many there are.
pub async fn sessions(
    state: &WebState,
    scope: &Scope,
    order: SessionOrder,
    page: (usize, usize),
) -> Result<Arc<SessionPage>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question(&format!("sessions {order:?} {page:?}")), move |readers| {
        Ok(readers.sessions(span, &filter, order, page)?)
    })
    .await
}

/// The sessions of a scope with the newest responses.
pub async fn newest_sessions(state: &WebState, scope: &Scope, limit: usize) -> Result<Arc<Vec<SessionRow>>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question(&format!("newest sessions {limit}")), move |readers| {
        Ok(readers.newest_sessions(span, &filter, limit)?)
    })
    .await
}

/// The five-hour windows that a span touches, just now. All projects and models count together.
pub async fn blocks(state: &WebState, span: Span) -> Result<Arc<Blocks>, ApiError> {
    // Whether a window is going on, and what was in the last hour, changes by itself.
    const STEP: i64 = 5_000;
    let now = state.clock.now();
    let question = format!("blocks {} {} {}", span.from.0, span.to.0, now.0 / STEP);
    remembered(state, &question, move |readers| Ok(readers.block_totals(span, now, BlockOptions::default())?)).await
}

/// The projects of a scope with the most tokens.
pub async fn largest_projects(
    state: &WebState,
    scope: &Scope,
    limit: usize,
) -> Result<Arc<Vec<(Arc<str>, Tally)>>, ApiError> {
    let (span, filter) = (scope.span, scope.filter.clone());
    remembered(state, &scope.question(&format!("largest projects {limit}")), move |readers| {
        let (groups, _) = readers.grouped(span, &filter, Dimension::Project, GroupOrder::Tokens, (0, limit))?;
        Ok(groups.into_iter().filter_map(|group| Some((group.name?, group.sums.tally))).collect())
    })
    .await
}

/// The projects of all time with the most tokens, for whoever wants to choose one.
pub async fn project_names(state: &WebState, limit: usize) -> Result<Arc<Vec<Arc<str>>>, ApiError> {
    remembered(state, &format!("names {limit}"), move |readers| Ok(readers.project_names(limit)?)).await
}

/// Every model of the history, in the order in which it first saw them.
pub async fn all_models(state: &WebState) -> Result<Arc<Vec<Arc<str>>>, ApiError> {
    remembered(state, "all models", |readers| Ok(readers.models()?)).await
}

/// Files of a source that are deleted within so many days, if nobody writes to them.
pub async fn aging(state: &WebState, source: &str, days: u32) -> Result<Arc<Aging>, ApiError> {
    let age = i64::from(state.settings.cleanup_days.saturating_sub(days)) * UnixMillis::DAY;
    // To the quarter hour, so that whoever asks twice asks the same.
    let before = UnixMillis((state.clock.now().0 - age).div_euclid(QUARTER) * QUARTER);
    let source = source.to_owned();
    remembered(state, &format!("aging {source} {}", before.0), move |readers| Ok(readers.aging(&source, before)?)).await
}

/// The days of 53 weeks that end with today, the oldest first, of what a scope is about.
pub async fn year(state: &WebState, scope: &Scope) -> Result<Arc<Vec<Bucket>>, ApiError> {
    let Scope { zone, filter, today, .. } = scope.clone();
    let question = Scope { span: Span::ALL, ..scope.clone() }.question(&format!("year {today}"));
    remembered(state, &question, move |readers| {
        // From a Monday on.
        let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
        let first = monday.saturating_sub(52.weeks());
        let end = today.tomorrow().unwrap_or(Date::MAX);
        let dates = first.series(1.day()).take_while(|date| *date <= today).chain([end]);
        let bounds: Vec<UnixMillis> = dates.map(|date| start_of(date, &zone)).collect::<Result<_, _>>()?;
        Ok(readers.trend(&bounds, &filter, Split::Nothing)?)
    })
    .await
}

/// The hours of the week in a scope, Monday midnight first.
pub async fn week(state: &WebState, scope: &Scope) -> Result<Arc<Vec<WeekRow>>, ApiError> {
    let Scope { span, zone, filter, .. } = scope.clone();
    remembered(state, &scope.question("week"), move |readers| Ok(readers.week(span, &filter, &zone)?)).await
}
