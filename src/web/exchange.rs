//! One request and its answer: everything that happens around all routes alike, in the order in which it happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::time::timeout;
use warp::http::request::Parts;
use warp::http::{HeaderMap, Method, StatusCode, header};

use crate::hub::Hub;
use crate::route::{Access, Class, Found, Request, Response, Route, Router};
use crate::slow::slow;
use crate::web::auth::routes::is_local;
use crate::web::auth::{Auth, Who};
use crate::web::compress::{Accepted, compressed};
use crate::web::error::ApiError;
use crate::web::form::see_other;
use crate::web::guard::{Gate, Pass, Refusal};
use crate::web::pages::language::Language;
use crate::web::pages::preferences::Taste;
use crate::web::proxy::{self, Origin};
use crate::web::rate::{ClientKey, Rates};
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

/// What all exchanges share.
pub struct Exchange {
    pub gate: Gate,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    pub rates: Rates,
    pub auth: Arc<Auth>,
    pub limits: ExchangeLimits,
    /// The pages' language; without one, what the browser asks for.
    pub language: Option<Language>,
    pub hub: Hub,
    pub router: Router,
}

/// One connection, as far as it matters to a request on it.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    pub peer: SocketAddr,
    /// It speaks TLS with us.
    pub tls: bool,
}

impl Exchange {
    /// Answers one request; there is always an answer.
    pub async fn answer(self: Arc<Self>, from: Connection, request: warp::http::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let found = self.router.find(parts.uri.path());
        let wants_page = wants_page(&parts, found.as_ref());
        let origin = proxy::origin(&self.trusted_proxies, from.peer.ip(), &parts.headers);
        let encrypted = from.tls || origin.is_ok_and(|origin| origin.https);
        let strict = encrypted && !Gate::is_loopback(&parts.headers);
        let secure = encrypted || self.gate.is_public_https(&parts.headers);

        let accepted = Accepted::of(&parts.headers);
        let taste = wants_page.then(|| Taste::of(&parts.headers, parts.uri.query().unwrap_or_default(), self.language));
        let mut answer = HeaderMap::new();
        self.gate.cors().mark(&parts.headers, &mut answer);
        let far_end = Asking { origin: origin.map_err(|_| ()), secure, upgrade };
        let mut response = match self.admitted(&parts, body, found.as_ref(), far_end).await {
            Ok(Admitted::Asked(route, request)) => self.route(route, parts, request).await,
            Ok(Admitted::Answered(response)) => response,
            Err(error) if wants_page && error.status == StatusCode::UNAUTHORIZED => to_login(&parts),
            Err(error) => error.response(),
        };
        if let Some(taste) = taste
            && let Some(error) = response.extensions_mut().remove::<ApiError>()
        {
            response = pages::error_page(&error, taste);
            error.headers(response.headers_mut());
        }
        let mut response = compressed(accepted, response);
        for (name, value) in &answer {
            response.headers_mut().append(name, value.clone());
        }
        headers::secure(response.headers_mut(), strict);
        self.hub.house().count_request(label(found.as_ref()), class(response.status()));
        response
    }

    /// Everything before a route sees the request, in an order that tells nobody more than they may know: is it meant for
    /// us, and not sent by another site's page; how often; who is it. Only then, what is asked for. The body is read
    /// here, whole, within its limits, so that no route can forget them.
    async fn admitted<'a>(
        &self,
        parts: &Parts,
        body: Incoming,
        found: Option<&'a Found<'_>>,
        asking: Asking,
    ) -> Result<Admitted<'a>, ApiError> {
        let pass = self.gate.check(parts)?;
        let limits = &self.limits;
        if parts.headers.len() > limits.header_count || size(&parts.headers) > limits.header_bytes {
            let message = "the request has too many or too long headers";
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
        }
        let Origin { client, .. } = asking.origin.map_err(|()| {
            let message = "the forwarding headers of the proxy in front cannot be understood";
            ApiError::bad_request("bad_forwarding", message)
        })?;
        self.rates.check(ClientKey::of(client), budget(parts, found)).map_err(|wait| {
            self.hub.house().count_rate_limited();
            ApiError::too_many("rate_limited", wait)
        })?;
        if let Some(response) = self.gate.cors().preflight(&parts.method, &parts.headers) {
            return Ok(Admitted::Answered(response));
        }
        self.known(parts, found, pass, asking.secure)?;

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
            client,
            secure: asking.secure,
            variables: found.variables.clone(),
            upgrade: asking.upgrade,
        };
        Ok(Admitted::Asked(route, request))
    }

    /// Whoever asks may use what is at this path; what is not there needs a login like everything else.
    fn known(&self, parts: &Parts, found: Option<&Found<'_>>, pass: Pass, secure: bool) -> Result<(), ApiError> {
        let who = self.auth.identify(&parts.headers, secure);
        if pass == Pass::WithToken && who != Who::Token {
            return Err(Refusal::CrossSite.into());
        }
        let access = found.map_or(Access::Login, |found| access(found, &parts.method));
        if self.auth.admits(who, access) { Ok(()) } else { Err(ApiError::unauthorized(who == Who::Refused)) }
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, ApiError> {
        let limits = &self.limits;
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > limits.body_bytes as u64 {
            return Err(ApiError::body_too_large(limits.body_bytes));
        }
        // In a box, so that requests without a body, nearly all of them, have no room for it.
        match Box::pin(timeout(limits.body_time, Limited::new(body, limits.body_bytes).collect())).await {
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
        slow(format_args!("{} {}", route.method, route.path), started);
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

/// What is known of who asks, beside the request itself.
struct Asking {
    /// `Err`: a proxy said something that has no meaning.
    origin: Result<Origin, ()>,
    secure: bool,
    upgrade: Option<OnUpgrade>,
}

/// Who may use a path with a method. A method that is not there is as protected as the most protected one that is.
fn access(found: &Found<'_>, method: &Method) -> Access {
    match found.route(method) {
        Some(route) => route.access,
        None if found.routes.iter().all(|route| route.access == Access::Open) => Access::Open,
        None => Access::Login,
    }
}

/// What a request draws on. A page of ours that asks for data does so for somebody who looks at it.
fn budget(parts: &Parts, found: Option<&Found<'_>>) -> Class {
    let class = found.and_then(|found| found.routes.first()).map_or(Class::Api, |route| route.class);
    let by_page = parts.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    if class == Class::Api && by_page { Class::Page } else { class }
}

/// Sends a person to the login, and from there back to where they wanted to be.
fn to_login(parts: &Parts) -> Response {
    let next = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let reading = matches!(parts.method, Method::GET | Method::HEAD);
    if !reading || next == "/" || !is_local(next) {
        return see_other("/login");
    }
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    see_other(&format!("/login?{query}"))
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
