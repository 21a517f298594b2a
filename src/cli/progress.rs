//! The first read as a bar, where somebody is looking.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::hub::Hub;
use crate::plugin::Stop;

const TICK: Duration = Duration::from_millis(100);

/// Shows how far the first catch-up is until it is done or `stop`. Nothing is shown where standard error is not a
/// terminal.
pub(super) fn show(hub: Hub, stop: Stop) -> Option<JoinHandle<()>> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    std::thread::Builder::new().name("progress".to_owned()).spawn(move || run(&hub, &stop)).ok()
}

fn run(hub: &Hub, stop: &Stop) {
    let style = ProgressStyle::with_template("reading transcripts {wide_bar} {bytes}/{total_bytes} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    while !hub.snapshot().ready && !stop.sleep(TICK) {
        let (total, done) = read_so_far(hub);
        bar.set_length(total);
        bar.set_position(done);
    }
    bar.finish_and_clear();
}

/// Bytes to read and bytes read by all sources.
pub(super) fn read_so_far(hub: &Hub) -> (u64, u64) {
    let sum = |value: fn(&crate::status::SourceStatus) -> &std::sync::atomic::AtomicU64| {
        hub.statuses().values().map(|status| value(status).load(Ordering::Relaxed)).sum()
    };
    (sum(|status| &status.catchup_bytes), sum(|status| &status.catchup_done_bytes))
}
