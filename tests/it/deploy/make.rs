//! `make`, with a docker that only writes down what it is asked for.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{read, words};
use crate::parts::checkout;

/// A docker that does nothing, in a directory of its own.
struct Stage {
    dir: TempDir,
}

impl Stage {
    /// `body` is run for each call, whose words are in `$*`.
    fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let docker = dir.path().join("docker");
        std::fs::write(&docker, format!("#!/bin/sh\necho \"$*\" >>'{}'\n{body}\n", dir.path().join("said").display()))
            .unwrap();
        std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Runs make with an answer to what it may ask.
    fn make(&self, targets: &[&str], answer: &str) -> Output {
        std::fs::write(self.path("answer"), answer).unwrap();
        let mut command = Command::new("make");
        command.args(["--no-print-directory", "-C"]).arg(checkout()).args(targets);
        command.arg(format!("ENV_FILE={}", self.path("env"))).arg(format!("BACKUPS={}", self.path("backups")));
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.dir.path().display()));
        command.stdin(Stdio::from(std::fs::File::open(self.path("answer")).unwrap())).output().unwrap()
    }

    /// What docker was asked for, one a line, without what is the same in all of them.
    fn said(&self) -> Vec<String> {
        let said = std::fs::read_to_string(self.path("said")).unwrap_or_default();
        let env = format!("compose --env-file {}", self.path("env"));
        said.lines().map(|line| line.replace(&env, "compose").replace("docker/docker-compose", "*")).collect()
    }
}

#[test]
fn help_is_the_default_and_names_every_target() {
    let done = Stage::new("").make(&[], "");
    assert!(done.status.success(), "{}", words(&done));
    let shown = words(&done);
    let makefile = read("Makefile");
    let targets = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).unwrap();
    for target in targets.split(' ') {
        assert!(shown.contains(&format!("make {target} ")), "{target} is not in:\n{shown}");
    }
    for target in [
        "build",
        "start",
        "stop",
        "restart",
        "logs",
        "dev",
        "test",
        "clean",
        "migrate",
        "clean-ports",
        "run",
        "bench",
        "lint",
    ] {
        assert!(targets.split(' ').any(|one| one == target), "{target}");
    }
}

#[test]
fn each_target_asks_docker_for_what_it_is_called_and_none_loses_the_history() {
    for (target, expected) in [
        ("start", &["compose -f *.yml up -d"][..]),
        ("stop", &["compose -f *.yml stop"]),
        ("restart", &["compose -f *.yml stop", "compose -f *.yml up -d"]),
        ("logs", &["compose -f *.yml logs -f"]),
        ("dev", &["compose -f *.dev.yml up --build"]),
        ("observability", &["compose -f *.yml -f *.observability.yml up -d"]),
        ("clean", &["compose -f *.yml down --rmi local"]),
        (
            "migrate",
            &["compose -f *.yml stop", "compose -f *.yml run --rm claude-monitor ingest", "compose -f *.yml up -d"],
        ),
    ] {
        let stage = Stage::new("");
        let done = stage.make(&[target], "");
        assert!(done.status.success(), "{target}: {}", words(&done));
        assert_eq!(stage.said(), expected, "{target}");
    }
    let stage = Stage::new("");
    assert!(stage.make(&["build"], "").status.success());
    let said = stage.said();
    assert!(said[0].starts_with("build -f docker/Dockerfile -t claude-token-monitor:latest "), "{said:?}");
}

#[test]
fn the_first_start_makes_an_env_file_for_this_user_and_later_ones_leave_it() {
    let stage = Stage::new("");
    stage.make(&["start"], "");
    let env = std::fs::read_to_string(stage.path("env")).unwrap();
    let user = rustix::process::getuid().as_raw();
    assert!(env.contains(&format!("\nMONITOR_UID={user}\n")), "{env}");
    assert_eq!(env.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(), 2, "{env}");
    std::fs::write(stage.path("env"), "MONITOR_PORT=9\n").unwrap();
    stage.make(&["start", "stop"], "");
    assert_eq!(std::fs::read_to_string(stage.path("env")).unwrap(), "MONITOR_PORT=9\n");
}

#[test]
fn purge_asks_first_and_keeps_a_copy() {
    for answer in ["", "no\n", "y\n", "YES\n"] {
        let stage = Stage::new("");
        let done = stage.make(&["purge"], answer);
        assert!(!done.status.success() && words(&done).contains("nothing was removed"), "{}", words(&done));
        assert_eq!(stage.said(), [""; 0], "{answer:?}");
    }
    let stage = Stage::new("");
    let done = stage.make(&["purge"], "yes\n");
    assert!(done.status.success(), "{}", words(&done));
    let said = stage.said();
    let place =
        |word: &str| said.iter().position(|line| line.contains(word)).unwrap_or_else(|| panic!("{word}: {said:?}"));
    assert!(place("db backup") < place(" cp ") && place(" cp ") < place("down --volumes"), "{said:?}");

    // Without a copy nothing is removed.
    for failing in ["*'db backup'*", "*' cp '*"] {
        let stage = Stage::new(&format!("case \"$*\" in {failing}) exit 1 ;; esac"));
        assert!(!stage.make(&["purge"], "yes\n").status.success());
        assert!(stage.said().iter().all(|line| !line.contains("down")), "{:?}", stage.said());
    }
}
