//! The pages: HTML from the server, readable without a script. Templates escape every value; none switches that off.

pub mod chart;
pub mod docs;
pub mod format;
pub mod overview;

use askama::Template;
use warp::http::{HeaderValue, Method, StatusCode, header};

use crate::plugin::Routes;
use crate::route::{Class, Response, Route};
use crate::web::WebState;
use crate::web::assets::{self, Links};
use crate::web::error::ApiError;

/// All pages.
pub fn routes(state: &WebState) -> Routes {
    let state = state.clone();
    vec![
        Route::new(Method::GET, "/", move |_| overview::page(state.clone())).class(Class::Page),
        Route::get("/docs", docs::page).class(Class::Page),
    ]
}

/// Something went wrong, for a person with a browser.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    links: Links,
    status: u16,
    reason: &'a str,
    message: &'a str,
}

pub fn error_page(error: &ApiError) -> Response {
    let reason = error.status.canonical_reason().unwrap_or("error");
    let page = ErrorPage { links: assets::links(), status: error.status.as_u16(), reason, message: &error.message };
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
