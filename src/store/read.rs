//! Queries: read-only connections for the pages, the API and `doctor`. They never hold up the writer and never
//! checkpoint. Calls block; on the async side they belong into `spawn_blocking`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags};

use super::connection::{check_pages, harden, meta};
use super::dictionary::Dictionary;
use super::items::{Aging, ItemState};
use super::query::{Dimension, Filter, Split};
use super::{StoreError, count, estimates, int, items, log};
use crate::event::{Change, Tally, UnixMillis};
use crate::plugin::Checkpoint;
use crate::slow::slow;

/// A few read-only connections, opened when needed.
#[derive(Clone)]
pub struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Reader>>>,
}

/// A connection, and the names that it has met.
struct Reader {
    db: Connection,
    words: Dictionary,
}

/// How many connections are kept open.
const KEPT: usize = 4;

/// How many names each of them remembers.
const REMEMBERED: usize = 2_000;

/// How long one query may take: a reader that stays on an old state keeps the write-ahead log from being folded in.
const PATIENCE: Duration = Duration::from_secs(5);

/// A day of the trend.
#[derive(Clone, Debug, PartialEq)]
pub struct DayRow {
    pub date: Date,
    pub tally: Tally,
    pub by_model: BTreeMap<Arc<str>, Tally>,
    /// Tokens that Claude Code's own statistics state for a day that transcripts do not cover, where that is more than
    /// the transcripts have. An estimate: not de-duplicated, by UTC day, and never added to anything.
    pub estimate: Option<u64>,
    /// Transcripts of this day may have been deleted before they were read.
    pub partial: bool,
}

/// A model without a price.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnpricedModel {
    pub model: String,
    pub tokens: u64,
}

/// A file and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    pub source: String,
    pub checkpoint: Checkpoint,
}

/// What `doctor` and the pages want to know of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Facts {
    pub responses: u64,
    pub sessions: u64,
    pub projects: u64,
    pub revision: u64,
    pub first_at_ms: Option<i64>,
    pub last_at_ms: Option<i64>,
    pub price_table: Option<String>,
    pub retention_floor_ms: Option<i64>,
    pub limit_reset_at_ms: Option<i64>,
    pub recovered: Option<String>,
    pub unpriced: Vec<UnpricedModel>,
}

