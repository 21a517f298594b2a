//! `stats-cache.json`: the statistics that Claude Code keeps for itself, as it keeps them: a sum over lines, refreshed
//! now and then, and reaching further back than the transcripts do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::event::{TokenCounts, UnixMillis};

use super::response::Response;
use super::rng::Rng;
use super::time;

/// Sums over lines: not over responses, which is why the real file states more than was billed.
#[derive(Default)]
pub(super) struct LineSums {
    days: BTreeMap<(i64, &'static str), u64>,
    lifetime: BTreeMap<&'static str, (TokenCounts, u64)>,
    sessions: u64,
    lines: u64,
}

/// Days of which only the cache knows.
const FORGOTTEN_DAYS: i64 = 20;

impl LineSums {
    pub(super) fn session(&mut self) {
        self.sessions += 1;
    }

    pub(super) fn response(&mut self, response: &Response) {
        for block in &response.blocks {
            let tokens = TokenCounts { output: block.output, ..response.tokens };
            self.add(block.at.utc_day(), response.model.id, tokens, response.bill.searches);
        }
    }

    fn add(&mut self, day: i64, model: &'static str, tokens: TokenCounts, searches: u64) {
        self.lines += 1;
        *self.days.entry((day, model)).or_default() += tokens.input + tokens.output;
        let (sum, requests) = self.lifetime.entry(model).or_default();
        sum.input += tokens.input;
        sum.output += tokens.output;
        sum.cache_read += tokens.cache_read;
        sum.cache_write_5m += tokens.cache_write();
        *requests += searches;
    }

    /// Writes the file as it was at the end of the day before `end`.
    pub(super) fn write(mut self, path: &Path, rng: &mut Rng, first_day: i64, end: UnixMillis) -> Result<()> {
        for day in first_day - FORGOTTEN_DAYS..first_day {
            let input = rng.between(500, 40_000);
            let output = rng.between(5000, 200_000);
            let cache_read = rng.between(500_000, 20_000_000);
            let tokens = TokenCounts { input, output, cache_read, ..TokenCounts::default() };
            self.add(day, "claude-haiku-4-5-20251001", tokens, 0);
        }
        let mut daily: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
        for ((day, model), tokens) in self.days.iter().filter(|((day, _), _)| *day < end.utc_day()) {
            daily.entry(*day).or_default().insert((*model).to_owned(), json!(tokens));
        }
        let lifetime: Map<String, Value> = self.lifetime.iter().map(lifetime_entry).collect();
        let content = json!({
            "version": 3,
            "lastComputedDate": day_name(end.utc_day() - 1),
            "dailyActivity": daily.keys().map(|day| json!({
                "date": day_name(*day), "messageCount": 40, "sessionCount": 2, "toolCallCount": 21
            })).collect::<Vec<_>>(),
            "dailyModelTokens": daily.iter().map(|(day, models)| json!({
                "date": day_name(*day), "tokensByModel": models
            })).collect::<Vec<_>>(),
            "modelUsage": lifetime,
            "totalSessions": self.sessions,
            "totalMessages": self.lines,
            "firstSessionDate": format!("{}T09:00:00.000Z", day_name(first_day - FORGOTTEN_DAYS)),
            "hourCounts": {"9": self.sessions},
        });
        fs::write(path, serde_json::to_vec(&content).map_err(Error::from)?)
    }
}

fn lifetime_entry((model, (tokens, searches)): (&&'static str, &(TokenCounts, u64))) -> (String, Value) {
    let usage = json!({
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "cacheReadInputTokens": tokens.cache_read,
        "cacheCreationInputTokens": tokens.cache_write(),
        "webSearchRequests": searches,
        "costUSD": 0,
        "contextWindow": 0,
        "maxOutputTokens": 0,
    });
    ((*model).to_owned(), usage)
}

fn day_name(day: i64) -> String {
    time::day(UnixMillis(day * UnixMillis::DAY))
}
