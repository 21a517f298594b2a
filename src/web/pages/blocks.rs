//! `/blocks`: the five-hour windows of a range, as the API estimates them, and the one that is going on.

mod active;
mod list;

use std::sync::Arc;

use askama::Template;

use super::chart::Columns;
use super::data;
use super::frame::Frame;
use super::paging::{NUMBER, Pages};
use super::visit::{Answering, Page, Visit};
use crate::route::Response;
use crate::store::Blocks;
use crate::web::api::blocks::TOKEN_LIMIT;
use crate::web::error::ApiError;

pub use active::{ActiveBlock, Rate, Recent};
use list::WindowItem;

pub static PAGE: Page = Page {
    path: "/blocks",
    nav: Some(|words| words.blocks.nav),
    parameters: &[&TOKEN_LIMIT, &NUMBER],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

/// Rows a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "blocks.html")]
struct BlocksPage {
    frame: Frame,
    /// What has to be known of all of it.
    notes: Vec<String>,
    active: Option<ActiveBlock>,
    /// What to say where no window is going on.
    idle: String,
    last_hour: Rate,
    limit: LimitForm,
    chart: Option<Columns>,
    windows: Vec<WindowItem>,
    count: String,
    empty: String,
    widen: String,
    caption: String,
    pages: Pages,
    api: String,
}

/// The field for a limit of one's own.
struct LimitForm {
    path: String,
    /// Fields that keep the rest of the view.
    hidden: Vec<(&'static str, String)>,
    value: Option<u32>,
}

async fn page(mut visit: Visit) -> Result<Response, ApiError> {
    let (limit, number) = (visit.asked.integer(&TOKEN_LIMIT), visit.asked.integer(&NUMBER).unwrap_or(1));
    let span = visit.scope()?.span;
    let (recent, blocks) = tokio::try_join!(Recent::of(&visit), data::blocks(&visit.state, span))?;
    let (t, format) = (&visit.words().blocks, &visit.format);
    let Blocks { windows, .. } = &*blocks;
    let at = |at| format.instant(at);
    let idle = match recent.last_end(visit.now) {
        Some(end) => vec![t.none_active.to_string(), t.last_ended.with("at", at(end)).into(), t.begins.to_string()],
        None => vec![t.none_active.to_string(), t.begins.to_string()],
    };
    let idle = idle.join(visit.taste.language.between_sentences());
    let empty = visit.nothing_here();
    let mut notes = vec![t.estimate.to_string()];
    notes.extend(recent.reset_at(visit.now).map(|reset| t.reset.with("at", at(reset)).to_string()));
    notes.extend(visit.view.is_filtered().then(|| t.all_projects.to_string()));
    let caption = t.caption.with("zone", format.zone_name()).to_string();
    let active = ActiveBlock::of(&recent, limit, &visit);
    let last_hour = recent.last_hour(&visit);
    let items = WindowItem::all(windows, (number as usize - 1).saturating_mul(ROWS), ROWS, &visit);
    let count = t.count.count(list::count(windows), format).into();
    let pages = Pages::of(&visit, number, windows.len().div_ceil(ROWS) as u64);
    let chart = list::chart(windows, &visit);
    let frame = visit.frame(t.title.to_string()).with_filters(&visit).await;
    let form = LimitForm {
        path: visit.view.path().to_owned(),
        hidden: visit.view.pairs_without(&[TOKEN_LIMIT.name]),
        value: limit,
    };
    let widen = visit.view.widest();
    // The API has no windows of some models or projects.
    visit.view.models = Vec::new();
    visit.view.projects = Vec::<Arc<str>>::new();
    let limit = limit.map(|limit| limit.to_string());
    let more: Vec<(&str, &str)> = limit.iter().map(|limit| (TOKEN_LIMIT.name, limit.as_str())).collect();
    let page = BlocksPage {
        frame,
        notes,
        active,
        idle,
        last_hour,
        limit: form,
        chart,
        windows: items,
        count,
        empty,
        widen,
        caption,
        pages,
        api: visit.api("/api/v1/stats/blocks", &more),
    };
    Ok(visit.show(&page))
}
