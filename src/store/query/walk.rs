//! The way to rows: to a page of responses, and to the first and the last of a span.
//!
//! Where a page begins is found by counting: whole days and then whole quarters are skipped by the sums that are known
//! of them, so the last page costs what the first one does. A filter is looked up there, too, and only the sessions that
//! match in a quarter are read. Below the floor of retention the sums know of responses that have no row any more, so
//! there the few rows that are left (those a delivery waits for) are counted themselves.

use rusqlite::{Connection, OptionalExtension, params};

use super::filter::Resolved;
use super::{Cursor, Order, Span, counted, instant, limit};
use crate::event::UnixMillis;
use crate::store::dictionary::Dictionary;
use crate::store::response::{Raw, Stored, columns};
use crate::store::rollups::{DAYS, MODEL_DAYS, QUARTER, dim};
use crate::store::{StoreError, count, int};

/// One walk over the rows of a span.
pub(super) struct Walk<'a> {
    db: &'a Connection,
    words: &'a mut Dictionary,
    filter: &'a Resolved,
    order: Order,
    /// Rows on the other side of it are wanted.
    cursor: Option<Cursor>,
    from: i64,
    to: i64,
    /// Below this not every response has a row.
    floor: i64,
    /// Rows still to be passed over.
    skip: u64,
    /// Rows still wanted.
    want: usize,
    rows: Vec<Stored>,
}

/// The rows of a span in order, after `cursor` or after the first `skip`: at most `want`.
pub(super) fn walk(
    db: &Connection,
    words: &mut Dictionary,
    (span, filter): (Span, &Resolved),
    order: Order,
    (cursor, skip): (Option<Cursor>, u64),
    want: usize,
) -> Result<Vec<Stored>, StoreError> {
    let (mut from, mut to) = (span.from.0, span.to.0);
    match (cursor, order) {
        (Some(cursor), Order::Oldest) => from = from.max(cursor.at.0),
        (Some(cursor), Order::Newest) => to = to.min(cursor.at.0.saturating_add(1)),
        (None, _) => {}
    }
    let floor = instant(db, "retention_floor")?.map_or(i64::MIN, |floor| floor.0);
    let mut walk = Walk { db, words, filter, order, cursor, from, to, floor, skip, want, rows: Vec::new() };
    if order == Order::Oldest {
        walk.below_floor()?;
        walk.above_floor()?;
    } else {
        walk.above_floor()?;
        walk.below_floor()?;
    }
    Ok(walk.rows)
}

/// How many rows a span has below the floor of retention.
pub(super) fn rows_below_floor(db: &Connection, span: Span, filter: &Resolved) -> Result<u64, StoreError> {
    let floor = instant(db, "retention_floor")?.map_or(i64::MIN, |floor| floor.0);
    let filter = filter.on_responses();
    counted(
        db,
        &format!("SELECT count(*) FROM response INDEXED BY response_at WHERE at >= ?1 AND at < ?2{filter}"),
        [span.from.0, span.to.0.min(floor)],
    )
}

