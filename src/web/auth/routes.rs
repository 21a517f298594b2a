//! Logging in and out on a page that works without a script; for programs there is [`crate::web::api::auth`].

use std::sync::Arc;

use warp::http::{HeaderValue, Method, StatusCode, header};

use super::{LoginError, Who};
use crate::plugin::Routes;
use crate::route::{Access, Class, Request, Response, Route};
use crate::web::WebState;
use crate::web::error::ApiError;
use crate::web::form::{Form, is_path, parameter, see_other};
use crate::web::pages::login;
use crate::web::pages::preferences::Taste;

/// All of them open to everybody.
pub fn routes(state: &WebState) -> Routes {
    let route = |method, path, handler: Handler| {
        let state = state.clone();
        Route::new(method, path, move |request| {
            let state = state.clone();
            async move { handler(state, request).await }
        })
        .access(Access::Open)
        .class(Class::Page)
    };
    vec![
        route(Method::GET, "/login", |state, request| Box::pin(std::future::ready(page(&state, &request)))),
        route(Method::POST, "/login", |state, request| Box::pin(submitted(state, request))),
        route(Method::POST, "/logout", |state, request| Box::pin(left(state, request))),
    ]
}

type Handler = fn(WebState, Arc<Request>) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// `GET /login`
fn page(state: &WebState, request: &Request) -> Response {
    let next = parameter(request.query.as_bytes(), "next").filter(|next| is_local(next));
    if !state.auth.is_on() {
        return see_other(next.as_deref().unwrap_or("/"));
    }
    let inside = state.auth.identify(&request.headers, request.secure) == Who::Session;
    login::page(taste(state, request), inside, next.as_deref(), None)
}

/// `POST /login`
async fn submitted(state: WebState, request: Arc<Request>) -> Response {
    let form = match Form::of(&request) {
        Ok(form) => form,
        Err(error) => return error.response(),
    };
    let password = form.field("password").unwrap_or_default();
    let next = form.field("next").filter(|next| is_local(next));
    match attempt(&state, &request, password).await {
        Ok(cookie) => with_cookie(see_other(next.as_deref().unwrap_or("/")), cookie),
        Err(error) => login::page(taste(&state, &request), false, next.as_deref(), Some(&error)),
    }
}

fn taste(state: &WebState, request: &Request) -> Taste {
    Taste::of(&request.headers, &request.query, state.settings.language)
}

/// `POST /logout`
async fn left(state: WebState, request: Arc<Request>) -> Response {
    let cookie = state.auth.log_out(&request.headers, request.secure).await;
    with_cookie(see_other("/login"), cookie)
}

pub async fn attempt(state: &WebState, request: &Request, password: String) -> Result<Option<HeaderValue>, ApiError> {
    let outcome = state.auth.log_in(request.client, password, &request.headers, request.secure).await;
    outcome.map_err(|error| {
        state.hub.house().count_login_failure();
        match error {
            LoginError::WrongPassword => {
                tracing::warn!(client = %request.client, "a login failed");
                ApiError::new(StatusCode::UNAUTHORIZED, "invalid_password", "Invalid password")
            }
            LoginError::TooMany(wait) => ApiError::too_many("too_many_attempts", wait),
            LoginError::Failed => ApiError::internal(),
        }
    })
}

/// Where a login may lead.
pub fn is_local(path: &str) -> bool {
    is_path(path) && !path.starts_with("/login")
}

pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_this_server_only() {
        for path in ["/", "/?range=7d", "/docs", "/a/b%20c"] {
            assert!(is_local(path), "{path}");
        }
        for path in [
            "",
            "docs",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\r\nx: y",
            "/a b",
            "/ä",
            "/login",
            "/login?next=/",
        ] {
            assert!(!is_local(path), "{path:?}");
        }
        assert!(!is_local(&format!("/{}", "x".repeat(1024))));
    }
}
