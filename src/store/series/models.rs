//! Which models have a label of their own. Once in, always in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::Connection;

use super::super::dictionary::Dictionary;
use super::super::totals::Series;
use super::super::{StoreError, int};
use crate::event::QuerySource;
use crate::hub::MODEL_PLACES;

pub(super) fn load(db: &Connection) -> Result<Arc<BTreeSet<Arc<str>>>, StoreError> {
    let mut statement = db.prepare("SELECT text FROM model_place JOIN word ON word.id = model")?;
    let models = statement.query_map([], |row| Ok(row.get::<_, String>(0)?.into()))?;
    Ok(Arc::new(models.collect::<Result<_, _>>()?))
}

/// Gives free places to models that have none, those with the most tokens first.
pub(super) fn admit(
    db: &Connection,
    words: &mut Dictionary,
    series: &BTreeMap<(Arc<str>, QuerySource), Series>,
    placed: &Arc<BTreeSet<Arc<str>>>,
) -> Result<Arc<BTreeSet<Arc<str>>>, StoreError> {
    let mut new: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    if placed.len() < MODEL_PLACES {
        for ((model, _), sums) in series.iter().filter(|((model, _), _)| !placed.contains(model)) {
            *new.entry(model).or_default() += sums.exact.tokens.total();
        }
    }
    if new.is_empty() {
        return Ok(Arc::clone(placed));
    }
    let mut new: Vec<_> = new.into_iter().collect();
    new.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mut placed = BTreeSet::clone(placed);
    for (model, _) in new.into_iter().take(MODEL_PLACES - placed.len()) {
        let id = words.id(db, model)?;
        db.prepare_cached("INSERT OR IGNORE INTO model_place (model, place) VALUES (?1, ?2)")?
            .execute([id, int(placed.len() as u64)?])?;
        placed.insert(Arc::clone(model));
    }
    Ok(Arc::new(placed))
}
