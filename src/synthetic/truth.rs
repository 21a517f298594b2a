//! What a correct reader must arrive at. Booked while the transcripts are written, never read back from them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::event::{PicoUsd, TokenCounts, UnixMillis};
use crate::status::SkipReason;

use super::prices::{Bill, Model};
use super::time;

/// The counts behind a directory of made-up transcripts: every response once, at its final usage, on the UTC day of
/// its first line, for the session, project and branch it was made in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Billed responses, advisor and compaction iterations included.
    pub responses: u64,
    /// Those of sub-agents.
    pub subagent_responses: u64,
    /// Lines that end with a line feed in files that are transcripts; blank and broken ones too.
    pub lines: u64,
    /// Bytes of those files, half-written last lines included.
    pub bytes: u64,
    /// Files that are transcripts by their name: `.jsonl`, but no journals, audit logs or backups.
    pub files: u64,
    /// Lines that cannot be used as they stand: the sum of `skipped`.
    pub malformed_lines: u64,
    /// The same by [`SkipReason::name`].
    pub skipped: BTreeMap<&'static str, u64>,
    pub totals: TruthRow,
    pub by_model: BTreeMap<String, TruthRow>,
    /// By UTC day, `YYYY-MM-DD`.
    pub by_day: BTreeMap<String, TruthRow>,
    /// By working directory, worktrees below `.claude/worktrees/` folded to their repository.
    pub by_project: BTreeMap<String, TruthRow>,
    pub by_session: BTreeMap<String, TruthRow>,
    /// By git branch; responses without one are under the empty name.
    pub by_branch: BTreeMap<String, TruthRow>,
}

/// Sums over responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TruthRow {
    pub responses: u64,
    #[serde(flatten)]
    pub tokens: TokenCounts,
    pub web_searches: u64,
    /// The cost of the responses whose model has a price; as JSON a string of dollars with twelve decimals.
    #[serde(rename = "cost_usd", serialize_with = "dollars")]
    pub cost: PicoUsd,
    /// All tokens of the responses whose model has none.
    pub unpriced_tokens: u64,
}

fn dollars<S: Serializer>(cost: &PicoUsd, to: S) -> Result<S::Ok, S::Error> {
    let (whole, rest) = (cost.0.div_euclid(1_000_000_000_000), cost.0.rem_euclid(1_000_000_000_000));
    to.serialize_str(&format!("{whole}.{rest:012}"))
}

impl TruthRow {
    /// One response.
    pub(super) fn of(model: &Model, at: UnixMillis, tokens: TokenCounts, bill: Bill) -> Self {
        let cost = model.cost(&time::day(at), tokens, bill);
        let unpriced_tokens = if cost.is_none() { tokens.total() } else { 0 };
        let cost = cost.unwrap_or_default();
        Self { responses: 1, tokens, web_searches: bill.searches, cost, unpriced_tokens }
    }

    /// Adds another sum to this one.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| *mine += theirs, |mine, theirs| *mine += theirs);
    }

    fn subtract(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| *mine -= theirs, |mine, theirs| *mine -= theirs);
    }

    fn combine(&mut self, other: &Self, count: fn(&mut u64, u64), money: fn(&mut i128, i128)) {
        let Self { responses, tokens, web_searches, cost, unpriced_tokens } = other;
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = *tokens;
        count(&mut self.responses, *responses);
        count(&mut self.tokens.input, input);
        count(&mut self.tokens.output, output);
        count(&mut self.tokens.cache_write_5m, cache_write_5m);
        count(&mut self.tokens.cache_write_1h, cache_write_1h);
        count(&mut self.tokens.cache_read, cache_read);
        count(&mut self.web_searches, *web_searches);
        money(&mut self.cost.0, cost.0);
        count(&mut self.unpriced_tokens, *unpriced_tokens);
    }
}

/// Whose response it is and when it was.
pub(super) struct Place<'a> {
    pub(super) at: UnixMillis,
    pub(super) session: &'a str,
    pub(super) project: &'a str,
    pub(super) branch: Option<&'a str>,
    pub(super) sidechain: bool,
}

impl Truth {
    pub(super) fn book(&mut self, place: &Place<'_>, model: &Model, row: &TruthRow) {
        self.responses += row.responses;
        if place.sidechain {
            self.subagent_responses += row.responses;
        }
        self.totals.add(row);
        add_to(&mut self.by_model, model.id, row);
        add_to(&mut self.by_day, &time::day(place.at), row);
        add_to(&mut self.by_project, place.project, row);
        add_to(&mut self.by_session, place.session, row);
        add_to(&mut self.by_branch, place.branch.unwrap_or_default(), row);
    }

    /// A copy turned out to be the owner.
    pub(super) fn move_session(&mut self, from: &str, to: &str, row: &TruthRow) {
        if let Some(loser) = self.by_session.get_mut(from) {
            loser.subtract(row);
            if loser.responses == 0 {
                self.by_session.remove(from);
            }
        }
        add_to(&mut self.by_session, to, row);
    }

    pub(super) fn skip(&mut self, reason: SkipReason, lines: u64) {
        self.malformed_lines += lines;
        *self.skipped.entry(reason.name()).or_default() += lines;
    }
}

fn add_to(rows: &mut BTreeMap<String, TruthRow>, name: &str, row: &TruthRow) {
    match rows.get_mut(name) {
        Some(known) => known.add(row),
        None => {
            rows.insert(name.to_owned(), *row);
        }
    }
}
