//! Sums as they are remembered between two runs: numbers in a row, so that they take little room.

use std::sync::Arc;

use super::Sums;
use crate::event::{PicoUsd, QuerySource, Tally, TokenCounts};

/// One sum: model, query source, counts, pico-dollars.
pub type Row = (Arc<str>, QuerySource, [u64; 8], i64);

pub fn rows(sums: &Sums) -> Vec<Row> {
    sums.iter().map(|((model, source), tally)| row(model, *source, tally)).collect()
}

pub fn from_rows(rows: Vec<Row>) -> Sums {
    rows.into_iter().map(|(model, source, counts, cost)| ((model, source), tally(counts, cost))).collect()
}

fn row(model: &Arc<str>, source: QuerySource, tally: &Tally) -> (Arc<str>, QuerySource, [u64; 8], i64) {
    let Tally { tokens, requests, searches, cost, unpriced_tokens } = *tally;
    let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
    let counts = [input, output, cache_write_5m, cache_write_1h, cache_read, requests, searches, unpriced_tokens];
    (Arc::clone(model), source, counts, i64::try_from(cost.0).unwrap_or(i64::MAX))
}

fn tally(counts: [u64; 8], cost: i64) -> Tally {
    let [input, output, cache_write_5m, cache_write_1h, cache_read, requests, searches, unpriced_tokens] = counts;
    Tally {
        tokens: TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read },
        requests,
        searches,
        cost: PicoUsd(cost.into()),
        unpriced_tokens,
    }
}
