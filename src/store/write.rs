//! The one writer: claims in, changes out, all of a commit in one transaction.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};

use super::connection::{clear_meta, meta, set_meta};
use super::dictionary::Dictionary;
use super::merging::{Merging, Pricer};
use super::open::{Lock, OpenOptions, Opened, open};
use super::series::Gathered;
use super::totals::Totals;
use super::{StoreError, count, estimates, int, items};
use crate::event::{Change, QuerySource, Tally, UnixMillis};
use crate::hub::{Snapshot, StoreFacts};
use crate::plugin::{Checkpoint, SourceMessage};
use crate::pricing::{Day, Price, PriceTable};
use crate::status::SourceTotals;

/// The history, open for writing. There is one per file, and it holds the file's lock.
pub struct Store {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) backups: PathBuf,
    pub(super) retention_floor: Option<UnixMillis>,
    pub(super) totals: Totals,
    pub(super) pricer: Pricer,
    pub(super) words: Dictionary,
    pub(super) revision: u64,
    instance: Arc<str>,
    sources: BTreeMap<String, SourceTotals>,
    last_event_at: Option<UnixMillis>,
    busy: u64,
    _lock: Lock,
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// In the order of their revisions; `None` when there were too many to carry.
    pub changes: Option<Vec<Change>>,
    /// A source is done with what there was when it started.
    pub caught_up: Vec<&'static str>,
}

impl Store {
    /// Opens or creates the history.
    pub fn open(options: &OpenOptions, prices: Arc<PriceTable>) -> Result<Opened, StoreError> {
        Self::opened(open(options)?, options, prices)
    }

    /// Puts aside a file that was found to be damaged while it was in use, and opens what takes its place.
    pub fn open_damaged(options: &OpenOptions, prices: Arc<PriceTable>, reason: &str) -> Result<Opened, StoreError> {
        Self::opened(super::open::open_damaged(options, reason)?, options, prices)
    }

    fn opened(
        (db, lock, recovery, unchecked): super::open::Sound,
        options: &OpenOptions,
        prices: Arc<PriceTable>,
    ) -> Result<Opened, StoreError> {
        let mut store = Self {
            path: options.path.clone(),
            backups: options.backups.clone(),
            retention_floor: meta(&db, "retention_floor")?.map(UnixMillis),
            totals: Totals::load(&db, options.clock.now())?,
            pricer: Pricer::new(prices),
            words: Dictionary::default(),
            instance: super::instance::instance(&db)?,
            sources: items::sources(&db)?,
            revision: count(meta(&db, "revision")?.unwrap_or(0))?,
            last_event_at: None,
            busy: 0,
            _lock: lock,
            db,
        };
        store.list_prices()?;
        store.last_event_at = store.newest_before(options.clock.now())?;
        Ok(Opened { store, recovery, unchecked })
    }

