//! Lifetime sums beside those by model: by project, by size of a request, and what was used lately. Like those they are
//! kept exact and as shown; what is shown never falls, and grows only while somebody may look: what a first read does to
//! a sum on its way is nobody's business.

mod models;
mod projects;
mod recent;
mod sizes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::{meta, set_meta};
use super::dictionary::Dictionary;
use super::response::Share;
use super::rollups::QUARTER;
use super::totals::{Delta, Series, apply};
use super::{Store, StoreError};
use crate::event::{PicoUsd, QuerySource, UnixMillis};
use crate::hub::{Snapshot, Spend, Wishes};

/// The sums as of the last commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifetime {
    projects: projects::Projects,
    models: Arc<BTreeSet<Arc<str>>>,
    sizes: sizes::Sizes,
    spend: Arc<Spend>,
    sessions: Option<recent::Sessions>,
    /// Responses without a final stop reason.
    unfinished: i64,
    now: UnixMillis,
    /// What is shown to whom; `None` until the first catch-up is done, and nothing is shown.
    shown: Option<Wishes>,
}

/// What one transaction changes.
#[derive(Default)]
pub(super) struct Gathered {
    projects: HashMap<i64, Delta>,
    sizes: sizes::Gathered,
    /// By the start of the quarter.
    spend: HashMap<i64, i128>,
    sessions: HashMap<i64, recent::Touched>,
    follows_sessions: bool,
    unfinished: i64,
    now: UnixMillis,
}

impl Gathered {
    /// For a transaction that begins now.
    pub(super) fn begin(lifetime: &Lifetime, now: UnixMillis) -> Self {
        Self { follows_sessions: lifetime.sessions.is_some(), now, ..Self::default() }
    }

    /// Takes in one response, or takes it away with a negative `sign`.
    pub(super) fn change(&mut self, share: &Share, sign: i64) -> Result<(), StoreError> {
        let Share { at, model, project, session, finished, tally, .. } = share;
        apply(self.projects.entry(*project).or_default(), tally, sign)?;
        self.sizes.change(*session, *at, tally.tokens, sign);
        if tally.cost.0 != 0 {
            *self.spend.entry(at.0.div_euclid(QUARTER) * QUARTER).or_default() += i128::from(sign) * tally.cost.0;
        }
        if self.follows_sessions {
            self.sessions.entry(*session).or_default().change(*project, *model, *at, tally, sign)?;
        }
        self.unfinished += if *finished { 0 } else { sign };
        Ok(())
    }

    /// Writes the differences and brings the sums to what they are after them.
    pub(super) fn flush(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        series: &BTreeMap<(Arc<str>, QuerySource), Series>,
        lifetime: &mut Lifetime,
    ) -> Result<(), StoreError> {
        // Who works without a clock goes by the last time that somebody had one.
        lifetime.now = lifetime.now.max(self.now);
        let now = lifetime.now;
        let places = lifetime.shown.map(|wishes| wishes.projects);
        lifetime.projects.change(db, words, std::mem::take(&mut self.projects), places)?;
        lifetime.sizes.change(db, words, &std::mem::take(&mut self.sizes), lifetime.shown.is_some())?;
        if lifetime.shown.is_some() {
            lifetime.models = models::admit(db, words, series, &lifetime.models)?;
        }
        for (start, amount) in self.spend.drain() {
            Arc::make_mut(&mut lifetime.spend).add(UnixMillis(start), PicoUsd(amount), now);
        }
        let touched = std::mem::take(&mut self.sessions);
        if let Some(sessions) = &mut lifetime.sessions {
            sessions.change(db, words, touched, now)?;
        }
        let unfinished = std::mem::take(&mut self.unfinished);
        if unfinished != 0 {
            lifetime.unfinished += unfinished;
            set_meta(db, "unfinished", lifetime.unfinished)?;
        }
        Ok(())
    }
}

impl Lifetime {
    /// Reads what is stored.
    pub(super) fn load(db: &Connection, now: UnixMillis) -> Result<Self, StoreError> {
        Ok(Self {
            projects: projects::Projects::load(db)?,
            models: models::load(db)?,
            sizes: sizes::Sizes::load(db)?,
            spend: Arc::new(recent::spend(db, now)?),
            sessions: None,
            unfinished: meta(db, "unfinished")?.unwrap_or(0),
            now,
            shown: None,
        })
    }

    /// Fills in what readers are shown.
    pub(super) fn show(&self, snapshot: &mut Snapshot) {
        snapshot.projects = self.projects.show();
        snapshot.model_places = Arc::clone(&self.models);
        snapshot.request_sizes = self.sizes.show();
        snapshot.spend = Arc::clone(&self.spend);
        snapshot.active_sessions = self.sessions.as_ref().map(recent::Sessions::show).unwrap_or_default();
        snapshot.unfinished = self.unfinished.max(0).unsigned_abs();
    }
}

impl Store {
    /// From now on readers are shown the numbers: whoever has no place yet gets one, the largest first, and everything
    /// that the first catch-up changed is shown. Doing it again with the same wishes changes nothing.
    pub fn settle(&mut self, wishes: Wishes, now: UnixMillis) -> Result<(), StoreError> {
        if self.totals.lifetime.shown == Some(wishes) {
            return Ok(());
        }
        let mut lifetime = self.totals.lifetime.clone();
        lifetime.shown = Some(wishes);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        lifetime.projects.settle(&tx, &mut self.words, wishes.projects)?;
        lifetime.sizes.settle(&tx)?;
        lifetime.models = models::admit(&tx, &mut self.words, &self.totals.series, &lifetime.models)?;
        lifetime.sessions =
            if wishes.sessions { Some(recent::Sessions::load(&tx, &mut self.words, now)?) } else { None };
        tx.commit()?;
        self.totals.lifetime = lifetime;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
