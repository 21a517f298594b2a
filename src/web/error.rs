//! What is said when something cannot be answered: one shape for all of it, `{"error": …, "code": …}`.
//!
//! `error` is for people, `code` for programs: it is one of a closed set and never changes its meaning.

use std::convert::Infallible;

use serde_json::{Map, Value};
use warp::Rejection;
use warp::http::{HeaderValue, StatusCode, header};
use warp::hyper::body::Bytes;

use crate::route::{MethodNotAllowed, READ_ONLY, Response};
use crate::web::guard::Refusal;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// Further fields of the answer.
    pub details: Map<String, Value>,
    allow: Option<&'static str>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new(), allow: None }
    }

    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.details.insert(field.to_owned(), value.into());
        self
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method");
        Self { allow: Some(allow), ..error }
    }

    pub fn body_too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).with("limit_bytes", limit)
    }

    pub fn timeout() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "the answer took too long; try again")
    }

    /// The answer. It carries the error itself along, so that a page can be made of it for a browser.
    pub fn response(self) -> Response {
        let mut fields = Map::new();
        fields.insert("error".to_owned(), self.message.clone().into());
        fields.insert("code".to_owned(), self.code.into());
        fields.extend(self.details.clone());
        let mut response = Response::new(Bytes::from(Value::Object(fields).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Misdirected(host) => {
                let name = host.map_or_else(String::new, |host| {
                    format!(" called `{}`", host.chars().filter(|c| !c.is_control()).take(100).collect::<String>())
                });
                let message = format!(
                    "there is no server{name} here; if you reach this one under another name or port, add it to the \
                     setting `allowed_hosts`"
                );
                Self::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", message)
            }
            Refusal::CrossSite => {
                let message = "pages of other sites may not do this";
                Self::new(StatusCode::FORBIDDEN, "origin_not_allowed", message)
            }
            Refusal::Method => Self::method_not_allowed(READ_ONLY),
        }
    }
}

/// Gives what no route has answered the one shape.
pub async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(of_rejection(&rejection).response())
}

fn of_rejection(rejection: &Rejection) -> ApiError {
    if let Some(MethodNotAllowed { allow }) = rejection.find() {
        ApiError::method_not_allowed(allow)
    } else if rejection.is_not_found() {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    } else if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        ApiError::method_not_allowed(READ_ONLY)
    } else if rejection.find::<warp::reject::UnsupportedMediaType>().is_some() {
        let message = "the body has a media type that is not understood here";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    } else {
        // Every other refusal of a filter is about what was sent.
        tracing::debug!(?rejection, "refusing a request");
        ApiError::bad_request("bad_request", "the request is not understood")
    }
}
