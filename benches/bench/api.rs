//! How long answers take when the history is long.

use std::time::{Duration, Instant};

use crate::corpus::million;
use crate::process::{Run, run};
use crate::report::{Report, milliseconds, quantile};

const QUESTIONS: [&str; 6] = [
    "/api/v1/stats/current",
    "/api/v1/stats/history?limit=50",
    "/api/v1/stats/trends",
    "/api/v1/stats/models",
    "/api/v1/cost/estimate",
    "/metrics",
];

pub(crate) fn measure(report: &mut Report) {
    let corpus = million();
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    let (_served, address) = place.serve(&corpus.root);
    let agent = ureq::Agent::new_with_defaults();
    for question in QUESTIONS {
        let url = format!("http://{address}{question}");
        let times: Vec<Duration> = (0..200)
            .map(|_| {
                let since = Instant::now();
                agent.get(&url).call().unwrap().body_mut().with_config().limit(1 << 28).read_to_string().unwrap();
                since.elapsed()
            })
            .collect();
        let what = format!("`{question}` at {} responses, 99th percentile", corpus.responses);
        report.below(&what, quantile(&times, 0.99), 0.005, milliseconds);
    }
}
