//! Pricing the history again with another price table: on command, never by itself.

use rusqlite::TransactionBehavior;

use super::connection::{meta, set_meta};
use super::log::page_after;
use super::merging::Merging;
use super::{Store, StoreError, count, int};

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

impl Store {
    /// Prices the whole history with the present table. Sums are corrected; counters keep their highest value.
    pub fn reprice(&mut self, dry_run: bool) -> Result<Repriced, StoreError> {
        let mut report = Repriced::default();
        let mut after = 0;
        let repriced_before = count(meta(&self.db, "repriced")?.unwrap_or(0))?;
        // Rows that are priced again move beyond this and are not met a second time.
        let until = self.revision;
        loop {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let page = page_after(&tx, &mut self.words, after, REPRICE_PAGE, until)?;
            let Some(last) = page.last() else { break };
            after = last.revision;
            let mut merging = Merging::new(&tx, &mut self.words, &mut self.pricer, self.revision)?;
            merging.headroom = self.totals.headroom();
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
                set_meta(&tx, "repriced", int(repriced_before + report.changed)?)?;
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
