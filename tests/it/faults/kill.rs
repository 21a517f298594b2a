//! D1 kills the program at every single call that changes its database, D2 at random moments while transcripts grow.
//! D3 breaks the store on purpose in three ways, each of which the first two must notice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::counts::Counts;
use crate::house::{Finished, TestHouse};
use crate::parts;
use crate::scribe::{Dice, Scribe};
use crate::wait::{PATIENCE, pause};

/// Everything by which `SQLite` changes a file.
const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink";

/// Transcripts with what a history meets in real life: several files, a resumed session that repeats older lines.
fn small_import(claude: &Path) -> Counts {
    let mut scribe = Scribe::new(claude);
    for session in ["a", "b", "c"] {
        scribe.append(session, 40);
    }
    let copied = std::fs::read(scribe.file("a")).unwrap();
    scribe.append_raw("resumed", &copied);
    scribe.append("resumed", 20);
    scribe.written
}

/// `ingest` under strace, which looks at the database's files only.
fn traced(house: &TestHouse, strace: &Path, extra: &[String]) -> Finished {
    let mut prefix = vec![strace.display().to_string(), "-f".into(), "-qq".into()];
    prefix.extend(["-o".into(), house.path("trace").display().to_string(), "-e".into(), format!("trace={CALLS}")]);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        prefix.extend(["-P".into(), format!("{}{suffix}", house.database().display())]);
    }
    prefix.extend_from_slice(extra);
    house.finish(house.command_through(&prefix, ["ingest"]))
}

/// What is imported, into what, by which store.
struct Import<'a> {
    claude: &'a Path,
    expected: Counts,
    /// A wrong store, or none.
    mutant: &'a str,
    /// The database that is there before.
    before: Option<&'a Path>,
    strace: &'a Path,
}

impl Import<'_> {
    /// A house in which nothing has been imported yet.
    fn house(&self) -> TestHouse {
        let house = TestHouse::new().reading(self.claude).with_env("CTM_MUTANT", self.mutant);
        if let Some(before) = self.before {
            std::fs::copy(before, house.database()).unwrap();
        }
        house
    }

    /// How many calls the busiest thread of an undisturbed import makes: the number of moments to die at.
    fn moments(&self) -> u64 {
        let house = self.house();
        let done = traced(&house, self.strace, &[]);
        assert!(done.status.success(), "an undisturbed import failed under strace: {done:?}");
        let trace = std::fs::read_to_string(house.path("trace")).unwrap();
        let mut calls = BTreeMap::new();
        for line in trace.lines().filter(|line| !line.contains(" resumed>") && line.contains('(')) {
            // strace counts the calls of each thread apart.
            *calls.entry(line.split_whitespace().next()).or_default() += 1;
        }
        calls.into_values().max().unwrap_or(0)
    }

    /// Dies at each moment in turn, or at `most` of them, starts again and compares. Gives the number of deaths, or says
    /// at which moment what went wrong first.
    fn sweep(&self, most: u64) -> Result<u64, String> {
        let all = self.moments();
        assert!(all > 20, "only {all} calls: strace does not see the database");
        let stride = all.div_ceil(most);
        let next = AtomicU64::new(1);
        let wrong = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while wrong.lock().unwrap().is_none() {
                        let moment = next.fetch_add(stride, Ordering::Relaxed);
                        if moment > all {
                            return;
                        }
                        if let Err(what) = self.die_at(moment) {
                            wrong.lock().unwrap().get_or_insert(format!("killed at call {moment} of {all}: {what}"));
                        }
                    }
                });
            }
        });
        wrong.into_inner().unwrap().map_or(Ok(all.div_ceil(stride)), Err)
    }

    fn die_at(&self, moment: u64) -> Result<(), String> {
        let house = self.house();
        let inject = format!("inject={CALLS}:signal=KILL:when={moment}");
        traced(&house, self.strace, &["-e".into(), inject]);
        let again = house.run(["ingest"]);
        if !again.status.success() {
            return Err(format!("the next start failed: {again:?}"));
        }
        let counts = Counts::try_of_database(house.database())?;
        if counts == self.expected { Ok(()) } else { Err(format!("expected {:?}, got {counts:?}", self.expected)) }
    }
}

