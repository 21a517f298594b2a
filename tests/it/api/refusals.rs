//! What the API does not answer, and how it says so: one shape, a status that fits, and what would be right.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::{Answer, ask, get};
use crate::auth::{PASSWORD, locked};
use crate::house::{Served, TestHouse};
use crate::load::clients::send;

/// One shape for all: who reads `error` and `code` has read every refusal.
fn check(answer: &Answer, status: u16, code: &str, what: &str) -> Value {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}: a refusal is not kept");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let body = answer.json();
    assert_eq!(body["code"], code, "{what}: {body}");
    assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}: {body}");
    let known = ["error", "code", "parameter", "parameters", "allowed", "limit_bytes", "ratio"];
    assert!(body.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())), "{what}: {body}");
    body
}

/// Every operation of the API's own document: method, path, and what the document says of it.
fn operations(served: &Served) -> Vec<(String, String, Value)> {
    let document = served.json("/api/v1/openapi.json");
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            let target = path.replace("{id}", "nobody");
            (method.to_uppercase(), target, operation.clone())
        })
    });
    let operations: Vec<_> = operations.collect();
    assert!(operations.len() > 20);
    operations
}

fn parameters(operation: &Value) -> Vec<Value> {
    let all = operation["parameters"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|parameter| parameter["in"] == "query").collect()
}

/// What sinks answer, they read by themselves.
fn is_of_a_sink(path: &str) -> bool {
    ["/metrics", "/ws"].contains(&path)
}

