//! Windows of five hours, as account limits have them: an estimate, since the account also sees the web and other
//! machines. All projects count together.
//!
//! A window begins with the first response after the last window's end, and is closed for whatever comes at its end or
//! later. Where an error line stated when a limit ends, that is the end of a window.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::cut::{By, Cells, between, cut};
use super::filter::Resolved;
use super::groups::folded;
use super::walk::lost;
use super::{Filter, Span, Sums, instant, tally};
use crate::event::UnixMillis;
use crate::store::StoreError;
use crate::store::dictionary::Dictionary;
use crate::store::read::Readers;
use crate::store::rollups::{QUARTER, dim};

const HOUR: i64 = 3_600_000;

/// How far before the span windows are followed, so that they do not depend on where it begins: every pause that is
/// longer than a window in that time settles it.
const LOOK_BACK: i64 = 7 * UnixMillis::DAY;

/// The most windows of one question.
const WINDOWS: usize = 10_000;

/// How windows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    /// Milliseconds in a window.
    pub length_ms: i64,
    /// A window begins at the full hour (UTC) before its first response, as other tools have it; else at the response.
    pub floor_to_hour: bool,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { length_ms: 5 * HOUR, floor_to_hour: true }
    }
}

/// The windows and pauses that a span touches, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    pub windows: Vec<Window>,
    /// The 60 minutes before now, whatever window they are in: the present speed.
    pub last_hour: Sums,
    /// When an account limit ends, as an error line stated it last.
    pub limit_reset_at: Option<UnixMillis>,
}

/// A window or a pause.
#[derive(Clone, Debug)]
pub enum Window {
    Block(Box<Block>),
    Gap(Gap),
}

/// A window with its responses; all of them, also those outside the span.
#[derive(Clone, Debug)]
pub struct Block {
    pub start: UnixMillis,
    /// Exclusive.
    pub end: UnixMillis,
    /// The first and the last response in it.
    pub first_at: UnixMillis,
    pub last_at: UnixMillis,
    pub sums: Sums,
    pub by_model: BTreeMap<Arc<str>, Sums>,
    /// Now is in it.
    pub is_active: bool,
    /// Its end was stated by an error line.
    pub is_stated: bool,
}

/// A pause of more than a window's length between two responses: from the length after the one up to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: UnixMillis,
    pub to: UnixMillis,
}

impl Readers {
    /// The windows that a span touches.
    pub fn blocks(&self, span: Span, now: UnixMillis, options: BlockOptions) -> Result<Blocks, StoreError> {
        self.windows(span, now, options, &[dim::MODEL, dim::CARD], |db, words, block, cells| {
            for (id, sums) in folded(db, words, cells, dim::MODEL)? {
                block.sums.add(&sums);
                block.by_model.insert(words.word(db, id)?, sums);
            }
            Ok(())
        })
    }

    /// The same without models and without what costs are made of, which is far less work.
    pub fn block_totals(&self, span: Span, now: UnixMillis, options: BlockOptions) -> Result<Blocks, StoreError> {
        self.windows(span, now, options, &[], |_, _, block, cells| {
            for parts in cells.values() {
                block.sums.tally.add(&tally(parts)?);
            }
            Ok(())
        })
    }

    fn windows(
        &self,
        span: Span,
        now: UnixMillis,
        options: BlockOptions,
        by: By<'_>,
        fill: impl Fn(&Connection, &mut Dictionary, &mut Block, &Cells) -> Result<(), StoreError>,
    ) -> Result<Blocks, StoreError> {
        self.ask(|db, words| {
            let everything = Resolved::of(db, &Filter::default())?.unwrap_or_default();
            let mut answer = Blocks { limit_reset_at: instant(db, "limit_reset_at")?, ..Blocks::default() };
            let hour = [now.0.saturating_sub(HOUR), now.0];
            let cells = between(db, words, hour, &everything, &[dim::CARD])?;
            for sums in folded(db, words, &cells, dim::CARD)?.values() {
                answer.last_hour.add(sums);
            }
            let chain = Chain::of(db, options, answer.limit_reset_at)?;
            answer.windows = chain.windows(span, now)?;
            let mut blocks: Vec<&mut Block> = Vec::new();
            for window in &mut answer.windows {
                if let Window::Block(block) = window {
                    blocks.push(block);
                }
            }
            let bounds: Vec<i64> = blocks.iter().flat_map(|block| [block.start.0, block.end.0]).collect();
            let cells = cut(db, words, &bounds, &everything, by)?;
            for (block, cells) in blocks.iter_mut().zip(cells.iter().step_by(2)) {
                fill(db, words, block, cells)?;
            }
            Ok(answer)
        })
    }
}

/// What it takes to follow windows.
struct Chain<'a> {
    db: &'a Connection,
    options: BlockOptions,
    /// The window whose end was stated.
    stated: Option<(i64, i64)>,
    floor: i64,
}

