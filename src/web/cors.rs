//! Which other sites' pages may read answers: those that are named, letter by letter, and in development those of this
//! machine. Never everybody, since what is allowed here is allowed with the user's login. Pure.

use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::route::Response;
use crate::web::site::Site;

/// How long a browser may remember what is allowed, in seconds.
const MAX_AGE: &str = "600";

/// The sites that are let in.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    allowed: Vec<Site>,
    /// Pages of any port of this machine too.
    loopback: bool,
}

/// An entry of `allowed_origins` that names no site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    #[error("`*` would let every page on the web read your usage with your login; name the origins one by one")]
    Everybody,
    #[error("`{0}` is not http:// or https://, a host and perhaps a port, without a path")]
    Malformed(String),
}

impl Cors {
    pub fn new(origins: &[String], loopback: bool) -> Result<Self, InvalidOrigin> {
        let site = |text: &String| match text.as_str() {
            "*" => Err(InvalidOrigin::Everybody),
            text => Site::parse(text).ok_or_else(|| InvalidOrigin::Malformed(text.to_owned())),
        };
        Ok(Self { allowed: origins.iter().map(site).collect::<Result<_, _>>()?, loopback })
    }

    /// Nobody is let in, and nothing is said about it.
    pub fn is_off(&self) -> bool {
        self.allowed.is_empty() && !self.loopback
    }

    /// Whether pages of this origin are let in.
    pub fn allows(&self, origin: &str) -> bool {
        let Some(site) = Site::parse(origin) else { return false };
        self.allowed.contains(&site) || (self.loopback && site.is_loopback())
    }

    /// The answer to a browser that asks what a page may do, if that is what is asked and the page may do something.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asks = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.admitted(headers).is_none() {
            return None;
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Authorization"),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Says on an answer who may read it. Only a listed origin is ever repeated.
    pub fn mark(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if self.is_off() {
            return;
        }
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.admitted(request) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            let exposed = HeaderValue::from_static("ETag, Retry-After, Content-Disposition");
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    fn admitted<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) => origin.to_str().is_ok_and(|text| self.allows(text)).then_some(origin),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cors(origins: &[&str], loopback: bool) -> Cors {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Cors::new(&origins, loopback).unwrap()
    }

    /// What an answer to a request from this origin says.
    fn allowed_origin(cors: &Cors, origin: &str) -> Option<String> {
        let (mut request, mut answer) = (HeaderMap::new(), HeaderMap::new());
        request.insert(header::ORIGIN, HeaderValue::try_from(origin).ok()?);
        cors.mark(&request, &mut answer);
        let allowed = answer.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)?.to_str().unwrap().to_owned();
        assert_eq!(answer.get(header::VARY).unwrap(), "Origin");
        Some(allowed)
    }

    #[test]
    fn only_named_origins_are_let_in() {
        let cors = cors(&["https://a.example", "http://b.example:8080"], false);
        for origin in ["https://a.example", "https://A.example", "https://a.example:443", "http://b.example:8080"] {
            assert!(cors.allows(origin), "{origin}");
        }
        for origin in [
            "http://a.example",
            "https://a.example:444",
            "https://x.a.example",
            "https://a.example.evil.example",
            "https://a.example/",
            "http://b.example",
            "http://localhost:3000",
            "null",
            "*",
            "",
        ] {
            assert!(!cors.allows(origin), "{origin}");
        }
    }

    #[test]
    fn development_lets_this_machine_in_and_nobody_else() {
        let cors = cors(&[], true);
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://127.9.9.9:1", "http://[::1]:51173"] {
            assert!(cors.allows(origin), "{origin}");
        }
        for origin in ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://10.0.0.1", "null"] {
            assert!(!cors.allows(origin), "{origin}");
        }
    }

    #[test]
    fn a_preflight_is_answered_for_who_is_let_in() {
        let cors = cors(&["https://a.example"], false);
        let ask = |method: Method, headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
            cors.preflight(&method, &headers.collect())
        };
        let (from, wants) = (("origin", "https://a.example"), ("access-control-request-method", "POST"));
        let answer = ask(Method::OPTIONS, &[from, wants]).unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()["access-control-allow-methods"], "GET, POST, OPTIONS");
        assert_eq!(answer.headers()["access-control-allow-headers"], "Content-Type, Authorization");
        assert!(ask(Method::OPTIONS, &[("origin", "https://b.example"), wants]).is_none());
        assert!(ask(Method::OPTIONS, &[from]).is_none());
        assert!(ask(Method::GET, &[from, wants]).is_none());
    }

    #[test]
    fn x4_everybody_is_refused_at_the_start() {
        for list in [&["*"][..], &["https://a.example", "*"]] {
            let list: Vec<String> = list.iter().map(|origin| (*origin).to_owned()).collect();
            assert_eq!(Cors::new(&list, false).err(), Some(InvalidOrigin::Everybody));
        }
        for bad in ["null", "a.example", "https://a.example/path", "https://*.example", "https://", ""] {
            assert_eq!(Cors::new(&[bad.to_owned()], true).err(), Some(InvalidOrigin::Malformed(bad.to_owned())));
        }
    }

    fn origin() -> impl Strategy<Value = String> {
        let host = "(localhost|127\\.0\\.0\\.1|\\[::1\\]|[a-c]\\.example|[a-c]\\.example\\.evil|10\\.0\\.0\\.[12])";
        let sound = (prop_oneof!["http", "https"], host, prop_oneof!["", ":80", ":443", ":3000"])
            .prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"));
        prop_oneof![4 => sound, 1 => "[ -~]{0,20}", 1 => Just("null".to_owned()), 1 => Just("*".to_owned())]
    }

    proptest! {
        #[test]
        fn x4_no_origin_is_repeated_that_is_not_listed(
            listed in proptest::collection::vec(origin(), 0..4), dev in any::<bool>(), asked in origin(),
        ) {
            let Ok(cors) = Cors::new(&listed, dev) else { return Ok(()) };
            let said = allowed_origin(&cors, &asked);
            if let Some(said) = &said {
                prop_assert_eq!(said, &asked);
                prop_assert_ne!(said, "*");
                // Spelt differently, it is still the same scheme, host and port.
                let normal = |text: &str| {
                    let (scheme, rest) = text.split_once("://")?;
                    let default = if scheme == "http" { ":80" } else { ":443" };
                    Some((scheme.to_owned(), rest.strip_suffix(default).unwrap_or(rest).to_ascii_lowercase()))
                };
                let listed = listed.iter().any(|origin| normal(origin) == normal(&asked));
                let loopback = ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
                    let rest = asked.split_once("://").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
                    rest == *host || rest.starts_with(&format!("{host}:"))
                });
                prop_assert!(listed || (dev && loopback), "{}", said);
            } else if listed.contains(&asked) {
                prop_assert!(false, "{} is listed and not let in", asked);
            }
        }
    }
}
