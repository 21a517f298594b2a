//! What was used lately: money by quarter of an hour, and the sessions that are still open. Derived from the history at
//! a start and kept up to date in memory; nothing of it is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::Connection;

use super::super::StoreError;
use super::super::dictionary::Dictionary;
use super::super::rollups::QUARTER;
use super::super::totals::{Delta, apply, tally};
use crate::event::{PicoUsd, Tally, UnixMillis};
use crate::hub::{ActiveSession, SESSION_HELD_MS, SESSIONS_HELD, SessionPart, Spend};

/// What was spent in the last month.
pub(super) fn spend(db: &Connection, now: UnixMillis) -> Result<Spend, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT quarter, sum(cost) FROM rollup WHERE quarter >= ?1 GROUP BY quarter HAVING sum(cost) != 0",
    )?;
    let mut rows = statement.query([now.0.saturating_sub(Spend::REACH_MS).div_euclid(QUARTER)])?;
    let mut spend = Spend::default();
    while let Some(row) = rows.next()? {
        let (quarter, cost): (i64, i64) = (row.get(0)?, row.get(1)?);
        spend.add(UnixMillis(quarter.saturating_mul(QUARTER)), PicoUsd(i128::from(cost)), now);
    }
    Ok(spend)
}

/// What a transaction does to one session, by project and model.
#[derive(Default)]
pub(super) struct Touched {
    parts: BTreeMap<(i64, i64), Delta>,
    newest: UnixMillis,
}

impl Touched {
    pub(super) fn change(
        &mut self,
        project: i64,
        model: i64,
        at: UnixMillis,
        tally: &Tally,
        sign: i64,
    ) -> Result<(), StoreError> {
        self.newest = self.newest.max(at);
        apply(self.parts.entry((project, model)).or_default(), tally, sign)
    }
}

/// The sessions that were active last, by their word.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<i64, Open>,
}

#[derive(Clone, Debug)]
struct Open {
    name: Arc<str>,
    newest: UnixMillis,
    parts: BTreeMap<(i64, i64), Part>,
}

#[derive(Clone, Debug)]
struct Part {
    project: Arc<str>,
    model: Arc<str>,
    sums: Delta,
}

impl Sessions {
    pub(super) fn load(db: &Connection, words: &mut Dictionary, now: UnixMillis) -> Result<Self, StoreError> {
        let first = UnixMillis(now.0.saturating_sub(SESSION_HELD_MS)).utc_day();
        let mut statement = db.prepare_cached(
            "SELECT session, day FROM session_day WHERE day BETWEEN ?1 AND ?2 AND requests > 0 ORDER BY day DESC",
        )?;
        let mut rows = statement.query([first, now.utc_day() + 1])?;
        let (mut ids, mut last_day) = (HashSet::new(), i64::MAX);
        while let Some(row) = rows.next()? {
            let (id, day): (i64, i64) = (row.get(0)?, row.get(1)?);
            // Those of an earlier day cannot be among the newest once there are enough of later ones.
            if day < last_day && ids.len() >= SESSIONS_HELD {
                break;
            }
            last_day = day;
            ids.insert(id);
        }
        let mut newest = Vec::new();
        let mut last = db.prepare_cached("SELECT max(at) FROM response WHERE session = ?1 AND at <= ?2")?;
        for id in ids {
            let at: Option<i64> = last.query_row([id, now.0.saturating_add(UnixMillis::DAY)], |row| row.get(0))?;
            newest.extend(at.map(|at| (at, id)));
        }
        newest.sort_unstable_by(|a, b| b.cmp(a));
        let mut sessions = Self::default();
        for (_, id) in newest.into_iter().take(SESSIONS_HELD) {
            sessions.read(db, words, id)?;
        }
        sessions.forget(now);
        Ok(sessions)
    }