#[test]
fn parameters_that_are_not_there_are_refused_by_name() {
    let served = TestHouse::new().serve();
    for (method, path, operation) in operations(&served) {
        if is_of_a_sink(&path) {
            continue;
        }
        let known: Vec<_> = parameters(&operation).iter().map(|parameter| parameter["name"].clone()).collect();
        for (query, name) in
            [("nonsense=1", "nonsense"), ("Model=x", "Model"), ("=", ""), ("%00=1", "\0"), ("a%3Db", "a=b")]
        {
            let answer = ask(&served, &method, &format!("{path}?{query}"), &[], b"");
            let body = check(&answer, 400, "unknown_parameter", &format!("{path}?{query}"));
            assert_eq!((&body["parameter"], &body["allowed"]), (&name.into(), &Value::from(known.clone())), "{path}");
        }
        let two = check(&ask(&served, &method, &format!("{path}?x=1&y=2"), &[], b""), 400, "unknown_parameter", &path);
        assert_eq!(two["parameters"], json!(["x", "y"]));
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_what_can() {
    let served = TestHouse::new().serve();
    let mut seen = BTreeSet::new();
    for (method, path, operation) in operations(&served) {
        for parameter in parameters(&operation).iter().filter(|_| !is_of_a_sink(&path)) {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let one = |value: &str| format!("{name}={}", super::encoded(value));
            let bad: Vec<String> = match schema["type"].as_str() {
                Some("integer") => {
                    let bound = |name: &str| schema[name].as_i64().unwrap();
                    let around = [bound("minimum") - 1, bound("maximum") + 1].map(|bound| one(&bound.to_string()));
                    around.into_iter().chain(["x", "1.5", "+1", " 1", "\0"].map(one)).collect()
                }
                Some("array") => vec![vec![one("x"); 51].join("&")],
                _ if schema["enum"].is_array() => ["x", "ALL", "\0"].map(one).to_vec(),
                _ if schema["pattern"].is_string() => ["x", "2026-02-30", "1_", "\0"].map(one).to_vec(),
                _ if schema["$ref"].is_string() => ["Mars/Olympus", "../../etc/passwd", "\0"].map(one).to_vec(),
                _ => Vec::new(),
            };
            for query in bad {
                let target = format!("{path}?{query}");
                let body = check(&ask(&served, &method, &target, &[], b""), 400, "invalid_parameter", &target);
                assert_eq!(body["parameter"], name, "{target}");
                assert!(!body["allowed"].is_null(), "{target}");
            }
            if schema["type"] != "array" {
                let example =
                    parameter["example"].as_str().map_or_else(|| parameter["example"].to_string(), str::to_owned);
                let target = format!("{path}?{name}={0}&{name}={0}", super::encoded(&example));
                check(&ask(&served, &method, &target, &[], b""), 400, "invalid_parameter", &target);
            }
            seen.insert(name.to_owned());
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}

#[test]
fn every_path_says_what_can_be_done_with_it() {
    let served = TestHouse::new().serve();
    for (method, path, _) in operations(&served) {
        let allow = if method == "GET" { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
        let options = ask(&served, "OPTIONS", &path, &[], b"");
        assert_eq!((options.status, options.header("allow")), (204, Some(allow)), "{path}");
        let other = if method == "GET" { "POST" } else { "GET" };
        for other in [other, "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let refused = ask(&served, other, &path, &[], b"");
            check(&refused, 405, "method_not_allowed", &format!("{other} {path}"));
            assert_eq!(refused.header("allow"), Some(allow), "{other} {path}");
        }
        check(&get(&served, &format!("{path}/")), 404, "not_found", &path);
        if method == "GET" && path != "/ws" {
            // HEAD is GET without the body.
            let (get, head) = (get(&served, &path), ask(&served, "HEAD", &path, &[], b""));
            assert_eq!((head.status, head.names()), (get.status, get.names()), "{path}");
            assert!(head.body.is_empty());
            for name in ["content-type", "etag", "cache-control"].iter().filter(|name| get.header(name).is_some()) {
                let moves_on = ["/api/v1/health", "/metrics"].contains(&path.as_str());
                assert!(head.header(name) == get.header(name) || moves_on, "{path} {name}");
            }
        }
    }
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/stats/current",
        "/api/v1/stats",
        "/api/v1/stats/sessions/",
        "//api/v1/health",
    ] {
        check(&get(&served, path), 404, "not_found", path);
    }
}

#[test]
fn every_other_refusal_has_the_same_shape() {
    let served = TestHouse::new().serve();
    let json = ("content-type", "application/json");
    let login = "/api/v1/auth/login";
    check(&ask(&served, "POST", login, &[json], &vec![b' '; 20_000]), 413, "body_too_large", "20 KB");
    check(&ask(&served, "POST", login, &[], b"{}"), 415, "unsupported_media_type", "no type");
    check(
        &ask(&served, "POST", login, &[("content-type", "text/json")], b"{}"),
        415,
        "unsupported_media_type",
        "another type",
    );
    for body in ["", "{", "[]", "{}", "{\"password\": 1}", "{\"password\": \"x\", \"user\": \"y\"}", "\u{0}"] {
        check(&ask(&served, "POST", login, &[json], body.as_bytes()), 400, "bad_body", body);
    }
    let many: Vec<(String, String)> = (0..80).map(|n| (format!("x-{n}"), "y".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    check(&ask(&served, "GET", "/api/v1/stats/current", &many, b""), 431, "headers_too_large", "80 headers");
    let long = "y".repeat(20_000);
    check(
        &ask(&served, "GET", "/api/v1/stats/current", &[("x", &long)], b""),
        431,
        "headers_too_large",
        "20 KB of headers",
    );
    let misdirected =
        send(served.address(), "GET /api/v1/stats/current HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    let misdirected = misdirected.unwrap();
    assert!(
        misdirected.starts_with("HTTP/1.1 421 ") && misdirected.contains("\"code\":\"host_not_allowed\""),
        "{misdirected}"
    );
    for (query, parameter) in [
        ("stats/history?cursor=1_1&page=1", "cursor"),
        ("stats/trends?days=1&start_date=2026-01-01", "days"),
        ("stats/heatmap?days=1&start_date=2026-01-01", "days"),
        ("stats/heatmap?start_date=1970-01-01&end_date=2199-12-31", "start_date"),
        ("stats/blocks?days=1&start_date=2026-01-01", "days"),
        ("stats/projects?start_date=2026-01-02&end_date=2026-01-01", "start_date"),
        ("stats/sessions?start_date=2026-01-02&end_date=2026-01-01", "start_date"),
        ("export/csv?start_date=2026-01-02&end_date=2026-01-01", "start_date"),
        ("cost/estimate?as_model=nobody", "as_model"),
    ] {
        let body = check(&get(&served, &format!("/api/v1/{query}")), 422, "contradiction", query);
        assert_eq!(body["parameter"], parameter, "{query}");
        assert!(!body["allowed"].is_null(), "{query}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let served = TestHouse::new().with_env("RATE_LIMIT_PER_MINUTE", "5").serve();
    let answers: Vec<Answer> = (0..8).map(|_| get(&served, "/api/v1/stats/current")).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        let body = check(refused, 429, "rate_limited", "the sixth");
        assert_eq!(body["error"], "Rate limit exceeded");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=12).contains(&wait), "{wait}");
    }
    // Probes have no limit, and other things have their own.
    assert!((0..20).all(|_| get(&served, "/-/healthy").status == 200));
}

#[test]
fn with_a_password_everything_but_a_few_things_needs_a_login() {
    let house = locked();
    let token = house.run(["auth", "token"]);
    let bearer = format!("Bearer {}", token.stdout.trim());
    let served = house.serve();
    let known = [("authorization", bearer.as_str())];
    let document = ask(&served, "GET", "/api/v1/openapi.json", &known, b"").json();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let (method, target) = (method.to_uppercase(), path.replace("{id}", "nobody"));
            let open = operation.get("security").is_none();
            let anonymous = ask(&served, &method, &target, &[], b"");
            assert_eq!(anonymous.status != 401, open, "{method} {path}: {anonymous:?}");
            if !open {
                let body = check(&anonymous, 401, "unauthorized", path);
                assert_eq!(body["error"], "Unauthorized");
                assert!(anonymous.header("www-authenticate").is_some());
                let wrong = ask(&served, &method, &target, &[("authorization", "Bearer nonsense")], b"");
                check(&wrong, 401, "unauthorized", path);
                // Even what is wrong with a question is told to nobody.
                check(&ask(&served, &method, &format!("{target}?nonsense=1"), &[], b""), 401, "unauthorized", path);
                let login_offered = operation["security"].as_array().unwrap().iter().any(|one| *one == json!({}));
                assert!(!login_offered, "{path}: a login is needed, and the document says that it is not");
                assert_ne!(ask(&served, &method, &target, &known, b"").status, 401, "{path}");
            }
        }
    }
    check(&get(&served, "/api/v1/nowhere"), 401, "unauthorized", "nowhere");
    let json = [("content-type", "application/json")];
    let wrong = ask(&served, "POST", "/api/v1/auth/login", &json, b"{\"password\": \"wrong\"}");
    assert_eq!(check(&wrong, 401, "invalid_password", "login")["error"], "Invalid password");
    let right = json!({"password": PASSWORD}).to_string();
    assert_eq!(ask(&served, "POST", "/api/v1/auth/login", &json, right.as_bytes()).status, 200);
}
