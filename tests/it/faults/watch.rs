//! File events that are off, lost, refused or too many (D7, D8, D9), the cost of having read (D10), and directories that
//! come and go (D11). Whatever a watcher says, every line is counted.

use std::time::Duration;

use crate::house::{Served, TestHouse};
use crate::machine::{Limit, alone, succeeds};
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

/// Scans come quickly, so that nobody has to wait for the slow pace of the defaults.
pub(super) const QUICK: &str = "[watch]\nreconcile_interval = \"3s\"\npoll_interval = \"2s\"\n";
/// Two of them, and room for a busy machine.
const TWO_SCANS: Duration = Duration::from_secs(20);

/// Whether health says that files are polled.
fn polls(served: &Served) -> bool {
    served.json("/api/v1/health")["watch"]["mode"] == "poll"
}

#[test]
fn d07_without_file_events_everything_is_found_by_scanning() {
    let house = TestHouse::new().with_config(QUICK).with_env("FILE_WATCH_ENABLED", "false");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("early", 3);
    let served = house.serve();
    served.wait_counts(scribe.written, Duration::ZERO);
    scribe.append("early", 4);
    scribe.append("late", 5);
    served.wait_counts(scribe.written, TWO_SCANS);
    assert!(polls(&served));
}

#[test]
fn d08_a_storm_that_overflows_the_event_queue_loses_nothing() {
    let _alone = alone();
    let Some(_limit) = Limit::set("/proc/sys/fs/inotify/max_queued_events", 64) else { return };
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("first", 1);
    let served = house.serve();
    let files = if parts::soak() { 100_000 } else { 10_000 };
    for file in 0..files {
        scribe.append(&format!("storm-{file}"), 1);
    }
    served.wait_counts(scribe.written, PATIENCE);
    let overflows = served.scrape().sum("claude_token_monitor_watch_overflows_total").unwrap();
    assert!(overflows > 0.0, "the queue did not overflow: the test proves nothing");
    assert!(served.peak_kib() < 200 * 1024, "{} KiB", served.peak_kib());
}

/// Serves where a limit of inotify, set for this process alone, leaves no room for watches.
fn limited(limit: &str, value: u32) {
    if !succeeds("unshare", ["-U", "-r", "true"]) {
        parts::lack("user namespaces");
        return;
    }
    let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$@\"");
    let house =
        TestHouse::new().with_config(QUICK).through(["/usr/bin/unshare", "-U", "-r", "/bin/sh", "-c", &script, "sh"]);
    let mut scribe = Scribe::new(house.claude());
    for dir in 0..80 {
        std::fs::create_dir_all(house.claude().join(format!("projects/-other-{dir}"))).unwrap();
    }
    scribe.append("early", 3);
    let served = house.serve();
    served.wait_counts(scribe.written, Duration::ZERO);
    assert!(polls(&served), "{limit}");
    scribe.append("early", 3);
    scribe.append("late", 3);
    served.wait_counts(scribe.written, TWO_SCANS);
}

#[test]
fn d09_too_few_watches_mean_scanning() {
    limited("max_inotify_watches", 50);
}

#[test]
fn d09_no_watcher_at_all_means_scanning() {
    limited("max_inotify_instances", 0);
}

#[test]
fn d10_having_read_a_file_is_no_reason_to_read_it_again() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 10);
    let served = house.serve();
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    let callbacks = || served.scrape().sum("claude_token_monitor_watch_events_total");
    let (ticks, events) = (served.cpu_ticks(), callbacks());
    pause(Duration::from_secs(10));
    let used = served.cpu_ticks() - ticks;
    assert!(used < 20, "{used} hundredths of a second of processor time in ten idle seconds");
    if let (Some(before), Some(after)) = (events, callbacks()) {
        assert!(after - before < 50.0, "{before} watch events, then {after}, with nothing going on");
    }
}

#[test]
fn d11_a_root_that_comes_later_is_found() {
    let house = TestHouse::new().with_config(QUICK);
    std::fs::remove_dir_all(house.claude()).unwrap();
    let served = house.serve();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("late", 3);
    served.wait_counts(scribe.written, TWO_SCANS);
}

#[test]
fn d11_a_root_that_is_replaced_is_followed() {
    let house = TestHouse::new().with_config(QUICK);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("old", 3);
    let served = house.serve();
    served.wait_counts(scribe.written, Duration::ZERO);

    std::fs::remove_dir_all(house.claude().join("projects")).unwrap();
    scribe.append("new", 3);
    served.wait_counts(scribe.written, TWO_SCANS);

    std::fs::rename(house.claude(), house.path("moved")).unwrap();
    scribe.append("newer", 3);
    served.wait_counts(scribe.written, TWO_SCANS);
    scribe.append("newer", 3);
    served.wait_counts(scribe.written, TWO_SCANS);
}

#[test]
fn new_directories_full_of_files_are_found_at_once() {
    let house = TestHouse::new();
    let served = house.serve();
    let mut scribe = Scribe::new(house.claude());
    for session in 0..40 {
        scribe.append(&format!("deep/{session}/subagents/agent-x"), 2);
    }
    eventually("every response below new directories", PATIENCE, || (served.counts() == scribe.written).then_some(()));
}
