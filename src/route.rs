//! How any part of the house answers at a path of the HTTP server: a method, a path, and who may use it. Who asks, how
//! often, for how long and with which headers an answer leaves is decided around all routes at once, by what a route says
//! of itself here.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use warp::hyper::body::Bytes;
use warp::hyper::upgrade::OnUpgrade;

/// What every handler gives.
pub type Response = warp::reply::Response;

/// What a handler may know of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `HEAD` is asked as `GET`.
    pub method: Method,
    /// The raw query string, without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    /// Whole, and within the server's limit.
    pub body: Bytes,
    /// Who is asking, as far as the proxies in between can be trusted.
    pub client: IpAddr,
    /// The client speaks TLS, as far as that can be known.
    pub secure: bool,
    /// The variable parts of the path, decoded.
    pub variables: Vec<(&'static str, String)>,
    /// Set where the client wants to speak another protocol on this connection.
    pub upgrade: Option<OnUpgrade>,
}

impl Request {
    /// The variable part of the path with this name; empty if the path has none.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// A JSON answer.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// Who may use a route where a login is configured. Without one, everybody whom the gate lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever is logged in, or has a token.
    Login,
    /// The same, and a scraper with its own token.
    Scrape,
    /// Everybody: probes, the version, the login itself and the files it needs.
    Open,
}

/// What a route is for. Each class has its own budget of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Data, described in the API's own document.
    Api,
    /// What a browser shows.
    Page,
    /// Style, script and pictures.
    Asset,
    /// Metrics.
    Scrape,
    /// What containers and scripts ask.
    Probe,
    /// A connection that stays open.
    Live,
}

/// One way to be asked.
#[derive(Clone)]
pub struct Route {
    pub method: Method,
    /// The path; parts in braces are variable: `/api/v1/stats/sessions/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub class: Class,
    /// Reads the [`Request`] out of the extensions, where the server puts it.
    pub filter: BoxedFilter<(Response,)>,
}

impl Route {
    /// Answers `method` at `path`, in its own time.
    pub fn new<F, Fut>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Fn(Arc<Request>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send,
    {
        Self {
            method,
            path,
            access: Access::Login,
            class: Class::Api,
            filter: warp::ext::get::<Arc<Request>>().then(handler).boxed(),
        }
    }

    /// Answers `GET` at `path`, at once.
    pub fn get(path: &'static str, handler: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static) -> Self {
        Self::new(Method::GET, path, move |request: Arc<Request>| std::future::ready(handler(&request)))
    }

    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    #[must_use]
    pub fn class(self, class: Class) -> Self {
        Self { class, ..self }
    }
}

/// All routes, found by path.
#[derive(Clone, Default)]
pub struct Router {
    fixed: BTreeMap<&'static str, Vec<Route>>,
    variable: BTreeMap<&'static str, Vec<Route>>,
}

/// A path that is served.
#[derive(Clone)]
pub struct Found<'a> {
    /// The path as the routes write it; a name for metrics.
    pub template: &'static str,
    /// One a method.
    pub routes: &'a [Route],
    pub variables: Vec<(&'static str, String)>,
}

impl Router {
    /// Of two routes with the same method and path the first answers.
    pub fn new(routes: Vec<Route>) -> Self {
        let mut router = Self::default();
        for route in routes {
            let kind = if route.path.contains('{') { &mut router.variable } else { &mut router.fixed };
            let known = kind.entry(route.path).or_default();
            if !known.iter().any(|other| other.method == route.method) {
                known.push(route);
            }
        }
        router
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.fixed.values().chain(self.variable.values()).flatten()
    }

    /// What is served at a path, as it stands in the request. A fixed path goes before one with a variable part.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        if let Some((template, routes)) = self.fixed.get_key_value(path) {
            return Some(Found { template, routes, variables: Vec::new() });
        }
        self.variable
            .iter()
            .find_map(|(template, routes)| Some(Found { template, routes, variables: matched(template, path)? }))
    }
}

impl Found<'_> {
    /// The route for a method; `HEAD` is `GET` without the body.
    pub fn route(&self, method: &Method) -> Option<&Route> {
        let asked = if *method == Method::HEAD { &Method::GET } else { method };
        self.routes.iter().find(|route| route.method == *asked)
    }

    /// The value of the `Allow` header (RFC 9110, section 10.2.1).
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.routes.iter().map(|route| route.method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

/// The variable parts, if the path is of the template's form. A variable part is one whole, non-empty segment.
fn matched(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(variables),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => variables.push((name, decoded(given)?)),
                None if wanted == given => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// A segment without its percent signs; none where it is empty or not UTF-8.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

/// For tests of handlers.
#[cfg(test)]
pub(crate) mod testing {
    use http_body_util::BodyExt as _;

    use super::{Bytes, Response};

    /// The whole body.
    pub(crate) fn body(response: Response) -> Bytes {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(response.into_body().collect()).unwrap().to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        let at = |method: Method, path| Route::new(method, path, |_| std::future::ready(Response::default()));
        Router::new(vec![
            at(Method::GET, "/"),
            at(Method::GET, "/a/{id}"),
            at(Method::GET, "/a/all"),
            at(Method::POST, "/a/{id}/stop"),
            at(Method::DELETE, "/a/{id}"),
        ])
    }

    #[test]
    fn paths_are_found_with_their_variable_parts() {
        let router = router();
        let check = |path: &str, expected: Option<(&str, &[(&str, &str)])>| {
            let found = router.find(path);
            let variables = found.as_ref().map(|found| {
                let variables = found.variables.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
                (found.template, variables)
            });
            assert_eq!(variables, expected.map(|(template, variables)| (template, variables.to_vec())), "{path}");
        };
        check("/", Some(("/", &[])));
        check("/a/all", Some(("/a/all", &[])));
        check("/a/7", Some(("/a/{id}", &[("id", "7")])));
        check("/a/%2Fhome%2Fx+y%20z", Some(("/a/{id}", &[("id", "/home/x+y z")])));
        check("/a/x=y&z", Some(("/a/{id}", &[("id", "x=y&z")])));
        check("/a/7/stop", Some(("/a/{id}/stop", &[("id", "7")])));
        check("/a/", None);
        check("/a/7/", None);
        check("//", None);
        check("/a/%ff", None);
    }

    #[test]
    fn methods_are_listed() {
        let router = router();
        assert_eq!(router.find("/a/7").unwrap().allow(), "GET, DELETE, HEAD, OPTIONS");
        assert_eq!(router.find("/a/7/stop").unwrap().allow(), "POST, OPTIONS");
        assert!(router.find("/a/7").unwrap().route(&Method::HEAD).is_some());
        assert!(router.find("/a/7").unwrap().route(&Method::PUT).is_none());
        assert_eq!(router.iter().count(), 5);
    }
}