impl Walk<'_> {
    fn below_floor(&mut self) -> Result<(), StoreError> {
        let (from, to) = (self.from, self.to.min(self.floor));
        if from >= to || self.rows.len() >= self.want {
            return Ok(());
        }
        self.pass_or_take(from, to, None)
    }

    fn above_floor(&mut self) -> Result<(), StoreError> {
        let (from, to) = (self.from.max(self.floor), self.to);
        if from >= to {
            return Ok(());
        }
        if self.filter.is_open() && self.skip == 0 {
            return self.take(from, to, None);
        }
        let level = if self.filter.from() >= dim::MODEL { MODEL_DAYS } else { DAYS };
        let (mut first, mut last) = (from.div_euclid(level.width), (to - 1).div_euclid(level.width));
        if let Some((begin, end)) = self.filter.days {
            (first, last) = (first.max(begin), last.min(end));
        }
        let (table, filter, direction) = (level.table, self.filter.on_sums(), self.direction());
        let mut days = self.db.prepare_cached(&format!(
            "SELECT day, sum(requests) FROM {table} WHERE day >= ?1 AND day <= ?2{filter}
             GROUP BY day ORDER BY day{direction}"
        ))?;
        let mut days = days.query([first, last])?;
        while self.rows.len() < self.want
            && let Some(row) = days.next()?
        {
            let begin = row.get::<_, i64>(0)?.saturating_mul(level.width);
            let end = begin.saturating_add(level.width);
            let held = count(row.get(1)?)?;
            if from <= begin && end <= to && self.skip >= held && self.cursor.is_none() {
                self.skip -= held;
            } else {
                self.quarters(begin.max(from), end.min(to))?;
            }
        }
        Ok(())
    }

    /// Takes what is wanted of a day.
    fn quarters(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let (filter, direction) = (self.filter.on_sums(), self.direction());
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT quarter, session, sum(requests) FROM rollup WHERE quarter >= ?1 AND quarter <= ?2{filter}
             GROUP BY quarter, session ORDER BY quarter{direction}"
        ))?;
        let rows = statement.query_map([from.div_euclid(QUARTER), (to - 1).div_euclid(QUARTER)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        let cells: Vec<_> = rows.collect::<Result<_, _>>()?;
        for quarter in cells.chunk_by(|a, b| a.0 == b.0) {
            let Some(begin) = quarter.first().map(|cell| cell.0.saturating_mul(QUARTER)) else { continue };
            let end = begin.saturating_add(QUARTER);
            let held: i64 = quarter.iter().map(|cell| cell.2).sum();
            let held = count(held)?;
            let whole = from <= begin && end <= to && self.cursor.is_none();
            if whole && self.skip >= held {
                self.skip -= held;
                continue;
            }
            let sessions: Vec<i64> = quarter.iter().map(|cell| cell.1).collect();
            let sessions = (!self.filter.is_open()).then_some(&sessions[..]);
            if whole {
                self.take(begin, end, sessions)?;
            } else {
                self.pass_or_take(begin.max(from), end.min(to), sessions)?;
            }
            if self.rows.len() >= self.want {
                break;
            }
        }
        Ok(())
    }

    /// Passes over the rows between two instants if all of them are to be passed over; takes what is wanted otherwise.
    fn pass_or_take(&mut self, from: i64, to: i64, sessions: Option<&[i64]>) -> Result<(), StoreError> {
        if self.skip > 0 {
            let filter = self.conditions(sessions);
            let held = counted(
                self.db,
                &format!("SELECT count(*) FROM response WHERE at >= ?1 AND at < ?2{filter}"),
                [from, to],
            )?;
            if self.skip >= held {
                self.skip -= held;
                return Ok(());
            }
        }
        self.take(from, to, sessions)
    }

    /// Takes the rows between two instants, without those that are still to be passed over.
    fn take(&mut self, from: i64, to: i64, sessions: Option<&[i64]>) -> Result<(), StoreError> {
        let (filter, direction) = (self.conditions(sessions), self.direction());
        let beyond = if self.order == Order::Oldest { ">" } else { "<" };
        let (cursor, at, revision) = match self.cursor {
            Some(Cursor { at, revision }) => (format!(" AND (at, revision) {beyond} (?5, ?6)"), at.0, int(revision)?),
            None => (" AND ?5 = ?6".to_owned(), 0, 0),
        };
        let mut statement = self.db.prepare_cached(&format!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM response WHERE at >= ?1 AND at < ?2{filter}{cursor}
                  ORDER BY at{direction}, revision{direction} LIMIT ?3 OFFSET ?4"
            ),
            filter = filter,
            cursor = cursor,
            direction = direction
        ))?;
        let want = limit(self.want - self.rows.len());
        let rows = statement.query_map(params![from, to, want, int(self.skip)?, at, revision], Raw::read)?;
        let mut raws = Vec::new();
        for raw in rows {
            raws.push(raw?);
        }
        self.skip = 0;
        for raw in raws {
            self.rows.push(raw.decode(self.db, self.words)?);
        }
        Ok(())
    }

    fn conditions(&self, sessions: Option<&[i64]>) -> String {
        let Some(sessions) = sessions else { return self.filter.on_responses() };
        self.filter.with(dim::SESSION, sessions.to_vec()).on_responses()
    }

    fn direction(&self) -> &'static str {
        if self.order == Order::Oldest { "" } else { " DESC" }
    }
}

/// The first and the last response of a span.
pub(super) struct Ends<'a> {
    db: &'a Connection,
    span: Span,
    floor: i64,
    /// The quarters in which there may be one.
    quarters: Option<(i64, i64)>,
    /// The only session that is asked for.
    session: Option<i64>,
    on_sums: String,
    on_responses: String,
    /// Without the session.
    on_its_responses: String,
}

