//! What is written about dashboards, rules and examples.

use std::collections::BTreeSet;

use super::{Dashboard, rules, text};
use crate::parts::checkout;

#[test]
fn every_alert_has_its_paragraph_in_the_runbook_and_leads_there() {
    let runbook = text("docs/runbook.md");
    let mut written = BTreeSet::new();
    for part in runbook.split("\n## ").skip(1) {
        let (title, paragraph) = part.split_once('\n').unwrap();
        assert!(paragraph.trim().len() > 150, "{title} says too little");
        written.insert(title.trim().to_owned());
    }
    let alerts: BTreeSet<String> = rules().into_iter().filter_map(|rule| rule.alert).collect();
    assert_eq!(written, alerts);
    for rule in rules().iter().filter(|rule| rule.alert.is_some()) {
        let name = rule.alert.as_deref().unwrap().to_lowercase();
        assert_eq!(rule.runbook.as_deref(), Some(format!("docs/runbook.md#{name}").as_str()));
    }
}

#[test]
fn the_table_of_published_dashboards_has_the_panels_that_the_third_dashboard_proves() {
    let document = text("docs/grafana.md");
    let rows = document.lines().skip_while(|line| !line.starts_with("| Dashboard | Panel")).skip(2);
    let mut answered = BTreeSet::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [dashboard, panel, answer] = cells[..] else { panic!("{row}") };
        assert!(answer == "yes" || answer.starts_with("yes, ") || answer.starts_with("no, "), "{row}");
        if answer.starts_with("yes") {
            answered.insert(format!("{dashboard}: {panel}"));
        }
    }
    let shown = Dashboard::named("compatibility.json");
    let (mut row, mut proven) = (String::new(), BTreeSet::new());
    for panel in shown.everything() {
        let title = panel["title"].as_str().unwrap();
        if panel["type"] == "row" {
            row = title.split(": ").next().unwrap().to_owned();
        } else {
            proven.insert(format!("{row}: {title}"));
        }
    }
    assert_eq!(answered, proven);
}

#[test]
fn every_dashboard_rule_and_example_is_named_in_the_document() {
    let document = text("docs/grafana.md");
    for dashboard in Dashboard::all() {
        assert!(document.contains(&format!("`{}`", dashboard.file)), "{}", dashboard.file);
        assert!(document.contains(dashboard.title()), "{}", dashboard.title());
    }
    for rule in rules() {
        let name = rule.record.or(rule.alert).unwrap();
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
    for example in ["prometheus.yml", "otel-collector.yaml"] {
        assert!(checkout().join("examples").join(example).is_file());
        assert!(document.contains(&format!("(../examples/{example})")), "{example}");
    }
    for variable in ["GRAFANA_PROMETHEUS_URL", "GRAFANA_DASHBOARDS"] {
        let files = ["datasources/prometheus.yaml", "dashboards/claude-token-monitor.yaml"];
        let used =
            files.iter().any(|file| text(&format!("grafana/provisioning/{file}")).contains(&format!("${variable}")));
        assert!(used && document.contains(variable), "{variable}");
    }
}

/// The names that stand in brackets behind a key, in every line that has it.
fn listed<'a>(text: &'a str, key: &str) -> BTreeSet<&'a str> {
    let lists = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim().strip_prefix('['));
    lists.flat_map(|list| list.trim_end_matches(']').split(", ")).collect()
}

/// The entries below a heading at the left edge.
fn defined<'a>(text: &'a str, heading: &str) -> BTreeSet<&'a str> {
    let lines = text.lines().skip_while(|line| *line != format!("{heading}:")).skip(1);
    let inside = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let entry = |line: &'a str| line.strip_prefix("  ").filter(|rest| !rest.starts_with([' ', '#']))?.split(':').next();
    inside.filter_map(entry).collect()
}

#[test]
fn the_collectors_pipelines_are_made_of_what_it_defines_at_the_ports_that_we_send_to() {
    let collector = text("examples/otel-collector.yaml");
    for part in ["receivers", "processors", "exporters"] {
        let defined = defined(&collector, part);
        assert!(!defined.is_empty());
        assert_eq!(listed(&collector, &format!("{part}:")), defined, "{part}");
    }
    let ours = text("docs/otlp.md");
    for port in ["4318", "4317"] {
        assert!(
            collector.contains(&format!("endpoint: 127.0.0.1:{port}\n")) && ours.contains(&format!("localhost:{port}"))
        );
    }
}
