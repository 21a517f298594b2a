//! `sinks`: telling a delivery what to do, and what it asks for by itself.

use super::receiver::{Receiver, Reply};
use super::{listed, wait_listed, wait_taken, webhook};
use crate::house::TestHouse;
use crate::scribe::Scribe;

fn told(house: &TestHouse, words: &str) {
    let done = house.run(std::iter::once("sinks").chain(words.split(' ')));
    assert_eq!(done.code(), 0, "{words}: {done:?}");
}

#[test]
fn pause_holds_everything_and_resume_sends_it() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&webhook(&receiver, ""));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 3);
    told(&house, "pause hook");
    let served = house.serve();
    assert_eq!(listed(&house, "hook")["state"], "paused");
    assert_eq!(served.stop().code(), Some(0));
    assert!(receiver.seen().is_empty());
    told(&house, "resume hook");
    let served = house.serve();
    assert_eq!(wait_taken(&receiver, 3).len(), 3);
    drop(served);
}

#[test]
fn replay_sends_again_from_a_date_and_says_so() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&webhook(&receiver, ""));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 4);
    scribe.skip_days(3);
    scribe.append("a", 6);
    let served = house.serve();
    wait_taken(&receiver, 10);
    wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0);
    assert_eq!(served.stop().code(), Some(0));
    let before = receiver.taken().len();
    told(&house, "replay hook --from 2025-11-03");
    let served = house.serve();
    wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0);
    let again = receiver.taken().split_off(before);
    assert_eq!(again.len(), 6);
    assert!(receiver.seen().last().unwrap().json()["replay"].as_bool().unwrap());
    assert!(again.iter().all(|change| change["event"]["timestamp"].as_str().unwrap() >= "2025-11-03"));
    drop(served);
}

#[test]
fn a_changed_target_waits_for_a_decision() {
    let (old, new) = (Receiver::start(), Receiver::start());
    let house = TestHouse::new().with_config(&webhook(&old, ""));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 3);
    let served = house.serve();
    wait_taken(&old, 3);
    wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0);
    assert_eq!(served.stop().code(), Some(0));

    let house = house.with_config(&webhook(&new, ""));
    scribe.append("a", 2);
    let served = house.serve();
    wait_listed(&house, "hook", "stopped", |row| row["state"] == "failed" && row["lag_events"] == 2);
    assert_eq!(served.stop().code(), Some(0));
    assert!(new.seen().is_empty());

    told(&house, "replay hook --from beginning");
    let served = house.serve();
    assert_eq!(wait_taken(&new, 5).len(), 5);
    assert_eq!(old.taken().len(), 3);
    drop(served);
}

#[test]
fn mistakes_are_named_with_file_line_and_key() {
    let check = |toml: &str, line: usize, words: &str| {
        let house = TestHouse::new().with_config(toml);
        let done = house.run(["sinks", "list"]);
        let file = house.path("home/.config/claude-token-monitor/config.toml");
        assert_eq!(done.code(), 78, "{toml}: {done:?}");
        let place = format!("{}:{line}: [sinks.x]", file.display());
        assert!(done.stderr.contains(&place) && done.stderr.contains(words), "{toml}: {}", done.stderr);
    };
    check("\n[sinks.x]\ntype = 'webhok'\n", 3, "no such type of sink");
    check("[sinks.x]\ntype = 'webhook'\n", 1, "url");
    check("[sinks.x]\ntype = 'webhook'\nurl = 'http://h/'\nurll = 1\n", 4, "urll");
    check("[sinks.x]\ntype = 'webhook'\nurl = 3\n", 3, "invalid type");
    check("[sinks.x]\ntype = 'webhook'\nurl = 'http://h/'\nsecret_env = 'NOPE'\n", 4, "NOPE");
    check("[sinks.x]\ntype = 'webhook'\nurl = 'http://h/'\nbatch_max = 0\n", 4, "batch_max");
    check("[sinks.x]\ntype = 'prometheus'\nstart_from = 'now'\n", 3, "sinks that send");
    check("[sinks.x]\ntype = 'webhook'\nenabled = false\nurl = 'h'\n", 4, "expected http");
}

#[test]
fn secrets_are_not_shown() {
    let config = "[sinks.x]\ntype = 'webhook'\nurl = 'http://h/'\ntoken_env = 'TOK'\nheaders = { a = 'private' }\n";
    let house = TestHouse::new().with_config(config).with_env("TOK", "very-secret");
    let shown = house.run(["config", "show"]).stdout;
    assert!(shown.contains("TOK") && !shown.contains("very-secret") && !shown.contains("private"), "{shown}");
    let list = house.run(["sinks", "list"]);
    assert!(list.stdout.contains("http://h/") && !list.stdout.contains("very-secret"), "{list:?}");
}

#[test]
fn a_running_server_is_asked_to_do_it() {
    let receiver = Receiver::start();
    // The commands look for the server where it is configured to be.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house =
        TestHouse::new().with_config(&webhook(&receiver, "")).with_env("LISTEN_ADDR", format!("127.0.0.1:{port}"));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 3);
    let served = house.serve();
    wait_taken(&receiver, 3);
    told(&house, "pause hook");
    wait_listed(&house, "hook", "paused", |row| row["state"] == "paused");
    scribe.append("a", 2);
    served.wait_counts(scribe.written, crate::wait::PATIENCE);
    wait_listed(&house, "hook", "behind", |row| row["lag_events"] == 2);
    assert_eq!(receiver.taken().len(), 3);
    told(&house, "resume hook");
    wait_taken(&receiver, 5);
    told(&house, "replay hook --from beginning");
    crate::wait::eventually("everything again", crate::wait::PATIENCE, || (receiver.taken().len() >= 10).then_some(()));
    drop(served);
}

#[test]
fn a_sink_that_fails_for_long_is_trouble_and_one_that_has_just_begun_to_is_not() {
    let receiver = Receiver::start().behaving(|_| Reply::Status(503));
    let house = TestHouse::new().with_config(&webhook(&receiver, ""));
    Scribe::new(house.claude()).append("a", 1);
    let served = house.serve();
    let sink =
        || served.json("/api/v1/sinks")["sinks"].as_array().unwrap().iter().find(|sink| sink["id"] == "hook").cloned();
    crate::wait::eventually("the failure", crate::wait::PATIENCE, || {
        sink().filter(|sink| sink["state"] == "retrying" && sink["failing_since"].is_string())
    });
    assert_eq!(served.json("/api/v1/health")["status"], "ok");
    // That the settings are wrong, nobody has to wait for.
    receiver.behave(|_| Reply::Status(403));
    let health = crate::wait::eventually("the trouble", crate::wait::PATIENCE, || {
        Some(served.json("/api/v1/health")).filter(|health| health["status"] == "degraded")
    });
    assert_eq!(health["troubles"][0]["subject"], "sink hook");
    drop(served);
}

#[test]
fn made_up_numbers_leave_for_nowhere() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&webhook(&receiver, ""));
    let served = house.spawn(["--demo"]).ready();
    let sinks = served.json("/api/v1/sinks")["sinks"].clone();
    assert!(sinks.as_array().unwrap().iter().all(|sink| sink["id"] != "hook"), "{sinks}");
    assert_eq!(served.stop().code(), Some(0));
    assert!(receiver.seen().is_empty());
}
