//! `/api/v1/export/…`: the history to take away, read back as a program would.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use claude_token_monitor::synthetic::{Noise, Plan};
use serde_json::Value;

use super::client::get;
use super::clockwork;
use super::encoded;
use super::recount::{ALL, Row, Scene, Sum, by, near, usd};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::PATIENCE;

/// The rows of a CSV file, each by the names of its header.
fn csv_rows(text: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::ReaderBuilder::new().terminator(csv::Terminator::CRLF).from_reader(text);
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

/// A name as a spreadsheet may have it: what it would take for a formula begins with an apostrophe.
fn harmless(name: &str) -> bool {
    !name.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%'])
}

#[test]
fn raw_rows_are_every_response_the_oldest_first() {
    let scene = Scene::small(81);
    let json = scene.served.json(&format!("/api/v1/export/json?{ALL}"));
    let history = scene.served.json(&format!("/api/v1/stats/history?{ALL}&limit=100&sort=timestamp"));
    assert_eq!(json.as_array().unwrap()[..100], history["data"].as_array().unwrap()[..], "the same rows as history");
    let csv = get(&scene.served, &format!("/api/v1/export/csv?{ALL}"));
    assert!(csv.whole && csv.text().ends_with("\r\n"));
    let csv = csv_rows(&csv.body);
    assert_eq!((json.as_array().unwrap().len(), csv.len()), (scene.rows.len(), scene.rows.len()));
    for ((json, csv), row) in json.as_array().unwrap().iter().zip(&csv).zip(&scene.rows) {
        assert_eq!((json["revision"].as_i64(), csv["revision"].parse()), (Some(row.revision), Ok(row.revision)));
        assert_eq!(csv["timestamp"], row.at.to_string());
        for (name, value) in [("model", &row.model), ("project", &row.project), ("session_id", &row.session)] {
            assert_eq!(json[name], **value);
            assert_eq!(csv[name].trim_start_matches('\''), value.trim_start_matches('\''), "{name}");
            assert!(harmless(&csv[name]));
        }
        assert_eq!(csv["branch"].trim_start_matches('\''), row.branch.as_deref().unwrap_or_default());
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
            assert_eq!(csv[name].parse(), Ok(number), "{name}");
        }
        match row.costs {
            None => assert_eq!(csv["total_cost"], ""),
            Some(costs) => near(&csv["total_cost"].parse::<f64>().unwrap().into(), usd(costs.iter().sum()), "cost"),
        }
    }
    let branch = scene.usual(|row| row.branch.clone()).remove(0);
    let some = scene.served.json(&format!("/api/v1/export/json?{ALL}&branch={}", encoded(&branch)));
    let expected = scene.only(|row| row.branch.as_ref() == Some(&branch));
    let revisions =
        |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["revision"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(revisions(&some), expected.iter().map(|row| row.revision).collect::<Vec<_>>());
    assert_eq!(scene.served.json("/api/v1/export/json?session=nobody"), Value::Array(Vec::new()));
    assert_eq!(scene.served.text("/api/v1/export/csv?session=nobody").lines().count(), 1, "a header and no more");
}

#[test]
fn sums_by_hour_and_day_are_those_of_every_response() {
    let scene = Scene::small(82);
    for (level, zone) in [("hour", "UTC"), ("day", "UTC"), ("hour", "Asia/Kathmandu"), ("day", "America/New_York")] {
        let query = format!("{ALL}&level={level}&tz={zone}");
        let place = |row: &Row| {
            let local = row.at.in_tz(zone).unwrap();
            let unit = if level == "hour" { jiff::Unit::Hour } else { jiff::Unit::Day };
            let round = jiff::ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor);
            (local.round(round).unwrap().timestamp(), row.model.clone(), row.project.clone(), row.source_of_query())
        };
        let groups = by(&scene.all(), place);
        let json = scene.served.json(&format!("/api/v1/export/json?{query}"));
        let csv = csv_rows(&get(&scene.served, &format!("/api/v1/export/csv?{query}")).body);
        assert_eq!((json.as_array().unwrap().len(), csv.len()), (groups.len(), groups.len()), "{query}");
        for ((json, csv), ((start, model, project, source), rows)) in
            json.as_array().unwrap().iter().zip(&csv).zip(&groups)
        {
            let what = format!("{query} {json}");
            assert_eq!((&json["start"], &csv["start"]), (&start.to_string().into(), &start.to_string()), "{what}");
            assert_eq!(
                (&json["model"], &json["project"]),
                (&model.as_str().into(), &project.as_str().into()),
                "{what}"
            );
            assert_eq!((&json["query_source"], &csv["query_source"]), (&(*source).into(), &(*source).to_owned()));
            let end: jiff::Timestamp = json["end"].as_str().unwrap().parse().unwrap();
            let length = if level == "hour" { 1 } else { 24 };
            let changes = zone == "America/New_York" && start.to_string().starts_with("2026-11-01");
            assert_eq!(end.duration_since(*start).as_hours(), if changes { 25 } else { length }, "{what}");
            if level == "day" {
                assert_eq!(json["date"], start.in_tz(zone).unwrap().date().to_string(), "{what}");
            }
            let sum = Sum::of(rows.iter().copied());
            sum.check(json, &what);
            sum.check_costs(&json["costs"], &what);
            for (name, number) in
                [("requests", sum.requests), ("total_tokens", sum.tokens()), ("unpriced_tokens", sum.unpriced)]
            {
                assert_eq!(csv[name].parse(), Ok(number), "{what}");
            }
            near(&csv["total_cost"].parse::<f64>().unwrap().into(), sum.cost(), &what);
        }
    }
}

