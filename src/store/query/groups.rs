//! Sums over a span: as a whole, and by model, project, session, branch, source or query source.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::cut::{Cells, between};
use super::filter::Resolved;
use super::walk::Ends;
use super::{Filter, Span, Sums, sums, tally};
use crate::event::{QuerySource, Tally, UnixMillis};
use crate::store::StoreError;
use crate::store::dictionary::Dictionary;
use crate::store::read::Readers;
use crate::store::rollups::{DAYS, dim};

/// What to group by. Kinds of tokens need no grouping: every [`Sums`] tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    Model,
    Project,
    Session,
    Branch,
    Source,
    QuerySource,
}

impl Dimension {
    pub(super) fn place(self) -> usize {
        match self {
            Self::Model => dim::MODEL,
            Self::Project => dim::PROJECT,
            Self::Session => dim::SESSION,
            Self::Branch => dim::BRANCH,
            Self::Source => dim::SOURCE,
            Self::QuerySource => dim::SIDECHAIN,
        }
    }

    /// The name of one of its values; `None`: a response has none, or it is not known any more.
    pub(super) fn name(
        self,
        db: &rusqlite::Connection,
        words: &mut Dictionary,
        id: i64,
    ) -> Result<Option<Arc<str>>, StoreError> {
        match self {
            Self::QuerySource => Ok(Some(QuerySource::of(id != 0).name().into())),
            _ if id == 0 => Ok(None),
            _ => words.word(db, id).map(Some),
        }
    }
}

/// The order of groups, the greatest first; equal ones by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupOrder {
    #[default]
    Tokens,
    Cost,
    Requests,
}

/// One group of responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `None`: responses without one (no branch), or of whom it is not known any more.
    pub name: Option<Arc<str>>,
    pub sums: Sums,
}

/// A span as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    pub sums: Sums,
    /// Sessions with a response in the span.
    pub sessions: u64,
    /// The first and the last response; to the quarter hour where retention has removed the detail.
    pub first_at: Option<UnixMillis>,
    pub last_at: Option<UnixMillis>,
}

/// A span in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    pub tally: Tally,
    /// Sessions with a response in the span.
    pub sessions: u64,
}

/// One project in a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    pub project: Arc<str>,
    pub sums: Sums,
    pub sessions: u64,
    pub first_at: Option<UnixMillis>,
    pub last_at: Option<UnixMillis>,
}

