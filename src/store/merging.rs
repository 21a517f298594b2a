//! One transaction's work on claims: finds what is known of a response, lets [`crate::merge`] decide, and brings rows, sums
//! and the revision log to the outcome.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::connection::{meta, set_meta};
use super::dictionary::Dictionary;
use super::response::{Stored, load};
use super::totals::Deltas;
use super::{StoreError, int, items};
use crate::event::{Change, GroupId, Owner, PicoUsd, RecordKey, UnixMillis, Usage, UsageRecord, Variant};
use crate::merge::resolve;
use crate::plugin::{ReportedCost, SourceBatch};
use crate::pricing::{ModelPrices, PriceTable};
use crate::status::{SkipReason, SourceTotals};

/// More changes than this are not worth carrying to followers: a snapshot says the same.
const CARRIED_CHANGES: usize = 1_000;

/// Once detail has been removed, a claim from this long after the cutoff is refused unless its response is there: its
/// earlier lines may have been removed.
const STRADDLE_MS: i64 = 3_600_000;

/// A claim as `variant` keeps it; its key is the row's.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    usage: Usage,
    first_at: UnixMillis,
    owner: Owner,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fills: Vec<Usage>,
}

/// The price table, and what it said of the models met so far.
pub(super) struct Pricer {
    pub(super) table: Arc<PriceTable>,
    models: HashMap<Arc<str>, Option<ModelPrices>>,
}

impl Pricer {
    pub(super) fn new(table: Arc<PriceTable>) -> Self {
        Self { table, models: HashMap::new() }
    }

    fn of(&mut self, model: &Arc<str>) -> Option<&ModelPrices> {
        if !self.models.contains_key(model) {
            self.models.insert(Arc::clone(model), self.table.find(model));
        }
        self.models.get(model)?.as_ref()
    }
}

/// One transaction's work.
pub(super) struct Merging<'a> {
    pub(super) db: &'a Connection,
    pub(super) words: &'a mut Dictionary,
    pricer: &'a mut Pricer,
    /// What retention has removed is older than this.
    pub(super) retention_floor: Option<UnixMillis>,
    pub(super) deltas: Deltas,
    /// The newest revision so far.
    pub(super) revision: u64,
    /// The word of the source whose claims are merged.
    pub(super) source: i64,
    /// How far the furthest delivery has got.
    seen_by_deliveries: u64,
    /// The newest response so far.
    pub(super) newest: Option<UnixMillis>,
    /// What claims to be later than this does not move `newest`.
    pub(super) horizon: UnixMillis,
    /// How much more all responses together may cost, so that every sum fits its column.
    pub(super) headroom: PicoUsd,
    /// What followers are told; `None` once it is too much.
    pub(super) changes: Option<Vec<Change>>,
    pub(super) counters: SourceTotals,
}

impl<'a> Merging<'a> {
    pub(super) fn new(
        db: &'a Connection,
        words: &'a mut Dictionary,
        pricer: &'a mut Pricer,
        revision: u64,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            db,
            words,
            pricer,
            retention_floor: None,
            deltas: Deltas::default(),
            revision,
            source: 0,
            seen_by_deliveries: super::log::furthest_cursor(db)?,
            newest: None,
            horizon: UnixMillis(i64::MAX),
            headroom: PicoUsd(i64::MAX.into()),
            changes: None,
            counters: SourceTotals::default(),
        })
    }
}

impl Merging<'_> {
    pub(super) fn batch(&mut self, source: &'static str, batch: &SourceBatch) -> Result<(), StoreError> {
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
        if !self.afford(share.tally.cost, PicoUsd(0)) {
            self.delete(&stored)?;
            self.revision -= 1;
            return Ok(true);
        }
        self.counters.new_responses += 1;
        self.deltas.add(&share)?;
        self.note(&stored, None)?;
        Ok(true)
    }

    /// Whether the sums can hold it that something costs so much instead of so much. Nobody spends nine million dollars;
    /// lines that say so are skipped, since numbers that do not fit would end all counting.
    fn afford(&mut self, after: PicoUsd, before: PicoUsd) -> bool {
        let left = self.headroom.0 - after.0 + before.0;
        if left < 0 {
            self.counters.tally.skip(SkipReason::Implausible);
            return false;
        }
        self.headroom = PicoUsd(left);
        true
    }

    pub(super) fn replace(&mut self, old: &Stored, record: UsageRecord, several: bool) -> Result<(), StoreError> {
        let stored = self.stored(old.id, record, several)?;
        let (was, will_be) = (old.share(self.db, self.words)?, stored.share(self.db, self.words)?);
        if !self.afford(will_be.tally.cost, was.tally.cost) {
            self.revision -= 1;
            return Ok(());
        }
        self.deltas.remove(&was)?;
        self.keep_prior(old, stored.revision)?;
        self.delete(old)?;
        if let Some(share) = stored.save(self.db, self.words)? {
            self.deltas.add(&share)?;
        }
        self.note(&stored, Some(old))
    }

    fn retract(&mut self, old: &Stored) -> Result<(), StoreError> {
        self.revision += 1;
        let was = old.share(self.db, self.words)?;
        self.headroom.0 += was.tally.cost.0;
        self.deltas.remove(&was)?;
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
    pub(super) fn card(&mut self, stored: &Stored) -> Result<Option<i64>, StoreError> {
        let usage = &stored.shown;
        let Some(prices) = self.pricer.of(&usage.model) else { return Ok(None) };
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
