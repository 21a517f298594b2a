//! How any part of the house answers at a path of the HTTP server. It matches paths and methods and nothing else: who
//! may ask, for how long and with which headers an answer leaves is decided around all routes at once.

use std::future::Future;

use warp::filters::path::FullPath;
use warp::http::{HeaderMap, Method};
use warp::hyper::body::Bytes;
use warp::{Filter, Rejection};

use crate::plugin::Routes;

/// What every handler gives.
pub type Response = warp::http::Response<Bytes>;

/// What a handler may know of a request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The raw query string, without the question mark.
    pub query: String,
    pub headers: HeaderMap,
}

/// The route that answered, for metrics: in the extensions of a response. A handler whose path holds a variable part
/// sets it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template(pub &'static str);

/// The path exists, the method does not.
#[derive(Clone, Copy, Debug)]
pub struct MethodNotAllowed {
    /// The value of the `Allow` header.
    pub allow: &'static str,
}

impl warp::reject::Reject for MethodNotAllowed {}

/// What a path that can only be read allows. `HEAD` and `OPTIONS` are answered around all routes.
pub const READ_ONLY: &str = "GET, HEAD, OPTIONS";

/// Answers `GET` at exactly `path`.
pub fn get(path: &'static str, handler: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> Routes {
    get_async(path, move |request| std::future::ready(handler(request)))
}

/// Answers `GET` at exactly `path`, in its own time.
pub fn get_async<F, Fut>(path: &'static str, handler: F) -> Routes
where
    F: Fn(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send,
{
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path::full()
        .and(warp::method())
        .and_then(move |full: FullPath, method: Method| std::future::ready(admit(path, full.as_str(), &method)))
        .untuple_one()
        .and(query)
        .and(warp::header::headers_cloned())
        .then(move |query, headers| {
            let answer = handler(Request { query, headers });
            async move {
                let mut response = answer.await;
                if response.extensions().get::<Template>().is_none() {
                    response.extensions_mut().insert(Template(path));
                }
                response
            }
        })
        .boxed()
}

/// The path is looked at before the method, so that an unknown path is never "method not allowed".
fn admit(path: &str, asked: &str, method: &Method) -> Result<(), Rejection> {
    if asked != path {
        Err(warp::reject::not_found())
    } else if method == Method::GET {
        Ok(())
    } else {
        Err(warp::reject::custom(MethodNotAllowed { allow: READ_ONLY }))
    }
}
