//! Opening the file: one owner, a SQLite that is safe, the right journal, our format, undamaged pages.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;
use super::connection::{beside, check_pages, harden, set_meta};
use super::maintenance::Recovery;
use crate::clock::Clock;
use crate::platform;

/// `CTM1`, so that nobody takes the file for something else.
const APPLICATION_ID: i64 = 0x4354_4D31;

/// Older ones can lose committed pages when a checkpoint meets a WAL reset (sqlite.org/wal.html#walresetbug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Added, never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_history.sql"),
    include_str!("migrations/0002_views.sql"),
    include_str!("migrations/0003_dimensions.sql"),
    include_str!("migrations/0004_deliveries.sql"),
    include_str!("migrations/0005_series.sql"),
    include_str!("migrations/0006_whole_sums.sql"),
];

/// How long the pages of a file are checked before it is used; the rest is checked while it is in use.
const CHECK_BUDGET: Duration = Duration::from_millis(25);

/// How to open.
#[derive(Clone)]
pub struct OpenOptions {
    pub path: PathBuf,
    /// Where automatic backups are.
    pub backups: PathBuf,
    pub clock: Clock,
}

/// What opening found.
pub struct Opened {
    pub store: super::Store,
    /// A damaged file was put aside.
    pub recovery: Option<Recovery>,
    /// The pages could not all be checked in the time that a start may take.
    pub unchecked: bool,
}

/// The right to write this history; given back when dropped. It is a lock on a file beside the database, since SQLite's
/// own locks come and go with transactions.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// The lock file says that a database was made before.
    existed: bool,
}

impl Lock {
    fn take(database: &Path) -> Result<Self, StoreError> {
        let unusable = |what: &str, error: &std::io::Error| StoreError::Unusable {
            path: database.to_owned(),
            reason: format!("{what}: {error}"),
        };
        if let Some(directory) = database.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            platform::create_private_dir(directory)
                .map_err(|error| unusable(&format!("cannot create {}", directory.display()), &error))?;
        }
        let path = beside(database, ".lock");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| unusable(&format!("cannot open {}", path.display()), &error))?;
        let mut note = String::new();
        (&file).take(256).read_to_string(&mut note).ok();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = note.split_whitespace().find_map(|word| word.strip_prefix("pid=")?.parse().ok());
                return Err(StoreError::Locked { path: database.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable("cannot lock it", &error)),
        }
        platform::restrict_file(&path).map_err(|error| unusable("cannot set its mode", &error))?;
        let mut lock = Self { file, existed: note.contains("database=made") };
        lock.note().map_err(|error| unusable(&format!("cannot write {}", path.display()), &error))?;
        Ok(lock)
    }

    /// Notes that there is a database now: should it be gone next time, it was lost.
    fn made(mut self) -> Result<Self, StoreError> {
        self.existed = true;
        self.note().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(self)
    }

    fn note(&mut self) -> std::io::Result<()> {
        let made = if self.existed { " database=made" } else { "" };
        let note = format!("claude-token-monitor pid={}{made}\n", std::process::id());
        self.file.rewind()?;
        self.file.write_all(note.as_bytes())?;
        self.file.set_len(note.len() as u64)
    }
}

/// A database that can be used, who owns it, what had to be done for it, and whether pages are left to check.
pub(super) type Sound = (Connection, Lock, Option<Recovery>, bool);

/// Opens the history for writing, or says what is in the way. A damaged file is put aside, never deleted, and the
/// newest good backup takes its place.
pub(super) fn open(options: &OpenOptions) -> Result<Sound, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::Unusable {
            path: options.path.clone(),
            reason: format!("this program was built with SQLite {}, which can lose data", rusqlite::version()),
        });
    }
    let lock = Lock::take(&options.path)?;
    match open_checked(&options.path, lock.existed) {
        Ok((connection, unchecked)) => Ok((connection, lock.made()?, None, unchecked)),
        Err(StoreError::Corrupt { reason, .. }) => recover(options, lock, &reason),
        Err(error) => Err(error),
    }
}

/// The same for a file that is known to be damaged, whatever a quick look would say.
pub(super) fn open_damaged(options: &OpenOptions, reason: &str) -> Result<Sound, StoreError> {
    recover(options, Lock::take(&options.path)?, reason)
}

fn recover(options: &OpenOptions, lock: Lock, reason: &str) -> Result<Sound, StoreError> {
    let recovery = Recovery::run(&options.path, &options.backups, reason, options.clock.now())?;
    let (connection, unchecked) = open_checked(&options.path, false)?;
    set_meta(&connection, "recovered", recovery.words())?;
    Ok((connection, lock.made()?, Some(recovery), unchecked))
}

fn open_checked(path: &Path, must_exist: bool) -> Result<(Connection, bool), StoreError> {
    let damaged = |reason: &str| StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() };
    let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if size == 0 && must_exist {
        return Err(damaged("it is empty or gone, though it was there before"));
    }
    let at_path = |error: StoreError| match error {
        StoreError::Corrupt { reason, .. } => damaged(&reason),
        // What cannot be opened at all will not open later by itself either.
        StoreError::Unavailable(reason) => StoreError::Unusable { path: path.to_owned(), reason },
        other => other,
    };
    if !path.exists() {
        // Private from its first byte; SQLite gives its journals the same mode.
        platform::create_private_file(path).map_err(|error| StoreError::Unusable {
            path: path.to_owned(),
            reason: format!("cannot create it: {error}"),
        })?;
    }
    let mut connection = Connection::open(path).map_err(|error| at_path(error.into()))?;
    let prepared = inspect(&connection, path)
        .and_then(|()| configure_writer(&connection, path))
        .and_then(|()| migrate(&mut connection, path, MIGRATIONS.len()))
        .and_then(|()| check_pages(&mut connection, CHECK_BUDGET));
    match prepared {
        Ok(checked) => Ok((connection, !checked)),
        Err(error) => Err(at_path(error)),
    }
}

/// Whose file is it, and of which format?
fn inspect(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format = user_version(db)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || format != 0 || tables != 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if format > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: format, known });
    }
    Ok(())
}

fn user_version(db: &Connection) -> Result<i64, StoreError> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Settings hold for a connection, so each one gets them.
fn configure_writer(db: &Connection, path: &Path) -> Result<(), StoreError> {
    db.busy_timeout(Duration::from_secs(5))?;
    let file_system = platform::file_system(path);
    // Shared memory is not coherent over networks and virtual machines' shared folders; WAL corrupts there.
    let journal = if file_system.network { "DELETE" } else { "WAL" };
    let before: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if !before.eq_ignore_ascii_case(journal) {
        let now: String = db.pragma_update_and_check(None, "journal_mode", journal, |row| row.get(0))?;
        if file_system.network {
            tracing::warn!(
                file_system = file_system.name,
                journal_mode = now,
                "the database lies on a network or shared file system; a local --database is faster and safer"
            );
        }
    }
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -8_000)?;
    db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // The spine folds the log in when nobody waits for a commit; see `Store::fold_log`.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    harden(db)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Brings the file to our format, one transaction a step, so that a kill leaves a whole step or nothing.
pub(super) fn migrate(db: &mut Connection, path: &Path, to: usize) -> Result<(), StoreError> {
    let from = usize::try_from(user_version(db)?).unwrap_or(usize::MAX);
    if from > 0 && from < to {
        let copy = beside(path, &format!(".format-{from}"));
        super::maintenance::backup(db, &copy)?;
        tracing::info!(copy = %copy.display(), "kept a copy of the database before changing its format");
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().take(to).skip(from) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX))?;
        tx.commit()?;
    }
    Ok(())
}
