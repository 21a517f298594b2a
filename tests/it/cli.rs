//! The program as somebody at a terminal, a script or a service manager meets it: exit codes, words, signals, privacy.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::house::TestHouse;
use crate::scribe::{Scribe, line};
use crate::wait::PATIENCE;

/// A command line, its exit code, and words that its standard error has to hold.
fn check(house: &TestHouse, args: &[&str], code: i32, words: &[&str]) {
    let done = house.run(args);
    assert_eq!(done.code(), code, "{args:?}: {done:?}");
    for word in words {
        assert!(done.stderr.contains(word), "{args:?} does not say {word:?}: {}", done.stderr);
    }
    for debris in ["panicked", "RUST_BACKTRACE", "Error {", "Some(", "Err("] {
        assert!(!done.stderr.contains(debris), "{args:?} says {debris:?}: {}", done.stderr);
    }
}

#[test]
fn exit_codes_tell_success_from_misuse() {
    let house = TestHouse::new();
    check(&house, &["--help"], 0, &[]);
    check(&house, &["--version"], 0, &[]);
    check(&house, &["ingest"], 0, &[]);
    check(&house, &["no-such-command"], 2, &["no-such-command", "--help"]);
    check(&house, &["serve", "--no-such-flag"], 2, &["--no-such-flag"]);
    check(&house, &["serve", "--listen", "not an address"], 2, &["not an address"]);
}

#[test]
fn a_backup_never_takes_the_place_of_a_file() {
    let house = TestHouse::new();
    house.ingest();
    let copy = house.path("copy.db");
    std::fs::write(&copy, "somebody's").unwrap();
    let path = copy.to_str().unwrap();
    check(&house, &["db", "backup", path], 1, &[path, "exists already; name a new file"]);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "somebody's");
}

#[test]
fn a_damaged_database_is_named_and_not_well() {
    let house = TestHouse::new();
    house.ingest();
    std::fs::write(house.database(), "no database").unwrap();
    let path = house.database().to_str().unwrap();
    let doctor = house.run(["doctor"]);
    assert_eq!(doctor.code(), 3, "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("the database {path} is damaged")), "{}", doctor.stdout);
    let copy = house.path("copy.db");
    check(&house, &["db", "backup", copy.to_str().unwrap()], 78, &[path, "is damaged"]);
    let left: Vec<_> = std::fs::read_dir(house.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("copy.db")), "{left:?}");
}

#[test]
fn what_would_be_pruned_can_be_asked_of_a_running_service() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 10);
    let served = house.serve();
    let foretold = house.run(["db", "prune", "--older-than", "1", "--dry-run"]);
    assert_eq!(foretold.code(), 0, "{foretold:?}");
    assert!(foretold.stdout.starts_with("would remove"), "{foretold:?}");
    check(&house, &["db", "prune", "--older-than", "1"], 78, &["another claude-token-monitor"]);
    served.kill();
}

#[test]
fn nothing_to_read_is_said() {
    let house = TestHouse::new();
    let house = {
        let nowhere = house.path("nowhere");
        house.reading(nowhere)
    };
    assert!(house.ingest().stdout.contains("No transcripts were found"));
}

#[test]
fn what_is_wrong_is_said_before_a_database_is_made() {
    let house = TestHouse::new().with_config("[sinks.nonsense]\n");
    check(&house, &["serve"], 78, &["[sinks.nonsense]", "known: prometheus"]);
    assert!(!house.database().exists());

    let house = TestHouse::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    check(&house, &["serve", "--listen", &taken.local_addr().unwrap().to_string()], 1, &["another program"]);
    assert!(!house.database().exists());
}

#[test]
fn an_address_that_others_can_reach_is_warned_about() {
    let house = TestHouse::new();
    let served = house.spawn(["--listen", "0.0.0.0:0", "--allow-open"]);
    let log = crate::wait::eventually("a warning", PATIENCE, || {
        let log = served.log();
        log.contains("WARN").then_some(log)
    });
    assert!(log.contains("other machines can reach"), "{log}");
    served.kill();
}

#[test]
fn a_misspelt_command_is_answered_with_the_one_that_was_meant() {
    check(&TestHouse::new(), &["ingset"], 2, &["ingest"]);
}

#[test]
fn a_second_service_on_one_database_is_refused() {
    let house = TestHouse::new();
    let _first = house.serve();
    let (status, log) = house.spawn::<&str>([]).end();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains(house.database().to_str().unwrap()), "names the database: {log}");
}

#[test]
fn an_address_in_use_is_refused_with_its_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, log) = TestHouse::new().spawn(["--listen", &address]).end();
    assert!(!status.success());
    assert!(log.contains(&address), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_database_of_a_newer_version_is_refused_untouched() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 3);
    house.ingest();
    Connection::open(house.database()).unwrap().pragma_update(None, "user_version", 9999).unwrap();
    let before = std::fs::read(house.database()).unwrap();
    for command in ["ingest", "serve"] {
        check(&house, &[command], 78, &[house.database().to_str().unwrap(), "newer"]);
    }
    assert_eq!(std::fs::read(house.database()).unwrap(), before);
}

