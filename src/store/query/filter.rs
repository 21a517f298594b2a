//! A [`Filter`] with names turned into numbers, and as conditions on a table.

use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::Filter;
use crate::event::QuerySource;
use crate::store::StoreError;
use crate::store::rollups::{DIMENSIONS, dim};

/// The most values that a filter may name of one kind; more are not a question that somebody typed.
pub(super) const VALUES: usize = 1_000;

/// The numbers that are asked for, by place in [`DIMENSIONS`]; `None`: all.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    sets: [Option<Vec<i64>>; 8],
    /// The first and the last UTC day of the sessions that are asked for.
    pub(super) days: Option<(i64, i64)>,
}

impl Resolved {
    /// `None`: nothing can match.
    pub(super) fn of(db: &Connection, filter: &Filter) -> Result<Option<Self>, StoreError> {
        let Filter { models, projects, sessions, branches, sources, query_source } = filter;
        let mut resolved = Self::default();
        for (place, names) in [
            (dim::MODEL, models),
            (dim::PROJECT, projects),
            (dim::SESSION, sessions),
            (dim::BRANCH, branches),
            (dim::SOURCE, sources),
        ] {
            if names.is_empty() {
                continue;
            }
            let ids = ids(db, names)?;
            if ids.is_empty() {
                return Ok(None);
            }
            resolved.sets[place] = Some(ids);
        }
        resolved.sets[dim::SIDECHAIN] = query_source.map(|source| vec![i64::from(source == QuerySource::Subagent)]);
        if let Some(sessions) = &resolved.sets[dim::SESSION] {
            resolved.days = session_days(db, sessions)?;
            if resolved.days.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(resolved))
    }

    /// The same, for these values of one of [`DIMENSIONS`] alone.
    pub(super) fn with(&self, place: usize, values: Vec<i64>) -> Self {
        let mut narrowed = self.clone();
        narrowed.sets[place] = Some(values);
        narrowed
    }

    /// The same for all values of one of [`DIMENSIONS`].
    pub(super) fn without(&self, place: usize) -> Self {
        let mut widened = self.clone();
        widened.sets[place] = None;
        widened
    }

    /// The session, if exactly one is asked for.
    pub(super) fn only_session(&self) -> Option<i64> {
        match self.sets[dim::SESSION].as_deref() {
            Some([session]) => Some(*session),
            _ => None,
        }
    }

    /// Everything matches.
    pub(super) fn is_open(&self) -> bool {
        self.sets.iter().all(Option::is_none)
    }

    /// The first of [`DIMENSIONS`] that matters.
    pub(super) fn from(&self) -> usize {
        self.sets.iter().position(Option::is_some).unwrap_or(DIMENSIONS.len())
    }

    /// As conditions on a table of sums, each with `AND` before it. Numbers only: nothing of what users write.
    pub(super) fn on_sums(&self) -> String {
        self.conditions(|place| DIMENSIONS[place])
    }

    /// The days on which the sessions that are asked for have anything, as a further condition on the sums of days: they
    /// are in the order of their days, so that a session without them is looked for on every day.
    pub(super) fn on_days_of_sessions(&self) -> Option<String> {
        let sessions = list(self.sets[dim::SESSION].as_ref()?);
        Some(format!(" AND (day, session) IN (SELECT day, session FROM session_day WHERE session IN ({sessions}))"))
    }

    /// As conditions on `response`.
    pub(super) fn on_responses(&self) -> String {
        self.conditions(|place| if place == dim::SIDECHAIN { "((flags >> 16) & 1)" } else { DIMENSIONS[place] })
    }

    fn conditions(&self, column: impl Fn(usize) -> &'static str) -> String {
        let mut sql = String::new();
        for (place, ids) in self.sets.iter().enumerate() {
            if let Some(ids) = ids {
                // Writing into a string cannot fail.
                write!(sql, " AND {} IN ({})", column(place), list(ids)).unwrap_or_default();
            }
        }
        sql
    }
}

fn list(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// The numbers of those names that are known.
fn ids(db: &Connection, names: &[Arc<str>]) -> Result<Vec<i64>, StoreError> {
    if names.len() > VALUES {
        return Err(StoreError::Range(format!("{} names where at most {VALUES} can be looked for", names.len())));
    }
    let mut lookup = db.prepare_cached("SELECT id FROM word WHERE text = ?1")?;
    let mut ids = Vec::new();
    for name in names {
        ids.extend(lookup.query_row([&**name], |row| row.get::<_, i64>(0)).optional()?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn session_days(db: &Connection, sessions: &[i64]) -> Result<Option<(i64, i64)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT min(day), max(day) FROM session_day WHERE session = ?1")?;
    let mut days: Option<(i64, i64)> = None;
    for session in sessions {
        let (first, last): (Option<i64>, Option<i64>) =
            statement.query_row([session], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let Some((first, last)) = first.zip(last) {
            days = Some(days.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
        }
    }
    Ok(days)
}
