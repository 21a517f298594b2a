//! What the counters that are pushed have in common: which models have series of their own, and which values a sum has.
//!
//! Names come out of transcripts and so may be anything; they are made harmless and limited in number. Once a model has
//! series of its own it keeps them, over restarts too: a series whose members changed could fall, and a falling counter
//! looks like a restart.

mod points;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{QuerySource, Tally, TokenCounts};

pub use points::{
    CACHE_WRITES, COST, FAMILIES, Family, Point, REQUESTS, SEARCHES, SESSIONS, TOKENS, UNPRICED, float, points,
};
pub use rows::{Row, from_rows, rows};

/// Sums by model and query source.
pub type Sums = BTreeMap<(Arc<str>, QuerySource), Tally>;

/// How many models have series of their own; the others share [`OTHER`]. Small enough for the list to be remembered in
/// a memo of 64 KiB together with the sums.
pub const MOST_MODELS: usize = 40;

/// Stands for all models beyond [`MOST_MODELS`].
pub const OTHER: &str = "other";

/// Longest value of a label in bytes.
const LONGEST_LABEL: usize = 160;

/// The models that have series of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted(BTreeSet<Arc<str>>);

impl Admitted {
    /// As they were remembered.
    pub fn new(models: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self(models.into_iter().map(|model| label(&model)).take(MOST_MODELS).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }

    /// Sums by label. Places that are free go to those with the most tokens.
    pub fn fold(&mut self, sums: &Sums) -> Sums {
        let mut totals = BTreeMap::<Arc<str>, u64>::new();
        for ((model, _), tally) in sums {
            let tokens = totals.entry(label(model)).or_default();
            *tokens = tokens.saturating_add(tally.tokens.total());
        }
        let mut new: Vec<_> = totals.into_iter().filter(|(label, _)| !self.0.contains(label)).collect();
        new.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let free = MOST_MODELS.saturating_sub(self.0.len());
        self.0.extend(new.into_iter().take(free).map(|(label, _)| label));
        let mut folded = Sums::new();
        for ((model, source), tally) in sums {
            folded.entry((self.of(model), *source)).or_default().add(tally);
        }
        folded
    }

    /// The label of a model.
    pub fn of(&self, model: &str) -> Arc<str> {
        let label = label(model);
        if self.0.contains(&label) { label } else { OTHER.into() }
    }
}

/// A value without control characters, of a bounded length, and not empty.
pub fn label(text: &str) -> Arc<str> {
    let mut clean: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_LABEL).collect();
    while clean.len() > LONGEST_LABEL {
        clean.pop();
    }
    if clean.is_empty() { "unknown".into() } else { clean.into() }
}

/// Tokens by the four values that the attribute `type` has in Claude Code's own telemetry.
pub fn kinds(tokens: TokenCounts) -> [(&'static str, u64); 4] {
    let TokenCounts { input, output, cache_write_5m: _, cache_write_1h: _, cache_read } = tokens;
    [("input", input), ("output", output), ("cacheRead", cache_read), ("cacheCreation", tokens.cache_write())]
}

/// What is wholly without a price has an unknown cost, which is not zero.
pub fn has_cost(tally: &Tally) -> bool {
    tally.unpriced_tokens == 0 || tally.cost.0 > 0
}

/// The higher of each part of two sums: what a counter shows that must not fall.
pub fn highest(a: &Tally, b: &Tally) -> Tally {
    Tally {
        tokens: TokenCounts {
            input: a.tokens.input.max(b.tokens.input),
            output: a.tokens.output.max(b.tokens.output),
            cache_write_5m: a.tokens.cache_write_5m.max(b.tokens.cache_write_5m),
            cache_write_1h: a.tokens.cache_write_1h.max(b.tokens.cache_write_1h),
            cache_read: a.tokens.cache_read.max(b.tokens.cache_read),
        },
        requests: a.requests.max(b.requests),
        searches: a.searches.max(b.searches),
        cost: a.cost.max(b.cost),
        unpriced_tokens: a.unpriced_tokens.max(b.unpriced_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(models: impl IntoIterator<Item = (String, u64)>) -> Sums {
        let tally = |input| Tally::of(TokenCounts { input, ..TokenCounts::default() }, 0, None);
        models.into_iter().map(|(name, tokens)| ((name.into(), QuerySource::Main), tally(tokens))).collect()
    }

    fn tokens(sums: &Sums, label: &str) -> Option<u64> {
        sums.get(&(label.into(), QuerySource::Main)).map(|tally| tally.tokens.total())
    }

    #[test]
    fn places_are_kept_over_a_restart() {
        let mut admitted = Admitted::default();
        let mut models: Vec<_> = (0..42_u64).map(|n| (format!("model-{n}"), 10 + n)).collect();
        let first = admitted.fold(&sums(models.clone()));
        assert_eq!((first.len(), tokens(&first, OTHER), tokens(&first, "model-2")), (41, Some(21), Some(12)));
        models[0].1 = 1_000_000;
        let mut admitted = Admitted::new(admitted.iter().cloned());
        let second = admitted.fold(&sums(models));
        assert_eq!(tokens(&second, "model-0"), None, "it has become the largest and still stays where it was");
        assert_eq!(tokens(&second, OTHER), Some(1_000_011));
    }

    #[test]
    fn labels_are_harmless() {
        let check = |text: &str, expected: &str| assert_eq!(&*label(text), expected);
        check("claude-opus-4-5", "claude-opus-4-5");
        check("a\u{0}b\nc\u{1b}[31m\u{85}", "abc[31m");
        check("\n", "unknown");
        check(&"é".repeat(10_000), &"é".repeat(80));
    }
}
