//! Positions in files, as sources commit them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::read::ItemRow;
use super::{StoreError, count, int};
use crate::event::UnixMillis;
use crate::plugin::Checkpoint;
use crate::status::{LineTally, SourceTotals};

/// Writes a position; a renamed item leaves its old place.
pub(super) fn save(
    db: &Connection,
    source: &str,
    checkpoint: &Checkpoint,
    renamed_from: Option<&[u8]>,
) -> Result<(), StoreError> {
    if let Some(old) = renamed_from {
        db.prepare_cached("DELETE FROM item WHERE source = ?1 AND path = ?2")?.execute(params![source, old])?;
    }
    let Checkpoint {
        path,
        device,
        inode,
        size,
        mtime_ns,
        ctime_ns,
        offset,
        generation,
        head_len,
        head_hash,
        tail_hash,
        cursor,
        tally,
        gone_at,
        error,
    } = checkpoint;
    let tally = encode_tally(tally)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO item (source, path, device, inode, size, mtime_ns, ctime_ns, offset, generation,
             head_len, head_hash, tail_hash, cursor, tally, gone_at, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        source,
        path,
        device.cast_signed(),
        inode.cast_signed(),
        int(*size)?,
        mtime_ns,
        ctime_ns,
        int(*offset)?,
        int(*generation)?,
        int(*head_len)?,
        head_hash.cast_signed(),
        tail_hash.cast_signed(),
        cursor,
        tally,
        gone_at.map(|at| at.0),
        error
    ])?;
    Ok(())
}

/// What a checkpoint is read from, in the order of [`read`].
const COLUMNS: &str =
    "path, device, inode, size, mtime_ns, ctime_ns, offset, generation, head_len, head_hash, tail_hash,
    cursor, tally, gone_at, error";

/// Which files are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ItemState {
    #[default]
    All,
    /// Being read.
    Ok,
    /// Not there any more.
    Gone,
    /// Not readable at the last try.
    Error,
}

/// The files of some sources (none: of all), in the order of sources and paths: at most `limit`, after the first `offset`;
/// and how many there are.
pub(super) fn page(
    db: &Connection,
    sources: &[Arc<str>],
    state: ItemState,
    (offset, limit): (usize, usize),
) -> Result<(Vec<ItemRow>, u64), StoreError> {
    let named = match sources {
        [] => String::new(),
        sources => format!(" AND source IN ({})", vec!["?"; sources.len()].join(", ")),
    };
    let state = match state {
        ItemState::All => "",
        ItemState::Ok => " AND gone_at IS NULL AND error IS NULL",
        ItemState::Gone => " AND gone_at IS NOT NULL",
        ItemState::Error => " AND gone_at IS NULL AND error IS NOT NULL",
    };
    let names = || sources.iter().map(|source| Value::Text(source.to_string()));
    let total = db
        .prepare_cached(&format!("SELECT count(*) FROM item WHERE TRUE{named}{state}"))?
        .query_row(params_from_iter(names()), |row| row.get(0))?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, source FROM item WHERE TRUE{named}{state} ORDER BY source, path LIMIT ? OFFSET ?"
    ))?;
    let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut rows = statement.query(params_from_iter(names().chain([number(limit), number(offset)])))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ItemRow { source: row.get(15)?, checkpoint: read(row)? });
    }
    Ok((found, count(total)?))
}

/// Every position of a source.
pub(super) fn all(db: &Connection, source: &str) -> Result<Vec<Checkpoint>, StoreError> {
    let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM item WHERE source = ?1"))?;
    let rows = statement.query_map([source], |row| Ok(read(row)))?;
    rows.map(|row| row.map_err(StoreError::from).flatten()).collect()
}

