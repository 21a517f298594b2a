//! The log of the real program: where it goes, how it looks, and what never gets into it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::house::TestHouse;
use crate::machine::{Mount, may_mount};
use crate::scribe::{MODEL, Scribe};
use crate::wait::PATIENCE;

/// `TIME - ROOM - LEVEL - MESSAGE`.
fn parts_of(line: &str) -> Option<[&str; 4]> {
    let mut parts = line.splitn(4, " - ");
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts[0].parse::<jiff::Timestamp>().ok()?;
    ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&parts[2]).then_some(parts)
}

#[test]
fn the_log_goes_to_a_file_as_well() {
    let house = TestHouse::new();
    let file = house.path("logs/deeper/monitor.log");
    let house = house.with_env("LOG_FILE", &file);
    let served = house.serve();
    let shown = served.log();
    assert_eq!(served.stop().code(), Some(0));
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.lines().all(|line| parts_of(line).is_some()), "{log}");
    // Each writes the time down for itself, and threads may overtake each other in between.
    let without_time = |text: &str| -> Vec<String> {
        text.lines().filter_map(parts_of).map(|[_, rest @ ..]| rest.join(" - ")).collect()
    };
    let written = without_time(&log);
    assert!(without_time(&shown).iter().all(|line| written.contains(line)), "{log}\n---\n{shown}");
    let said = |room: &str, level: &str, words: &str| {
        log.lines().filter_map(parts_of).any(|line| line[1] == room && line[2] == level && line[3].starts_with(words))
    };
    assert!(said("app", "INFO", "listening on http://127.0.0.1:"));
    assert!(said("app", "INFO", "stopping: SIGTERM"), "what was still waiting is written at the end");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // Commands that are over in a moment leave it alone, and an end by an error is in it.
    assert_eq!(house.run(["db", "path"]).code(), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), log);
    let failed = house.run(["serve", "--listen", "192.0.2.1:80"]);
    assert_ne!(failed.code(), 0);
    let more = std::fs::read_to_string(&file).unwrap();
    let last = parts_of(more.lines().last().unwrap()).unwrap();
    assert_eq!((last[1], last[2]), ("exit", "ERROR"));
    assert!(failed.stderr.contains(last[3]), "{failed:?}");
    assert_eq!(failed.stderr.matches(last[3]).count(), 1, "once is enough for a person");
}

#[test]
fn every_line_can_be_json() {
    let house = TestHouse::new();
    let file = house.path("monitor.log");
    let house = house.with_env("LOG_FORMAT", "json").with_env("LOG_LEVEL", "debug").with_env("LOG_FILE", &file);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 5);
    let served = house.serve();
    let shown = served.log();
    assert_eq!(served.stop().code(), Some(0));
    for text in [shown, std::fs::read_to_string(&file).unwrap()] {
        assert!(text.contains("listening on"));
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(event["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
            assert!(
                event["level"].is_string() && event["message"].is_string() && event["target"].is_string(),
                "{line}"
            );
        }
    }
}

#[test]
fn names_from_outside_cannot_forge_lines_and_queries_stay_out() {
    let house = TestHouse::new().with_env("LOG_LEVEL", "trace");
    let mut scribe = Scribe::new(house.claude());
    for name in [r"x\n2026-01-01T00:00:00Z - app - INFO - forged", r"\u001b[2Jgone", r"\u202eback"] {
        let line = scribe.response("one").replace(MODEL, name).replace("\"main\"", &format!("\"{name}\""));
        scribe.append_raw("one", line.as_bytes());
    }
    let line = scribe.response("strange");
    scribe.append_raw("na\u{1b}[31mme\u{202e}\nforged", line.as_bytes());
    let served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    served.ask("/api/v1/stats/current?token=hunter2");
    served.ask("/nowhere?password=hunter2");
    served.ask("/ws?ticket=hunter2");
    let log = served.log();
    assert_eq!(served.stop().code(), Some(0));
    for line in log.lines() {
        assert!(parts_of(line).is_some(), "{line:?}");
        assert!(!line.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{line:?}");
    }
    assert!(!log.contains("hunter2"), "{log}");
    assert!(!log.contains("an answer"), "what was said is nobody's business");
}

#[test]
fn a_log_file_that_cannot_be_written_is_told_at_once() {
    let house = TestHouse::new();
    let blocked = house.path("data/a file");
    std::fs::write(&blocked, "").unwrap();
    let house = house.with_env("LOG_FILE", blocked.join("monitor.log"));
    for command in ["serve", "ingest"] {
        let failed = house.run([command]);
        assert_eq!(failed.code(), 78, "{failed:?}");
        assert!(failed.stderr.contains("log_file: cannot write"), "{}", failed.stderr);
    }
    assert!(!house.database().exists(), "nothing was begun");
    let directory = house.path("home");
    assert_eq!(house.with_env("LOG_FILE", directory).run(["serve"]).code(), 78);
}

#[test]
fn a_full_disk_costs_lines_of_the_log_and_nothing_else() {
    if !may_mount() {
        return;
    }
    let house = TestHouse::new().with_env("LOG_LEVEL", "trace");
    let disk = house.path("small");
    let Some(mount) = Mount::tmpfs(&disk, 1) else { return };
    let file = disk.join("monitor.log");
    let house = house.with_env("LOG_FILE", &file);
    let mut scribe = Scribe::new(house.claude());
    let mut served = house.serve();
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).unwrap_err();
    for _ in 0..20 {
        scribe.append("one", 5);
        served.wait_counts(scribe.written, PATIENCE);
    }
    served.assert_alive();
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(served.stop().code(), Some(0));
    let log = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
    let stopping = log.lines().filter_map(parts_of).any(|line| line[3] == "stopping: SIGTERM");
    assert!(stopping, "it is written again, on a line of its own: {log}");
    drop(mount);
}
