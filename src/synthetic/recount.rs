//! A second, slow and plain reader, for testing the truth against the bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Deserializer, Value};

use crate::event::{TokenCounts, UnixMillis};
use crate::status::SkipReason;

use super::prices::{Bill, MODELS, UNKNOWN};
use super::truth::{Place, Truth, TruthRow};

/// Counts everything below a data directory.
pub(super) fn recount(root: &Path) -> Truth {
    let mut recount = Recount::default();
    for path in files(&root.join("projects")).iter().filter(|path| is_transcript(path)) {
        recount.file(path);
    }
    recount.finish()
}

pub(super) fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

pub(super) fn is_transcript(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"))
        && name != "journal.jsonl"
        && name != "audit.jsonl"
}

/// One line about one response.
#[derive(Clone)]
struct Claim {
    /// Smaller is more likely to be the owner: side chain, instant, foreign file, session, project, branch.
    owner: (bool, i64, bool, String, String, Option<String>),
    /// Larger wins: output, finished, cache split.
    rank: (u64, bool, bool),
    model: String,
    tokens: TokenCounts,
    bill: Bill,
}

#[derive(Default)]
struct Recount {
    truth: Truth,
    responses: BTreeMap<String, Vec<Claim>>,
}

impl Recount {
    fn file(&mut self, path: &Path) {
        let bytes = fs::read(path).unwrap();
        self.truth.files += 1;
        self.truth.bytes += bytes.len() as u64;
        let mut lines: Vec<&[u8]> =
            bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).split(|byte| *byte == b'\n').collect();
        lines.pop();
        self.truth.lines += lines.len() as u64;
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for line in lines {
            let start = line.iter().take_while(|byte| **byte == 0).count();
            let text = line[start..].trim_ascii();
            match text {
                [] if start > 0 => self.truth.skip(SkipReason::NulRun, 1),
                [] => {}
                text => self.line(text, stem),
            }
        }
    }

    fn line(&mut self, text: &[u8], stem: &str) {
        let mut values: Vec<Value> = Vec::new();
        if let Ok(all) = Deserializer::from_slice(text).into_iter::<Value>().collect() {
            values = all;
        } else {
            let later = (1..text.len()).rev().find(|at| text[*at..].starts_with(br#"{"parentUuid""#));
            match later.map(|at| serde_json::from_slice(&text[at..])) {
                Some(Ok(value)) => {
                    values.push(value);
                    self.truth.skip(SkipReason::Spliced, 1);
                }
                _ => self.truth.skip(SkipReason::Malformed, 1),
            }
        }
        for value in values {
            match value {
                Value::Object(_) => self.object(&value, stem),
                _ => self.truth.skip(SkipReason::NotAnObject, 1),
            }
        }
    }

    fn object(&mut self, line: &Value, stem: &str) {
        let inner = if line["type"] == "progress" { &line["data"]["message"] } else { line };
        let message = &inner["message"];
        let usage = &message["usage"];
        if !usage.is_object() || message["model"] == "<synthetic>" {
            return;
        }
        let session = line["sessionId"].as_str().unwrap().to_owned();
        let cwd = line["cwd"].as_str().unwrap();
        let at: jiff::Timestamp = inner["timestamp"].as_str().unwrap().parse().unwrap();
        let model = message["model"].as_str().unwrap_or("unknown").to_owned();
        let tokens = tokens(usage);
        let claim = Claim {
            owner: (
                inner["isSidechain"].as_bool().unwrap(),
                at.as_millisecond(),
                stem != session,
                session,
                cwd.split("/.claude/worktrees/").next().unwrap().to_owned(),
                line["gitBranch"].as_str().map(str::to_owned),
            ),
            rank: (tokens.output, !message["stop_reason"].is_null(), usage["cache_creation"].is_object()),
            bill: Bill {
                fast: usage["speed"] == "fast",
                us: usage["inference_geo"] == "us",
                searches: usage["server_tool_use"]["web_search_requests"].as_u64().unwrap_or(0),
            },
            model,
            tokens,
        };
        // The prompt tells a gateway's responses apart, and no two lines of one response differ in it.
        let prompt = (tokens.input, tokens.cache_write(), tokens.cache_read);
        let key = match (message["id"].as_str(), inner["requestId"].as_str()) {
            (Some(id), _) => format!("{id} {prompt:?}"),
            (None, Some(request)) => request.to_owned(),
            (None, None) => line["uuid"].as_str().unwrap().to_owned(),
        };
        for (place, iteration) in usage["iterations"].as_array().into_iter().flatten().enumerate() {
            let model = match iteration["type"].as_str() {
                Some("advisor_message") => iteration["model"].as_str().unwrap().to_owned(),
                Some("compaction") => claim.model.clone(),
                _ => continue,
            };
            let extra = Claim { model, tokens: self::tokens(iteration), bill: Bill::default(), ..claim.clone() };
            self.responses.entry(format!("{key} {place}")).or_default().push(extra);
        }
        self.responses.entry(key).or_default().push(claim);
    }

    fn finish(mut self) -> Truth {
        for claims in self.responses.into_values() {
            let first = claims.iter().map(|claim| claim.owner.1).min().unwrap();
            let (sidechain, _, _, session, project, branch) = &claims.iter().map(|claim| &claim.owner).min().unwrap();
            let winner = claims.iter().max_by_key(|claim| claim.rank).unwrap();
            let mut tokens = winner.tokens;
            if !winner.rank.2
                && let Some(split) = claims.iter().find(|claim| claim.rank.2)
            {
                tokens.cache_write_5m = split.tokens.cache_write_5m;
                tokens.cache_write_1h = split.tokens.cache_write_1h;
            }
            let model = MODELS.iter().find(|model| model.id == winner.model).unwrap_or(&UNKNOWN);
            let at = UnixMillis(first);
            let place = Place { at, session, project, branch: branch.as_deref(), sidechain: *sidechain };
            self.truth.book(&place, model, &TruthRow::of(model, at, tokens, winner.bill));
        }
        self.truth
    }
}

pub(super) fn tokens(usage: &Value) -> TokenCounts {
    let count = |name: &str| usage[name].as_u64().unwrap();
    let write = count("cache_creation_input_tokens");
    let hour = usage["cache_creation"]["ephemeral_1h_input_tokens"].as_u64().unwrap_or(0);
    TokenCounts {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_write_5m: write - hour,
        cache_write_1h: hour,
        cache_read: count("cache_read_input_tokens"),
    }
}
