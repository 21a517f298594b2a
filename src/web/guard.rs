//! Who may ask: the gate that every request passes before anything else looks at it. Pure.
//!
//! Listening on the loopback interface keeps nobody out: any page in the user's browser can send requests there, and
//! after a DNS rebinding it can read the answers, as same-origin requests without an `Origin` header. Only the `Host`
//! header gives such a request away, so it is checked on every route. What changes state, and a WebSocket (which
//! browsers open across origins), needs a matching `Origin` as well.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use warp::http::request::Parts;
use warp::http::{HeaderMap, Method, Uri, header};

use crate::web::WebSettings;
use crate::web::cors::{Cors, InvalidOrigin};
use crate::web::site::{Authority, Name, Site, default_port};

/// The names this server answers to.
#[derive(Clone, Debug)]
pub struct Gate {
    port: u16,
    /// This server speaks TLS itself.
    tls: bool,
    /// Loopback names and the address that is listened on.
    own: Vec<Name>,
    /// What the user allowed; without a port it stands for ours and for the default ports, as behind a proxy.
    allowed: Vec<Authority>,
    /// The one address that people use.
    public: Option<Site>,
    /// Other sites whose pages may do what ours may.
    cors: Cors,
}

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not meant for this server; with the name it was sent to, if there was exactly one.
    Misdirected(Option<String>),
    /// Another site's page sent it.
    CrossSite,
}

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Free,
    /// It opens a connection without saying from which page, or from a foreign one. A browser cannot send a token of its
    /// own accord, so whoever has one may.
    WithToken,
}

/// A setting that names no host, or no site, in words that name the setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("allowed_hosts: `{0}` is not a host name or an address, with or without a port")]
    Host(String),
    #[error("public_url: `{0}` is not http:// or https://, a host and perhaps a port, without a path")]
    Url(String),
    #[error("allowed_origins: {0}")]
    Origin(#[from] InvalidOrigin),
}

impl Gate {
    /// For a server that listens on `bound`.
    pub fn new(bound: SocketAddr, settings: &WebSettings) -> Result<Self, InvalidName> {
        let mut own = vec![
            Name::Dns("localhost".to_owned()),
            Name::Ip(Ipv4Addr::LOCALHOST.into()),
            Name::Ip(Ipv6Addr::LOCALHOST.into()),
        ];
        if !bound.ip().is_unspecified() {
            own.push(Name::Ip(bound.ip()));
        }
        let host = |entry: &String| Authority::parse(entry).ok_or_else(|| InvalidName::Host(entry.clone()));
        let site = |url: &String| {
            let parsed = Site::parse(url.strip_suffix('/').unwrap_or(url));
            parsed.ok_or_else(|| InvalidName::Url(url.clone()))
        };
        Ok(Self {
            port: bound.port(),
            tls: settings.tls.is_some(),
            own,
            allowed: settings.allowed_hosts.iter().map(host).collect::<Result<_, _>>()?,
            public: settings.public_url.as_ref().map(site).transpose()?,
            cors: Cors::new(&settings.allowed_origins, settings.dev_mode)?,
        })
    }

    /// Lets a request pass or says why not.
    pub fn check(&self, request: &Parts) -> Result<Pass, Refusal> {
        self.check_host(&request.headers, &request.uri)?;
        let upgrade = request.headers.contains_key(header::UPGRADE);
        match request.method {
            Method::GET if upgrade => {
                Ok(if self.check_origin(&request.headers, true).is_ok() { Pass::Free } else { Pass::WithToken })
            }
            Method::GET | Method::HEAD | Method::OPTIONS => Ok(Pass::Free),
            // Whatever else there is may change something.
            _ => self.check_origin(&request.headers, false).map(|()| Pass::Free),
        }
    }

    /// Which other sites may read answers.
    pub fn cors(&self) -> &Cors {
        &self.cors
    }

    /// Whether a request came under the public address, and that is an encrypted one.
    pub fn is_public_https(&self, headers: &HeaderMap) -> bool {
        let asked = || single(headers, &header::HOST).and_then(Authority::parse);
        self.public.as_ref().is_some_and(|site| site.https && asked().is_some_and(|asked| site.is_at(&asked)))
    }

