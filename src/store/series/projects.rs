//! Sums by project, and which projects have a place of their own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::super::dictionary::Dictionary;
use super::super::totals::{Delta, tally};
use super::super::{StoreError, count, int};
use crate::event::Tally;
use crate::hub::{MOST_PROJECT_PLACES, ProjectSums};

/// The row of all that have no place.
const REST: i64 = 0;

/// The sums of those with a place, and of all others together.
#[derive(Clone, Debug, Default)]
pub(super) struct Projects {
    placed: Vec<Placed>,
    rest: Sums,
    others: u64,
}

#[derive(Clone, Debug)]
struct Placed {
    id: i64,
    name: Arc<str>,
    sums: Sums,
}

/// The columns of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    /// Since the series began. A correction of something older may take it below zero.
    exact: Delta,
    shown: Delta,
}

impl Sums {
    fn change(&mut self, delta: &Delta, sign: i64) -> Result<(), StoreError> {
        for (sum, part) in self.exact.iter_mut().zip(delta) {
            *sum = sum
                .checked_add(sign * part)
                .ok_or_else(|| StoreError::Range("a lifetime sum of a project overflows".to_owned()))?;
        }
        Ok(())
    }

    fn raise(&mut self) {
        for (shown, exact) in self.shown.iter_mut().zip(self.exact) {
            *shown = (*shown).max(exact);
        }
    }

    fn tally(&self) -> Tally {
        tally(&self.shown).unwrap_or_default()
    }

    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let mut sums = Self::default();
        for (place, sum) in sums.exact.iter_mut().chain(&mut sums.shown).enumerate() {
            *sum = row.get(first + place)?;
        }
        Ok(sums)
    }

    fn save(&self, db: &Connection, project: i64, place: Option<usize>) -> Result<(), StoreError> {
        let place = place.map(|place| int(place as u64)).transpose()?;
        let sums = self.exact.iter().chain(&self.shown).copied().map(Some);
        db.prepare_cached(
            "INSERT OR REPLACE INTO project_series (project, place, requests, input, output, cache_write_5m,
                 cache_write_1h, cache_read, searches, cost, unpriced_tokens, shown_requests, shown_input, shown_output,
                 shown_cache_write_5m, shown_cache_write_1h, shown_cache_read, shown_searches, shown_cost,
                 shown_unpriced_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(params_from_iter([Some(project), place].into_iter().chain(sums)))?;
        Ok(())
    }
}

/// The columns of [`Sums`].
macro_rules! sums {
    () => {
        "requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost, unpriced_tokens, \
         shown_requests, shown_input, shown_output, shown_cache_write_5m, shown_cache_write_1h, shown_cache_read, \
         shown_searches, shown_cost, shown_unpriced_tokens"
    };
}

