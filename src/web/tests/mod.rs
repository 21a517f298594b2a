//! The server as a client meets it: over real sockets, with a hub made by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use warp::Filter;
use warp::http::Method;

use super::*;
use crate::event::{PicoUsd, QuerySource, Tally, TokenCounts, UnixMillis};
use crate::hub::{Commit, Snapshot, Statuses};
use crate::plugin::{Setup, Stopper};
use crate::route::{Class, Response, Route};
use crate::sinks::SINKS;
use crate::status::{RootStatus, SourceStatus};

mod document;
mod guard;
mod login;

/// What time it is.
const NOW: UnixMillis = UnixMillis(1_795_438_800_000);

/// A running server; it stops when dropped.
struct House {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    hub: Hub,
    /// Everything that is served.
    routes: Vec<Route>,
    stopper: Stopper,
    server: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
    _directory: tempfile::TempDir,
}

/// One answer.
struct Answer {
    status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl House {
    fn start() -> Self {
        Self::start_with(ready(), ConnectionLimits::default(), ExchangeLimits::default())
    }

    fn start_with(snapshot: Snapshot, connections: ConnectionLimits, exchanges: ExchangeLimits) -> Self {
        Self::open(snapshot, |_| WebSettings { connections, exchanges, ..WebSettings::default() })
    }

    /// With settings that may depend on the address.
    fn open(snapshot: Snapshot, settings: impl FnOnce(SocketAddr) -> WebSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let status = SourceStatus::default();
        let root = RootStatus { path: "/roots/claude".into(), state: "ok".to_owned(), files: 3 };
        status.update(|words| words.roots = vec![root]);
        let statuses: Statuses = Arc::new([("claude", Arc::new(status))].into_iter().collect());
        let hub = Hub::new(snapshot, statuses);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = settings(address);
        settings.allowed_hosts.push("monitor.example.org".to_owned());
        let readers = Readers::new(&directory.path().join("monitor.db"));
        let state =
            WebState::new(hub.clone(), readers, Clock::fixed(NOW), Arc::new(PriceTable::builtin()), Arc::new(settings));
        let always = SINKS.iter().filter(|sink| sink.always);
        let mut plugins: Routes = always
            .flat_map(|sink| {
                let setup = Setup::new(sink.kind, Clock::fixed(NOW));
                (sink.build)(toml::Table::new(), &setup).unwrap()(&hub).routes
            })
            .collect();
        plugins.push(Route::new(Method::GET, "/never", |_| std::future::pending()));
        plugins.push(echo());
        plugins.push(Route::get("/live", |_| Response::new("open".into())).class(Class::Live));
        plugins.push(Route::get("/broken", |_| error::ApiError::internal().response()));
        let routes = router(&state, plugins.clone()).iter().cloned().collect();
        let (stopper, stop) = Stopper::new();
        let server = runtime.spawn(serve(listener, state, plugins, stop));
        Self { runtime, address, hub, routes, stopper, server: Some(server), _directory: directory }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends one request; the line with the method is written here, the headers are as given.
    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        let mut stream = self.connect();
        stream.write_all(&[request.as_bytes(), body].concat()).unwrap();
        read(&mut stream)
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers)
    }

    /// Like `ask`, with the right host.
    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let host = self.address.to_string();
        self.ask(method, target, &[&[("host", host.as_str())], headers].concat(), b"")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server).unwrap().unwrap();
        }
    }
}

/// Reads until the server closes.
fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A server that closes on a body it did not want may reset the connection after its answer; what was read stays.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: `{text}`"));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() }
}

/// A plugin with a body and a filter of its own.
fn echo() -> Route {
    let body = warp::body::content_length_limit(1 << 20).and(warp::body::json());
    let filter = body.map(|body: Value| Response::new(body.to_string().into())).boxed();
    Route { filter, ..Route::new(Method::POST, "/echo", |_| std::future::pending()) }
}

fn tally(seed: u64, unpriced: bool) -> Tally {
    let tokens = TokenCounts { input: seed, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5 };
    Tally::of(tokens, 6, (!unpriced).then_some(PicoUsd(1_500_000_000_000)))
}

