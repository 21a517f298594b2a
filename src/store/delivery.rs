//! How far each delivery has got, what it remembers, and what its receiver refused.
//!
//! A delivery goes through the log in legs, from `base` to `reach`. Within a leg it is handed the history as it was at
//! `reach`, whatever happened since; only when it has got there does the next leg begin. So at the end of a leg its
//! receiver knows exactly the history at that revision, and that is what makes the before of a correction true: it is the
//! state at `base`. What is corrected after a leg began leaves what it replaced in the log (`keep_prior`).
//!
//! Every change here is one small transaction on the writing connection, between two commits of ingest.

mod page;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

pub use page::{Leg, Page};

use super::{Readers, Store, StoreError, count, int};
use crate::event::{Change, GroupId, UnixMillis};

/// How many dead letters of one delivery are kept; older ones are only counted.
const KEPT_LETTERS: i64 = 10_000;

/// One delivery as the history knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryState {
    pub name: String,
    pub kind: String,
    /// What the cursor is about.
    pub target: String,
    /// What the configuration names now; another than `target` waits for a decision.
    pub wanted: String,
    /// It has a cursor at all.
    pub tracks: bool,
    /// Everything up to here was dealt with. `None`: it has not begun.
    pub revision: Option<u64>,
    /// Where its leg began, and where it ends.
    pub base: u64,
    pub reach: u64,
    pub generation: u64,
    /// While the cursor is below `replay_until`, responses before this instant are passed over.
    pub since: Option<UnixMillis>,
    pub replay_until: u64,
    pub paused: bool,
    pub memo: Option<String>,
    pub events: u64,
    pub dead_letters: u64,
    pub dropped: u64,
    pub last_success_at: Option<UnixMillis>,
    pub failing_since: Option<UnixMillis>,
    pub last_error: Option<String>,
}

/// Where a delivery is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// After the newest change.
    Head,
    /// After this revision.
    After(u64),
    /// With responses made at this instant or later.
    Since(UnixMillis),
}

/// What one batch did.
#[derive(Clone, Debug, Default)]
pub struct Ack {
    pub name: String,
    /// As it was when the batch was read: after a replay somewhere else an old acknowledgement says nothing.
    pub generation: u64,
    pub from: u64,
    /// Everything up to here was dealt with.
    pub until: u64,
    pub delivered: u64,
    pub dropped: u64,
    /// Changes that were refused for good, and why.
    pub dead: Vec<(Change, String)>,
    /// Refused ones that the receiver did not name.
    pub unnamed: u64,
    pub memo: Option<String>,
    pub now: UnixMillis,
    /// Something arrived, rather than being passed over.
    pub success: bool,
}

/// A change that a receiver refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub number: u64,
    pub name: String,
    pub revision: u64,
    pub id: GroupId,
    pub at: UnixMillis,
    pub reason: String,
    /// `{"before": EVENT or null, "after": EVENT or null}`
    pub change: String,
}

const COLUMNS: &str =
    "name, kind, target, wanted, tracks, revision, base, reach, generation, since, replay_until, paused, memo,
     events, dead_letters, dropped, last_success_at, failing_since, last_error";

fn state(row: &Row<'_>) -> rusqlite::Result<DeliveryState> {
    // What is negative was not written by us; as a zero it costs a repetition and loses nothing.
    let number = |place: usize| row.get::<_, i64>(place).map(|value| u64::try_from(value).unwrap_or(0));
    let at = |place: usize| row.get::<_, Option<i64>>(place).map(|value| value.map(UnixMillis));
    let revision: Option<i64> = row.get(5)?;
    Ok(DeliveryState {
        name: row.get(0)?,
        kind: row.get(1)?,
        target: row.get(2)?,
        wanted: row.get(3)?,
        tracks: row.get(4)?,
        revision: revision.map(|revision| u64::try_from(revision).unwrap_or(0)),
        base: number(6)?,
        reach: number(7)?,
        generation: number(8)?,
        since: at(9)?,
        replay_until: number(10)?,
        paused: row.get(11)?,
        memo: row.get(12)?,
        events: number(13)?,
        dead_letters: number(14)?,
        dropped: number(15)?,
        last_success_at: at(16)?,
        failing_since: at(17)?,
        last_error: row.get(18)?,
    })
}

fn load(db: &Connection, name: &str) -> Result<Option<DeliveryState>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM delivery WHERE name = ?1"))?;
    Ok(statement.query_row([name], state).optional()?)
}

