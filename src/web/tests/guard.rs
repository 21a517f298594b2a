//! Who is let in: matrices over every route there is, made from the router itself, so that a new route cannot be
//! forgotten. Numbers are those of the test plan.

use super::*;
use crate::route::Access;
use crate::web::auth::MetricsAuth;
use crate::web::auth::password::PasswordHash;
use crate::web::auth::password::tests::cheap;
use crate::web::auth::token::Tokens;
use crate::web::auth::token::tests::{SECRET, refused};

pub(super) const PASSWORD: &str = "correct horse";
pub(super) const SCRAPE_TOKEN: &str = "scrape-scrape-scrape";

/// Everything that nobody has to be known for. A route that is open and not in this list fails here, and a route that
/// says nothing of itself needs a login.
const OPEN: [&str; 13] = [
    "GET /-/healthy",
    "GET /-/ready",
    "GET /api/v1/health",
    "GET /api/v1/version",
    "GET /assets/app.css",
    "GET /assets/app.js",
    "GET /assets/chart.css",
    "GET /assets/icon.svg",
    "GET /login",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/logout",
    "POST /login",
    "POST /logout",
];

pub(super) fn password() -> PasswordHash {
    PasswordHash::parse(&cheap(PASSWORD)).unwrap()
}

/// What is asked with a login configured.
pub(super) fn locked(address: SocketAddr, password: PasswordHash) -> WebSettings {
    let auth = AuthSettings {
        password: Some(password),
        jwt_secret: SECRET.to_owned(),
        scrape_token: Some(SCRAPE_TOKEN.to_owned()),
        metrics: MetricsAuth::Inherit,
        session_file: None,
        cookie_port: address.port(),
    };
    WebSettings { auth, exchanges: quick(), ..WebSettings::default() }
}

fn quick() -> ExchangeLimits {
    ExchangeLimits { handler_time: Duration::from_secs(2), ..ExchangeLimits::default() }
}