fn ready() -> Snapshot {
    let mut snapshot = Snapshot { revision: 7, ready: true, sessions: 2, session_count: 2, ..Snapshot::default() };
    for (model, tally) in [("claude-opus-4-8", tally(15, false)), ("<script>alert(1)</script>", tally(1, true))] {
        snapshot.models.insert(model.into(), tally);
        snapshot.series.insert((model.into(), QuerySource::Main), tally);
        snapshot.totals.add(&tally);
    }
    snapshot
}

/// Every route, the plugins' included.
const ROUTES: [&str; 9] = [
    "/",
    "/api/v1/stats/current",
    "/api/v1/stats/models",
    "/api/v1/health",
    "/api/v1/version",
    "/-/healthy",
    "/-/ready",
    "/metrics",
    "/never",
];

#[test]
fn a_wrong_host_gets_nothing_from_any_route() {
    let house = House::start();
    let port = house.address.port();
    let assets = [assets::links().stylesheet, assets::links().charts, assets::links().script, assets::links().icon];
    for route in ROUTES.into_iter().chain(assets).chain(["/nothing", "/echo"]) {
        for host in ["evil.example", &format!("evil.example:{port}"), "localhost:1", "127.0.0.1.evil.example"] {
            for method in ["GET", "POST", "OPTIONS", "HEAD"] {
                let answer = house.ask(method, route, &[("host", host)], b"");
                assert_eq!(answer.status, 421, "{method} {route} for {host}");
                check_headers(&answer);
            }
        }
        assert_eq!(house.ask("GET", route, &[], b"").status, 421, "{route} without a host");
    }
    let answer = house.ask("GET", "/metrics", &[("host", "evil.example")], b"").json();
    assert_eq!(answer["code"], "host_not_allowed");
    assert!(answer["error"].as_str().unwrap().contains("`allowed_hosts`"), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("evil.example"), "{answer}");

    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "monitor.example.org".to_owned()] {
        for route in ROUTES.into_iter().filter(|route| *route != "/never").chain(assets) {
            assert_eq!(house.ask("GET", route, &[("host", &host)], b"").status, 200, "{route} for {host}");
        }
    }
}

