//! The history in one SQLite file. The only place that knows what a table is.
//!
//! Why nothing is counted twice or lost: a batch's claims, its totals and the position they reach are committed in one
//! transaction, and a claim is merged under its key rather than appended. Killed before the commit, the position has
//! not moved and the lines are read again; killed after it, both are there. Lines that are read again anyway (a rewrite,
//! a copy, a restored backup) merge into what is known.
//!
//! One connection writes, on the ingest thread; [`Readers`] are read-only and never checkpoint.

mod connection;
mod delivery;
mod dictionary;
mod estimates;
mod instance;
mod items;
mod log;
mod maintenance;
mod merging;
#[cfg(feature = "mutants")]
mod mutants;
mod open;
mod query;
mod read;
mod reprice;
mod response;
mod rollups;
mod series;
mod sums;
mod totals;
mod write;

use std::path::PathBuf;

pub use delivery::{Ack, DeadLetter, DeliveryState, Leg, Page, Resume};
pub use items::{Aging, ItemState};
pub use maintenance::{Backup, LogLength, PruneReport, Recovery, backup_path, latest_backup};
pub use open::{OpenOptions, Opened};
pub use query::{
    AgentRow, Block, BlockOptions, Blocks, Brief, Bucket, BucketRow, Buckets, Costs, Cursor, Dimension, Estimated,
    Filter, Gap, Group, GroupOrder, History, HistoryRow, Order, Overview, Place, ProjectRow, RawRows, SessionDetail,
    SessionOrder, SessionPage, SessionRow, Span, Split, Sums, WeekRow, WhatIf, Window,
};
pub use read::{DayRow, Facts, ItemRow, Readers, UnpricedModel};
pub use reprice::Repriced;
pub use sums::SeriesSums;
pub use write::{Committed, Store};

/// What can go wrong with the history, by what the caller does about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or read-only, or another program holds the file: try again later, nothing is lost.
    #[error("the database cannot be written now: {0}")]
    Unavailable(String),
    /// A question took longer than readers may hold an old state of the file.
    #[error("the question needs more of the history than can be read at once; ask for a shorter time or fewer things")]
    TooSlow,
    /// Pages are damaged.
    #[error("the database {} is damaged: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    /// Made by a later version of this program.
    #[error(
        "the database {} has format {found}, this program knows formats up to {known}; use the newer program or another --database",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// Somebody else's file.
    #[error("{} is not a database of claude-token-monitor; name another file with --database", path.display())]
    Foreign { path: PathBuf },
    /// Another process writes this history.
    #[error(
        "another claude-token-monitor{} uses {}; stop it or name another file with --database",
        holder.map_or_else(String::new, |pid| format!(" (process {pid})")),
        path.display()
    )]
    Locked { path: PathBuf, holder: Option<u32> },
    /// The directory or file cannot be used at all.
    #[error("cannot use the database {}: {reason}; name another file with --database", path.display())]
    Unusable { path: PathBuf, reason: String },
    /// A number that the file cannot hold, or that it should not have held.
    #[error("a number is out of range: {0}")]
    Range(String),
    /// Anything else that SQLite says.
    #[error("database: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    /// Trying again may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(
                Code::DatabaseBusy
                | Code::DatabaseLocked
                // Somebody keeps the locks of the write-ahead log for longer than SQLite waits.
                | Code::FileLockingProtocolFailed
                | Code::DiskFull
                | Code::ReadOnly
                | Code::SystemIoFailure
                | Code::CannotOpen
                | Code::OutOfMemory
                | Code::PermissionDenied,
            ) => Self::Unavailable(error.to_string()),
            Some(Code::OperationInterrupted) => Self::TooSlow,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Corrupt { path: PathBuf::new(), reason: error.to_string() }
            }
            _ => Self::Sqlite(error),
        }
    }
}

/// A count as SQLite stores it.
fn int(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Range(format!("{value} does not fit the database")))
}

/// A count as it was stored.
fn count(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Range(format!("{value} where a count should be")))
}

/// Money as SQLite stores it.
fn pico(value: i128) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Range(format!("{value} pico-dollars do not fit one row")))
}

#[cfg(test)]
mod tests;
