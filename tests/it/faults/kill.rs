//! D1 kills the program at every single call that changes its database, D2 at random moments while transcripts grow.
//! D3 breaks the store on purpose in three ways, each of which has to be noticed.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::sweep::{Story, Sweep, most};
use crate::counts::Counts;
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::{Dice, Scribe};
use crate::wait::{PATIENCE, pause};

/// Three sessions.
fn plain(claude: &Path) -> Scribe {
    let mut scribe = Scribe::new(claude);
    for session in ["a", "b", "c"] {
        scribe.append(session, 40);
    }
    scribe
}

/// The same, and a fourth session that begins with a copy of the first.
fn resumed(claude: &Path) -> Scribe {
    let mut scribe = plain(claude);
    let copied = std::fs::read(scribe.file("a")).unwrap();
    scribe.append_raw("resumed", &copied);
    scribe.append("resumed", 20);
    scribe
}

/// A database in which nothing has been stored yet.
fn made() -> TestHouse {
    let house = TestHouse::new();
    house.ingest();
    house
}

/// Sweeps, and expects nothing to go wrong.
fn survives(sweep: &Sweep, deaths_at_most: u64) {
    let deaths = sweep.run(deaths_at_most).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(deaths > 20, "only {deaths} deaths");
}

#[test]
fn d01_killed_at_every_call_of_a_first_start_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let dir = tempfile::tempdir().unwrap();
    let written = resumed(dir.path()).written;
    let story = Story::Import { claude: dir.path(), written };
    survives(&Sweep { story, before: None, mutant: "", strace: &strace }, most(600));
}

#[test]
fn d01_killed_at_every_call_of_an_import_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let (dir, made) = (tempfile::tempdir().unwrap(), made());
    let written = resumed(dir.path()).written;
    let story = Story::Import { claude: dir.path(), written };
    survives(&Sweep { story, before: Some(made.database()), mutant: "", strace: &strace }, most(600));
}

#[test]
fn d01_killed_at_every_call_while_a_transcript_grows_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let made = made();
    survives(&Sweep { story: Story::Live, before: Some(made.database()), mutant: "", strace: &strace }, most(200));
}

#[test]
fn d19_killed_at_every_call_of_an_upgrade_nothing_is_lost_or_doubled() {
    let Some(strace) = parts::need("strace") else { return };
    let dir = tempfile::tempdir().unwrap();
    let written = resumed(dir.path()).written;
    let old = TestHouse::new().reading(dir.path());
    old.ingest();
    let before = old.path("before.db");
    in_first_format(old.database(), &before);
    let story = Story::Import { claude: dir.path(), written };
    survives(&Sweep { story, before: Some(&before), mutant: "", strace: &strace }, most(200));
}

/// Writes what a database holds as the first version of this program would have.
fn in_first_format(new: &Path, old: &Path) {
    let first = std::fs::read_to_string(parts::checkout().join("src/store/migrations/0001_history.sql")).unwrap();
    let db = Connection::open(old).unwrap();
    db.execute_batch(&first).unwrap();
    db.execute("ATTACH ?1 AS new", [new.to_str().unwrap()]).unwrap();
    let application: i64 = db.query_row("PRAGMA new.application_id", [], |row| row.get(0)).unwrap();
    for table in [
        "meta",
        "word",
        "card",
        "response",
        "variant",
        "correction",
        "series",
        "session_day",
        "reported_cost",
        "item",
        "source",
        "coverage",
        "estimate",
        "estimate_day",
        "estimate_lifetime",
    ] {
        db.execute_batch(&format!("INSERT INTO main.{table} SELECT * FROM new.{table}")).unwrap();
    }
    let sql =
        "INSERT INTO main.rollup SELECT quarter, model, project, sidechain, sum(requests), sum(input), sum(output),
                   sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches), sum(cost),
                   sum(unpriced_tokens)
               FROM new.rollup GROUP BY 1, 2, 3, 4;
               DELETE FROM main.meta WHERE key = 'unfinished';
               DETACH new;
               PRAGMA user_version = 1;";
    db.execute_batch(sql).unwrap();
    db.pragma_update(None, "application_id", application).unwrap();
}

#[test]
fn d02_killed_at_random_while_transcripts_grow_nothing_is_lost_or_doubled() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    let mut dice = Dice::new(20);
    for _ in 0..if parts::soak() { 10_000 } else { 200 } {
        let serving = house.spawn::<&str>([]);
        let pieces = 1 + dice.below(4);
        for _ in 0..pieces {
            pause(Duration::from_millis(dice.below(100)));
            for _ in 0..8 {
                let session = format!("s{}", dice.below(50));
                scribe.append_cut(&session, 1 + dice.below(8), dice.fraction());
            }
        }
        // Soon after the last line, when it is being read and stored.
        pause(Duration::from_millis(dice.below(40)));
        serving.kill();
    }
    scribe.finish();
    house.ingest();
    assert_eq!(Counts::try_of_database(house.database()), Ok(scribe.written));
}

#[cfg(feature = "mutants")]
mod mutants {
    use super::*;

    /// What a sweep over an import finds in a store that is wrong in this way.
    fn found(mutant: &str, transcripts: fn(&Path) -> Scribe) -> Option<String> {
        let strace = parts::need("strace")?;
        let (dir, made) = (tempfile::tempdir().unwrap(), made());
        let written = transcripts(dir.path()).written;
        let story = Story::Import { claude: dir.path(), written };
        let sweep = Sweep { story, before: Some(made.database()), mutant, strace: &strace };
        Some(sweep.run(600).expect_err("nobody noticed"))
    }

    /// Right as long as nothing happens; noticed by a kill.
    fn noticed_by_a_kill(mutant: &str) {
        if let Some(wrong) = found(mutant, plain) {
            assert!(wrong.starts_with("killed at call"), "{wrong}");
        }
    }

    #[test]
    fn d03_a_position_stored_before_its_rows_is_noticed() {
        noticed_by_a_kill("offset_first");
    }

    #[test]
    fn d03_rows_stored_before_their_position_are_noticed() {
        noticed_by_a_kill("rows_first");
    }

    #[test]
    fn d03_rows_without_a_key_are_noticed() {
        if let Some(wrong) = found("no_key", resumed) {
            assert!(wrong.starts_with("undisturbed"), "{wrong}");
        }
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