/// Kills a small import at every call.
fn sweep(strace: &Path, mutant: &str, most: u64) -> Result<u64, String> {
    let dir = tempfile::tempdir().unwrap();
    let expected = small_import(dir.path());
    Import { claude: dir.path(), expected, mutant, before: None, strace }.sweep(most)
}

#[test]
fn d01_killed_at_every_call_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let most = if parts::soak() { 5000 } else { 600 };
    let swept = sweep(&strace, "", most).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(swept > 20, "only {swept} moments");
}

#[test]
fn d19_killed_at_every_call_of_an_upgrade_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let dir = tempfile::tempdir().unwrap();
    let expected = small_import(dir.path());
    let old = TestHouse::new().reading(dir.path());
    old.ingest();
    // The first format had the same tables and no views.
    let db = Connection::open(old.database()).unwrap();
    let sql = "DROP VIEW token_usage; DROP VIEW daily_summary; DROP TABLE model_pricing;
               PRAGMA user_version = 1; PRAGMA journal_mode = DELETE;";
    db.execute_batch(sql).unwrap();
    drop(db);
    let import = Import { claude: dir.path(), expected, mutant: "", before: Some(old.database()), strace: &strace };
    import.sweep(if parts::soak() { 5000 } else { 200 }).unwrap_or_else(|wrong| panic!("{wrong}"));
}

/// Kills the service at random moments while 50 sessions grow by pieces that end anywhere in a line.
fn storm(kills: u64, moment_ms: Range<u64>, mutant: &str) -> Result<(), String> {
    let house = TestHouse::new().with_env("CTM_MUTANT", mutant);
    let mut scribe = Scribe::new(house.claude());
    let mut dice = Dice::new(20);
    for _ in 0..kills {
        let serving = house.spawn::<&str>([]);
        let pieces = 1 + dice.below(4);
        let life = moment_ms.start + dice.below(moment_ms.end - moment_ms.start);
        for _ in 0..pieces {
            pause(Duration::from_millis(life / (pieces + 1)));
            for _ in 0..8 {
                let session = format!("s{}", dice.below(50));
                scribe.append_cut(&session, 1 + dice.below(8), dice.fraction());
            }
        }
        pause(Duration::from_millis(life / (pieces + 1)));
        serving.kill();
    }
    scribe.finish();
    let again = house.run(["ingest"]);
    if !again.status.success() {
        return Err(format!("the next start failed: {again:?}"));
    }
    let counts = Counts::try_of_database(house.database())?;
    if counts == scribe.written { Ok(()) } else { Err(format!("expected {:?}, got {counts:?}", scribe.written)) }
}

#[test]
fn d02_killed_at_random_while_transcripts_grow_nothing_is_lost_or_doubled() {
    let kills = if parts::soak() { 10_000 } else { 120 };
    storm(kills, 2..400, "").unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[cfg(feature = "mutants")]
mod mutants {
    use super::*;

    /// A store that is wrong in this way has to be noticed.
    fn noticed(mutant: &str) {
        let Some(strace) = parts::need("strace") else { return };
        let quiet = sweep(&strace, mutant, 600).and_then(|_| storm(60, 2..400, mutant));
        assert!(quiet.is_err(), "nobody noticed a store with {mutant}");
    }

    #[test]
    fn d03_a_position_stored_before_its_rows_is_noticed() {
        noticed("offset_first");
    }

    #[test]
    fn d03_rows_stored_before_their_position_are_noticed() {
        noticed("rows_first");
    }

    #[test]
    fn d03_rows_without_a_key_are_noticed() {
        noticed("no_key");
    }
}

#[cfg(not(feature = "mutants"))]
#[test]
fn d03_stores_that_are_wrong_on_purpose_are_noticed() {
    parts::leave_out("`--features mutants`, which `make test` gives");
}

#[test]
fn sigterm_in_the_middle_of_an_import_loses_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in 0..20 {
        scribe.append(&format!("s{session}"), 500);
    }
    let status = house.spawn::<&str>([]).listening().stop();
    assert_eq!(status.code(), Some(0));
    house.serve().wait_counts(scribe.written, PATIENCE);
}
