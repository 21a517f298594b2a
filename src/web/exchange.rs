//! One request and its answer: everything that happens around all routes alike, in the order in which it happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;
use warp::http::request::Parts;
use warp::http::{HeaderMap, Method, StatusCode, header};

use crate::hub::Hub;
use crate::route::{Class, Found, Request, Response, Route, Router};
use crate::web::error::ApiError;
use crate::web::guard::Gate;
use crate::web::{headers, pages};

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
    pub router: Router,
}

impl Exchange {
    /// Answers one request; there is always an answer.
    pub async fn answer(self: Arc<Self>, peer: SocketAddr, request: warp::http::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let found = self.router.find(parts.uri.path());
        let wants_page = wants_page(&parts, found.as_ref());
        let mut response = match self.admitted(peer, &parts, body, found.as_ref(), upgrade).await {
            Ok(Admitted::Asked(route, request)) => self.route(route, parts, request).await,
            Ok(Admitted::Answered(response)) => response,
            Err(error) => error.response(),
        };
        if wants_page && let Some(error) = response.extensions_mut().remove::<ApiError>() {
            response = pages::error_page(&error);
            error.headers(response.headers_mut());
        }
        headers::secure(response.headers_mut());
        self.hub.house().count_request(label(found.as_ref()), class(response.status()));
        response
    }

    /// Everything before a route sees the request. The body is read here, whole, within its limits, so that no route
    /// can forget them.
    async fn admitted<'a>(
        &self,
        peer: SocketAddr,
        parts: &Parts,
        body: Incoming,
        found: Option<&'a Found<'_>>,
        upgrade: Option<OnUpgrade>,
    ) -> Result<Admitted<'a>, ApiError> {
        self.gate.check(parts)?;
        let limits = &self.limits;
        if parts.headers.len() > limits.header_count || size(&parts.headers) > limits.header_bytes {
            let message = "the request has too many or too long headers";
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
        }
        let found = found.ok_or_else(|| ApiError::not_found("there is nothing at this path"))?;
        if parts.method == Method::OPTIONS {
            return Ok(Admitted::Answered(options(found)));
        }
        let route = found.route(&parts.method).ok_or_else(|| ApiError::method_not_allowed(found.allow()))?;
        let request = Request {
            method: route.method.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            body: self.body(body).await?,
            client: peer.ip().to_canonical(),
            variables: found.variables.clone(),
            upgrade,
        };
        Ok(Admitted::Asked(route, request))
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, ApiError> {
        let limits = &self.limits;
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > limits.body_bytes as u64 {
            return Err(ApiError::body_too_large(limits.body_bytes));
        }
        match timeout(limits.body_time, Limited::new(body, limits.body_bytes).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(limits.body_bytes)),
            Ok(Err(_)) => Err(ApiError::bad_request("bad_body", "the body could not be read to its end")),
            Err(_) => {
                let message = "the body did not arrive in time";
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message))
            }
        }
    }

    async fn route(&self, route: &Route, mut parts: Parts, request: Request) -> Response {
        // A route answers HEAD as it would answer GET; the connection leaves the body out.
        parts.method.clone_from(&request.method);
        let body = Full::new(request.body.clone());
        parts.extensions.insert(Arc::new(request));
        let service = TowerToHyperService::new(warp::service(route.filter.clone()));
        let started = Instant::now();
        let asked = service.call(warp::http::Request::from_parts(parts, body));
        let response = match timeout(self.limits.handler_time, asked).await {
            Ok(Ok(response)) => response,
            Err(_) => ApiError::timeout().response(),
        };
        let took = started.elapsed();
        if took > SLOW {
            tracing::warn!(
                route = route.path,
                duration_ms = took.as_millis(),
                "Slow operation: {} {} took {:.2}s",
                route.method,
                route.path,
                took.as_secs_f64()
            );
        }
        // A filter of a plugin's own may refuse with a bare status; everybody gets the one shape.
        match response.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE if plain(&response) => {
                ApiError::media_type("application/json").response()
            }
            status if status.is_client_error() && plain(&response) => {
                ApiError::bad_request("bad_request", "the request is not understood").response()
            }
            _ => response,
        }
    }
}

/// What becomes of a request that may be answered.
enum Admitted<'a> {
    Asked(&'a Route, Request),
    /// No route is needed for this.
    Answered(Response),
}

/// What can be done with a path.
fn options(found: &Found<'_>) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = found.allow().parse() {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// It is not an answer of ours.
fn plain(response: &Response) -> bool {
    response.extensions().get::<ApiError>().is_none()
        && response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/plain; charset=utf-8")
}

/// What a path is called in metrics. The hash in an asset's path is no name.
fn label(found: Option<&Found<'_>>) -> &'static str {
    match found {
        None => "other",
        Some(found) if found.routes.iter().any(|route| route.class == Class::Asset) => "/assets/{hash}/{name}",
        Some(found) => found.template,
    }
}

/// Bytes of all names and values.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// A person with a browser is asking, and not for data.
fn wants_page(parts: &Parts, found: Option<&Found<'_>>) -> bool {
    let data = parts.uri.path().starts_with("/api/")
        || found.is_some_and(|found| found.routes.iter().any(|route| route.class == Class::Live));
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
