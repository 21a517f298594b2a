//! Answers in fewer bytes, for whoever takes them so: text of some length, as gzip or Brotli, piece by piece.
//!
//! Nothing here is secret to whoever may ask for it, and no answer repeats what other sites could have put into a request,
//! so its length tells them nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::SizeAbove;
use tower_service::Service;
use warp::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use warp::reply::Reply as _;

use crate::accept::takes;
use crate::route::Response;

/// Shorter bodies fit into a packet anyway.
const WORTH_IT: u64 = 1024;

/// What a client takes, as it said it: the headers of its request that matter here. None: it takes neither.
#[derive(Debug)]
pub struct Accepted(HeaderMap);

impl Accepted {
    pub fn of(headers: &HeaderMap) -> Self {
        // A body that stays as it is keeps its length, and is sent in one piece.
        let said = headers.get_all(header::ACCEPT_ENCODING).iter().filter(|_| takes(headers, &["gzip", "br"]));
        Self(said.map(|value| (header::ACCEPT_ENCODING, value.clone())).collect())
    }
}

/// The answer, compressed if that is worth it and wanted.
pub fn compressed(accepted: Accepted, mut response: Response) -> Response {
    if !is_worth_it(&response) {
        return response;
    }
    // Also where it stays as it is: another client may get another one.
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Who takes nothing at all gets it as it is, too, which serves everybody better than nothing does.
    if accepted.0.is_empty() {
        return response;
    }
    let mut request = Request::new(());
    *request.headers_mut() = accepted.0;
    let mut compression =
        Compression::new(Given(Some(response))).quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(0));
    // The answer is there, so nothing has to be waited for.
    let Some(Ok(response)) = compression.call(request).now_or_never() else { return Response::default() };
    let (mut parts, body) = response.into_parts();
    let mut response = warp::reply::stream(body.into_data_stream()).into_response();
    if let Some(tag) = parts.headers.get(header::ETAG).zip(parts.headers.get(header::CONTENT_ENCODING)).and_then(tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    *response.headers_mut() = parts.headers;
    *response.extensions_mut() = parts.extensions;
    response
}

/// A strong tag is one of these very bytes (RFC 9110, section 8.8.3), so each encoding has one of its own.
fn tag((tag, encoding): (&HeaderValue, &HeaderValue)) -> Option<HeaderValue> {
    let inner = tag.to_str().ok()?.strip_suffix('"')?;
    HeaderValue::try_from(format!("{inner}-{}\"", encoding.to_str().ok()?)).ok()
}

/// Whether it is a whole answer, of text, that nobody has compressed yet, and of some length.
fn is_worth_it(response: &Response) -> bool {
    const TEXTS: [&str; 3] = ["text/", "application/json", "image/svg+xml"];
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    response.status() == StatusCode::OK
        && !headers.contains_key(header::CONTENT_ENCODING)
        && TEXTS.iter().any(|text| kind.starts_with(text))
        && response.body().size_hint().exact().is_none_or(|size| size >= WORTH_IT)
}

/// A service that has its one answer already.
struct Given(Option<Response>);

impl Service<Request<()>> for Given {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::testing::body;

    fn answer(kind: &'static str, length: usize) -> Response {
        let mut response = Response::new("x".repeat(length).into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"7\""));
        response
    }

    fn compress(accepted: &'static str, response: Response) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        compressed(Accepted::of(&headers), response)
    }

    #[test]
    fn who_takes_it_gets_it() {
        let check = |accepted: &'static str, encoding: Option<&str>, tag: &str| {
            let response = compress(accepted, answer("application/json; charset=utf-8", 10_000));
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(header::CONTENT_ENCODING), encoding, "{accepted}");
            assert_eq!((header(header::ETAG), header(header::VARY)), (Some(tag), Some("accept-encoding")));
            assert_eq!(response.body().size_hint().exact().is_none(), encoding.is_some(), "{accepted}");
            assert_eq!(body(response).len() < 200, encoding.is_some(), "{accepted}");
        };
        check("gzip", Some("gzip"), "\"7-gzip\"");
        check("gzip, deflate, br, zstd", Some("br"), "\"7-br\"");
        check("br;q=0, gzip;q=0.5", Some("gzip"), "\"7-gzip\"");
        check("identity", None, "\"7\"");
        check("gzip;q=0", None, "\"7\"");
        check("identity;q=0", None, "\"7\"");
        check("", None, "\"7\"");
    }

    #[test]
    fn what_is_short_or_no_text_stays_as_it_is() {
        for (kind, length) in [("application/json", 1000), ("image/png", 10_000), ("font/woff2", 10_000)] {
            let response = compress("gzip", answer(kind, length));
            assert!(response.headers().get(header::CONTENT_ENCODING).is_none(), "{kind}");
            assert!(response.headers().get(header::VARY).is_none(), "{kind}");
            assert_eq!(body(response).len(), length);
        }
        let mut ready = answer("text/plain", 10_000);
        ready.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(body(compress("gzip", ready)).len(), 10_000, "somebody has done it already");
    }
}
