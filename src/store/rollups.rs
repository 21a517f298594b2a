//! The tables of sums by time: what tells responses apart there, and how a transaction's differences get in.
//!
//! There are three families. The full one keeps everything that a question can filter or group by, in quarter hours and
//! UTC days; another one keeps what money needs, in hours and UTC days, and stays small however many sessions there are;
//! the last one keeps the whole alone. All of them are always what summing the full quarter hours gives; `db check`
//! compares them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params_from_iter};

use super::StoreError;
use super::response::Share;
use super::totals::Delta;

/// Milliseconds in a quarter of an hour, the finest grain. Every zone in use today is a whole number of them from UTC.
pub(super) const QUARTER: i64 = 900_000;

/// Prompt sizes that the tables tell apart, in tokens: those above which some model has another price.
pub(super) const SIZES: [u64; 2] = [100_000, 200_000];

/// The columns by which sums are told apart, beside their time.
pub(super) const DIMENSIONS: [&str; 8] =
    ["session", "project", "branch", "model", "sidechain", "source", "card", "size"];

/// The columns of a sum, in the order of [`Delta`].
pub(super) const SUMS: &str =
    "requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost, unpriced_tokens";

/// Places in [`DIMENSIONS`] and in a [`Key`].
pub(super) mod dim {
    pub(in crate::store) const SESSION: usize = 0;
    pub(in crate::store) const PROJECT: usize = 1;
    pub(in crate::store) const BRANCH: usize = 2;
    pub(in crate::store) const MODEL: usize = 3;
    pub(in crate::store) const SIDECHAIN: usize = 4;
    pub(in crate::store) const SOURCE: usize = 5;
    pub(in crate::store) const CARD: usize = 6;
    pub(in crate::store) const SIZE: usize = 7;
}

/// A value of each of [`DIMENSIONS`]; 0 where there is none or where it is not asked for.
pub(super) type Key = [i64; 8];

/// One table of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) table: &'static str,
    /// The column of its time.
    pub(super) unit: &'static str,
    /// Milliseconds in one unit.
    pub(super) width: i64,
    /// The first of [`DIMENSIONS`] that it has; it has all that follow, but no project and branch without sessions.
    pub(super) from: usize,
}

pub(super) const QUARTERS: Level = Level { table: "rollup", unit: "quarter", width: QUARTER, from: dim::SESSION };
pub(super) const DAYS: Level = Level { table: "rollup_day", unit: "day", width: 96 * QUARTER, from: dim::SESSION };
pub(super) const MODEL_HOURS: Level = Level { table: "model_hour", unit: "hour", width: 4 * QUARTER, from: dim::MODEL };
pub(super) const MODEL_DAYS: Level = Level { table: "model_day", unit: "day", width: 96 * QUARTER, from: dim::MODEL };
pub(super) const SUM_QUARTERS: Level =
    Level { table: "sum_quarter", unit: "quarter", width: QUARTER, from: NO_DIMENSION };
pub(super) const SUM_HOURS: Level = Level { table: "sum_hour", unit: "hour", width: 4 * QUARTER, from: NO_DIMENSION };
pub(super) const SUM_DAYS: Level = Level { table: "sum_day", unit: "day", width: 96 * QUARTER, from: NO_DIMENSION };

/// After the last of [`DIMENSIONS`].
const NO_DIMENSION: usize = DIMENSIONS.len();

/// Every table, the one that the others are sums of first.
pub(super) const LEVELS: [Level; 7] = [QUARTERS, DAYS, MODEL_HOURS, MODEL_DAYS, SUM_QUARTERS, SUM_HOURS, SUM_DAYS];

impl Level {
    /// The columns of its key, its time first.
    pub(super) fn key_columns(&self) -> Vec<&'static str> {
        [self.unit].into_iter().chain(DIMENSIONS.into_iter().skip(self.from)).collect()
    }
}

/// A row of [`QUARTERS`], without its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    quarter: i64,
    key: Key,
}

impl Cell {
    pub(super) fn of(share: &Share) -> Self {
        let Share { at, model, project, branch, session, sidechain, source, card, finished: _, tally } = share;
        let key = [
            *session,
            *project,
            branch.unwrap_or(0),
            *model,
            (*sidechain).into(),
            *source,
            card.unwrap_or(0),
            size(tally.tokens.prompt()),
        ];
        Self { quarter: at.0.div_euclid(QUARTER), key }
    }
}

