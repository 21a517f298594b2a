//! The history against the truth of our own generator, which has prices and arithmetic of its own.

use std::collections::BTreeMap;

use claude_token_monitor::event::UnixMillis;
use claude_token_monitor::synthetic::{self, Noise, Plan, TruthRow};

use crate::truth::{Sums, Truth, check};

/// Writes one corpus and compares every sum.
fn generated(name: &str, plan: &Plan) {
    let dir = tempfile::tempdir().unwrap();
    let truth = synthetic::write(plan, dir.path()).unwrap();
    let truth = Truth {
        responses: int(truth.responses),
        totals: sums(&truth.totals),
        by_model: all(&truth.by_model),
        by_day: all(&truth.by_day),
        by_project: all(&truth.by_project),
        by_day_model: None,
        by_session: Some(all(&truth.by_session)),
        by_branch: Some(all(&truth.by_branch)),
        malformed_lines: int(truth.malformed_lines),
        unpriced_tokens: int(truth.totals.unpriced_tokens),
    };
    check(name, dir.path(), &truth);
}

fn int(count: u64) -> i64 {
    count.try_into().unwrap()
}

fn all(rows: &BTreeMap<String, TruthRow>) -> BTreeMap<String, Sums> {
    rows.iter().map(|(name, row)| (name.clone(), sums(row))).collect()
}

fn sums(row: &TruthRow) -> Sums {
    Sums {
        responses: int(row.responses),
        input_tokens: int(row.tokens.input),
        output_tokens: int(row.tokens.output),
        cache_creation_tokens: int(row.tokens.cache_write()),
        cache_read_tokens: int(row.tokens.cache_read),
        cost_usd: row.cost.usd(),
    }
}

#[test]
fn everything_that_was_ever_reported_is_counted_to_the_last_token() {
    generated("full noise", &Plan::default());
}

#[test]
fn the_usual_noise_is_counted_to_the_last_token() {
    for seed in 2..5 {
        generated(
            &format!("usual, seed {seed}"),
            &Plan { seed, bytes: 4 << 20, noise: Noise::Usual, ..Plan::default() },
        );
    }
}

#[test]
fn lines_without_noise_are_counted_to_the_last_token() {
    generated("none", &Plan { bytes: 4 << 20, noise: Noise::None, ..Plan::default() });
}

#[test]
fn other_seeds_and_days_are_counted_to_the_last_token() {
    for (seed, days, end_day) in [(11, 1, 20_400), (12, 400, 20_700), (13, 30, 20_640)] {
        let end = UnixMillis(end_day * UnixMillis::DAY);
        generated(&format!("seed {seed}"), &Plan { seed, days, end, bytes: 3 << 20, ..Plan::default() });
    }
}
