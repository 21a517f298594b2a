//! The history against the truth of a generator that shares no code with us: `CORPUS_GENERATOR`, a Python program that
//! writes transcripts below `OUT/claude` and what they add up to into `OUT/truth.json`.

use std::process::Command;

use crate::truth::Truth;
use crate::{parts, truth};

/// Generates one corpus and compares every sum.
fn generated(name: &str, args: &[&str]) {
    let Some(generator) = parts::variable("CORPUS_GENERATOR") else {
        parts::leave_out("CORPUS_GENERATOR");
        return;
    };
    let Some(python) = parts::need("python3") else { return };
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(python).arg(generator).arg(out.path()).args(args).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let truth: Truth = serde_json::from_slice(&std::fs::read(out.path().join("truth.json")).unwrap()).unwrap();
    truth::check(name, &out.path().join("claude"), &truth);
}

#[test]
fn the_usual_corpus_is_counted_to_the_last_token() {
    generated("the usual", &["--mib", "16", "--seed", "1"]);
}

#[test]
fn a_clean_corpus_is_counted_to_the_last_token() {
    generated("clean", &["--mib", "8", "--seed", "2", "--clean"]);
}

#[test]
fn other_seeds_are_counted_to_the_last_token() {
    for seed in ["3", "4", "5"] {
        generated(seed, &["--mib", "4", "--seed", seed]);
    }
}

#[test]
fn prices_of_other_days_are_charged() {
    for end in ["2025-10-31", "2026-03-31", "2026-06-30", "2026-10-09"] {
        generated(end, &["--mib", "3", "--seed", "6", "--days", "200", "--end", end]);
    }
}

#[test]
fn small_and_short_corpora_are_counted_to_the_last_token() {
    for (mib, days) in [("0.2", "1"), ("1", "7"), ("2", "400")] {
        generated(mib, &["--mib", mib, "--seed", "7", "--days", days]);
        generated(mib, &["--mib", mib, "--seed", "8", "--days", days, "--clean"]);
    }
}
