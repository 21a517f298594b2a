//! `/api/v1/auth/…`: logging in and out, for programs; see [`crate::web::auth`].

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::http::StatusCode;

use crate::route::{Access, Request, Response};
use crate::web::WebState;
use crate::web::api::answer::json;
use crate::web::api::endpoint::{Content, Endpoint, Verb};
use crate::web::auth::routes::{attempt, with_cookie};
use crate::web::auth::session::ABSOLUTE_MS;
use crate::web::error::ApiError;
use crate::web::form::is_of_type;

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        access: Access::Open,
        summary: "Log in",
        about: "Sets a cookie that lasts until it has not been used for 12 hours, and 7 days at the most. Five failures a \
                minute are a client's lot. Where no password is configured, any will do and no cookie is set.",
        body: Some(Content::json::<Credentials>("the password", r#"{"password": "correct horse battery staple"}"#)),
        refusals: &[401, 403, 413, 415],
        ..Endpoint::get(
            "/api/v1/auth/login",
            "login",
            Content::json::<Done>("logged in", r#"{"status": "ok", "expires_at": "2026-01-13T12:00:00Z"}"#),
            |state, request, _| Box::pin(log_in(state, request)),
        )
    },
    Endpoint {
        verb: Verb::Post,
        access: Access::Open,
        summary: "Log out",
        about: "Ends the session that the cookie names, and takes the cookie back.",
        refusals: &[403, 413],
        ..Endpoint::get(
            "/api/v1/auth/logout",
            "login",
            Content::json::<Done>("logged out", r#"{"status": "ok"}"#),
            |state, request, _| Box::pin(log_out(state, request)),
        )
    },
];

/// What logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub password: String,
}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// Always `ok`.
    pub status: &'static str,
    /// When the session ends at the latest. Missing where none was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

async fn log_in(state: WebState, request: Arc<Request>) -> Result<Response, ApiError> {
    if !is_of_type(&request, "application/json") {
        return Err(ApiError::media_type("application/json"));
    }
    let Ok(Credentials { password }) = serde_json::from_slice(&request.body) else {
        return Err(ApiError::bad_request("bad_body", "the body has to be {\"password\": \"…\"} and nothing else"));
    };
    let cookie = attempt(&state, &request, password).await?;
    let ends = Timestamp::from_millisecond(state.clock.now().0.saturating_add(ABSOLUTE_MS)).ok();
    let expires_at = cookie.as_ref().and(ends).map(|ends| ends.to_string());
    Ok(with_cookie(json(StatusCode::OK, &Done { status: "ok", expires_at }), cookie))
}

async fn log_out(state: WebState, request: Arc<Request>) -> Result<Response, ApiError> {
    let cookie = state.auth.log_out(&request.headers, request.secure).await;
    Ok(with_cookie(json(StatusCode::OK, &Done { status: "ok", expires_at: None }), cookie))
}
