//! The page that asks for the password, or says that it is not needed.

use askama::Template;
use warp::http::StatusCode;

use super::frame::Frame;
use super::html;
use super::preferences::Taste;
use crate::route::Response;
use crate::web::error::ApiError;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    /// Somebody is logged in already.
    inside: bool,
    /// Where the login leads; empty: to the overview.
    next: String,
    error: Option<String>,
}

/// The page; `refusal` is why the attempt before failed.
pub fn page(taste: Taste, inside: bool, next: Option<&str>, refusal: Option<&ApiError>) -> Response {
    let t = &taste.language.words().common;
    let title = if inside { t.logged_in } else { t.log_in };
    let mut frame = Frame::bare(taste, title.to_string());
    let next = next.unwrap_or_default().to_owned();
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    frame.back = if next.is_empty() { "/login".to_owned() } else { format!("/login?{query}") };
    let message = |error: &ApiError| match error.status {
        StatusCode::UNAUTHORIZED => t.wrong_password.to_string(),
        StatusCode::TOO_MANY_REQUESTS => t.too_many_attempts.to_string(),
        _ => error.message.clone(),
    };
    let page = LoginPage { frame, inside, next, error: refusal.map(message) };
    let mut response = html(refusal.map_or(StatusCode::OK, |error| error.status), &page);
    if let Some(error) = refusal {
        error.headers(response.headers_mut());
    }
    response
}
