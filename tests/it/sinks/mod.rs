//! Sinks: one contract that each of them keeps, and what their runner does when the other side fails.

mod backfill;
mod budgets;
mod commands;
mod conformance;
mod examples;
mod faults;
mod grpc;
mod otlp;
mod otlp_ways;
mod outage;
pub(crate) mod receiver;
mod samples;
mod secured;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::house::TestHouse;
use crate::wait::{PATIENCE, eventually};
use receiver::Receiver;

/// A webhook that is quick to try again.
fn webhook(receiver: &Receiver, more: &str) -> String {
    format!(
        "[sinks.hook]\ntype = 'webhook'\nurl = '{}'\nstart_from = 'beginning'\ninterval = '0s'\n\
         retry_initial = '20ms'\nretry_max = '200ms'\n{more}\n",
        receiver.url()
    )
}

/// The responses that changes are about.
fn ids<'a>(changes: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    changes.into_iter().map(|change| change["id"].as_str().unwrap().to_owned()).collect()
}

fn revisions(changes: &[Value]) -> Vec<u64> {
    changes.iter().map(|change| change["revision"].as_u64().unwrap()).collect()
}

/// Waits until so many different responses were taken.
fn wait_taken(receiver: &Receiver, responses: usize) -> Vec<Value> {
    eventually(&format!("{responses} responses at the receiver"), PATIENCE, || {
        let taken = receiver.taken();
        (ids(&taken).len() >= responses).then_some(taken)
    })
}

/// A sink as `sinks list` knows it.
fn listed(house: &TestHouse, id: &str) -> Value {
    let done = house.run(["sinks", "list", "--json"]);
    assert!(done.status.success(), "{done:?}");
    let rows: Value = serde_json::from_str(&done.stdout).unwrap();
    rows.as_array().unwrap().iter().find(|row| row["id"] == id).cloned().unwrap_or_default()
}

/// Waits until the list says something of a sink.
fn wait_listed(house: &TestHouse, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let limit = PATIENCE;
    crate::wait::within(limit, || {
        last = listed(house, id);
        holds(&last).then(|| last.clone())
    })
    .unwrap_or_else(|| panic!("{id}: not {what} within {limit:?}: {last}"))
}

fn dead_letters(house: &TestHouse) -> Vec<Value> {
    let done = house.run(["sinks", "dead-letters", "--json"]);
    assert!(done.status.success(), "{done:?}");
    serde_json::from_str::<Value>(&done.stdout).unwrap().as_array().unwrap().clone()
}

/// The lines of a file that hold a whole change.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
