//! What a scrape needs: neither the database nor the ingest.

use std::process::Command;
use std::time::{Duration, Instant};

use super::TOKENS;
use crate::house::{Served, TestHouse};
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// Two scrapers that ask until `done`, each checking that nothing falls; how long each answer took.
fn two_scrapers(served: &Served, done: impl Fn() -> bool + Sync) -> Vec<Duration> {
    let scrape = || {
        let (mut last, mut times) = (0.0, Vec::new());
        while times.len() < 30 || !done() {
            let since = Instant::now();
            let shown = served.scrape().sum(TOKENS).unwrap();
            times.push(since.elapsed());
            assert!(shown >= last, "{last} fell to {shown}");
            last = shown;
        }
        times
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(scrape);
        let mut times = scrape();
        times.extend(other.join().unwrap());
        times.sort();
        times
    })
}

#[test]
fn a5_two_scrapers_are_answered_while_the_database_is_locked_and_while_lines_pour_in() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    let before = served.scrape().sum(TOKENS).unwrap();

    // Somebody else holds the database, so the commit of what comes now waits, inside of ingest.
    let db = rusqlite::Connection::open(house.database()).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    scribe.append("a", 10);
    let locked = two_scrapers(&served, || true);
    assert_eq!(served.scrape().sum(TOKENS), Some(before), "nothing could be stored");
    db.execute_batch("ROLLBACK").unwrap();
    served.wait_counts(scribe.written, PATIENCE);

    for session in 0..40 {
        scribe.append(&format!("s{session}"), 500);
    }
    let counted = || served.counts() == scribe.written;
    let busy = two_scrapers(&served, counted);
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    println!("99th percentile of a scrape: locked {:?}, busy {:?} of {}", p99(&locked), p99(&busy), busy.len());
}

#[test]
fn a5_a_scrape_touches_no_file() {
    let Some(strace) = parts::need("strace") else { return };
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    served.scrape();
    let log = house.path("calls.txt");
    let mut tracer = Command::new(strace)
        .args(["-f", "-qq", "-e", "trace=openat,pread64,pwrite64,read,fcntl,stat,newfstatat,statx,lseek", "-y"])
        .arg("-o")
        .arg(&log)
        .args(["-p", &served.pid().as_raw_nonzero().to_string()])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let calls = || std::fs::read_to_string(&log).unwrap_or_default();
    let database = house.database().display().to_string();
    // Asking the database is seen by the tracer: else its silence below would mean nothing.
    let seen = eventually("the tracer to see the database, or to be refused", PATIENCE, || {
        if tracer.try_wait().unwrap().is_some() {
            return Some(false);
        }
        served.text("/api/v1/stats/trends");
        calls().contains(&database).then_some(true)
    });
    if !seen {
        return parts::lack("ptrace");
    }
    let before = calls().matches(&database).count();
    for _ in 0..50 {
        served.scrape();
    }
    let during = calls().matches(&database).count() - before;
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    assert_eq!(during, 0, "a scrape asked the database:\n{}", calls());
}
