//! `/api/v1/stats/trends` and `/api/v1/stats/heatmap`: sums over time, as clocks all over the world cut it.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::clockwork::{Clockwork, every};
use super::encoded;
use super::recount::{Row, Scene, Sum, by, near};
use crate::house::TestHouse;

const ZONES: [&str; 6] =
    ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Berlin"];

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Rows stand end to end and fill the range; each holds what happened in it.
fn check(answer: &Value, rows: &[&Row], what: &str) {
    let data = answer["data"].as_array().unwrap();
    let mut at = instant(&answer["range"]["start"]);
    for row in data {
        let (start, end) = (instant(&row["start"]), instant(&row["end"]));
        assert!(start == at && start < end, "{what}: {row}");
        at = end;
        let within: Vec<&Row> = rows.iter().filter(|row| start <= row.at && row.at < end).copied().collect();
        Sum::of(within.iter().copied()).check(row, format!("{what} {start}"));
        near(&row["cost"], Sum::of(within.iter().copied()).cost(), what);
    }
    assert_eq!(at, instant(&answer["range"]["end"]), "{what}");
}

/// What a row has to be called, by a clock in the zone.
fn name(row: &Value, period: &str, zone: &str) -> String {
    let local = instant(&row["start"]).in_tz(zone).unwrap();
    match period {
        "hourly" => local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "daily" => local.date().to_string(),
        "weekly" => {
            let monday = local.date().saturating_sub(jiff::Span::new().days(local.weekday().to_monday_zero_offset()));
            monday.to_string()
        }
        _ => local.date().first_of_month().to_string(),
    }
}

#[test]
fn rows_fill_the_range_and_hold_what_happened_in_them() {
    let scene = Scene::small(41);
    for zone in ZONES {
        for (period, from, to) in [
            ("hourly", "2026-10-24", "2026-11-02"),
            ("daily", "2026-10-01", "2026-11-20"),
            ("weekly", "2026-09-30", "2026-11-19"),
            ("monthly", "2026-08-15", "2026-12-15"),
        ] {
            let query = format!("period={period}&start_date={from}&end_date={to}&tz={zone}");
            let answer = scene.served.json(&format!("/api/v1/stats/trends?{query}"));
            check(&answer, &scene.all(), &query);
            assert_eq!((answer["period"].as_str(), answer["group_by"].as_str()), (Some(period), Some("none")));
            assert_eq!(answer["range"]["time_zone"], zone);
            let data = answer["data"].as_array().unwrap();
            for row in data {
                assert_eq!(row["date"], name(row, period, zone), "{query}");
                assert!(row.get("groups").is_none() && row.get("kinds").is_none());
            }
            assert!(data.iter().any(|row| row["requests"] != 0), "{query}");
            if period == "daily" {
                assert_eq!(data.len(), 51, "a row for every day: {query}");
                // And each of the rows of a response's own day.
                let days = by(&scene.all(), |row| row.at.in_tz(zone).unwrap().date());
                for row in data {
                    let day: Date = row["date"].as_str().unwrap().parse().unwrap();
                    Sum::of(days.get(&day).into_iter().flatten().copied()).check(row, format!("{query} {day}"));
                }
            }
            let mut backwards = scene.served.json(&format!("/api/v1/stats/trends?{query}&sort=-date"));
            backwards["data"].as_array_mut().unwrap().reverse();
            assert_eq!(backwards, answer, "{query}");
        }
    }
}

