//! Names that others chose, through every way out of the API: whole in JSON, harmless in CSV, found by filters and paths.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::get;
use super::encoded;
use super::recount::{ALL, rows};
use crate::privacy::hostile::house;
use crate::wait::PATIENCE;

#[test]
fn names_are_whole_in_json_and_can_be_asked_for() {
    let hostile = house();
    let served = hostile.house.serve();
    served.wait_counts(hostile.written, PATIENCE);
    let rows = rows(&hostile.house);
    assert_eq!(rows.len(), hostile.names.len());
    let current = served.json("/api/v1/stats/current");
    for row in &rows {
        assert_eq!(current["models"][&row.model]["requests"], 1);
        let branch = row.branch.clone().unwrap();
        for (parameter, name) in
            [("model", &row.model), ("project", &row.project), ("session", &row.session), ("branch", &branch)]
        {
            let path = format!("/api/v1/stats/history?{ALL}&{parameter}={}", encoded(name));
            let answer = served.ask(&path).unwrap();
            // The longest have no room in a request; they are refused like any other long one.
            if name.len() > 4_000 {
                assert!([200, 414, 431].contains(&answer.0), "{parameter}: {}", answer.0);
                continue;
            }
            let answer: Value = serde_json::from_str(&answer.1).unwrap();
            assert_eq!(answer["pagination"]["total"], 1, "{path}");
            let got = &answer["data"][0];
            assert_eq!((&got["model"], &got["project"]), (&row.model.as_str().into(), &row.project.as_str().into()));
            assert_eq!((&got["session_id"], &got["branch"]), (&row.session.as_str().into(), &branch.as_str().into()));
        }
        let detail = served.json(&format!("/api/v1/stats/sessions/{}", encoded(&row.session)));
        assert_eq!(detail["session"]["session_id"], row.session);
        assert_eq!(detail["session"]["projects"][0], row.project);
    }
    for path in ["projects", "sessions", "history"] {
        let answer = get(&served, &format!("/api/v1/stats/{path}?{ALL}&limit=100"));
        assert_eq!(answer.json()["pagination"]["total"], rows.len(), "{path}");
        assert!(!answer.text().chars().any(|c| c < ' '), "{path}: JSON escapes what is no text");
    }
    let docs = served.text("/docs");
    assert!(rows.iter().all(|row| !docs.contains(&row.model)), "the document is about no history");
}

#[test]
fn a_spreadsheet_runs_nothing() {
    let hostile = house();
    let served = hostile.house.serve();
    served.wait_counts(hostile.written, PATIENCE);
    for level in ["raw", "hour", "day"] {
        let csv = get(&served, &format!("/api/v1/export/csv?{ALL}&level={level}"));
        let mut reader = csv::ReaderBuilder::new().from_reader(&csv.body[..]);
        let records: Vec<BTreeMap<String, String>> = reader.deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(records.len(), hostile.names.len(), "{level}: no name breaks out of its line");
        for record in &records {
            for (column, cell) in record {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']), "{column}: {cell:?}");
                assert!(!cell.contains('\0'), "{column}");
            }
        }
        let models: Vec<&str> = records.iter().map(|record| record["model"].as_str()).collect();
        assert!(models.iter().any(|model| model.starts_with("'=cmd|")), "{models:?}");
        let plain = |name: &str| name.trim_start_matches('\'').replace('\0', "\u{fffd}");
        for row in rows(&hostile.house) {
            assert!(models.iter().any(|model| plain(model) == plain(&row.model)), "{:?}", row.model);
        }
        let json = served.json(&format!("/api/v1/export/json?{ALL}&level={level}"));
        assert_eq!(json.as_array().unwrap().len(), records.len());
    }
}
