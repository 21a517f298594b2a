//! The clients that are shipped as examples, against the real server, and the example of a configuration.

use std::process::{Command, Stdio};

use claude_token_monitor::sinks::SINKS;
use claude_token_monitor::sources::SOURCES;

use super::{read, words};
use crate::auth::{free_address, locked};
use crate::house::{Owned, TestHouse};
use crate::parts::{checkout, need};
use crate::scribe::{MODEL, Scribe};
use crate::wait::{PATIENCE, eventually};

/// Runs the client for curl.
fn api(address: &str, token: &str) -> std::process::Output {
    let mut command = Command::new("/bin/sh");
    command.arg(checkout().join("examples/api.sh")).arg(format!("http://{address}")).env("TOKEN", token);
    command.output().unwrap()
}

#[test]
fn the_client_for_curl_says_what_was_used() {
    if need("curl").is_none() || need("jq").is_none() {
        return;
    }
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 4);
    let served = house.serve();
    let done = api(served.address(), "");
    assert!(done.status.success(), "{}", words(&done));
    let totals = &served.json("/api/v1/stats/current")["totals"];
    let said = words(&done);
    assert!(said.contains(&format!("{} tokens in 4 responses, $", totals["total_tokens"])), "{said}");
    assert!(said.contains(MODEL), "{said}");
    assert!(served.stop().success());
    assert!(!api("127.0.0.1:1", "").status.success());

    let house = locked();
    let served = house.serve();
    assert!(!api(served.address(), "").status.success(), "nobody gets in without a token");
    let token = house.run(["auth", "token"]).stdout;
    let done = api(served.address(), token.trim());
    assert!(done.status.success(), "{}", words(&done));
}

#[test]
fn the_client_for_the_websocket_hears_of_changes_and_comes_back() {
    let Some(python) = need("python3") else { return };
    let address = free_address();
    let house = TestHouse::new().with_env("LISTEN_ADDR", &address);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 1);
    let served = house.serve();
    let out = house.path("heard");
    let mut command = Command::new(python);
    command.arg(checkout().join("examples/websocket.py")).arg(format!("ws://{address}")).arg("claude-sonnet-*");
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&out).unwrap()).stderr(Stdio::null());
    let _client = Owned(command.spawn().unwrap());
    let hears = |what: &str, lines: usize| {
        eventually(what, PATIENCE, || {
            let heard = std::fs::read_to_string(&out).unwrap();
            (heard.lines().count() >= lines).then_some(heard)
        })
    };
    hears("everything there is", 1);
    scribe.append("one", 1);
    let heard = hears("a change", 2);
    assert!(heard.contains("so far") && heard.contains(&format!("  {MODEL}  ")), "{heard}");
    let lines = heard.lines().count();
    assert!(served.stop().success());
    let served = house.serve();
    hears("everything again from the new server", lines + 1);
    assert!(served.stop().success());
}

#[test]
fn the_example_of_a_configuration_has_every_source_and_every_sink() {
    let example = read("examples/config.toml");
    let samples = SOURCES.iter().map(|source| source.sample).chain(SINKS.iter().map(|sink| sink.sample));
    for sample in samples {
        let whole: Vec<String> = sample
            .lines()
            .map(|line| if line.starts_with('#') { line.to_owned() } else { format!("#{line}") })
            .collect();
        assert!(example.contains(&whole.join("\n")), "examples/config.toml lacks:\n{}", whole.join("\n"));
    }
}
