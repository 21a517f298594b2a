//! Claude Code's own statistics file, and the flat maps that other tools write in its place, as an estimate. Pure over
//! bytes: which file it is, and when it changed, is the caller's business.

mod source;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::event::TokenCounts;
use crate::plugin::Estimate;

pub use self::source::StatsCache;

/// Why a file gives no estimate. What an earlier read of it gave stays valid.
#[derive(Debug, thiserror::Error)]
pub enum StatsCacheError {
    /// Most often the file was read while it was written; the next read will do.
    #[error("reading statistics as json, which may be half written: {0}")]
    Json(#[from] serde_json::Error),
    /// An empty object: it was just made, or reset.
    #[error("the file holds no statistics yet")]
    Empty,
    #[error("the file has neither `modelUsage`, `dailyModelTokens` nor token counts by model")]
    Unsupported,
}

/// A model that stands for notices of Claude Code itself.
const SYNTHETIC_MODEL: &str = "<synthetic>";
/// The first `dailyModelTokensVersion` whose daily numbers include cache reads and writes.
const DAYS_WITH_CACHE: u64 = 5;
/// Above it a number is damage, and a sum of such numbers would not fit into the database.
const MOST_TOKENS: u64 = 1_000_000_000_000_000;

/// Reads any known shape: the statistics of Claude Code in every version, a map from models to token counts, and that
/// map inside `{"models": …}`; member names in camel or snake case. Unknown members and versions are no error.
pub fn parse(bytes: &[u8], origin: String) -> Result<Estimate, StatsCacheError> {
    let content_hash = xxhash_rust::xxh3::xxh3_64(bytes);
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let Value::Object(file) = serde_json::from_slice(bytes)? else { return Err(StatsCacheError::Unsupported) };
    if file.is_empty() {
        return Err(StatsCacheError::Empty);
    }
    let mut estimate = Estimate {
        origin,
        content_hash,
        last_day: None,
        includes_cache: false,
        days: Vec::new(),
        lifetime: Vec::new(),
    };
    let has = |name| file.contains_key(name);
    if has("modelUsage") || has("dailyModelTokens") || (has("version") && has("lastComputedDate")) {
        estimate.last_day = file.get("lastComputedDate").and_then(day);
        estimate.lifetime = file.get("modelUsage").and_then(Value::as_object).map(lifetime).unwrap_or_default();
        estimate.days =
            file.get("dailyModelTokens").and_then(Value::as_array).map_or_else(Vec::new, |entries| days(entries));
        estimate.includes_cache = includes_cache(&file, &estimate);
    } else {
        let models = match file.get("models") {
            Some(Value::Object(models)) => models,
            _ => &file,
        };
        if !models.values().all(is_token_counts) {
            return Err(StatsCacheError::Unsupported);
        }
        estimate.lifetime = lifetime(models);
    }
    Ok(estimate)
}

/// Camel and snake case of the members that hold tokens: input, output, cache writes, cache reads.
const TOKEN_MEMBERS: [[&str; 2]; 4] = [
    ["inputTokens", "input_tokens"],
    ["outputTokens", "output_tokens"],
    ["cacheCreationInputTokens", "cache_creation_input_tokens"],
    ["cacheReadInputTokens", "cache_read_input_tokens"],
];

fn is_token_counts(value: &Value) -> bool {
    let has = |name: &&str| value.get(name).is_some();
    TOKEN_MEMBERS.as_flattened().iter().any(has)
}

fn lifetime(models: &Map<String, Value>) -> Vec<(String, TokenCounts)> {
    let counts = |usage: &Value| {
        let [input, output, cache_write, cache_read] =
            TOKEN_MEMBERS.map(|[camel, snake]| usage.get(camel).or_else(|| usage.get(snake)).map_or(0, count));
        TokenCounts { input, output, cache_write_5m: cache_write, cache_write_1h: 0, cache_read }
    };
    models
        .iter()
        .filter(|(model, usage)| *model != SYNTHETIC_MODEL && usage.is_object())
        .map(|(model, usage)| (model.clone(), counts(usage)))
        .collect()
}

/// Sorted, and each day and model once: of repeated entries the last one counts.
fn days(entries: &[Value]) -> Vec<(String, String, u64)> {
    let mut days = BTreeMap::new();
    for entry in entries {
        let (Some(day), Some(Value::Object(models))) = (entry.get("date").and_then(day), entry.get("tokensByModel"))
        else {
            continue;
        };
        for (model, tokens) in models.iter().filter(|(model, _)| *model != SYNTHETIC_MODEL) {
            days.insert((day.clone(), model.clone()), count(tokens));
        }
    }
    days.into_iter().map(|((day, model), tokens)| (day, model, tokens)).collect()
}

/// The file says so, or its days hold more than input and output of its whole lifetime can be.
fn includes_cache(file: &Map<String, Value>, estimate: &Estimate) -> bool {
    let version = file.get("dailyModelTokensVersion").and_then(Value::as_u64);
    let by_day = estimate.days.iter().fold(0u64, |sum, (.., tokens)| sum.saturating_add(*tokens));
    let by_lifetime =
        estimate.lifetime.iter().fold(0u64, |sum, (_, tokens)| sum.saturating_add(tokens.input + tokens.output));
    version.is_some_and(|version| version >= DAYS_WITH_CACHE) || (by_lifetime > 0 && by_day > by_lifetime)
}

/// A `YYYY-MM-DD` that exists.
fn day(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let date: jiff::civil::Date = text.parse().ok()?;
    (date.to_string() == text).then(|| text.to_owned())
}

/// A number of tokens; anything that cannot be one is none.
fn count(value: &Value) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and what is too large is dropped"
    )]
    let number = value.as_u64().or_else(|| value.as_f64().map(|number| number as u64));
    let number = number.or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| *number <= MOST_TOKENS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: &str = "claude-opus-5-5";

    fn estimate(json: &str) -> Estimate {
        parse(json.as_bytes(), "here".to_owned()).unwrap()
    }

    fn real(version: &str) -> String {
        format!(
            r#"{{{version}"lastComputedDate":"2026-10-31","dailyActivity":[{{"date":"2026-10-30","messageCount":412}}],
            "dailyModelTokens":[{{"date":"2026-10-30","tokensByModel":{{"{OPUS}":218400,"claude-haiku-5-5":9100,"<synthetic>":5}}}}],
            "modelUsage":{{"{OPUS}":{{"inputTokens":81200,"outputTokens":902311,"cacheReadInputTokens":312004551,
            "cacheCreationInputTokens":14022310,"webSearchRequests":3,"costUSD":0}},"<synthetic>":{{"inputTokens":1}}}},
            "hourCounts":{{"9":40}},"totalSessions":211}}"#
        )
    }

    #[test]
    fn every_version_of_the_real_format() {
        for version in ["", "\"version\":1,", "\"version\":3,", "\"version\":99,", "\"version\":\"next\","] {
            let found = estimate(&real(version));
            assert_eq!(found.last_day.as_deref(), Some("2026-10-31"), "{version}");
            assert!(!found.includes_cache);
            assert_eq!(
                found.days,
                [
                    ("2026-10-30".to_owned(), "claude-haiku-5-5".to_owned(), 9100),
                    ("2026-10-30".to_owned(), OPUS.to_owned(), 218_400),
                ]
            );
            let tokens = TokenCounts {
                input: 81_200,
                output: 902_311,
                cache_write_5m: 14_022_310,
                cache_write_1h: 0,
                cache_read: 312_004_551,
            };
            assert_eq!(found.lifetime, [(OPUS.to_owned(), tokens)]);
        }
    }

    #[test]
    fn days_include_the_cache_if_the_file_says_so_or_they_could_not_be_so_large() {
        let check = |members: &str, expected: bool| {
            assert_eq!(estimate(&format!("{{{members}}}")).includes_cache, expected, "{members}");
        };
        let days =
            |tokens: u64| format!(r#""dailyModelTokens":[{{"date":"2026-10-30","tokensByModel":{{"m":{tokens}}}}}]"#);
        let usage = r#""modelUsage":{"m":{"inputTokens":40,"outputTokens":60,"cacheReadInputTokens":9000}}"#;
        check(&format!("{},{usage}", days(100)), false);
        check(&format!("{},{usage}", days(101)), true);
        check(&days(101), false);
        check(&format!(r#""dailyModelTokensVersion":5,{}"#, days(1)), true);
        check(&format!(r#""dailyModelTokensVersion":4,{}"#, days(1)), false);
    }

    #[test]
    fn holes_in_the_real_format_are_no_error() {
        for json in [
            r#"{"dailyModelTokens":null}"#,
            r#"{"modelUsage":null}"#,
            r#"{"modelUsage":{"m":null}}"#,
            r#"{"version":3,"lastComputedDate":null}"#,
            r#"{"version":3,"lastComputedDate":"2026-02-30"}"#,
            r#"{"version":3,"lastComputedDate":"20261031"}"#,
            r#"{"dailyModelTokens":[null,1,{"date":"2026-10-30"},{"date":"2026-10-30","tokensByModel":null},{"tokensByModel":{"m":1}}]}"#,
        ] {
            let Estimate { last_day, days, lifetime, .. } = estimate(json);
            assert_eq!((last_day, days.len(), lifetime.len()), (None, 0, 0), "{json}");
        }
    }

    #[test]
    fn a_map_of_models_in_either_case_wrapped_or_not() {
        let snake = r#"{"m":{"input_tokens":1200,"output_tokens":340,"cache_read_input_tokens":50000,"cache_creation_input_tokens":900},"<synthetic>":{"input_tokens":1}}"#;
        let camel = r#"{"m":{"inputTokens":1200,"outputTokens":"340","cacheReadInputTokens":50000.0,"cacheCreationInputTokens":900}}"#;
        for json in [snake, camel, &format!(r#"{{"models":{snake},"updated":1}}"#), &format!("\u{feff}{camel}")] {
            let found = estimate(json);
            let tokens =
                TokenCounts { input: 1200, output: 340, cache_write_5m: 900, cache_write_1h: 0, cache_read: 50_000 };
            assert_eq!(found.lifetime, [("m".to_owned(), tokens)], "{json}");
            assert_eq!((found.last_day, found.days.len()), (None, 0));
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_none() {
        for value in ["-5", "null", "true", "1e300", "99999999999999999999", "\"x\"", "{}"] {
            let found = estimate(&format!(r#"{{"m":{{"input_tokens":{value}}}}}"#));
            assert_eq!(found.lifetime[0].1, TokenCounts::default(), "{value}");
        }
    }

    #[test]
    fn a_repeated_day_counts_once() {
        let day = |tokens| format!(r#"{{"date":"2026-10-30","tokensByModel":{{"m":{tokens}}}}}"#);
        let found = estimate(&format!(r#"{{"dailyModelTokens":[{},{}]}}"#, day(1), day(2)));
        assert_eq!(found.days, [("2026-10-30".to_owned(), "m".to_owned(), 2)]);
    }

    #[test]
    fn what_is_no_estimate_is_an_error_of_its_kind() {
        let error = |json: &str| parse(json.as_bytes(), String::new()).unwrap_err();
        assert!(matches!(error(""), StatsCacheError::Json(_)));
        assert!(matches!(error(real("").split_at(300).0), StatsCacheError::Json(_)));
        assert!(matches!(error(&"[".repeat(100_000)), StatsCacheError::Json(_)));
        assert!(matches!(error("{}"), StatsCacheError::Empty));
        for json in ["[]", "null", "5", r#"{"a":1}"#, r#"{"a":{"b":1}}"#, r#"{"version":3}"#, r#"{"models":5}"#] {
            assert!(matches!(error(json), StatsCacheError::Unsupported), "{json}");
        }
    }

    #[test]
    fn equal_files_have_equal_hashes() {
        assert_eq!(estimate(&real("")).content_hash, estimate(&real("")).content_hash);
        assert_ne!(estimate(&real("")).content_hash, estimate(&real("\"version\":1,")).content_hash);
    }
}
