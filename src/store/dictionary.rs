//! Names as numbers: words and price cards, each stored once and remembered here.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::event::{PicoUsd, TokenCounts};
use crate::pricing::Card;

/// How many words the writer remembers before the memory starts over: it must not grow with the history.
const REMEMBERED: usize = 20_000;

/// Both directions of the word and card tables. Forgotten as a whole after a rollback, since it may then name rows
/// that were never stored.
pub(super) struct Dictionary {
    limit: usize,
    ids: HashMap<Arc<str>, i64>,
    words: HashMap<i64, Arc<str>>,
    card_ids: HashMap<Card, i64>,
    cards: HashMap<i64, Card>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Dictionary {
    /// One that remembers at most so many words.
    pub(super) fn remembering(limit: usize) -> Self {
        let (ids, words, card_ids, cards) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { limit, ids, words, card_ids, cards }
    }

    pub(super) fn forget(&mut self) {
        *self = Self::remembering(self.limit);
    }

    /// The number of a word, given one if it is new.
    pub(super) fn id(&mut self, db: &Connection, word: &Arc<str>) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.get(word) {
            return Ok(*id);
        }
        let known = db
            .prepare_cached("SELECT id FROM word WHERE text = ?1")?
            .query_row([&**word], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => db.prepare_cached("INSERT INTO word (text) VALUES (?1)")?.insert([&**word])?,
        };
        self.remember(id, Arc::clone(word));
        Ok(id)
    }

    /// The same for a word that may be missing.
    pub(super) fn maybe_id(&mut self, db: &Connection, word: Option<&Arc<str>>) -> Result<Option<i64>, StoreError> {
        word.map(|word| self.id(db, word)).transpose()
    }

    /// The word of a number.
    pub(super) fn word(&mut self, db: &Connection, id: i64) -> Result<Arc<str>, StoreError> {
        if let Some(word) = self.words.get(&id) {
            return Ok(Arc::clone(word));
        }
        let text: String =
            db.prepare_cached("SELECT text FROM word WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
        let word: Arc<str> = text.into();
        self.remember(id, Arc::clone(&word));
        Ok(word)
    }

    pub(super) fn maybe_word(&mut self, db: &Connection, id: Option<i64>) -> Result<Option<Arc<str>>, StoreError> {
        id.map(|id| self.word(db, id)).transpose()
    }

    fn remember(&mut self, id: i64, word: Arc<str>) {
        if self.ids.len() >= self.limit {
            self.ids.clear();
            self.words.clear();
        }
        self.ids.insert(Arc::clone(&word), id);
        self.words.insert(id, word);
    }

    /// The number of a card, given one if it is new.
    pub(super) fn card_id(&mut self, db: &Connection, card: &Card) -> Result<i64, StoreError> {
        if let Some(id) = self.card_ids.get(card) {
            return Ok(*id);
        }
        let prices = [card.input, card.output, card.cache_write_5m, card.cache_write_1h, card.cache_read, card.search];
        let [input, output, write_5m, write_1h, read, search] =
            prices.map(|price| i64::try_from(price).unwrap_or(i64::MAX));
        let values = params![
            &*card.model,
            &*card.effective_date,
            card.long_context,
            card.fast,
            card.us,
            card.batch,
            card.unusual,
            input,
            output,
            write_5m,
            write_1h,
            read,
            search
        ];
        db.prepare_cached(
            "INSERT INTO card (model, effective_date, long_context, fast, us, batch, unusual, input, output,
                 cache_write_5m, cache_write_1h, cache_read, search)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        )?
        .execute(values)?;
        let id = db
            .prepare_cached(
                "SELECT id FROM card WHERE model = ?1 AND effective_date = ?2 AND long_context = ?3 AND fast = ?4
                     AND us = ?5 AND batch = ?6 AND unusual = ?7 AND input = ?8 AND output = ?9
                     AND cache_write_5m = ?10 AND cache_write_1h = ?11 AND cache_read = ?12 AND search = ?13",
            )?
            .query_row(values, |row| row.get(0))?;
        self.card_ids.insert(card.clone(), id);
        self.cards.insert(id, card.clone());
        Ok(id)
    }

    /// What tokens cost by a stored card.
    pub(super) fn cost(
        &mut self,
        db: &Connection,
        card: Option<i64>,
        tokens: TokenCounts,
        searches: u64,
    ) -> Result<Option<PicoUsd>, StoreError> {
        let Some(id) = card else { return Ok(None) };
        Ok(Some(self.card(db, id)?.cost(tokens, searches)))
    }

    /// The card of a number.
    pub(super) fn card(&mut self, db: &Connection, id: i64) -> Result<&Card, StoreError> {
        if !self.cards.contains_key(&id) {
            let card = load_card(db, id)?;
            self.card_ids.insert(card.clone(), id);
            self.cards.insert(id, card);
        }
        self.cards.get(&id).ok_or_else(|| StoreError::Range(format!("there is no card {id}")))
    }
}

fn load_card(db: &Connection, id: i64) -> Result<Card, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT model, effective_date, long_context, fast, us, batch, unusual, input, output, cache_write_5m,
             cache_write_1h, cache_read, search FROM card WHERE id = ?1",
    )?;
    Ok(statement.query_row([id], |row| {
        let price = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(Card {
            model: row.get::<_, String>(0)?.into(),
            effective_date: row.get::<_, String>(1)?.into(),
            long_context: row.get(2)?,
            fast: row.get(3)?,
            us: row.get(4)?,
            batch: row.get(5)?,
            unusual: row.get(6)?,
            input: price(7)?,
            output: price(8)?,
            cache_write_5m: price(9)?,
            cache_write_1h: price(10)?,
            cache_read: price(11)?,
            search: price(12)?,
        })
    })?)
}
