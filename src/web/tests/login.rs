//! Logging in and out, for people and for programs.

use super::guard::{PASSWORD, locked, log_in, password, post};
use super::*;

fn house() -> House {
    House::open(ready(), |address| locked(address, password()))
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_program_logs_in_and_out() {
    let house = house();
    let cookie = log_in(&house);
    let name = format!("ctm_{}_sid=", house.address.port());
    assert!(cookie.starts_with(&name), "{cookie}");
    let known = [("cookie", cookie.as_str())];
    assert_eq!(house.get("/api/v1/stats/current", &known).status, 200);
    let out = post(&house, "/api/v1/auth/logout", "application/json", "", &known);
    assert_eq!((out.status, out.json()), (200, json!({"status": "ok"})));
    assert!(out.header("set-cookie").unwrap().starts_with(&format!("{name}; Path=/; Max-Age=0;")));
    assert_eq!(house.get("/api/v1/stats/current", &known).status, 401);
}

#[test]
fn a_new_login_ends_the_session_before() {
    let house = house();
    let first = log_in(&house);
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    let again = post(&house, "/api/v1/auth/login", "application/json; charset=utf-8", &body, &[("cookie", &first)]);
    assert_eq!(again.json()["status"], "ok");
    assert!(again.json()["expires_at"].as_str().unwrap().starts_with("2026-11-30T"), "{}", again.body);
    let second = again.header("set-cookie").unwrap();
    assert!(second.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"), "{second}");
    assert_eq!(house.get("/metrics", &[("cookie", &first)]).status, 401);
    assert_eq!(house.get("/metrics", &[("cookie", second)]).status, 200);
}

#[test]
fn x6_every_wrong_password_gets_the_same_answer() {
    let long = "x".repeat(1025);
    let answers = ["", "wrong", "correct horsf", long.as_str()].map(|password| {
        let house = house();
        let body = json!({"password": password}).to_string();
        let answer = post(&house, "/api/v1/auth/login", "application/json", &body, &[]);
        assert_eq!(house.hub.house().login_failures(), 1);
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("Invalid password")));
        let headers = answer.headers.into_iter().filter(|(name, _)| name != "date").collect::<Vec<_>>();
        (headers, answer.body)
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn who_guesses_is_slowed() {
    let house = house();
    let guess = || post(&house, "/api/v1/auth/login", "application/json", r#"{"password":"guess"}"#, &[]);
    for _ in 0..5 {
        assert_eq!(guess().status, 401);
    }
    let refused = guess();
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("too_many_attempts")));
    assert_eq!(refused.json()["error"], "Rate limit exceeded");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    assert_eq!(post(&house, "/api/v1/auth/login", "application/json", &body, &[]).status, 429, "even the right one");
    assert_eq!(house.hub.house().login_failures(), 7);
}

#[test]
fn only_json_is_a_programs_login() {
    let house = house();
    for (kind, body, status) in [
        ("text/plain", r#"{"password":"correct horse"}"#, 415),
        (FORM, "password=correct+horse", 415),
        ("application/json", "{", 400),
        ("application/json", r#"{"password":1}"#, 400),
        ("application/json", r#"{"password":"x","admin":true}"#, 400),
        ("application/json", "{}", 400),
    ] {
        assert_eq!(post(&house, "/api/v1/auth/login", kind, body, &[]).status, status, "{kind}: {body}");
    }
    assert_eq!(house.hub.house().login_failures(), 0);
}

#[test]
fn people_are_sent_to_the_login_and_back() {
    let house = house();
    let browser = ("accept", "text/html,*/*;q=0.8");
    let to = |answer: &Answer| (answer.status, answer.header("location").unwrap_or_default().to_owned());
    assert_eq!(to(&house.get("/", &[browser])), (303, "/login".to_owned()));
    assert_eq!(to(&house.get("/x?a=1&b=2", &[browser])), (303, "/login?next=%2Fx%3Fa%3D1%26b%3D2".to_owned()));
    assert_eq!(to(&house.get("//evil.example", &[browser])), (303, "/login".to_owned()));
    assert_eq!(house.get("/api/v1/stats/current", &[browser]).status, 401, "data is data");

    let page = house.get("/login?next=%2Fx%3Fa%3D1", &[browser]);
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert!(page.body.contains(r#"name="next" value="/x?a=1""#), "{}", page.body);
    assert!(page.body.contains(r#"autocomplete="current-password""#) && page.body.contains("autofocus"));
    let evil = house.get("/login?next=https%3A%2F%2Fevil.example", &[]);
    assert!(!evil.body.contains("evil"), "{}", evil.body);

    let wrong = post(&house, "/login", FORM, "password=wrong&next=%2Fx", &[]);
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("That is not the password.") && wrong.body.contains(r#"value="/x""#), "{}", wrong.body);
    check_headers(&wrong);

    let right = post(&house, "/login", FORM, "password=correct+horse&next=%2Fx%3Fa%3D1", &[]);
    assert_eq!(to(&right), (303, "/x?a=1".to_owned()));
    let cookie = right.header("set-cookie").unwrap().to_owned();
    let elsewhere = post(&house, "/login", FORM, "password=correct+horse&next=%2F%2Fevil.example", &[]);
    assert_eq!(to(&elsewhere), (303, "/".to_owned()));

    let known = [browser, ("cookie", cookie.as_str())];
    assert!(house.get("/", &known).body.contains("Log out"));
    assert!(house.get("/login", &known).body.contains("You are logged in"));
    let out = post(&house, "/logout", FORM, "", &known);
    assert_eq!(to(&out), (303, "/login".to_owned()));
    assert_eq!(to(&house.get("/", &known)), (303, "/login".to_owned()));
}

#[test]
fn behind_an_encrypted_front_the_cookie_is_for_that_alone() {
    let public =
        |address| WebSettings { public_url: Some("https://m.example".to_owned()), ..locked(address, password()) };
    let house = House::open(ready(), public);
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    let length = body.len().to_string();
    let headers = [("host", "m.example"), ("content-type", "application/json"), ("content-length", &length)];
    let answer = house.ask("POST", "/api/v1/auth/login", &headers, body.as_bytes());
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-ctm_") && cookie.ends_with("; SameSite=Strict; Secure"), "{cookie}");
    let known = ("cookie", cookie.split(';').next().unwrap());
    assert_eq!(house.ask("GET", "/metrics", &[("host", "m.example"), known], b"").status, 200);
    assert_eq!(house.get("/metrics", &[known]).status, 401, "it is no cookie of the plain side");
}

#[test]
fn without_a_password_a_login_is_a_formality() {
    let house = House::start();
    let answer = post(&house, "/api/v1/auth/login", "application/json", r#"{"password":"x"}"#, &[]);
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(house.get("/login", &[]).header("location"), Some("/"));
    assert!(!house.get("/", &[]).body.contains("Log out"));
}

#[test]
fn language_and_colours_are_chosen_without_a_login_and_lead_back() {
    let house = house();
    let chosen = post(&house, "/preferences", FORM, "theme=dark&back=%2Fmodels%3Frange%3D7d", &[]);
    assert_eq!((chosen.status, chosen.header("location")), (303, Some("/models?range=7d")));
    assert_eq!(chosen.header("set-cookie"), Some("ctm_theme=dark; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"));
    let elsewhere = post(&house, "/preferences", FORM, "language=zh-CN&back=%2F%2Fevil.example", &[]);
    assert_eq!((elsewhere.status, elsewhere.header("location")), (303, Some("/")));
    let unknown = post(&house, "/preferences", FORM, "language=xx&theme=%22%3E&back=%2Flogin", &[]);
    assert_eq!((unknown.header("set-cookie"), unknown.header("location")), (None, Some("/login")));
    let foreign = [("origin", "http://evil.example")];
    assert_eq!(post(&house, "/preferences", FORM, "theme=dark", &foreign).status, 403);

    let cookies = ("cookie", "ctm_language=zh-CN; ctm_theme=light");
    let page = house.get("/login", &[("accept", "text/html"), cookies]);
    assert!(page.body.contains("<html lang=\"zh-CN\" data-theme=\"light\">") && page.body.contains("密码"));
    let wrong = post(&house, "/login", FORM, "password=wrong", &[cookies]);
    assert!(wrong.body.contains("密码不正确。"), "{}", wrong.body);
}
