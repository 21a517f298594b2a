//! Sums between instants: the engine under every question about sums.
//!
//! The sum up to an instant is a sum of whole days, corrected by the hours between midnight and the instant, by the
//! quarters between the full hour and it, and by the responses between the quarter and it; each correction goes to the
//! nearer boundary, so it may be negative. What lies between two instants is the difference of two such sums. That makes
//! days of any zone, days of 23 and 25 hours, and spans that begin anywhere the same case, and a year of days costs
//! little more than its nights.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, params};

use super::Parts;
use super::filter::Resolved;
use crate::event::TokenCounts;
use crate::store::dictionary::Dictionary;
use crate::store::rollups::{
    DAYS, DIMENSIONS, Key, Level, MODEL_DAYS, MODEL_HOURS, QUARTER, QUARTERS, SUM_DAYS, SUM_HOURS, SUM_QUARTERS, SUMS,
    dim, size,
};
use crate::store::{StoreError, count};

/// Sums by what was asked to be told apart.
pub(super) type Cells = HashMap<Key, Parts, BuildHasherDefault<KeyHasher>>;

/// A hash for keys: a few small numbers that nobody outside chooses, met once for every row that is read.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

/// What to tell apart: a set of places in [`DIMENSIONS`].
pub(super) type By<'a> = &'a [usize];

/// The sums between each bound and the next. Bounds are in order; sums without a response are left out.
pub(super) fn cut(
    db: &Connection,
    words: &mut Dictionary,
    bounds: &[i64],
    filter: &Resolved,
    by: By<'_>,
) -> Result<Vec<Cells>, StoreError> {
    let mut buckets = vec![Cells::default(); bounds.len().saturating_sub(1)];
    let Some(bounds) = clipped(db, bounds, filter)? else { return Ok(buckets) };
    let mut scan = Scan { db, words, filter, by };
    let levels = levels(filter, by);
    let levels = &levels[top(&levels, &bounds)..];
    let [coarsest, finer @ ..] = levels else { return Ok(buckets) };
    scan.level(coarsest, &bounds.iter().map(|at| rounded(*at, coarsest)).collect::<Vec<_>>(), &mut buckets)?;
    for (place, at) in bounds.iter().enumerate() {
        // Bounds outside of what there is have all become its ends, and nothing lies between those.
        let before = place.checked_sub(1).filter(|before| bounds[*before] != *at);
        let after = Some(place).filter(|_| bounds.get(place + 1).is_some_and(|next| next != at));
        if before.is_none() && after.is_none() {
            continue;
        }
        for (key, parts) in scan.up_to(*at, coarsest, finer)? {
            if let Some(before) = before {
                add(&mut buckets[before], key, &parts, 1);
            }
            if let Some(after) = after {
                add(&mut buckets[after], key, &parts, -1);
            }
        }
    }
    for bucket in &mut buckets {
        bucket.retain(|_, parts| parts[0] != 0);
    }
    Ok(buckets)
}

/// The sums between two instants.
pub(super) fn between(
    db: &Connection,
    words: &mut Dictionary,
    span: [i64; 2],
    filter: &Resolved,
    by: By<'_>,
) -> Result<Cells, StoreError> {
    Ok(cut(db, words, &span, filter, by)?.pop().unwrap_or_default())
}

pub(super) fn add(cells: &mut Cells, key: Key, parts: &Parts, sign: i128) {
    let sums = cells.entry(key).or_default();
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum += sign * part;
    }
}

