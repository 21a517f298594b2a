//! Responses by size. Each class keeps its exact number, from which a correction takes away what it moves; shown are the
//! highest numbers up to each class, so that no bucket of a histogram ever falls.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::super::dictionary::Dictionary;
use super::super::{StoreError, int};
use crate::event::{TokenCounts, UnixMillis};
use crate::hub::{Direction, RequestSizes, SIZE_BOUNDS, SIZES, SizeExemplar, size_class};

/// One class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Class {
    responses: i64,
    tokens: i64,
    /// Of this class and all smaller ones.
    shown_responses: i64,
    shown_tokens: i64,
}

/// The sums of both directions.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    classes: [[Class; SIZES]; 2],
    exemplars: [[Option<SizeExemplar>; SIZES]; 2],
}

/// What one transaction changes.
#[derive(Default)]
pub(super) struct Gathered {
    /// Responses and tokens.
    changes: [[(i64, i64); SIZES]; 2],
    /// Session, size and instant of the newest response.
    newest: [[Option<(i64, u64, UnixMillis)>; SIZES]; 2],
}

impl Gathered {
    pub(super) fn change(&mut self, session: i64, at: UnixMillis, tokens: TokenCounts, sign: i64) {
        for (direction, size) in [tokens.prompt(), tokens.output].into_iter().enumerate() {
            let class = size_class(size);
            let (responses, sum) = &mut self.changes[direction][class];
            *responses += sign;
            *sum = sum.saturating_add(sign.saturating_mul(i64::try_from(size).unwrap_or(i64::MAX)));
            let newest = &mut self.newest[direction][class];
            if sign > 0 && newest.is_none_or(|(_, _, known)| at >= known) {
                *newest = Some((session, size, at));
            }
        }
    }
}

/// The upper bound of a class as the table has it.
fn up_to(class: usize) -> i64 {
    SIZE_BOUNDS.get(class).and_then(|bound| i64::try_from(*bound).ok()).unwrap_or(i64::MAX)
}

impl Sizes {
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut sizes = Self::default();
        let mut statement = db.prepare(
            "SELECT direction, up_to, responses, tokens, shown_responses, shown_tokens FROM request_size
             WHERE direction BETWEEN 0 AND 1",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (direction, bound) = (usize::from(row.get::<_, bool>(0)?), row.get::<_, i64>(1)?);
            if let Some(class) = (0..SIZES).find(|class| up_to(*class) == bound) {
                sizes.classes[direction][class] = Class {
                    responses: row.get(2)?,
                    tokens: row.get(3)?,
                    shown_responses: row.get(4)?,
                    shown_tokens: row.get(5)?,
                };
            }
        }
        Ok(sizes)
    }

    pub(super) fn change(
        &mut self,
        db: &Connection,
        words: &mut Dictionary,
        gathered: &Gathered,
        shown: bool,
    ) -> Result<(), StoreError> {
        let before = self.classes;
        for (classes, changes) in self.classes.iter_mut().zip(&gathered.changes) {
            for (class, (responses, tokens)) in classes.iter_mut().zip(changes) {
                class.responses += responses;
                class.tokens = class.tokens.saturating_add(*tokens);
            }
        }
        if shown {
            self.raise();
            for (exemplars, newest) in self.exemplars.iter_mut().zip(&gathered.newest) {
                for (exemplar, (session, tokens, at)) in
                    exemplars.iter_mut().zip(newest).filter_map(|(exemplar, newest)| Some((exemplar, (*newest)?)))
                {
                    if exemplar.as_ref().is_none_or(|known| at >= known.at) {
                        *exemplar = Some(SizeExemplar { session: words.word(db, session)?, tokens, at });
                    }
                }
            }
        }
        self.save(db, &before)
    }

    /// Shows what the first catch-up has changed.
    pub(super) fn settle(&mut self, db: &Connection) -> Result<(), StoreError> {
        let before = self.classes;
        self.raise();
        self.save(db, &before)
    }

    fn raise(&mut self) {
        for classes in &mut self.classes {
            let (mut responses, mut tokens) = (0_i64, 0_i64);
            for class in classes {
                responses = responses.saturating_add(class.responses);
                tokens = tokens.saturating_add(class.tokens);
                class.shown_responses = class.shown_responses.max(responses);
                class.shown_tokens = class.shown_tokens.max(tokens);
            }
        }
    }

    fn save(&self, db: &Connection, before: &[[Class; SIZES]; 2]) -> Result<(), StoreError> {
        let mut replace = db.prepare_cached(
            "INSERT OR REPLACE INTO request_size (direction, up_to, responses, tokens, shown_responses, shown_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (direction, (classes, before)) in self.classes.iter().zip(before).enumerate() {
            for (number, (class, _)) in
                classes.iter().zip(before).enumerate().filter(|(_, (class, before))| class != before)
            {
                let Class { responses, tokens, shown_responses, shown_tokens } = class;
                let values =
                    params![int(direction as u64)?, up_to(number), responses, tokens, shown_responses, shown_tokens];
                replace.execute(values)?;
            }
        }
        Ok(())
    }

    pub(super) fn show(&self) -> Arc<[RequestSizes; 2]> {
        let count = |value: i64| value.max(0).unsigned_abs();
        Arc::new(Direction::ALL.map(|direction| {
            let (classes, exemplars) = (&self.classes[direction as usize], &self.exemplars[direction as usize]);
            RequestSizes {
                up_to: classes.map(|class| count(class.shown_responses)),
                tokens: count(classes[SIZES - 1].shown_tokens),
                exemplars: exemplars.clone(),
            }
        }))
    }
}
