//! What a history does to counters: kills, deleted transcripts, corrections.

use std::time::Duration;

use serde_json::json;

use super::{Server, TOKENS};
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::{MODEL, Scribe};
use crate::wait::{PATIENCE, eventually, pause};

/// The families that count usage; none of them ever falls.
const COUNTERS: [&str; 6] = [
    TOKENS,
    "claude_code_cost_usage_USD_total",
    "claude_code_session_count_total",
    "claude_token_monitor_project_tokens_total",
    "claude_token_monitor_request_tokens_bucket",
    "claude_token_monitor_request_tokens_sum",
];

#[test]
fn a1_a_kill_during_the_first_read_is_no_reset_and_only_live_usage_increases() {
    let Some(program) = parts::need("prometheus") else { return };
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in 0..60 {
        scribe.append(&format!("s{session}"), 400);
    }
    let served = house.spawn::<&str>([]).listening();
    let address = served.address().to_owned();
    let prometheus = Server::start(&house, program, &address);
    eventually("a part of the history to be read", PATIENCE, || {
        let scrape = served.scrape();
        assert_eq!(scrape.sum(TOKENS).is_some(), scrape.sum("claude_token_monitor_ready") == Some(1.0));
        (scrape.sum("claude_token_monitor_ingest_events_total")? > 0.0).then_some(())
    });
    served.kill();
    let served = house.spawn(["--listen", &address]).ready();
    served.wait_counts(scribe.written, PATIENCE);
    prometheus.sees(&served);
    let before = served.scrape().sum(TOKENS).unwrap();

    scribe.append("live", 30);
    served.wait_counts(scribe.written, PATIENCE);
    prometheus.sees(&served);
    let live = served.scrape().sum(TOKENS).unwrap() - before;
    // A second scrape of the last value, so that it is inside every range below.
    pause(Duration::from_secs(2));
    for family in COUNTERS {
        assert_eq!(prometheus.answer(&format!("sum(resets({family}[10m]))")), Some(0.0), "{family}");
    }
    let grown = format!("sum({TOKENS}) - sum(min_over_time({TOKENS}[10m]))");
    assert_eq!(prometheus.answer(&grown), Some(live), "nothing but live usage increases");
}

#[test]
fn a2_no_counter_needs_its_transcripts() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in ["a", "b", "c"] {
        scribe.append(session, 50);
    }
    let shown = |scrape: &crate::scrape::Scrape| {
        let ours = ["project_", "request_tokens", "api_requests", "cache_creation", "unpriced", "last_event"];
        let ours = ours.iter().flat_map(|name| scrape.beginning(&format!("claude_token_monitor_{name}")));
        ours.chain(scrape.beginning("claude_code_")).collect::<std::collections::BTreeMap<_, _>>()
    };
    let served = house.serve();
    let before = shown(&served.scrape());
    assert!(before.len() > 60 && before.values().sum::<f64>() > 0.0, "{before:?}");
    std::fs::remove_dir_all(house.claude().join("projects")).unwrap();
    served.stop();
    let served = house.serve();
    assert_eq!(shown(&served.scrape()), before);
    scribe.append("d", 2);
    served.wait_counts(scribe.written, PATIENCE);
    let after = shown(&served.scrape());
    assert!(before.iter().all(|(name, value)| after[name] >= *value), "{before:?}\n{after:?}");
}

/// One line of one response, the output so far given.
fn growing(output: u64) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "cwd": "/home/dev/app", "sessionId": "grows", "type": "assistant",
        "uuid": "00000000-0000-4000-8000-999999999999", "requestId": "req_grows", "timestamp": "2025-11-20T12:00:00.000Z",
        "message": {
            "id": "msg_grows", "type": "message", "role": "assistant", "model": MODEL,
            "content": [{"type": "text", "text": "x"}], "stop_reason": if output > 100 { Some("end_turn") } else { None },
            "usage": {"input_tokens": 5, "output_tokens": output, "cache_read_input_tokens": 300},
        },
    });
    format!("{line}\n")
}

#[test]
fn a3_a_correcting_line_adds_exactly_the_difference() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("other", 5);
    scribe.append_raw("grows", growing(40).as_bytes());
    let served = house.serve();
    let before = served.scrape();
    let rest = served.json("/api/v1/stats/current")["totals"].clone();
    assert_eq!(before.sum("claude_token_monitor_ingest_partial_events"), Some(1.0));

    scribe.append_raw("grows", growing(740).as_bytes());
    let output = rest["output_tokens"].as_u64().unwrap() + 700;
    let rest_after = eventually("the correction", PATIENCE, || {
        let totals = served.json("/api/v1/stats/current")["totals"].clone();
        (totals["output_tokens"].as_u64() == Some(output)).then_some(totals)
    });
    for field in ["requests", "input_tokens", "cache_read_tokens", "cache_creation_tokens", "sessions"] {
        assert_eq!(rest_after[field], rest[field], "{field}");
    }
    let after = served.scrape();
    let grew = |family: &str, label: &str| {
        after.sum_where(family, label).unwrap() - before.sum_where(family, label).unwrap_or_default()
    };
    let check = |family: &str, label: &str, expected: f64| {
        assert!((grew(family, label) - expected).abs() < 1e-9, "{family} {label}: {}", grew(family, label));
    };
    check(TOKENS, "", 700.0);
    check(TOKENS, "type=\"output\"", 700.0);
    check("claude_token_monitor_project_tokens_total", "type=\"output\"", 700.0);
    check("claude_token_monitor_project_tokens_total", "", 700.0);
    check("claude_token_monitor_request_tokens_sum", "direction=\"output\"", 700.0);
    check("claude_token_monitor_request_tokens_count", "", 0.0);
    check("claude_token_monitor_api_requests_total", "", 0.0);
    check("claude_code_session_count_total", "", 0.0);
    check("claude_token_monitor_ingest_corrections_total", "", 1.0);
    check("claude_token_monitor_ingest_partial_events", "", -1.0);
    // 700 tokens at 15 dollars a million.
    check("claude_code_cost_usage_USD_total", "", 0.0105);
    check("claude_token_monitor_project_cost_USD_total", "", 0.0105);
    let buckets = after.series("claude_token_monitor_request_tokens_bucket");
    for (labels, value) in before.series("claude_token_monitor_request_tokens_bucket") {
        assert!(buckets[&labels] >= value, "{labels} fell");
    }
}