/// The bounds, moved to where something is at all; none where nothing is.
fn clipped(db: &Connection, bounds: &[i64], filter: &Resolved) -> Result<Option<Vec<i64>>, StoreError> {
    let ends: (Option<i64>, Option<i64>) = db
        .prepare_cached("SELECT (SELECT min(quarter) FROM rollup), (SELECT max(quarter) FROM rollup)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut first), Some(mut last)) = ends else { return Ok(None) };
    if let Some((from, to)) = filter.days {
        first = first.max(from * 96);
        last = last.min(to * 96 + 95);
    }
    let (first, last) = (first.saturating_mul(QUARTER), (last + 1).saturating_mul(QUARTER));
    if first >= last || bounds.first().is_none_or(|from| *from >= last) || bounds.last().is_none_or(|to| *to <= first) {
        return Ok(None);
    }
    Ok(Some(bounds.iter().map(|at| (*at).clamp(first, last)).collect()))
}

/// The tables that can answer, the coarsest first.
fn levels(filter: &Resolved, by: By<'_>) -> Vec<Level> {
    let from = by.iter().copied().min().unwrap_or(DIMENSIONS.len()).min(filter.from());
    match from {
        from if from == DIMENSIONS.len() => vec![SUM_DAYS, SUM_HOURS, SUM_QUARTERS],
        dim::MODEL.. => vec![MODEL_DAYS, MODEL_HOURS, QUARTERS],
        _ => vec![DAYS, QUARTERS],
    }
}

/// The place of the table to begin with: the coarsest one that fits the distance between bounds. Where no bound has to
/// be corrected any table will do; where each has to, it must be worth it.
fn top(levels: &[Level], bounds: &[i64]) -> usize {
    let mut distinct = bounds.to_vec();
    distinct.dedup();
    // What is cut off at both ends says nothing about the rest.
    let inner = distinct.get(1..distinct.len().saturating_sub(1)).unwrap_or_default();
    let measured = if inner.len() > 1 { inner } else { &distinct[..] };
    let buckets = i64::try_from(measured.len()).unwrap_or(i64::MAX).saturating_sub(1).max(1);
    let mean = (measured.last().unwrap_or(&0) - measured.first().unwrap_or(&0)) / buckets;
    let fits = |level: &Level| {
        let aligned = inner.iter().all(|at| at % level.width == 0);
        let worth = if level.width >= 96 * QUARTER { level.width - 4 * QUARTER } else { 4 * level.width };
        mean >= if aligned { level.width } else { worth }
    };
    levels.iter().position(fits).unwrap_or(levels.len().saturating_sub(1))
}

/// The boundary from which an instant is reached: the nearest one, or the next one of quarters, so that what is not
/// known more exactly than to the quarter is at its beginning.
fn rounded(at: i64, level: &Level) -> i64 {
    let up = if level.width == QUARTER { QUARTER - 1 } else { level.width / 2 };
    at.saturating_add(up).div_euclid(level.width) * level.width
}

/// One question's way through the tables.
struct Scan<'a> {
    db: &'a Connection,
    words: &'a mut Dictionary,
    filter: &'a Resolved,
    by: By<'a>,
}

