//! A long history: what a response takes on disk, and how long answers take.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::corpus::million;
use crate::process::{Run, run};
use crate::report::{Report, bytes, milliseconds, quantile};

const QUESTIONS: [&str; 5] = ["/", "/api/v1/stats/current", "/api/v1/stats/models", "/api/v1/health", "/metrics"];

pub(crate) fn measure(report: &mut Report) {
    let corpus = million();
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    per_response(&place.database(), report);
    crate::questions::measure(&place.database(), report);
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

/// What one response takes in the file, everything included.
fn per_response(database: &Path, report: &mut Report) {
    let db = rusqlite::Connection::open(database).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let responses: f64 = db.query_row("SELECT count(*) FROM token_usage", [], |row| row.get(0)).unwrap();
    drop(db);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let size = std::fs::metadata(database).unwrap().len() as f64;
    report.below("disk for each of a million responses, everything included", size / responses, 200.0, bytes);
}