    /// Where a source was at the last commit.
    pub fn checkpoints(&self, source: &str) -> Result<Vec<Checkpoint>, StoreError> {
        items::all(&self.db, source)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Merges and stores everything in `messages`, or nothing.
    pub fn commit(
        &mut self,
        messages: &[(&'static str, SourceMessage)],
        now: UnixMillis,
    ) -> Result<Committed, StoreError> {
        #[cfg(feature = "mutants")]
        if let Some(mutant) = super::mutants::Mutant::chosen() {
            let mut whole = Committed { changes: Some(Vec::new()), caught_up: Vec::new() };
            for part in mutant.parts(messages) {
                let committed = self.try_commit(&part, now)?;
                whole.changes = whole.changes.zip(committed.changes).map(|(all, more)| [all, more].concat());
                whole.caught_up.extend(committed.caught_up);
            }
            return Ok(whole);
        }
        let outcome = self.try_commit(messages, now);
        if outcome.is_err() {
            // They may name rows that were rolled back.
            self.words.forget();
        }
        if outcome.as_ref().is_err_and(StoreError::is_passing) {
            self.busy += 1;
        }
        outcome
    }

    fn try_commit(
        &mut self,
        messages: &[(&'static str, SourceMessage)],
        now: UnixMillis,
    ) -> Result<Committed, StoreError> {
        let mut committed = Committed { changes: Some(Vec::new()), caught_up: Vec::new() };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut merging = Merging::new(&tx, &mut self.words, &mut self.pricer, self.revision)?;
        merging.headroom = self.totals.headroom();
        merging.retention_floor = self.retention_floor;
        merging.newest = self.last_event_at;
        merging.horizon = UnixMillis(now.0.saturating_add(UnixMillis::DAY));
        merging.changes = Some(Vec::new());
        merging.deltas.lifetime = Gathered::begin(&self.totals.lifetime, now);
        let mut sources = self.sources.clone();
        for (source, message) in messages {
            match message {
                SourceMessage::Batch(batch) => {
                    merging.batch(source, batch)?;
                    let totals = sources.entry((*source).to_owned()).or_default();
                    let counters = std::mem::take(&mut merging.counters);
                    totals.new_responses += counters.new_responses;
                    totals.corrections += counters.corrections;
                    totals.duplicates +=
                        batch.tally.claims.saturating_sub(counters.new_responses + counters.below_retention);
                    totals.below_retention += counters.below_retention;
                    totals.tally.add(&counters.tally);
                    totals.tally.add(&batch.tally);
                }
                SourceMessage::Estimate(estimate) => estimates::store(&tx, estimate, now)?,
                SourceMessage::Covered { from, to } => estimates::store_coverage(&tx, *from, *to)?,
                SourceMessage::CaughtUp => committed.caught_up.push(source),
            }
        }
        let Merging { mut deltas, revision, newest, changes, .. } = merging;
        committed.changes = changes;
        let totals = deltas.flush(&tx, &mut self.words, &self.totals)?;
        for (name, totals) in &sources {
            if self.sources.get(name) != Some(totals) {
                items::save_source(&tx, name, totals)?;
            }
        }
        if revision != self.revision {
            set_meta(&tx, "revision", int(revision)?)?;
        }
        tx.commit()?;
        self.totals = totals;
        self.sources = sources;
        self.revision = revision;
        self.last_event_at = newest;
        Ok(committed)
    }

    /// Everything that readers are shown. `ready` and what only the spine knows is filled in by the spine.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let models = self.totals.by_model();
        let mut totals = Tally::default();
        for tally in models.values() {
            totals.add(tally);
        }
        let mut series: BTreeMap<_, Tally> = BTreeMap::new();
        // Zeros for what may come: the first increment of a series that is not there yet would be lost.
        let current = self.pricer.table.rows().filter(|row| row.retired_date.is_none()).map(|row| &row.model);
        for model in current.chain(self.totals.series.keys().map(|(model, _)| model)) {
            for query_source in [QuerySource::Main, QuerySource::Subagent] {
                series.entry((Arc::clone(model), query_source)).or_default();
            }
        }
        for ((model, query_source), sums) in &self.totals.series {
            series.insert((Arc::clone(model), *query_source), sums.shown);
        }
        let mut snapshot = Snapshot {
            revision: self.revision,
            instance: Arc::clone(&self.instance),
            models,
            totals,
            sessions: self.totals.sessions,
            series,
            session_count: self.totals.sessions_shown,
            last_event_at: self.last_event_at,
            estimates: estimates::lifetime(&self.db)?,
            store: StoreFacts {
                size_bytes: size_on_disk(&self.path),
                responses: self.totals.responses,
                busy: self.busy,
                price_table: self.pricer.table.version().to_owned(),
                price_table_at: checked_at(self.pricer.table.version()),
            },
            ..Snapshot::default()
        };
        snapshot.ingest.by_source = self.sources.iter().map(|(name, totals)| (name.clone(), totals.clone())).collect();
        self.totals.lifetime.show(&mut snapshot);
        snapshot.repriced = count(meta(&self.db, "repriced")?.unwrap_or(0))?;
        if let Some(words) = meta::<String>(&self.db, "recovered")? {
            snapshot.troubles.insert("database_recovered", words);
        }
        Ok(snapshot)
    }

    fn newest_before(&self, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let horizon = now.0.saturating_add(UnixMillis::DAY);
        let newest: Option<i64> =
            self.db.query_row("SELECT max(at) FROM response WHERE at <= ?1", [horizon], |row| row.get(0))?;
        Ok(newest.map(UnixMillis))
    }

    /// Forgets that the database had to be recovered: somebody has read it.
    pub fn acknowledge(&mut self) -> Result<bool, StoreError> {
        let had = meta::<String>(&self.db, "recovered")?.is_some();
        clear_meta(&self.db, "recovered")?;
        Ok(had)
    }

    /// Lists the price table for whoever opens the file; a changed table prices new responses only.
    fn list_prices(&mut self) -> Result<(), StoreError> {
        if meta::<String>(&self.db, "price_table")?.as_deref() == Some(self.pricer.table.version()) {
            return Ok(());
        }
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM model_pricing", [])?;
        // Pico-dollars a token are micro-dollars a million tokens.
        #[expect(clippy::cast_precision_loss, reason = "prices for people who open the file")]
        let usd = |price: Price| price.0 as f64 / 1e6;
        let mut newest = HashMap::new();
        for row in self.pricer.table.rows() {
            let day = newest.entry(&row.model).or_insert(row.effective_date);
            *day = row.effective_date.max(*day);
        }
        for row in self.pricer.table.rows() {
            tx.execute(
                "INSERT OR REPLACE INTO model_pricing (model, input_price, output_price, cache_creation_price,
                     cache_creation_1h_price, cache_read_price, effective_date, is_active)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    &*row.model,
                    usd(row.input),
                    usd(row.output),
                    usd(row.cache_write_5m),
                    usd(row.cache_write_1h),
                    usd(row.cache_read),
                    row.effective_date.to_string(),
                    newest.get(&row.model) == Some(&row.effective_date)
                ],
            )?;
        }
        set_meta(&tx, "price_table", self.pricer.table.version())?;
        tx.commit()?;
        Ok(())
    }
}

/// Bytes of the database and of its write-ahead log.
fn size_on_disk(path: &std::path::Path) -> u64 {
    let files = [path.to_owned(), super::connection::beside(path, "-wal")];
    files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum()
}

/// The day in a price table's version, as an instant.
fn checked_at(version: &str) -> Option<UnixMillis> {
    let day: Day = version.get(..10)?.parse().ok()?;
    Some(UnixMillis(day.0 * UnixMillis::DAY))
}
