//! The vocabulary of the house: what a source claims and what those claims are made of. No I/O, no clock, no async.
//!
//! A [`UsageRecord`] is a *claim*: it may repeat and it may grow. The store alone turns claims into facts
//! ([`Event`], [`Change`]). How claims about one response become one is in [`crate::merge`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Milliseconds in a UTC day.
    pub const DAY: i64 = 86_400_000;

    /// Days since 1970-01-01 of the UTC day that this instant falls in.
    pub fn utc_day(self) -> i64 {
        self.0.div_euclid(Self::DAY)
    }
}

/// An amount of money in pico-dollars (10^-12 USD), so that sums are exact and do not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PicoUsd(pub i128);

impl PicoUsd {
    /// The amount in dollars, for display and for JSON numbers.
    #[expect(clippy::cast_precision_loss, reason = "the edge where money becomes a JSON number")]
    pub fn usd(self) -> f64 {
        // Whole dollars and the rest apart: the quotient of two large numbers would lose the last digits.
        let (whole, rest) = (self.0.div_euclid(1_000_000_000_000), self.0.rem_euclid(1_000_000_000_000));
        whole as f64 + rest as f64 / 1e12
    }

    /// An amount that is only known in dollars: a projection, or what others say.
    #[expect(clippy::cast_possible_truncation, reason = "an inexact amount; what is too large is the largest there is")]
    pub fn of_usd(usd: f64) -> Self {
        Self((usd * 1e12).round() as i128)
    }
}

/// Which kind of token a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// The part of the prompt that was neither read from nor written to a cache.
    Input,
    /// Generated tokens, thinking included.
    Output,
    /// Prompt tokens written to the five-minute cache.
    CacheWrite5m,
    /// Prompt tokens written to the one-hour cache.
    CacheWrite1h,
    /// Prompt tokens read from a cache.
    CacheRead,
}

/// Tokens of one response, or a sum of them. The five kinds do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenCounts {
    pub input: u64,
    pub output: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub cache_read: u64,
}

impl TokenCounts {
    /// Every kind with its count. Destructured, so that a new kind cannot be forgotten.
    pub fn each(self) -> [(TokenKind, u64); 5] {
        let Self { input, output, cache_write_5m, cache_write_1h, cache_read } = self;
        [
            (TokenKind::Input, input),
            (TokenKind::Output, output),
            (TokenKind::CacheWrite5m, cache_write_5m),
            (TokenKind::CacheWrite1h, cache_write_1h),
            (TokenKind::CacheRead, cache_read),
        ]
    }

    /// Tokens written to caches, whatever their time to live.
    pub fn cache_write(self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// The size of the prompt: uncached input, cache writes and cache reads.
    pub fn prompt(self) -> u64 {
        self.input.saturating_add(self.cache_write()).saturating_add(self.cache_read)
    }

    /// All kinds together.
    pub fn total(self) -> u64 {
        self.prompt().saturating_add(self.output)
    }
}

/// 128 bits that stand for the name of a response wherever it was read: the hash of its source and its message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub [u8; 16]);

impl GroupId {
    /// Hashes parts in order; a separator keeps `["ab", "c"]` and `["a", "bc"]` apart.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.digest128().to_be_bytes())
    }
}

/// Which of the claims about one message id belong together before the collision guard has looked at them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Variant {
    /// A main-thread line that names its request.
    Anchored(Arc<str>),
    /// A side-chain line or one without a request id: a replay, or the only form there is.
    Floating,
    /// A line without a request id whose message id was not issued by Anthropic, and so may be a constant: told apart
    /// by its prompt (uncached input, cache writes, cache reads).
    Prompt(u64, u64, u64),
}

/// The identity of a claim. It holds no path, session or offset: the same response has the same key in every file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    pub group: GroupId,
    pub variant: Variant,
}

/// What kind of billed work a response is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResponseKind {
    /// An answer of the model.
    #[default]
    Message,
    /// A call to an advisor model inside a response, billed at the advisor's own price.
    Advisor,
    /// Server-side compaction of the context, billed beside the response that needed it.
    Compaction,
}

/// Requests to server-side tools during one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WebUse {
    /// Billed per request.
    pub searches: u64,
    /// Free of charge; its content is billed as tokens.
    pub fetches: u64,
}

/// The usage of one response as one line states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub kind: ResponseKind,
    /// The line's own instant; ties between equal claims are broken by the later line.
    pub at: UnixMillis,
    /// The model id as the transcript writes it, or `unknown`.
    pub model: Arc<str>,
    pub tokens: TokenCounts,
    /// The line split its cache writes into five-minute and one-hour ones; without it all are counted as five-minute.
    pub has_split: bool,
    /// The line has a stop reason: the response is complete.
    pub finished: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<WebUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Arc<str>>,
    pub flags: UsageFlags,
}

/// Peculiarities of a line that users may want to know about; a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UsageFlags(pub u16);