impl<'a> Chain<'a> {
    fn of(db: &'a Connection, options: BlockOptions, reset: Option<UnixMillis>) -> Result<Self, StoreError> {
        if options.length_ms <= 0 {
            return Err(StoreError::Range("a window needs a length".to_owned()));
        }
        let stated = reset.map(|end| (end.0.saturating_sub(options.length_ms), end.0));
        let floor = instant(db, "retention_floor")?.map_or(i64::MIN, |floor| floor.0);
        Ok(Self { db, options, stated, floor })
    }

    /// The windows and pauses that a span touches, without their sums.
    fn windows(&self, span: Span, now: UnixMillis) -> Result<Vec<Window>, StoreError> {
        let mut windows = Vec::new();
        let mut before: Option<(i64, i64)> = None;
        let mut next = self.first_from(span.from.0.saturating_sub(LOOK_BACK))?;
        while let Some(first) = next
            && before.is_none_or(|(end, _)| end < span.to.0)
        {
            if let Some((_, last)) = before {
                let from = last.saturating_add(self.options.length_ms);
                if from < first && from < span.to.0 && span.from.0 < first {
                    windows.push(Window::Gap(Gap { from: UnixMillis(from), to: UnixMillis(first) }));
                }
            }
            let (start, end, is_stated) = self.window(first, before.map_or(i64::MIN, |(end, _)| end));
            let last = self.last_before(end)?.unwrap_or(first);
            if start < span.to.0 && span.from.0 < end {
                windows.push(Window::Block(Box::new(Block {
                    start: UnixMillis(start),
                    end: UnixMillis(end),
                    first_at: UnixMillis(first),
                    last_at: UnixMillis(last),
                    sums: Sums::default(),
                    by_model: BTreeMap::new(),
                    is_active: start <= now.0 && now.0 < end,
                    is_stated,
                })));
            }
            if windows.len() > WINDOWS {
                return Err(StoreError::TooSlow);
            }
            before = Some((end, last));
            next = self.first_from(end)?;
        }
        Ok(windows)
    }

    /// The window that a response opens, the last one having ended at `free`.
    fn window(&self, first: i64, free: i64) -> (i64, i64, bool) {
        let begin = if self.options.floor_to_hour { first.div_euclid(HOUR) * HOUR } else { first };
        let begin = begin.max(free);
        let end = begin.saturating_add(self.options.length_ms);
        match self.stated {
            Some((start, end)) if start <= first && first < end => (start.max(free), end, true),
            Some((start, _)) if begin < start && start < end => (begin, start, false),
            Some((_, stated)) if begin < stated && stated <= first => {
                (stated, stated.saturating_add(self.options.length_ms), false)
            }
            _ => (begin, end, false),
        }
    }

    /// The first response from an instant on.
    fn first_from(&self, at: i64) -> Result<Option<i64>, StoreError> {
        let row = self
            .db
            .prepare_cached("SELECT at FROM response INDEXED BY response_at WHERE at >= ?1 ORDER BY at LIMIT 1")?
            .query_row([at], |row| row.get(0))
            .optional()?;
        if at >= self.floor {
            return Ok(row);
        }
        // What has lost its detail is where the sums have it: at the beginning of its quarter.
        let from = at.saturating_add(QUARTER - 1).div_euclid(QUARTER);
        let until = row.map_or(self.floor, |row| row.min(self.floor)).div_euclid(QUARTER);
        Ok(self.lost_quarter([from, until], "")?.or(row))
    }

    /// The first or the last quarter of a range, both ends included, with responses that have no row any more.
    fn lost_quarter(&self, range: [i64; 2], direction: &str) -> Result<Option<i64>, StoreError> {
        let mut quarters = self.db.prepare_cached(&format!(
            "SELECT DISTINCT quarter FROM rollup WHERE quarter >= ?1 AND quarter <= ?2 ORDER BY quarter{direction}"
        ))?;
        let mut quarters = quarters.query(range)?;
        while let Some(row) = quarters.next()? {
            let quarter = row.get(0)?;
            if lost(self.db, quarter, "", "")? {
                return Ok(Some(quarter * QUARTER));
            }
        }
        Ok(None)
    }

    /// The last response before an instant.
    fn last_before(&self, at: i64) -> Result<Option<i64>, StoreError> {
        let row: Option<i64> = self
            .db
            .prepare_cached("SELECT at FROM response INDEXED BY response_at WHERE at < ?1 ORDER BY at DESC LIMIT 1")?
            .query_row([at], |row| row.get(0))
            .optional()?;
        if row.is_some_and(|row| row >= self.floor) {
            return Ok(row);
        }
        let until = at.min(self.floor).saturating_add(QUARTER - 1).div_euclid(QUARTER) - 1;
        let from = row.map_or(i64::MIN, |row| row.div_euclid(QUARTER));
        Ok(row.into_iter().chain(self.lost_quarter([from, until], " DESC")?).max())
    }
}
