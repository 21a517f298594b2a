//! Everything, a page at a time: constant memory however much there is, and no page holds the write-ahead log longer
//! than it takes to read it.
//!
//! What is corrected between two pages is in the export as it was when its page was read; a response that moves to
//! another time meanwhile may be there twice or not at all.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cut::cut;
use super::filter::Resolved;
use super::history::HistoryRow;
use super::walk::walk;
use super::{Cursor, Filter, Order, Span, Sums, sums};
use crate::event::{QuerySource, UnixMillis};
use crate::store::StoreError;
use crate::store::read::Readers;
use crate::store::rollups::dim;

/// Responses that are read at a time.
const ROWS: usize = 1_000;

/// Buckets that are summed at a time.
const BUCKETS: usize = 31;

/// Every response of a span, the oldest first. Each step may block.
pub struct RawRows {
    readers: Readers,
    span: Span,
    filter: Filter,
    cursor: Option<Cursor>,
    page: VecDeque<HistoryRow>,
    done: bool,
}

/// Sums of one bucket by model, project and query source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub model: Arc<str>,
    pub project: Arc<str>,
    pub query_source: QuerySource,
    pub sums: Sums,
}

/// The rows of every bucket, the oldest first, and by name within a bucket. Each step may block.
pub struct Buckets {
    readers: Readers,
    bounds: Vec<UnixMillis>,
    filter: Filter,
    place: usize,
    page: VecDeque<BucketRow>,
}

impl Readers {
    /// Every response of a span.
    pub fn raw_rows(&self, span: Span, filter: &Filter) -> RawRows {
        let (readers, filter) = (self.clone(), filter.clone());
        RawRows { readers, span, filter, cursor: None, page: VecDeque::new(), done: false }
    }

    /// The sums between each bound and the next; bounds are in order.
    pub fn bucket_rows(&self, bounds: Vec<UnixMillis>, filter: &Filter) -> Buckets {
        Buckets { readers: self.clone(), bounds, filter: filter.clone(), place: 0, page: VecDeque::new() }
    }
}

impl RawRows {
    fn fill(&mut self) -> Result<(), StoreError> {
        let Self { readers, span, filter, cursor, .. } = self;
        let rows = readers.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(Vec::new()) };
            let stored = walk(db, words, (*span, &filter), Order::Oldest, (*cursor, 0), ROWS)?;
            stored.iter().map(|stored| HistoryRow::of(stored, db, words)).collect()
        })?;
        self.done = rows.len() < ROWS;
        self.cursor = rows.last().map(HistoryRow::cursor);
        self.page = rows.into();
        Ok(())
    }
}

impl Iterator for RawRows {
    type Item = Result<HistoryRow, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.done
            && let Err(error) = self.fill()
        {
            self.done = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

impl Buckets {
    /// How many buckets there are, with rows or without.
    pub fn of_time(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        let until = (self.place + BUCKETS).min(self.bounds.len() - 1);
        let bounds = &self.bounds[self.place..=until];
        let filter = &self.filter;
        let mut rows = self.readers.ask(|db, words| {
            let mut rows = Vec::new();
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(rows) };
            let instants: Vec<i64> = bounds.iter().map(|bound| bound.0).collect();
            let by = [dim::PROJECT, dim::MODEL, dim::SIDECHAIN, dim::CARD];
            let buckets = cut(db, words, &instants, &filter, &by)?;
            for (cells, bound) in buckets.iter().zip(bounds.windows(2)) {
                for (key, parts) in cells {
                    rows.push(BucketRow {
                        from: bound[0],
                        to: bound[1],
                        model: words.word(db, key[dim::MODEL])?,
                        project: words.word(db, key[dim::PROJECT])?,
                        query_source: QuerySource::of(key[dim::SIDECHAIN] != 0),
                        sums: sums(db, words, key, parts)?,
                    });
                }
            }
            Ok(rows)
        })?;
        rows.sort_by(|a, b| {
            let name = |row: &BucketRow| (row.from, Arc::clone(&row.model), Arc::clone(&row.project), row.query_source);
            name(a).cmp(&name(b))
        });
        for row in rows {
            match self.page.back_mut() {
                // The same by another card.
                Some(last) if same_place(last, &row) => last.sums.add(&row.sums),
                _ => self.page.push_back(row),
            }
        }
        self.place = until;
        Ok(())
    }
}

fn same_place(a: &BucketRow, b: &BucketRow) -> bool {
    (a.from, &a.model, &a.project, a.query_source) == (b.from, &b.model, &b.project, b.query_source)
}

impl Iterator for Buckets {
    type Item = Result<BucketRow, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && self.place + 1 < self.bounds.len() {
            if let Err(error) = self.fill() {
                self.place = self.bounds.len();
                return Some(Err(error));
            }
        }
        self.page.pop_front().map(Ok)
    }
}
