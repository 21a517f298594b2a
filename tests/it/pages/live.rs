//! `/live` and the newest responses: what has just happened, as the API says it.

use claude_token_monitor::clock::Clock;
use jiff::Timestamp;
use serde_json::Value;

use super::{encoded, grouped, house, serve};
use crate::house::TestHouse;
use crate::scribe::{MODEL, Scribe};
use crate::wait::PATIENCE;

const SESSION: &str = "5f0c1a52-0000-4000-8000-00000000000a";

/// The bodies of the rows of the tail, the newest first.
fn rows(page: &str) -> Vec<&str> {
    let (_, tail) = page.split_once("data-testid=\"live-tail\"").unwrap_or_else(|| panic!("no tail: {page}"));
    let table = tail.split("</table>").next().unwrap();
    table.split("<tr>").skip(2).collect()
}

#[test]
fn the_newest_responses_are_those_of_the_api() {
    let (house, truth) = house();
    let served = serve(&house);
    let api = served.json("/api/v1/stats/history?start_date=1970-01-01&limit=20");
    for (path, count) in [("/live", 20), ("/?range=all", 8)] {
        let page = served.text(path);
        let rows = rows(&page);
        assert_eq!(rows.len(), count, "{path}");
        for (row, response) in rows.iter().zip(api["data"].as_array().unwrap()) {
            let total = response["total_tokens"].as_u64().unwrap();
            assert!(row.contains(&format!("<data value=\"{total}\" title=\"{}\">", grouped(total))), "{row}");
            assert!(row.contains(response["model"].as_str().unwrap()), "{row}");
            assert!(row.contains(response["session_id"].as_str().unwrap().split('-').next().unwrap()), "{row}");
        }
    }
    let model = api["data"][0]["model"].as_str().unwrap();
    let page = served.text(&format!("/?range=all&model={}", encoded(model)));
    assert!(rows(&page).iter().all(|row| row.contains(model)), "{page}");
    assert!(page.contains(&format!("limit=8&#38;model={}", encoded(model))), "{page}");
    let page = served.text("/live");
    // The statistics beside them are no transcript.
    assert!(house.claude().join("stats-cache.json").exists());
    assert!(page.contains(&format!("{} transcripts", grouped(truth.files))), "{page}");
    assert!(page.contains("Nothing in the last 60 minutes.") && page.contains("No response in the last 10"), "{page}");
}

#[test]
fn what_has_just_happened_is_told_by_the_minute() {
    let house = TestHouse::new();
    let served = serve(&house);
    let mut scribe = Scribe::new(house.claude());
    for seconds_ago in [9, 6, 3] {
        let mut line: Value = serde_json::from_str(&scribe.response(SESSION)).unwrap();
        let at = Timestamp::from_millisecond(Clock::system().now().0 - seconds_ago * 1000).unwrap();
        line["timestamp"] = at.to_string().into();
        scribe.append_raw(SESSION, format!("{line}\n").as_bytes());
    }
    served.wait_counts(scribe.written, PATIENCE);
    let page = served.text("/live");
    let total = served.json("/api/v1/stats/current")["totals"]["total_tokens"].as_u64().unwrap();
    assert!(page.contains(&format!("{} tokens in 3 responses", grouped(total))), "{page}");
    assert_eq!(page.matches(" tokens in 3 responses").count(), 2, "five minutes and an hour: {page}");
    assert!(page.contains("id=\"minutes\"") && page.contains(">active</span>"), "{page}");
    assert_eq!(rows(&page).len(), 3);
    assert!(rows(&page)[0].contains(MODEL), "{page}");
}
