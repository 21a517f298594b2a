//! The opening handshake (RFC 6455, section 4.2), and what is said to those who do not get past it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::seats::Full;
use crate::route::{self, Request, Response};

/// The answer that opens the connection, and the revision from which the client wants to go on.
pub fn check(request: &Request) -> Result<(Response, Option<u64>), Box<Response>> {
    let headers = &request.headers;
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(not_upgradable().into());
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut response =
            refusal(StatusCode::UPGRADE_REQUIRED, "websocket_version", "only version 13 of the protocol is spoken");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(response.into());
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let Some(key) = key else {
        let message = "Sec-WebSocket-Key has to be 16 bytes in base64";
        return Err(refusal(StatusCode::BAD_REQUEST, "websocket_key", message).into());
    };
    let since = since(&request.query)?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok((response, since))
}

/// Nobody asked for a WebSocket.
pub fn not_upgradable() -> Response {
    let message = "this is a WebSocket; ask for it with `Upgrade: websocket`";
    let mut response = refusal(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message);
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response
}

/// All seats are taken.
pub fn full(full: &Full) -> Response {
    let (code, message, limit) = match full {
        Full::House(limit) => ("too_many_clients", "as many clients are connected as may be", limit),
        Full::Address(limit) => ("too_many_clients_of_one", "this address has as many connections as it may", limit),
    };
    let body = json!({"error": message, "code": code, "limit": limit});
    let mut response = route::json(StatusCode::SERVICE_UNAVAILABLE, &body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    response
}

/// The only parameter. What is not known is refused by name, as everywhere.
fn since(query: &str) -> Result<Option<u64>, Box<Response>> {
    let mut since = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "since" {
            let message = format!("unknown query parameter: {name}");
            let body = json!({"error": message, "code": "unknown_parameter", "parameters": [name], "known": ["since"]});
            return Err(route::json(StatusCode::BAD_REQUEST, &body).into());
        }
        let Ok(revision) = value.parse() else {
            let allowed = "the revision of a message that was received";
            let message = format!("since: expected {allowed}");
            let body = json!({
                "error": message, "code": "invalid_parameter", "parameter": "since", "allowed": allowed,
            });
            return Err(route::json(StatusCode::BAD_REQUEST, &body).into());
        };
        since = Some(revision);
    }
    Ok(since)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    route::json(status, &json!({"error": message, "code": code}))
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// Whether a header that is a list has the word in it.
fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

/// The value of a header that is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::testing::body;

    /// The handshake of RFC 6455, section 1.3, with some headers replaced; an empty value removes one.
    fn asked(query: &str, changes: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request {
            method: warp::http::Method::GET,
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: warp::hyper::body::Bytes::new(),
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            variables: Vec::new(),
            secure: false,
            upgrade: None,
        };
        let usual = [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in usual.iter().chain(changes) {
            match *value {
                "" => drop(request.headers.remove(*name)),
                value => drop(request.headers.insert(*name, HeaderValue::from_static(value))),
            }
        }
        request
    }

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        let (response, since) = check(&asked("since=41", &[])).unwrap();
        assert_eq!((response.status(), since), (StatusCode::SWITCHING_PROTOCOLS, Some(41)));
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn everybody_else_is_told_why() {
        fn refused(query: &str, changes: &[(&'static str, &'static str)], status: u16, code: &str) {
            let response = check(&asked(query, changes)).unwrap_err();
            assert_eq!(response.status().as_u16(), status, "{changes:?}");
            let body: serde_json::Value = serde_json::from_slice(&body(*response)).unwrap();
            assert_eq!(body["code"], code, "{body}");
            assert!(body["error"].is_string());
        }
        refused("", &[("upgrade", "")], 426, "upgrade_required");
        refused("", &[("upgrade", "h2c")], 426, "upgrade_required");
        refused("", &[("connection", "keep-alive")], 426, "upgrade_required");
        refused("", &[("sec-websocket-version", "8")], 426, "websocket_version");
        refused("", &[("sec-websocket-version", "")], 426, "websocket_version");
        refused("", &[("sec-websocket-key", "")], 400, "websocket_key");
        refused("", &[("sec-websocket-key", "c2hvcnQ=")], 400, "websocket_key");
        refused("", &[("sec-websocket-key", "not base64 at all, no")], 400, "websocket_key");
        refused("since=yesterday", &[], 400, "invalid_parameter");
        refused("since=-1", &[], 400, "invalid_parameter");
        refused("from=1", &[], 400, "unknown_parameter");
    }
}
