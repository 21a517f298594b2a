//! The first read of everything, in turns with the peer's report and with reading the bytes alone; then the restart.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::process::{Run, run};
use crate::report::{Report, mebibytes, median, ratio, seconds};

const ROUNDS: usize = 5;

pub(crate) fn measure(corpus: &Corpus, report: &mut Report) {
    let peer = peer();
    let (mut ours, mut theirs, mut bare, mut again) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut our_peak, mut their_peak): (f64, f64) = (0.0, 0.0);
    // The files are in the page cache for everybody alike.
    read_bytes(&corpus.root);
    for _ in 0..ROUNDS {
        bare.push(read_bytes(&corpus.root));
        let place = Run::new();
        let taken = run(place.ours(&corpus.root, &["ingest"]));
        ours.push(taken.time);
        our_peak = our_peak.max(taken.peak_kib);
        again.push(run(place.ours(&corpus.root, &["ingest"])).time);
        if let Some(peer) = &peer {
            let taken = run(place.peer(peer, &corpus.root));
            theirs.push(taken.time);
            their_peak = their_peak.max(taken.peak_kib);
        }
    }
    report.note("reading the bytes alone, as many threads", seconds(median(&bare)));
    if theirs.is_empty() {
        report.note("first read of 1 GiB into an empty database", seconds(median(&ours)));
    } else {
        report.note("`ccusage daily --json --offline` over the same files", seconds(median(&theirs)));
        report.note("its peak memory", mebibytes(their_peak));
        report.note("first read of 1 GiB into an empty database", seconds(median(&ours)));
        report.below("the same, relative to the peer", median(&ours) / median(&theirs), 0.5, ratio);
    }
    report.note("the same, relative to the bytes alone", ratio(median(&ours) / median(&bare)));
    report.below("peak memory of that read", our_peak, 64.0 * 1024.0, mebibytes);
    report.note("restart over unchanged files", seconds(median(&again)));
    if !theirs.is_empty() {
        report.below("the same, relative to the peer", median(&again) / median(&theirs), 0.05, ratio);
    }
}

/// The peer that `scripts/bench-parts` fetched.
fn peer() -> Option<PathBuf> {
    let parts = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts")).ok()?;
    let mut found: Vec<PathBuf> = parts.filter_map(|entry| Some(entry.ok()?.path().join("ccusage"))).collect();
    found.retain(|path| path.is_file());
    found.into_iter().max()
}

/// The floor: every byte of every file once, with as many threads as the program reads with.
fn read_bytes(root: &Path) -> Duration {
    let since = Instant::now();
    let mut files = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { dirs.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = vec![0; 256 * 1024];
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut file = File::open(path).unwrap();
                    while file.read(&mut buffer).unwrap() > 0 {}
                }
            });
        }
    });
    since.elapsed()
}
