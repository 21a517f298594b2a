//! A page that is open while things happen: responses come, the server goes and comes back, nobody looks.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use super::Browser;
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

/// Whatever a page does by itself it does within this time, or not at all.
const A_WHILE: Duration = Duration::from_secs(7);

fn house() -> (TestHouse, Scribe) {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 20);
    (house, scribe)
}

fn total(scribe: &Scribe) -> i64 {
    let all = scribe.written;
    all.input + all.output + all.cache_creation + all.cache_read
}

fn shows(scribe: &Scribe) -> String {
    format!("parseInt(document.querySelector('[data-testid=\"total-tokens\"]').textContent, 10) === {}", total(scribe))
}

/// Says what was measured, past the harness, which shows nothing of a test that passes.
fn measured(what: &str) {
    std::io::stderr().write_all(format!("MEASURED {what}\n").as_bytes()).unwrap();
}

#[test]
fn a_new_response_shows_without_a_reload() {
    const WATCH: &str = "window.mark = 1; new MutationObserver(() => { window.changed = Date.now(); })
        .observe(document.querySelector('[data-testid=\"total-tokens\"]'), { subtree: true, childList: true }); 0";
    let (house, mut scribe) = house();
    let served = house.serve();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.until("document.querySelector('.live').className === 'live live'");
    page.until(&shows(&scribe));
    page.eval(WATCH);
    // From the time in the name of the file system to that of the page: the same clock.
    scribe.append("one", 1);
    let written = std::fs::metadata(scribe.file("one")).unwrap().modified().unwrap();
    page.until(&shows(&scribe));
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let changed = page.eval("window.changed").as_f64().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let took = changed - written as f64;
    measured(&format!("{took:.0} ms from writing a line to the total on the page"));
    // And the rest of the page soon after.
    page.until(&format!("document.querySelector('#figures').innerText.includes('{}')", scribe.written.requests));
    assert_eq!(page.eval("window.mark"), 1);

    // Days of which a message cannot know the sum.
    let range = "start=2025-11-01&end=2025-11-30";
    page.go(&format!("http://{}/?{range}", served.address()));
    page.eval("window.mark = 1");
    scribe.append("one", 1);
    page.until(&shows(&scribe));
    assert_eq!(page.eval("window.mark"), 1);
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn the_first_response_ever_fills_the_page() {
    let house = TestHouse::new();
    let served = house.serve();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.until("document.querySelector('.welcome') !== null");
    let mut scribe = Scribe::new(house.claude());
    page.leave_by(|_| scribe.append("one", 1));
    page.until(&shows(&scribe));
    assert_eq!(page.trouble(), Vec::<String>::new());
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

const STATUS: &str = "document.querySelector('#status').innerText.trim()";

#[test]
fn a_server_that_comes_back_is_found() {
    let (house, mut scribe) = house();
    let house = house.with_env("LISTEN_ADDR", format!("127.0.0.1:{}", port()));
    let served = house.serve();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.eval("window.mark = 1");
    page.until(&format!("{STATUS} === 'Live'"));
    // A question that is still open when the server goes is not what is tested.
    page.until("document.readyState === 'complete'");

    page.resize(390, 844);
    served.stop();
    page.until(&format!("{STATUS}.startsWith('Not connected, numbers of ')"));
    assert_eq!(page.eval("document.querySelector('#status').className"), "live lost");
    assert_eq!(page.eval("document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth"), true);
    page.until(&shows(&scribe));

    scribe.append("one", 3);
    let served = house.serve();
    page.until(&format!("{STATUS} === 'Live'"));
    page.until(&shows(&scribe));
    // And listens again.
    scribe.append("one", 1);
    page.until(&shows(&scribe));
    assert_eq!(page.eval("window.mark"), 1);
    served.stop();
}

#[test]
fn where_no_websocket_gets_through_the_page_asks() {
    let (house, mut scribe) = house();
    let house = house.with_config("[sinks.websocket]\nenabled = false\n");
    let served = house.serve();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all&lang=zh-CN", served.address()));
    page.eval("window.mark = 1");
    page.until(&format!("{STATUS} === '每隔几秒更新'"));
    scribe.append("one", 1);
    page.until(&shows(&scribe));
    assert_eq!(page.eval("window.mark"), 1);
}

#[test]
fn a_page_that_nobody_looks_at_does_nothing() {
    let (house, mut scribe) = house();
    let served = house.serve();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    let clients = || served.scrape().sum("claude_token_monitor_ws_clients");
    page.until(&format!("{STATUS} === 'Live'"));
    eventually("a client", PATIENCE, || (clients() == Some(1.0)).then_some(()));

    page.cover();
    eventually("no client", PATIENCE, || (clients() == Some(0.0)).then_some(()));
    let before = page.requests().len();
    page.eval(
        "window.changes = 0; new MutationObserver(() => { window.changes += 1; })
        .observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true })",
    );
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    pause(A_WHILE);
    assert_eq!((page.requests().len(), page.eval("window.changes")), (before, 0.into()));

    page.uncover();
    page.until(&shows(&scribe));
    page.until(&format!("{STATUS} === 'Live'"));
    assert_eq!(page.trouble(), Vec::<String>::new());
}