impl UsageFlags {
    /// The line had no usable timestamp; a neighbour's or the file's was taken.
    pub const ESTIMATED_TIME: Self = Self(1);
    /// Cache writes without a split into time-to-live classes, counted as five-minute ones.
    pub const SPLIT_MISSING: Self = Self(1 << 1);
    /// The split did not add up to the total.
    pub const SPLIT_MISMATCH: Self = Self(1 << 2);
    /// A token field was negative, fractional, too large or of a wrong type.
    pub const ODD_NUMBER: Self = Self(1 << 3);
    /// The instant lies before 2023 or more than a day in the future.
    pub const ODD_TIME: Self = Self(1 << 4);

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whose response it is. Ordered: the smallest owner among all claims keeps the response, so that a replay never takes
/// it away from the conversation it was made in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// A sub-agent's or side question's line; main-thread owners come first.
    pub sidechain: bool,
    pub at: UnixMillis,
    /// The line stands in a file that is not named after its session.
    pub away: bool,
    pub session: Arc<str>,
    /// The root of the repository that the working directory belongs to, or the working directory itself.
    pub project: Arc<str>,
    pub branch: Option<Arc<str>>,
    pub agent: Option<Arc<str>>,
}

/// A claim: what one or more lines say about one response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    pub key: RecordKey,
    /// The line with the greatest claim, kept whole.
    pub usage: Usage,
    /// The earliest instant of any line: the day that the response counts for.
    pub first_at: UnixMillis,
    pub owner: Owner,
    /// What the winning line does not say and a lesser one does; nearly always empty.
    pub fills: Vec<Usage>,
}

/// Whether a response was made in the main conversation or by a sub-agent, as Claude Code's own telemetry names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuerySource {
    Main,
    Subagent,
}

impl QuerySource {
    pub fn of(sidechain: bool) -> Self {
        if sidechain { Self::Subagent } else { Self::Main }
    }

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Subagent => "subagent",
        }
    }
}

/// A fact: one response as the history holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Stable over restarts and re-reads; a receiver can be idempotent by it.
    pub id: GroupId,
    pub at: UnixMillis,
    pub kind: ResponseKind,
    pub model: Arc<str>,
    pub query_source: QuerySource,
    pub session: Arc<str>,
    pub project: Arc<str>,
    pub branch: Option<Arc<str>>,
    pub agent: Option<Arc<str>>,
    pub tokens: TokenCounts,
    pub web: WebUse,
    pub speed: Option<Arc<str>>,
    pub tier: Option<Arc<str>>,
    pub geo: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
    /// `None` where the model has no price: unknown, never zero.
    pub cost: Option<PicoUsd>,
}

/// One step of the history: an insert (`before` is none), a correction, or a retraction (`after` is none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Global, fresh for every change, increasing.
    pub revision: u64,
    pub before: Option<Event>,
    pub after: Option<Event>,
}

/// Sums over responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub tokens: TokenCounts,
    pub requests: u64,
    pub searches: u64,
    pub cost: PicoUsd,
    /// Tokens of responses whose model has no price; they are in `tokens` too, and not in `cost`.
    pub unpriced_tokens: u64,
}

impl Tally {
    /// What one response adds.
    pub fn of(tokens: TokenCounts, searches: u64, cost: Option<PicoUsd>) -> Self {
        Self {
            tokens,
            requests: 1,
            searches,
            cost: cost.unwrap_or_default(),
            unpriced_tokens: if cost.is_none() { tokens.total() } else { 0 },
        }
    }

    /// Adds another sum to this one.
    pub fn add(&mut self, other: &Self) {
        let Self { tokens, requests, searches, cost, unpriced_tokens } = other;
        self.tokens.input += tokens.input;
        self.tokens.output += tokens.output;
        self.tokens.cache_write_5m += tokens.cache_write_5m;
        self.tokens.cache_write_1h += tokens.cache_write_1h;
        self.tokens.cache_read += tokens.cache_read;
        self.requests += requests;
        self.searches += searches;
        self.cost.0 += cost.0;
        self.unpriced_tokens += unpriced_tokens;
    }

    /// What is left of this sum without a part of it; `None`: that is no part of it.
    #[must_use]
    pub fn less(&self, part: &Self) -> Option<Self> {
        let Self { tokens, requests, searches, cost, unpriced_tokens } = part;
        Some(Self {
            tokens: TokenCounts {
                input: self.tokens.input.checked_sub(tokens.input)?,
                output: self.tokens.output.checked_sub(tokens.output)?,
                cache_write_5m: self.tokens.cache_write_5m.checked_sub(tokens.cache_write_5m)?,
                cache_write_1h: self.tokens.cache_write_1h.checked_sub(tokens.cache_write_1h)?,
                cache_read: self.tokens.cache_read.checked_sub(tokens.cache_read)?,
            },
            requests: self.requests.checked_sub(*requests)?,
            searches: self.searches.checked_sub(*searches)?,
            cost: PicoUsd(self.cost.0.checked_sub(cost.0)?),
            unpriced_tokens: self.unpriced_tokens.checked_sub(*unpriced_tokens)?,
        })
    }

    /// The share of reusable prompt tokens that came out of a cache: reads / (reads + uncached input), 0 to 1. Cache
    /// writes are left out, as in the design this project grew from; see `docs/counting.md`.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    pub fn cache_hit_rate(&self) -> f64 {
        let (read, input) = (self.tokens.cache_read, self.tokens.input);
        if read + input == 0 { 0.0 } else { read as f64 / (read + input) as f64 }
    }
}
