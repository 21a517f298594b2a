//! Rules: what `promtool` says of them and of their cases, and three faults that a real Prometheus notices and forgets.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::panels::configuration;
use super::shipped;
use crate::house::TestHouse;
use crate::parts;
use crate::prometheus::Server;
use crate::scribe::Scribe;
use crate::sinks::receiver::{Receiver, Reply};
use crate::wait::{PATIENCE, eventually};

fn promtool(what: &str, dir: &str, ending: &str) {
    let Some(promtool) = parts::need("promtool") else { return };
    let done = Command::new(promtool).args([what, "rules"]).args(shipped(dir, ending)).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("SUCCESS"), "{said}");
}

#[test]
fn promtool_finds_the_rules_sound() {
    promtool("check", "grafana/rules", ".rules.yml");
}

#[test]
fn every_case_of_the_rules_comes_out_as_written() {
    promtool("test", "grafana/rules/tests", ".test.yml");
}

#[test]
fn every_rule_has_a_case() {
    let cases: String =
        shipped("grafana/rules/tests", ".test.yml").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for name in super::rules().into_iter().filter_map(|rule| rule.record.or(rule.alert)) {
        assert!(cases.contains(&name), "no case for {name}");
    }
}

/// Rules with seconds in the place of minutes and hours.
fn in_a_hurry(text: &str) -> String {
    let mut quick = String::new();
    for line in text.lines() {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        quick += indent;
        quick += match rest.split(' ').next() {
            Some("interval:") => "interval: 1s",
            Some("for:") => "for: 2s",
            _ => rest,
        };
        quick.push('\n');
    }
    for range in ["5m", "15m", "1h", "2h", "1d"] {
        quick = quick.replace(&format!("[{range}]"), "[8s]").replace(&format!("offset {range}"), "offset 8s");
    }
    quick
}

/// The names of the alerts that are in this state.
fn alerts(server: &Server, state: &str) -> Option<BTreeSet<String>> {
    let answer = server.ask("alerts", &[])?;
    let alerts = answer["data"]["alerts"].as_array()?.iter().filter(|alert| alert["state"] == state);
    let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
    Some(alerts.filter_map(name).collect())
}

#[test]
fn alerts_fire_for_three_faults_and_clear_when_they_are_gone() {
    let Some(program) = parts::need("prometheus") else { return };
    let receiver = Receiver::start().behaving(|_| Reply::Status(503));
    let house = TestHouse::new().with_config(&format!(
        "[watch]\npoll_interval = \"500ms\"\n[sinks.hook]\ntype = \"webhook\"\nurl = \"{}\"\n\
         retry_initial = \"50ms\"\nretry_max = \"200ms\"\n",
        receiver.url()
    ));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    // The first fault: no file events.
    let served = house.spawn(["--no-watch"]).ready();
    let address = served.address().to_owned();
    let server = Server::configured(&house, program, &configuration(&house, &address, in_a_hurry));
    server.sees(&served);

    // The second: a receiver that takes nothing of what comes now. The third: lines that nobody can read.
    scribe.append("a", 10);
    let faults = ["UsageParseErrors", "UsageSinkDown", "UsageWatcherDegraded"];
    let mut fired = BTreeSet::new();
    eventually("three alerts", PATIENCE, || {
        scribe.append_raw("a", b"{\"type\": \"assistant\", broken\n");
        fired.append(&mut alerts(&server, "firing")?);
        faults.iter().all(|name| fired.contains(*name)).then_some(())
    });

    receiver.behave(|_| Reply::Status(200));
    served.stop();
    let served = house.spawn(["--listen", &address]).ready();
    scribe.append("a", 10);
    served.wait_counts(scribe.written, PATIENCE);
    eventually("nothing to be wrong any more", PATIENCE, || {
        let open = [alerts(&server, "firing")?, alerts(&server, "pending")?];
        // Of none of the others did anybody expect anything, either.
        (open.iter().all(BTreeSet::is_empty) && server.query("up") == Some(1.0)).then_some(())
    });
}
