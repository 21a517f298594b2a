//! Wrong clocks (D17), retention followed by a re-read (D18), and backups of a history in motion (D20).

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::counts::Counts;
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::PATIENCE;

/// A house whose clock is off by so much, for example `+400d`.
fn with_clock(house: TestHouse, offset: &str) -> Option<TestHouse> {
    let library = parts::need_library("libfaketimeMT.so.1")?;
    Some(
        house
            .with_env("LD_PRELOAD", library)
            .with_env("FAKETIME", offset)
            .with_env("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    )
}

/// Serves under a wrong clock and then under a right one; nothing may be missing at either time.
fn wrong_clock(offset: &str) {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 20);
    house.ingest();
    let Some(house) = with_clock(house, offset) else { return };
    let served = house.serve();
    scribe.append("one", 20);
    served.wait_counts(scribe.written, PATIENCE);
    let believed = served.scrape().sum("claude_token_monitor_ingest_last_success_timestamp_seconds").unwrap();
    assert!((believed - changed(&scribe.file("one"))).abs() > 300.0 * 86_400.0, "the clock was not off");
    assert_eq!(served.stop().code(), Some(0));
    let house = house.with_env("LD_PRELOAD", "");
    scribe.append("two", 5);
    house.serve().wait_counts(scribe.written, PATIENCE);
    assert_eq!(house.counts(), scribe.written);
}

/// When a file was changed, by the clock of the system, in seconds since 1970.
fn changed(file: &Path) -> f64 {
    let changed = std::fs::metadata(file).unwrap().modified().unwrap();
    changed.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn d17_a_clock_that_is_a_year_ahead_removes_nothing() {
    wrong_clock("+400d");
}

#[test]
fn d17_a_clock_that_is_a_year_behind_loses_nothing() {
    wrong_clock("-400d");
}

#[test]
fn d18_what_retention_removed_does_not_come_back_and_lowers_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("old", 50);
    scribe.skip_days(20);
    scribe.append("new", 50);
    let shown = |house: &TestHouse| {
        let served = house.serve();
        let shown = (served.counts(), served.scrape().sum("claude_code_token_usage_tokens_total"));
        assert_eq!(served.stop().code(), Some(0));
        shown
    };
    let before = shown(&house);
    assert_eq!(before.0, scribe.written);

    let rows = || Counts::of_rows(house.database()).unwrap().requests;
    let foretold = house.run(["db", "prune", "--older-than", "5", "--dry-run"]);
    assert_eq!((foretold.code(), rows()), (0, 100), "{foretold:?}");
    assert!(foretold.stdout.contains("50"), "{foretold:?}");
    let pruned = house.run(["db", "prune", "--older-than", "5"]);
    assert_eq!((pruned.code(), rows()), (0, 50), "{pruned:?}");
    assert_eq!(Counts::of_days(house.database()), Ok(scribe.written), "daily sums stay");

    // A new file with the old lines, as a restored copy of the home would have.
    let text = std::fs::read(scribe.file("old")).unwrap();
    std::fs::remove_file(scribe.file("old")).unwrap();
    scribe.append_raw("old", &text);
    scribe.append_raw("copy", &text);
    assert_eq!(shown(&house), before, "neither more nor less");
    assert_eq!(rows(), 50);
    assert_eq!(Counts::of_days(house.database()), Ok(scribe.written));
}

#[test]
fn d20_a_backup_taken_while_ingesting_is_whole() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 10);
    let served = house.serve();
    let mut backups = Vec::new();
    for round in 0..6 {
        for session in 0..10 {
            scribe.append(&format!("s{session}"), 100);
        }
        let backup = house.path(&format!("backup-{round}.db"));
        let done = house.run(["db".as_ref(), "backup".as_ref(), backup.as_os_str()]);
        assert_eq!(done.code(), 0, "{done:?}");
        backups.push(backup);
    }
    served.wait_counts(scribe.written, PATIENCE);
    served.kill();
    for backup in backups {
        let held = Counts::try_of_database(&backup).unwrap();
        assert!(held.requests <= scribe.written.requests);
        let restored = TestHouse::new().reading(house.claude()).storing(&backup);
        restored.ingest();
        assert_eq!(Counts::try_of_database(&backup), Ok(scribe.written), "rows and positions of a backup agree");
    }
}
