//! What published dashboards ask a Prometheus for is answered from what we show. The expressions are theirs, as far as
//! they are about families that we have; `$__range` is a minute.

use super::{Server, TOKENS};
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// `claude-code-dashboard.json` of ColeMurray/claude-code-otel.
const CLAUDE_CODE_OTEL: [&str; 6] = [
    "sum(increase(claude_code_session_count_total{job=\"otel-collector\"}[1h]))",
    "sum(increase(claude_code_cost_usage_USD_total{job=\"otel-collector\"}[1h]))",
    "sum(increase(claude_code_token_usage_tokens_total{job=\"otel-collector\"}[1h]))",
    "sum by (model) (increase(claude_code_cost_usage_USD_total{job=\"otel-collector\"}[1h]))",
    "sum by (model) (changes(claude_code_cost_usage_USD_total{job=\"otel-collector\"}[5m]))",
    "sum by (type) (rate(claude_code_token_usage_tokens_total{job=\"otel-collector\"}[5m]) * 60)",
];

/// `grafana/dashboards/working-dashboard.json` of anthropics/claude-code-monitoring-guide.
const MONITORING_GUIDE: [&str; 6] = [
    "count(count by (user_id)(increase(claude_code_cost_usage_USD_total[1m]) > 0))",
    "sum by (model)(increase(claude_code_cost_usage_USD_total[1m]))",
    "sum by (type)(increase(claude_code_token_usage_tokens_total[1m]))",
    "sum by (user_id)(increase(claude_code_cost_usage_USD_total[1m]))",
    "sum(increase(claude_code_cost_usage_USD_total[1m]))",
    "sum(increase(claude_code_token_usage_tokens_total[1m]))",
];

/// Made from the labels that dashboard 25255 of grafana.com selects and groups by.
const BY_ORGANIZATION: [&str; 4] = [
    "sum by (organization_id, user_email) (increase(claude_code_cost_usage_USD_total{organization_id=~\"acme\", \
     user_email=~\".+\", model=~\".*\"}[1m]))",
    "sum by (query_source, type) (increase(claude_code_token_usage_tokens_total{organization_id=~\"acme\", \
     terminal_type=~\".+\"}[1m]))",
    "sum by (model) (increase(claude_code_token_usage_tokens_total{type=\"cacheRead\", organization_id=~\"acme\"}[1m]))",
    "sum by (user_email) (increase(claude_code_session_count_total{organization_id=~\"acme\"}[1m]))",
];

#[test]
fn a8_published_dashboards_find_what_they_ask_for() {
    let Some(program) = parts::need("prometheus") else { return };
    let labels = "user_id = \"u1\", user_email = \"ana@example.org\", organization_id = \"acme\", \
                  terminal_type = \"vscode\"";
    let house = TestHouse::new().with_config(&format!("[sinks.prometheus]\nlabels = {{{labels}}}\n"));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    let prometheus = Server::scraping(&house, program, &[("otel-collector", served.address())]);
    prometheus.sees(&served);
    scribe.append("a", 10);
    scribe.append("b", 10);
    served.wait_counts(scribe.written, PATIENCE);
    prometheus.sees(&served);
    for expression in CLAUDE_CODE_OTEL.iter().chain(&MONITORING_GUIDE).chain(&BY_ORGANIZATION) {
        eventually(expression, PATIENCE, || {
            let results = prometheus.results(expression);
            results.iter().any(|(_, value)| *value > 0.0).then_some(())
        });
    }
    // A dashboard's lists of values to choose from.
    for (label, expected) in [("user_email", "ana@example.org"), ("organization_id", "acme"), ("type", "cacheRead")] {
        let answer = prometheus.ask(&format!("label/{label}/values"), &[("match[]", TOKENS)]).unwrap();
        let values = answer["data"].as_array().unwrap();
        assert!(values.iter().any(|value| value == expected), "{label}: {values:?}");
    }
}
