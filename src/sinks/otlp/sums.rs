//! What the metrics delivery has to remember: since when the totals run, which models have series of their own, and for
//! deltas the totals that the receiver has acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{PicoUsd, Tally, TokenCounts, UnixMillis};
use crate::sinks::series::{Admitted, Row, Sums, from_rows, rows};

/// Survives restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// When the totals began.
    pub(super) start: Option<UnixMillis>,
    pub(super) admitted: Admitted,
    pub(super) acked: Option<Acked>,
}

/// Totals that have arrived, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Acked {
    pub(super) at: UnixMillis,
    pub(super) sums: Sums,
    pub(super) sessions: u64,
}

/// The same as it is stored: models once, numbers in a row.
#[derive(Serialize, Deserialize)]
struct Memo {
    start: Option<UnixMillis>,
    models: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acked: Option<AckedMemo>,
}

#[derive(Serialize, Deserialize)]
struct AckedMemo {
    at: UnixMillis,
    sessions: u64,
    series: Vec<Row>,
}

impl Memory {
    pub(super) fn written(&self) -> Option<String> {
        let acked = self.acked.as_ref().map(|acked| AckedMemo {
            at: acked.at,
            sessions: acked.sessions,
            series: rows(&acked.sums),
        });
        serde_json::to_string(&Memo { start: self.start, models: self.admitted.iter().cloned().collect(), acked }).ok()
    }

    /// What cannot be read is as if it were not there.
    pub(super) fn read(memo: &str) -> Self {
        let Ok(memo) = serde_json::from_str::<Memo>(memo) else {
            tracing::warn!("what was remembered of the metrics sent cannot be read; they begin anew");
            return Self::default();
        };
        let acked =
            memo.acked.map(|acked| Acked { at: acked.at, sessions: acked.sessions, sums: from_rows(acked.series) });
        Self { start: memo.start, admitted: Admitted::new(memo.models), acked }
    }
}

/// What came since: never less than nothing, whatever happened to the totals.
pub(super) fn difference(now: &Sums, then: &Sums) -> Sums {
    let none = Tally::default();
    let minus = |a: &Tally, b: &Tally| Tally {
        tokens: TokenCounts {
            input: a.tokens.input.saturating_sub(b.tokens.input),
            output: a.tokens.output.saturating_sub(b.tokens.output),
            cache_write_5m: a.tokens.cache_write_5m.saturating_sub(b.tokens.cache_write_5m),
            cache_write_1h: a.tokens.cache_write_1h.saturating_sub(b.tokens.cache_write_1h),
            cache_read: a.tokens.cache_read.saturating_sub(b.tokens.cache_read),
        },
        requests: a.requests.saturating_sub(b.requests),
        searches: a.searches.saturating_sub(b.searches),
        cost: PicoUsd((a.cost.0 - b.cost.0).max(0)),
        unpriced_tokens: a.unpriced_tokens.saturating_sub(b.unpriced_tokens),
    };
    let all = now.iter().map(|(key, tally)| (key.clone(), minus(tally, then.get(key).unwrap_or(&none))));
    all.filter(|(_, tally)| *tally != none).collect::<BTreeMap<_, _>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::QuerySource;

    fn sums(output: u64, cost: i128) -> Sums {
        let tokens = TokenCounts { output, ..TokenCounts::default() };
        [(("m".into(), QuerySource::Main), Tally::of(tokens, 0, Some(PicoUsd(cost))))].into_iter().collect()
    }

    #[test]
    fn everything_is_remembered() {
        let mut admitted = Admitted::default();
        admitted.fold(&sums(1, 1));
        let acked = Acked { at: UnixMillis(5), sums: sums(7, 123_456_789_012_345), sessions: 3 };
        let memory = Memory { start: Some(UnixMillis(2)), admitted, acked: Some(acked) };
        assert_eq!(Memory::read(&memory.written().unwrap()), memory);
        assert_eq!(Memory::read("{"), Memory::default());
    }

    #[test]
    fn the_memo_stays_small_whatever_the_models_are_called() {
        let mut admitted = Admitted::default();
        let most = Tally {
            tokens: TokenCounts { input: u64::MAX, output: u64::MAX, ..TokenCounts::default() },
            requests: u64::MAX,
            searches: u64::MAX,
            cost: PicoUsd(i64::MAX.into()),
            unpriced_tokens: u64::MAX,
        };
        let names = (0..200).map(|n| format!("{n:03}{}", "\"".repeat(300)));
        let both = names
            .flat_map(|name| [QuerySource::Main, QuerySource::Subagent].map(|s| ((name.as_str().into(), s), most)));
        let all: Sums = both.collect();
        let one = Tally { requests: 1, ..Tally::default() };
        let folded = admitted.fold(&all.into_keys().map(|key| (key, one)).collect());
        let sums = folded.into_keys().map(|key| (key, most)).collect();
        let acked = Some(Acked { at: UnixMillis(1), sums, sessions: u64::MAX });
        let memo = Memory { start: Some(UnixMillis(1)), admitted, acked }.written().unwrap();
        assert!(memo.len() <= 64 * 1024, "{}", memo.len());
    }

    #[test]
    fn a_difference_is_never_negative() {
        assert_eq!(difference(&sums(7, 70), &sums(7, 70)), Sums::new());
        let more = difference(&sums(9, 50), &sums(7, 70));
        let tally = more.values().next().unwrap();
        assert_eq!((tally.tokens.output, tally.cost.0, tally.requests), (2, 0, 0));
        assert_eq!(difference(&sums(7, 70), &Sums::new()), sums(7, 70));
    }
}