fn read(row: &Row<'_>) -> Result<Checkpoint, StoreError> {
    Ok(Checkpoint {
        path: row.get(0)?,
        device: row.get::<_, i64>(1)?.cast_unsigned(),
        inode: row.get::<_, i64>(2)?.cast_unsigned(),
        size: count(row.get(3)?)?,
        mtime_ns: row.get(4)?,
        ctime_ns: row.get(5)?,
        offset: count(row.get(6)?)?,
        generation: count(row.get(7)?)?,
        head_len: count(row.get(8)?)?,
        head_hash: row.get::<_, i64>(9)?.cast_unsigned(),
        tail_hash: row.get::<_, i64>(10)?.cast_unsigned(),
        cursor: row.get(11)?,
        tally: parse_tally(&row.get::<_, String>(12)?)?,
        gone_at: row.get::<_, Option<i64>>(13)?.map(UnixMillis),
        error: row.get(14)?,
    })
}

/// Numbers alone, in the order of the fields: there is one a file. What later versions add comes behind.
fn encode_tally(tally: &LineTally) -> Result<String, StoreError> {
    let LineTally { lines, bytes, claims, api_errors, unknown_iterations, estimated_times, skipped } = tally;
    let numbers: Vec<u64> = [lines, bytes, claims, api_errors, unknown_iterations, estimated_times]
        .into_iter()
        .chain(skipped)
        .copied()
        .collect();
    serde_json::to_string(&numbers).map_err(|error| StoreError::Range(error.to_string()))
}

fn parse_tally(text: &str) -> Result<LineTally, StoreError> {
    let numbers: Vec<u64> =
        serde_json::from_str(text).map_err(|error| StoreError::Range(format!("unreadable tally: {error}")))?;
    let mut numbers = numbers.into_iter();
    let mut next = || numbers.next().unwrap_or(0);
    let mut tally = LineTally {
        lines: next(),
        bytes: next(),
        claims: next(),
        api_errors: next(),
        unknown_iterations: next(),
        estimated_times: next(),
        ..LineTally::default()
    };
    tally.skipped.fill_with(next);
    Ok(tally)
}

/// Files that somebody else is about to delete, and those of them of which something is not read yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aging {
    pub files: u64,
    pub unread: u64,
}

/// The files of a source that are there and were last written before an instant.
pub(super) fn aging(db: &Connection, source: &str, before: UnixMillis) -> Result<Aging, StoreError> {
    let before = before.0.saturating_mul(1_000_000);
    let counts = db
        .prepare_cached(
            "SELECT count(*), coalesce(sum(offset < size), 0) FROM item
             WHERE source = ?1 AND gone_at IS NULL AND mtime_ns < ?2",
        )?
        .query_row(params![source, before], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Aging { files: count(counts.0)?, unread: count(counts.1)? })
}

/// Forgets positions of files that have been gone since before `cutoff`; their responses stay.
pub(super) fn forget_gone(db: &Connection, cutoff: UnixMillis) -> Result<u64, StoreError> {
    Ok(db.execute("DELETE FROM item WHERE gone_at < ?1", [cutoff.0])? as u64)
}

/// Counters of every source since the history began.
pub(super) fn sources(db: &Connection) -> Result<BTreeMap<String, SourceTotals>, StoreError> {
    let mut statement =
        db.prepare("SELECT name, tally, new_responses, corrections, duplicates, below_retention FROM source")?;
    let mut rows = statement.query([])?;
    let mut sources = BTreeMap::new();
    while let Some(row) = rows.next()? {
        sources.insert(
            row.get(0)?,
            SourceTotals {
                tally: parse_tally(&row.get::<_, String>(1)?)?,
                new_responses: count(row.get(2)?)?,
                corrections: count(row.get(3)?)?,
                duplicates: count(row.get(4)?)?,
                below_retention: count(row.get(5)?)?,
            },
        );
    }
    Ok(sources)
}

pub(super) fn save_source(db: &Connection, name: &str, totals: &SourceTotals) -> Result<(), StoreError> {
    let SourceTotals { tally, new_responses, corrections, duplicates, below_retention } = totals;
    let tally = encode_tally(tally)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO source (name, tally, new_responses, corrections, duplicates, below_retention)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        name,
        tally,
        int(*new_responses)?,
        int(*corrections)?,
        int(*duplicates)?,
        int(*below_retention)?
    ])?;
    Ok(())
}
