//! The questions that the API asks of the history: what is asked for and what comes back. One file a subject.
//!
//! All of them are methods of [`Readers`](super::Readers), block, and see one state of the history each. Sums come from
//! the rollups ([`cut`]), so retention changes none of them; rows are responses, so it removes them. Nothing here knows
//! of HTTP, JSON or a query string.

mod agents;
mod blocks;
mod cut;
mod estimate;
mod export;
mod filter;
mod groups;
mod history;
mod sessions;
mod trend;
mod walk;

use std::sync::Arc;

pub use agents::AgentRow;
pub use blocks::{Block, BlockOptions, Blocks, Gap, Window};
pub use estimate::{Estimated, WhatIf};
pub use export::{BucketRow, Buckets, RawRows};
pub use groups::{Brief, Dimension, Group, GroupOrder, Overview, ProjectRow};
pub use history::{Cursor, History, HistoryRow, Order, Place};
pub use sessions::{SessionDetail, SessionOrder, SessionPage, SessionRow};
pub use trend::{Bucket, Split, WeekRow};

use super::dictionary::Dictionary;
use super::rollups::{Key, dim};
use super::{StoreError, count};
use crate::event::{PicoUsd, QuerySource, Tally, TokenCounts, UnixMillis};

/// Which responses are meant. Several values of one kind: any of them; none: all. A name that nothing has ever had
/// matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As the transcripts write them.
    pub models: Vec<Arc<str>>,
    pub projects: Vec<Arc<str>>,
    pub sessions: Vec<Arc<str>>,
    pub branches: Vec<Arc<str>>,
    /// Kinds of sources, such as `claude`.
    pub sources: Vec<Arc<str>>,
    pub query_source: Option<QuerySource>,
}

/// From one instant up to but without another.
///
/// Any instants are exact, with one exception: of a quarter hour (UTC) whose detail retention has removed, only the
/// sum is known, and it counts as if all of it had happened at the beginning of that quarter hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: UnixMillis,
    pub to: UnixMillis,
}

impl Span {
    /// All there is.
    pub const ALL: Self = Self { from: UnixMillis(i64::MIN), to: UnixMillis(i64::MAX) };

    fn bounds(self) -> [i64; 2] {
        [self.from.0, self.to.0.max(self.from.0)]
    }
}

/// What a sum costs, by what is paid for. The parts add up to [`Tally::cost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    pub input: PicoUsd,
    pub output: PicoUsd,
    pub cache_write_5m: PicoUsd,
    pub cache_write_1h: PicoUsd,
    pub cache_read: PicoUsd,
    pub web_search: PicoUsd,
    /// The cost of responses whose detail an earlier version of this program removed before it kept costs by kind.
    pub unexplained: PicoUsd,
}

impl Costs {
    /// Everything together.
    pub fn total(&self) -> PicoUsd {
        let Self { input, output, cache_write_5m, cache_write_1h, cache_read, web_search, unexplained } = self;
        let parts = [input, output, cache_write_5m, cache_write_1h, cache_read, web_search, unexplained];
        PicoUsd(parts.iter().fold(0i128, |sum, part| sum.saturating_add(part.0)))
    }

    fn add(&mut self, other: &Self) {
        let Self { input, output, cache_write_5m, cache_write_1h, cache_read, web_search, unexplained } = other;
        self.input.0 += input.0;
        self.output.0 += output.0;
        self.cache_write_5m.0 += cache_write_5m.0;
        self.cache_write_1h.0 += cache_write_1h.0;
        self.cache_read.0 += cache_read.0;
        self.web_search.0 += web_search.0;
        self.unexplained.0 += unexplained.0;
    }

    /// What tokens cost by a card.
    pub fn of(card: &crate::pricing::Card, tokens: TokenCounts, searches: u64) -> Self {
        let part = |price: u64, count: u64| PicoUsd(i128::from(price).saturating_mul(i128::from(count)));
        Self {
            input: part(card.input, tokens.input),
            output: part(card.output, tokens.output),
            cache_write_5m: part(card.cache_write_5m, tokens.cache_write_5m),
            cache_write_1h: part(card.cache_write_1h, tokens.cache_write_1h),
            cache_read: part(card.cache_read, tokens.cache_read),
            web_search: part(card.search, searches),
            unexplained: PicoUsd(0),
        }
    }
}

/// Sums over responses, and what they cost by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub tally: Tally,
    pub costs: Costs,
}

impl Sums {
    /// Adds another sum to this one.
    pub fn add(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        self.costs.add(&other.costs);
    }
}

/// A sum as it is gathered: the columns of the tables, in their order.
type Parts = [i128; 9];

fn tally(parts: &Parts) -> Result<Tally, StoreError> {
    let [requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost, unpriced] = *parts;
    let number = |part: i128| {
        u64::try_from(part).map_err(|_| StoreError::Range(format!("{part} where a sum of counts should be")))
    };
    Ok(Tally {
        requests: number(requests)?,
        tokens: TokenCounts {
            input: number(input)?,
            output: number(output)?,
            cache_write_5m: number(cache_write_5m)?,
            cache_write_1h: number(cache_write_1h)?,
            cache_read: number(cache_read)?,
        },
        searches: number(searches)?,
        cost: PicoUsd(cost),
        unpriced_tokens: number(unpriced)?,
    })
}

/// A sum with its costs by kind; the key has to hold the card.
fn sums(db: &rusqlite::Connection, words: &mut Dictionary, key: &Key, parts: &Parts) -> Result<Sums, StoreError> {
    let tally = tally(parts)?;
    let costs = match key[dim::CARD] {
        0 => Costs { unexplained: tally.cost, ..Costs::default() },
        card => Costs::of(words.card(db, card)?, tally.tokens, tally.searches),
    };
    Ok(Sums { tally, costs })
}

/// A limit as SQLite takes it.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A meta value that is an instant.
fn instant(db: &rusqlite::Connection, key: &str) -> Result<Option<UnixMillis>, StoreError> {
    Ok(super::connection::meta(db, key)?.map(UnixMillis))
}

/// A count of rows.
fn counted(db: &rusqlite::Connection, sql: &str, params: impl rusqlite::Params) -> Result<u64, StoreError> {
    count(db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
