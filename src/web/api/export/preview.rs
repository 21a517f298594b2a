//! What an export will be like, before it is asked for: how it begins, and how many rows it has.

use csv::ReaderBuilder;

use super::{Level, Source, csv as file};
use crate::store::{Order, Place, Readers};
use crate::web::api::scope::Scope;
use crate::web::error::ApiError;

/// More hours or days than these are not counted one by one.
const MOST_COUNTED: usize = 400;

/// How an export begins.
#[derive(Debug)]
pub struct Preview {
    /// The columns and the first rows, as they are in the CSV file.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What these rows take in the file.
    pub bytes: u64,
    pub count: RowCount,
    /// Responses that are in every sum, and whose detail retention has removed.
    pub pruned: u64,
}

/// How many rows an export has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCount {
    Exactly(u64),
    AtMost(u64),
}

impl RowCount {
    pub fn number(self) -> u64 {
        match self {
            Self::Exactly(count) | Self::AtMost(count) => count,
        }
    }
}

impl Preview {
    /// The first `most` rows. It waits for the disk.
    pub fn of(readers: &Readers, scope: &Scope, level: Level, costs: bool, most: usize) -> Result<Self, ApiError> {
        let mut source = Source::new(readers, scope.clone(), level, costs)?;
        let first: Vec<_> = std::iter::from_fn(|| source.next()).take(most).collect::<Result<_, _>>()?;
        let head = file::piece(&[], level, costs, true)?;
        let rows = file::piece(&first, level, costs, false)?;
        let (count, pruned) = if level == Level::Raw {
            let known = readers.history(scope.span, &scope.filter, Order::Oldest, Place::Offset(0), 1)?;
            (RowCount::Exactly(known.total), known.pruned)
        } else if source.buckets() <= MOST_COUNTED {
            let rest = std::iter::from_fn(|| source.next()).try_fold(0, |count, row| row.map(|_| count + 1))?;
            (RowCount::Exactly(first.len() as u64 + rest), 0)
        } else {
            // A row needs a response at least.
            (RowCount::AtMost(readers.sums(scope.span, &scope.filter)?.sums.tally.requests), 0)
        };
        let bytes = rows.len() as u64;
        let mut lines = parsed(&[head, rows].concat())?.into_iter();
        Ok(Self { columns: lines.next().unwrap_or_default(), rows: lines.collect(), bytes, count, pruned })
    }
}

fn parsed(text: &[u8]) -> Result<Vec<Vec<String>>, ApiError> {
    let records = ReaderBuilder::new().has_headers(false).from_reader(text).into_records();
    let lines = records.map(|record| record.map(|record| record.iter().map(str::to_owned).collect()));
    lines.collect::<Result<_, _>>().map_err(|error| {
        tracing::error!(%error, "reading CSV of our own failed");
        ApiError::internal()
    })
}