    /// Whether a request names this machine as seen from itself, where other programs have servers of their own.
    pub fn is_loopback(headers: &HeaderMap) -> bool {
        match single(headers, &header::HOST).and_then(Authority::parse).map(|asked| asked.name) {
            Some(name) => name.is_loopback(),
            None => true,
        }
    }

    fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let host = single(headers, &header::HOST).ok_or(Refusal::Misdirected(None))?;
        let misdirected = || Refusal::Misdirected(Some(host.to_owned()));
        let asked = Authority::parse(host).ok_or_else(misdirected)?;
        // An absolute-form target names the server a second time; both must mean the same one.
        let target = uri.authority().map(|target| Authority::parse(target.as_str()));
        if target.is_some_and(|target| target.as_ref() != Some(&asked)) {
            return Err(misdirected());
        }
        let public = self.public.as_ref().is_some_and(|site| site.is_at(&asked));
        if public || self.answers_to(&asked, default_port(self.tls)) { Ok(()) } else { Err(misdirected()) }
    }

    fn check_origin(&self, headers: &HeaderMap, required: bool) -> Result<(), Refusal> {
        let origin = single(headers, &header::ORIGIN);
        if origin.is_some_and(|origin| self.cors.allows(origin)) {
            return Ok(());
        }
        // Browsers say so themselves when another site is asking. A neighbour on another local port is the same site
        // to them, so `same-site` is not good enough.
        if headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site" || site == "same-site") {
            return Err(Refusal::CrossSite);
        }
        if !headers.contains_key(header::ORIGIN) && !required {
            return Ok(());
        }
        match origin {
            Some(origin) if self.is_own_origin(origin) => Ok(()),
            _ => Err(Refusal::CrossSite),
        }
    }

    /// Whether `scheme://host[:port]` is a page of this server.
    fn is_own_origin(&self, origin: &str) -> bool {
        let Some(site) = Site::parse(origin) else { return false };
        if self.public.as_ref() == Some(&site) {
            return true;
        }
        let name = &site.authority.name;
        // The scheme is known of our own names and of the public one; the other scheme is somebody else's.
        let wrong_scheme = match &self.public {
            _ if self.own.contains(name) => site.https != self.tls,
            Some(public) => public.authority.name == *name && public.https != site.https,
            None => false,
        };
        !wrong_scheme && self.answers_to(&site.authority, default_port(site.https))
    }

    fn answers_to(&self, asked: &Authority, default_port: u16) -> bool {
        let port = asked.port.unwrap_or(default_port);
        let own = port == self.port && self.own.contains(&asked.name);
        own || self.allowed.iter().any(|allowed| {
            allowed.name == asked.name
                && match allowed.port {
                    Some(allowed_port) => port == allowed_port || (asked.port.is_none() && allowed_port == 443),
                    None => asked.port.is_none() || port == self.port,
                }
        })
    }
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

    const OK: Result<(), ()> = Ok(());
    const NO: Result<(), ()> = Err(());

    fn settings(allowed_hosts: &[&str]) -> WebSettings {
        let allowed_hosts = allowed_hosts.iter().map(|host| (*host).to_owned()).collect();
        WebSettings { allowed_hosts, ..WebSettings::default() }
    }

    fn gate() -> Gate {
        let settings = settings(&["monitor.example.org", "box:8080", "[fd00::1]:9000"]);
        Gate::new("192.168.1.7:51888".parse().unwrap(), &settings).unwrap()
    }

    fn ask(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = warp::http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        through(&gate(), &request.body(()).unwrap().into_parts().0)
    }

    /// Without a token.
    fn through(gate: &Gate, parts: &Parts) -> Result<(), Refusal> {
        match gate.check(parts)? {
            Pass::Free => Ok(()),
            Pass::WithToken => Err(Refusal::CrossSite),
        }
    }

    #[test]
    fn hosts() {
        fn check(host: &str, expected: Result<(), ()>) {
            assert_eq!(ask("GET", "/", &[("host", host)]).map_err(|_| ()), expected, "host `{host}`");
        }
        check("localhost:51888", OK);
        check("LOCALHOST:51888", OK);
        check("localhost.:51888", OK);
        check("127.0.0.1:51888", OK);
        check("[::1]:51888", OK);
        check("[0:0::1]:51888", OK);
        check("192.168.1.7:51888", OK);
        check("monitor.example.org", OK);
        check("Monitor.Example.ORG.", OK);
        check("monitor.example.org:51888", OK);
        check("box:8080", OK);
        check("[fd00::1]:9000", OK);

        check("evil.example", NO);
        check("evil.example:51888", NO);
        check("127.0.0.1.evil.example:51888", NO);
        check("localhost.evil.example:51888", NO);
        check("localhost..:51888", NO);
        check("localhost", NO);
        check("localhost:", NO);
        check("localhost:80", NO);
        check("localhost:51889", NO);
        check("localhost:051888 ", NO);
        check("localhost:+51888", NO);
        check("localhost:999999", NO);
        check("user@localhost:51888", NO);
        check("localhost:51888@evil.example", NO);
        check("localhost:51888/path", NO);
        check("localhost:51888,evil.example", NO);
        check("[::ffff:127.0.0.1]:51888", NO);
        check("2130706433:51888", NO);
        check("0x7f000001:51888", NO);
        check("0177.0.0.1:51888", NO);
        check("127.1:51888", NO);
        check("0.0.0.0:51888", NO);
        check("monitor.example.org:8443", NO);
        check("box", NO);
        check("box:51888", NO);
        check("", NO);
        check(".", NO);
        check(" ", NO);
    }

    #[test]
    fn exactly_one_host_that_agrees_with_the_target() {
        let good = ("host", "localhost:51888");
        assert_eq!(ask("GET", "/", &[]), Err(Refusal::Misdirected(None)));
        assert_eq!(ask("GET", "/", &[good, good]), Err(Refusal::Misdirected(None)));
        assert_eq!(ask("GET", "/", &[good, ("host", "evil.example")]), Err(Refusal::Misdirected(None)));
        assert_eq!(ask("GET", "http://localhost:51888/", &[good]), Ok(()));
        assert_eq!(ask("GET", "http://LOCALHOST.:51888/", &[good]), Ok(()));
        for other in ["http://evil.example/", "http://127.0.0.1:51888/", "http://localhost/"] {
            assert_eq!(ask("GET", other, &[good]), Err(Refusal::Misdirected(Some(good.1.to_owned()))), "{other}");
        }
    }

    #[test]
    fn origins() {
        fn check(origin: &str, expected: Result<(), ()>) {
            let headers = [("host", "localhost:51888"), ("origin", origin)];
            let upgrade = [headers.as_slice(), &[("upgrade", "websocket")]].concat();
            assert_eq!(ask("POST", "/", &headers).map_err(|_| ()), expected, "POST from `{origin}`");
            assert_eq!(ask("GET", "/ws", &upgrade).map_err(|_| ()), expected, "WebSocket from `{origin}`");
            assert_eq!(ask("GET", "/", &headers), Ok(()), "reading is the browser's business");
        }
        check("http://localhost:51888", OK);
        check("http://127.0.0.1:51888", OK);
        check("http://[::1]:51888", OK);
        check("http://192.168.1.7:51888", OK);
        check("https://monitor.example.org", OK);
        check("http://monitor.example.org", OK);
        check("http://box:8080", OK);

        check("null", NO);
        check("", NO);
        check("https://localhost:51888", NO);
        check("http://localhost:3000", NO);
        check("http://localhost", NO);
        check("http://evil.example", NO);
        check("http://localhost:51888.evil.example", NO);
        check("http://localhost:51888/", NO);
        check("https://monitor.example.org:8443", NO);
        check("ftp://localhost:51888", NO);
        check("localhost:51888", NO);
    }

    #[test]
    fn without_an_origin() {
        let host = ("host", "localhost:51888");
        assert_eq!(ask("POST", "/", &[host]), Ok(()), "not a browser");
        assert_eq!(ask("GET", "/ws", &[host, ("upgrade", "websocket")]), Err(Refusal::CrossSite));
        for site in ["cross-site", "same-site"] {
            assert_eq!(ask("POST", "/", &[host, ("sec-fetch-site", site)]), Err(Refusal::CrossSite));
        }
        assert_eq!(ask("POST", "/", &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
    }

    #[test]
    fn methods() {
        let (host, evil) = (("host", "localhost:51888"), ("origin", "http://evil.example"));
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(ask(method, "/", &[host, evil]), Ok(()), "reading is the browser's business");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"] {
            assert_eq!(ask(method, "/", &[host]), Ok(()));
            assert_eq!(ask(method, "/", &[host, evil]), Err(Refusal::CrossSite));
        }
    }

    #[test]
    fn a_wildcard_address_is_not_a_name() {
        let gate = Gate::new("0.0.0.0:51888".parse().unwrap(), &WebSettings::default()).unwrap();
        let parts = |host| warp::http::Request::builder().header("host", host).body(()).unwrap().into_parts().0;
        assert_eq!(gate.check(&parts("127.0.0.1:51888")), Ok(Pass::Free));
        assert!(gate.check(&parts("0.0.0.0:51888")).is_err());
    }

    #[test]
    fn the_public_address_has_one_scheme_and_one_port() {
        let check = |public: &str, host: &str, origin: &str, expected: (bool, bool)| {
            let settings = WebSettings { public_url: Some(public.to_owned()), ..WebSettings::default() };
            let gate = Gate::new("127.0.0.1:51888".parse().unwrap(), &settings).unwrap();
            let request = |host: &str, origin: Option<&str>| {
                let mut request = warp::http::Request::builder().method("POST").header("host", host);
                if let Some(origin) = origin {
                    request = request.header("origin", origin);
                }
                request.body(()).unwrap().into_parts().0
            };
            let by_host = gate.check(&request(host, None)).is_ok();
            let by_origin = gate.check(&request("localhost:51888", Some(origin))).is_ok();
            assert_eq!((by_host, by_origin), expected, "{public}: {host} and {origin}");
        };
        check("https://m.example", "m.example", "https://m.example", (true, true));
        check("https://m.example/", "m.example:443", "https://m.example:443", (true, true));
        check("https://m.example", "m.example:80", "http://m.example", (false, false));
        check("https://m.example", "m.example:51888", "https://m.example:51888", (false, false));
        check("http://m.example:8080", "m.example:8080", "http://m.example:8080", (true, true));
        check("http://m.example:8080", "m.example", "https://m.example:8080", (false, false));
        check("https://m.example", "n.example", "https://n.example", (false, false));
    }

    #[test]
    fn under_tls_our_own_pages_are_https() {
        let gate = Gate { tls: true, ..gate() };
        let own = |origin: &str| gate.is_own_origin(origin);
        assert!(own("https://localhost:51888") && own("https://192.168.1.7:51888"));
        assert!(!own("http://localhost:51888") && !own("https://localhost"));
    }

    #[test]
    fn sites_that_are_allowed_may_do_what_our_pages_may() {
        let settings = WebSettings { allowed_origins: vec!["https://a.example".to_owned()], ..WebSettings::default() };
        let gate = Gate::new("127.0.0.1:51888".parse().unwrap(), &settings).unwrap();
        let ask = |origin: &str| {
            let request = warp::http::Request::builder().method("POST").header("host", "localhost:51888");
            let request = request.header("origin", origin).header("sec-fetch-site", "cross-site");
            gate.check(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(ask("https://a.example"), Ok(Pass::Free));
        assert_eq!(ask("https://b.example"), Err(Refusal::CrossSite));
        assert_eq!(ask("http://localhost:51888"), Err(Refusal::CrossSite), "two headers that disagree");
    }

    #[test]
    fn settings_that_are_no_hosts() {
        for entry in ["", "http://box", "a b", "box:", "box:99999", "*", "user@box"] {
            let outcome = Gate::new("127.0.0.1:1".parse().unwrap(), &settings(&[entry]));
            assert_eq!(outcome.err(), Some(InvalidName::Host(entry.to_owned())));
        }
        for url in ["", "m.example", "https://", "https://m.example/path", "ftp://m.example", "https://me@m.example"] {
            let settings = WebSettings { public_url: Some(url.to_owned()), ..WebSettings::default() };
            let outcome = Gate::new("127.0.0.1:1".parse().unwrap(), &settings);
            assert_eq!(outcome.err(), Some(InvalidName::Url(url.to_owned())));
        }
    }
}
