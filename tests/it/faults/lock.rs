//! D14: somebody else holds the database. Ingest waits and loses nothing; a long reader does not let the log grow
//! without end.

use std::time::Duration;

use rusqlite::Connection;

use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, pause};

#[test]
fn d14_a_foreign_lock_delays_and_loses_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 5);
    let mut served = house.serve();
    let foreign = Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = served.counts();
    // Longer than the program waits for a lock (five seconds), so that it meets the error and not only the delay.
    for _ in 0..12 {
        scribe.append("one", 5);
        pause(Duration::from_secs(1));
    }
    assert_eq!(served.counts(), before, "what is locked out is not shown either");
    foreign.execute_batch("ROLLBACK").unwrap();
    served.wait_counts(scribe.written, PATIENCE * 2);
    served.assert_alive();
}

#[test]
fn d14_a_long_reader_does_not_stop_ingest() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 5);
    let served = house.serve();
    let foreign = Connection::open(house.database()).unwrap();
    foreign.execute_batch("BEGIN").unwrap();
    let seen = || foreign.query_row("SELECT count(*) FROM token_usage", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(), 5);
    for session in 0..20 {
        scribe.append(&format!("s{session}"), 500);
    }
    served.wait_counts(scribe.written, PATIENCE);
    assert_eq!(seen(), 5, "the reader keeps its own view");
    foreign.execute_batch("ROLLBACK").unwrap();
    assert_eq!(served.stop().code(), Some(0));
    let log = house.database().with_file_name("monitor.db-wal");
    assert!(std::fs::metadata(&log).map_or(0, |meta| meta.len()) <= 64 << 20, "the log was not cut back");
    assert_eq!(house.counts(), scribe.written);
}
