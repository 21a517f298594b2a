//! The examples that users start from do what they say.

use std::path::PathBuf;

use super::{lines, listed, wait_listed};
use crate::house::TestHouse;
use crate::parts::{checkout, leave_out, need};
use crate::scribe::Scribe;

fn example(name: &str) -> PathBuf {
    checkout().join("examples").join(name)
}

/// Runs a house with a program as its sink, over a restart.
fn run(command: &str) -> (TestHouse, usize) {
    let config = format!("[sinks.mine]\ntype = 'exec'\nstart_from = 'beginning'\ncommand = {command}\n");
    let house = TestHouse::new().with_config(&config);
    let mut scribe = Scribe::new(house.claude());
    for _ in 0..2 {
        scribe.append("a", 12);
        let served = house.serve();
        wait_listed(&house, "mine", "done", |row| row["events"] == scribe.written.requests);
        assert_eq!(served.stop().code(), Some(0));
    }
    (house, usize::try_from(scribe.written.requests).unwrap())
}

#[test]
fn the_shell_example_appends_every_change() {
    let (house, responses) = run(&format!("['sh', '{}']", example("exec_sink.sh").display()));
    let here = house.path("home/.config/claude-token-monitor");
    let files = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().path());
    let days = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    assert_eq!(days.map(|day| lines(&day).len()).sum::<usize>(), responses);
}

#[test]
fn the_python_example_keeps_a_row_a_response() {
    let Some(python) = need("python3") else { return };
    let (house, responses) = run(&format!("['{}', '{}']", python.display(), example("exec_sink.py").display()));
    let database = house.path("home/.config/claude-token-monitor/usage.sqlite");
    let db = rusqlite::Connection::open(database).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM usage WHERE total_cost > 0", [], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), responses);
}

#[test]
fn a_program_that_dies_or_babbles_is_started_anew() {
    let script = "read line; echo hello; sleep 1; exit 3";
    let config = format!(
        "[sinks.mine]\ntype = 'exec'\nstart_from = 'beginning'\nretry_initial = '10ms'\nretry_max = '10ms'\n\
         command = ['/bin/sh', '-c', 'if test -e ok; then exec sh {}; fi; touch ok; {script}']\n",
        example("exec_sink.sh").display()
    );
    let house = TestHouse::new().with_config(&config);
    Scribe::new(house.claude()).append("a", 3);
    let served = house.serve();
    let row = wait_listed(&house, "mine", "done", |row| row["events"] == 3);
    assert_eq!(row["state"], "ok");
    drop(served);
    let config = "[sinks.mine]\ntype = 'exec'\nstart_from = 'beginning'\ncommand = ['/no/such/program']\n";
    let house = house.with_config(config);
    let done = house.run(["sinks", "replay", "mine", "--from", "beginning"]);
    assert_eq!(done.code(), 0, "{done:?}");
    let served = house.serve();
    wait_listed(&house, "mine", "failing", |row| {
        row["last_error"].as_str().is_some_and(|words| words.contains("/no/such/program"))
    });
    assert_eq!(listed(&house, "mine")["dead_letters"], 0);
    drop(served);
}

#[test]
fn a_sink_from_outside_the_crate_works_like_any_other() {
    let Some(house) = TestHouse::new().with_example("custom_sink") else {
        return leave_out(
            "the example custom_sink, which `cargo test` builds unless it is told to build one test only",
        );
    };
    let house = house.with_config("[sinks.console]\nprefix = 'usage'\nstart_from = 'beginning'\n");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 2);
    let (served, printed) = house.serve_printing();
    wait_listed(&house, "console", "done", |row| row["events"] == 2 && row["type"] == "console");
    assert_eq!(served.stop().code(), Some(0));
    let printed = std::fs::read_to_string(printed).unwrap();
    assert_eq!(printed.lines().filter(|line| line.starts_with("usage: claude-sonnet")).count(), 2, "{printed}");
    let wrong = house.with_config("[sinks.console]\nprefx = 'x'\n").run(["sinks", "list"]);
    assert!(
        wrong.code() == 78 && wrong.stderr.contains("config.toml:2") && wrong.stderr.contains("prefx"),
        "{wrong:?}"
    );
}
