//! A history that ticks: one response at each of a list of instants, to see on which side of a boundary it falls.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::recount::{Row, rows};
use crate::house::{Served, TestHouse};
use crate::scribe::{MODEL, Scribe};

/// A server over it.
pub(super) struct Clockwork {
    pub(super) house: TestHouse,
    pub(super) served: Served,
    pub(super) rows: Vec<Row>,
}

impl Clockwork {
    pub(super) fn new(house: TestHouse, instants: impl IntoIterator<Item = Timestamp>) -> Self {
        let scribe = Scribe::new(house.claude());
        let lines: String = instants.into_iter().enumerate().map(|(n, at)| line("ticking", n + 1, at)).collect();
        scribe.append_raw("ticking", lines.as_bytes());
        let served = house.serve();
        let rows = rows(&house);
        Self { house, served, rows }
    }
}

/// Instants from one up to another.
pub(super) fn every(step: SignedDuration, from: &str, to: &str) -> Vec<Timestamp> {
    let (mut at, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
    let mut instants = Vec::new();
    while at < to {
        instants.push(at);
        at += step;
    }
    instants
}

/// A response at an instant. No two have the same numbers.
pub(super) fn line(session: &str, n: usize, at: Timestamp) -> String {
    let line = json!({
        "sessionId": session, "cwd": "/home/dev/clock", "gitBranch": "main", "type": "assistant", "isSidechain": false,
        "uuid": format!("{session}-{n}"), "requestId": format!("req_{session}_{n}"), "timestamp": at.to_string(),
        "message": {
            "id": format!("msg_{session}_{n}"), "type": "message", "role": "assistant", "model": MODEL, "content": [],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": n, "output_tokens": 10_000 + n, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 3 * n,
            },
        },
    });
    format!("{line}\n")
}
