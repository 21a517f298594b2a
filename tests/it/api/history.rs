//! `/api/v1/stats/history`: every response once, whichever way its pages are turned.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::get;
use super::encoded;
use super::recount::{ALL, Row, Scene, near, usd};
use crate::house::Served;

/// Follows the pages of a question by their numbers.
fn by_page(served: &Served, query: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let answer = served.json(&format!("/api/v1/stats/history?{query}&page={page}"));
        let rows = answer["data"].as_array().unwrap();
        assert_eq!(answer["pagination"]["page"], page);
        all.extend(rows.iter().cloned());
        if answer["pagination"]["next_cursor"].is_null() {
            assert_eq!(answer["pagination"]["total"], all.len());
            assert!(answer["pagination"]["total_pages"].as_u64().unwrap() <= page);
            return all;
        }
        assert!(!rows.is_empty(), "{query}: an empty page before the last");
    }
    all
}

/// Follows them by cursor.
fn by_cursor(served: &Served, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = served.json(&format!("/api/v1/stats/history?{query}&cursor={cursor}"));
        all.extend(answer["data"].as_array().unwrap().iter().cloned());
        match answer["pagination"]["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return all,
        }
        assert!(answer["pagination"]["page"].is_null() || all.len() <= 100, "only the first one has a number");
    }
}

/// What a filter goes by.
type Name = fn(&Row) -> Option<String>;

