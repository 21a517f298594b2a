//! A real Prometheus scrapes us with the example's configuration while transcripts grow, and has an answer to everything
//! that a dashboard asks.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claude_token_monitor::clock::Clock;
use claude_token_monitor::synthetic;
use serde_json::Value;

use super::{Dashboard, Query, rule_files, rules, text};
use crate::house::TestHouse;
use crate::parts;
use crate::prometheus::Server;
use crate::scribe::Scribe;
use crate::sinks::receiver::Receiver;
use crate::wait::{PATIENCE, eventually, pause};

/// The example's configuration with another target, scraping and judging every second, and the rules as `changed`.
pub(super) fn configuration(house: &TestHouse, target: &str, changed: impl Fn(&str) -> String) -> String {
    let rules = house.path("rules");
    std::fs::create_dir_all(&rules).unwrap();
    for (name, text) in rule_files() {
        std::fs::write(rules.join(name), changed(&text)).unwrap();
    }
    let mut example = text("examples/prometheus.yml");
    for (from, to) in [
        ("127.0.0.1:51888", target),
        ("../grafana/rules", &rules.display().to_string()),
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 30s", "evaluation_interval: 1s"),
    ] {
        assert_eq!(example.matches(from).count(), 1, "{from} in examples/prometheus.yml");
        example = example.replace(from, to);
    }
    example
}

/// The same with groups of rules that are looked at every second.
fn every_second(text: &str) -> String {
    let line = |line: &str| {
        let is_interval = line.trim_start().starts_with("interval: ");
        if is_interval { "    interval: 1s".to_owned() } else { line.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// An expression as Grafana sends it, with everything chosen.
fn sent(expression: &str) -> String {
    let values = [
        ("$__rate_interval", "8s"),
        ("$__range", "1m"),
        ("$__interval", "2s"),
        ("$job", ".+"),
        ("$instance", ".+"),
        ("$model", ".+"),
        ("$project", ".+"),
        ("$organization", ".*"),
        ("$user", ".*"),
    ];
    let sent = values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!sent.contains('$'), "{sent}");
    sent
}

/// Whether there is a number in an answer. A query that is refused is a failure at once.
fn has_data(server: &Server, query: &Query) -> bool {
    let expression = sent(&query.expression);
    let answer = if query.instant {
        server.ask("query", &[("query", &expression)])
    } else {
        let now = server.query("vector(time())").unwrap();
        let (from, to) = ((now - 40.0).to_string(), now.to_string());
        server.ask("query_range", &[("query", &expression), ("start", &from), ("end", &to), ("step", "2")])
    };
    let Some(answer) = answer else { return false };
    assert_eq!(answer["status"], "success", "{}: {expression}: {answer}", query.panel);
    let is_number = |sample: &Value| sample[1].as_str().is_some_and(|value| value.parse().is_ok_and(f64::is_finite));
    let series = answer["data"]["result"].as_array().unwrap();
    series
        .iter()
        .any(|one| is_number(&one["value"]) || one["values"].as_array().is_some_and(|all| all.iter().any(is_number)))
}

/// Everything that panels show can be seen: sessions, budgets, sinks, and the labels that published dashboards group by.
const SETTINGS: &str = "\
[sinks.prometheus]
sessions = \"active\"
session_hours = 168
labels = {user_id = \"u1\", user_email = \"ana@example.org\", organization_id = \"acme\"}
budgets = {daily = 10.0, weekly = 50.0, monthly = 200.0}

[sinks.lines]
type = \"jsonl\"
path = \"usage.jsonl\"
";

#[test]
fn every_panel_of_every_dashboard_has_data_while_transcripts_grow() {
    let Some(program) = parts::need("prometheus") else { return };
    let receiver = Receiver::start();
    let hook = format!("[sinks.hook]\ntype = \"webhook\"\nurl = \"{}\"\n", receiver.url());
    let house = TestHouse::new().with_config(&format!("{SETTINGS}\n{hook}"));
    synthetic::write(&synthetic::demo_plan(Clock::system().now()), house.claude()).unwrap();
    let served = house.serve();
    // The second name is the one that a published dashboard insists on.
    let again =
        format!("\n  - job_name: otel-collector\n    static_configs:\n      - targets: [\"{}\"]\n", served.address());
    let configuration = configuration(&house, served.address(), every_second);
    let at = configuration.find("\n# Alerts go nowhere").unwrap();
    let (before, after) = configuration.split_at(at);
    let server = Server::configured(&house, program, &format!("{before}{again}{after}"));

    let mut scribe = Scribe::new(house.claude());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                scribe.append("grows", 3);
                pause(Duration::from_millis(400));
            }
        });
        let _end = SetWhenDropped(&done);
        everything_is_answered(&server);
        rules_work(&server);
    });
    assert_eq!(server.scrape_errors(), Vec::<String>::new());
}

/// Ends the thread that writes, also when a check above has failed.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn everything_is_answered(server: &Server) {
    let dashboards = Dashboard::all();
    let mut open: Vec<(&str, Query)> = Vec::new();
    for dashboard in &dashboards {
        let queries = dashboard.queries().into_iter().chain(dashboard.annotations());
        open.extend(queries.map(|query| (dashboard.file.as_str(), query)));
    }
    assert!(open.len() > 120, "{}", open.len());
    let end = std::time::Instant::now() + PATIENCE;
    while !open.is_empty() {
        pause(Duration::from_secs(1));
        open.retain(|(_, query)| !has_data(server, query));
        assert!(std::time::Instant::now() < end, "no data: {open:#?}");
    }
    for dashboard in &dashboards {
        for (name, selector, label) in dashboard.choices() {
            let answer = server.ask(&format!("label/{label}/values"), &[("match[]", &sent(selector))]).unwrap();
            let values = answer["data"].as_array().unwrap_or_else(|| panic!("{name}: {answer}"));
            assert!(!values.is_empty(), "{}: nothing to choose for {name}", dashboard.file);
        }
    }
}

/// Every rule is evaluated without an error, and those that record something do.
fn rules_work(server: &Server) {
    eventually("every rule to have been looked at", PATIENCE, || {
        let answer = server.ask("rules", &[])?;
        let groups = answer["data"]["groups"].as_array()?;
        let loaded: Vec<&Value> = groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
        let broken = loaded.iter().find(|rule| rule["health"] == "err");
        assert!(broken.is_none(), "{broken:?}");
        let known = loaded.iter().filter(|rule| rule["health"] == "ok").filter_map(|rule| rule["name"].as_str());
        let expected = rules().into_iter().filter_map(|rule| rule.record.or(rule.alert));
        (known.map(str::to_owned).collect::<BTreeSet<_>>() == expected.collect()).then_some(())
    });
    // The fourth compares with another program's numbers, which are not here.
    for recorded in rules().iter().filter_map(|rule| rule.record.as_deref()).filter(|name| name.starts_with("job")) {
        eventually(recorded, PATIENCE, || server.query(&format!("sum({recorded})")).filter(|value| value.is_finite()));
    }
}
