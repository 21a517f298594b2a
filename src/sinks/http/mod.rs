//! The HTTP client that pushing sinks share: POST with a deadline, a bounded answer, gzip, TLS with an own authority and a
//! client certificate, and what a status means for a batch. It follows no redirect, keeps no cookie and retries nothing:
//! the runner does.

mod retry_after;
mod tls;

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::event::UnixMillis;
use crate::plugin::{BuildError, Outcome, Setup};

pub use retry_after::retry_after;
pub use tls::{Tls, is_distrust};

/// More of an answer than this is not read: it is there to be quoted in an error.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How many bytes of a refusal are quoted.
const LONGEST_QUOTE: usize = 200;

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// Sends requests to one receiver. Made in `build`, since it opens nothing before the first request.
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Its beginning, if it is longer than 64 KiB.
    pub body: Bytes,
}

/// Nothing came back: refused, cut, no such host, a certificate that is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct SendError {
    words: String,
    /// One side does not trust the other, which does not pass by itself.
    distrusted: bool,
}

impl SendError {
    /// What that means for the batch: it is tried again, and at the slowest pace where settings are at fault.
    pub fn outcome(self) -> Outcome {
        if self.distrusted { Outcome::refused(self.words) } else { Outcome::retry(self.words) }
    }
}

impl Client {
    /// Reads certificates, and opens no connection. `url` says whether the system's trusted authorities are needed.
    pub fn new(url: &Uri, tls: &Tls, setup: &Setup) -> Result<Self, BuildError> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_WITHIN));
        http.set_nodelay(true);
        http.enforce_http(false);
        let secure = url.scheme_str() == Some("https");
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls.client_config(secure, setup)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(https);
        Ok(Self { pool })
    }

    /// Posts `body`. There is no deadline in here: the runner drops what takes too long.
    pub async fn post(&self, url: &Uri, headers: HeaderMap, body: Bytes) -> Result<Answer, SendError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        let agent = concat!("claude-token-monitor/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(agent));
        let answer = self.pool.request(request).await.map_err(|error| failure(&error))?;
        let (head, body) = answer.into_parts();
        let body = match Limited::new(body, LONGEST_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            // Too long, or cut: the status has been said, and that is what counts unless it was a success.
            Err(error) if head.status.is_success() && !error.is::<http_body_util::LengthLimitError>() => {
                let words = format!("the answer was cut off: {error}");
                return Err(SendError { words, distrusted: false });
            }
            Err(_) => Bytes::new(),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

fn failure(error: &(dyn std::error::Error + 'static)) -> SendError {
    SendError { words: chain(error), distrusted: is_distrust(error) }
}

/// An error with its causes: hyper's own says only that something failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// What a receiver's answer means for the batch that was sent: success; later for what passes (408, 425, 429, 5xx except
/// 501 and 505; RFC 9110 §15); less for 413; wrong settings for 401, 403, 404, 405, 407, redirects; and the batch itself for the rest.
pub fn verdict(answer: &Answer, now: UnixMillis) -> Outcome {
    let why = format!("{}{}", answer.status, quote(&answer.body));
    match answer.status.as_u16() {
        200..=299 => Outcome::Acked,
        408 | 425 | 429 | 500 | 502..=504 | 506..=599 => {
            Outcome::Retry { after: retry_after(&answer.headers, now), why }
        }
        413 => Outcome::TooLarge { why },
        300..=399 | 401 | 402 | 403 | 404 | 405 | 407 | 410 | 421 | 501 | 505 => Outcome::Refused { why },
        _ => Outcome::Reject { why },
    }
}

/// The beginning of an answer as a part of a sentence; control characters would reach a terminal.
pub fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut words: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_QUOTE).collect::<String>();
    words.truncate(words.trim_end().len());
    if words.is_empty() { words } else { format!(": {words}") }
}

/// Headers of a POST: its content type, and what else there is.
pub fn headers(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
}

/// Compresses, the fast way: it is sent once.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A URL of a section: `http` or `https`, with a host, without a password.
pub fn url(key: &str, text: &str) -> Result<Uri, BuildError> {
    let wrong = |words: &str| BuildError::at(key, format!("`{key}`: {words}"));
    let url: Uri = text.parse().map_err(|_| wrong("this is no URL; expected http://HOST/… or https://HOST/…"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return Err(wrong("expected http://HOST/… or https://HOST/…"));
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("a password does not belong into a URL; name a variable or a file that holds it"));
    }
    Ok(url)
}

/// A URL as it may be shown: without its query, which often holds a secret.
pub fn shown(url: &Uri) -> String {
    let (scheme, authority) = (url.scheme_str().unwrap_or("http"), url.authority().map_or("", |at| at.as_str()));
    format!("{scheme}://{authority}{}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn every_status_has_a_meaning() {
        let check = |statuses: &[u16], expected: fn(&Outcome) -> bool| {
            for status in statuses {
                let outcome = verdict(&answer(*status, ""), UnixMillis(0));
                assert!(expected(&outcome), "{status}: {outcome:?}");
            }
        };
        check(&[200, 202, 204], |outcome| *outcome == Outcome::Acked);
        check(&[408, 425, 429, 500, 502, 503, 504, 520], |outcome| matches!(outcome, Outcome::Retry { .. }));
        check(&[413], |outcome| matches!(outcome, Outcome::TooLarge { .. }));
        check(&[301, 307, 401, 403, 404, 405, 410, 501], |outcome| matches!(outcome, Outcome::Refused { .. }));
        check(&[400, 409, 415, 422], |outcome| matches!(outcome, Outcome::Reject { .. }));
    }

    #[test]
    fn a_refusal_is_quoted_without_what_a_terminal_obeys() {
        let outcome = verdict(&answer(400, "field `x`\x1b[31m is\nwrong\n"), UnixMillis(0));
        assert_eq!(outcome, Outcome::reject("400 Bad Request: field `x` [31m is wrong"));
    }

    #[test]
    fn urls_are_checked_and_shown_without_secrets() {
        let check = |text: &str, word: &str| {
            let error = url("url", text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        };
        check("host:80", "expected http");
        check("ftp://host/", "expected http");
        check("/only/a/path", "expected http");
        check("http://me:secret@host/", "password");
        check("http://a b/", "no URL");
        let url = url("url", "https://host:8443/hook?key=secret").expect("valid");
        assert_eq!(shown(&url), "https://host:8443/hook");
    }
}
