//! Transcripts that somebody once counted wrongly. A case is a folder of `tests/fixtures`, described in its README; each
//! is a test of its own, so that a failure says which input it was.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::house::TestHouse;
use crate::parts::checkout;

macro_rules! cases {
    ($($name:ident: $folder:literal,)*) => {
        $(#[test] fn $name() { check($folder); })*

        #[test]
        fn every_case_is_tested() {
            let folders = std::fs::read_dir(home()).unwrap().map(|entry| entry.unwrap());
            let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
            let mut folders: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
            folders.sort();
            assert_eq!(folders, [$($folder),*]);
        }
    };
}

cases! {
    case_01_half_written_last_line: "01-half-written-last-line",
    case_02_spliced: "02-spliced",
    case_03_two_records_on_a_line: "03-two-records-on-a-line",
    case_04_nul_runs: "04-nul-runs",
    case_05_utf16: "05-utf16",
    case_05_utf8_bom: "05-utf8-bom",
    case_06_line_ends: "06-line-ends",
    case_07_invalid_utf8: "07-invalid-utf8",
    case_08_lone_surrogates: "08-lone-surrogates",
    case_09_long_line: "09-long-line",
    case_09_spaced_json: "09-spaced-json",
    case_10_snapshots_only: "10-snapshots-only",
    case_11_deep_nesting: "11-deep-nesting",
    case_12_duplicate_keys: "12-duplicate-keys",
    case_13_numbers_in_other_types: "13-numbers-in-other-types",
    case_14_negative_numbers: "14-negative-numbers",
    case_15_implausible: "15-implausible",
    case_16_no_numbers: "16-no-numbers",
    case_17_no_usage: "17-no-usage",
    case_18_no_model: "18-no-model",
    case_19_synthetic_lines: "19-synthetic-lines",
    case_20_unknown_words: "20-unknown-words",
    case_21_nulls_that_do_not_matter: "21-nulls-that-do-not-matter",
    case_22_cache_creation: "22-cache-creation",
    case_23_no_timestamp: "23-no-timestamp",
    case_24_leap_second: "24-leap-second",
    case_24_timestamp_forms: "24-timestamp-forms",
    case_25_far_times: "25-far-times",
    case_26_out_of_order: "26-out-of-order",
    case_27_same_message_in_two_files: "27-same-message-in-two-files",
    case_28_one_session_two_projects: "28-one-session-two-projects",
    case_29_constant_message_id: "29-constant-message-id",
    case_30_no_regular_files: "30-no-regular-files",
    case_31_other_extensions: "31-other-extensions",
    case_47_hostile_names: "47-hostile-names",
    case_48_message_is_text: "48-message-is-text",
    case_49_not_an_object: "49-not-an-object",
    case_50_stats_cache_empty: "50-stats-cache-empty",
    case_50_stats_cache_flat_map: "50-stats-cache-flat-map",
    case_50_stats_cache_half_written: "50-stats-cache-half-written",
    case_50_stats_cache_null_tokens: "50-stats-cache-null-tokens",
    case_50_stats_cache_version_99: "50-stats-cache-version-99",
    case_50_stats_cache_wrapped_map: "50-stats-cache-wrapped-map",
    case_51_no_session_id: "51-no-session-id",
    case_52_odd_cost: "52-odd-cost",
    case_53_midnight_and_zones: "53-midnight-and-zones",
    advisor: "advisor",
    broken_lines: "broken-lines",
    cache_split: "cache-split",
    cache_without_split: "cache-without-split",
    collision_guard: "collision-guard",
    compaction: "compaction",
    constant_message_id: "constant-message-id",
    error_notices: "error-notices",
    fast_mode: "fast-mode",
    growing_output: "growing-output",
    hour_long_cache: "hour-long-cache",
    long_context: "long-context",
    midnight: "midnight",
    missing_request_ids: "missing-request-ids",
    odd_numbers: "odd-numbers",
    other_files: "other-files",
    price_of_the_day: "price-of-the-day",
    reported_totals: "reported-totals",
    resume_fork: "resume-fork",
    resumed_session: "resumed-session",
    side_question_replay: "side-question-replay",
    sidechain_replay: "sidechain-replay",
    spaces_in_json: "spaces-in-json",
    sub_agent_files: "sub-agent-files",
    unfinished_last_line: "unfinished-last-line",
    unpriced_model: "unpriced-model",
    us_inference: "us-inference",
    usage_in_prose: "usage-in-prose",
    web_searches: "web-searches",
    windows_line_ends: "windows-line-ends",
    worked_example: "worked-example",
    worktree: "worktree",
    worktrees: "worktrees",
}

fn home() -> PathBuf {
    checkout().join("tests/fixtures")
}

/// Reads the case with the real program, twice, and compares whatever `expected.json` names.
fn check(case: &str) {
    let folder = home().join(case);
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let house = TestHouse::new().reading(folder.join("input"));
    for reading in ["the first reading", "reading again"] {
        house.ingest();
        let got = Got::of(&house);
        for (key, value) in expected.as_object().unwrap() {
            got.compare(key, value).unwrap_or_else(|got| {
                panic!("{case}: after {reading}, `{key}` should be {value:#}, is {got:#}");
            });
        }
    }
}

/// What the program made of a case.
struct Got {
    db: Connection,
    doctor: Value,
}

impl Got {
    fn of(house: &TestHouse) -> Self {
        let db = Connection::open(house.database()).unwrap();
        Self { db, doctor: serde_json::from_str(&house.run(["doctor", "--json"]).stdout).unwrap() }
    }

    fn compare(&self, key: &str, expected: &Value) -> Result<(), Value> {
        let read = &self.doctor["database"]["sources"]["claude"];
        let got = match key {
            "why" => return Ok(()),
            "totals" => {
                let all = self.totals();
                let named = expected.as_object().unwrap().keys().map(|field| (field.clone(), all[field].clone()));
                Value::Object(named.collect())
            }
            "models" => self.sum_by("output_tokens", "model"),
            "by_day" => self.sum_by("output_tokens", "substr(timestamp, 1, 10)"),
            "by_session" => self.sum_by("output_tokens", "session_id"),
            "by_project" => self.sum_by("output_tokens", "project_name"),
            "by_branch" => self.sum_by("output_tokens", "coalesce(git_branch, '')"),
            "requests_by_model" => self.sum_by("1", "model"),
            "requests_by_day" => self.sum_by("1", "substr(timestamp, 1, 10)"),
            "requests_by_session" => self.sum_by("1", "session_id"),
            "requests_by_project" => self.sum_by("1", "project_name"),
            "sessions" => self.one("SELECT count(DISTINCT session_id) FROM token_usage"),
            "subagent_requests" => self.one("SELECT coalesce(sum(requests), 0) FROM rollup WHERE sidechain"),
            "skipped" => {
                let skipped = read["skipped"].as_object().unwrap();
                Value::Object(skipped.iter().filter(|(_, n)| **n != 0).map(|(k, n)| (k.clone(), n.clone())).collect())
            }
            "api_errors" | "unknown_iterations" => read[key].clone(),
            "cost_usd" => self.cost(),
            "estimates" => self.estimates(),
            other => panic!("expected.json has a key that nobody checks: {other}"),
        };
        let expected = match key {
            "skipped" => without_zeros(expected),
            _ => expected.clone(),
        };
        if got == expected { Ok(()) } else { Err(got) }
    }

    fn totals(&self) -> Value {
        let sum = |column: &str| self.one(&format!("SELECT coalesce(sum({column}), 0) FROM token_usage"));
        json!({
            "input_tokens": sum("input_tokens"),
            "output_tokens": sum("output_tokens"),
            "cache_creation_tokens": sum("cache_creation_tokens"),
            "cache_creation_1h_tokens": sum("cache_creation_1h_tokens"),
            "cache_read_tokens": sum("cache_read_tokens"),
            "requests": self.one("SELECT count(*) FROM token_usage"),
            "unpriced_tokens": self.one("SELECT coalesce(sum(unpriced_tokens), 0) FROM series"),
            "web_search_requests": self.one("SELECT coalesce(sum(searches), 0) FROM series"),
        })
    }

    /// Dollars to the twelfth place, from the exact sums.
    fn cost(&self) -> Value {
        let pico: i64 = self.db.query_row("SELECT coalesce(sum(cost), 0) FROM rollup", [], |row| row.get(0)).unwrap();
        json!(format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000))
    }

    fn estimates(&self) -> Value {
        let sql = "SELECT model, input, output, cache_write, cache_read FROM estimate_lifetime";
        let mut statement = self.db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let tokens = json!({
                "input_tokens": row.get::<_, i64>(1)?,
                "output_tokens": row.get::<_, i64>(2)?,
                "cache_creation_tokens": row.get::<_, i64>(3)?,
                "cache_read_tokens": row.get::<_, i64>(4)?,
            });
            Ok((row.get::<_, String>(0)?, tokens))
        });
        Value::Object(rows.unwrap().collect::<Result<Map<_, _>, _>>().unwrap())
    }

    fn one(&self, sql: &str) -> Value {
        json!(self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap())
    }

    fn sum_by(&self, value: &str, column: &str) -> Value {
        let sql = format!("SELECT {column}, sum({value}) FROM token_usage GROUP BY 1");
        let mut statement = self.db.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
        json!(rows.collect::<Result<BTreeMap<_, _>, _>>().unwrap())
    }
}

fn without_zeros(map: &Value) -> Value {
    let map = map.as_object().unwrap().iter().filter(|(_, n)| **n != 0);
    Value::Object(map.map(|(k, n)| (k.clone(), n.clone())).collect())
}
