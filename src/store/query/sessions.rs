//! Sessions: lists of them, and one with everything that is known of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::agents::AgentRow;
use super::cut::{Cells, between};
use super::filter::Resolved;
use super::walk::Ends;
use super::{Filter, Group, Span, Sums, sums};
use crate::event::{Tally, UnixMillis};
use crate::store::StoreError;
use crate::store::dictionary::Dictionary;
use crate::store::read::Readers;
use crate::store::rollups::{DAYS, dim};

/// The greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionOrder {
    #[default]
    LastActivity,
    Started,
    Cost,
    Tokens,
}

/// One session in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    pub session: Arc<str>,
    /// Each in the order of names; a session may move.
    pub projects: Vec<Arc<str>>,
    pub branches: Vec<Arc<str>>,
    pub models: Vec<Arc<str>>,
    /// Its first and its last response in the span.
    pub first_at: UnixMillis,
    pub last_at: UnixMillis,
    /// Both are exact; else they are known to the quarter hour, since retention has removed detail.
    pub is_exact: bool,
    pub sums: Sums,
    /// The part of `sums` that sub-agents made.
    pub subagents: Tally,
    /// What Claude Code itself says the whole session cost, in US dollars.
    pub reported_usd: Option<f64>,
}

/// A page of sessions.
#[derive(Clone, Debug, Default)]
pub struct SessionPage {
    pub rows: Vec<SessionRow>,
    /// How many there are on all pages.
    pub total: u64,
}

/// One session, over all time.
#[derive(Clone, Debug)]
pub struct SessionDetail {
    pub row: SessionRow,
    /// The dearest first.
    pub models: Vec<Group>,
    /// The main thread has no agent. Of responses that still have their detail.
    pub agents: Vec<AgentRow>,
}

/// A session while its place in the order is looked for.
#[derive(Clone, Copy)]
struct Found {
    id: i64,
    /// Its first and its last UTC day.
    days: (i64, i64),
    cost: i128,
    tokens: i128,
}

impl Readers {
    /// The sessions of a span: at most `limit`, after the first `offset`.
    pub fn sessions(
        &self,
        span: Span,
        filter: &Filter,
        order: SessionOrder,
        (offset, limit): (usize, usize),
    ) -> Result<SessionPage, StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(SessionPage::default()) };
            let cells = between(db, words, span.bounds(), &filter, &[dim::SESSION])?;
            let mut found = found(db, &filter, span, &cells)?;
            let total = found.len() as u64;
            match order {
                SessionOrder::Cost => found.sort_by_key(|found| (-found.cost, found.id)),
                SessionOrder::Tokens => found.sort_by_key(|found| (-found.tokens, found.id)),
                SessionOrder::LastActivity | SessionOrder::Started => {
                    by_time(db, &filter, span, order, &mut found, (offset, limit))?;
                }
            }
            let page: Vec<Found> = found.into_iter().skip(offset).take(limit).collect();
            Ok(SessionPage { rows: rows(db, words, &filter, span, &page)?, total })
        })
    }

    /// The sessions of a span with the newest responses, at most `limit`. Other than a page of all of them it takes as long
    /// as the span's last days are full.
    pub fn newest_sessions(&self, span: Span, filter: &Filter, limit: usize) -> Result<Vec<SessionRow>, StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(Vec::new()) };
            let mut newest = newest(db, &filter, span, limit)?;
            by_time(db, &filter, span, SessionOrder::LastActivity, &mut newest, (0, limit))?;
            newest.truncate(limit);
            for found in &mut newest {
                let mut first = db.prepare_cached("SELECT min(day) FROM session_day WHERE session = ?1")?;
                let first: Option<i64> = first.query_row([found.id], |row| row.get(0))?;
                found.days.0 = first.unwrap_or(i64::MIN).max(found.days.0);
            }
            rows(db, words, &filter, span, &newest)
        })
    }

    /// One session by its id; `None`: it has no response.
    pub fn session(&self, session: &str) -> Result<Option<SessionDetail>, StoreError> {
        self.ask(|db, words| {
            let filter = Filter { sessions: vec![session.into()], ..Filter::default() };
            let Some(filter) = Resolved::of(db, &filter)? else { return Ok(None) };
            let cells = between(db, words, Span::ALL.bounds(), &filter, &[dim::SESSION])?;
            let found = found(db, &filter, Span::ALL, &cells)?;
            let Some(row) = rows(db, words, &filter, Span::ALL, &found)?.pop() else { return Ok(None) };
            let cells = between(db, words, Span::ALL.bounds(), &filter, &[dim::MODEL, dim::CARD])?;
            let mut models = Vec::new();
            for (id, sums) in super::groups::folded(db, words, &cells, dim::MODEL)? {
                models.push(Group { name: Some(words.word(db, id)?), sums });
            }
            models.sort_by(|a, b| b.sums.tally.cost.cmp(&a.sums.tally.cost).then_with(|| a.name.cmp(&b.name)));
            let agents = super::agents::of_session(db, words, &row, found.first().map_or(0, |found| found.id))?;
            Ok(Some(SessionDetail { row, models, agents }))
        })
    }

    /// The ids of sessions that begin with a text, in order: at most so many.
    pub fn session_ids(&self, beginning: &str, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.ask(|db, _| {
            // Whatever begins with it is not beyond it and the last letter there is.
            let mut statement = db.prepare_cached(
                "SELECT text FROM word WHERE text >= ?1 AND text <= ?1 || ?2
                     AND EXISTS (SELECT 1 FROM session_day WHERE session = word.id)
                 ORDER BY text LIMIT ?3",
            )?;
            let rows = statement
                .query_map((beginning, char::MAX.to_string(), super::limit(limit)), |row| row.get::<_, String>(0))?;
            Ok(rows.map(|id| id.map(Arc::from)).collect::<Result<_, _>>()?)
        })
    }
}