#[test]
fn groups_add_up_to_their_row() {
    let scene = Scene::small(42);
    let path = |query: &str| format!("/api/v1/stats/trends?start_date=2026-10-01&end_date=2026-11-20&{query}");
    for (word, value) in
        [("model", (|row| row.model.clone()) as fn(&Row) -> String), ("project", |row| row.project.clone())]
    {
        for row in scene.served.json(&path(&format!("group_by={word}")))["data"].as_array().unwrap() {
            let (start, end) = (instant(&row["start"]), instant(&row["end"]));
            let within = scene.only(|row| start <= row.at && row.at < end);
            let groups = by(&within, value);
            let got = row["groups"].as_object().unwrap();
            assert_eq!(got.keys().collect::<Vec<_>>(), groups.keys().collect::<Vec<_>>(), "{start}");
            for (name, rows) in groups {
                Sum::of(rows).check(&got[&name], format!("{word} {name} {start}"));
            }
        }
    }
    for row in scene.served.json(&path("group_by=kind"))["data"].as_array().unwrap() {
        let (start, end) = (instant(&row["start"]), instant(&row["end"]));
        let sum = Sum::of(scene.only(|row| start <= row.at && row.at < end));
        let [input, output, write_5m, write_1h, read, _] = sum.costs;
        for (kind, tokens, cost) in [
            ("input", sum.input, input),
            ("output", sum.output, output),
            ("cacheCreation", sum.write_5m + sum.write_1h, write_5m + write_1h),
            ("cacheRead", sum.read, read),
        ] {
            let got = &row["kinds"][kind];
            assert_eq!(got["tokens"].as_i64().map(i128::from), Some(tokens), "{kind} {start}");
            near(&got["cost"], super::recount::usd(cost), format!("{kind} {start}"));
        }
    }
    // Filters are those of history.
    let model = &scene.usual(|row| Some(row.model.clone()))[0];
    let query = format!("model={}&query_source=main", encoded(model));
    check(&scene.served.json(&path(&query)), &scene.only(|row| row.model == *model && !row.is_subagent), &query);
    let branches = scene.usual(|row| row.branch.clone());
    let query = format!("branch={}&branch={}&group_by=model", encoded(&branches[0]), encoded(&branches[1]));
    let expected = scene.only(|row| row.branch.as_ref().is_some_and(|branch| branches[..2].contains(branch)));
    check(&scene.served.json(&path(&query)), &expected, &query);
    check(&scene.served.json(&path("session=nobody")), &[], "nobody");
}

/// Four responses an hour, around each time that a zone's clocks were changed, and what that makes of the days.
#[test]
fn days_on_which_clocks_change_are_longer_or_shorter() {
    let quarter = SignedDuration::from_mins(15);
    let around = [
        ("2025-03-29T00:00:00Z", "2025-04-08T00:00:00Z"),
        ("2025-10-03T00:00:00Z", "2025-10-07T00:00:00Z"),
        ("2025-10-31T00:00:00Z", "2025-11-04T00:00:00Z"),
        ("2025-03-07T00:00:00Z", "2025-03-11T00:00:00Z"),
    ];
    let instants = around.iter().flat_map(|(from, to)| every(quarter, from, to));
    let clock = Clockwork::new(TestHouse::new(), instants);
    let all: Vec<&Row> = clock.rows.iter().collect();
    for (zone, day, quarters) in [
        ("America/New_York", "2025-03-09", 92),
        ("America/New_York", "2025-11-02", 100),
        ("America/New_York", "2025-11-01", 96),
        ("Asia/Kathmandu", "2025-11-02", 96),
        ("Australia/Lord_Howe", "2025-10-05", 94),
        ("Australia/Lord_Howe", "2025-04-06", 98),
        ("Europe/Berlin", "2025-03-30", 92),
    ] {
        let ask = |query: &str| {
            let query = format!("start_date={day}&end_date={day}&tz={zone}&{query}");
            clock.served.json(&format!("/api/v1/stats/trends?{query}"))
        };
        let daily = ask("period=daily");
        assert_eq!(daily["data"].as_array().unwrap().len(), 1);
        assert_eq!(daily["data"][0]["requests"], quarters, "{zone} {day}");
        check(&daily, &all, zone);
        let hourly = ask("period=hourly");
        check(&hourly, &all, zone);
        // No row spans a change of the clock, and none begins within an hour of it.
        for row in hourly["data"].as_array().unwrap() {
            let (start, end) = (instant(&row["start"]), instant(&row["end"]));
            let hour = |at: Timestamp| {
                let local = at.in_tz(zone).unwrap();
                (local.hour(), local.offset())
            };
            assert_eq!(hour(start), hour(end - SignedDuration::from_millis(1)), "{zone} {row}");
        }
        let history = clock.served.json(&format!("/api/v1/stats/history?start_date={day}&end_date={day}&tz={zone}"));
        assert_eq!(history["pagination"]["total"], quarters, "{zone} {day}");
    }
}

