//! Label values that come out of transcripts, and so may be anything: made harmless and limited in number. Label names
//! that come out of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Period;
use crate::event::{QuerySource, Tally};
use crate::hub::Snapshot;

/// Stands for all models beyond those that have a place.
pub const OTHER: &str = "other";

/// The values of the label `period`.
pub const PERIODS: [(&str, Period); 3] = [("daily", Period::Day), ("weekly", Period::Week), ("monthly", Period::Month)];

/// Longest label value, in characters.
const LONGEST: usize = 200;

/// Labels that families have of their own, and those that Prometheus gives a meaning to.
const TAKEN: [&str; 11] =
    ["type", "model", "query_source", "ttl", "project", "session_id", "direction", "period", "le", "quantile", "job"];

/// Whether a label of the user's may have this name (<https://prometheus.io/docs/concepts/data_model>).
pub fn check_name(name: &str) -> Result<(), String> {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let valid = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if !valid || name.starts_with("__") {
        return Err(format!(
            "labels.{name:?} is no name for a label: letters, digits and _, and no __ at its beginning"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(format!("labels.{name} is a label that metrics have already"));
    }
    Ok(())
}

/// Series by label value of the model.
#[derive(Debug, Default)]
pub struct Folded {
    pub series: BTreeMap<(Arc<str>, QuerySource), Tally>,
    /// Models that share [`OTHER`].
    pub overflow: u64,
}

/// Names the series. Who has a place and who has not is the store's knowledge, over restarts too: a series whose members
/// changed could fall, and a falling counter looks like a restart.
pub fn fold(snapshot: &Snapshot) -> Folded {
    let mut folded = Folded::default();
    let mut others = BTreeSet::new();
    let other: Arc<str> = OTHER.into();
    for ((model, source), tally) in &snapshot.series {
        // Zeros stand for models that may come; they have no place and take none.
        let shown = snapshot.model_places.contains(model) || *tally == Tally::default();
        let label = if shown {
            label_value(model)
        } else {
            others.insert(model);
            Arc::clone(&other)
        };
        folded.series.entry((label, *source)).or_default().add(tally);
    }
    folded.overflow = others.len() as u64;
    folded
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

    fn snapshot(models: &[(&str, u64)], places: &[&str]) -> Snapshot {
        let tally = |input: u64| Tally::of(TokenCounts { input, ..TokenCounts::default() }, 0, None);
        let mut snapshot = Snapshot::default();
        for (model, input) in models {
            let tally = if *input == 0 { Tally::default() } else { tally(*input) };
            snapshot.series.insert(((*model).into(), QuerySource::Main), tally);
        }
        snapshot.model_places = Arc::new(places.iter().map(|model| (*model).into()).collect());
        snapshot
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
    fn names() {
        let refused = |name: &str| check_name(name).is_err();
        for name in ["user_email", "user_id", "_x", "A1"] {
            assert!(!refused(name), "{name}");
        }
        for name in ["", "1a", "user-id", "user.id", "__name__", "é", "model", "le", "job", "a b", "a\n"] {
            assert!(refused(name), "{name}");
        }
    }

    #[test]
    fn those_without_a_place_share_a_series() {
        let folded = fold(&snapshot(&[("a", 1), ("b", 20), ("c", 300), ("to-come", 0)], &["b"]));
        assert_eq!(folded.overflow, 2);
        assert_eq!((tokens(&folded, "b"), tokens(&folded, OTHER)), (Some(20), Some(301)));
        assert_eq!((tokens(&folded, "a"), tokens(&folded, "to-come")), (None, Some(0)));
    }

    #[test]
    fn names_that_look_the_same_are_one_series() {
        let folded = fold(&snapshot(&[("a\u{7}", 1), ("a", 2)], &["a\u{7}", "a"]));
        assert_eq!((folded.series.len(), tokens(&folded, "a")), (1, Some(3)));
    }
}