/// The sessions of cells, with their first and last days in the span. What has lost its session is left out.
fn found(db: &Connection, filter: &Resolved, span: Span, cells: &Cells) -> Result<Vec<Found>, StoreError> {
    let (first, last) = (span.from.0.div_euclid(DAYS.width), span.to.0.saturating_sub(1).div_euclid(DAYS.width));
    let (table, filter) = (DAYS.table, filter.on_sums());
    let mut statement = db.prepare_cached(&format!(
        "SELECT session, day FROM {table} WHERE day >= ?1 AND day <= ?2{filter} GROUP BY day, session"
    ))?;
    let mut rows = statement.query([first, last])?;
    let mut days: HashMap<i64, (i64, i64)> = HashMap::new();
    while let Some(row) = rows.next()? {
        let day: i64 = row.get(1)?;
        days.entry(row.get(0)?).and_modify(|days| days.1 = day).or_insert((day, day));
    }
    let mut found = Vec::new();
    for (key, parts) in cells {
        let id = key[dim::SESSION];
        if let Some(days) = days.get(&id).filter(|_| id != 0) {
            let tokens = parts[1..6].iter().sum();
            found.push(Found { id, days: *days, cost: parts[7], tokens });
        }
    }
    Ok(found)
}

/// The sessions of the newest days that have as many as are asked for. What has lost its session is left out.
fn newest(db: &Connection, filter: &Resolved, span: Span, limit: usize) -> Result<Vec<Found>, StoreError> {
    let (first, last) = (span.from.0.div_euclid(DAYS.width), span.to.0.saturating_sub(1).div_euclid(DAYS.width));
    let is_cut = |day: i64| {
        let ends = [(first, span.from.0), (last, span.to.0)];
        ends.iter().any(|(edge, at)| day == *edge && at.rem_euclid(DAYS.width) != 0)
    };
    let (table, on_sums) =
        if filter.is_open() { ("session_day", String::new()) } else { (DAYS.table, filter.on_sums()) };
    let mut statement = db.prepare_cached(&format!(
        "SELECT DISTINCT day, session FROM {table} WHERE day >= ?1 AND day <= ?2{on_sums} ORDER BY day DESC"
    ))?;
    let mut rows = statement.query([first, last])?;
    let mut found: HashMap<i64, Found> = HashMap::new();
    let mut present = last;
    while let Some(row) = rows.next()? {
        let (day, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        if day != present && found.len() >= limit {
            break;
        }
        present = day;
        let session = Found { id, days: (first, day), cost: 0, tokens: 0 };
        // Of a day that is in the span in part only it may be the other part.
        let is_there = !is_cut(day) || {
            let ends = Ends::between_days(db, &filter.with(dim::SESSION, vec![id]), span, Some((first, day)))?;
            ends.last()?.is_some_and(|(at, _)| at.0.div_euclid(DAYS.width) == day)
        };
        if id != 0 && is_there {
            found.entry(id).or_insert(session);
        }
    }
    Ok(found.into_values().collect())
}

/// Puts sessions in the order of their first or last response, as far as the page needs it: days tell most of it, and
/// only sessions of the days that the page touches are looked up.
fn by_time(
    db: &Connection,
    filter: &Resolved,
    span: Span,
    order: SessionOrder,
    found: &mut [Found],
    (offset, limit): (usize, usize),
) -> Result<(), StoreError> {
    let started = order == SessionOrder::Started;
    let exact = |session: &Found| -> Result<Option<i64>, StoreError> {
        let ends = Ends::between_days(db, &filter.with(dim::SESSION, vec![session.id]), span, Some(session.days))?;
        let end = if started { ends.first()? } else { ends.last()? };
        Ok(end.map(|(at, _)| at.0))
    };
    let edge = if started { span.from.0 } else { span.to.0 };
    let mut at: HashMap<i64, i64> = HashMap::new();
    for session in found.iter() {
        // A day that is in the span in part only may hold nothing of the session in that part.
        let day = if started { session.days.0 } else { session.days.1 };
        if day == edge.div_euclid(DAYS.width) && edge.rem_euclid(DAYS.width) != 0 {
            at.extend(exact(session)?.map(|at| (session.id, at)));
        }
    }
    let day = |session: &Found| {
        let known = at.get(&session.id).map(|at| at.div_euclid(DAYS.width));
        known.unwrap_or(if started { session.days.0 } else { session.days.1 })
    };
    found.sort_by_cached_key(|session| (std::cmp::Reverse(day(session)), session.id));
    let days: BTreeSet<i64> = found.iter().skip(offset).take(limit).map(day).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(()) };
    let begin = found.partition_point(|session| day(session) > *last);
    let end = found.partition_point(|session| day(session) >= *first);
    let mut exacts = HashMap::new();
    for session in &found[begin..end] {
        let known = match at.get(&session.id) {
            Some(at) => Some(*at),
            None => exact(session)?,
        };
        exacts.insert(session.id, known);
    }
    found[begin..end]
        .sort_by_key(|session| (std::cmp::Reverse(exacts.get(&session.id).copied().flatten()), session.id));
    Ok(())
}

