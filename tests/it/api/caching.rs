//! A poll without news costs a head: strong tags that change when, and only when, the answer does.

use std::io::Read as _;

use jiff::Timestamp;

use super::client::{ask, get};
use super::clockwork::{Clockwork, line};
use super::recount::ALL;
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// Every question that has an answer of its own for as long as nothing happens, and whether a response changes it.
fn questions() -> Vec<(String, bool)> {
    let history = ["current", "models"].map(|name| (format!("/api/v1/stats/{name}"), true));
    let ranges = ["history", "projects", "sessions", "blocks", "history"];
    let ranges = ranges.map(|name| (format!("/api/v1/stats/{name}?{ALL}"), true));
    let days = ["trends?period=hourly", "trends?group_by=model", "heatmap"];
    let days = days.map(|name| (format!("/api/v1/stats/{name}"), true));
    let others = [
        ("/api/v1/stats/sessions/ticking", true),
        ("/api/v1/cost/estimate?as_model=claude-haiku-4-5", true),
        ("/api/v1/sources", true),
        ("/api/v1/cost/pricing", false),
        ("/api/v1/openapi.json", false),
        ("/api/v1/version", false),
    ];
    let others = others.map(|(path, changes)| (path.to_owned(), changes));
    history.into_iter().chain(ranges).chain(days).chain(others).collect()
}

#[test]
fn what_has_not_changed_is_not_sent_again_and_what_has_is() {
    let clock = Clockwork::new(TestHouse::new(), ["2025-11-01T00:00:00Z".parse().unwrap()]);
    let served = &clock.served;
    let mut tags = Vec::new();
    for (path, changes) in questions() {
        let first = get(served, &path);
        let tag = first.tag();
        assert!(first.status == 200 && tag.starts_with('"') && tag.ends_with('"'), "{path}: a strong tag, {tag}");
        assert_eq!(first.header("cache-control"), Some("private, no-cache"), "{path}");
        for asked in [tag.clone(), format!("W/{tag}"), format!("\"1\", {tag}"), "*".to_owned()] {
            let again = ask(served, "GET", &path, &[("if-none-match", &asked)], b"");
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {asked}");
            assert_eq!(again.tag(), tag, "{path}");
            assert_eq!(again.header("cache-control"), Some("private, no-cache"), "{path}");
        }
        let head = ask(served, "HEAD", &path, &[("if-none-match", &tag)], b"");
        assert_eq!((head.status, head.tag()), (304, tag.clone()), "HEAD {path}");
        let other = ask(served, "GET", &path, &[("if-none-match", "\"something-else\"")], b"");
        assert_eq!((other.status, &other.body), (200, &first.body), "{path}");
        tags.push((path, changes, tag));
    }
    let late = line("ticking", 99, Timestamp::now()).replace(crate::scribe::MODEL, "claude-opus-4-8");
    Scribe::new(clock.house.claude()).append_raw("ticking", late.as_bytes());
    eventually("the late response", PATIENCE, || {
        (served.json("/api/v1/stats/current")["totals"]["requests"] == 2).then_some(())
    });
    for (path, changes, tag) in &tags {
        let answer = ask(served, "GET", path, &[("if-none-match", tag)], b"");
        assert_eq!(answer.status, if *changes { 200 } else { 304 }, "{path}");
        assert_eq!(answer.tag() != *tag, *changes, "{path}");
    }
}

#[test]
fn who_takes_it_compressed_gets_a_tag_of_its_own() {
    let clock = Clockwork::new(TestHouse::new(), ["2025-11-01T00:00:00Z".parse().unwrap()]);
    let path = "/api/v1/stats/heatmap?days=400&end_date=2025-11-30";
    let plain = get(&clock.served, path);
    assert_eq!((plain.header("vary"), plain.header("content-encoding")), (Some("accept-encoding"), None));
    for encoding in ["gzip", "br"] {
        let headers = [("accept-encoding", encoding)];
        let answer = ask(&clock.served, "GET", path, &headers, b"");
        assert_eq!((answer.status, answer.header("content-encoding")), (200, Some(encoding)));
        assert!(answer.whole && answer.body.len() * 4 < plain.body.len(), "{} bytes", answer.body.len());
        if encoding == "gzip" {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut text).unwrap();
            assert_eq!(text, plain.body);
        }
        let tag = answer.tag();
        assert_eq!(tag, format!("{}-{encoding}\"", plain.tag().trim_end_matches('"')));
        for headers in [&[("if-none-match", &*tag)][..], &[("accept-encoding", encoding), ("if-none-match", &tag)]] {
            assert_eq!(ask(&clock.served, "GET", path, headers, b"").status, 304, "{headers:?}");
        }
    }
    let export = ask(&clock.served, "GET", &format!("/api/v1/export/csv?{ALL}"), &[("accept-encoding", "gzip")], b"");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&export.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, clock.served.text(&format!("/api/v1/export/csv?{ALL}")), "streams are compressed as they go");
}

#[test]
fn answers_of_other_questions_are_not_mixed_up() {
    let clock = Clockwork::new(
        TestHouse::new(),
        ["2025-11-01T00:00:00Z", "2025-11-02T00:00:00Z", "2025-11-02T23:30:00Z"].map(|at| at.parse().unwrap()),
    );
    // Asked one after the other and once more, each gets its own.
    let totals = |query: &str| {
        let answer = clock.served.json(&format!("/api/v1/stats/history?{query}"));
        answer["pagination"]["total"].as_u64().unwrap()
    };
    for _ in 0..2 {
        assert_eq!(totals(ALL), 3);
        assert_eq!(totals("start_date=2025-11-01&end_date=2025-11-01"), 1);
        assert_eq!(totals("start_date=2025-11-02&end_date=2025-11-02"), 2);
        assert_eq!(totals("start_date=2025-11-02&end_date=2025-11-02&tz=Europe/Berlin"), 1);
        assert_eq!(totals(&format!("{ALL}&session=ticking")), 3);
        assert_eq!(totals(&format!("{ALL}&session=tick&session=ing")), 0);
        assert_eq!(totals(&format!("{ALL}&model=ticking")), 0);
        let sorted = |sort: &str| {
            clock.served.json(&format!("/api/v1/stats/history?{ALL}&sort={sort}"))["data"][0]["timestamp"].clone()
        };
        assert_eq!(
            (sorted("timestamp"), sorted("-timestamp")),
            ("2025-11-01T00:00:00Z".into(), "2025-11-02T23:30:00Z".into())
        );
    }
}
