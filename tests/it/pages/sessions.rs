//! `/sessions`, one of them, and `/blocks`: their numbers are the API's.

use serde_json::Value;

use super::{encoded, grouped, house, serve};
use crate::house::TestHouse;
use crate::scribe::Scribe;

/// The exact number that a page shows for a count: `<data value="7" title="7">`.
fn shown(count: &Value) -> String {
    let count = count.as_u64().unwrap();
    format!("<data value=\"{count}\" title=\"{}\">", grouped(count))
}

/// From the row with a text on to its end.
fn row<'a>(page: &'a str, text: &str) -> &'a str {
    let rows = page.split("<tr").skip(1).map(|rest| rest.split("</tr>").next().unwrap());
    rows.filter(|row| row.contains(text)).last().unwrap_or_else(|| panic!("no row with {text} in {page}"))
}

#[test]
fn sessions_are_listed_as_the_api_lists_them() {
    let (house, truth) = house();
    let served = serve(&house);
    for sort in ["last_activity", "started", "tokens", "cost"] {
        let page = served.text(&format!("/sessions?range=all&sort={sort}"));
        let api = served.json(&format!("/api/v1/stats/sessions?start_date=1970-01-01&sort={sort}"));
        assert_eq!(api["pagination"]["total"].as_u64().unwrap(), truth.by_session.len() as u64);
        assert!(page.contains(&format!("<small>{} sessions</small>", truth.by_session.len())), "{page}");
        let mut after = 0;
        for session in api["data"].as_array().unwrap() {
            let title = format!("title=\"{}\"", session["session_id"].as_str().unwrap());
            let place = page.find(&title).unwrap_or_else(|| panic!("no {title} in {page}"));
            assert!(place > after, "{sort}: {title}");
            after = place;
            let row = row(&page, &title);
            assert!(
                row.contains(&shown(&session["total_tokens"])) && row.contains(&shown(&session["requests"])),
                "{row}"
            );
        }
    }
}

#[test]
fn a_search_finds_ids_by_their_beginning_and_projects_by_a_part() {
    let (house, _) = house();
    let served = serve(&house);
    let all = served.json("/api/v1/stats/sessions?start_date=1970-01-01");
    let session = all["data"][0]["session_id"].as_str().unwrap();
    let page = served.text(&format!("/sessions?range=all&q={}", encoded(session.split('-').next().unwrap())));
    assert!(page.contains(session) && page.contains(&format!("session={}", encoded(session))), "{page}");
    assert!(page.matches("<tr>").count() <= 3, "{page}");

    let project = all["data"][0]["projects"][0].as_str().unwrap();
    let part = project.rsplit('/').next().unwrap().to_uppercase();
    let page = served.text(&format!("/sessions?range=all&q={}", encoded(&part)));
    assert!(page.contains(&format!("title=\"{session}\"")), "{part}: {page}");
    let page = served.text("/sessions?range=all&q=nothing-has-this-name");
    assert!(page.contains("nothing-has-this-name” or belongs") && !page.contains("<table"), "{page}");
}

#[test]
fn one_session_has_its_models_its_agents_and_its_time() {
    let (house, _) = house();
    let served = serve(&house);
    let all = served.json("/api/v1/stats/sessions?start_date=1970-01-01&sort=tokens");
    let session = all["data"][0]["session_id"].as_str().unwrap();
    let api = served.json(&format!("/api/v1/stats/sessions/{session}"));
    let page = served.text(&format!("/sessions/{session}?lang=en"));
    for key in ["total_tokens", "requests", "subagent_tokens"] {
        assert!(page.contains(&shown(&api["session"][key])), "{key} in {page}");
    }
    for model in api["models"].as_array().unwrap() {
        assert!(page.contains(&shown(&model["total_tokens"])), "{model} in {page}");
    }
    for agent in api["agents"].as_array().unwrap().iter().filter(|agent| !agent["agent"].is_null()) {
        assert!(page.contains(agent["agent"].as_str().unwrap()), "{agent} in {page}");
    }
}

#[test]
fn the_window_that_is_going_on_is_on_top() {
    let house = TestHouse::new().with_env("TZ", "UTC");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("5f0c1a52-0000-4000-8000-00000000000a", 3);
    let served = serve(&house);
    let api = served.json("/api/v1/stats/blocks");
    let window = api["blocks"].as_array().unwrap().iter().find(|block| block["is_active"] == true);
    let page = served.text("/blocks?token_limit=1000000000");
    match window {
        Some(window) => {
            let (active, _) = page.split_once("id=\"windows-list\"").unwrap();
            assert!(active.contains(&shown(&window["total_tokens"])), "{page}");
            assert!(active.contains("of your limit of 1.00B tokens") && active.contains("class=\"meter"), "{page}");
        }
        None => assert!(page.contains("No window is going on."), "{page}"),
    }
}

#[test]
fn windows_and_pauses_are_those_of_the_api() {
    let (house, _) = house();
    let served = serve(&house);
    let api = served.json("/api/v1/stats/blocks?start_date=1970-01-01");
    let page = served.text("/blocks?range=all");
    let blocks = api["blocks"].as_array().unwrap();
    let windows = blocks.iter().filter(|block| block["is_gap"] == false).count();
    assert!(page.contains(&format!("<small>{windows} windows</small>")), "{page}");
    for block in blocks.iter().take(50) {
        let start = block["start"].as_str().unwrap().get(..16).unwrap().replace('T', " ");
        let row = row(&page, &start);
        assert!(block["is_gap"] == true || row.contains(&shown(&block["total_tokens"])), "{block} in {row}");
    }
}
