//! What a scrape needs: neither the database nor the ingest.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::TOKENS;
use crate::house::{Served, TestHouse};
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

/// Two scrapers that ask until `done`, each checking that nothing falls; how many answers they got.
fn two_scrapers(served: &Served, done: impl Fn() -> bool + Sync) -> u32 {
    let scrape = || {
        let (mut last, mut answers) = (0.0, 0);
        while answers < 30 || !done() {
            let shown = served.scrape().sum(TOKENS).unwrap();
            assert!(shown >= last, "{last} fell to {shown}");
            (last, answers) = (shown, answers + 1);
        }
        answers
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(scrape);
        scrape() + other.join().unwrap()
    })
}

#[test]
fn a5_two_scrapers_are_answered_while_the_database_is_locked_and_while_lines_pour_in() {
    let house = TestHouse::new().with_config("[rate_limit]\nrequests_per_minute = 0\n");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    let before = served.scrape().sum(TOKENS).unwrap();

    // Somebody else holds the database, so the commit of what comes now waits, inside of ingest.
    let db = rusqlite::Connection::open(house.database()).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    scribe.append("a", 10);
    assert!(two_scrapers(&served, || true) >= 60);
    assert_eq!(served.scrape().sum(TOKENS), Some(before), "nothing could be stored");
    db.execute_batch("ROLLBACK").unwrap();
    served.wait_counts(scribe.written, PATIENCE);

    for session in 0..40 {
        scribe.append(&format!("s{session}"), 500);
    }
    let counted = || served.counts() == scribe.written;
    assert!(two_scrapers(&served, counted) >= 60);
}

#[test]
fn a5_a_scrape_touches_no_file() {
    let Some(strace) = parts::need("strace") else { return };
    let house = TestHouse::new().with_config("[watch]\nreconcile_interval = \"1d\"\n");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    served.scrape();
    // What a start has to write is written by now; else it would be taken for the scrapes'.
    let stored = || served.scrape().sum("claude_token_monitor_db_commit_seconds_count");
    eventually("quiet", PATIENCE, || {
        let before = stored();
        pause(Duration::from_secs(2));
        (stored() == before).then_some(())
    });
    let log = house.path("calls.txt");
    let mut tracer = Command::new(strace)
        .args(["-f", "-qq", "-y", "-s", "64", "-e", "trace=openat,pread64,pwrite64,read,recvfrom,fcntl,statx"])
        .arg("-o")
        .arg(&log)
        .args(["-p", &served.pid().as_raw_nonzero().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let traced = eventually("the tracer to have attached, or to be refused", PATIENCE, || {
        let refused = tracer.try_wait().unwrap().is_some();
        (refused || served.is_traced()).then_some(!refused)
    });
    if !traced {
        return parts::lack("ptrace");
    }
    for _ in 0..50 {
        served.scrape();
    }
    // This does ask the database, and the tracer sees it: else its silence above would mean nothing.
    served.text("/api/v1/stats/trends");
    kill_process(Pid::from_child(&tracer), Signal::INT).unwrap();
    tracer.wait().unwrap();
    let calls = std::fs::read_to_string(&log).unwrap();
    let (scrapes, trends) = calls.split_once("GET /api/v1/stats/trends").expect("the request was traced");
    assert_eq!(scrapes.matches("GET /metrics").count(), 50);
    let database = house.database().display().to_string();
    let touched = |calls: &str| calls.lines().filter(|line| line.contains(&database)).count();
    assert_eq!(touched(scrapes), 0, "a scrape asked the database:\n{scrapes}");
    assert!(touched(trends) > 0, "the tracer does not see the database:\n{trends}");
}

#[test]
fn claude_codes_own_telemetry_is_noticed_by_its_switch_alone() {
    fn check(switch: &str, expected: f64) {
        let house = TestHouse::new().with_env("CLAUDE_CODE_ENABLE_TELEMETRY", switch);
        let served = house.serve();
        assert_eq!(served.scrape().sum("claude_token_monitor_native_telemetry_detected"), Some(expected), "{switch}");
        assert_eq!(served.log().contains("own telemetry"), expected > 0.5, "{switch}: {}", served.log());
    }
    check("1", 1.0);
    check("0", 0.0);
    check("", 0.0);
}
