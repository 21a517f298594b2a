//! Scripts that people run, and what they must not do.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{run, words};
use crate::house::TestHouse;
use crate::parts::{self, checkout};

/// Every shell script of the checkout.
fn shell_scripts() -> Vec<PathBuf> {
    let dirs = ["scripts", "examples", ".ci"].map(|dir| checkout().join(dir));
    let files = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap()).map(|entry| entry.unwrap().path());
    let is_shell = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!/bin/sh"));
    files.filter(is_shell).collect()
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(shellcheck) = parts::need("shellcheck") else { return };
    let scripts = shell_scripts();
    assert!(scripts.len() > 8, "{scripts:?}");
    let paths: Vec<&str> = scripts.iter().map(|path| path.to_str().unwrap()).collect();
    let done = run(checkout(), shellcheck, &paths);
    assert!(done.status.success(), "{}", words(&done));
}

fn detect(home: &Path, program: Option<&Path>) -> Output {
    // From a copy, so that a program built in the checkout is not found.
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("detect-claude-dir.sh");
    std::fs::copy(checkout().join("scripts/detect-claude-dir.sh"), &script).unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg(script).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
    if let Some(program) = program {
        command.env("CLAUDE_TOKEN_MONITOR", program);
    }
    command.output().unwrap()
}

#[test]
fn the_directory_of_claude_code_is_found_with_and_without_the_program() {
    let house = TestHouse::new();
    let home = house.path("home");
    for program in [None, Some(house.binary())] {
        let done = detect(&home, program);
        assert_eq!(done.status.code(), Some(1), "{}", words(&done));
        assert!(words(&done).contains("CLAUDE_DIR"), "{}", words(&done));
    }
    let claude = home.join(".claude");
    std::fs::create_dir_all(claude.join("projects")).unwrap();
    for program in [None, Some(house.binary())] {
        let done = detect(&home, program);
        assert_eq!(words(&done), format!("{}\n", claude.display()));
        assert!(done.status.success());
    }
    // The program knows of places that the script does not.
    std::fs::remove_dir_all(claude).unwrap();
    let claude = home.join(".config/claude");
    std::fs::create_dir_all(claude.join("projects")).unwrap();
    assert_eq!(words(&detect(&home, Some(house.binary()))), format!("{}\n", claude.display()));
}

fn clean_ports(port: &str) -> Output {
    run(checkout(), "/bin/sh", &["scripts/clean-ports", port])
}

#[test]
fn a_port_is_taken_from_our_own_program_and_from_nobody_else() {
    if parts::need("lsof").is_none() {
        return;
    }
    let house = TestHouse::new();
    let served = house.serve();
    let (_, port) = served.address().rsplit_once(':').unwrap();
    let done = clean_ports(port);
    assert!(done.status.success(), "{}", words(&done));
    // As by Ctrl-C: it says goodbye to everybody first.
    assert_eq!(served.ended().code(), Some(0));

    // This very process listens. If it were stopped, no test would pass any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let done = clean_ports(&port);
    assert_eq!(done.status.code(), Some(1), "{}", words(&done));
    assert!(words(&done).contains(&format!("process {}", std::process::id())), "{}", words(&done));
    assert!(words(&done).contains("not stopped"));

    drop(listener);
    let done = clean_ports(&port);
    assert!(done.status.success() && words(&done).contains("nothing"), "{}", words(&done));
}