impl Scan<'_> {
    /// What lies between the boundary of the coarsest table and the instant.
    fn up_to(&mut self, at: i64, coarsest: &Level, finer: &[Level]) -> Result<Cells, StoreError> {
        let mut part = Cells::default();
        let mut reached = rounded(at, coarsest);
        for level in finer {
            let next = rounded(at, level);
            let (from, to, sign) = if reached <= next { (reached, next, 1) } else { (next, reached, -1) };
            if from < to {
                let mut whole = [Cells::default()];
                self.level(level, &[from, to], &mut whole)?;
                for (key, parts) in whole.iter().flatten() {
                    add(&mut part, *key, parts, sign);
                }
            }
            reached = next;
        }
        if at < reached {
            self.responses(at, reached, &mut part)?;
        }
        Ok(part)
    }

    /// Adds the rows of a table to the buckets they fall in; bounds are whole units of it.
    fn level(&self, level: &Level, bounds: &[i64], buckets: &mut [Cells]) -> Result<(), StoreError> {
        let (Some(from), Some(to)) = (bounds.first(), bounds.last()) else { return Ok(()) };
        if from >= to {
            return Ok(());
        }
        let mut statement = self.db.prepare_cached(&self.level_sql(level, buckets.len() > 1))?;
        let mut rows = statement.query([from / level.width, to / level.width])?;
        let mut place = 0;
        while let Some(row) = rows.next()? {
            let at = row.get::<_, i64>(0)?.saturating_mul(level.width);
            while bounds.get(place + 1).is_some_and(|end| *end <= at) {
                place += 1;
            }
            let mut key = Key::default();
            for (column, dimension) in self.by.iter().enumerate() {
                key[*dimension] = row.get(column + 1)?;
            }
            let mut parts = Parts::default();
            for (column, part) in parts.iter_mut().enumerate() {
                *part = i128::from(row.get::<_, i64>(column + 1 + self.by.len())?);
            }
            if let Some(bucket) = buckets.get_mut(place) {
                add(bucket, key, &parts, 1);
            }
        }
        Ok(())
    }

    fn level_sql(&self, level: &Level, in_order: bool) -> String {
        let (table, unit, mut filter) = (level.table, level.unit, self.filter.on_sums());
        if let Some(sessions) = self.filter.on_days_of_sessions().filter(|_| *level == DAYS) {
            filter += &sessions;
        }
        let told_apart: Vec<_> = [unit].into_iter().chain(self.by.iter().map(|place| DIMENSIONS[*place])).collect();
        let columns = told_apart.join(", ");
        let key = level.key_columns();
        // Rows that are next to each other in the table are summed up there, which costs less than handing them over.
        let (sums, order) = if key.len() > told_apart.len() && key.starts_with(&told_apart) {
            let sums: Vec<_> = SUMS.split(", ").map(|sum| format!("sum({sum})")).collect();
            (sums.join(", "), format!(" GROUP BY {columns} ORDER BY {columns}"))
        } else {
            (SUMS.to_owned(), if in_order { format!(" ORDER BY {unit}") } else { String::new() })
        };
        format!("SELECT {columns}, {sums} FROM {table} WHERE {unit} >= ?1 AND {unit} < ?2{filter}{order}")
    }

    /// Takes away the responses between an instant and the end of its quarter.
    fn responses(&mut self, from: i64, to: i64, part: &mut Cells) -> Result<(), StoreError> {
        let filter = self.filter.on_responses();
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT session, project, coalesce(branch, 0), model, (flags >> 16) & 1, source, coalesce(card, 0), input,
                 output, cache_write_5m, cache_write_1h, cache_read, coalesce(searches, 0)
             FROM response INDEXED BY response_at WHERE at >= ?1 AND at < ?2{filter}"
        ))?;
        let mut rows = statement.query(params![from, to])?;
        while let Some(row) = rows.next()? {
            let number = |column| row.get(column).map_err(StoreError::from).and_then(count);
            let tokens = TokenCounts {
                input: number(7)?,
                output: number(8)?,
                cache_write_5m: number(9)?,
                cache_write_1h: number(10)?,
                cache_read: number(11)?,
            };
            let searches = number(12)?;
            let mut whole = Key::default();
            for (column, value) in whole.iter_mut().take(dim::SIZE).enumerate() {
                *value = row.get(column)?;
            }
            whole[dim::SIZE] = size(tokens.prompt());
            let card = Some(whole[dim::CARD]).filter(|card| *card != 0);
            let cost = self.words.cost(self.db, card, tokens, searches)?;
            let mut key = Key::default();
            for dimension in self.by {
                key[*dimension] = whole[*dimension];
            }
            add(part, key, &parts(tokens, searches, cost), -1);
        }
        Ok(())
    }
}

fn parts(tokens: TokenCounts, searches: u64, cost: Option<crate::event::PicoUsd>) -> Parts {
    let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
    let unpriced = if cost.is_none() { tokens.total() } else { 0 };
    let counts = [1, input, output, cache_write_5m, cache_write_1h, cache_read, searches].map(i128::from);
    let [requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches] = counts;
    let cost = cost.unwrap_or_default().0;
    [requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost, unpriced.into()]
}
