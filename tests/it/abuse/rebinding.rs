//! X3: a page of somebody else in the user's own browser, which can send requests here whatever we listen on. It must
//! read nothing and change nothing; and the same script in our own page can read, so that it is known to work.

use serde_json::{Value, json};

use super::site::{PAGE, Site};
use super::{paths, with_password};
use crate::browser::{Browser, Page};
use crate::counts::Counts;
use crate::house::{Served, TestHouse};
use crate::scribe::{MODEL, Scribe};

const ATTACK: &str = include_str!("attack.js");
const BAIT: &str = include_str!("attack.html");

/// A monitor with something to steal.
fn monitor() -> (TestHouse, Served, Counts) {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("secret", 10);
    let served = house.serve();
    (house, served, scribe.written)
}

/// What the attack can read from `server` when it runs in a page, after making sure that it was tried.
fn attack(page: &mut Page, server: &str, served: &Served) -> Vec<String> {
    let refused =
        || served.scrape().sum_where("claude_token_monitor_http_requests_total", "code=\"4xx\"").unwrap_or(0.0);
    let before = refused();
    let paths = paths(served);
    let found = page.eval(&format!("({ATTACK})({}, {}, {})", json!(server), json!(paths), json!(MODEL)));
    assert!(found["tried"].as_u64().unwrap() > 5 * paths.len() as u64, "{found}");
    assert!(refused() > before + 10.0, "the browser has sent nothing: the test proves nothing");
    strings(&found["read"])
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Nothing was read, and everything is as it was.
fn in_vain(read: &[String], served: &Served, written: Counts) {
    assert!(read.is_empty(), "{read:#?}");
    assert_eq!(served.counts(), written);
    assert!(!served.log().contains("panicked"), "{}", served.log());
}

#[test]
fn x3_a_page_of_another_local_program_reads_nothing() {
    let (_house, served, written) = monitor();
    let Some(mut browser) = Browser::start() else { return };
    let site = Site::start(("127.0.0.2", 0), BAIT, None);
    let mut page = browser.open(&format!("http://{}{PAGE}", site.address()));
    let read = attack(&mut page, &format!("http://{}", served.address()), &served);
    in_vain(&read, &served, written);
}

#[test]
fn x3_a_page_under_a_name_that_was_rebound_reads_nothing() {
    let (_house, served, written) = monitor();
    let monitor: std::net::SocketAddr = served.address().parse().unwrap();
    let Some(mut browser) = Browser::resolving("MAP evil.test 127.0.0.2") else { return };
    // The same port, as rebinding needs.
    let _site = Site::start(("127.0.0.2", monitor.port()), BAIT, Some(monitor));
    let own = format!("http://evil.test:{}", monitor.port());
    let mut page = browser.open(&format!("{own}{PAGE}"));
    let read = attack(&mut page, &own, &served);
    in_vain(&read, &served, written);
}

#[test]
fn x3_a_neighbour_on_another_port_reads_nothing_of_who_is_logged_in() {
    const PASSWORD: &str = "correct horse battery staple";
    // What counts refusals has to be readable.
    let house = with_password(TestHouse::new(), PASSWORD).with_env("METRICS_AUTH", "none");
    Scribe::new(house.claude()).append("secret", 10);
    let served = house.serve();
    let own = format!("http://{}", served.address());
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/login"));
    let body = json!({ "password": PASSWORD }).to_string();
    let init = json!({ "method": "POST", "headers": { "content-type": "application/json" }, "body": body });
    assert_eq!(page.eval(&format!("fetch('/api/v1/auth/login', {init}).then(answer => answer.status)")), 200);
    // All there is, since it is from long ago.
    let all = format!("{own}/?range=all");
    assert!(browser.open(&all).text().contains(MODEL));

    // To a browser another port is the same site: it sends the cookie along.
    let site = Site::start(("127.0.0.1", 0), BAIT, None);
    let mut page = browser.open(&format!("http://{}{PAGE}", site.address()));
    let read = attack(&mut page, &own, &served);
    assert!(read.is_empty(), "{read:#?}");
    assert!(browser.open(&all).text().contains(MODEL), "still logged in");
}

#[test]
fn x3_a_name_that_points_here_shows_nothing() {
    let (_house, served, written) = monitor();
    let (_, port) = served.address().split_once(':').unwrap();
    let Some(mut browser) = Browser::resolving("MAP evil.test 127.0.0.1") else { return };
    let own = format!("http://evil.test:{port}");
    let mut page = browser.open(&own);
    let text = page.text();
    assert!(text.contains("evil.test"), "says why: {text}");
    let read = attack(&mut page, &own, &served);
    in_vain(&read, &served, written);
}

#[test]
fn x3_our_own_page_reads_everything_that_the_others_could_not() {
    let (_house, served, _) = monitor();
    let Some(mut browser) = Browser::start() else { return };
    let own = format!("http://{}", served.address());
    let mut page = browser.open(&format!("{own}/?range=all"));
    assert!(page.text().contains(MODEL));
    assert_eq!(page.trouble(), Vec::<String>::new());
    let read = attack(&mut page, &own, &served);
    let has = |how: &str| assert!(read.iter().any(|line| line.starts_with(how)), "{how} is not in {read:#?}");
    has("GET /api/v1/stats/current has the secret");
    has("GET /metrics has the secret");
    has("GET / has the secret");
    has("<script> /assets/");
    has("<img> /assets/");
    has("<link> /assets/");
    has("WebSocket /ws is open");
    has("POST /api/v1/auth/logout is answered");
}
