//! What keeps the file healthy over years: backups, recovery from damage, and retention of detail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::connection::{beside, check_pages, meta, one_line, set_meta};
use super::{Store, StoreError, count, items};
use crate::event::UnixMillis;
use crate::platform;

/// A copy of the database that was checked after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// Copies the database while it is in use, by SQLite's own backup interface: a plain copy of the file would miss what
/// is still in the write-ahead log. The copy gets its name only when it is whole and has been checked.
pub(super) fn backup(from: &Connection, to: &Path) -> Result<Backup, StoreError> {
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("writing {}: {error}", to.display()));
    if let Some(directory) = to.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        platform::create_private_dir(directory).map_err(failed)?;
    }
    let partial = beside(to, ".partial");
    remove_if_there(&partial).map_err(failed)?;
    platform::create_private_file(&partial).map_err(failed)?;
    let whole = copy_and_check(from, &partial).and_then(|()| {
        std::fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
        std::fs::rename(&partial, to).map_err(failed)
    });
    if let Err(error) = whole {
        // On a full disk the remains of every attempt would take what room is left.
        remove_if_there(&partial).map_err(failed)?;
        return Err(error);
    }
    let size_bytes = std::fs::metadata(to).map_err(failed)?.len();
    Ok(Backup { path: to.to_owned(), size_bytes })
}

