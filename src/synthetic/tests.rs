//! The truth against a second, slow and plain reading of the same files.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::event::{TokenCounts, UnixMillis};

use super::prices::{Bill, MODELS};
use super::recount::{files, is_transcript, recount, tokens};
use super::{Live, Noise, Plan, TruthRow, demo_plan, write};

fn plan(noise: Noise) -> Plan {
    Plan { bytes: 4_000_000, noise, content_percent: 40, typical_file_bytes: 12_000, ..Plan::default() }
}

#[test]
fn the_truth_is_what_a_second_reader_finds() {
    for noise in [Noise::None, Noise::Usual, Noise::Full] {
        for seed in 1..4 {
            let root = tempfile::tempdir().unwrap();
            let truth = write(&Plan { seed, ..plan(noise) }, root.path()).unwrap();
            let found = recount(root.path());
            let mut differences = Vec::new();
            compare(
                "",
                &serde_json::to_value(&truth).unwrap(),
                &serde_json::to_value(&found).unwrap(),
                &mut differences,
            );
            assert!(differences.is_empty(), "{noise:?}, seed {seed}, truth and found:\n{}", differences.join("\n"));
        }
    }
}

/// Names every number in which two trees differ.
fn compare(path: &str, truth: &Value, found: &Value, differences: &mut Vec<String>) {
    match (truth, found) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
            for name in names {
                compare(&format!("{path}/{name}"), &truth[name], &found[name], differences);
            }
        }
        _ if truth == found => {}
        _ => differences.push(format!("{path}: {truth} {found}")),
    }
}

/// A plain sum over all lines is right without noise, and far off with it.
#[test]
fn noise_is_what_a_plain_sum_trips_over() {
    let sum = |noise| {
        let root = tempfile::tempdir().unwrap();
        let truth = write(&plan(noise), root.path()).unwrap();
        let mut sum = TokenCounts::default();
        for path in files(&root.path().join("projects")).iter().filter(|path| is_transcript(path)) {
            for line in fs::read(path).unwrap().split(|byte| *byte == b'\n') {
                let value: Value = serde_json::from_slice(line).unwrap_or_default();
                if value["message"]["usage"].is_object() {
                    let line = tokens(&value["message"]["usage"]);
                    sum.input += line.input;
                    sum.output += line.output;
                    sum.cache_read += line.cache_read;
                    sum.cache_write_5m += line.cache_write_5m;
                    sum.cache_write_1h += line.cache_write_1h;
                }
            }
        }
        (truth.totals.tokens, sum)
    };
    let (truth, plain) = sum(Noise::None);
    assert_eq!(truth, plain);
    let (truth, plain) = sum(Noise::Usual);
    assert!(plain.cache_read > truth.cache_read * 3 / 2, "{plain:?} {truth:?}");
    let (truth, plain) = sum(Noise::Full);
    assert!(plain.cache_read > truth.cache_read * 3 / 2, "{plain:?} {truth:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let read = |seed| {
        let root = tempfile::tempdir().unwrap();
        write(&Plan { seed, bytes: 300_000, ..plan(Noise::Full) }, root.path()).unwrap();
        let paths = files(root.path());
        paths.iter().map(|path| (path.strip_prefix(root.path()).unwrap().to_owned(), fs::read(path).unwrap())).collect()
    };
    let first: Vec<(PathBuf, Vec<u8>)> = read(5);
    assert!(first == read(5));
    assert!(first != read(6));
}

/// Every oddity is in there somewhere.
#[test]
fn full_noise_is_complete() {
    let root = tempfile::tempdir().unwrap();
    let truth = write(&Plan { bytes: 10_000_000, ..plan(Noise::Full) }, root.path()).unwrap();
    let paths = files(root.path());
    let everything = paths.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>().concat();
    for needle in [
        r#""type":"agent_progress""#,
        r#""toolUseResult":{"status":"completed","totalTokens""#,
        r#""model":"<synthetic>""#,
        "usage limit reached|",
        r#""type":"message","model":null"#,
        r#""type":"advisor_message""#,
        r#""type":"compaction""#,
        r#""type":"fallback_message""#,
        r#""type":"speculation""#,
        r#""type":"cost-state""#,
        r#""type":"file-history-snapshot""#,
        r#""requestId":null"#,
        r#""message":{"model":null"#,
        r#""id":null,"type":"message""#,
        r#""id":"chatcmpl-"#,
        r#""speed":"fast""#,
        r#""inference_geo":"us""#,
        r#""inference_geo":null"#,
        r#""service_tier":"priority""#,
        r#""ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0"#,
        r#""usage":{"input_tokens":888888"#,
        "\\\"usage\\\":{\\\"input_tokens\\\":777777",
        "}\r\n",
        r#"}{"parentUuid""#,
        r#""output_tok{"parentUuid""#,
        "\0\0\0{\"parentUuid\"",
        "\n\n",
        "\u{feff}{\"parentUuid\"",
        "alert('x')",
        "数据平台",
        "/.claude/worktrees/",
        "T23:59:59.900Z",
    ] {
        assert!(memchr::memmem::find(&everything, needle.as_bytes()).is_some(), "{needle:?} is missing");
    }
    let names = paths.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>().join("\n");
    for needle in [
        ".JSONL",
        ".meta.json",
        ".jsonl.bak",
        "/subagents/agent-",
        "/workflows/",
        "/journal.jsonl",
        "/audit.jsonl",
        "agent-acompact-",
        "agent-aside_question-",
        "conflicted copy/",
        "/transcript.jsonl",
        "---",
    ] {
        assert!(names.contains(needle), "no file named {needle:?}");
    }
    let half_written =
        paths.iter().any(|path| is_transcript(path) && fs::read(path).unwrap().last().is_some_and(|end| *end != b'\n'));
    assert!(half_written);
    assert_eq!(truth.malformed_lines, truth.skipped.values().sum::<u64>());
    assert_eq!(truth.skipped.keys().copied().collect::<Vec<_>>(), ["malformed", "not_an_object", "nul_run", "spliced"]);
    assert!(truth.subagent_responses > 0 && truth.totals.unpriced_tokens > 0 && truth.totals.web_searches > 0);
}