fn check(got: &[Value], expected: &[&Row], what: &str) {
    let revisions = |rows: &[Value]| rows.iter().map(|row| row["revision"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(revisions(got), expected.iter().map(|row| row.revision).collect::<Vec<_>>(), "{what}");
    for (got, row) in got.iter().zip(expected) {
        let what = format!("{what}: {got}");
        assert_eq!(got["timestamp"], row.at.to_string(), "{what}");
        for (name, value) in [("model", &row.model), ("project", &row.project), ("session_id", &row.session)] {
            assert_eq!(got[name], **value, "{what}");
        }
        assert_eq!((got["branch"].as_str(), got["agent"].as_str()), (row.branch.as_deref(), row.agent.as_deref()));
        assert_eq!(got["query_source"], row.source_of_query());
        for (name, number) in [
            ("input_tokens", row.input),
            ("output_tokens", row.output),
            ("cache_creation_tokens", row.write_5m + row.write_1h),
            ("cache_creation_5m_tokens", row.write_5m),
            ("cache_creation_1h_tokens", row.write_1h),
            ("cache_read_tokens", row.read),
            ("total_tokens", row.total()),
            ("web_searches", row.searches),
        ] {
            assert_eq!(got[name].as_i64().map(i128::from), Some(number), "{what}");
        }
        match row.costs {
            None => assert!(got["total_cost"].is_null() && got["costs"].is_null(), "{what}"),
            Some(costs) => {
                near(&got["total_cost"], usd(costs.iter().sum()), &what);
                super::recount::Sum::of([*row]).check_costs(&got["costs"], &what);
            }
        }
    }
}

#[test]
fn all_pages_together_are_every_response_once() {
    let scene = Scene::small(31);
    let newest: Vec<&Row> = {
        // By time downwards; those of one millisecond in the order in which they were read, downwards too.
        scene.rows.iter().rev().collect()
    };
    let oldest = scene.all();
    for (limit, sort, expected) in [
        (100, "-timestamp", &newest),
        (100, "timestamp", &oldest),
        (37, "-timestamp", &newest),
        (37, "timestamp", &oldest),
    ] {
        let query = format!("{ALL}&limit={limit}&sort={sort}");
        check(&by_page(&scene.served, &query), expected, &query);
        check(&by_cursor(&scene.served, &query), expected, &query);
    }
    let first = scene.served.json(&format!("/api/v1/stats/history?{ALL}"));
    assert_eq!((first["pagination"]["limit"].as_u64(), first["data"].as_array().unwrap().len()), (Some(50), 50));
    check(first["data"].as_array().unwrap(), &newest[..50], "the defaults");

    // One row a page, in the middle, and far behind the end.
    let total = scene.rows.len();
    for page in [1, total / 2, total, total + 1, 10_000, 10_000_000] {
        let answer = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=1&page={page}"));
        let expected: Vec<&Row> = newest.iter().skip(page - 1).take(1).copied().collect();
        check(answer["data"].as_array().unwrap(), &expected, &format!("page {page}"));
        let pagination = &answer["pagination"];
        assert_eq!((pagination["total"].as_u64(), pagination["total_pages"].as_u64()), {
            let total = Some(total as u64);
            (total, total)
        });
        assert_eq!(pagination["next_cursor"].is_null(), page >= total, "page {page}");
        assert_eq!((pagination["page"].as_u64(), pagination["pruned"].as_u64()), (Some(page as u64), Some(0)));
    }
}

#[test]
fn every_filter_leaves_what_it_names() {
    let scene = Scene::small(32);
    let check_filter = |query: &str, matches: &dyn Fn(&Row) -> bool| {
        let expected = scene.only(matches);
        let got = by_page(&scene.served, &format!("{ALL}&limit=100&sort=timestamp&{query}"));
        check(&got, &expected, query);
        expected.len()
    };
    let names: [(&str, Name); 5] = [
        ("model", |row| Some(row.model.clone())),
        ("project", |row| Some(row.project.clone())),
        ("session", |row| Some(row.session.clone())),
        ("branch", |row| row.branch.clone()),
        ("source", |row| Some(row.source.clone())),
    ];
    let all = scene.rows.len();
    for (parameter, value) in names {
        let found = if parameter == "source" { vec!["claude".to_owned()] } else { scene.usual(value) };
        let one = |name: &str| format!("{parameter}={}", encoded(name));
        for name in found.iter().take(2) {
            let left = check_filter(&one(name), &|row| value(row).as_ref() == Some(name));
            assert!(left > 0 && (left < all || parameter == "source"), "{parameter} {name}");
        }
        let several: Vec<&String> = found.iter().take(3).collect();
        let query = several.iter().map(|name| one(name)).collect::<Vec<_>>().join("&");
        check_filter(&query, &|row| value(row).is_some_and(|value| several.contains(&&value)));
        check_filter(&format!("{query}&{}", one("nobody has this name")), &|row| {
            value(row).is_some_and(|value| several.contains(&&value))
        });
        assert_eq!(check_filter(&one("nobody has this name"), &|_| false), 0);
        assert_eq!(check_filter(&format!("{query}&{parameter}=all"), &|_| true), all);
        assert_eq!(check_filter(&format!("{parameter}="), &|_| true), all);
    }
    for (word, is_subagent) in [("main", false), ("subagent", true)] {
        assert!(check_filter(&format!("query_source={word}"), &|row| row.is_subagent == is_subagent) > 0);
    }
    // Together they narrow.
    let some = scene.rows.iter().find(|row| !row.is_subagent).unwrap();
    let (model, project) = (&some.model, &some.project);
    let both = format!("model={}&project={}&query_source=main", encoded(model), encoded(project));
    let left = check_filter(&both, &|row| row.model == *model && row.project == *project && !row.is_subagent);
    assert!(left > 0 && left < all);
}

#[test]
fn ranges_begin_and_end_where_they_say() {
    let scene = Scene::small(33);
    let ask = |query: &str| by_page(&scene.served, &format!("{query}&limit=100&sort=timestamp"));
    let middle = &scene.rows[scene.rows.len() / 2];
    let at = middle.at.to_string();
    let day = &middle.at.strftime("%Y-%m-%d").to_string();
    // An instant is in from its own on, and out of what ends with it.
    check(&ask(&format!("start_date={at}&end_date=2199-12-31")), &scene.only(|row| row.at >= middle.at), "from");
    check(&ask(&format!("start_date=1970-01-01&end_date={at}")), &scene.only(|row| row.at < middle.at), "to");
    // A day is in with its beginning and to its end.
    let expected = scene.only(|row| row.at.to_string().starts_with(day.as_str()));
    assert!(!expected.is_empty());
    check(&ask(&format!("start_date={day}&end_date={day}")), &expected, day);
    // The same by somebody else's clock.
    let mut days = BTreeMap::new();
    for zone in ["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "UTC"] {
        let local = |row: &Row| row.at.in_tz(zone).unwrap().date().to_string();
        let day = local(middle);
        let got = ask(&format!("start_date={day}&end_date={day}&tz={zone}"));
        check(&got, &scene.only(|row| local(row) == day), zone);
        days.insert(zone, got.len());
    }
    // Nothing at all is no error, and neither is what has not been yet.
    for query in [
        format!("start_date={at}&end_date={at}"),
        "start_date=1990-01-01&end_date=1990-12-31".to_owned(),
        "start_date=2198-01-01".to_owned(),
    ] {
        let answer = scene.served.json(&format!("/api/v1/stats/history?{query}"));
        assert_eq!((answer["data"].as_array().unwrap().len(), answer["pagination"]["total"].as_u64()), (0, Some(0)));
        assert_eq!(answer["pagination"]["total_pages"], 0, "{query}");
        assert!(answer["pagination"]["next_cursor"].is_null());
    }
    let backwards = get(&scene.served, "/api/v1/stats/history?start_date=2026-02-01&end_date=2026-01-01");
    assert_eq!((backwards.status, &backwards.json()["code"]), (422, &"contradiction".into()));
    assert_eq!(backwards.json()["parameter"], "start_date");
}

#[test]
fn a_cursor_goes_on_where_it_was_whatever_has_been_added() {
    let scene = Scene::small(34);
    let expected: Vec<&Row> = scene.rows.iter().rev().collect();
    let first = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=10"));
    let next = first["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    // Something newer arrives; pages by number would shift, the cursor does not.
    let mut scribe = crate::scribe::Scribe::new(scene.house.claude());
    let line = super::clockwork::line("late", 1, "2026-11-21T00:00:00Z".parse().unwrap());
    scribe.append_raw("late", line.as_bytes());
    scribe.finish();
    crate::wait::eventually("the late response", crate::wait::PATIENCE, || {
        let newest = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=1"));
        (newest["data"][0]["session_id"] == "late").then_some(())
    });
    let second = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=10&cursor={next}"));
    check(second["data"].as_array().unwrap(), &expected[10..20], "behind the cursor");
    assert!(second["pagination"]["page"].is_null());
    let shifted = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=10&page=2"));
    check(shifted["data"].as_array().unwrap(), &expected[9..19], "by number");
    let both = get(&scene.served, &format!("/api/v1/stats/history?cursor={next}&page=2"));
    assert_eq!((both.status, &both.json()["parameter"]), (422, &"cursor".into()));
}
