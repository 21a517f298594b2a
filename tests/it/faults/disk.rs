//! A disk that is full (D12), that fails now and then (D13), or that may not be written (D16).

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::watch::QUICK;
use crate::counts::Counts;
use crate::house::TestHouse;
use crate::machine::{Mount, alone, fill, is_root, may_mount};
use crate::parts;
use crate::scribe::{Dice, Scribe};
use crate::wait::{PATIENCE, eventually, pause};

#[test]
fn d12_a_full_disk_degrades_and_then_loses_nothing() {
    let _alone = alone();
    if !may_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Mount::tmpfs(dir.path(), 8).unwrap();
    let house = TestHouse::new().storing(dir.path().join("monitor.db"));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 10);
    let mut served = house.serve();

    let ballast = dir.path().join("ballast");
    fill(&ballast);
    let shown = served.counts();
    eventually("trouble in health", PATIENCE, || {
        scribe.append("one", 200);
        let (_, health) = served.ask("/api/v1/health")?;
        (!health.contains("\"status\":\"ok\"")).then_some(())
    });
    let (status, _) = served.ask("/api/v1/stats/current").unwrap();
    assert_eq!(status, 200, "reading goes on");
    assert!(served.counts().requests >= shown.requests);
    served.assert_alive();

    std::fs::remove_file(&ballast).unwrap();
    served.wait_counts(scribe.written, PATIENCE * 2);
    served.assert_alive();
    assert_eq!(served.stop().code(), Some(0));
    assert_eq!(Counts::try_of_database(house.database()), Ok(scribe.written));
    drop(disk);
}

/// Which files the failing calls are about.
#[derive(Clone, Copy)]
enum About {
    Database,
    Transcripts,
}

/// Serves while calls fail now and then, and expects everything once they no longer do.
fn failing(about: About, calls: &str, error: &str, when: &str) {
    let Some(strace) = parts::need("strace") else { return };
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    let sessions: Vec<String> = (0..9).map(|session| format!("s{session}")).collect();
    for session in &sessions {
        scribe.append(session, 5);
    }
    // The database is there, so that opening it is over before the first failure: strace counts for each thread.
    house.ingest();
    let files = match about {
        About::Database => vec![house.database().to_owned(), house.database().with_file_name("monitor.db-wal")],
        About::Transcripts => sessions.iter().map(|session| scribe.file(session)).collect(),
    };
    let (trace, inject) = (house.path("trace"), format!("inject={calls}:error={error}:when={when}"));
    let mut prefix = vec![strace.into_os_string()];
    prefix.extend(["-D", "-f", "-qq", "-e", &inject, "-o"].map(Into::into));
    prefix.push(trace.clone().into());
    prefix.extend(files.into_iter().flat_map(|file| ["-P".into(), file.into_os_string()]));
    let house = house.with_config(QUICK).through(prefix);
    let mut served = house.serve();
    let mut dice = Dice::new(13);
    for _ in 0..if parts::soak() { 2000 } else { 100 } {
        scribe.append(&sessions[usize::try_from(dice.below(9)).unwrap()], 1 + dice.below(20));
        pause(Duration::from_millis(dice.below(40)));
    }
    served.wait_counts(scribe.written, PATIENCE);
    served.assert_alive();
    served.kill();
    let failed = std::fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count();
    assert!(failed >= 5, "{error}: only {failed} calls failed");
    assert_eq!(Counts::try_of_database(house.database()), Ok(scribe.written), "{error}");
}

const WRITES: &str = "pwrite64,fsync,fdatasync,ftruncate";
const READS: &str = "read,pread64,statx,openat";

#[test]
fn d13_errors_of_the_disk_now_and_then_lose_nothing() {
    failing(About::Database, WRITES, "EIO", "60..430+61");
}

#[test]
fn d13_a_disk_that_is_full_now_and_then_loses_nothing() {
    failing(About::Database, WRITES, "ENOSPC", "60..430+67");
}

#[test]
fn d13_interrupted_writes_lose_nothing() {
    failing(About::Database, WRITES, "EINTR", "60..900+7");
}

#[test]
fn d13_transcripts_that_cannot_be_read_now_and_then_lose_nothing() {
    failing(About::Transcripts, READS, "EIO", "20..60+13");
}

#[test]
fn d13_interrupted_reads_lose_nothing() {
    failing(About::Transcripts, READS, "EINTR", "20..60+13");
}

/// The program as a user for whom file modes mean something.
fn unprivileged(house: TestHouse) -> TestHouse {
    if !is_root() {
        return house;
    }
    std::fs::set_permissions(house.root(), Permissions::from_mode(0o755)).unwrap();
    let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    house.with_own_binary().through(user)
}

/// Starts where nothing can be stored, and expects words that help.
fn refused(house: &TestHouse, path: &std::path::Path) {
    let before = listing(house);
    let (status, log) = house.spawn::<&str>([]).end();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains(path.to_str().unwrap()), "names {}: {log}", path.display());
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(listing(house), before, "left something behind");
}

fn listing(house: &TestHouse) -> Vec<std::path::PathBuf> {
    let dir = house.database().parent().unwrap();
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn d16_a_directory_that_may_not_be_written_is_named() {
    let house = unprivileged(TestHouse::new());
    let dir = house.database().parent().unwrap().to_owned();
    std::fs::set_permissions(&dir, Permissions::from_mode(0o555)).unwrap();
    refused(&house, &dir);
    std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn d16_a_database_that_may_not_be_written_is_named() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 3);
    house.ingest();
    let database = house.database().to_owned();
    std::fs::set_permissions(&database, Permissions::from_mode(0o444)).unwrap();
    let house = unprivileged(house);
    std::fs::set_permissions(database.parent().unwrap(), Permissions::from_mode(0o555)).unwrap();
    refused(&house, &database);
    let doctor = house.run(["doctor"]);
    assert_eq!(doctor.code(), 3, "{doctor:?}");
    assert!(doctor.stdout.contains("its directory may not be written"), "{doctor:?}");
    std::fs::set_permissions(database.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
}
