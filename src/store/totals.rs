//! Sums: what a transaction adds to the lifetime series, the sessions and the rollups.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};

use super::dictionary::Dictionary;
use super::response::Share;
use super::rollups::{Cell, Rollups};
use super::series::{Gathered, Lifetime};
use super::{StoreError, count, int, pico};
use crate::event::{PicoUsd, QuerySource, Tally, TokenCounts, UnixMillis};

/// Lifetime sums by series, exact and as shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) series: BTreeMap<(Arc<str>, QuerySource), Series>,
    /// Sessions with at least one response.
    pub(super) sessions: u64,
    pub(super) sessions_shown: u64,
    pub(super) responses: u64,
    /// Sums that are not by model.
    pub(super) lifetime: Lifetime,
}

/// One series.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Series {
    pub(super) exact: Tally,
    /// The highest value that each part ever had.
    pub(super) shown: Tally,
}

impl Totals {
    /// Reads what is stored.
    pub(super) fn load(db: &Connection, now: UnixMillis) -> Result<Self, StoreError> {
        let (lifetime, series) = (Lifetime::load(db, now)?, load_series(db)?);
        let mut totals = Self { series, lifetime, ..Self::default() };
        totals.sessions =
            count(db.query_row("SELECT count(DISTINCT session) FROM session_day", [], |row| row.get(0))?)?;
        totals.sessions_shown =
            totals.sessions.max(count(super::connection::meta(db, "sessions_shown")?.unwrap_or(0))?);
        totals.responses = count(db.query_row("SELECT count(*) FROM response", [], |row| row.get(0))?)?;
        Ok(totals)
    }

    /// How much more everything together may cost before a sum no longer fits its column.
    pub(super) fn headroom(&self) -> PicoUsd {
        let spent: i128 = self.series.values().map(|series| series.exact.cost.0).sum();
        PicoUsd(i128::from(i64::MAX) - spent)
    }

    /// Whole-history sums by model.
    pub(super) fn by_model(&self) -> BTreeMap<Arc<str>, Tally> {
        let mut models: BTreeMap<Arc<str>, Tally> = BTreeMap::new();
        for ((model, _), series) in &self.series {
            if series.exact.requests > 0 {
                models.entry(Arc::clone(model)).or_default().add(&series.exact);
            }
        }
        models
    }
}

/// Every series as it is stored.
pub(super) fn load_series(db: &Connection) -> Result<BTreeMap<(Arc<str>, QuerySource), Series>, StoreError> {
    let mut statement = db.prepare(
        "SELECT w.text, sidechain, requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches,
             cost, unpriced_tokens, shown_requests, shown_input, shown_output, shown_cache_write_5m,
             shown_cache_write_1h, shown_cache_read, shown_searches, shown_cost, shown_unpriced_tokens
         FROM series JOIN word w ON w.id = model",
    )?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut numbers = [0; 18];
        for (place, number) in numbers.iter_mut().enumerate() {
            *number = row.get(place + 2)?;
        }
        let key = (row.get::<_, String>(0)?.into(), QuerySource::of(row.get(1)?));
        let (exact, shown) = numbers.split_at(9);
        all.insert(key, Series { exact: tally(exact)?, shown: tally(shown)? });
    }
    Ok(all)
}

/// Reads the nine columns of a sum, in the order in which every table has them.
pub(super) fn tally(columns: &[i64]) -> Result<Tally, StoreError> {
    let [requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost, unpriced] = columns
    else {
        return Err(StoreError::Range("a sum has nine columns".to_owned()));
    };
    Ok(Tally {
        requests: count(*requests)?,
        tokens: TokenCounts {
            input: count(*input)?,
            output: count(*output)?,
            cache_write_5m: count(*cache_write_5m)?,
            cache_write_1h: count(*cache_write_1h)?,
            cache_read: count(*cache_read)?,
        },
        searches: count(*searches)?,
        cost: PicoUsd(i128::from(*cost)),
        unpriced_tokens: count(*unpriced)?,
    })
}

fn columns(tally: &Tally) -> Result<[i64; 9], StoreError> {
    let Tally { tokens, requests, searches, cost, unpriced_tokens } = tally;
    let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
    Ok([
        int(*requests)?,
        int(*input)?,
        int(*output)?,
        int(*cache_write_5m)?,
        int(*cache_write_1h)?,
        int(*cache_read)?,
        int(*searches)?,
        pico(cost.0)?,
        int(*unpriced_tokens)?,
    ])
}

/// A difference of sums: corrections take away, too.
pub(super) type Delta = [i64; 9];