impl Readers {
    /// The sums over a span, its sessions, its first and its last response.
    pub fn sums(&self, span: Span, filter: &Filter) -> Result<Overview, StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(Overview::default()) };
            let whole = between(db, words, span.bounds(), &filter, &[dim::CARD])?;
            let mut overview = Overview::default();
            for (key, parts) in &whole {
                overview.sums.add(&sums(db, words, key, parts)?);
            }
            overview.sessions = sessions(db, words, span, &filter)?;
            let ends = Ends::of(db, &filter, span)?;
            overview.first_at = ends.first()?.map(|(at, _)| at);
            overview.last_at = ends.last()?.map(|(at, _)| at);
            Ok(overview)
        })
    }

    /// The same without what costs are made of and without its ends, which is far less work.
    pub fn brief(&self, span: Span, filter: &Filter) -> Result<Brief, StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(Brief::default()) };
            let mut brief = Brief { sessions: sessions(db, words, span, &filter)?, ..Brief::default() };
            for parts in between(db, words, span.bounds(), &filter, &[])?.values() {
                brief.tally.add(&tally(parts)?);
            }
            Ok(brief)
        })
    }

    /// The groups of a span: at most `limit`, after the first `offset`; and how many there are.
    pub fn grouped(
        &self,
        span: Span,
        filter: &Filter,
        by: Dimension,
        order: GroupOrder,
        (offset, limit): (usize, usize),
    ) -> Result<(Vec<Group>, u64), StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok((Vec::new(), 0)) };
            let cells = between(db, words, span.bounds(), &filter, &[by.place(), dim::CARD])?;
            let groups = folded(db, words, &cells, by.place())?;
            let total = groups.len() as u64;
            let mut rows = Vec::new();
            for (id, sums) in groups {
                rows.push(Group { name: by.name(db, words, id)?, sums });
            }
            rows.sort_by(|a, b| greater(order, &b.sums, &a.sums).then_with(|| a.name.cmp(&b.name)));
            Ok((rows.into_iter().skip(offset).take(limit).collect(), total))
        })
    }

    /// The projects of a span with their sessions and their last activity: at most `limit`, after the first `offset`; and
    /// how many there are.
    pub fn project_rows(
        &self,
        span: Span,
        filter: &Filter,
        order: GroupOrder,
        (offset, limit): (usize, usize),
    ) -> Result<(Vec<ProjectRow>, u64), StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok((Vec::new(), 0)) };
            let by = [dim::SESSION, dim::PROJECT, dim::CARD];
            let cells = between(db, words, span.bounds(), &filter, &by)?;
            let groups = folded(db, words, &cells, dim::PROJECT)?;
            let total = groups.len() as u64;
            let mut sessions: HashMap<i64, HashSet<i64>> = HashMap::new();
            for key in cells.keys().filter(|key| key[dim::SESSION] != 0) {
                sessions.entry(key[dim::PROJECT]).or_default().insert(key[dim::SESSION]);
            }
            let mut named = Vec::new();
            for (id, sums) in groups {
                named.push((id, words.word(db, id)?, sums));
            }
            named.sort_by(|a, b| greater(order, &b.2, &a.2).then_with(|| a.1.cmp(&b.1)));
            let mut rows = Vec::new();
            for (id, project, sums) in named.into_iter().skip(offset).take(limit) {
                let ends = Ends::of(db, &filter.with(dim::PROJECT, vec![id]), span)?;
                let (first_at, last_at) = (ends.first()?.map(|(at, _)| at), ends.last()?.map(|(at, _)| at));
                let sessions = sessions.get(&id).map_or(0, HashSet::len) as u64;
                rows.push(ProjectRow { project, sums, sessions, first_at, last_at });
            }
            Ok((rows, total))
        })
    }
}

/// How many sessions have a response in a span: those of the whole days, and those of what is left at both ends.
fn sessions(
    db: &rusqlite::Connection,
    words: &mut Dictionary,
    span: Span,
    filter: &Resolved,
) -> Result<u64, StoreError> {
    let [from, to] = span.bounds();
    let (first, end) = (from.saturating_add(DAYS.width - 1).div_euclid(DAYS.width), to.div_euclid(DAYS.width));
    let mut sessions: HashSet<i64> = HashSet::new();
    let ends = if first < end {
        let sql = if filter.is_open() {
            "SELECT DISTINCT session FROM session_day WHERE day >= ?1 AND day < ?2".to_owned()
        } else {
            let filter = filter.on_sums();
            format!("SELECT DISTINCT session FROM rollup_day WHERE day >= ?1 AND day < ?2{filter}")
        };
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query([first, end])?;
        while let Some(row) = rows.next()? {
            sessions.insert(row.get(0)?);
        }
        vec![[from, first.saturating_mul(DAYS.width)], [end.saturating_mul(DAYS.width), to]]
    } else {
        vec![[from, to]]
    };
    for end in ends {
        let cells = between(db, words, end, filter, &[dim::SESSION])?;
        sessions.extend(cells.keys().map(|key| key[dim::SESSION]));
    }
    // Of what had lost its detail before sums knew sessions it is not known whose it was.
    sessions.remove(&0);
    Ok(sessions.len() as u64)
}

/// The sums by one dimension, of cells that tell cards apart.
pub(super) fn folded(
    db: &rusqlite::Connection,
    words: &mut Dictionary,
    cells: &Cells,
    place: usize,
) -> Result<BTreeMap<i64, Sums>, StoreError> {
    let mut groups: BTreeMap<i64, Sums> = BTreeMap::new();
    for (key, parts) in cells {
        groups.entry(key[place]).or_default().add(&sums(db, words, key, parts)?);
    }
    Ok(groups)
}

pub(super) fn greater(order: GroupOrder, a: &Sums, b: &Sums) -> std::cmp::Ordering {
    match order {
        GroupOrder::Tokens => a.tally.tokens.total().cmp(&b.tally.tokens.total()),
        GroupOrder::Cost => a.tally.cost.cmp(&b.tally.cost),
        GroupOrder::Requests => a.tally.requests.cmp(&b.tally.requests),
    }
}