fn copy_and_check(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut copy = Connection::open(to)?;
    {
        let steps = rusqlite::backup::Backup::new(from, &mut copy)?;
        // In steps, so that a writer waiting for the source gets its turn.
        steps.run_to_completion(2_000, Duration::from_millis(1), None)?;
    }
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    check_pages(&mut copy, Duration::MAX)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Automatic backups in a directory, newest first. Their names are the times at which they were made.
fn backups(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<(UnixMillis, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((made_at(&path)?, path))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// `monitor-1795176000000.db`: somebody else's files in the directory are left alone.
fn made_at(backup: &Path) -> Option<UnixMillis> {
    let name = backup.file_name()?.to_str()?;
    name.strip_prefix("monitor-")?.strip_suffix(".db")?.parse().ok().map(UnixMillis)
}

/// A new backup's path in a directory.
pub fn backup_path(directory: &Path, now: UnixMillis) -> PathBuf {
    directory.join(format!("monitor-{}.db", now.0))
}

/// When the newest automatic backup was made.
pub fn latest_backup(directory: &Path) -> Option<UnixMillis> {
    backups(directory).first().and_then(|newest| made_at(newest))
}

/// What was done about a damaged database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub reason: String,
    /// The damaged file, kept.
    pub kept_as: PathBuf,
    /// The backup that took its place; none: a new history was begun, and transcripts still on disk are read again.
    pub restored_from: Option<PathBuf>,
}

impl Recovery {
    /// Puts the damaged file aside and a good backup in its place.
    pub(super) fn run(database: &Path, backup_dir: &Path, reason: &str, now: UnixMillis) -> Result<Self, StoreError> {
        let unusable = |what: &str, error: std::io::Error| StoreError::Unusable {
            path: database.to_owned(),
            reason: format!("{what}: {error}"),
        };
        let kept_as = beside(database, &format!(".corrupt-{}", now.0));
        if database.exists() {
            std::fs::rename(database, &kept_as)
                .map_err(|error| unusable("cannot put the damaged file aside", error))?;
        }
        for suffix in ["-wal", "-shm", "-journal"] {
            let from = beside(database, suffix);
            if from.exists() {
                std::fs::rename(&from, beside(&kept_as, suffix))
                    .map_err(|error| unusable("cannot put the damaged journal aside", error))?;
            }
        }
        let restored_from = backups(backup_dir).into_iter().find(|backup| is_good(backup));
        if let Some(backup) = &restored_from {
            std::fs::copy(backup, database).map_err(|error| unusable("cannot restore the backup", error))?;
        }
        Ok(Self { reason: reason.to_owned(), kept_as, restored_from })
    }

    /// One sentence for people.
    pub fn words(&self) -> String {
        let next = match &self.restored_from {
            Some(backup) => format!("restored {} and read the transcripts since then again", backup.display()),
            None => "there was no backup, so the history was rebuilt from the transcripts that still exist".to_owned(),
        };
        format!("the database was damaged ({}); kept it as {}; {next}", self.reason, self.kept_as.display())
    }
}

fn is_good(backup: &Path) -> bool {
    let checked = Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(StoreError::from)
        .and_then(|mut db| check_pages(&mut db, Duration::MAX));
    checked.is_ok_and(|whole| whole)
}

/// What retention did or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PruneReport {
    /// Responses older than this lose their detail; their sums stay for ever.
    pub cutoff_ms: i64,
    pub responses: u64,
    /// Older responses that stay because a delivery has not sent them yet.
    pub held: u64,
}

/// What retention has to remove now.
pub(super) struct Plan {
    pub(super) report: PruneReport,
    /// The present as retention takes it, in UTC milliseconds.
    today: i64,
    /// Responses beyond this revision wait for a delivery.
    held_from: i64,
}

/// What [`Store::prune`] would do, without doing it.
pub(super) fn plan(db: &Connection, days: u32, now: UnixMillis) -> Result<Plan, StoreError> {
    let newest: Option<i64> =
        db.query_row("SELECT max(at) FROM response WHERE at <= ?1", [now.0.saturating_add(UnixMillis::DAY)], |row| {
            row.get(0)
        })?;
    let today = newest.map_or(now.0, |newest| now.0.min(newest.saturating_add(UnixMillis::DAY)));
    let cutoff = UnixMillis(today - i64::from(days) * UnixMillis::DAY).utc_day() * UnixMillis::DAY;
    let held_from: i64 =
        db.query_row("SELECT coalesce(min(revision), ?1) FROM cursor", [i64::MAX], |row| row.get(0))?;
    let (responses, held): (i64, i64) = db.query_row(
        "SELECT count(*) FILTER (WHERE revision <= ?2), count(*) FILTER (WHERE revision > ?2)
         FROM response WHERE at < ?1",
        [cutoff, held_from],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let report = PruneReport { cutoff_ms: cutoff, responses: count(responses)?, held: count(held)? };
    Ok(Plan { report, today, held_from })
}

/// Rows removed in one transaction, so that the write-ahead log stays small and ingest gets its turn.
const PRUNE_STEP: i64 = 5_000;

impl Store {
    /// Removes the detail of responses older than `days`; rollups, sessions and series stay. Never trusts a clock that
    /// runs ahead: time is at most a day after the newest response.
    pub fn prune(&mut self, days: u32, now: UnixMillis) -> Result<PruneReport, StoreError> {
        let Plan { report, today, held_from } = plan(&self.db, days, now)?;
        if report.responses == 0 {
            return Ok(report);
        }
        let cutoff = report.cutoff_ms;
        // The floor first: a kill between two steps must not let a re-read bring removed rows back.
        let floor = meta(&self.db, "retention_floor")?.unwrap_or(i64::MIN).max(cutoff);
        set_meta(&self.db, "retention_floor", floor)?;
        self.retention_floor = Some(UnixMillis(floor));
        loop {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let removed = tx.execute(
                "DELETE FROM response WHERE revision IN
                     (SELECT revision FROM response WHERE at < ?1 AND revision <= ?2 LIMIT ?3)",
                [cutoff, held_from, PRUNE_STEP],
            )?;
            tx.commit()?;
            if removed == 0 {
                break;
            }
        }
        self.db.execute(
            "DELETE FROM variant WHERE json_extract(record, '$.first_at') < ?1
                 AND NOT EXISTS (SELECT 1 FROM response WHERE id = variant.message)",
            [cutoff],
        )?;
        self.db.execute(
            "DELETE FROM correction WHERE revision <= ?1 AND revision <= ?2",
            [held_from, self.oldest_kept_revision()?],
        )?;
        items::forget_gone(&self.db, UnixMillis(today - 90 * UnixMillis::DAY))?;
        self.totals.responses = self.totals.responses.saturating_sub(report.responses);
        self.db.execute_batch("PRAGMA optimize")?;
        Ok(report)
    }

    fn oldest_kept_revision(&self) -> Result<i64, StoreError> {
        Ok(self.db.query_row("SELECT coalesce(min(revision), 0) FROM response", [], |row| row.get(0))?)
    }

    /// Makes a backup and keeps the newest `keep`.
    pub fn back_up(&self, now: UnixMillis, keep: usize) -> Result<Backup, StoreError> {
        let backup = backup(&self.db, &backup_path(&self.backups, now))?;
        for old in backups(&self.backups).into_iter().skip(keep.max(1)) {
            std::fs::remove_file(&old)
                .map_err(|error| StoreError::Unavailable(format!("removing {}: {error}", old.display())))?;
        }
        Ok(backup)
    }

    /// When the newest automatic backup was made.
    pub fn backed_up_at(&self) -> Option<UnixMillis> {
        latest_backup(&self.backups)
    }
}

/// A write-ahead log that is worth folding in.
const LONG_LOG: u64 = 4 * 1024 * 1024;

/// One that must not get longer, whoever has to wait for it.
const LONGEST_LOG: u64 = 32 * 1024 * 1024;

/// How urgent it is to fold the write-ahead log into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLength {
    Short,
    /// Fold it when there is nothing else to do: it takes the disk tens of milliseconds.
    Long,
    /// Fold it now.
    TooLong,
}

impl Store {
    /// How long the write-ahead log has grown.
    pub fn log_length(&self) -> LogLength {
        match std::fs::metadata(beside(&self.path, "-wal")).map_or(0, |meta| meta.len()) {
            LONGEST_LOG.. => LogLength::TooLong,
            LONG_LOG.. => LogLength::Long,
            _ => LogLength::Short,
        }
    }

    /// Folds the write-ahead log into the database and empties it, as far as readers allow.
    pub fn fold_log(&self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// The full check: every page and index, and that the sums by time and for all time are the same.
pub(super) fn check_everything(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    let verdict: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(damaged(one_line(&verdict)));
    }
    let columns = super::rollups::SUMS;
    let sums = columns.split(", ").map(|column| format!("sum({column})")).collect::<Vec<_>>().join(", ");
    let by_time = format!("SELECT model, sidechain, {sums} FROM rollup GROUP BY model, sidechain");
    let for_all_time = format!("SELECT model, sidechain, {columns} FROM series WHERE requests > 0");
    let differing: i64 = db.query_row(
        &format!(
            "WITH a AS ({by_time}), b AS ({for_all_time})
             SELECT (SELECT count(*) FROM (SELECT * FROM a EXCEPT SELECT * FROM b))
                  + (SELECT count(*) FROM (SELECT * FROM b EXCEPT SELECT * FROM a))"
        ),
        [],
        |row| row.get(0),
    )?;
    if differing > 0 {
        return Err(damaged("the sums by time and for all time differ".to_owned()));
    }
    match super::rollups::differences(db)? {
        0 => Ok(()),
        _ => Err(damaged("the sums by quarter, hour and day differ".to_owned())),
    }
}
