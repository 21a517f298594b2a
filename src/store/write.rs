//! The one writer: claims in, changes out, all of a commit in one transaction.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};

use super::dictionary::Dictionary;
use super::maintenance::STRADDLE_MS;
use super::open::{Lock, OpenOptions, Opened, clear_meta, meta, open, set_meta};
use super::response::{Stored, load};
use super::totals::{Deltas, Totals};
use super::{StoreError, count, int, items};
use crate::event::{
    Change, GroupId, Owner, QuerySource, RecordKey, Tally, TokenCounts, UnixMillis, Usage, UsageRecord, Variant,
};
use crate::hub::{Snapshot, StoreFacts};
use crate::merge::resolve;
use crate::plugin::{Checkpoint, Estimate, ReportedCost, SourceBatch, SourceMessage};
use crate::pricing::{Day, ModelPrices, Price, PriceTable};
use crate::status::SourceTotals;

/// More changes than this are not worth carrying to followers: a snapshot says the same.
const CARRIED_CHANGES: usize = 1_000;

/// The history, open for writing. There is one per file, and it holds the file's lock.
pub struct Store {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) backups: PathBuf,
    pub(super) retention_floor: Option<UnixMillis>,
    pub(super) totals: Totals,
    prices: Arc<PriceTable>,
    words: Dictionary,
    model_prices: HashMap<Arc<str>, Option<ModelPrices>>,
    sources: BTreeMap<String, SourceTotals>,
    revision: u64,
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
            totals: Totals::load(&db)?,
            prices,
            words: Dictionary::default(),
            model_prices: HashMap::new(),
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

    pub(super) fn log_parts(&mut self) -> (&Connection, &mut Dictionary) {
        (&self.db, &mut self.words)
    }

    /// Merges and stores everything in `messages`, or nothing.
    pub fn commit(
        &mut self,
        messages: &[(&'static str, SourceMessage)],
        now: UnixMillis,
    ) -> Result<Committed, StoreError> {
        #[cfg(feature = "mutants")]
        if let Some(mutant) = super::mutants::Mutant::chosen() {
            return mutant.commit(self, messages, now);
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

    pub(super) fn try_commit(
        &mut self,
        messages: &[(&'static str, SourceMessage)],
        now: UnixMillis,
    ) -> Result<Committed, StoreError> {
        let mut committed = Committed { changes: Some(Vec::new()), caught_up: Vec::new() };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut merging = Merging {
            db: &tx,
            words: &mut self.words,
            prices: &self.prices,
            model_prices: &mut self.model_prices,
            retention_floor: self.retention_floor,
            deltas: Deltas::default(),
            revision: self.revision,
            source: 0,
            seen_by_deliveries: super::log::furthest_cursor(&tx)?,
            newest: self.last_event_at,
            horizon: UnixMillis(now.0.saturating_add(UnixMillis::DAY)),
            changes: Some(Vec::new()),
            counters: SourceTotals::default(),
        };
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
                    totals.tally.add(&batch.tally);
                }
                SourceMessage::Estimate(estimate) => store_estimate(&tx, estimate, now)?,
                SourceMessage::Covered { from, to } => store_coverage(&tx, *from, *to)?,
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
        let current = self.prices.rows().filter(|row| row.retired_date.is_none()).map(|row| &row.model);
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
            models,
            totals,
            sessions: self.totals.sessions,
            series,
            session_count: self.totals.sessions_shown,
            last_event_at: self.last_event_at,
            estimates: self.estimates()?,
            store: StoreFacts {
                size_bytes: size_on_disk(&self.path),
                responses: self.totals.responses,
                busy: self.busy,
                price_table: self.prices.version().to_owned(),
                price_table_at: checked_at(self.prices.version()),
            },
            ..Snapshot::default()
        };
        snapshot.ingest.by_source = self.sources.iter().map(|(name, totals)| (name.clone(), totals.clone())).collect();
        if let Some(words) = meta::<String>(&self.db, "recovered")? {
            snapshot.troubles.insert("database_recovered", words);
        }
        Ok(snapshot)
    }

    fn estimates(&self) -> Result<BTreeMap<Arc<str>, TokenCounts>, StoreError> {
        // The same file under two roots counts once.
        let mut statement = self.db.prepare_cached(
            "SELECT model, sum(input), sum(output), sum(cache_write), sum(cache_read) FROM estimate_lifetime
             WHERE origin IN (SELECT min(origin) FROM estimate GROUP BY content_hash) GROUP BY model",
        )?;
        let mut rows = statement.query([])?;
        let mut estimates = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let tokens = TokenCounts {
                input: count(row.get(1)?)?,
                output: count(row.get(2)?)?,
                cache_write_5m: count(row.get(3)?)?,
                cache_write_1h: 0,
                cache_read: count(row.get(4)?)?,
            };
            estimates.insert(row.get::<_, String>(0)?.into(), tokens);
        }
        Ok(estimates)
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
        if meta::<String>(&self.db, "price_table")?.as_deref() == Some(self.prices.version()) {
            return Ok(());
        }
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM model_pricing", [])?;
        // Pico-dollars a token are micro-dollars a million tokens.
        #[expect(clippy::cast_precision_loss, reason = "prices for people who open the file")]
        let usd = |price: Price| price.0 as f64 / 1e6;
        let mut newest = HashMap::new();
        for row in self.prices.rows() {
            let day = newest.entry(&row.model).or_insert(row.effective_date);
            *day = row.effective_date.max(*day);
        }
        for row in self.prices.rows() {
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
        set_meta(&tx, "price_table", self.prices.version())?;
        tx.commit()?;
        Ok(())
    }

    /// Prices the whole history with the present table. Sums are corrected; counters keep their highest value.
    pub fn reprice(&mut self, dry_run: bool) -> Result<Repriced, StoreError> {
        let mut report = Repriced::default();
        let mut after = 0;
        // Rows that are priced again move beyond this and are not met a second time.
        let until = self.revision;
        loop {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let page = super::log::page_after(&tx, &mut self.words, after, REPRICE_PAGE, until)?;
            let Some(last) = page.last() else { break };
            after = last.revision;
            let mut merging = Merging {
                db: &tx,
                words: &mut self.words,
                prices: &self.prices,
                model_prices: &mut self.model_prices,
                retention_floor: None,
                deltas: Deltas::default(),
                revision: self.revision,
                source: 0,
                seen_by_deliveries: super::log::furthest_cursor(&tx)?,
                newest: None,
                horizon: UnixMillis(i64::MAX),
                changes: None,
                counters: SourceTotals::default(),
            };
            for old in page {
                report.responses += 1;
                let cost_before = old.share(merging.db, merging.words)?.tally.cost.0;
                let mut new = old.clone();
                new.card = merging.card(&new)?;
                let cost_after = new.share(merging.db, merging.words)?.tally.cost.0;
                report.usd_before_pico += cost_before;
                report.usd_after_pico += cost_after;
                if new.card != old.card {
                    report.changed += 1;
                    if !dry_run {
                        merging.source = new.source;
                        merging.replace(&old, new.record, new.several)?;
                    }
                }
            }
            let Merging { mut deltas, revision, .. } = merging;
            if !dry_run {
                let totals = deltas.flush(&tx, &mut self.words, &self.totals)?;
                set_meta(&tx, "revision", int(revision)?)?;
                tx.commit()?;
                self.totals = totals;
                self.revision = revision;
            }
        }
        if dry_run {
            // Cards that were only tried out were rolled back.
            self.words.forget();
        }
        Ok(report)
    }
}

/// Responses that are priced again in one transaction.
const REPRICE_PAGE: usize = 5_000;

/// What re-pricing did or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    pub responses: u64,
    pub changed: u64,
    pub usd_before_pico: i128,
    pub usd_after_pico: i128,
}

/// A claim as `variant` keeps it; its key is the row's.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    usage: Usage,
    first_at: UnixMillis,
    owner: Owner,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fills: Vec<Usage>,
}

/// One transaction's work.
struct Merging<'a> {
    db: &'a Connection,
    words: &'a mut Dictionary,
    prices: &'a PriceTable,
    model_prices: &'a mut HashMap<Arc<str>, Option<ModelPrices>>,
    retention_floor: Option<UnixMillis>,
    deltas: Deltas,
    revision: u64,
    source: i64,
    /// How far the furthest delivery has got.
    seen_by_deliveries: u64,
    newest: Option<UnixMillis>,
    /// What claims to be later than this does not move `newest`.
    horizon: UnixMillis,
    changes: Option<Vec<Change>>,
    counters: SourceTotals,
}

