//! The REST API, `/api/v1/…`, and the two probes. Handlers are plain functions of the state and the request.

pub mod health;
pub mod stats;

use std::hash::Hasher;

use serde::Serialize;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use xxhash_rust::xxh3::Xxh3;

use crate::plugin::Routes;
use crate::route::{Request, Response};
use crate::web::WebState;
use crate::web::error::ApiError;

/// All routes of the API.
pub fn routes(state: &WebState) -> Routes {
    [stats::routes(state), health::routes(state)].concat()
}

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::new(to_json(body).into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// A JSON answer that a client can ask to see again only when it has changed.
pub fn json_with_etag(request: &Request, revision: u64, body: &impl Serialize) -> Response {
    let text = to_json(body);
    // The revision alone would lie after a restored backup, and when settings change what is shown.
    let mut hasher = Xxh3::new();
    hasher.write(text.as_bytes());
    let tag = format!("\"{revision:x}-{:016x}\"", hasher.finish());
    let known = has_tag(&request.headers, &tag);
    let mut response = Response::new(if known { String::new() } else { text }.into());
    let headers = response.headers_mut();
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    headers.insert(header::ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response
}

fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("answers are maps with string keys")
}

/// Whether `If-None-Match` names the tag. The comparison is the weak one, as it has to be for reading.
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Refuses query parameters, by name, where there are none: a mistyped filter must not look as if it had been applied.
pub fn no_parameters(request: &Request) -> Result<(), ApiError> {
    let unknown: Vec<&str> = request
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!("unknown query parameter: {}", unknown.join(", "));
    Err(ApiError::bad_request("unknown_parameter", message)
        .with("parameters", unknown)
        .with("known", Vec::<String>::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        fn check(if_none_match: &str, expected: bool) {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::try_from(if_none_match).unwrap());
            assert_eq!(has_tag(&headers, "\"2a-7\""), expected, "{if_none_match}");
        }
        check("\"2a-7\"", true);
        check("W/\"2a-7\"", true);
        check("\"1\", \"2a-7\"", true);
        check("*", true);
        check("\"2a-8\"", false);
        check("2a-7", false);
        check("", false);
    }

    #[test]
    fn parameters() {
        fn check(query: &str, expected: Option<&str>) {
            let request = crate::route::testing::request(query);
            assert_eq!(no_parameters(&request).err().map(|error| error.message).as_deref(), expected, "{query}");
        }
        check("", None);
        check("&", None);
        check("model=x", Some("unknown query parameter: model"));
        check("a&b=1&=2", Some("unknown query parameter: a, b, "));
    }
}
