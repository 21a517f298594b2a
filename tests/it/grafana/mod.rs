//! Dashboards, rules and examples for Prometheus and Grafana, as they are shipped: what they say of themselves, and what a
//! real Prometheus answers to every one of their questions.

mod alerts;
mod catalogue;
mod documents;
mod lint;
mod panels;
mod promql;

use std::path::PathBuf;

use serde_json::Value;

use crate::parts::checkout;

/// A dashboard as Grafana loads it.
struct Dashboard {
    file: String,
    json: Value,
}

/// One question of a panel.
#[derive(Clone, Debug, PartialEq)]
struct Query {
    panel: String,
    expression: String,
    /// About now, rather than about a time range.
    instant: bool,
}

impl Dashboard {
    fn all() -> Vec<Self> {
        shipped("grafana/dashboards", ".json")
            .into_iter()
            .map(|path| Self {
                file: path.file_name().unwrap().to_string_lossy().into_owned(),
                json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
            })
            .collect()
    }

    fn named(file: &str) -> Self {
        Self::all().into_iter().find(|dashboard| dashboard.file == file).unwrap()
    }

    fn title(&self) -> &str {
        self.json["title"].as_str().unwrap()
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.json.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Rows and panels, those of collapsed rows included.
    fn everything(&self) -> Vec<&Value> {
        fn nested(panel: &Value) -> &[Value] {
            panel["panels"].as_array().map(Vec::as_slice).unwrap_or_default()
        }
        self.list("/panels").iter().flat_map(|panel| std::iter::once(panel).chain(nested(panel))).collect()
    }

    /// Panels that show something.
    fn panels(&self) -> Vec<&Value> {
        self.everything().into_iter().filter(|panel| panel["type"] != "row").collect()
    }

    fn queries(&self) -> Vec<Query> {
        let of_panel = |panel: &Value| -> Vec<Query> {
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            let query = |target: Value| Query {
                panel: panel["title"].as_str().unwrap().to_owned(),
                expression: target["expr"].as_str().unwrap().to_owned(),
                instant: target["instant"] == true,
            };
            targets.into_iter().map(query).collect()
        };
        self.panels().into_iter().flat_map(of_panel).collect()
    }

    /// What marks on the time axis are made of.
    fn annotations(&self) -> Vec<Query> {
        let list = self.list("/annotations/list").iter().filter(|note| note["builtIn"] != 1);
        let query = |note: &Value| Query {
            panel: note["name"].as_str().unwrap().to_owned(),
            expression: note["target"]["expr"].as_str().unwrap().to_owned(),
            instant: false,
        };
        list.map(query).collect()
    }

    /// Variables that a query fills: name, selector and label.
    fn choices(&self) -> Vec<(&str, &str, &str)> {
        fn choice(variable: &Value) -> Option<(&str, &str, &str)> {
            let query = variable["definition"].as_str().filter(|query| variable["query"]["query"] == *query)?;
            let (selector, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.rsplit_once(", ")?;
            Some((variable["name"].as_str()?, selector, label))
        }
        let list = self.list("/templating/list").iter().filter(|variable| variable["type"] == "query");
        list.map(|variable| choice(variable).unwrap_or_else(|| panic!("{variable}"))).collect()
    }
}

/// The files of a directory of the checkout with a certain ending.
fn shipped(dir: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(checkout().join(dir)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {dir}");
    files
}

fn text(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files with rules: name and text.
fn rule_files() -> Vec<(String, String)> {
    let files = shipped("grafana/rules", ".rules.yml").into_iter();
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// A rule as far as tests need it.
struct Rule {
    /// What it records; `None` for an alert.
    record: Option<String>,
    alert: Option<String>,
    expression: String,
    runbook: Option<String>,
}

/// Every rule that is shipped. The files are read line by line, in the form that they are written in.
fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut inside = false;
    for (_, text) in rule_files() {
        for line in text.lines() {
            let line = line.trim();
            let entry = |key: &str| line.strip_prefix(key).map(|rest| rest.trim().to_owned());
            let (record, alert) = (entry("- record:"), entry("- alert:"));
            if record.is_some() || alert.is_some() {
                rules.push(Rule { record, alert, expression: String::new(), runbook: None });
                inside = false;
                continue;
            }
            let Some(rule) = rules.last_mut() else { continue };
            if let Some(expression) = entry("expr:") {
                inside = expression == "|";
                rule.expression = if inside { String::new() } else { expression };
            } else if let Some(url) = entry("runbook_url:") {
                rule.runbook = Some(url);
            } else if ["for:", "labels:", "annotations:", "#", "- name:"].iter().any(|key| line.starts_with(key))
                || line.is_empty()
            {
                inside = false;
            } else if inside {
                rule.expression += line;
                rule.expression.push(' ');
            }
        }
    }
    assert!(rules.iter().all(|rule| !rule.expression.is_empty()));
    rules
}