impl Readers {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Arc::default() }
    }

    /// Runs queries that somebody waits for, all of them on the same state of the history.
    pub(super) fn ask<T>(
        &self,
        queries: impl FnOnce(&Connection, &mut Dictionary) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.impatiently(|Reader { db, words }| {
            let tx = db.transaction()?;
            queries(&tx, words)
        })
    }

    /// Runs a query that somebody waits for.
    pub(super) fn with<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.impatiently(|reader| query(&mut reader.db))
    }

    fn impatiently<T>(&self, query: impl FnOnce(&mut Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.lend(|reader| {
            let started = Instant::now();
            let until = started + PATIENCE;
            reader.db.progress_handler(10_000, Some(move || Instant::now() > until))?;
            let outcome = query(reader);
            reader.db.progress_handler(0, None::<fn() -> bool>)?;
            slow("a query of the history", started);
            outcome
        })
    }

    /// Runs what may take its time.
    pub(super) fn at_leisure<T>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.lend(|reader| query(&mut reader.db))
    }

    fn lend<T>(&self, query: impl FnOnce(&mut Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader {
                db: self.connect().map_err(|error| self.named(error))?,
                words: Dictionary::remembering(REMEMBERED),
            },
        };
        let outcome = query(&mut reader).map_err(|error| self.named(error));
        // A connection that failed may look at a file that has been replaced.
        if outcome.is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < KEPT {
                idle.push(reader);
            }
        }
        outcome
    }

    /// Says which file is damaged.
    fn named(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Corrupt { reason, .. } => StoreError::Corrupt { path: self.path.clone(), reason },
            other => other,
        }
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(Duration::from_secs(2))?;
        // The first look at the file: with a write-ahead log SQLite needs its index beside it even to read.
        match db.query_row("PRAGMA schema_version", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => {
                let reason = "reading it needs a file beside it, and its directory may not be written".to_owned();
                return Err(StoreError::Unusable { path: self.path.clone(), reason });
            }
            looked => looked?,
        }
        db.pragma_update(None, "query_only", true)?;
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        db.pragma_update(None, "cache_size", -2_000)?;
        db.set_prepared_statement_cache_capacity(64);
        harden(&db)?;
        Ok(db)
    }

    /// Closes idle connections: the file under them is about to be replaced.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Every day from `from` to `to`, both included, as the zone cuts them; days without usage, too.
    pub fn days(&self, from: Date, to: Date, zone: &TimeZone) -> Result<Vec<DayRow>, StoreError> {
        let dates: Vec<Date> = from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to).collect();
        let buckets = self.trend(&midnights(&dates, zone)?, &Filter::default(), Split::By(Dimension::Model))?;
        // Others' statistics are by UTC day, and can be compared with such days only.
        let utc = self.trend(&midnights(&dates, &TimeZone::UTC)?, &Filter::default(), Split::Nothing)?;
        self.with(|db| {
            let coverage = estimates::coverage(db)?;
            let mut days = Vec::new();
            for ((date, bucket), utc) in dates.into_iter().zip(buckets).zip(utc) {
                let partial = !coverage.iter().any(|(from, to)| *from <= bucket.from.0 && bucket.to.0 <= *to);
                let estimate = if partial { estimates::of_day(db, date, &utc.tally)? } else { None };
                days.push(DayRow { date, tally: bucket.tally, by_model: bucket.groups, estimate, partial });
            }
            Ok(days)
        })
    }

    /// Every model of the history, in the order in which it first saw them, which never changes.
    pub fn models(&self) -> Result<Vec<Arc<str>>, StoreError> {
        self.with(|db| {
            let mut models = db.prepare_cached(
                "SELECT text FROM word WHERE id IN (SELECT model FROM series WHERE requests > 0) ORDER BY id",
            )?;
            let models = models.query_map([], |row| row.get::<_, String>(0))?;
            Ok(models.map(|model| model.map(Arc::from)).collect::<Result<_, _>>()?)
        })
    }

    /// The files of a source that were last written before an instant.
    pub fn aging(&self, source: &str, before: UnixMillis) -> Result<Aging, StoreError> {
        self.with(|db| items::aging(db, source, before))
    }

    /// The projects with the most tokens of all time, the greatest first.
    pub fn project_names(&self, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.with(|db| {
            let mut names = db.prepare_cached(
                "SELECT text FROM project_series JOIN word ON word.id = project WHERE project != 0 AND requests > 0
                 ORDER BY input + output + cache_write_5m + cache_write_1h + cache_read DESC, text LIMIT ?1",
            )?;
            let names = names.query_map([int(limit as u64)?], |row| row.get::<_, String>(0))?;
            Ok(names.map(|name| name.map(Arc::from)).collect::<Result<_, _>>()?)
        })
    }

    /// What happened after a revision; see [`super::log`].
    pub fn changes_after(&self, after: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.with(|db| log::changes_after(db, &mut Dictionary::default(), after, limit))
    }

    /// Facts about the history as a whole.
    pub fn facts(&self) -> Result<Facts, StoreError> {
        self.with(|db| {
            let one = |sql: &str| -> Result<Option<i64>, StoreError> { Ok(db.query_row(sql, [], |row| row.get(0))?) };
            let number = |sql: &str| one(sql).and_then(|value| count(value.unwrap_or(0)));
            let mut unpriced = db.prepare(
                "SELECT w.text, sum(unpriced_tokens) FROM series JOIN word w ON w.id = model
                 GROUP BY model HAVING sum(unpriced_tokens) > 0 ORDER BY 2 DESC",
            )?;
            let unpriced = unpriced.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
            let unpriced = unpriced
                .map(|row| {
                    row.map_err(StoreError::from)
                        .and_then(|(model, tokens)| Ok(UnpricedModel { model, tokens: count(tokens)? }))
                })
                .collect::<Result<_, _>>()?;
            Ok(Facts {
                responses: number("SELECT count(*) FROM response")?,
                sessions: number("SELECT count(DISTINCT session) FROM session_day")?,
                projects: number("SELECT count(DISTINCT project) FROM rollup_day")?,
                revision: count(meta(db, "revision")?.unwrap_or(0))?,
                first_at_ms: one("SELECT min(at) FROM response")?,
                last_at_ms: one("SELECT max(at) FROM response")?,
                price_table: meta(db, "price_table")?,
                retention_floor_ms: meta(db, "retention_floor")?,
                limit_reset_at_ms: meta(db, "limit_reset_at")?,
                recovered: meta(db, "recovered")?,
                unpriced,
            })
        })
    }

    /// Where a source was at the last commit.
    pub fn checkpoints(&self, source: &str) -> Result<Vec<Checkpoint>, StoreError> {
        self.with(|db| items::all(db, source))
    }

    /// The files of some sources (none: of all) in a state, in the order of sources and paths: at most `limit`, after the
    /// first `offset`; and how many there are.
    pub fn items(
        &self,
        sources: &[Arc<str>],
        state: ItemState,
        page: (usize, usize),
    ) -> Result<(Vec<ItemRow>, u64), StoreError> {
        self.with(|db| items::page(db, sources, state, page))
    }

    /// Counters of every source since the history began.
    pub fn source_totals(&self) -> Result<BTreeMap<String, crate::status::SourceTotals>, StoreError> {
        self.with(|db| items::sources(db))
    }

    /// Looks for damaged pages for at most `budget`; `false`: the time was up first.
    pub fn check_pages(&self, budget: Duration) -> Result<bool, StoreError> {
        self.at_leisure(|db| check_pages(db, budget))
    }

    /// Looks at every page, row and index, however long that takes.
    pub fn check_everything(&self) -> Result<(), StoreError> {
        self.at_leisure(|db| super::maintenance::check_everything(db, &self.path))
    }

    /// What retention of `days` would remove now.
    pub fn foretell_prune(&self, days: u32, now: UnixMillis) -> Result<super::PruneReport, StoreError> {
        self.with(|db| Ok(super::maintenance::plan(db, days, now)?.report))
    }

    /// Copies the history while it is in use.
    pub fn backup(&self, to: &Path) -> Result<super::Backup, StoreError> {
        self.at_leisure(|db| super::maintenance::backup(db, to))
    }
}

/// The first instant of each of these days, which follow each other, and of the day after the last one.
fn midnights(dates: &[Date], zone: &TimeZone) -> Result<Vec<UnixMillis>, StoreError> {
    let end = dates.last().map(|last| last.tomorrow()).transpose().map_err(|error| range(&error))?;
    let midnight = |date: Date| {
        let midnight = date.to_zoned(zone.clone()).map_err(|error| range(&error))?;
        Ok(UnixMillis(midnight.timestamp().as_millisecond()))
    };
    dates.iter().copied().chain(end).map(midnight).collect()
}

fn range(error: &jiff::Error) -> StoreError {
    StoreError::Range(error.to_string())
}
