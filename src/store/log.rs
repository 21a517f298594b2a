//! The revision log: every insert, correction and retraction after a revision, in order, with its before and after.
//!
//! The log is the history itself, so it is complete and compact: of several corrections of one response a reader gets
//! the last. A delivery, which has a cursor, also gets the state that it saw before as `before`; and it hears of
//! retractions. For whom there is no cursor nothing is kept.

use rusqlite::{Connection, OptionalExtension, params};

use super::dictionary::Dictionary;
use super::response::{Raw, Stored, columns};
use super::{Store, StoreError, count, int};
use crate::event::{Change, Event, GroupId};

/// Rows with `after < revision <= until`, oldest first.
pub(super) fn page_after(
    db: &Connection,
    words: &mut Dictionary,
    after: u64,
    limit: usize,
    until: u64,
) -> Result<Vec<Stored>, StoreError> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM response WHERE revision > ?1 AND revision <= ?2 ORDER BY revision LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![int(after)?, int(until)?, int(limit as u64)?], Raw::read)?;
    rows.map(|raw| raw?.decode(db, words)).collect()
}

/// What happened after a revision, at most `limit` changes, in the order of their revisions.
pub(super) fn changes_after(
    db: &Connection,
    words: &mut Dictionary,
    after: u64,
    limit: usize,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    for stored in page_after(db, words, after, limit, i64::MAX.unsigned_abs())? {
        let before = seen_before(db, stored.id, after)?;
        changes.push(Change { revision: stored.revision, before, after: Some(stored.event(db, words)?) });
    }
    let mut retracted = db.prepare_cached(
        "SELECT max(revision), id FROM correction WHERE revision > ?1
             AND NOT EXISTS (SELECT 1 FROM response WHERE response.id = correction.id)
         GROUP BY id ORDER BY 1 LIMIT ?2",
    )?;
    let mut rows = retracted.query(params![int(after)?, int(limit as u64)?])?;
    while let Some(row) = rows.next()? {
        let id = GroupId(row.get(1)?);
        // Whoever never saw it need not hear that it is gone.
        if let Some(before) = seen_before(db, id, after)? {
            changes.push(Change { revision: count(row.get(0)?)?, before: Some(before), after: None });
        }
    }
    changes.sort_by_key(|change| change.revision);
    changes.truncate(limit);
    Ok(changes)
}

/// The state of a response that was current at `after`; none if it did not exist then.
pub(super) fn seen_before(db: &Connection, id: GroupId, after: u64) -> Result<Option<Event>, StoreError> {
    let first: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT prior, before FROM correction WHERE id = ?1 AND revision > ?2 ORDER BY revision LIMIT 1",
        )?
        .query_row(params![&id.0[..], int(after)?], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match first {
        Some((prior, before)) if count(prior)? <= after => serde_json::from_str(&before)
            .map(Some)
            .map_err(|error| StoreError::Range(format!("unreadable correction: {error}"))),
        _ => Ok(None),
    }
}

/// The furthest revision that a delivery may have seen; 0 without deliveries.
pub(super) fn furthest_cursor(db: &Connection) -> Result<u64, StoreError> {
    let cursor = db.prepare_cached("SELECT coalesce(max(revision), 0) FROM cursor")?.query_row([], |row| row.get(0))?;
    Ok(count(cursor)?.max(super::delivery::furthest_reach(db)?))
}

impl Store {
    /// Reads the log on the writing connection; see [`super::Readers::changes_after`] for everybody else.
    pub fn changes_after(&mut self, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        changes_after(&self.db, &mut self.words, after, limit)
    }

    /// Records how far a delivery has got; retention keeps what lies beyond.
    pub fn move_cursor(&mut self, name: &str, revision: u64) -> Result<(), StoreError> {
        self.db
            .execute("INSERT OR REPLACE INTO cursor (name, revision) VALUES (?1, ?2)", params![name, int(revision)?])?;
        Ok(())
    }
}