fn all(db: &Connection) -> Result<Vec<DeliveryState>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM delivery ORDER BY name"))?;
    Ok(statement.query_map([], state)?.collect::<Result<_, _>>()?)
}

/// Keeps retention from what `name` has not been sent, or no longer.
fn hold(db: &Connection, name: &str, revision: Option<u64>) -> Result<(), StoreError> {
    match revision {
        Some(revision) => db
            .prepare_cached("INSERT OR REPLACE INTO cursor (name, revision) VALUES (?1, ?2)")?
            .execute(params![name, int(revision)?])?,
        None => db.prepare_cached("DELETE FROM cursor WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

impl Store {
    /// Makes a delivery known, or finds it again, and keeps retention from what it has not been sent. `tracks`: it has
    /// a cursor.
    pub fn enroll(&mut self, name: &str, kind: &str, target: &str, tracks: bool) -> Result<DeliveryState, StoreError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute(
            "INSERT INTO delivery (name, kind, target, wanted, tracks) VALUES (?1, ?2, ?3, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET kind = ?2, wanted = ?3, tracks = ?4,
                 target = CASE WHEN revision IS NULL OR NOT ?4 THEN ?3 ELSE target END",
            params![name, kind, target, tracks],
        )?;
        let state = load(&tx, name)?.ok_or_else(|| StoreError::Range(format!("the delivery {name} is gone")))?;
        hold(&tx, name, state.revision.filter(|_| tracks).map(|_| state.base))?;
        tx.commit()?;
        Ok(state)
    }

    /// Retention no longer waits for deliveries other than these; what they had got to stays known.
    pub fn release_deliveries_except(&mut self, names: &[String]) -> Result<(), StoreError> {
        let mut statement = self.db.prepare("SELECT name FROM cursor JOIN delivery USING (name)")?;
        let held: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for name in held.iter().filter(|name| !names.contains(name)) {
            hold(&self.db, name, None)?;
        }
        Ok(())
    }

    /// Has a delivery go on somewhere else, to what the configuration names now. `false`: there is no such delivery.
    pub fn move_delivery(&mut self, name: &str, to: Resume) -> Result<bool, StoreError> {
        let head = self.revision;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (revision, since) = match to {
            Resume::Head => (head, None),
            Resume::After(revision) => (revision.min(head), None),
            Resume::Since(at) => {
                // Revisions follow the order of reading, not that of time: those in between are passed over one by one.
                let first: Option<i64> =
                    tx.query_row("SELECT min(revision) FROM response WHERE at >= ?1", [at.0], |row| row.get(0))?;
                (first.map_or(Ok(head), count)?.saturating_sub(u64::from(first.is_some())), Some(at))
            }
        };
        let moved = tx.execute(
            "UPDATE delivery SET revision = ?2, base = ?2, reach = ?2, since = ?3, replay_until = ?4,
                 generation = generation + 1,
                 target = wanted, failing_since = NULL, last_error = NULL WHERE name = ?1 AND tracks",
            params![name, int(revision)?, since.map(|at| at.0), int(head)?],
        )?;
        if moved > 0 {
            hold(&tx, name, Some(revision))?;
        }
        tx.commit()?;
        Ok(moved > 0)
    }

    /// Pauses a delivery or has it go on. `false`: there is no such delivery.
    pub fn pause_delivery(&mut self, name: &str, paused: bool) -> Result<bool, StoreError> {
        let changed = self.db.execute(
            "UPDATE delivery SET paused = ?2, failing_since = CASE WHEN ?2 THEN failing_since END WHERE name = ?1",
            params![name, paused],
        )?;
        Ok(changed > 0)
    }

    /// Begins the next leg, up to everything there is now, and says where it ends. `None`: the delivery stands elsewhere
    /// by now, so ask anew.
    pub fn begin_leg(&mut self, name: &str, generation: u64, revision: u64) -> Result<Option<u64>, StoreError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = tx
            .prepare_cached(
                "UPDATE delivery SET base = ?3, reach = ?4
                 WHERE name = ?1 AND generation = ?2 AND revision = ?3 AND reach <= ?3",
            )?
            .execute(params![name, int(generation)?, int(revision)?, int(self.revision)?])?;
        if changed == 0 {
            return Ok(None);
        }
        hold(&tx, name, Some(revision))?;
        tx.commit()?;
        Ok(Some(self.revision))
    }

    /// Moves a cursor after a batch, with everything that has to be known together with it; at the end of a leg the next
    /// one begins. Gives base and reach. `None`: it stands elsewhere by now; nothing was changed.
    pub fn acknowledge_batch(&mut self, ack: &Ack) -> Result<Option<(u64, u64)>, StoreError> {
        let head = self.revision;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let dead = ack.dead.len() as u64 + ack.unnamed;
        let leg: Option<(i64, i64)> = tx
            .prepare_cached(
                "UPDATE delivery SET revision = ?4, base = CASE WHEN reach <= ?4 THEN ?4 ELSE base END,
                     reach = CASE WHEN reach <= ?4 THEN ?5 ELSE reach END, memo = coalesce(?6, memo), events = events + ?7,
                     dropped = dropped + ?8, dead_letters = dead_letters + ?9,
                     last_success_at = CASE WHEN ?11 THEN ?10 ELSE last_success_at END,
                     failing_since = CASE WHEN ?11 THEN NULL ELSE failing_since END,
                     last_error = CASE WHEN ?11 THEN NULL ELSE last_error END
                 WHERE name = ?1 AND generation = ?2 AND revision = ?3 RETURNING base, reach",
            )?
            .query_row(
                params![
                ack.name,
                int(ack.generation)?,
                int(ack.from)?,
                int(ack.until)?,
                int(head)?,
                ack.memo,
                int(ack.delivered)?,
                int(ack.dropped)?,
                int(dead)?,
                ack.now.0,
                ack.success
            ], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((base, reach)) = leg else { return Ok(None) };
        let (base, reach) = (count(base)?, count(reach)?);
        hold(&tx, &ack.name, Some(base))?;
        for (change, reason) in &ack.dead {
            bury(&tx, &ack.name, change, reason, ack.now)?;
        }
        tx.commit()?;
        Ok(Some((base, reach)))
    }

    /// The same for a delivery of snapshots, which has no cursor.
    pub fn acknowledge_snapshot(&mut self, name: &str, memo: Option<&str>, now: UnixMillis) -> Result<(), StoreError> {
        self.db
            .prepare_cached(
                "UPDATE delivery SET memo = coalesce(?2, memo), last_success_at = ?3,
                     failing_since = NULL, last_error = NULL WHERE name = ?1",
            )?
            .execute(params![name, memo, now.0])?;
        Ok(())
    }

    /// Remembers that a delivery began to fail, and why.
    pub fn note_failing(&mut self, name: &str, why: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.db.execute(
            "UPDATE delivery SET failing_since = coalesce(failing_since, ?3), last_error = ?2 WHERE name = ?1",
            params![name, why, now.0],
        )?;
        Ok(())
    }

    pub fn delivery(&self, name: &str) -> Result<Option<DeliveryState>, StoreError> {
        load(&self.db, name)
    }
}

/// Keeps what was refused, the newest of it.
fn bury(db: &Connection, name: &str, change: &Change, reason: &str, now: UnixMillis) -> Result<(), StoreError> {
    let Some(event) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(()) };
    let text = serde_json::json!({ "before": change.before, "after": change.after }).to_string();
    db.prepare_cached(
        "INSERT INTO dead_letter (name, revision, id, at, reason, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![name, int(change.revision)?, &event.id.0[..], now.0, reason, text])?;
    db.prepare_cached(
        "DELETE FROM dead_letter WHERE name = ?1 AND number <=
             (SELECT number FROM dead_letter WHERE name = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![name, KEPT_LETTERS])?;
    Ok(())
}

impl Readers {
    /// Every delivery that was ever known, by name.
    pub fn deliveries(&self) -> Result<Vec<DeliveryState>, StoreError> {
        self.with(|db| all(db))
    }

    /// The newest dead letters, of one delivery or of all, newest first.
    pub fn dead_letters(&self, name: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.with(|db| {
            let mut statement = db.prepare_cached(
                "SELECT number, name, revision, id, at, reason, change FROM dead_letter
                 WHERE ?1 IS NULL OR name = ?1 ORDER BY number DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![name, int(limit as u64)?])?;
            let mut letters = Vec::new();
            while let Some(row) = rows.next()? {
                letters.push(DeadLetter {
                    number: count(row.get(0)?)?,
                    name: row.get(1)?,
                    revision: count(row.get(2)?)?,
                    id: GroupId(row.get(3)?),
                    at: UnixMillis(row.get(4)?),
                    reason: row.get(5)?,
                    change: row.get(6)?,
                });
            }
            Ok(letters)
        })
    }
}

/// The furthest that any delivery has been handed.
pub(super) fn furthest_reach(db: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(reach), 0) FROM delivery WHERE tracks";
    count(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}
