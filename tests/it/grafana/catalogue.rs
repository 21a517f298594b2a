//! What dashboards and rules ask for is what the program shows, and everything that it shows is looked at by one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::promql::selectors;
use super::{Dashboard, rules, text};

/// Families that no panel and no rule needs, and why.
const NOT_ASKED_FOR: [(&str, &str); 3] = [
    ("claude_token_monitor_token_usage_tokens_total", "another name of a family, with profile = \"own\" or \"both\""),
    ("claude_token_monitor_cost_usage_USD_total", "the same"),
    ("claude_token_monitor_session_count_total", "the same"),
];

/// Every family by name, and its type. A test of the documents compares this table with the program.
fn catalogue() -> BTreeMap<String, String> {
    let document = text("docs/metrics.md");
    let rows = document.lines().skip_while(|line| !line.starts_with("| Family | Type")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| (cells[0].trim_matches(['|', ' ', '`']).to_owned(), cells[1].to_owned())).collect()
}

/// The family that a series belongs to.
fn family<'a>(name: &'a str, catalogue: &BTreeMap<String, String>) -> &'a str {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
    let mut of_histogram = of_histogram.filter(|name| catalogue.get(*name).is_some_and(|kind| kind == "histogram"));
    of_histogram.next().unwrap_or(name)
}

#[test]
fn every_metric_that_is_asked_for_is_there_and_every_one_is_asked_for() {
    let catalogue = catalogue();
    assert!(catalogue.len() > 60, "{catalogue:?}");
    let mut asked = BTreeMap::<String, String>::new();
    for dashboard in Dashboard::all() {
        let choices = dashboard.choices().into_iter().map(|(_, selector, _)| selector.to_owned());
        let queries = dashboard.queries().into_iter().chain(dashboard.annotations()).map(|query| query.expression);
        for expression in queries.chain(choices) {
            for selector in selectors(&expression) {
                asked.insert(family(selector.name, &catalogue).to_owned(), dashboard.file.clone());
            }
        }
    }
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.record.as_deref()).collect();
    for rule in &rules {
        for selector in selectors(&rule.expression) {
            if !recorded.contains(selector.name) {
                asked.insert(family(selector.name, &catalogue).to_owned(), "a rule".to_owned());
            }
        }
    }
    let unknown: Vec<_> = asked.iter().filter(|(name, _)| !catalogue.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "asked for, but not there: {unknown:?}");

    let left: BTreeSet<&str> = NOT_ASKED_FOR.iter().map(|(name, _)| *name).collect();
    let unasked: BTreeSet<&str> =
        catalogue.keys().map(String::as_str).filter(|name| !asked.contains_key(*name)).collect();
    assert_eq!(unasked, left, "there, but not asked for");
}