/// How many of [`SIZES`] a prompt exceeds.
pub(super) fn size(prompt_tokens: u64) -> i64 {
    SIZES.iter().map(|size| i64::from(prompt_tokens > *size)).sum()
}

/// One transaction's differences, in the order of the tables' keys.
pub(super) struct Rollups(Vec<(Cell, Delta)>);

impl Rollups {
    pub(super) fn take(cells: &mut HashMap<Cell, Delta>) -> Self {
        let mut cells: Vec<_> = cells.drain().filter(|(_, delta)| *delta != [0; 9]).collect();
        cells.sort_unstable_by_key(|(cell, _)| (cell.quarter, cell.key));
        Self(cells)
    }

    /// Adds them to every table.
    pub(super) fn flush(&self, db: &Connection) -> Result<(), StoreError> {
        LEVELS.iter().try_for_each(|level| self.flush_into(db, level))
    }

    fn flush_into(&self, db: &Connection, level: &Level) -> Result<(), StoreError> {
        let mut rows: BTreeMap<(i64, Key), Delta> = BTreeMap::new();
        for (Cell { quarter, key }, delta) in &self.0 {
            let mut key = *key;
            key.iter_mut().take(level.from).for_each(|value| *value = 0);
            let row = rows.entry((quarter.div_euclid(level.width / QUARTER), key)).or_default();
            for (sum, part) in row.iter_mut().zip(delta) {
                *sum = sum.checked_add(*part).ok_or_else(|| StoreError::Range("a sum overflows".to_owned()))?;
            }
        }
        let mut add = db.prepare_cached(&add_sql(level))?;
        let mut clear = db.prepare_cached(&clear_sql(level))?;
        for ((unit, key), delta) in rows {
            if delta == [0; 9] {
                continue;
            }
            let place = || [unit].into_iter().chain(key.into_iter().skip(level.from));
            add.execute(params_from_iter(place().chain(delta)))?;
            // What a correction emptied must not stay: the tables depend on what is counted, not on how it came about.
            if delta[0] < 0 {
                clear.execute(params_from_iter(place()))?;
            }
        }
        Ok(())
    }
}

fn add_sql(level: &Level) -> String {
    let columns = level.key_columns();
    let places = (1..=columns.len() + 9).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
    let sums = SUMS.split(", ").map(|sum| format!("{sum} = {sum} + excluded.{sum}")).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO {} ({}, {SUMS}) VALUES ({places}) ON CONFLICT DO UPDATE SET {sums}",
        level.table,
        columns.join(", ")
    )
}

fn clear_sql(level: &Level) -> String {
    let columns = level.key_columns().into_iter().enumerate();
    let place = columns.map(|(place, column)| format!("{column} = ?{}", place + 1)).collect::<Vec<_>>().join(" AND ");
    format!("DELETE FROM {} WHERE {place} AND requests = 0", level.table)
}

/// How many rows of the coarser tables are not what summing the quarter hours gives.
pub(super) fn differences(db: &Connection) -> Result<u64, StoreError> {
    let mut differing = 0;
    for level in LEVELS.iter().skip(1) {
        let columns = level.key_columns();
        let quarters = level.width / QUARTER;
        let unit = format!("(quarter - ((quarter % {quarters}) + {quarters}) % {quarters}) / {quarters}");
        let key = [unit.as_str()].into_iter().chain(columns.iter().skip(1).copied()).collect::<Vec<_>>().join(", ");
        let sums = SUMS.split(", ").map(|sum| format!("sum({sum})")).collect::<Vec<_>>().join(", ");
        let (ours, from) = (format!("SELECT {}, {SUMS} FROM {}", columns.join(", "), level.table), QUARTERS.table);
        let theirs = format!("SELECT {key}, {sums} FROM {from} GROUP BY {key}");
        let rows: i64 = db.query_row(
            &format!(
                "SELECT (SELECT count(*) FROM (SELECT * FROM ({ours}) EXCEPT SELECT * FROM ({theirs})))
                      + (SELECT count(*) FROM (SELECT * FROM ({theirs}) EXCEPT SELECT * FROM ({ours})))"
            ),
            [],
            |row| row.get(0),
        )?;
        differing += super::count(rows)?;
    }
    Ok(differing)
}