impl Merging<'_> {
    fn batch(&mut self, source: &'static str, batch: &SourceBatch) -> Result<(), StoreError> {
        self.source = self.words.id(self.db, &source.into())?;
        for record in &batch.records {
            #[cfg(feature = "mutants")]
            let record = &{
                let mut record = record.clone();
                if let Some(mutant) = super::mutants::Mutant::chosen() {
                    mutant.disguise(&mut record, self.revision);
                }
                record
            };
            self.claim(record)?;
        }
        for ReportedCost { session, at, usd } in &batch.reported_costs {
            let session = self.words.id(self.db, session)?;
            // Cumulative within a session: the latest one is the whole.
            self.db
                .prepare_cached(
                    "INSERT INTO reported_cost (session, at, usd) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET at = excluded.at, usd = excluded.usd
                         WHERE (excluded.at, excluded.usd) > (at, usd)",
                )?
                .execute(params![session, at.0, usd])?;
        }
        if let Some(reset) = batch.limit_reset_at {
            let known: i64 = meta(self.db, "limit_reset_at")?.unwrap_or(0);
            set_meta(self.db, "limit_reset_at", known.max(reset.0))?;
        }
        if let Some(checkpoint) = &batch.checkpoint {
            items::save(self.db, source, checkpoint, batch.renamed_from.as_deref())?;
        }
        Ok(())
    }

    /// Merges one claim with what is known of its response.
    fn claim(&mut self, record: &UsageRecord) -> Result<(), StoreError> {
        let group = record.key.group;
        let too_old = self.retention_floor.is_some_and(|floor| record.first_at.0 < floor.0.saturating_add(STRADDLE_MS));
        // Nearly every claim is about a new response, so putting it in is tried before anything is looked up.
        if !too_old && self.insert(group, record.clone(), false)? {
            return Ok(());
        }
        let Some(stored) = load(self.db, self.words, group)? else {
            self.counters.below_retention += 1;
            return Ok(());
        };
        if stored.several {
            let mut variants = self.variants(group)?;
            let before = resolve(group, variants.values().cloned().collect());
            if let Some(known) = variants.get_mut(&record.key.variant) {
                let unchanged = known.clone();
                known.merge(record.clone());
                if *known == unchanged {
                    return Ok(());
                }
                self.save_variant(known)?;
            } else {
                self.save_variant(record)?;
                variants.insert(record.key.variant.clone(), record.clone());
            }
            return self.rederive(&before, resolve(group, variants.into_values().collect()));
        }
        if stored.record.key.variant == record.key.variant {
            let mut merged = stored.record.clone();
            merged.merge(record.clone());
            if merged == stored.record {
                return Ok(());
            }
            self.counters.corrections += 1;
            return self.replace(&stored, merged, false);
        }
        // The second way in which this message id is seen: from now on the claims are kept apart.
        self.save_variant(&stored.record)?;
        self.save_variant(record)?;
        let before = vec![(group, stored.record.clone())];
        self.rederive(&before, resolve(group, vec![stored.record, record.clone()]))
    }

    fn variants(&mut self, group: GroupId) -> Result<BTreeMap<Variant, UsageRecord>, StoreError> {
        let unreadable = |error: serde_json::Error| StoreError::Range(format!("unreadable variant: {error}"));
        let mut statement = self.db.prepare_cached("SELECT name, record FROM variant WHERE message = ?1")?;
        let mut rows = statement.query([&group.0[..]])?;
        let mut variants = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let variant: Variant = serde_json::from_str(&row.get::<_, String>(0)?).map_err(unreadable)?;
            let Kept { usage, first_at, owner, fills } =
                serde_json::from_str(&row.get::<_, String>(1)?).map_err(unreadable)?;
            let key = RecordKey { group, variant: variant.clone() };
            variants.insert(variant, UsageRecord { key, usage, first_at, owner, fills });
        }
        Ok(variants)
    }

    fn save_variant(&mut self, record: &UsageRecord) -> Result<(), StoreError> {
        let encoded = |error: serde_json::Error| StoreError::Range(error.to_string());
        let name = serde_json::to_string(&record.key.variant).map_err(encoded)?;
        let UsageRecord { key: _, usage, first_at, owner, fills } = record.clone();
        let text = serde_json::to_string(&Kept { usage, first_at, owner, fills }).map_err(encoded)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO variant (message, name, record) VALUES (?1, ?2, ?3)")?
            .execute(params![&record.key.group.0[..], name, text])?;
        Ok(())
    }

    /// Brings the rows of one message id to what its variants now amount to.
    fn rederive(
        &mut self,
        before: &[(GroupId, UsageRecord)],
        after: Vec<(GroupId, UsageRecord)>,
    ) -> Result<(), StoreError> {
        for (id, _) in before {
            if !after.iter().any(|(kept, _)| kept == id)
                && let Some(stored) = load(self.db, self.words, *id)?
            {
                self.retract(&stored)?;
            }
        }
        for (id, record) in after {
            match load(self.db, self.words, id)? {
                Some(stored) if stored.same_facts(&record) => stored.mark_several(self.db)?,
                Some(stored) => {
                    self.counters.corrections += 1;
                    self.replace(&stored, record, true)?;
                }
                None => {
                    self.insert(id, record, true)?;
                }
            }
        }
        Ok(())
    }

    /// `false`: the response is there already, and nothing was done.
    fn insert(&mut self, id: GroupId, record: UsageRecord, several: bool) -> Result<bool, StoreError> {
        let stored = self.stored(id, record, several)?;
        let Some(share) = stored.save(self.db, self.words)? else {
            self.revision -= 1;
            return Ok(false);
        };
        self.counters.new_responses += 1;
        self.deltas.add(&share)?;
        self.note(&stored, None)?;
        Ok(true)
    }

    fn replace(&mut self, old: &Stored, record: UsageRecord, several: bool) -> Result<(), StoreError> {
        let stored = self.stored(old.id, record, several)?;
        self.deltas.remove(&old.share(self.db, self.words)?)?;
        self.keep_prior(old, stored.revision)?;
        self.delete(old)?;
        if let Some(share) = stored.save(self.db, self.words)? {
            self.deltas.add(&share)?;
        }
        self.note(&stored, Some(old))
    }

    fn retract(&mut self, old: &Stored) -> Result<(), StoreError> {
        self.revision += 1;
        self.deltas.remove(&old.share(self.db, self.words)?)?;
        self.keep_prior(old, self.revision)?;
        self.delete(old)?;
        let before = old.event(self.db, self.words)?;
        self.push(Change { revision: self.revision, before: Some(before), after: None });
        Ok(())
    }

    fn delete(&mut self, old: &Stored) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM response WHERE revision = ?1")?.execute([int(old.revision)?])?;
        Ok(())
    }

    /// Remembers what a revision replaced, if a delivery has got as far as to have seen it.
    fn keep_prior(&mut self, old: &Stored, revision: u64) -> Result<(), StoreError> {
        if self.seen_by_deliveries < old.revision {
            return Ok(());
        }
        let before = serde_json::to_string(&old.event(self.db, self.words)?)
            .map_err(|error| StoreError::Range(error.to_string()))?;
        self.db
            .prepare_cached("INSERT INTO correction (revision, id, prior, before) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![int(revision)?, &old.id.0[..], int(old.revision)?, before])?;
        Ok(())
    }

    fn stored(&mut self, id: GroupId, record: UsageRecord, several: bool) -> Result<Stored, StoreError> {
        self.revision += 1;
        let shown = if record.fills.is_empty() { record.usage.clone() } else { record.resolved() };
        let mut stored =
            Stored { revision: self.revision, id, source: self.source, record, card: None, several, shown };
        stored.card = self.card(&stored)?;
        Ok(stored)
    }

    /// The card that a response is priced with: by its own day, model and modifiers.
    fn card(&mut self, stored: &Stored) -> Result<Option<i64>, StoreError> {
        let usage = &stored.shown;
        if !self.model_prices.contains_key(&usage.model) {
            let prices = self.prices.find(&usage.model);
            self.model_prices.insert(Arc::clone(&usage.model), prices);
        }
        let Some(Some(prices)) = self.model_prices.get(&usage.model) else { return Ok(None) };
        let card = prices.card(
            stored.record.first_at.utc_day(),
            usage.tokens.prompt(),
            usage.speed.as_deref(),
            usage.tier.as_deref(),
            usage.geo.as_deref(),
        );
        self.words.card_id(self.db, &card).map(Some)
    }

    fn note(&mut self, stored: &Stored, old: Option<&Stored>) -> Result<(), StoreError> {
        let at = stored.record.first_at;
        if at <= self.horizon {
            self.newest = self.newest.max(Some(at));
        }
        if self.changes.is_some() {
            let before = old.map(|old| old.event(self.db, self.words)).transpose()?;
            let after = Some(stored.event(self.db, self.words)?);
            self.push(Change { revision: stored.revision, before, after });
        }
        Ok(())
    }

    fn push(&mut self, change: Change) {
        if let Some(changes) = &mut self.changes {
            changes.push(change);
            if changes.len() > CARRIED_CHANGES {
                self.changes = None;
            }
        }
    }
}

