//! Answers as JSON with a strong validator, and the memory of those that took a look at the history.

mod present;

use std::hash::Hasher;

pub use present::Present;
use serde::Serialize;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::hyper::body::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::hub::Snapshot;
use crate::route::{Request, Response};
use crate::store::{Readers, StoreError};
use crate::web::WebState;
use crate::web::error::ApiError;

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::new(to_json(body).into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// A JSON answer that a client can ask to see again only when it has changed.
pub fn json_with_etag(request: &Request, revision: u64, body: &impl Serialize) -> Response {
    Rendered::of(revision, body).response(&request.headers)
}

/// A body and its validator.
#[derive(Clone, Debug)]
pub struct Rendered {
    tag: HeaderValue,
    text: Bytes,
}

impl Rendered {
    pub fn of(revision: u64, body: &impl Serialize) -> Self {
        let text = to_json(body);
        // The revision alone would lie after a restored backup, and when settings change what is shown.
        let mut hasher = Xxh3::new();
        hasher.write(text.as_bytes());
        let tag = format!("\"{revision:x}-{:016x}\"", hasher.finish());
        Self { tag: HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"), text: text.into() }
    }

    /// How long it is.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The answer, or that the client has it already.
    pub fn response(&self, asked: &HeaderMap) -> Response {
        let known = known_tag(asked, self.tag.to_str().unwrap_or_default());
        let is_known = known.is_some();
        let mut response = Response::new(if is_known { Bytes::new() } else { self.text.clone() }.into());
        let headers = response.headers_mut();
        if !is_known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        headers.insert(header::ETAG, known.unwrap_or_else(|| self.tag.clone()));
        // Kept, but never shown again without asking.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response
    }
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("answers are maps with string keys")
}

/// The tag in `If-None-Match` that stands for `tag`. The comparison is the weak one, as it has to be for reading (RFC 9110,
/// section 13.1.2). A tag that was given with a compressed answer names that compression at its end.
fn known_tag(headers: &HeaderMap, tag: &str) -> Option<HeaderValue> {
    let plain = |known: &str| {
        let inner = known.strip_suffix("-gzip\"").or_else(|| known.strip_suffix("-br\""));
        inner.map_or_else(|| known.to_owned(), |inner| format!("{inner}\""))
    };
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .find(|known| *known == "*" || plain(known) == tag)?;
    HeaderValue::from_str(if known == "*" { tag } else { known }).ok()
}

/// Says something of the present snapshot. `question` names all that is said.
pub fn of_snapshot<T: Serialize>(
    state: &WebState,
    request: &Request,
    question: &'static str,
    say: impl FnOnce(&Snapshot) -> T,
) -> Response {
    state.present.of(question, &state.hub.snapshot(), say).response(&request.headers)
}

/// Looks at the history, or remembers what it said. `question` names everything that the answer depends on besides the
/// history itself.
pub async fn of_history<T: Serialize + Send + 'static>(
    state: &WebState,
    request: &Request,
    question: String,
    look: impl FnOnce(&Readers) -> Result<T, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let revision = state.hub.snapshot().revision;
    let readers = state.readers.clone();
    let look = || blocking(move || Ok(Rendered::of(revision, &look(&readers)?)));
    let rendered = state.answers.get(&question, revision, look).await?;
    Ok(rendered.response(&request.headers))
}

/// Does what waits for the disk where nobody waits for it.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "an answer could not be made");
            Err(ApiError::internal())
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_passing() || matches!(error, StoreError::Corrupt { .. }) {
            tracing::warn!(%error, "the history cannot be read now");
            return Self::unavailable("database_unavailable", "the history cannot be read now; try again");
        }
        if matches!(error, StoreError::TooSlow) {
            return Self::timeout();
        }
        tracing::error!(%error, "a question about the history failed");
        Self::internal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        fn check(if_none_match: &str, expected: Option<&str>) {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::try_from(if_none_match).unwrap());
            let known = known_tag(&headers, "\"2a-7\"");
            assert_eq!(known.as_ref().map(|tag| tag.to_str().unwrap()), expected, "{if_none_match}");
        }
        check("\"2a-7\"", Some("\"2a-7\""));
        check("\"2a-7-gzip\"", Some("\"2a-7-gzip\""));
        check("W/\"2a-7-br\"", Some("\"2a-7-br\""));
        check("\"2a-7-zstd\"", None);
        check("W/\"2a-7\"", Some("\"2a-7\""));
        check("\"1\", \"2a-7\"", Some("\"2a-7\""));
        check("*", Some("\"2a-7\""));
        check("\"2a-8\"", None);
        check("2a-7", None);
        check("", None);
    }
}
