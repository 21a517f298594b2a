//! What a history holds, in the numbers that a lost or a doubled line would change.

use std::ops::AddAssign;
use std::path::Path;

use rusqlite::{Connection, Row};
use serde_json::Value;

/// Sums over responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: i64,
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cache_creation: i64,
    pub(crate) cache_read: i64,
}

impl Counts {
    /// From a row of the API.
    pub(crate) fn of_row(row: &Value) -> Self {
        let field = |name: &str| row[name].as_i64().unwrap_or_else(|| panic!("no {name} in {row}"));
        Self {
            requests: field("requests"),
            input: field("input_tokens"),
            output: field("output_tokens"),
            cache_creation: field("cache_creation_tokens"),
            cache_read: field("cache_read_tokens"),
        }
    }

    /// From the database file, once from the responses and once from the daily sums; panics when the two disagree or
    /// when the file is damaged.
    pub(crate) fn of_database(path: &Path) -> Self {
        Self::try_of_database(path).unwrap()
    }

    /// Like [`Counts::of_database`], but says what is wrong.
    pub(crate) fn try_of_database(path: &Path) -> Result<Self, String> {
        let verdict: String =
            ask(path, "PRAGMA integrity_check", |row| row.get(0)).map_err(|error| format!("damaged: {error}"))?;
        if verdict != "ok" {
            return Err(format!("damaged: {verdict}"));
        }
        let (rows, days) = (Self::of_rows(path)?, Self::of_days(path)?);
        if rows == days { Ok(rows) } else { Err(format!("{rows:?} in rows, but {days:?} in days")) }
    }

    /// From the responses that still have their detail.
    pub(crate) fn of_rows(path: &Path) -> Result<Self, String> {
        let sql = "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
                          coalesce(sum(cache_creation_tokens), 0), coalesce(sum(cache_read_tokens), 0)
                   FROM token_usage";
        ask(path, sql, Self::of_columns)
    }

    /// From the daily sums, which stay for ever.
    pub(crate) fn of_days(path: &Path) -> Result<Self, String> {
        let sql = "SELECT coalesce(sum(requests), 0), coalesce(sum(total_input_tokens), 0),
                          coalesce(sum(total_output_tokens), 0), coalesce(sum(total_cache_creation_tokens), 0),
                          coalesce(sum(total_cache_read_tokens), 0)
                   FROM daily_summary";
        ask(path, sql, Self::of_columns)
    }

    fn of_columns(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            requests: row.get(0)?,
            input: row.get(1)?,
            output: row.get(2)?,
            cache_creation: row.get(3)?,
            cache_read: row.get(4)?,
        })
    }
}

/// The one row that a question to a database file gives.
fn ask<T>(path: &Path, sql: &str, read: impl FnOnce(&Row) -> rusqlite::Result<T>) -> Result<T, String> {
    let db = Connection::open(path).map_err(|error| error.to_string())?;
    db.query_row(sql, [], read).map_err(|error| error.to_string())
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.input += other.input;
        self.output += other.output;
        self.cache_creation += other.cache_creation;
        self.cache_read += other.cache_read;
    }
}
