//! One request and its answer: everything that happens around all routes alike, in the order in which it happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;
use warp::filters::BoxedFilter;
use warp::http::request::Parts;
use warp::http::{HeaderMap, Method, StatusCode, header};
use warp::reply::Reply;

use crate::hub::Hub;
use crate::route::{Response, Template};
use crate::web::error::ApiError;
use crate::web::guard::Gate;
use crate::web::{headers, pages};

/// Who is at the other end of the connection; in the extensions of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What a single exchange may cost.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeLimits {
    pub header_count: usize,
    pub header_bytes: usize,
    pub body_bytes: usize,
    /// Time to read the whole body.
    pub body_time: Duration,
    /// Time for a handler to answer.
    pub handler_time: Duration,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        Self {
            header_count: 64,
            header_bytes: 16 * 1024,
            body_bytes: 16 * 1024,
            body_time: Duration::from_secs(5),
            handler_time: Duration::from_secs(10),
        }
    }
}

/// A handler that takes longer than this is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// What all exchanges share.
pub struct Exchange {
    pub gate: Gate,
    pub limits: ExchangeLimits,
    pub hub: Hub,
    pub routes: BoxedFilter<(Response,)>,
}

impl Exchange {
    /// Answers one request; there is always an answer.
    pub async fn answer(self: Arc<Self>, peer: Peer, request: warp::http::Request<Incoming>) -> warp::reply::Response {
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let wants_page = wants_page(&parts);
        let mut response = match self.admit(parts, body).await {
            Ok(request) => self.route(peer, request).await,
            Err(error) => error.response().into_response(),
        };
        if method == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // The path is there; `Allow` says what can be done with it.
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().remove(header::CONTENT_TYPE);
            *response.body_mut() = Response::default().into_response().into_body();
        } else if let Some(error) = response.extensions_mut().remove::<ApiError>()
            && wants_page
        {
            let page = pages::error_page(&error);
            let kept = response.headers_mut().remove(header::ALLOW);
            response = page.into_response();
            if let Some(allow) = kept {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
        headers::secure(response.headers_mut());
        let route = response.extensions().get::<Template>().map_or("other", |template| template.0);
        self.hub.house().count_request(route, class(response.status()));
        response
    }

    /// Everything before a route sees the request. The body is read here, whole, within its limits, so that no route
    /// can forget them.
    async fn admit(&self, mut parts: Parts, body: Incoming) -> Result<warp::http::Request<Full<Bytes>>, ApiError> {
        self.gate.check(&parts)?;
        let limits = &self.limits;
        if parts.headers.len() > limits.header_count || size(&parts.headers) > limits.header_bytes {
            let message = "the request has too many or too long headers";
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
        }
        if body.size_hint().lower() > limits.body_bytes as u64 {
            return Err(ApiError::body_too_large(limits.body_bytes));
        }
        let body = match timeout(limits.body_time, Limited::new(body, limits.body_bytes).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Err(ApiError::body_too_large(limits.body_bytes));
            }
            Ok(Err(_)) => return Err(ApiError::bad_request("bad_body", "the body could not be read to its end")),
            Err(_) => {
                let message = "the body did not arrive in time";
                return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message));
            }
        };
        if parts.method == Method::HEAD {
            // A route answers HEAD as it would answer GET; the connection leaves the body out.
            parts.method = Method::GET;
        }
        Ok(warp::http::Request::from_parts(parts, Full::new(body)))
    }

    async fn route(&self, peer: Peer, mut request: warp::http::Request<Full<Bytes>>) -> warp::reply::Response {
        request.extensions_mut().insert(peer);
        let service = TowerToHyperService::new(warp::service(self.routes.clone()));
        let started = Instant::now();
        let response = match timeout(self.limits.handler_time, service.call(request)).await {
            Ok(Ok(response)) => response,
            Err(_) => ApiError::timeout().response().into_response(),
        };
        let took = started.elapsed();
        if took > SLOW {
            let route = response.extensions().get::<Template>().map_or("other", |template| template.0);
            tracing::warn!(route, duration_ms = took.as_millis(), "slow request");
        }
        response
    }
}

/// Bytes of all names and values.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// A person with a browser is asking, and not for data.
fn wants_page(parts: &Parts) -> bool {
    let data = parts.uri.path().starts_with("/api/");
    let accepts = |value: &header::HeaderValue| value.to_str().is_ok_and(|value| value.contains("text/html"));
    !data && parts.headers.get_all(header::ACCEPT).iter().any(accepts)
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