fn check_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-xss-protection", "0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name} on a {}", answer.status);
    }
    assert!(answer.header("permissions-policy").is_some());
    assert!(answer.header("cache-control").is_some());
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn every_refusal_has_the_headers_and_the_one_shape() {
    let limits = ExchangeLimits {
        handler_time: Duration::from_millis(50),
        body_time: Duration::from_millis(50),
        ..ExchangeLimits::default()
    };
    let house = House::start_with(ready(), ConnectionLimits::default(), limits);
    let host = house.address.to_string();
    let host = ("host", host.as_str());
    let many: Vec<(&str, &str)> = [host].into_iter().chain([("x-many", "1"); 70]).collect();
    let long = "x".repeat(17 * 1024);
    let large = "x".repeat(20_000);
    let cases: [(&str, u16, Answer); 11] = [
        ("not_found", 404, house.get("/nothing", &[])),
        ("not_found", 404, house.get("/api/v1/health/", &[])),
        ("method_not_allowed", 405, house.send("DELETE", "/api/v1/health", &[])),
        ("method_not_allowed", 405, house.send("GET", "/echo", &[])),
        ("method_not_allowed", 405, house.send("PROPFIND", "/", &[])),
        ("body_too_large", 413, house.ask("POST", "/echo", &[host, ("content-length", "20000")], large.as_bytes())),
        ("unsupported_media_type", 415, {
            let headers = [host, ("content-type", "text/plain"), ("content-length", "2")];
            house.ask("POST", "/echo", &headers, b"{}")
        }),
        ("headers_too_large", 431, house.ask("GET", "/", &many, b"")),
        ("headers_too_large", 431, house.ask("GET", "/", &[host, ("x-long", &long)], b"")),
        ("body_timeout", 408, house.ask("POST", "/echo", &[host, ("content-length", "2")], b"{")),
        ("timeout", 503, house.get("/never", &[])),
    ];
    for (code, status, answer) in cases {
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{}", answer.body);
        assert!(answer.json()["error"].is_string());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        check_headers(&answer);
        assert_eq!(answer.header("allow").is_some(), status == 405);
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
    }
    assert_eq!(house.send("DELETE", "/api/v1/health", &[]).header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[test]
fn bad_input_is_the_senders_fault() {
    let house = House::start();
    let host = house.address.to_string();
    for (target, headers, body) in [
        ("/echo", vec![("content-type", "application/json"), ("content-length", "1")], "{"),
        ("/echo", vec![("content-type", "application/json"), ("transfer-encoding", "chunked")], "2\r\n{}\r\n0\r\n\r\n"),
        ("/echo", vec![("transfer-encoding", "chunked")], "zz\r\n"),
        ("/echo", vec![], ""),
    ] {
        let headers = [vec![("host", host.as_str())], headers].concat();
        let answer = house.ask("POST", target, &headers, body.as_bytes());
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.body);
    }
    for target in ["/%00", "/%zz", "/..%2f..%2fetc%2fpasswd", "//", "/?", "/api/v1/stats/current?%", "*"] {
        let answer = house.get(target, &[]);
        assert!(answer.status < 500, "{target}: {}", answer.status);
    }
    let large = format!("{:x}\r\n{}\r\n0\r\n\r\n", 20_000, "x".repeat(20_000));
    let headers = [("host", host.as_str()), ("transfer-encoding", "chunked")];
    assert_eq!(house.ask("POST", "/echo", &headers, large.as_bytes()).status, 413, "whatever it claimed to be");
}

#[test]
fn other_sites_change_nothing() {
    let house = House::start();
    let host = house.address.to_string();
    let own = format!("http://{host}");
    let ask = |extra: &[(&str, &str)]| {
        let headers = [("host", host.as_str()), ("content-type", "application/json"), ("content-length", "2")];
        house.ask("POST", "/echo", &[&headers, extra].concat(), b"{}").status
    };
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("origin", &own)]), 200);
    assert_eq!(ask(&[("origin", "http://evil.example")]), 403);
    assert_eq!(ask(&[("origin", "null")]), 403);
    assert_eq!(ask(&[("sec-fetch-site", "same-site")]), 403);
}

#[test]
fn head_and_options() {
    let house = House::start();
    let (get, head) = (house.get("/api/v1/version", &[]), house.send("HEAD", "/api/v1/version", &[]));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(house.send("HEAD", "/nothing", &[]).status, 404);

    let options = house.send("OPTIONS", "/metrics", &[("origin", "http://evil.example")]);
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    check_headers(&options);
    assert_eq!(house.send("OPTIONS", "/nothing", &[]).status, 404);
}

#[test]
fn current_stats() {
    let house = House::start();
    let body = house.get("/api/v1/stats/current", &[]).json();
    let opus = json!({
        "input_tokens": 15, "output_tokens": 2, "cache_creation_tokens": 7, "cache_creation_5m_tokens": 3,
        "cache_creation_1h_tokens": 4, "cache_read_tokens": 5, "total_tokens": 29, "total_cost": 1.5, "requests": 1,
        "unpriced_tokens": 0, "cache_hit_rate": 0.25, "web_searches": 6,
    });
    assert_eq!(body["models"]["claude-opus-4-8"], opus);
    assert_eq!(
        body["models"]["<script>alert(1)</script>"]["total_cost"],
        json!(0.0),
        "a number, beside its unpriced tokens"
    );
    assert_eq!(body["models"]["<script>alert(1)</script>"]["unpriced_tokens"], 15);
    let totals = &body["totals"];
    assert_eq!((&totals["total_tokens"], &totals["total_cost"]), (&json!(44), &json!(1.5)));
    assert_eq!((&totals["sessions"], &totals["revision"], &body["ready"]), (&json!(2), &json!(7), &json!(true)));
    let models = house.get("/api/v1/stats/models", &[]).json();
    assert_eq!(models, json!(["<script>alert(1)</script>", "claude-opus-4-8"]));
}