/// Bytes of the database and of its write-ahead log.
fn size_on_disk(path: &std::path::Path) -> u64 {
    let files = [path.to_owned(), super::open::beside(path, "-wal")];
    files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum()
}

/// The day in a price table's version, as an instant.
fn checked_at(version: &str) -> Option<UnixMillis> {
    let day: Day = version.get(..10)?.parse().ok()?;
    Some(UnixMillis(day.0 * UnixMillis::DAY))
}

fn store_estimate(db: &Connection, estimate: &Estimate, now: UnixMillis) -> Result<(), StoreError> {
    let Estimate { origin, content_hash, last_day, includes_cache, days, lifetime } = estimate;
    db.execute(
        "INSERT OR REPLACE INTO estimate (origin, content_hash, last_day, includes_cache, taken_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![origin, content_hash.cast_signed(), last_day, includes_cache, now.0],
    )?;
    // Days that the file no longer lists stay: it may have been reset, and they happened.
    let mut put_day = db.prepare_cached(
        "INSERT OR REPLACE INTO estimate_day (origin, day, model, tokens, includes_cache) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (day, model, tokens) in days {
        put_day.execute(params![origin, day, model, int(*tokens)?, includes_cache])?;
    }
    db.execute("DELETE FROM estimate_lifetime WHERE origin = ?1", [origin])?;
    for (model, tokens) in lifetime {
        db.execute(
            "INSERT INTO estimate_lifetime (origin, model, input, output, cache_write, cache_read)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                origin,
                model,
                int(tokens.input)?,
                int(tokens.output)?,
                int(tokens.cache_write())?,
                int(tokens.cache_read)?
            ],
        )?;
    }
    Ok(())
}

/// Adds an interval and joins it with those it touches.
fn store_coverage(db: &Connection, from: UnixMillis, to: UnixMillis) -> Result<(), StoreError> {
    let (from, to): (i64, i64) = db.query_row(
        "SELECT min(?1, coalesce(min(from_at), ?1)), max(?2, coalesce(max(to_at), ?2)) FROM coverage
         WHERE from_at <= ?2 AND to_at >= ?1",
        [from.0, to.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    db.execute("DELETE FROM coverage WHERE from_at <= ?2 AND to_at >= ?1", [from, to])?;
    db.execute("INSERT INTO coverage (from_at, to_at) VALUES (?1, ?2)", [from, to])?;
    Ok(())
}
