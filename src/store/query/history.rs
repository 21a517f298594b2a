//! Single responses: pages of them, in the order of time.
//!
//! There is no order by tokens or cost: it would need an index a response, and pages of it would not be stable.

use super::cut::between;
use super::filter::Resolved;
use super::walk::{rows_below_floor, walk};
use super::{Costs, Filter, Span, instant};
use crate::event::{Event, UnixMillis, UsageFlags};
use crate::pricing::Card;
use crate::store::StoreError;
use crate::store::dictionary::Dictionary;
use crate::store::read::Readers;
use crate::store::response::{Stored, searches};

/// By time; at the same millisecond by revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
}

/// The row after which to go on. It need not be there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: UnixMillis,
    pub revision: u64,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// After so many rows.
    Offset(u64),
    After(Cursor),
}

/// A page of responses.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub rows: Vec<HistoryRow>,
    /// How many rows match on all pages together.
    pub total: u64,
    /// How many more responses are in the sums, but not in the rows: retention removed their detail.
    pub pruned: u64,
    /// Responses before this instant may have lost their detail.
    pub retention_floor: Option<UnixMillis>,
    /// Where the next page begins; `None`: there is nothing behind this one.
    pub next: Option<Cursor>,
}

/// One response.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    pub revision: u64,
    pub event: Event,
    /// The prices it was priced with; `None`: its model has no price.
    pub card: Option<Card>,
    /// The parts of `event.cost`.
    pub costs: Option<Costs>,
    pub flags: UsageFlags,
}

impl HistoryRow {
    /// Where a page that begins after this row begins.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.event.at, revision: self.revision }
    }

    pub(super) fn of(stored: &Stored, db: &rusqlite::Connection, words: &mut Dictionary) -> Result<Self, StoreError> {
        let event = stored.event(db, words)?;
        let card = stored.card.map(|card| words.card(db, card).cloned()).transpose()?;
        let costs = card.as_ref().map(|card| Costs::of(card, event.tokens, searches(&stored.shown)));
        Ok(Self { revision: stored.revision, event, card, costs, flags: stored.shown.flags })
    }
}

impl Readers {
    /// A page of responses, at most `limit`.
    pub fn history(
        &self,
        span: Span,
        filter: &Filter,
        order: Order,
        place: Place,
        limit: usize,
    ) -> Result<History, StoreError> {
        self.ask(|db, words| {
            let mut history = History { retention_floor: instant(db, "retention_floor")?, ..History::default() };
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(history) };
            let known = between(db, words, span.bounds(), &filter, &[])?;
            let known = known.values().map(|parts| parts[0]).sum::<i128>();
            history.total = u64::try_from(known).unwrap_or_default();
            if let Some(floor) = history.retention_floor.filter(|floor| span.from < *floor) {
                let below = Span { to: span.to.min(floor), ..span };
                let summed = between(db, words, below.bounds(), &filter, &[])?;
                let summed = summed.values().map(|parts| parts[0]).sum::<i128>();
                let held = rows_below_floor(db, below, &filter)?;
                history.pruned = u64::try_from(summed).unwrap_or_default().saturating_sub(held);
                history.total = history.total.saturating_sub(history.pruned);
            }
            let start = match place {
                Place::Offset(rows) => (None, rows),
                Place::After(cursor) => (Some(cursor), 0),
            };
            let stored = walk(db, words, (span, &filter), order, start, limit.saturating_add(1))?;
            for stored in stored.iter().take(limit) {
                history.rows.push(HistoryRow::of(stored, db, words)?);
            }
            if stored.len() > limit {
                history.next = history.rows.last().map(HistoryRow::cursor);
            }
            Ok(history)
        })
    }
}