/// A path that the route answers at.
fn target(route: &Route) -> String {
    let part = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// `GET /path`, an asset without the hash.
fn name(route: &Route) -> String {
    let path = match route.path.strip_prefix("/assets/").and_then(|rest| rest.split_once('/')) {
        Some((_, name)) => format!("/assets/{name}"),
        None => route.path.to_owned(),
    };
    format!("{} {path}", route.method)
}

/// A session's cookie, as a client sends it back.
pub(super) fn log_in(house: &House) -> String {
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    let answer = post(house, "/api/v1/auth/login", "application/json", &body, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

pub(super) fn post(house: &House, path: &str, kind: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let (host, length) = (house.address.to_string(), body.len().to_string());
    let own = [("host", host.as_str()), ("content-type", kind), ("content-length", length.as_str())];
    house.ask("POST", path, &[&own, headers].concat(), body.as_bytes())
}

#[test]
fn x1_every_route_answers_to_its_own_names_only() {
    let house = House::open(ready(), |_| WebSettings { exchanges: quick(), ..WebSettings::default() });
    let port = house.address.port();
    let good = ["127.0.0.1", "localhost", "localhost.", "LOCALHOST", "[::1]"].map(|host| format!("{host}:{port}"));
    let bad = [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0.0.0.0",
        "user@localhost",
    ]
    .map(|host| format!("{host}:{port}"));
    assert!(house.routes.len() > 15);
    for route in &house.routes {
        let (method, path, name) = (route.method.as_str(), target(route), name(route));
        for host in good.iter().map(String::as_str).chain(["monitor.example.org"]) {
            let status = house.ask(method, &path, &[("host", host)], b"").status;
            assert_ne!(status, 421, "{name} for {host}");
        }
        for host in bad.iter().map(String::as_str).chain(["", "localhost", "localhost:1", "127.0.0.1:80"]) {
            let answer = house.ask(method, &path, &[("host", host)], b"");
            // What is no host at all is turned away by the HTTP library already.
            assert!(answer.status == 421 || (host.contains('@') && answer.status == 400), "{name} for {host}");
        }
        let own = ("host", good[0].as_str());
        assert_eq!(house.ask(method, &path, &[], b"").status, 421, "{name} without a host");
        assert_eq!(house.ask(method, &path, &[own, own], b"").status, 421, "{name} with two");
        assert_eq!(house.ask(method, &path, &[own, ("host", "evil.example")], b"").status, 421, "{name} with two");
        let absolute = format!("http://evil.example:{port}{path}");
        assert_eq!(house.ask(method, &absolute, &[own], b"").status, 421, "{name} as {absolute}");
    }
}

#[test]
fn x5_every_route_needs_a_login_unless_it_is_known_to_be_open() {
    let password = password();
    let version = password.version();
    let house = House::open(ready(), |address| locked(address, password));
    let mut open: Vec<String> = house.routes.iter().filter(|route| route.access == Access::Open).map(name).collect();
    open.sort();
    assert_eq!(open, OPEN, "a route that is open has to be in the list, and needs a reason");
    let scraped: Vec<String> = house.routes.iter().filter(|route| route.access == Access::Scrape).map(name).collect();
    assert_eq!(scraped, ["GET /metrics"]);

    let cookie = log_in(&house);
    let token = Tokens::new(SECRET, version.clone()).make(NOW, 1).unwrap();
    let mut bad: Vec<(&str, &str, String)> = vec![
        ("nothing", "x-nothing", String::new()),
        ("a made-up session", "cookie", {
            let (name, _) = cookie.split_once('=').unwrap();
            format!("{name}=0123456789abcdef0123456789abcdef")
        }),
    ];
    bad.push(("another server's cookie", "cookie", cookie.replace("sid", "uid")));
    bad.push(("a password that is no token", "authorization", format!("Bearer {PASSWORD}")));
    bad.push(("the password itself", "authorization", "Basic cHJvbWV0aGV1czpjb3JyZWN0IGhvcnNl".to_owned()));
    for (name, token) in refused(NOW, &version) {
        bad.push((name, "authorization", format!("Bearer {token}")));
    }
    let good = [("a session", "cookie", cookie.clone()), ("a token", "authorization", format!("Bearer {token}"))];
    let scraper = ("authorization", format!("Bearer {SCRAPE_TOKEN}"));
    let elsewhere = ["GET /nothing", "POST /nothing", "GET /api/v1/nothing", "PUT /", "OPTIONS /", "POST /metrics"];
    let asked = house.routes.iter().map(|route| (name(route), route.method.to_string(), target(route), route.access));
    let elsewhere = elsewhere.map(|line| {
        let (method, path) = line.split_once(' ').unwrap();
        (line.to_owned(), method.to_owned(), path.to_owned(), Access::Login)
    });
    for (name, method, path, access) in asked.chain(elsewhere) {
        for (what, header, value) in &bad {
            let status = house.send(&method, &path, &[(header, value.as_str())]).status;
            assert_eq!(status == 401, access != Access::Open, "{name} with {what}: {status}");
        }
        // These end the session that the next line needs.
        if path.ends_with("/logout") {
            continue;
        }
        for (what, header, value) in &good {
            let status = house.send(&method, &path, &[(header, value.as_str())]).status;
            assert_ne!(status, 401, "{name} with {what}");
        }
        let status = house.send(&method, &path, &[(scraper.0, scraper.1.as_str())]).status;
        assert_eq!(status == 401, access == Access::Login, "{name} with the scrape token");
    }
    let answer = house.get("/api/v1/stats/current", &[]);
    assert_eq!(answer.json()["error"], "Unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"claude-token-monitor\""));
    let answer = house.get("/api/v1/stats/current", &[("authorization", "Bearer x")]);
    assert!(answer.header("www-authenticate").unwrap().ends_with("error=\"invalid_token\""));
}

#[test]
fn x2_a_live_connection_needs_our_own_page_or_a_token() {
    for locked_up in [false, true] {
        let password = password();
        let version = password.version();
        let settings = |address| if locked_up { locked(address, password) } else { WebSettings::default() };
        let house = House::open(ready(), settings);
        let address = house.address;
        let own = format!("http://{address}");
        let origins = [
            (None, false),
            (Some("null".to_owned()), false),
            (Some("http://evil.example".to_owned()), false),
            (Some("http://127.0.0.1:1".to_owned()), false),
            (Some(format!("http://localhost.evil.example:{}", address.port())), false),
            (Some(format!("https://{address}")), false),
            (Some(own), true),
        ];
        let cookie = if locked_up { log_in(&house) } else { String::new() };
        let token = Tokens::new(SECRET, version).make(NOW, 1).unwrap();
        let (bearer, scraper) = (format!("Bearer {token}"), format!("Bearer {SCRAPE_TOKEN}"));
        let credentials = [
            ("nobody", ("x-nothing", "")),
            ("cookie", ("cookie", cookie.as_str())),
            ("bearer", ("authorization", bearer.as_str())),
            ("scraper", ("authorization", scraper.as_str())),
        ];
        for (origin, is_own) in origins {
            for (who, credential) in credentials {
                let mut headers = vec![("upgrade", "websocket"), credential];
                headers.extend(origin.as_deref().map(|origin| ("origin", origin)));
                let status = house.get("/live", &headers).status;
                let expected = match (locked_up, is_own, who) {
                    (true, _, "bearer") | (true, true, "cookie") | (false, true, _) => 200,
                    (true, true, _) => 401,
                    _ => 403,
                };
                assert_eq!(status, expected, "login {locked_up}, origin {origin:?}, {who}");
            }
        }
    }
}

#[test]
fn x9_every_kind_of_answer_has_the_headers() {
    let house = House::open(ready(), |address| WebSettings { requests_per_minute: 40, ..locked(address, password()) });
    let host = house.address.to_string();
    let cookie = log_in(&house);
    let known = [("cookie", cookie.as_str())];
    let long = "x".repeat(17 * 1024);
    let answers = [
        (200, house.get("/", &known)),
        (204, house.send("OPTIONS", "/", &known)),
        (303, house.get("/", &[("accept", "text/html")])),
        (400, house.get("/api/v1/version?x", &[])),
        (401, house.get("/metrics", &[])),
        (403, house.send("POST", "/login", &[("origin", "http://evil.example")])),
        (404, house.get("/nothing", &known)),
        (405, house.send("DELETE", "/", &known)),
        (413, {
            let headers = [("host", host.as_str()), known[0], ("content-length", "20000")];
            house.ask("POST", "/echo", &headers, &vec![b'x'; 20_000])
        }),
        (415, post(&house, "/login", "text/plain", "x", &[])),
        (421, house.ask("GET", "/", &[("host", "evil.example")], b"")),
        (431, house.get("/", &[("x-long", &long)])),
        (500, house.get("/broken", &known)),
        (503, house.get("/never", &known)),
        (429, (0..50).map(|_| house.get("/api/v1/stats/current", &known)).find(|answer| answer.status == 429).unwrap()),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.body);
        check_headers(&answer);
        assert_eq!(answer.header("strict-transport-security"), None, "nothing here is encrypted");
        // Pages are long enough to be compressed for whoever wants that.
        assert_eq!(answer.header("vary"), (status == 200).then_some("accept-encoding"));
    }
}

#[test]
fn what_is_asked_too_often_is_refused_with_the_time_to_wait() {
    let house = House::open(ready(), |_| WebSettings { requests_per_minute: 5, ..WebSettings::default() });
    for _ in 0..5 {
        assert_eq!(house.get("/api/v1/stats/current", &[]).status, 200);
    }
    let refused = house.get("/api/v1/stats/models", &[]);
    assert_eq!((refused.status, &refused.json()["error"]), (429, &json!("Rate limit exceeded")));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    assert_eq!(house.get("/nothing", &[]).status, 429, "what is not there costs too");
    assert_eq!(house.hub.house().rate_limited(), 2);
    // A page with its files and its own polling goes on, and so do scrapers and probes.
    for _ in 0..10 {
        for path in ["/", assets::links().stylesheet, "/-/healthy", "/metrics"] {
            assert_eq!(house.get(path, &[]).status, 200, "{path}");
        }
        let by_page = [("sec-fetch-site", "same-origin")];
        assert_eq!(house.get("/api/v1/stats/current", &by_page).status, 200);
    }
}

#[test]
fn clients_behind_a_trusted_proxy_have_budgets_of_their_own() {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let house = House::open(ready(), |_| WebSettings {
        requests_per_minute: 1,
        trusted_proxies: trusted,
        ..WebSettings::default()
    });
    let ask = |by: &str| house.get("/api/v1/stats/current", &[("x-forwarded-for", by)]).status;
    assert_eq!([ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2")], [200, 429, 200]);
    assert_eq!(ask("192.0.2.3, 192.0.2.2"), 429, "what the client itself says of its way is not believed");
    assert_eq!(ask("nonsense"), 400);

    let house = House::open(ready(), |_| WebSettings { requests_per_minute: 1, ..WebSettings::default() });
    let ask = |by: &str| house.get("/api/v1/stats/current", &[("x-forwarded-for", by)]).status;
    assert_eq!([ask("192.0.2.1"), ask("192.0.2.2")], [200, 429], "nobody is trusted");
}

#[test]
fn behind_an_encrypted_front_the_browser_is_told_to_stay_with_it() {
    let house = House::open(ready(), |address| WebSettings {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..locked(address, password())
    });
    let ask =
        |host: &str, proto: &str| house.ask("GET", "/login", &[("host", host), ("x-forwarded-proto", proto)], b"");
    let strict = |answer: &Answer| answer.header("strict-transport-security").map(str::to_owned);
    assert_eq!(strict(&ask("monitor.example.org", "https")).as_deref(), Some("max-age=31536000"));
    assert_eq!(strict(&ask("monitor.example.org", "http")), None);
    assert_eq!(strict(&ask(&house.address.to_string(), "https")), None, "this machine has other servers");
}

#[test]
fn listed_sites_may_ask_and_others_learn_nothing() {
    let house = House::open(ready(), |_| WebSettings {
        allowed_origins: vec!["https://home.example.org".to_owned()],
        ..WebSettings::default()
    });
    let friend = ("origin", "https://home.example.org");
    let answer = house.get("/api/v1/stats/current", &[friend]);
    assert_eq!(answer.header("access-control-allow-origin"), Some(friend.1));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let preflight = house.send("OPTIONS", "/echo", &[friend, ("access-control-request-method", "POST")]);
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, POST, OPTIONS"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("Content-Type, Authorization"));
    assert_eq!(post(&house, "/echo", "application/json", "{}", &[friend]).status, 200);
    assert_eq!(house.get("/live", &[friend, ("upgrade", "websocket")]).status, 200);

    let stranger = ("origin", "https://evil.example");
    for answer in [
        house.get("/api/v1/stats/current", &[stranger]),
        house.send("OPTIONS", "/echo", &[stranger, ("access-control-request-method", "POST")]),
        post(&house, "/echo", "application/json", "{}", &[stranger]),
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}
