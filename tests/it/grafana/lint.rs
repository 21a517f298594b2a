//! The rules of Grafana's dashboard-linter and a few of our own, over the files as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::promql::{Selector, selectors};
use super::{Dashboard, text};
use crate::parts::{self, checkout};

/// Units that panels have, of those that Grafana knows.
const UNITS: [&str; 9] =
    ["short", "none", "currencyUSD", "percentunit", "s", "bytes", "Bps", "reqps", "dateTimeFromNow"];

/// What Grafana itself puts in the place of these.
const BUILT_IN: [&str; 4] = ["__rate_interval", "__range", "__interval", "__value"];

/// Collects offences by rule, without those that `.lint` excludes.
struct Lint {
    excluded: BTreeSet<(String, String)>,
    used: BTreeSet<(String, String)>,
    offences: Vec<String>,
}

impl Lint {
    fn new() -> Self {
        let (mut excluded, mut rule, mut reasons) = (BTreeSet::new(), String::new(), 0);
        for line in text("grafana/dashboards/.lint").lines() {
            if let Some(name) = line.trim().strip_suffix("-rule:") {
                name.clone_into(&mut rule);
            } else if line.trim().starts_with("reason: ") {
                reasons += 1;
            } else if let Some(dashboard) = line.trim().strip_prefix("- dashboard: ") {
                excluded.insert((rule.clone(), dashboard.to_owned()));
            }
        }
        let rules: BTreeSet<&String> = excluded.iter().map(|(rule, _)| rule).collect();
        assert_eq!(rules.len(), reasons, "each exclusion has its reason");
        Self { excluded, used: BTreeSet::new(), offences: Vec::new() }
    }

    fn check(&mut self, holds: bool, rule: &str, dashboard: &Dashboard, what: &str) {
        if holds {
            return;
        }
        let place = (rule.to_owned(), dashboard.title().to_owned());
        if self.excluded.contains(&place) {
            self.used.insert(place);
        } else {
            self.offences.push(format!("{}: {rule}: {what}", dashboard.file));
        }
    }

    fn done(self) {
        assert!(self.offences.is_empty(), "{}", self.offences.join("\n"));
        assert_eq!(self.used, self.excluded, "an exclusion that nothing needs");
    }
}

fn variable<'a>(dashboard: &'a Dashboard, name: &str) -> &'a Value {
    dashboard.list("/templating/list").iter().find(|variable| variable["name"] == name).unwrap_or(&Value::Null)
}

fn is_from_the_variable(source: &Value) -> bool {
    source["type"] == "prometheus" && source["uid"] == "${datasource}"
}

fn lint_variables(lint: &mut Lint, dashboard: &Dashboard) {
    let source = variable(dashboard, "datasource");
    let holds = source["type"] == "datasource" && source["query"] == "prometheus" && source["label"] == "Data source";
    lint.check(holds, "template-datasource", dashboard, "no data source to choose");
    for (name, label) in [("job", "Job"), ("instance", "Instance")] {
        let found = variable(dashboard, name);
        let holds = found["type"] == "query"
            && found["label"] == label
            && found["multi"] == true
            && found["allValue"] == ".+"
            && is_from_the_variable(&found["datasource"]);
        lint.check(holds, &format!("template-{name}"), dashboard, name);
    }
    for (name, selector, label) in dashboard.choices() {
        let holds = selectors(selector).len() == 1 && !label.is_empty();
        lint.check(holds, "template-label-promql", dashboard, name);
        let reloads = variable(dashboard, name)["refresh"] == 2;
        lint.check(reloads, "template-on-time-change-reload", dashboard, name);
    }
}

fn lint_panel(lint: &mut Lint, dashboard: &Dashboard, panel: &Value) {
    let title = panel["title"].as_str().unwrap_or_default();
    lint.check(is_from_the_variable(&panel["datasource"]), "panel-datasource", dashboard, title);
    let about = panel["description"].as_str().unwrap_or_default();
    lint.check(!title.is_empty() && about.ends_with('.'), "panel-title-description", dashboard, title);
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
    lint.check(UNITS.contains(&unit), "panel-units", dashboard, title);
    let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    lint.check(!targets.is_empty(), "panel-no-targets", dashboard, title);
    for target in targets {
        lint.check(is_from_the_variable(&target["datasource"]), "panel-datasource", dashboard, title);
        lint_expression(lint, dashboard, title, target["expr"].as_str().unwrap_or_default());
    }
}