impl<'a> Ends<'a> {
    pub(super) fn of(db: &'a Connection, filter: &Resolved, span: Span) -> Result<Self, StoreError> {
        let level = if filter.from() >= dim::MODEL { MODEL_DAYS } else { DAYS };
        let (mut first, mut last) =
            (span.from.0.div_euclid(level.width), span.to.0.saturating_sub(1).div_euclid(level.width));
        if let Some((begin, end)) = filter.days {
            (first, last) = (first.max(begin), last.min(end));
        }
        let (table, on_sums) = (level.table, filter.on_sums());
        let end = |direction: &str| -> Result<Option<i64>, StoreError> {
            let sql = format!(
                "SELECT day FROM {table} WHERE day >= ?1 AND day <= ?2{on_sums} ORDER BY day{direction} LIMIT 1"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([first, last])?;
            Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
        };
        let days = end("")?.zip(end(" DESC")?);
        Self::between_days(db, filter, span, days)
    }

    /// The same where the UTC days of both ends are known already.
    pub(super) fn between_days(
        db: &'a Connection,
        filter: &Resolved,
        span: Span,
        days: Option<(i64, i64)>,
    ) -> Result<Self, StoreError> {
        let floor = instant(db, "retention_floor")?.map_or(i64::MIN, |floor| floor.0);
        let quarters = days.map(|(first, last)| {
            let from = (first * 96).max(span.from.0.div_euclid(QUARTER));
            (from, (last * 96 + 95).min(span.to.0.saturating_sub(1).div_euclid(QUARTER)))
        });
        let session = filter.only_session();
        let (on_sums, on_responses) = (filter.on_sums(), filter.on_responses());
        let on_its_responses = filter.without(dim::SESSION).on_responses();
        Ok(Self { db, span, floor, quarters, session, on_sums, on_responses, on_its_responses })
    }

    /// The earliest response, and whether that is exact.
    pub(super) fn first(&self) -> Result<Option<(UnixMillis, bool)>, StoreError> {
        self.end("min", "")
    }

    /// The latest one.
    pub(super) fn last(&self) -> Result<Option<(UnixMillis, bool)>, StoreError> {
        self.end("max", " DESC")
    }

    fn end(&self, which: &str, direction: &str) -> Result<Option<(UnixMillis, bool)>, StoreError> {
        let Some((first, last)) = self.quarters else { return Ok(None) };
        if let Some(session) = self.session.filter(|_| first.saturating_mul(QUARTER) >= self.floor) {
            return self.end_of_session(session, direction);
        }
        let (on_sums, on_responses) = (&self.on_sums, &self.on_responses);
        let mut quarters = self.db.prepare_cached(&format!(
            "SELECT DISTINCT quarter FROM rollup WHERE quarter >= ?1 AND quarter <= ?2{on_sums}
             ORDER BY quarter{direction}"
        ))?;
        let mut response = self.db.prepare_cached(&format!(
            "SELECT {which}(at) FROM response INDEXED BY response_at WHERE at >= ?1 AND at < ?2{on_responses}"
        ))?;
        let mut quarters = quarters.query([first, last])?;
        while let Some(row) = quarters.next()? {
            let quarter: i64 = row.get(0)?;
            let begin = quarter.saturating_mul(QUARTER);
            let (from, to) = (begin.max(self.span.from.0), begin.saturating_add(QUARTER).min(self.span.to.0));
            let row: Option<i64> = response.query_row([from, to], |row| row.get(0))?;
            let lost =
                begin < self.floor && self.span.from.0 <= begin && lost(self.db, quarter, on_sums, on_responses)?;
            let known = row.into_iter().chain(lost.then_some(begin));
            if let Some(at) = if which == "min" { known.min() } else { known.max() } {
                return Ok(Some((UnixMillis(at), !lost)));
            }
        }
        Ok(None)
    }
}

impl Ends<'_> {
    /// The same for one session that has all its rows.
    fn end_of_session(&self, session: i64, direction: &str) -> Result<Option<(UnixMillis, bool)>, StoreError> {
        let filter = &self.on_its_responses;
        let at = self
            .db
            .prepare_cached(&format!(
                "SELECT at FROM response INDEXED BY response_session
                 WHERE session = ?1 AND at >= ?2 AND at < ?3{filter} ORDER BY at{direction} LIMIT 1"
            ))?
            .query_row([session, self.span.from.0, self.span.to.0], |row| row.get(0))
            .optional()?;
        Ok(at.map(|at| (UnixMillis(at), true)))
    }
}

/// Whether the sums of a quarter know of responses that have no row any more.
pub(super) fn lost(db: &Connection, quarter: i64, on_sums: &str, on_responses: &str) -> Result<bool, StoreError> {
    let begin = quarter.saturating_mul(QUARTER);
    let lost: bool = db
        .prepare_cached(&format!(
            "SELECT (SELECT coalesce(sum(requests), 0) FROM rollup WHERE quarter = ?1{on_sums})
                 > (SELECT count(*) FROM response INDEXED BY response_at WHERE at >= ?2 AND at < ?3{on_responses})"
        ))?
        .query_row([quarter, begin, begin.saturating_add(QUARTER)], |row| row.get(0))?;
    Ok(lost)
}

/// The part of a span in which there is anything; `None`: there is nothing.
pub(super) fn occupied(db: &Connection, span: Span) -> Result<Option<Span>, StoreError> {
    let ends: (Option<i64>, Option<i64>) = db
        .prepare_cached("SELECT (SELECT min(quarter) FROM rollup), (SELECT max(quarter) FROM rollup)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else { return Ok(None) };
    let from = span.from.max(UnixMillis(first.saturating_mul(QUARTER)));
    let to = span.to.min(UnixMillis((last + 1).saturating_mul(QUARTER)));
    Ok((from < to).then_some(Span { from, to }))
}
