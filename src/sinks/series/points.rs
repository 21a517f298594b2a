//! Sums as series of Prometheus, under the names and labels that `/metrics` has, for what pushes or writes samples.

use std::sync::Arc;

use super::{Sums, has_cost, kinds};
use crate::event::{QuerySource, Tally};

/// A counter that is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    /// As samples have it, with `_total`.
    pub name: &'static str,
    pub unit: &'static str,
    pub help: &'static str,
}

pub const TOKENS: Family = Family {
    name: "claude_code_token_usage_tokens_total",
    unit: "tokens",
    help: "Tokens used, each response counted once",
};
pub const COST: Family = Family {
    name: "claude_code_cost_usage_USD_total",
    unit: "USD",
    help: "Estimated cost at API list prices of the day of each response",
};
pub const REQUESTS: Family =
    Family { name: "claude_token_monitor_api_requests_total", unit: "", help: "Responses, each counted once" };
pub const CACHE_WRITES: Family = Family {
    name: "claude_token_monitor_cache_creation_tokens_total",
    unit: "tokens",
    help: "Tokens written to caches, by time to live",
};
pub const UNPRICED: Family = Family {
    name: "claude_token_monitor_unpriced_tokens_total",
    unit: "tokens",
    help: "Tokens of models without a price; they are in no cost",
};
pub const SEARCHES: Family =
    Family { name: "claude_token_monitor_web_searches_total", unit: "", help: "Billed web searches" };
pub const SESSIONS: Family =
    Family { name: "claude_code_session_count_total", unit: "", help: "Sessions with at least one response" };

/// Every family that is made of [`Sums`].
pub const FAMILIES: [Family; 6] = [TOKENS, COST, REQUESTS, CACHE_WRITES, UNPRICED, SEARCHES];

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub family: Family,
    pub labels: Vec<(&'static str, Arc<str>)>,
    pub value: f64,
}

/// Every value of one model.
pub fn points(sums: &Sums, model: &Arc<str>, costs: bool) -> Vec<Point> {
    let mut points = Vec::new();
    let mut both = Tally::default();
    for source in [QuerySource::Main, QuerySource::Subagent] {
        let Some(tally) = sums.get(&(Arc::clone(model), source)) else { continue };
        both.add(tally);
        let labels = || vec![("model", Arc::clone(model)), ("query_source", source.name().into())];
        for (kind, count) in kinds(tally.tokens) {
            let mut labels = labels();
            labels.push(("type", kind.into()));
            points.push(Point { family: TOKENS, labels, value: float(count) });
        }
        if costs && has_cost(tally) {
            points.push(Point { family: COST, labels: labels(), value: tally.cost.usd() });
        }
        points.push(Point { family: REQUESTS, labels: labels(), value: float(tally.requests) });
    }
    let labels = || vec![("model", Arc::clone(model))];
    for (ttl, count) in [("5m", both.tokens.cache_write_5m), ("1h", both.tokens.cache_write_1h)] {
        let mut labels = labels();
        labels.push(("ttl", ttl.into()));
        points.push(Point { family: CACHE_WRITES, labels, value: float(count) });
    }
    points.push(Point { family: UNPRICED, labels: labels(), value: float(both.unpriced_tokens) });
    points.push(Point { family: SEARCHES, labels: labels(), value: float(both.searches) });
    points
}

/// A count as a sample has it; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub fn float(count: u64) -> f64 {
    count as f64
}
