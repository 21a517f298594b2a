//! Retention takes the detail and leaves the sums.

use jiff::SignedDuration;
use serde_json::Value;

use super::clockwork::{Clockwork, every};
use super::recount::ALL;
use crate::house::{Served, TestHouse};

/// Questions about sums, each at boundaries that sums know exactly.
const SUMS: [&str; 8] = [
    "stats/trends?start_date=2025-10-20&end_date=2025-11-20&group_by=model",
    "stats/trends?period=hourly&start_date=2025-11-01&end_date=2025-11-03&tz=Asia/Kathmandu",
    "stats/heatmap?start_date=2025-10-20&end_date=2025-11-20&tz=America/New_York",
    "stats/projects?start_date=2025-11-01T00:15:00Z&end_date=2025-11-18T12:45:00Z",
    "cost/estimate?start_date=2025-11-01&end_date=2025-11-30&as_model=claude-haiku-4-5",
    "export/json?start_date=2025-10-01&end_date=2025-11-30&level=day",
    "export/json?start_date=2025-10-01&end_date=2025-11-30&level=hour&tz=Asia/Kathmandu",
    "stats/trends?start_date=2025-10-20&end_date=2025-11-20&session=ticking&group_by=kind",
];

fn sums(served: &Served) -> Vec<Value> {
    let mut sums: Vec<Value> = SUMS.iter().map(|path| served.json(&format!("/api/v1/{path}"))).collect();
    let mut current = served.json("/api/v1/stats/current");
    current["totals"].as_object_mut().unwrap().remove("revision");
    sums.push(current);
    sums
}

#[test]
fn history_says_what_is_missing_and_no_sum_changes() {
    let old = every(SignedDuration::from_mins(15), "2025-11-01T00:00:00Z", "2025-11-04T00:00:00Z");
    let new = every(SignedDuration::from_mins(15), "2025-11-18T00:00:00Z", "2025-11-19T00:00:00Z");
    let (lost, kept) = (old.len(), new.len());
    let Clockwork { house, served, rows } = Clockwork::new(TestHouse::new(), old.into_iter().chain(new));
    let before = sums(&served);
    assert!(served.stop().success());
    // Counted from the last response, whatever the clock says.
    let pruned = house.run(["db", "prune", "--older-than", "5"]);
    assert_eq!(pruned.code(), 0, "{pruned:?}");

    let served = house.serve();
    for (before, after) in before.iter().zip(sums(&served)) {
        assert_eq!(*before, after);
    }
    let history = served.json(&format!("/api/v1/stats/history?{ALL}"));
    assert_eq!((&history["pagination"]["total"], &history["pagination"]["pruned"]), (&kept.into(), &lost.into()));
    let part = served.json("/api/v1/stats/history?start_date=2025-11-01&end_date=2025-11-01");
    assert_eq!((&part["pagination"]["total"], &part["pagination"]["pruned"]), (&0.into(), &96.into()));
    assert!(part["data"].as_array().unwrap().is_empty() && part["pagination"]["next_cursor"].is_null());
    let whole = served.json("/api/v1/stats/history?start_date=2025-11-18&end_date=2025-11-18&limit=100");
    assert_eq!((&whole["pagination"]["total"], &whole["pagination"]["pruned"]), (&96.into(), &0.into()));
    assert_eq!(whole["data"].as_array().unwrap().len(), 96);
    assert_eq!(served.json(&format!("/api/v1/export/json?{ALL}")).as_array().unwrap().len(), kept);
    let detail = served.json("/api/v1/stats/sessions/ticking");
    assert_eq!(
        (&detail["session"]["requests"], &detail["session"]["exact_times"]),
        (&rows.len().into(), &false.into())
    );
    assert_eq!(detail["hours"].as_array().unwrap().len(), (lost + kept) / 4);
}
