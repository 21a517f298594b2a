//! What the API and the pages ask of the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Tally, UnixMillis};

/// A small pool of read-only connections. Calls block.
#[derive(Clone, Default)]
pub struct Readers;

/// Why the history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {}

/// One day of the history.
#[derive(Clone, Debug)]
pub struct DayRow {
    pub date: jiff::civil::Date,
    pub tally: Tally,
    pub by_model: BTreeMap<Arc<str>, Tally>,
    /// Tokens that Claude Code's own statistics state for a day no transcript covers.
    pub estimate: Option<u64>,
    /// The day is not fully covered by transcripts.
    pub partial: bool,
}

impl Readers {
    /// Every day from `from` to `to`, both included, empty ones too.
    pub fn days(
        &self,
        from: jiff::civil::Date,
        to: jiff::civil::Date,
        _zone: &jiff::tz::TimeZone,
    ) -> Result<Vec<DayRow>, StoreError> {
        let day =
            |date| DayRow { date, tally: Tally::default(), by_model: BTreeMap::new(), estimate: None, partial: false };
        Ok(from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to).map(day).collect())
    }

    /// Projects with the most tokens from `from` up to, but not including, `to`.
    pub fn projects(
        &self,
        _from: UnixMillis,
        _to: UnixMillis,
        _limit: usize,
    ) -> Result<Vec<(Arc<str>, Tally)>, StoreError> {
        Ok(Vec::new())
    }
}