#[test]
fn a_day_that_an_island_left_out_has_no_row() {
    // Samoa went from the 29th of December 2011 to the 31st.
    let instants = every(SignedDuration::from_hours(1), "2011-12-29T00:00:00Z", "2012-01-02T00:00:00Z");
    let clock = Clockwork::new(TestHouse::new(), instants);
    let ask = |query: &str| clock.served.json(&format!("/api/v1/stats/trends?tz=Pacific/Apia&{query}"));
    let answer = ask("start_date=2011-12-28&end_date=2012-01-01");
    check(&answer, &clock.rows.iter().collect::<Vec<_>>(), "Apia");
    let dates: Vec<&str> = answer["data"].as_array().unwrap().iter().map(|row| row["date"].as_str().unwrap()).collect();
    assert_eq!(dates, ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]);
    assert_eq!(ask("start_date=2011-12-30&end_date=2011-12-30")["data"].as_array().unwrap().len(), 0);
}

#[test]
fn what_does_not_fit_is_said_and_what_is_not_said_is_thirty_days() {
    let house = TestHouse::new();
    let served = house.serve();
    let data = |query: &str| served.json(&format!("/api/v1/stats/trends?{query}"))["data"].as_array().unwrap().len();
    assert_eq!((data(""), data("days=1"), data("days=3660"), data("days=7&end_date=2026-01-07")), (30, 1, 3660, 7));
    assert_eq!(data("period=hourly&days=366&end_date=2025-12-31&tz=UTC"), 366 * 24);
    for (query, parameter) in [
        ("period=hourly&days=367&end_date=2025-12-31", "period"),
        ("start_date=1970-01-01&end_date=2199-12-31", "period"),
        ("days=3&start_date=2026-01-01", "days"),
    ] {
        let answer = super::client::get(&served, &format!("/api/v1/stats/trends?{query}"));
        assert_eq!((answer.status, &answer.json()["parameter"]), (422, &parameter.into()), "{query}");
    }
}

#[test]
fn a_heatmap_has_every_day_and_every_hour_of_the_week() {
    let scene = Scene::small(43);
    let model = scene.usual(|row| Some(row.model.clone())).remove(0);
    for zone in ZONES {
        for filter in [String::new(), format!("&model={}", encoded(&model))] {
            let rows = scene.only(|row| filter.is_empty() || row.model == model);
            let query = format!("start_date=2026-09-01&end_date=2026-11-30&tz={zone}{filter}");
            let answer = scene.served.json(&format!("/api/v1/stats/heatmap?{query}"));
            let heat = |row: &Value, rows: &[&Row], what: &str| {
                let sum = Sum::of(rows.iter().copied());
                assert_eq!(row["requests"].as_i64().map(i128::from), Some(sum.requests), "{what}");
                assert_eq!(row["total_tokens"].as_i64().map(i128::from), Some(sum.tokens()), "{what}");
                near(&row["cost"], sum.cost(), what);
            };
            let days = answer["days"].as_array().unwrap();
            assert_eq!((days.len(), &days[0]["date"]), (91, &"2026-09-01".into()), "{query}");
            let by_day = by(&rows, |row| row.at.in_tz(zone).unwrap().date().to_string());
            for row in days {
                let day = row["date"].as_str().unwrap();
                heat(row, by_day.get(day).map(Vec::as_slice).unwrap_or_default(), &format!("{query} {day}"));
            }
            let hours = answer["hours"].as_array().unwrap();
            let within: Vec<&Row> = by_day
                .range("2026-09-01".to_owned().."2026-12-01".to_owned())
                .flat_map(|(_, rows)| rows.iter().copied())
                .collect();
            let by_hour = by(&within, |row| {
                let local = row.at.in_tz(zone).unwrap();
                (i64::from(local.weekday().to_monday_one_offset()), i64::from(local.hour()))
            });
            assert_eq!(hours.len(), 168);
            for (place, row) in hours.iter().enumerate() {
                let key = (row["weekday"].as_i64().unwrap(), row["hour"].as_i64().unwrap());
                assert_eq!(key, (i64::try_from(place).unwrap() / 24 + 1, i64::try_from(place).unwrap() % 24));
                heat(row, by_hour.get(&key).map(Vec::as_slice).unwrap_or_default(), &format!("{query} {key:?}"));
            }
        }
    }
    assert_eq!(scene.served.json("/api/v1/stats/heatmap")["days"].as_array().unwrap().len(), 371);
}