#[test]
fn unknown_parameters_are_named() {
    let house = House::start();
    for path in ["/api/v1/stats/current", "/api/v1/stats/models", "/api/v1/health", "/api/v1/version"] {
        let answer = house.get(&format!("{path}?modle=x&days=3"), &[]);
        assert_eq!((answer.status, &answer.json()["parameters"]), (400, &json!(["modle", "days"])), "{path}");
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let house = House::start();
    for path in ["/api/v1/stats/current", "/api/v1/stats/models"] {
        let first = house.get(path, &[]);
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with("\"7-"), "{tag}");
        let second = house.get(path, &[("if-none-match", tag)]);
        assert_eq!((second.status, second.body.as_str(), second.header("etag")), (304, "", Some(tag)));
        check_headers(&second);
        assert_eq!(house.get(path, &[("if-none-match", "\"6-0\"")]).status, 200);
    }
    let tag = house.get("/api/v1/stats/current", &[]).header("etag").unwrap().to_owned();
    let mut snapshot = Snapshot { revision: 8, ..ready() };
    snapshot.totals.add(&tally(1, false));
    house.hub.publish(Commit { snapshot: Arc::new(snapshot), changes: None });
    let changed = house.get("/api/v1/stats/current", &[("if-none-match", &tag)]);
    assert_eq!((changed.status, &changed.json()["totals"]["revision"]), (200, &json!(8)));
}

#[test]
fn health_and_probes() {
    let house = House::start();
    let health = house.get("/api/v1/health", &[]).json();
    assert_eq!((&health["status"], &health["ready"], &health["troubles"]), (&json!("ok"), &json!(true), &json!([])));
    assert_eq!(health["watch"], json!({"mode": "native", "reason": null}));
    assert_eq!(health["sources"][0]["roots"], json!([{"path": "/roots/claude", "state": "ok", "files": 3}]));
    assert_eq!(house.get("/-/healthy", &[]).body, "ok\n");
    assert_eq!(house.get("/-/ready", &[]).status, 200);
    assert_eq!(house.get("/api/v1/version", &[]).json()["version"], env!("CARGO_PKG_VERSION"));

    let catching_up = Snapshot { ready: false, ..ready() };
    house.hub.publish(Commit { snapshot: Arc::new(catching_up.clone()), changes: None });
    assert_eq!(house.get("/api/v1/health", &[]).json()["status"], "catching_up");
    assert_eq!(house.get("/api/v1/stats/current", &[]).json()["ready"], false);
    let not_ready = house.get("/-/ready", &[]);
    assert_eq!((not_ready.status, &not_ready.json()["code"]), (503, &json!("catching_up")));
    assert_eq!(house.get("/-/healthy", &[]).status, 200, "alive all the same");

    let mut troubled = catching_up;
    troubled.troubles.insert("database", "restored".to_owned());
    house.hub.publish(Commit { snapshot: Arc::new(troubled), changes: None });
    let health = house.get("/api/v1/health", &[]);
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")));
    assert_eq!(health.json()["troubles"], json!([{"subject": "database", "message": "restored"}]));

    let words = RootStatus { path: "/roots/x".into(), state: "permission denied".to_owned(), files: 0 };
    house.hub.statuses()["claude"].update(|status| status.roots.push(words));
    assert_eq!(house.get("/api/v1/health", &[]).json()["troubles"][1]["subject"], "directory");
}

#[test]
fn requests_are_counted_by_route_and_class() {
    let house = House::start();
    house.get("/api/v1/health", &[]);
    house.get("/api/v1/health?x", &[]);
    house.get("/nothing/that/would/make/a/label", &[]);
    house.get(assets::links().icon, &[]);
    let metrics = house.get("/metrics", &[]).body;
    for line in [
        r#"{route="/api/v1/health",code="2xx"} 1"#,
        r#"{route="/api/v1/health",code="4xx"} 1"#,
        r#"{route="/assets/{hash}/{name}",code="2xx"} 1"#,
        r#"{route="other",code="4xx"} 1"#,
    ] {
        assert!(metrics.contains(&format!("claude_token_monitor_http_requests_total{line}\n")), "{line} in {metrics}");
    }
    assert!(metrics.contains("process_start_time_seconds 1795438800.0\n"), "{metrics}");
}

