//! A long history: what a response takes on disk, and then how long answers take, of the store and over HTTP.

use std::path::Path;

use crate::corpus::million;
use crate::process::{Run, run};
use crate::report::{Report, bytes};

pub(crate) fn measure(report: &mut Report) {
    let corpus = million();
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    per_response(&place.database(), report);
    crate::questions::measure(&place.database(), report);
    crate::api::measure(&corpus, &place, report);
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
