//! S1: the other side is gone for a while, we are killed meanwhile, and every event arrives all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::receiver::{Receiver, Reply};
use super::{ids, wait_listed, wait_taken, webhook};
use crate::house::TestHouse;
use crate::machine::{Mount, alone, fill, may_mount};
use crate::parts::soak;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

#[test]
fn s1_nothing_is_lost_in_an_outage_with_a_kill_in_its_middle() {
    let receiver = Receiver::start();
    let address = receiver.address();
    let (events, outage) = if soak() { (200_000, Duration::from_secs(600)) } else { (20_000, Duration::from_secs(12)) };
    let config = webhook(&receiver, "batch_max = 500\ntimeout = '500ms'");
    let house = TestHouse::new().with_config(&config);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 100);
    let served = house.serve();
    super::wait_taken(&receiver, 100);

    // Refused at first, then it hangs, then it says that it cannot.
    drop(receiver);
    let idle = served.peak_kib();
    for part in 0..10 {
        scribe.append(&format!("s{part}"), events / 20);
        pause(outage / 40);
    }
    served.wait_counts(scribe.written, PATIENCE * 2);
    let first_peak = served.peak_kib();
    served.kill();
    let receiver = Receiver::at(address).behaving(|_| Reply::Silence);
    let served = house.serve();
    pause(outage / 4);
    for part in 0..10 {
        scribe.append(&format!("t{part}"), events / 20);
        pause(outage / 40);
    }
    receiver.behave(|_| Reply::Status(503));
    served.wait_counts(scribe.written, PATIENCE * 2);
    pause(outage / 4);
    let peak = served.peak_kib();

    receiver.behave(|_| Reply::Status(200));
    let total = usize::try_from(scribe.written.requests).unwrap();
    eventually("every event", PATIENCE * 3, || (ids(&receiver.taken()).len() >= total - 100).then_some(()));
    wait_listed(&house, "hook", "up to date", |row| row["lag_events"] == 0 && row["state"] == "ok");
    let taken = receiver.taken();
    // At least once, and not over and over: on a busy machine an answer may come too late a few times.
    assert!(taken.len() < total * 3 / 2, "{} for {total}", taken.len());
    // A batch whose answer came too late comes again; what is new comes in order.
    let mut known = std::collections::BTreeSet::new();
    let new: Vec<_> = taken.into_iter().filter(|change| known.insert(change["revision"].as_u64())).collect();
    assert!(super::revisions(&new).is_sorted());
    // What waits is in the database, not in memory.
    assert!(
        peak.max(first_peak) < idle.max(40 * 1024) + 24 * 1024,
        "{idle} KiB at first, {first_peak} and {peak} in the outage"
    );
    drop(served);
}

#[test]
fn a_disk_that_is_full_when_a_batch_has_arrived_loses_nothing() {
    let _alone = alone();
    if !may_mount() {
        return;
    }
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    let _disk = Mount::tmpfs(dir.path(), 8).unwrap();
    let house = TestHouse::new().with_config(&webhook(&receiver, "")).storing(dir.path().join("monitor.db"));
    let mut scribe = Scribe::new(house.claude());
    // The receiver itself takes what is left before it says that it has taken the batch.
    let (ballast, armed) = (dir.path().join("ballast"), Arc::new(AtomicBool::new(true)));
    receiver.behave({
        let (ballast, armed) = (ballast.clone(), Arc::clone(&armed));
        move |_| {
            if armed.swap(false, Ordering::SeqCst) {
                fill(&ballast);
            }
            Reply::Status(200)
        }
    });
    scribe.append("a", 5);
    let served = house.serve();
    wait_taken(&receiver, 5);
    pause(Duration::from_millis(300));
    assert_eq!(wait_listed(&house, "hook", "there", serde_json::Value::is_object)["lag_events"], 5, "the cursor moved");
    std::fs::remove_file(&ballast).unwrap();
    wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0);
    assert_eq!(receiver.taken().len(), 5, "what has arrived is not sent again because the disk is full");

    // The same, and a kill before there is room: then it comes twice, and nothing is missing.
    armed.store(true, Ordering::SeqCst);
    scribe.append("a", 3);
    wait_taken(&receiver, 8);
    pause(Duration::from_millis(300));
    served.kill();
    std::fs::remove_file(&ballast).unwrap();
    scribe.append("a", 2);
    let served = house.serve();
    assert!((10..=13).contains(&wait_taken(&receiver, 10).len()));
    wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0);
    drop(served);
}