#[test]
fn a_download_says_what_it_is() {
    let scene = Scene::new(&Plan { seed: 83, bytes: 200_000, days: 3, noise: Noise::None, ..Plan::default() });
    for (path, media_type, name) in [
        ("csv?start_date=2026-11-18&end_date=2026-11-19", "text/csv", "responses-2026-11-18-2026-11-19.csv"),
        (
            "json?start_date=2026-11-18&end_date=2026-11-19&level=day",
            "application/json",
            "days-2026-11-18-2026-11-19.json",
        ),
        ("csv?start_date=2026-11-18&end_date=2026-11-18&level=hour", "text/csv", "hours-2026-11-18-2026-11-18.csv"),
        (
            "csv?start_date=2026-11-18&end_date=2026-11-19&project=%22%0D%0Ax",
            "text/csv",
            "responses-2026-11-18-2026-11-19.csv",
        ),
    ] {
        let answer = get(&scene.served, &format!("/api/v1/export/{path}"));
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with(media_type), "{path}");
        let expected = format!("attachment; filename=\"claude-token-monitor-{name}\"");
        assert_eq!(answer.header("content-disposition"), Some(&*expected), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

/// A hundred thousand responses, a page of them in memory.
#[test]
fn a_long_export_costs_no_memory() {
    const RESPONSES: u64 = 100_000;
    let house = TestHouse::new();
    let scribe = Scribe::new(house.claude());
    let first = "2026-06-01T00:00:00Z".parse().unwrap();
    // One line for all of them, with other ids and another time in each.
    let line = clockwork::line("long", 1, first);
    for session in 0..10 {
        let mut text = String::new();
        for n in (session..RESPONSES).step_by(10) {
            let at = first + jiff::SignedDuration::from_secs(i64::try_from(n * 40).unwrap());
            let id = format!("long_{n}");
            text.push_str(
                &line.replace("long_1", &id).replace("long-1", &id).replace(&first.to_string(), &at.to_string()),
            );
        }
        scribe.append_raw(&format!("long-{session}"), text.as_bytes());
    }
    house.ingest();
    let served = house.serve();
    let before = served.rss_kib();
    for path in [format!("/api/v1/export/csv?{ALL}"), format!("/api/v1/export/json?{ALL}")] {
        // Read piece by piece, so that no more than the server's memory counts.
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address()).unwrap();
        let (mut piece, mut lines, mut tail) = (vec![0; 1 << 16], 0_u64, Vec::new());
        loop {
            let size = stream.read(&mut piece).unwrap();
            if size == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', &piece[..size]).count() as u64;
            tail.extend_from_slice(&piece[size.saturating_sub(5)..size]);
            tail.drain(..tail.len().saturating_sub(5));
        }
        assert_eq!(tail, b"0\r\n\r\n", "it came to its end");
        // Lines of the head and of chunks are some more.
        assert!(lines >= RESPONSES, "{lines} lines");
    }
    let grown = served.peak_kib().saturating_sub(before);
    assert!(grown < 48 * 1024, "{grown} KiB");
}
