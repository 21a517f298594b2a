//! The pages: HTML from the server, readable without a script. Templates escape every value; none switches that off.
//!
//! A request becomes a [`visit::Visit`]: who asks, for which [`view::View`], in which language. The page reads through
//! [`data`], puts what it found into words, and is shown in a [`frame::Frame`].

pub mod about;
pub mod blocks;
pub mod chart;
pub mod cost;
pub mod count;
pub mod data;
pub mod docs;
pub mod export;
pub mod figures;
pub mod format;
pub mod frame;
pub mod language;
pub mod live;
pub mod login;
pub mod models;
pub mod money;
pub mod overview;
pub mod paging;
pub mod preferences;
pub mod projects;
pub mod range;
pub mod session;
pub mod sessions;
pub mod sinks;
pub mod situation;
pub mod slots;
pub mod stack;
pub mod tail;
#[cfg(test)]
mod tests;
pub mod trend;
pub mod view;
pub mod visit;

use askama::Template;
use warp::http::{HeaderValue, StatusCode, header};

use crate::plugin::Routes;
use crate::route::Response;
use crate::web::WebState;
use crate::web::error::ApiError;
use frame::Frame;
use preferences::Taste;
use visit::Page;

/// Every page, in the order of the navigation.
static PAGES: [&Page; 13] = [
    &overview::PAGE,
    &live::PAGE,
    &models::PAGE,
    &projects::LIST,
    &projects::ONE,
    &sessions::PAGE,
    &session::PAGE,
    &blocks::PAGE,
    &cost::PAGE,
    &export::PAGE,
    &sinks::PAGE,
    &docs::PAGE,
    &about::PAGE,
];

/// All pages.
pub fn routes(state: &WebState) -> Routes {
    PAGES.iter().map(|page| page.route(state)).chain(preferences::routes()).chain(sinks::routes(state)).collect()
}

/// Something went wrong, for a person with a browser.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    status: u16,
    text: language::Text,
    /// What was wrong with the request, as the API says it.
    detail: Option<&'a str>,
}

pub fn error_page(error: &ApiError, taste: Taste) -> Response {
    let words = taste.language.words();
    let (title, text) = frame::error_words(error.status, words);
    let is_explained = error.status.is_client_error()
        && !matches!(error.status, StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS);
    let page = ErrorPage {
        frame: Frame::bare(taste, title.to_string()),
        status: error.status.as_u16(),
        text,
        detail: is_explained.then_some(error.message.as_str()),
    };
    html(error.status, &page)
}

/// A page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    let mut response = match page.render() {
        Ok(text) => Response::new(text.into()),
        Err(error) => {
            tracing::error!(%error, "rendering a page failed");
            return ApiError::internal().response();
        }
    };
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