/// The rows of a page.
fn rows(
    db: &Connection,
    words: &mut Dictionary,
    filter: &Resolved,
    span: Span,
    page: &[Found],
) -> Result<Vec<SessionRow>, StoreError> {
    let Some(first) = page.iter().map(|found| found.days.0).min() else { return Ok(Vec::new()) };
    let last = page.iter().map(|found| found.days.1).max().unwrap_or(first);
    let from = span.from.max(UnixMillis(first.saturating_mul(DAYS.width)));
    let to = span.to.min(UnixMillis((last + 1).saturating_mul(DAYS.width)));
    let narrowed = filter.with(dim::SESSION, page.iter().map(|found| found.id).collect());
    let by = [dim::SESSION, dim::PROJECT, dim::BRANCH, dim::MODEL, dim::SIDECHAIN, dim::CARD];
    let cells = between(db, words, Span { from, to }.bounds(), &narrowed, &by)?;
    let mut gathered: HashMap<i64, Gathered> = HashMap::new();
    for (key, parts) in &cells {
        let sums = sums(db, words, key, parts)?;
        let session = gathered.entry(key[dim::SESSION]).or_default();
        session.sums.add(&sums);
        if key[dim::SIDECHAIN] != 0 {
            session.subagents.add(&sums.tally);
        }
        session.projects.insert(words.word(db, key[dim::PROJECT])?);
        session.models.insert(words.word(db, key[dim::MODEL])?);
        if key[dim::BRANCH] != 0 {
            session.branches.insert(words.word(db, key[dim::BRANCH])?);
        }
    }
    let mut rows = Vec::new();
    for found in page {
        let gathered = gathered.remove(&found.id).unwrap_or_default();
        let narrowed = filter.with(dim::SESSION, vec![found.id]);
        let ends = Ends::between_days(db, &narrowed, span, Some(found.days))?;
        let (Some(first), Some(last)) = (ends.first()?, ends.last()?) else { continue };
        rows.push(SessionRow {
            session: words.word(db, found.id)?,
            projects: gathered.projects.into_iter().collect(),
            branches: gathered.branches.into_iter().collect(),
            models: gathered.models.into_iter().collect(),
            first_at: first.0,
            last_at: last.0,
            is_exact: first.1 && last.1,
            sums: gathered.sums,
            subagents: gathered.subagents,
            reported_usd: db
                .prepare_cached("SELECT usd FROM reported_cost WHERE session = ?1")?
                .query_row([found.id], |row| row.get(0))
                .optional()?,
        });
    }
    Ok(rows)
}

/// What the rows of one session have in common.
#[derive(Default)]
struct Gathered {
    sums: Sums,
    subagents: Tally,
    projects: BTreeSet<Arc<str>>,
    branches: BTreeSet<Arc<str>>,
    models: BTreeSet<Arc<str>>,
}