    /// Reads what a session has used so far.
    fn read(&mut self, db: &Connection, words: &mut Dictionary, id: i64) -> Result<(), StoreError> {
        let mut statement = db.prepare_cached(
            "SELECT project, r.model, max(at), count(*), sum(r.input), sum(r.output), sum(r.cache_write_5m),
                 sum(r.cache_write_1h), sum(r.cache_read), sum(coalesce(searches, 0)),
                 coalesce(sum(r.input * c.input + r.output * c.output + r.cache_write_5m * c.cache_write_5m
                     + r.cache_write_1h * c.cache_write_1h + r.cache_read * c.cache_read
                     + coalesce(searches, 0) * c.search), 0),
                 coalesce(sum(r.input + r.output + r.cache_write_5m + r.cache_write_1h + r.cache_read)
                     FILTER (WHERE card IS NULL), 0)
             FROM response r LEFT JOIN card c ON c.id = card WHERE session = ?1 GROUP BY project, r.model",
        )?;
        let mut rows = statement.query([id])?;
        let mut open = Open { name: words.word(db, id)?, newest: UnixMillis(0), parts: BTreeMap::new() };
        while let Some(row) = rows.next()? {
            let (project, model): (i64, i64) = (row.get(0)?, row.get(1)?);
            open.newest = open.newest.max(UnixMillis(row.get(2)?));
            let mut sums = Delta::default();
            for (place, sum) in sums.iter_mut().enumerate() {
                *sum = row.get(place + 3)?;
            }
            let part = Part { project: words.word(db, project)?, model: words.word(db, model)?, sums };
            open.parts.insert((project, model), part);
        }
        self.open.insert(id, open);
        Ok(())
    }

    pub(super) fn change(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        touched: HashMap<i64, Touched>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        for (id, Touched { parts, newest }) in touched {
            let Some(open) = self.open.get_mut(&id) else {
                // With what this transaction has just written.
                if newest.0 >= now.0.saturating_sub(SESSION_HELD_MS) {
                    self.read(db, words, id)?;
                }
                continue;
            };
            if newest.0 <= now.0.saturating_add(UnixMillis::DAY) {
                open.newest = open.newest.max(newest);
            }
            for ((project, model), delta) in parts {
                let part = match open.parts.entry((project, model)) {
                    std::collections::btree_map::Entry::Occupied(part) => part.into_mut(),
                    std::collections::btree_map::Entry::Vacant(place) => place.insert(Part {
                        project: words.word(db, project)?,
                        model: words.word(db, model)?,
                        sums: Delta::default(),
                    }),
                };
                for (sum, change) in part.sums.iter_mut().zip(delta) {
                    *sum = sum.saturating_add(change);
                }
            }
        }
        self.forget(now);
        Ok(())
    }

    /// Lets go of what has been idle for too long, and of the longest idle where there are too many.
    fn forget(&mut self, now: UnixMillis) {
        self.open.retain(|_, open| open.newest.0 >= now.0.saturating_sub(SESSION_HELD_MS));
        while self.open.len() > SESSIONS_HELD {
            let oldest = self.open.iter().min_by_key(|(id, open)| (open.newest, **id)).map(|(id, _)| *id);
            oldest.map(|id| self.open.remove(&id));
        }
    }

    /// The newest first.
    pub(super) fn show(&self) -> Arc<[ActiveSession]> {
        let mut sessions: Vec<ActiveSession> = self.open.values().map(Open::show).collect();
        sessions.sort_by(|a, b| b.last_at.cmp(&a.last_at).then_with(|| a.session.cmp(&b.session)));
        sessions.into()
    }
}

impl Open {
    fn show(&self) -> ActiveSession {
        let parts = self.parts.values().map(|Part { project, model, sums }| SessionPart {
            project: Arc::clone(project),
            model: Arc::clone(model),
            tally: tally(&sums.map(|sum| sum.max(0))).unwrap_or_default(),
        });
        ActiveSession {
            session: Arc::clone(&self.name),
            last_at: self.newest,
            parts: parts.filter(|part| part.tally.requests > 0).collect(),
        }
    }
}
