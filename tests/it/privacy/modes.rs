//! X10: whatever the program makes is for its owner alone, even where the system would let everybody in.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::abuse::with_password;
use crate::house::TestHouse;
use crate::load::clients::send;
use crate::scribe::Scribe;

/// Every file and directory below a directory, with its mode, but what the test house keeps of its own in the first.
fn modes(dir: &Path) -> BTreeSet<(PathBuf, u32)> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            found.extend(modes(&path));
        }
        found.insert((path, metadata.permissions().mode() & 0o7777));
    }
    found
}

#[test]
fn x10_everything_it_makes_is_for_its_owner_alone() {
    const PASSWORD: &str = "correct horse battery staple";
    let house = with_password(TestHouse::new(), PASSWORD);
    let database = house.path("home/.local/share/claude-token-monitor/monitor.db");
    let house = house.storing(&database).through(["/bin/sh", "-c", "umask 000 && exec \"$@\"", "sh"]);
    Scribe::new(house.claude()).append("one", 20);
    let home = house.path("home");
    let before = modes(&home);
    assert_eq!(house.run(["config", "init"]).code(), 0);
    let served = house.serve();
    // Secrets and sessions have files, too.
    assert_eq!(house.run(["auth", "token"]).code(), 0);
    let body = json!({ "password": PASSWORD }).to_string();
    let head = format!("POST /api/v1/auth/login HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", served.address());
    let head = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = send(served.address(), &(head + &body)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(house.run(["db", "backup"]).code(), 0);
    let running = modes(&home);
    assert_eq!(served.stop().code(), Some(0));
    let made: Vec<_> = running.union(&modes(&home)).filter(|made| !before.contains(made)).cloned().collect();

    let names: BTreeSet<_> = made.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    for name in [
        "config.toml",
        "claude-token-monitor",
        "monitor.db",
        "monitor.db-wal",
        "monitor.db-shm",
        "backups",
        "monitor.jwt-secret",
        "monitor.sessions",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    let open: Vec<_> = made
        .iter()
        .filter(|(_, mode)| mode & 0o077 != 0)
        .map(|(path, mode)| format!("{mode:o} {}", path.display()))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
}
