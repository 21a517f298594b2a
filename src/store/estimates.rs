//! Somebody else's daily numbers and the days that transcripts cover: what is needed to say which days are estimates.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use rusqlite::{Connection, params};

use super::{StoreError, count, int};
use crate::event::{Tally, TokenCounts, UnixMillis};
use crate::plugin::Estimate;

/// Takes in a new state of such numbers.
pub(super) fn store(db: &Connection, estimate: &Estimate, now: UnixMillis) -> Result<(), StoreError> {
    let Estimate { origin, content_hash, last_day, includes_cache, days, lifetime } = estimate;
    db.execute(
        "INSERT OR REPLACE INTO estimate (origin, content_hash, last_day, includes_cache, taken_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![origin, content_hash.cast_signed(), last_day, includes_cache, now.0],
    )?;
    // Days that the file no longer lists stay: it may have been reset, and they happened.
    let mut put_day = db.prepare_cached(
        "INSERT OR REPLACE INTO estimate_day (origin, day, model, tokens, includes_cache) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (day, model, tokens) in days {
        put_day.execute(params![origin, day, model, int(*tokens)?, includes_cache])?;
    }
    db.execute("DELETE FROM estimate_lifetime WHERE origin = ?1", [origin])?;
    for (model, tokens) in lifetime {
        db.execute(
            "INSERT INTO estimate_lifetime (origin, model, input, output, cache_write, cache_read)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                origin,
                model,
                int(tokens.input)?,
                int(tokens.output)?,
                int(tokens.cache_write())?,
                int(tokens.cache_read)?
            ],
        )?;
    }
    Ok(())
}

/// Adds an interval and joins it with those it touches.
pub(super) fn store_coverage(db: &Connection, from: UnixMillis, to: UnixMillis) -> Result<(), StoreError> {
    let (from, to): (i64, i64) = db.query_row(
        "SELECT min(?1, coalesce(min(from_at), ?1)), max(?2, coalesce(max(to_at), ?2)) FROM coverage
         WHERE from_at <= ?2 AND to_at >= ?1",
        [from.0, to.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    db.execute("DELETE FROM coverage WHERE from_at <= ?2 AND to_at >= ?1", [from, to])?;
    db.execute("INSERT INTO coverage (from_at, to_at) VALUES (?1, ?2)", [from, to])?;
    Ok(())
}

/// Lifetime tokens by model.
pub(super) fn lifetime(db: &Connection) -> Result<BTreeMap<Arc<str>, TokenCounts>, StoreError> {
    // The same file under two roots counts once.
    let mut statement = db.prepare_cached(
        "SELECT model, sum(input), sum(output), sum(cache_write), sum(cache_read) FROM estimate_lifetime
         WHERE origin IN (SELECT min(origin) FROM estimate GROUP BY content_hash) GROUP BY model",
    )?;
    let mut rows = statement.query([])?;
    let mut estimates = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let tokens = TokenCounts {
            input: count(row.get(1)?)?,
            output: count(row.get(2)?)?,
            cache_write_5m: count(row.get(3)?)?,
            cache_write_1h: 0,
            cache_read: count(row.get(4)?)?,
        };
        estimates.insert(row.get::<_, String>(0)?.into(), tokens);
    }
    Ok(estimates)
}

/// Instants between which everything on disk was read.
pub(super) fn coverage(db: &Connection) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT from_at, to_at FROM coverage")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The estimate for a day that transcripts do not cover, if it is more than they have on the same basis.
pub(super) fn of_day(db: &Connection, date: Date, known: &Tally) -> Result<Option<u64>, StoreError> {
    let (tokens, includes_cache): (Option<i64>, Option<bool>) = db
        .prepare_cached(
            "SELECT sum(d.tokens), max(d.includes_cache) FROM estimate_day d
             WHERE d.day = ?1 AND d.origin IN (SELECT min(origin) FROM estimate GROUP BY content_hash)
                 AND d.day <= (SELECT coalesce(max(last_day), '') FROM estimate e WHERE e.origin = d.origin)",
        )?
        .query_row(params![date.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(tokens) = tokens.map(count).transpose()? else { return Ok(None) };
    let ours =
        if includes_cache.unwrap_or(false) { known.tokens.total() } else { known.tokens.input + known.tokens.output };
    Ok((tokens > ours).then_some(tokens))
}