pub(super) fn apply(delta: &mut Delta, tally: &Tally, sign: i64) -> Result<(), StoreError> {
    for (sum, part) in delta.iter_mut().zip(columns(tally)?) {
        *sum = sum.checked_add(sign * part).ok_or_else(|| StoreError::Range("a sum overflows".to_owned()))?;
    }
    Ok(())
}

/// What one transaction changes; gathered in memory and written once at its end.
#[derive(Default)]
pub(super) struct Deltas {
    rollups: HashMap<Cell, Delta>,
    series: HashMap<(i64, bool), Delta>,
    session_days: HashMap<(i64, i64), i64>,
    responses: i64,
    /// Sums that are not by model.
    pub(super) lifetime: Gathered,
}

impl Deltas {
    pub(super) fn add(&mut self, share: &Share) -> Result<(), StoreError> {
        self.change(share, 1)
    }

    pub(super) fn remove(&mut self, share: &Share) -> Result<(), StoreError> {
        self.change(share, -1)
    }

    fn change(&mut self, share: &Share, sign: i64) -> Result<(), StoreError> {
        let Share { at, model, session, sidechain, tally, .. } = share;
        self.lifetime.change(share, sign)?;
        apply(self.rollups.entry(Cell::of(share)).or_default(), tally, sign)?;
        apply(self.series.entry((*model, *sidechain)).or_default(), tally, sign)?;
        *self.session_days.entry((*session, at.utc_day())).or_default() += sign;
        self.responses += sign;
        Ok(())
    }

    /// Writes the differences and gives the totals after them.
    pub(super) fn flush(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        before: &Totals,
    ) -> Result<Totals, StoreError> {
        let mut totals = before.clone();
        Rollups::take(&mut self.rollups).flush(db)?;
        self.flush_series(db, words, &mut totals)?;
        self.flush_sessions(db, &mut totals)?;
        self.lifetime.flush(db, words, &totals.series, &mut totals.lifetime)?;
        totals.responses = totals.responses.saturating_add_signed(std::mem::take(&mut self.responses));
        Ok(totals)
    }

    fn flush_series(&mut self, db: &Connection, words: &mut Dictionary, totals: &mut Totals) -> Result<(), StoreError> {
        let mut replace = db.prepare_cached(
            "INSERT OR REPLACE INTO series (model, sidechain, requests, input, output, cache_write_5m, cache_write_1h,
                 cache_read, searches, cost, unpriced_tokens, shown_requests, shown_input, shown_output,
                 shown_cache_write_5m, shown_cache_write_1h, shown_cache_read, shown_searches, shown_cost,
                 shown_unpriced_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?;
        for ((model, sidechain), delta) in self.series.drain() {
            let series = totals.series.entry((words.word(db, model)?, QuerySource::of(sidechain))).or_default();
            let mut exact = columns(&series.exact)?;
            let mut shown = columns(&series.shown)?;
            for ((exact, shown), delta) in exact.iter_mut().zip(&mut shown).zip(delta) {
                *exact =
                    exact.checked_add(delta).ok_or_else(|| StoreError::Range("a lifetime sum overflows".to_owned()))?;
                *shown = (*shown).max(*exact);
            }
            *series = Series { exact: tally(&exact)?, shown: tally(&shown)? };
            replace.execute(params_from_iter([model, sidechain.into()].into_iter().chain(exact).chain(shown)))?;
        }
        Ok(())
    }

    fn flush_sessions(&mut self, db: &Connection, totals: &mut Totals) -> Result<(), StoreError> {
        let mut sum = db.prepare_cached("SELECT coalesce(sum(requests), 0) FROM session_day WHERE session = ?1")?;
        let mut upsert = db.prepare_cached(
            "INSERT INTO session_day (session, day, requests) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET requests = requests + excluded.requests",
        )?;
        let mut clear =
            db.prepare_cached("DELETE FROM session_day WHERE session = ?1 AND day = ?2 AND requests = 0")?;
        let mut by_session: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for ((session, day), delta) in self.session_days.drain() {
            if delta != 0 {
                by_session.entry(session).or_default().push((day, delta));
            }
        }
        for (session, days) in by_session {
            let before: i64 = sum.query_row([session], |row| row.get(0))?;
            let mut after = before;
            for (day, delta) in days {
                upsert.execute([session, day, delta])?;
                if delta < 0 {
                    clear.execute([session, day])?;
                }
                after += delta;
            }
            match (before > 0, after > 0) {
                (false, true) => totals.sessions += 1,
                (true, false) => totals.sessions = totals.sessions.saturating_sub(1),
                _ => {}
            }
        }
        if totals.sessions > totals.sessions_shown {
            totals.sessions_shown = totals.sessions;
            super::connection::set_meta(db, "sessions_shown", int(totals.sessions_shown)?)?;
        }
        Ok(())
    }
}