#[test]
fn the_page_escapes_what_transcripts_say_and_needs_no_exception_from_the_policy() {
    let house = House::start();
    let page = house.get("/", &[("accept", "text/html")]);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.body.contains("&#60;script&#62;alert(1)"), "{}", page.body);
    assert!(!page.body.contains("<script>") && !page.body.contains("style="), "{}", page.body);
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "nothing from elsewhere");
    for hook in ["live-status", "total-tokens", "total-cost", "model-stats", "trend-chart"] {
        assert!(page.body.contains(&format!("data-testid=\"{hook}\"")), "{hook}");
    }
    for path in [assets::links().stylesheet, assets::links().charts, assets::links().script, assets::links().icon] {
        assert!(page.body.contains(path));
        let asset = house.get(path, &[]);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
}

#[test]
fn people_get_a_page_for_an_error_and_programs_do_not() {
    let house = House::start();
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = house.get("/nothing", &browser);
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    check_headers(&page);
    assert_eq!(house.send("DELETE", "/", &browser).header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(house.get("/api/v1/nothing", &browser).json()["code"], "not_found");
    let headers = [("host", "<b>evil"), browser[0]];
    assert!(!house.ask("GET", "/", &headers, b"").body.contains("<b>evil"));
}

#[test]
fn a_client_that_drips_its_headers_is_left() {
    let limits = ConnectionLimits { header_time: Duration::from_millis(100), ..ConnectionLimits::default() };
    let house = House::start_with(ready(), limits, ExchangeLimits::default());
    let mut silent = house.connect();
    let mut dripping = house.connect();
    dripping.write_all(b"GET / HTTP/1.1\r\nhost:").unwrap();
    let mut idle = house.connect();
    let request = format!("GET /-/healthy HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    idle.write_all(request.as_bytes()).unwrap();
    assert_eq!(read(&mut idle).body, "ok\n", "answered, kept alive, and closed when nothing more came");
    for stream in [&mut silent, &mut dripping] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
    }
}

#[test]
fn one_connection_too_many_is_closed() {
    let limits = ConnectionLimits { per_loopback_address: 1, ..ConnectionLimits::default() };
    let house = House::start_with(ready(), limits, ExchangeLimits::default());
    let request = format!("GET /-/healthy HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    let mut first = house.connect();
    first.write_all(request.as_bytes()).unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).unwrap();
    let mut second = house.connect();
    // The closing may come as an end or as a reset, depending on what was on its way.
    let refused =
        second.write_all(request.as_bytes()).is_err() || second.read(&mut byte).map_or(true, |count| count == 0);
    assert!(refused, "it was answered");
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let limits = ConnectionLimits { write_stall: Duration::from_millis(100), ..ConnectionLimits::default() };
    let house = House::start_with(ready(), limits, ExchangeLimits::default());
    let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", assets::links().stylesheet, house.address);
    let mut stream = house.connect();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    // Requests without end, whose answers fill the buffers on the way: in the end the server hangs up.
    let error = (0..1_000_000).find_map(|_| stream.write_all(request.as_bytes()).err()).unwrap();
    assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
}

#[test]
fn closing_lets_answers_finish_but_not_for_ever() {
    let limits = ConnectionLimits { drain_time: Duration::from_millis(100), ..ConnectionLimits::default() };
    let mut house = House::start_with(ready(), limits, ExchangeLimits::default());
    let mut idle = house.connect();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    idle.write_all(request("/-/healthy").as_bytes()).unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).unwrap();
    let mut stuck = house.connect();
    stuck.write_all(request("/never").as_bytes()).unwrap();
    house.stopper.stop();
    let server = house.server.take().unwrap();
    house.runtime.block_on(server).unwrap().unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(TcpStream::connect(house.address).is_err(), "nobody listens any more");
}
