//! `/sinks`: what the API says of them, and what a form tells them.

use crate::api::client::ask;
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

use super::serve;

/// From a heading to the end of what is listed below it.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, after) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading} in {page}"));
    after.split_once("</dl>").unwrap_or_else(|| panic!("nothing below {heading} in {page}")).0
}

#[test]
fn sinks_are_shown_and_told_what_to_do_by_forms() {
    let house = TestHouse::new();
    let file = house.path("out.jsonl");
    let house =
        house.with_config(&format!("[sinks.archive]\ntype = \"jsonl\"\npath = {file:?}\nstart_from = \"beginning\"\n"));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 3);
    let served = serve(&house);
    let sink = |served: &crate::house::Served| {
        let list = served.json("/api/v1/sinks");
        list["sinks"].as_array().unwrap().iter().find(|sink| sink["id"] == "archive").unwrap().clone()
    };
    eventually("three changes delivered", PATIENCE, || (sink(&served)["events"] == 3).then_some(()));
    let page = served.text("/sinks");
    for text in ["archive <small>jsonl</small>", "state good", ">working<", "<dd>3</dd>", ">nothing</dd>"] {
        assert!(page.contains(text), "`{text}` is missing in {page}");
    }
    let (claude, statistics) = (part(&page, "<h3>claude</h3>"), part(&page, "<h3>stats_cache</h3>"));
    assert!(claude.contains("<dt>Read so far</dt>") && !statistics.contains("<dt>Read so far</dt>"), "{page}");
    assert!(!page.contains("Try now"), "nothing waits for a try: {page}");
    assert!(served.text("/sinks?lang=zh-CN").contains(">正常<"));

    let post = |body: &str, origin: &str| {
        let form = ("content-type", "application/x-www-form-urlencoded");
        ask(&served, "POST", "/sinks", &[form, ("origin", origin)], body.as_bytes()).status
    };
    let own = format!("http://{}", served.address());
    let tell = |body: &str| post(body, &own);
    assert_eq!(tell("sink=archive&action=pause&back=/sinks"), 303);
    eventually("paused", PATIENCE, || (sink(&served)["state"] == "paused").then_some(()));
    assert!(served.text("/sinks").contains("value=\"resume\"") && served.text("/sinks").contains(">paused<"));
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    assert_eq!(tell("sink=archive&action=resume"), 303);
    eventually("what came meanwhile", PATIENCE, || (sink(&served)["events"] == 4).then_some(()));

    assert_eq!(tell("sink=archive&action=replay&from=2020-01-01"), 303);
    eventually("all of it again", PATIENCE, || {
        (std::fs::read_to_string(&file).unwrap_or_default().lines().count() == 8).then_some(())
    });
    // A form that names no day.
    assert_eq!(tell("sink=archive&action=replay&from="), 303);
    eventually("all of it once more", PATIENCE, || {
        (std::fs::read_to_string(&file).unwrap_or_default().lines().count() == 12).then_some(())
    });
    for (body, status) in [
        ("sink=archive&action=replay&from=soon", 400),
        ("sink=archive&action=explode", 400),
        ("sink=nobody&action=pause", 404),
    ] {
        assert_eq!(tell(body), status, "{body}");
    }
    // A form of another site.
    assert_eq!(post("sink=archive&action=pause", "https://evil.example"), 403);
    assert_eq!(sink(&served)["state"], "ok");
}
