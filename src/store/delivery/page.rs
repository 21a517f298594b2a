//! What a delivery is handed: a page of the log as the history was at the end of its leg, whatever happened since.

use rusqlite::{Connection, OptionalExtension, params};

use crate::event::{Change, Event, GroupId};
use crate::store::dictionary::Dictionary;
use crate::store::log::{page_after, seen_before};
use crate::store::{Readers, StoreError, count, int};

/// What a delivery is handed next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub changes: Vec<Change>,
    /// There is nothing else up to here.
    pub until: u64,
}

/// The part of the log that a delivery goes through before it looks at what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub base: u64,
    pub reach: u64,
}

impl Readers {
    /// What a delivery is handed next: changes with `after < revision <= leg.reach`, at most `limit`, in order, as things
    /// were at the end of the leg.
    pub fn delivery_page(&self, after: u64, leg: Leg, limit: usize) -> Result<Page, StoreError> {
        self.with(|db| {
            // One state of the database for all that is asked.
            let tx = db.transaction()?;
            page(&tx, &mut Dictionary::default(), after, leg, limit.max(1))
        })
    }

    /// Where a delivery that stands at `after` has to go on so that no more than `kept` responses wait, and how many it
    /// passes over by that. `None`: no more than that wait.
    pub fn surplus(&self, after: u64, kept: u64) -> Result<Option<(u64, u64)>, StoreError> {
        self.with(|db| {
            let sql = "SELECT revision FROM response WHERE revision > ?1 ORDER BY revision DESC LIMIT 1 OFFSET ?2";
            let last: Option<i64> =
                db.prepare_cached(sql)?.query_row([int(after)?, int(kept)?], |row| row.get(0)).optional()?;
            let Some(last) = last else { return Ok(None) };
            let sql = "SELECT count(*) FROM response WHERE revision > ?1 AND revision <= ?2";
            let passed = db.prepare_cached(sql)?.query_row([int(after)?, last], |row| row.get(0))?;
            Ok(Some((count(last)?, count(passed)?)))
        })
    }
}

fn page(db: &Connection, words: &mut Dictionary, after: u64, leg: Leg, limit: usize) -> Result<Page, StoreError> {
    let rows = page_after(db, words, after, limit, leg.reach)?;
    let mut changes = Vec::with_capacity(rows.len());
    for stored in rows {
        let after = Some(stored.event(db, words)?);
        changes.push((stored.id, Change { revision: stored.revision, before: None, after }));
    }
    replaced_since(db, after, leg.reach, limit, &mut changes)?;
    retracted(db, after, leg.reach, limit, &mut changes)?;
    changes.sort_by_key(|(_, change)| change.revision);
    let mut page = Page { changes: Vec::with_capacity(changes.len().min(limit)), until: leg.reach };
    if changes.len() >= limit {
        changes.truncate(limit);
        page.until = changes.last().map_or(leg.reach, |(_, change)| change.revision);
    }
    // Most pages have nothing that was corrected.
    let sql = "SELECT 1 FROM correction WHERE revision > ?1 AND revision <= ?2 LIMIT 1";
    let is_any = db.prepare_cached(sql)?.exists(params![int(leg.base)?, int(leg.reach)?])?;
    for (id, mut change) in changes {
        if is_any {
            change.before = seen_before(db, id, leg.base)?;
        }
        // Whoever never saw it need not hear that it is gone.
        if change.before.is_some() || change.after.is_some() {
            page.changes.push(change);
        }
    }
    Ok(page)
}

/// States that were current at `reach` and have been replaced since.
fn replaced_since(
    db: &Connection,
    after: u64,
    reach: u64,
    limit: usize,
    to: &mut Vec<(GroupId, Change)>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT prior, id, before FROM correction WHERE revision > ?2 AND prior > ?1 AND prior <= ?2
         ORDER BY prior LIMIT ?3",
    )?;
    let mut rows = statement.query(params![int(after)?, int(reach)?, int(limit as u64)?])?;
    while let Some(row) = rows.next()? {
        let (revision, id, text) = (count(row.get(0)?)?, GroupId(row.get(1)?), row.get::<_, String>(2)?);
        let event: Event = serde_json::from_str(&text)
            .map_err(|error| StoreError::Range(format!("unreadable correction: {error}")))?;
        to.push((id, Change { revision, before: None, after: Some(event) }));
    }
    Ok(())
}

/// Responses that were gone at `reach`, at the revision of their end.
fn retracted(
    db: &Connection,
    after: u64,
    reach: u64,
    limit: usize,
    to: &mut Vec<(GroupId, Change)>,
) -> Result<(), StoreError> {
    // The last thing that happened to them until `reach` left no state behind.
    let mut statement = db.prepare_cached(
        "SELECT revision, id FROM correction AS last WHERE revision > ?1 AND revision <= ?2
             AND NOT EXISTS (SELECT 1 FROM response WHERE id = last.id AND revision <= ?2)
             AND NOT EXISTS (SELECT 1 FROM correction AS next
                 WHERE next.id = last.id AND next.revision > last.revision AND (next.revision <= ?2 OR next.prior <= ?2))
         ORDER BY revision LIMIT ?3",
    )?;
    let mut rows = statement.query(params![int(after)?, int(reach)?, int(limit as u64)?])?;
    while let Some(row) = rows.next()? {
        to.push((GroupId(row.get(1)?), Change { revision: count(row.get(0)?)?, before: None, after: None }));
    }
    Ok(())
}