fn lint_expression(lint: &mut Lint, dashboard: &Dashboard, title: &str, expression: &str) {
    let all = selectors(expression);
    lint.check(!all.is_empty(), "target-promql", dashboard, &format!("{title}: {expression}"));
    for Selector { name, matchers, range, function } in all {
        let what = format!("{title}: {name}");
        lint.check(matchers.contains("job=~\"$job\""), "target-job", dashboard, &what);
        lint.check(matchers.contains("instance=~\"$instance\""), "target-instance", dashboard, &what);
        lint.check(range.is_none_or(|range| range == "$__rate_interval"), "target-rate-interval", dashboard, &what);
        let counts = ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end));
        // Counting or comparing label sets is no use of the values.
        let growth = ["rate", "increase", "changes", "max_over_time"].contains(&function);
        lint.check(!counts || growth, "target-counter-agg", dashboard, &what);
    }
}

#[test]
fn dashboards_keep_the_rules_of_the_linter() {
    let mut lint = Lint::new();
    for dashboard in Dashboard::all() {
        lint.check(dashboard.json["editable"] == false, "uneditable-dashboard", &dashboard, "editable");
        lint_variables(&mut lint, &dashboard);
        for panel in dashboard.panels() {
            lint_panel(&mut lint, &dashboard, panel);
        }
        for note in dashboard.annotations() {
            lint_expression(&mut lint, &dashboard, &note.panel, &note.expression);
        }
    }
    lint.done();
}

#[test]
fn names_numbers_and_places_are_sound() {
    let mut uids = BTreeSet::new();
    for dashboard in Dashboard::all() {
        let (json, file) = (&dashboard.json, &dashboard.file);
        let uid = json["uid"].as_str().unwrap().to_owned();
        assert!(uid.len() <= 40 && uid.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'), "{uid}");
        assert!(uids.insert(uid), "{file}: a uid that another one has");
        assert_eq!((&json["schemaVersion"], &json["id"]), (&Value::from(42), &Value::Null), "{file}");
        assert!(dashboard.list("/tags").contains(&Value::from("claude-token-monitor")), "{file}");
        let links = dashboard.list("/links");
        assert!(links.iter().any(|link| link["type"] == "dashboards" && link["tags"][0] == "claude-token-monitor"));
        assert!(links.iter().any(|link| link["url"] == "${page:raw}/"), "{file} has no link to the page");

        let numbers: Vec<_> = dashboard.everything().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "{file}: numbers of panels");
        no_overlap(dashboard.list("/panels"), file);
        for row in dashboard.everything().iter().filter(|panel| panel["collapsed"] == true) {
            no_overlap(row["panels"].as_array().unwrap(), file);
        }
        assert!(dashboard.queries().len() > 10, "{file}");
    }
}

/// No two panels lie on each other, and none beyond the right edge.
fn no_overlap(panels: &[Value], file: &str) {
    let mut taken = BTreeMap::new();
    for panel in panels {
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24 && place("h") > 0, "{file}: {panel}");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                let other = taken.insert((x, y), &panel["title"]);
                assert!(other.is_none(), "{file}: {} lies on {}", panel["title"], other.unwrap());
            }
        }
    }
}

#[test]
fn every_variable_that_is_used_is_there_and_the_other_way_round() {
    for dashboard in Dashboard::all() {
        let whole = dashboard.json.to_string();
        let mut used = BTreeSet::new();
        for rest in whole.split('$').skip(1) {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !BUILT_IN.contains(&name.as_str()) && name != "__all" {
                used.insert(name);
            }
        }
        let list = dashboard.list("/templating/list").iter();
        let there: BTreeSet<String> = list.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(used, there, "{}", dashboard.file);
    }
}

#[test]
fn dashboards_are_what_their_source_makes() {
    let Some(python) = parts::need("python3") else { return };
    let done = Command::new(python).arg(checkout().join("grafana/build.py")).arg("--check").output().unwrap();
    let stale = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "run grafana/build.py for {stale}");
}
