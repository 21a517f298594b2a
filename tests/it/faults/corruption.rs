//! D15: a database that is damaged. It is put aside, the history is rebuilt, health says so, and the next start finds
//! nothing left to repair.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::counts::Counts;
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::PATIENCE;

/// Damages a database that holds some responses, starts, and expects all of them.
fn check(name: &str, damage: impl FnOnce(&Path)) {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in 0..10 {
        scribe.append(&format!("s{session}"), 100);
    }
    house.ingest();
    damage(house.database());
    let mut served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    served.assert_alive();
    let health = served.text("/api/v1/health");
    assert!(!health.contains("\"status\":\"ok\""), "{name}: health hides it: {health}");
    assert!(!kept(house.database()).is_empty(), "{name}: the damaged file was not kept");
    assert_eq!(served.stop().code(), Some(0));

    let before = kept(house.database());
    house.serve().wait_counts(scribe.written, PATIENCE);
    assert_eq!(kept(house.database()), before, "{name}: repaired again at the next start");
    assert_eq!(Counts::try_of_database(house.database()), Ok(scribe.written), "{name}");
}

/// Files beside the database that keep what was put aside.
fn kept(database: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(database.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name.to_string_lossy().contains("corrupt"));
    names.sort();
    names
}

fn overwrite(file: &Path, offset: u64, bytes: &[u8]) {
    std::fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, offset).unwrap();
}

#[test]
fn d15_a_zeroed_page_header_is_repaired() {
    check("zeroed header of page 2", |database| overwrite(database, 4096, &[0; 16]));
}

#[test]
fn d15_zeroed_pages_are_repaired() {
    check("every page but the first", |database| {
        let len = std::fs::metadata(database).unwrap().len();
        overwrite(database, 4096, &vec![0; usize::try_from(len - 4096).unwrap()]);
    });
}

#[test]
fn d15_a_truncated_file_is_repaired() {
    check("half of the file", |database| {
        let file = std::fs::OpenOptions::new().write(true).open(database).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    });
}

#[test]
fn d15_a_destroyed_header_is_repaired() {
    check("garbage at the start", |database| overwrite(database, 0, &[0xa5; 100]));
}

#[test]
fn d15_an_emptied_file_is_filled_again() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 100);
    house.ingest();
    std::fs::write(house.database(), b"").unwrap();
    house.serve().wait_counts(scribe.written, PATIENCE);
}

#[test]
fn d15_garbage_in_the_log_is_ignored() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 100);
    house.ingest();
    let log = house.database().with_file_name("monitor.db-wal");
    std::fs::write(&log, vec![0x5a; 100_000]).unwrap();
    scribe.append("one", 10);
    let served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    assert_eq!(served.stop().code(), Some(0));
    assert_eq!(Counts::try_of_database(house.database()), Ok(scribe.written));
}
