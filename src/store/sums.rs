//! Sums by model and query source: over steps of time, for a history that is written elsewhere, and as they were at a
//! revision, for a delivery that has to begin in the middle.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::dictionary::Dictionary;
use super::log::page_after;
use super::rollups::QUARTER;
use super::totals::{load_series, tally};
use super::{Readers, StoreError, count, int};
use crate::event::{Event, QuerySource, Tally, TokenCounts, UnixMillis};

/// Sums by series.
pub type SeriesSums = BTreeMap<(Arc<str>, QuerySource), Tally>;

/// So many rows are held in memory at a time.
const PAGE: usize = 1_000;

impl Readers {
    /// What was used in each step of `step` milliseconds, from `from` to before `to`, oldest first, without steps in which
    /// nothing was. All three are whole quarters of an hour.
    pub fn steps(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        step: i64,
    ) -> Result<Vec<(UnixMillis, SeriesSums)>, StoreError> {
        let per_step = (step / QUARTER).max(1);
        let first = from.0.div_euclid(QUARTER);
        self.at_leisure(|db| {
            let mut statement = db.prepare_cached(
                "SELECT (quarter - ?1) / ?3, w.text, sidechain, sum(requests), sum(input), sum(output),
                     sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches), sum(cost),
                     sum(unpriced_tokens)
                 FROM rollup JOIN word w ON w.id = model WHERE quarter >= ?1 AND quarter < ?2
                 GROUP BY 1, model, sidechain ORDER BY 1",
            )?;
            let mut rows = statement.query([first, to.0.div_euclid(QUARTER), per_step])?;
            let mut steps: Vec<(UnixMillis, SeriesSums)> = Vec::new();
            while let Some(row) = rows.next()? {
                let place: i64 = row.get(0)?;
                let at = UnixMillis(first.saturating_add(place.saturating_mul(per_step)).saturating_mul(QUARTER));
                let mut columns = [0; 9];
                for (place, column) in columns.iter_mut().enumerate() {
                    *column = row.get(place + 3)?;
                }
                let sum = tally(&columns)?;
                if sum == Tally::default() {
                    continue;
                }
                if steps.last().is_none_or(|(last, _)| *last != at) {
                    steps.push((at, SeriesSums::new()));
                }
                if let Some((_, sums)) = steps.last_mut() {
                    sums.insert((row.get::<_, String>(1)?.into(), QuerySource::of(row.get(2)?)), sum);
                }
            }
            Ok(steps)
        })
    }

    /// The first and the last quarter of an hour in which anything was used, as their beginnings.
    pub fn extent(&self) -> Result<Option<(UnixMillis, UnixMillis)>, StoreError> {
        self.with(|db| {
            let ends: (Option<i64>, Option<i64>) = db.query_row(
                "SELECT (SELECT quarter FROM rollup WHERE requests > 0 ORDER BY quarter LIMIT 1),
                     (SELECT quarter FROM rollup WHERE requests > 0 ORDER BY quarter DESC LIMIT 1)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(ends.0.zip(ends.1).map(|(first, last)| (UnixMillis(first * QUARTER), UnixMillis(last * QUARTER))))
        })
    }

    /// How many sessions made their first response on each UTC day (days since 1970), oldest first.
    pub fn new_sessions(&self) -> Result<Vec<(i64, u64)>, StoreError> {
        self.at_leisure(|db| {
            let mut statement = db.prepare_cached(
                "SELECT first, count(*) FROM (SELECT min(day) AS first FROM session_day WHERE requests > 0
                     GROUP BY session) GROUP BY first ORDER BY first",
            )?;
            let mut rows = statement.query([])?;
            let mut days = Vec::new();
            while let Some(row) = rows.next()? {
                days.push((row.get(0)?, count(row.get(1)?)?));
            }
            Ok(days)
        })
    }

    /// The lifetime sums as they were at a revision, as far as the log tells: what came after it is taken away again.
    pub fn series_at(&self, revision: u64) -> Result<SeriesSums, StoreError> {
        self.at_leisure(|db| {
            // One state of the database for all that is asked.
            let tx = db.transaction()?;
            let mut words = Dictionary::default();
            let (mut since, mut before) = (SeriesSums::new(), SeriesSums::new());
            let mut cursor = revision;
            loop {
                let page = page_after(&tx, &mut words, cursor, PAGE, i64::MAX.unsigned_abs())?;
                let Some(last) = page.last() else { break };
                cursor = last.revision;
                for stored in page {
                    let event = stored.event(&tx, &mut words)?;
                    if let Some(prior) = prior(&tx, &event.id.0, revision)? {
                        add(&mut before, &prior);
                    }
                    add(&mut since, &event);
                }
            }
            for prior in retracted(&tx, revision)? {
                add(&mut before, &prior);
            }
            let now = load_series(&tx)?.into_iter().map(|(key, series)| (key, series.exact));
            let mut sums: SeriesSums = now.collect();
            for (key, tally) in before {
                sums.entry(key).or_default().add(&tally);
            }
            for (key, tally) in since {
                let sum = sums.entry(key).or_default();
                *sum = minus(sum, &tally);
            }
            Ok(sums)
        })
    }
}

fn add(sums: &mut SeriesSums, event: &Event) {
    let tally = Tally::of(event.tokens, event.web.searches, event.cost);
    sums.entry((Arc::clone(&event.model), event.query_source)).or_default().add(&tally);
}

/// The state of a response that was current at a revision before which it stood.
fn prior(db: &Connection, id: &[u8], revision: u64) -> Result<Option<Event>, StoreError> {
    let first: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT prior, before FROM correction WHERE id = ?1 AND revision > ?2 ORDER BY revision LIMIT 1",
        )?
        .query_row(params![id, int(revision)?], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match first {
        Some((prior, before)) if count(prior)? <= revision => read(&before).map(Some),
        _ => Ok(None),
    }
}

/// The responses that were there at a revision and are no more.
fn retracted(db: &Connection, revision: u64) -> Result<Vec<Event>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT before FROM correction c WHERE revision > ?1 AND prior <= ?1
             AND NOT EXISTS (SELECT 1 FROM response WHERE response.id = c.id)",
    )?;
    let mut rows = statement.query([int(revision)?])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(read(&row.get::<_, String>(0)?)?);
    }
    Ok(events)
}

fn read(before: &str) -> Result<Event, StoreError> {
    serde_json::from_str(before).map_err(|error| StoreError::Range(format!("unreadable correction: {error}")))
}

fn minus(a: &Tally, b: &Tally) -> Tally {
    Tally {
        tokens: TokenCounts {
            input: a.tokens.input.saturating_sub(b.tokens.input),
            output: a.tokens.output.saturating_sub(b.tokens.output),
            cache_write_5m: a.tokens.cache_write_5m.saturating_sub(b.tokens.cache_write_5m),
            cache_write_1h: a.tokens.cache_write_1h.saturating_sub(b.tokens.cache_write_1h),
            cache_read: a.tokens.cache_read.saturating_sub(b.tokens.cache_read),
        },
        requests: a.requests.saturating_sub(b.requests),
        searches: a.searches.saturating_sub(b.searches),
        cost: crate::event::PicoUsd((a.cost.0 - b.cost.0).max(0)),
        unpriced_tokens: a.unpriced_tokens.saturating_sub(b.unpriced_tokens),
    }
}