#[test]
fn somebody_elses_database_is_refused_untouched() {
    let house = TestHouse::new();
    Connection::open(house.database()).unwrap().execute_batch("CREATE TABLE photos (name TEXT)").unwrap();
    let before = std::fs::read(house.database()).unwrap();
    check(&house, &["serve"], 78, &[house.database().to_str().unwrap()]);
    assert_eq!(std::fs::read(house.database()).unwrap(), before);
}

#[test]
fn sigterm_and_sigint_end_the_service_within_five_seconds() {
    for signal in [Signal::TERM, Signal::INT] {
        let house = TestHouse::new();
        let mut scribe = Scribe::new(house.claude());
        scribe.append("one", 100);
        let served = house.serve();
        let since = Instant::now();
        served.signal(signal);
        assert_eq!(served.ended().code(), Some(0), "{signal:?}");
        assert!(since.elapsed() < Duration::from_secs(5), "{signal:?} took {:?}", since.elapsed());
        assert_eq!(house.counts(), scribe.written);
    }
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 100);
    house.ingest();
    for args in [&["doctor", "--json"][..], &["pricing", "list"], &["config", "show"], &["--help"]] {
        let mut command = house.command(args);
        // The read end is closed before the program writes its first byte.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!said.contains("panicked") && !said.to_lowercase().contains("broken pipe"), "{args:?}: {said}");
    }
}

#[test]
fn there_is_no_colour_where_no_terminal_is() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 3);
    for args in [&["ingest"][..], &["doctor"], &["config", "show"], &["pricing", "list"], &["--help"], &["nonsense"]] {
        let done = house.run(args);
        for text in [&done.stdout, &done.stderr] {
            assert!(!text.contains('\u{1b}'), "{args:?}: {text:?}");
        }
    }
    assert!(!house.serve().log().contains('\u{1b}'));
}

#[test]
fn doctor_speaks_json() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("one", 3);
    house.ingest();
    let done = house.run(["doctor", "--json"]);
    assert_eq!(done.code(), 0, "{done:?}");
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(report.is_object());
    assert!(done.stdout.contains(house.claude().to_str().unwrap()), "{}", done.stdout);
    assert!(done.stdout.contains(house.database().to_str().unwrap()), "{}", done.stdout);
}

#[test]
fn config_show_names_where_everything_comes_from() {
    let house = TestHouse::new();
    let done = house.run(["config", "show"]);
    assert_eq!(done.code(), 0, "{done:?}");
    assert!(done.stdout.contains(house.database().to_str().unwrap()), "{}", done.stdout);
}

#[test]
fn the_home_is_the_test_house() {
    let house = TestHouse::new();
    let mut command = house.command(["doctor", "--json"]);
    // Without these two, everything is found by the home.
    command.env_remove("CLAUDE_DATA_DIR").env_remove("DATABASE_PATH");
    let done = house.finish(command);
    assert!(done.stdout.contains(house.path("home/.claude").to_str().unwrap()), "{}", done.stdout);
    assert!(done.stdout.contains(house.path("home/.local/share").to_str().unwrap()), "{}", done.stdout);
}

#[test]
fn healthcheck_tells_a_running_service_from_none() {
    let house = TestHouse::new();
    let served = house.serve();
    let address = served.address().to_owned();
    let ask = || {
        let mut command = house.command(["healthcheck"]);
        command.env("LISTEN_ADDR", &address);
        house.finish(command)
    };
    assert_eq!(ask().code(), 0);
    served.kill();
    let done = ask();
    assert_eq!(done.code(), 3, "{done:?}");
    assert!(done.stdout.contains(&address), "{done:?}");
}

#[test]
fn what_people_write_is_stored_and_shown_nowhere() {
    const SECRET: &str = "xyzzy-plugh-4711";
    let house = TestHouse::new().with_env("LOG_LEVEL", "trace");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 3);
    let usage = crate::counts::Counts { requests: 1, output: 1, ..Default::default() };
    let spoken = line("one", 900_001, usage, SECRET);
    let asked = format!(
        r#"{{"type":"user","sessionId":"one","message":{{"role":"user","content":"{SECRET}"}},"toolUseResult":{{"stdout":"{SECRET}"}}}}"#
    );
    let broken = format!(r#"{{"type":"assistant","message":{{"content":"{SECRET}"#);
    let odd = format!(r#"{{"type":"assistant","message":{{"usage":{{"input_tokens":"{SECRET}"}}}}}}"#);
    let summary = format!(r#"{{"type":"summary","summary":"{SECRET}","leafUuid":"x"}}"#);
    for text in [spoken, asked, broken, odd, summary] {
        scribe.append_raw("one", format!("{}\n", text.trim_end()).as_bytes());
    }
    scribe.written += usage;
    let served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    for path in
        ["/", "/metrics", "/api/v1/stats/current", "/api/v1/health", "/api/v1/export/csv", "/api/v1/export/json"]
    {
        let (_, body) = served.ask(path).unwrap();
        assert!(!body.contains(SECRET), "{path}");
    }
    assert!(!served.log().contains(SECRET), "the log");
    assert!(!house.run(["doctor", "--json"]).stdout.contains(SECRET), "doctor");
    assert_eq!(served.stop().code(), Some(0));
    for entry in std::fs::read_dir(house.database().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{}", path.display());
    }
}