impl Projects {
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut statement = db.prepare(concat!(
            "SELECT project, text, ",
            sums!(),
            " FROM project_series LEFT JOIN word ON word.id = project WHERE project = 0 OR place IS NOT NULL
             ORDER BY place"
        ))?;
        let mut rows = statement.query([])?;
        let mut projects = Self { others: others(db)?, ..Self::default() };
        while let Some(row) = rows.next()? {
            let sums = Sums::read(row, 2)?;
            match row.get(0)? {
                REST => projects.rest = sums,
                id => {
                    let name = row.get::<_, Option<String>>(1)?.unwrap_or_default().into();
                    projects.placed.push(Placed { id, name, sums });
                }
            }
        }
        Ok(projects)
    }

    pub(super) fn show(&self) -> ProjectSums {
        ProjectSums {
            placed: self.placed.iter().map(|placed| (Arc::clone(&placed.name), placed.sums.tally())).collect(),
            rest: self.rest.tally(),
            others: self.others,
        }
    }

    /// Brings the sums to where a transaction leaves them. `places`: how many somebody shows, if anybody sees numbers.
    pub(super) fn change(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        deltas: HashMap<i64, Delta>,
        places: Option<usize>,
    ) -> Result<(), StoreError> {
        let shows = places.is_some_and(|places| places > 0);
        let mut new = BTreeSet::new();
        let rest_before = self.rest;
        for (id, delta) in deltas {
            if delta == [0; 9] {
                continue;
            }
            if let Some(place) = self.placed.iter().position(|placed| placed.id == id) {
                let sums = &mut self.placed[place].sums;
                sums.change(&delta, 1)?;
                if shows {
                    sums.raise();
                }
                sums.save(db, id, Some(place))?;
                continue;
            }
            let known = row(db, id)?;
            if known.is_none() {
                self.others += 1;
                new.insert(id);
            }
            let mut sums = known.unwrap_or_default();
            sums.change(&delta, 1)?;
            sums.save(db, id, None)?;
            self.rest.change(&delta, 1)?;
        }
        if let Some(places) = places.filter(|_| !new.is_empty()) {
            self.admit(db, words, places, &new)?;
        }
        if shows {
            self.rest.raise();
        }
        if self.rest != rest_before {
            self.rest.save(db, REST, None)?;
        }
        Ok(())
    }

    /// Gives places out, and takes them back where fewer are wanted; then shows what there is.
    pub(super) fn settle(&mut self, db: &Connection, words: &mut Dictionary, places: usize) -> Result<(), StoreError> {
        if places == 0 {
            return Ok(());
        }
        let places = places.min(MOST_PROJECT_PLACES);
        while self.placed.len() > places
            && let Some(Placed { id, sums, .. }) = self.placed.pop()
        {
            // What it showed goes away with its series. Added to the rest it would look like new usage.
            sums.save(db, id, None)?;
            self.others += 1;
        }
        self.admit(db, words, places, &BTreeSet::new())?;
        for (place, Placed { id, sums, .. }) in self.placed.iter_mut().enumerate() {
            let before = *sums;
            sums.raise();
            if *sums != before {
                sums.save(db, *id, Some(place))?;
            }
        }
        self.rest.raise();
        self.rest.save(db, REST, None)
    }

    /// Gives free places to those with the most tokens. Whoever was shown among the rest begins at nothing: what it had
    /// stays there.
    fn admit(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        places: usize,
        new: &BTreeSet<i64>,
    ) -> Result<(), StoreError> {
        let free = places.min(MOST_PROJECT_PLACES).saturating_sub(self.placed.len());
        if free == 0 {
            return Ok(());
        }
        let rest_was_shown = self.rest.shown != Delta::default();
        let mut statement = db.prepare_cached(concat!(
            "SELECT project, ",
            sums!(),
            " FROM project_series WHERE project != 0 AND place IS NULL
             ORDER BY input + output + cache_write_5m + cache_write_1h + cache_read DESC, project LIMIT ?1"
        ))?;
        let candidates = statement.query_map([int(free as u64)?], |row| Ok((row.get(0)?, Sums::read(row, 1)?)))?;
        let candidates: Vec<(i64, Sums)> = candidates.collect::<Result<_, _>>()?;
        for (id, mut sums) in candidates {
            if rest_was_shown && !new.contains(&id) {
                sums = Sums::default();
            } else {
                self.rest.change(&sums.exact, -1)?;
                sums.raise();
            }
            sums.save(db, id, Some(self.placed.len()))?;
            self.placed.push(Placed { id, name: words.word(db, id)?, sums });
            self.others = self.others.saturating_sub(1);
        }
        Ok(())
    }
}

fn row(db: &Connection, id: i64) -> Result<Option<Sums>, StoreError> {
    let mut statement = db.prepare_cached(concat!("SELECT ", sums!(), " FROM project_series WHERE project = ?1"))?;
    Ok(statement.query_row([id], |row| Sums::read(row, 0)).optional()?)
}

fn others(db: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM project_series WHERE project != 0 AND place IS NULL";
    count(db.query_row(sql, [], |row| row.get(0))?)
}
