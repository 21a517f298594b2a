//! Who worked in a session: its main thread and its agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::instant;
use super::sessions::SessionRow;
use crate::event::{Tally, TokenCounts, UnixMillis};
use crate::store::dictionary::Dictionary;
use crate::store::{StoreError, count};

/// One agent of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// `None`: the main thread.
    pub agent: Option<Arc<str>>,
    pub first_at: UnixMillis,
    pub last_at: UnixMillis,
    pub tally: Tally,
}

/// The agents of a session, the first one first; `row` is the session over all time.
///
/// The main thread makes most of the responses, and nothing but looking at each of them would tell its sum; so where the
/// session has all its rows, it gets what the agents leave of the whole.
pub(super) fn of_session(
    db: &Connection,
    words: &mut Dictionary,
    row: &SessionRow,
    session: i64,
) -> Result<Vec<AgentRow>, StoreError> {
    let floor = instant(db, "retention_floor")?.map_or(i64::MIN, |floor| floor.0);
    let has_all_rows = floor <= row.first_at.0 && row.is_exact;
    let mut agents = match has_all_rows.then(|| by_difference(db, words, row, session)).transpose()?.flatten() {
        Some(agents) => agents,
        None => counted(db, words, session, "")?,
    };
    agents.sort_by(|a, b| a.first_at.cmp(&b.first_at).then_with(|| a.agent.cmp(&b.agent)));
    Ok(agents)
}

/// Those that have a row, and meet a condition.
pub(super) fn counted(
    db: &Connection,
    words: &mut Dictionary,
    session: i64,
    condition: &str,
) -> Result<Vec<AgentRow>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT coalesce(agent, 0), coalesce(card, 0), min(at), max(at), count(*), sum(input), sum(output),
             sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), coalesce(sum(searches), 0)
         FROM response WHERE session = ?1{condition} GROUP BY 1, 2"
    ))?;
    let mut rows = statement.query([session])?;
    let mut agents: BTreeMap<i64, AgentRow> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (id, card): (i64, i64) = (row.get(0)?, row.get(1)?);
        let tally = tally(db, words, row, card)?;
        let (first_at, last_at) = (UnixMillis(row.get(2)?), UnixMillis(row.get(3)?));
        let agent = words.maybe_word(db, Some(id).filter(|id| *id != 0))?;
        let known = agents.entry(id).or_insert(AgentRow { agent, first_at, last_at, tally: Tally::default() });
        known.first_at = known.first_at.min(first_at);
        known.last_at = known.last_at.max(last_at);
        known.tally.add(&tally);
    }
    Ok(agents.into_values().collect())
}

fn tally(db: &Connection, words: &mut Dictionary, row: &Row<'_>, card: i64) -> Result<Tally, StoreError> {
    let number = |column| row.get(column).map_err(StoreError::from).and_then(count);
    let tokens = TokenCounts {
        input: number(5)?,
        output: number(6)?,
        cache_write_5m: number(7)?,
        cache_write_1h: number(8)?,
        cache_read: number(9)?,
    };
    let searches = number(10)?;
    let cost = words.cost(db, Some(card).filter(|card| *card != 0), tokens, searches)?;
    Ok(Tally { requests: number(4)?, ..Tally::of(tokens, searches, cost) })
}

/// The agents that have a name, and a main thread with what they leave of the session; `None`: they leave less than
/// nothing, so sums and rows do not agree.
fn by_difference(
    db: &Connection,
    words: &mut Dictionary,
    row: &SessionRow,
    session: i64,
) -> Result<Option<Vec<AgentRow>>, StoreError> {
    let mut agents = counted(db, words, session, " AND agent IS NOT NULL")?;
    let mut theirs = Tally::default();
    for agent in &agents {
        theirs.add(&agent.tally);
    }
    let end = |direction: &str| -> Result<Option<i64>, StoreError> {
        let sql = format!(
            "SELECT at FROM response INDEXED BY response_session WHERE session = ?1 AND agent IS NULL
             ORDER BY at{direction} LIMIT 1"
        );
        Ok(db.prepare_cached(&sql)?.query_row([session], |row| row.get(0)).optional()?)
    };
    let Some(tally) = row.sums.tally.less(&theirs) else { return Ok(None) };
    if let Some((first, last)) = end("")?.zip(end(" DESC")?) {
        agents.push(AgentRow { agent: None, first_at: UnixMillis(first), last_at: UnixMillis(last), tally });
    }
    Ok(Some(agents))
}
