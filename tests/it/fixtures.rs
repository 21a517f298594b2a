//! Transcripts that somebody once counted wrongly. A case is a folder of `tests/fixtures`: `projects/` as Claude Code
//! writes it, and `expected.json` with the reason (`why`), the `totals` as the API names them, and, where they matter,
//! the number of responses by model, day, session and project.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::house::TestHouse;
use crate::parts::checkout;

#[test]
fn every_case_is_counted_as_it_should_be() {
    let cases = std::fs::read_dir(checkout().join("tests/fixtures")).unwrap();
    let mut cases: Vec<_> = cases.map(|case| case.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases.iter().flat_map(|case| differences(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with one case, each difference with its name.
fn differences(case: &Path) -> Vec<String> {
    let name = case.file_name().unwrap().to_string_lossy();
    let expected: Value = serde_json::from_slice(&std::fs::read(case.join("expected.json")).unwrap()).unwrap();
    let house = TestHouse::new().reading(case);
    let totals = house.serve().json("/api/v1/stats/current")["totals"].take();
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: &Value, got: &Value| {
        let same = match (expected.as_f64(), got.as_f64()) {
            (Some(expected), Some(got)) => (expected - got).abs() <= 1e-9,
            _ => expected == got,
        };
        if !same {
            wrong.push(format!("{name}: {what} should be {expected}, is {got}"));
        }
    };
    for (field, value) in expected["totals"].as_object().unwrap() {
        compare(field, value, &totals[field]);
    }
    let columns = [
        ("models", "model"),
        ("days", "substr(timestamp, 1, 10)"),
        ("sessions", "session_id"),
        ("projects", "project_name"),
    ];
    for (by, column) in columns {
        if expected[by].is_object() {
            compare(by, &expected[by], &responses_by(house.database(), column));
        }
    }
    wrong
}

/// The number of responses for each value of a column.
fn responses_by(database: &Path, column: &str) -> Value {
    let db = Connection::open(database).unwrap();
    let mut statement = db.prepare(&format!("SELECT {column}, count(*) FROM token_usage GROUP BY 1")).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    serde_json::to_value(rows.collect::<Result<BTreeMap<_, _>, _>>().unwrap()).unwrap()
}
