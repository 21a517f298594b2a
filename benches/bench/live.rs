//! The running service: how fast a new line shows, and what it costs to be there.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::process::{Run, memory, pause, processor, run};
use crate::report::{Report, mebibytes, median, milliseconds, percent, quantile};

const LINES: u32 = 300;
const IDLE: Duration = Duration::from_secs(20);

pub(crate) fn measure(corpus: &Corpus, report: &mut Report) {
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    let (served, address) = place.serve(&corpus.root);

    pause(Duration::from_secs(3));
    let before = processor(&served.0);
    pause(IDLE);
    report.below("processor while idle", (processor(&served.0) - before) / IDLE.as_secs_f64(), 0.002, percent);
    if let Some(kib) = memory(&served.0, "VmRSS:") {
        report.below("memory while idle", kib, 32.0 * 1024.0, mebibytes);
    }

    let file = corpus.root.join("projects/-bench/live.jsonl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let times = appended(&file, &address);
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    report.note(
        &format!("from writing a line to seeing it over the API, median of {LINES}"),
        milliseconds(median(&times)),
    );
    report.below("the same, 99th percentile", quantile(&times, 0.99), 0.05, milliseconds);
}

/// Appends one line after the other, each when the one before it is visible.
fn appended(file: &Path, address: &str) -> Vec<Duration> {
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{address}/api/v1/stats/current");
    let requests = || {
        let body = agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&body).unwrap()["totals"]["requests"].as_u64().unwrap()
    };
    let mut transcript = OpenOptions::new().create(true).append(true).open(file).unwrap();
    let before = requests();
    (0..u64::from(LINES))
        .map(|n| {
            // Apart, as responses are: what is measured is one line, not a burst.
            pause(Duration::from_millis(20 + n % 30));
            let text = line(n);
            let since = Instant::now();
            transcript.write_all(text.as_bytes()).unwrap();
            while requests() <= before + n {
                assert!(since.elapsed() < Duration::from_secs(60), "line {n} never showed");
            }
            since.elapsed()
        })
        .collect()
}

/// A response that no run before has written.
fn line(n: u64) -> String {
    let run = std::process::id();
    let line = json!({
        "sessionId": "bench", "cwd": "/home/dev/bench", "isSidechain": false, "type": "assistant",
        "uuid": format!("{run:08}-0000-4000-8000-{n:012}"), "requestId": format!("req_01{run:010}{n:012}"),
        "timestamp": "2026-11-01T12:00:00.000Z",
        "message": {
            "id": format!("msg_01{run:010}{n:012}"), "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "content": [{"type": "text", "text": "x".repeat(1000)}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 20, "cache_creation_input_tokens": 30,
                      "cache_read_input_tokens": 40},
        },
    });
    format!("{line}\n")
}