#[test]
fn sizes_follow_the_profile() {
    let root = tempfile::tempdir().unwrap();
    let plan = Plan { bytes: 32 << 20, ..Plan::default() };
    let truth = write(&plan, root.path()).unwrap();
    assert!(truth.bytes.abs_diff(plan.bytes) < plan.bytes / 6, "{} of {} bytes", truth.bytes, plan.bytes);
    let paths = files(&root.path().join("projects"));
    let mut sizes: Vec<u64> =
        paths.iter().filter(|path| is_transcript(path)).map(|path| path.metadata().unwrap().len()).collect();
    sizes.sort_unstable();
    let at = |percent: usize| sizes[sizes.len() * percent / 100];
    assert!((50_000..150_000).contains(&at(50)), "median {}", at(50));
    assert!((400_000..1_000_000).contains(&at(90)), "p90 {}", at(90));
    let largest = sizes.last().unwrap();
    assert!(*largest < plan.bytes * 8 / 100 && *largest > plan.bytes * 5 / 100, "largest {largest}");
    let content: u64 =
        paths.iter().filter(|path| is_transcript(path)).map(|path| content_bytes(&fs::read(path).unwrap())).sum();
    assert!((82..96).contains(&(content * 100 / truth.bytes)), "{content} of {}", truth.bytes);
}

/// The length of all strings that hold content.
fn content_bytes(file: &[u8]) -> u64 {
    fn walk(name: &str, value: &Value) -> usize {
        match value {
            Value::Object(fields) => fields.iter().map(|(name, value)| walk(name, value)).sum(),
            Value::Array(items) => items.iter().map(|item| walk(name, item)).sum(),
            Value::String(text)
                if ["content", "text", "thinking", "command", "body", "stdout", "a.rs"].contains(&name) =>
            {
                serde_json::to_string(text).unwrap().len()
            }
            _ => 0,
        }
    }
    let lines = file.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.map(|value: Value| walk("", &value) as u64).sum()
}

#[test]
fn a_demonstration_is_small_lively_and_clean() {
    let root = tempfile::tempdir().unwrap();
    let now = UnixMillis(1_795_400_000_000);
    let truth = write(&demo_plan(now), root.path()).unwrap();
    assert!((6_000_000..9_000_000).contains(&truth.bytes), "{}", truth.bytes);
    assert!(truth.by_day.len() > 40, "{} days", truth.by_day.len());
    assert!(truth.by_day.contains_key(&super::time::day(now)), "nothing today");
    assert!(truth.by_model.len() > 5 && truth.by_project.len() > 5);
    assert_eq!(truth.malformed_lines, 0);
    let future = format!("{}T", super::time::day(super::time::after(now, 86_400_000)));
    for path in files(root.path()) {
        assert!(memchr::memmem::find(&fs::read(&path).unwrap(), future.as_bytes()).is_none(), "{}", path.display());
    }
}

#[test]
fn live_sessions_grow_by_whole_lines() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("projects")).unwrap();
    let size = || files(root.path()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let mut total = TruthRow::default();
    // Started twice with the same seed, as a demonstration is.
    for start in [1_795_400_000_000, 1_795_400_200_000] {
        let mut live = Live::new(root.path(), 3);
        for second in 0..120 {
            let before = size();
            let added = live.tick(UnixMillis(start + second * 1000)).unwrap();
            assert!(added.responses >= 1);
            total.add(&added);
            assert!(size() > before);
            let whole = |path: &PathBuf| fs::read(path).unwrap().ends_with(b"}\n");
            assert!(files(root.path()).iter().all(whole));
        }
    }
    let found = recount(root.path());
    assert_eq!(found.totals, total);
    assert!(found.by_session.len() > 3, "{} sessions", found.by_session.len());
    assert!(found.lines > total.responses * 2);
}

#[test]
fn the_truth_is_written_with_exact_money() {
    let tokens = TokenCounts { input: 1, ..TokenCounts::default() };
    let row = TruthRow::of(&MODELS[0], UnixMillis(1_795_400_000_000), tokens, Bill::default());
    let expected = serde_json::json!({
        "responses": 1, "input": 1, "output": 0, "cache_write_5m": 0, "cache_write_1h": 0, "cache_read": 0,
        "web_searches": 0, "cost_usd": "0.000004000000", "unpriced_tokens": 0
    });
    assert_eq!(serde_json::to_value(row).unwrap(), expected);
}
