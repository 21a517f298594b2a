//! `/api/v1/stats/blocks` against the rule as `docs/counting.md` has it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use claude_token_monitor::synthetic::{Noise, Plan};

use super::clockwork::{Clockwork, line};
use super::recount::{ALL, Row, Scene, Sum, by, near};
use crate::house::TestHouse;

const LENGTH: SignedDuration = SignedDuration::from_hours(5);

/// A window with its responses, or a pause without any.
type Window<'a> = (Timestamp, Timestamp, Vec<&'a Row>);

fn floored(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3600) * 3600).unwrap()
}

/// The rule, word for word: a window begins with the first response after the last one's end, at the full hour or exactly,
/// but not before that end; it lasts five hours; a pause of more than five hours between two responses is a row too.
fn windows(rows: &[Row], to_the_hour: bool) -> Vec<Window<'_>> {
    let mut windows: Vec<Window> = Vec::new();
    let mut last: Option<(Timestamp, Timestamp)> = None;
    for row in rows {
        let open = windows.last_mut().filter(|window| row.at < window.1);
        if let Some(window) = open {
            window.2.push(row);
        } else {
            if let Some((_, before)) = last.filter(|(_, before)| *before + LENGTH < row.at) {
                windows.push((before + LENGTH, row.at, Vec::new()));
            }
            let begin = if to_the_hour { floored(row.at) } else { row.at };
            let begin = last.map_or(begin, |(end, _)| begin.max(end));
            windows.push((begin, begin + LENGTH, vec![row]));
        }
        let end = windows.last().map(|window| window.1).unwrap();
        last = Some((end, row.at));
    }
    windows
}

fn minutes(of: SignedDuration) -> f64 {
    of.as_secs_f64() / 60.0
}

#[expect(clippy::cast_precision_loss, reason = "speeds")]
fn check(row: &Value, (start, end, rows): &Window<'_>) {
    let what = start.to_string();
    assert_eq!((&row["start"], &row["end"]), (&start.to_string().into(), &end.to_string().into()), "{row}");
    let sum = Sum::of(rows.iter().copied());
    sum.check(row, &what);
    assert_eq!(row["is_gap"], rows.is_empty(), "{row}");
    assert_eq!((&row["is_stated"], &row["limit"]), (&false.into(), &Value::Null), "{row}");
    let [Some(first), Some(last)] = [rows.first(), rows.last()] else {
        assert_eq!(row["id"], format!("gap-{start}"));
        assert!(row["first_activity"].is_null() && row["burn_rate"].is_null() && row["projection"].is_null());
        return;
    };
    assert_eq!(row["id"], start.to_string());
    assert_eq!(row["first_activity"], first.at.to_string());
    assert_eq!(row["last_activity"], last.at.to_string());
    let models = by(rows, |row| row.model.clone());
    assert_eq!(row["models"].as_object().unwrap().len(), models.len());
    for (model, rows) in models {
        Sum::of(rows).check(&row["models"][&model], format!("{what} {model}"));
    }
    let lasted = minutes(last.at.duration_since(first.at));
    if lasted > 0.0 {
        let rate = &row["burn_rate"];
        near(&rate["minutes"], lasted, &what);
        near_ratio(&rate["tokens_per_minute"], sum.tokens() as f64 / lasted);
        near_ratio(&rate["uncached_tokens_per_minute"], (sum.tokens() - sum.read) as f64 / lasted);
        near_ratio(&rate["cost_per_hour"], sum.cost() / lasted * 60.0);
    } else {
        assert!(row["burn_rate"].is_null());
    }
}

/// The same to twelve digits.
fn near_ratio(got: &Value, expected: f64) {
    let got = got.as_f64().unwrap();
    assert!((got - expected).abs() <= expected.abs() * 1e-12, "{got} where {expected} should be");
}

#[test]
fn windows_are_those_of_the_rule() {
    let plan =
        Plan { seed: 61, bytes: 2_500_000, days: 30, noise: Noise::None, content_percent: 20, ..Plan::default() };
    let scene = Scene::new(&Plan { typical_file_bytes: 20_000, ..plan });
    // A year is as much as one question may be about by days; by dates it may be any range.
    for (word, to_the_hour) in [("hour", true), ("exact", false)] {
        let expected = windows(&scene.rows, to_the_hour);
        assert!(expected.len() > 20 && expected.iter().any(|window| window.2.is_empty()));
        let answer = scene.served.json(&format!("/api/v1/stats/blocks?{ALL}&start={word}"));
        let got = answer["blocks"].as_array().unwrap();
        assert_eq!(got.len(), expected.len(), "{word}");
        for (row, window) in got.iter().rev().zip(&expected) {
            check(row, window);
        }
        assert_eq!((&answer["is_estimate"], &answer["limit_reset_at"]), (&true.into(), &Value::Null));
        // Whatever part of them is asked for, windows stay where they are and whole.
        let (from, to): (Timestamp, Timestamp) =
            ("2026-11-05T03:21:00Z".parse().unwrap(), "2026-11-09T17:00:00Z".parse().unwrap());
        let part = scene.served.json(&format!("/api/v1/stats/blocks?start_date={from}&end_date={to}&start={word}"));
        let touched: Vec<_> = expected.iter().filter(|window| window.0 < to && from < window.1).collect();
        let got = part["blocks"].as_array().unwrap();
        assert_eq!(got.len(), touched.len(), "{word}");
        for (row, window) in got.iter().rev().zip(touched) {
            check(row, window);
        }
    }
}

