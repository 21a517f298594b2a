//! What every connection to the file needs, whoever opens it: limits, the page check, and the `meta` table.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, types::FromSql};

use super::StoreError;

/// A path next to the database: its name with something appended.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What costs nothing and limits what a strange file can do.
pub(super) fn harden(db: &Connection) -> Result<(), StoreError> {
    use rusqlite::config::DbConfig;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Looks for damaged pages; `false`: the time was up before all were seen.
pub(super) fn check_pages(db: &mut Connection, budget: Duration) -> Result<bool, StoreError> {
    let started = Instant::now();
    db.progress_handler(10_000, Some(move || started.elapsed() > budget))?;
    let verdict = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    db.progress_handler(0, None::<fn() -> bool>)?;
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(true),
        Ok(verdict) => Err(StoreError::Corrupt { path: PathBuf::new(), reason: one_line(&verdict) }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What SQLite found, which it spreads over several lines, as a part of a sentence.
pub(super) fn one_line(verdict: &str) -> String {
    let lines: Vec<_> = verdict.lines().filter(|line| !line.starts_with("***")).map(str::trim).collect();
    lines.join("; ")
}

/// A value of the `meta` table.
pub(super) fn meta<T: FromSql>(db: &Connection, key: &str) -> Result<Option<T>, StoreError> {
    Ok(db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()?)
}

pub(super) fn set_meta(db: &Connection, key: &str, value: impl rusqlite::ToSql) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(rusqlite::params![key, value])?;
    Ok(())
}

pub(super) fn clear_meta(db: &Connection, key: &str) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
    Ok(())
}
