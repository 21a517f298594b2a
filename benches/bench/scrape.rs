//! `/metrics` of a house with many models and projects: how long it takes, over HTTP, and how large it is.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::Run;
use crate::report::{Report, median, milliseconds, quantile};

const MODELS: usize = 30;
const PROJECTS: usize = 20;

pub(crate) fn measure(report: &mut Report) {
    let place = Run::new();
    let claude = place.database().with_file_name("claude");
    for project in 0..PROJECTS {
        let directory = claude.join(format!("projects/-home-dev-project-{project}"));
        std::fs::create_dir_all(&directory).unwrap();
        let mut lines = String::new();
        for model in 0..MODELS {
            for sidechain in [false, true] {
                writeln!(lines, "{}", line(project, model, sidechain)).unwrap();
            }
        }
        std::fs::write(directory.join(format!("session-{project}.jsonl")), lines).unwrap();
    }
    let (_served, address) = place.serve(&claude);
    let agent = ureq::Agent::new_with_defaults();
    let what = format!("`/metrics` at {MODELS} models and {PROJECTS} projects");
    for (name, accept) in [("OpenMetrics", "application/openmetrics-text; version=1.0.0"), ("text", "text/plain")] {
        let mut size = 0;
        let times: Vec<Duration> = (0..300)
            .map(|_| {
                let since = Instant::now();
                let mut answer = agent
                    .get(format!("http://{address}/metrics"))
                    .header("accept", accept)
                    .header("accept-encoding", "identity")
                    .call()
                    .unwrap();
                // As bytes: what the client does with a text's encoding is its own matter.
                size = answer.body_mut().read_to_vec().unwrap().len();
                since.elapsed()
            })
            .collect();
        report.below(&format!("{what}, {name}, rendered and over HTTP, median"), median(&times), 0.001, milliseconds);
        report.note(&format!("{what}, {name}, 99th percentile"), milliseconds(quantile(&times, 0.99)));
        report.note(&format!("{what}, {name}, size"), format!("{size} bytes"));
    }
}

/// A response that no other line is about.
fn line(project: usize, model: usize, sidechain: bool) -> serde_json::Value {
    let n = (project * MODELS + model) * 2 + usize::from(sidechain);
    json!({
        "sessionId": format!("session-{project}"), "cwd": format!("/home/dev/project-{project}"),
        "isSidechain": sidechain, "type": "assistant", "uuid": format!("00000000-0000-4000-8000-{n:012}"),
        "requestId": format!("req_01{n:022}"), "timestamp": "2026-11-01T12:00:00.000Z",
        "message": {
            "id": format!("msg_01{n:022}"), "type": "message", "role": "assistant",
            "model": format!("claude-model-{model}"), "content": [], "stop_reason": "end_turn",
            "usage": {"input_tokens": 10 + n, "output_tokens": 20 * n, "cache_read_input_tokens": 40 + n},
        },
    })
}
