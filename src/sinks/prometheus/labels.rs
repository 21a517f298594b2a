//! Label values that come out of transcripts, and so may be anything: made harmless and limited in number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{QuerySource, Tally};

/// How many models get series of their own; the others share [`OTHER`].
pub const MOST: usize = 100;

/// Stands for all models beyond [`MOST`].
pub const OTHER: &str = "other";

/// Longest label value, in characters.
const LONGEST: usize = 200;

/// Which models have series of their own. Once in, always in, and nobody moves: a series whose members changed could
/// fall, and a falling counter looks like a restart.
#[derive(Debug, Default)]
pub struct ModelLabels {
    admitted: BTreeSet<Arc<str>>,
}

/// Series by label value.
#[derive(Debug, Default)]
pub struct Folded {
    pub series: BTreeMap<(Arc<str>, QuerySource), Tally>,
    /// Models that share [`OTHER`].
    pub overflow: u64,
}

impl ModelLabels {
    /// Names the series. Places go to those with the most tokens when they are first seen.
    pub fn fold(&mut self, series: &BTreeMap<(Arc<str>, QuerySource), Tally>) -> Folded {
        let mut totals = BTreeMap::<Arc<str>, u64>::new();
        for ((model, _), tally) in series {
            let tokens = totals.entry(label_value(model)).or_default();
            *tokens = tokens.saturating_add(tally.tokens.total());
        }
        let mut new: Vec<_> = totals.into_iter().filter(|(label, _)| !self.admitted.contains(label)).collect();
        new.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let overflow = new.split_off(new.len().min(MOST - self.admitted.len()));
        self.admitted.extend(new.into_iter().map(|(label, _)| label));
        let mut folded = Folded { overflow: overflow.len() as u64, ..Folded::default() };
        let other: Arc<str> = OTHER.into();
        for ((model, source), tally) in series {
            let label = label_value(model);
            let label = if self.admitted.contains(&label) { label } else { Arc::clone(&other) };
            folded.series.entry((label, *source)).or_default().add(tally);
        }
        folded
    }
}

/// A value without control characters and of a bounded length. What is special to the format is escaped by the encoder.
pub fn label_value(text: &str) -> Arc<str> {
    if text.len() <= LONGEST && !text.chars().any(char::is_control) && !text.is_empty() {
        return text.into();
    }
    let clean: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if clean.is_empty() { "unknown".into() } else { clean.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TokenCounts;

    fn series(models: impl IntoIterator<Item = (String, u64)>) -> BTreeMap<(Arc<str>, QuerySource), Tally> {
        let tally = |input| Tally::of(TokenCounts { input, ..TokenCounts::default() }, 0, None);
        models.into_iter().map(|(name, tokens)| ((name.into(), QuerySource::Main), tally(tokens))).collect()
    }

    fn tokens(folded: &Folded, label: &str) -> Option<u64> {
        folded.series.get(&(label.into(), QuerySource::Main)).map(|tally| tally.tokens.total())
    }

    #[test]
    fn values() {
        fn check(text: &str, expected: &str) {
            assert_eq!(&*label_value(text), expected);
        }
        check("claude-opus-4-5", "claude-opus-4-5");
        check("a\u{0}b\nc\u{1b}[31m\u{85}", "abc[31m");
        check("\n", "unknown");
        check("", "unknown");
        check(&"é".repeat(10_000), &"é".repeat(200));
    }

    #[test]
    fn the_largest_get_places_and_keep_them() {
        let mut labels = ModelLabels::default();
        // 102 models; the two smallest are `model-0` and `model-1`.
        let mut models: Vec<_> = (0..102_u64).map(|n| (format!("model-{n}"), 10 + n)).collect();
        let first = labels.fold(&series(models.clone()));
        assert_eq!((first.series.len(), first.overflow), (101, 2));
        assert_eq!((tokens(&first, OTHER), tokens(&first, "model-2")), (Some(21), Some(12)));

        models[0].1 = 1_000_000;
        models.push(("model-new".to_owned(), 5));
        let second = labels.fold(&series(models));
        assert_eq!(second.overflow, 3);
        assert_eq!(tokens(&second, "model-0"), None, "it has become the largest and still stays where it was");
        assert_eq!(tokens(&second, OTHER), Some(1_000_000 + 11 + 5));
        assert_eq!(tokens(&second, "model-2"), Some(12));
    }

    #[test]
    fn names_that_look_the_same_are_one_series() {
        let folded = ModelLabels::default().fold(&series([("a\u{7}".to_owned(), 1), ("a".to_owned(), 2)]));
        assert_eq!((folded.series.len(), tokens(&folded, "a")), (1, Some(3)));
    }
}
