//! What is said when something cannot be answered: one shape for all of it, `{"error": …, "code": …}`.
//!
//! `error` is for people, `code` for programs: it is one of a closed set and never changes its meaning. What was wrong with
//! a parameter is in `parameter`, and what would be right in `allowed`.

use std::time::Duration;

use serde_json::{Map, Value};
use warp::http::{HeaderValue, StatusCode, header};

use crate::route::{self, Response};
use crate::web::guard::Refusal;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// Further fields of the answer.
    pub details: Map<String, Value>,
    allow: Option<String>,
    retry_after: Option<Duration>,
    challenge: Challenge,
}

/// What would help somebody whom we do not know.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Challenge {
    None,
    Token,
    /// The one that was shown is not good.
    AnotherToken,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Map::new(),
            allow: None,
            retry_after: None,
            challenge: Challenge::None,
        }
    }

    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.details.insert(field.to_owned(), value.into());
        self
    }

    /// When asking again may help; said in `Retry-After`, in whole seconds.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A parameter has a value that it cannot have.
    pub fn parameter(name: &str, message: impl std::fmt::Display, allowed: impl Into<Value>) -> Self {
        Self::bad_request("invalid_parameter", format!("{name}: {message}"))
            .with("parameter", name)
            .with("allowed", allowed)
    }

    /// Every parameter is fine by itself, and together they make no sense.
    pub fn contradiction(name: &str, message: impl std::fmt::Display, allowed: impl Into<Value>) -> Self {
        let message = format!("{name}: {message}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "contradiction", message)
            .with("parameter", name)
            .with("allowed", allowed)
    }

    /// Nobody is logged in, or the token is not good; what would be accepted is said in `WWW-Authenticate` (RFC 6750).
    pub fn unauthorized(bad_token: bool) -> Self {
        let error = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized");
        Self { challenge: if bad_token { Challenge::AnotherToken } else { Challenge::Token }, ..error }
    }

    /// Somebody asks more often than they may.
    pub fn too_many(code: &'static str, wait: Duration) -> Self {
        let wait = wait.max(Duration::from_secs(1));
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, "Rate limit exceeded").retry_after(wait)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn method_not_allowed(allow: String) -> Self {
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method");
        Self { allow: Some(allow), ..error }
    }

    pub fn body_too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).with("limit_bytes", limit)
    }

    pub fn media_type(allowed: &'static str) -> Self {
        let message = format!("the body has to be {allowed}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message).with("allowed", allowed)
    }

    pub fn timeout() -> Self {
        Self::unavailable("timeout", "the answer took too long; try again")
    }

    /// Asking again in a moment may help.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(Duration::from_secs(1))
    }

    /// A fault of ours; the reason is in the log and concerns nobody else.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; the log says what")
    }

    /// The answer. It carries the error itself along, so that a page can be made of it for a browser.
    pub fn response(self) -> Response {
        let mut fields = Map::new();
        fields.insert("error".to_owned(), self.message.clone().into());
        fields.insert("code".to_owned(), self.code.into());
        fields.extend(self.details.clone());
        let mut response = route::json(self.status, &Value::Object(fields));
        self.headers(response.headers_mut());
        response.extensions_mut().insert(self);
        response
    }

    /// What is said outside of the body, whatever form that has.
    pub fn headers(&self, headers: &mut header::HeaderMap) {
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::ALLOW, allow);
        }
        let challenge = match self.challenge {
            Challenge::None => None,
            Challenge::Token => Some("Bearer realm=\"claude-token-monitor\""),
            Challenge::AnotherToken => Some("Bearer realm=\"claude-token-monitor\", error=\"invalid_token\""),
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(time) = self.retry_after {
            // Rounded up: half a second too late is no second refusal.
            headers.insert(header::RETRY_AFTER, (time.as_secs() + u64::from(time.subsec_nanos() > 0)).into());
        }
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
        }
    }
}
