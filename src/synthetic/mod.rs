//! Made-up transcripts with the truth beside them, for `--demo`, the tests and the benchmarks.
//!
//! Written apart from the reader on purpose: the truth is booked while lines are made, with its own prices and its own
//! arithmetic, and nothing here ever looks at how lines are read, merged or priced by the program.

mod agents;
mod corpus;
mod line;
mod live;
mod names;
mod noise;
mod prices;
mod response;
mod rng;
mod schedule;
mod stats_cache;
mod text;
mod time;
mod transcript;
mod truth;

#[cfg(test)]
mod recount;
#[cfg(test)]
mod tests;

use std::io::Result;
use std::path::Path;

use crate::event::UnixMillis;

pub use live::Live;
pub use truth::{Truth, TruthRow};

/// What to write. The same plan always gives the same bytes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// About how many bytes of transcripts.
    pub bytes: u64,
    /// How many days up to `end` sessions are spread over.
    pub days: u32,
    /// No line is later than this.
    pub end: UnixMillis,
    pub noise: Noise,
    /// How much of the bytes is conversation content, in per cent, up to 95; the rest is envelopes and usage.
    pub content_percent: u64,
    /// The median file size; all other sizes follow from it.
    pub typical_file_bytes: u64,
}

/// How far transcripts stray from one line a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noise {
    /// One line a response and nothing that resembles one: a plain sum over lines is the truth.
    None,
    /// What every installation has: several lines a response, resumed sessions, side questions, sub-agents and the
    /// copies they leave, advisors, worktrees, clocks that jump.
    Usual,
    /// The usual, and what was ever reported: broken bytes, missing ids, gateways, backups, hostile names.
    Full,
}

impl Default for Plan {
    /// 16 MiB of everything, with the size profile of real installations.
    fn default() -> Self {
        Self {
            seed: 1,
            bytes: 16 << 20,
            days: 90,
            // 2026-11-20T00:00:00Z
            end: UnixMillis(1_795_132_800_000),
            noise: Noise::Full,
            content_percent: 90,
            typical_file_bytes: 100_000,
        }
    }
}

/// A plan for a demonstration: two months up to `now`, small and lively, with plausible names and no broken bytes.
pub fn demo_plan(now: UnixMillis) -> Plan {
    Plan {
        seed: 7,
        bytes: 7_000_000,
        days: 60,
        end: now,
        noise: Noise::Usual,
        content_percent: 25,
        typical_file_bytes: 7_000,
    }
}

/// Writes `projects/…` and `stats-cache.json` below a directory that Claude Code's data directory stands for.
///
/// # Errors
///
/// Those of the file system.
pub fn write(plan: &Plan, root: &Path) -> Result<Truth> {
    corpus::Corpus::new(plan, root).write()
}