#[test]
fn a_window_ends_where_it_ends_and_the_next_may_begin_at_once() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let instants = [
        "2025-11-03T08:20:00Z",
        "2025-11-03T12:59:59.999Z",
        // The first window has ended; by the hour this begins at its end, though the response is later.
        "2025-11-03T13:00:00Z",
        "2025-11-03T17:59:00Z",
        "2025-11-03T18:10:00Z",
        // Exactly a window's length later: no pause.
        "2025-11-03T23:10:00Z",
        // A little more: a pause of a millisecond.
        "2025-11-04T04:10:00.001Z",
    ];
    let clock = Clockwork::new(TestHouse::new(), instants.map(at));
    let starts = |word: &str| -> Vec<String> {
        let path = format!("/api/v1/stats/blocks?{ALL}&start={word}");
        let answer = clock.served.json(&path);
        let blocks = answer["blocks"].as_array().unwrap();
        for (row, window) in blocks.iter().rev().zip(windows(&clock.rows, word == "hour")) {
            check(row, &window);
        }
        blocks.iter().rev().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        starts("hour"),
        [
            "2025-11-03T08:00:00Z",
            "2025-11-03T13:00:00Z",
            "2025-11-03T18:00:00Z",
            "2025-11-03T23:00:00Z",
            "gap-2025-11-04T04:10:00Z",
            "2025-11-04T04:00:00Z",
        ]
    );
    assert_eq!(starts("exact").len(), windows(&clock.rows, false).len());
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "speeds")]
fn the_window_that_is_going_on_is_projected_and_compared_with_a_limit() {
    let now = Timestamp::now();
    let ago = |minutes| now - SignedDuration::from_mins(minutes);
    let clock = Clockwork::new(TestHouse::new(), [ago(150), ago(90), ago(30), ago(10)]);
    let answer = clock.served.json("/api/v1/stats/blocks?start=exact&token_limit=100000");
    let row = &answer["blocks"][0];
    assert_eq!((&row["is_active"], row["requests"].as_i64()), (&true.into(), Some(4)), "{answer}");
    let sum = Sum::of(&clock.rows);
    let rate = sum.tokens() as f64 / 140.0;
    near_ratio(&row["burn_rate"]["tokens_per_minute"], rate);
    // It has five hours from its first response on, so 150 minutes are left, less what this test took.
    let left = row["projection"]["remaining_minutes"].as_f64().unwrap();
    assert!((140.0..=150.0).contains(&left), "{left}");
    let projected = row["projection"]["total_tokens"].as_f64().unwrap();
    assert!((projected - (sum.tokens() as f64 + rate * left)).abs() <= 1.0, "{projected}");
    near(&row["projection"]["total_cost"], sum.cost() + sum.cost() / 140.0 * left, "projected cost");
    assert_eq!(row["limit"]["tokens"], 100_000);
    near(&row["limit"]["used_ratio"], sum.tokens() as f64 / 1e5, "used");
    near(&row["limit"]["projected_ratio"], projected / 1e5, "projected");
    let hour = Sum::of(&clock.rows[2..]);
    near(&answer["last_hour"]["tokens_per_minute"], hour.tokens() as f64 / 60.0, "the last hour");
    near(&answer["last_hour"]["cost_per_hour"], hour.cost(), "the last hour");
}

#[test]
fn an_end_that_was_stated_is_the_end() {
    let house = TestHouse::new();
    let ends: Timestamp = "2026-11-03T12:00:00Z".parse().unwrap();
    let notice = serde_json::json!({
        "type": "assistant", "sessionId": "ticking", "uuid": "n1", "timestamp": "2026-11-03T09:00:00Z",
        "isApiErrorMessage": true, "message": {
            "id": "x", "role": "assistant", "model": "<synthetic>", "type": "message",
            "content": [{"type": "text", "text": format!("Claude AI usage limit reached|{}", ends.as_second())}],
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
    });
    let scribe = crate::scribe::Scribe::new(house.claude());
    let first = line("other", 1, "2026-11-03T08:30:00Z".parse().unwrap());
    scribe.append_raw("other", format!("{notice}\n{first}").as_bytes());
    let clock = Clockwork::new(house, ["2026-11-03T11:59:00Z", "2026-11-03T12:00:00Z"].map(|at| at.parse().unwrap()));
    let answer = clock.served.json(&format!("/api/v1/stats/blocks?{ALL}"));
    assert_eq!(answer["limit_reset_at"], ends.to_string());
    let blocks: Vec<_> = answer["blocks"].as_array().unwrap().iter().rev().collect();
    let shown = |row: &Value| {
        ["start", "end", "is_stated", "requests"].map(|name| row[name].to_string().trim_matches('"').to_owned())
    };
    assert_eq!(shown(blocks[0]), ["2026-11-03T07:00:00Z", "2026-11-03T12:00:00Z", "true", "2"]);
    assert_eq!(shown(blocks[1]), ["2026-11-03T12:00:00Z", "2026-11-03T17:00:00Z", "false", "1"]);
    assert_eq!(blocks.len(), 2);
}
