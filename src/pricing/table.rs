//! The price table: the built-in rows, and users' rows over them. A model is found exactly or not at all; what a
//! similar name costs says nothing.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::card::{Model, ModelPrices};
use super::model_id::normalise;
use super::row::{Day, PriceRow};

/// Prices of all known models. Immutable; share it in an `Arc`.
#[derive(Clone, Debug)]
pub struct PriceTable {
    version: String,
    models: Vec<Arc<Model>>,
    /// Override names that are not plain, as written.
    written: HashMap<String, usize>,
    /// Plain names and aliases.
    plain: HashMap<String, usize>,
}

/// Overrides that contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("a row of prices has an empty `model`; write the id as the transcripts do")]
    NoModel,
    #[error("there are two rows of prices for {model} from {day} on; remove one or change its `effective_date`")]
    Twice { model: String, day: Day },
    #[error("the alias {alias} of {model} already names {other}; remove it from `aliases`")]
    Alias { alias: String, model: String, other: String },
}

/// `prices.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    version: String,
    prices: Vec<PriceRow>,
}

impl PriceTable {
    /// The table that comes with the program.
    pub fn builtin() -> Self {
        let file: DataFile =
            toml::from_str(include_str!("prices.toml")).expect("the file is part of the program, and a test reads it");
        let mut table =
            Self { version: file.version, models: Vec::new(), written: HashMap::new(), plain: HashMap::new() };
        for (name, rows) in by_model(file.prices) {
            table.put_plain(&name, rows).expect("a test builds this table from the same rows");
        }
        table
    }

    /// The table with users' rows over it.
    ///
    /// From its day on, an override replaces the rows of its model: one without a date replaces them all. A plain id
    /// (`claude-opus-4-6`) stands for the model in whatever form transcripts write it. Any other id (a date, a region,
    /// a gateway's path) changes the price of exactly that id, so that a regional profile can have a price of its own,
    /// and takes its earlier rows from the model it means; if nothing else has a price for its plain form, it gives it.
    pub fn with_overrides(mut self, rows: &[PriceRow]) -> Result<Self, PriceError> {
        if rows.is_empty() {
            return Ok(self);
        }
        let hash = xxhash_rust::xxh3::xxh3_64(fingerprint(rows).as_bytes());
        self.version = format!("{}+overrides({:08x})", self.version, hash >> 32);

        let (plain, written): (Vec<_>, Vec<_>) =
            by_model(rows.to_vec()).into_iter().partition(|(name, _)| normalise(name).plain == **name);
        for (name, rows) in plain {
            self.put_plain(&name, rows)?;
        }
        let mut claims: HashMap<String, Vec<usize>> = HashMap::new();
        for (name, rows) in written {
            let id = normalise(&name);
            let base = self.plain.get(&id.plain).copied();
            let names: Vec<String> = rows.iter().flat_map(|row| row.aliases.clone()).collect();
            let place = self.put(&name, base, rows)?;
            self.written.extend(names.into_iter().chain([name.to_string()]).map(|name| (name, place)));
            if base.is_none() && !id.fast {
                claims.entry(id.plain).or_default().push(place);
            }
        }
        for (plain, places) in claims {
            // Two gateways' prices for one model say nothing about a third's.
            if let [place] = places[..] {
                self.plain.insert(plain, place);
            }
        }
        Ok(self)
    }

    /// The day on which the built-in rows were last checked, and a hash of the overrides if there are any.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The prices of a model, in any form that its id is known to have. `None`: it has no price, which is not zero.
    pub fn find(&self, model: &str) -> Option<ModelPrices> {
        let (place, fast) = if let Some(place) = self.written.get(model.trim()) {
            (*place, false)
        } else {
            let id = normalise(model);
            (*self.plain.get(&id.plain)?, id.fast)
        };
        Some(ModelPrices::new(Arc::clone(self.models.get(place)?), fast))
    }

    /// Every row: models in the order of the data file and then of the overrides, oldest row first.
    pub fn rows(&self) -> impl Iterator<Item = &PriceRow> {
        self.models.iter().flat_map(|model| model.rows.iter().map(|(_, row)| row))
    }

    /// Adds a model, or rows to the model that the name already stands for.
    fn put_plain(&mut self, name: &Arc<str>, rows: Vec<PriceRow>) -> Result<(), PriceError> {
        let known = self.plain.get(&**name).copied();
        let aliases: Vec<String> = rows.iter().flat_map(|row| row.aliases.clone()).collect();
        let place = match known {
            Some(place) => {
                let model = &self.models[place];
                let model = overlaid(&model.name, Some(model), rows)?;
                self.models[place] = Arc::new(model);
                place
            }
            None => self.put(name, None, rows)?,
        };
        self.plain.insert(name.to_string(), place);
        self.put_aliases(place, aliases)
    }

    /// Adds a model whose earlier rows are those of another.
    fn put(&mut self, name: &Arc<str>, base: Option<usize>, rows: Vec<PriceRow>) -> Result<usize, PriceError> {
        let base = base.and_then(|place| self.models.get(place)).cloned();
        self.models.push(Arc::new(overlaid(name, base.as_deref(), rows)?));
        Ok(self.models.len() - 1)
    }

    fn put_aliases(&mut self, place: usize, aliases: Vec<String>) -> Result<(), PriceError> {
        for alias in aliases {
            let other = *self.plain.entry(normalise(&alias).plain).or_insert(place);
            if other != place {
                let name = |place: usize| self.models[place].name.to_string();
                return Err(PriceError::Alias { alias, model: name(place), other: name(other) });
            }
        }
        Ok(())
    }
}

/// The rows by model, in the order of first mention.
fn by_model(rows: Vec<PriceRow>) -> Vec<(Arc<str>, Vec<PriceRow>)> {
    let mut models: Vec<(Arc<str>, Vec<PriceRow>)> = Vec::new();
    for mut row in rows {
        row.model = row.model.trim().into();
        match models.iter_mut().find(|(name, _)| *name == row.model) {
            Some((_, rows)) => rows.push(row),
            None => models.push((Arc::clone(&row.model), vec![row])),
        }
    }
    models
}

/// The rows of `base` that are older than all of `rows`, and then `rows`.
fn overlaid(name: &Arc<str>, base: Option<&Model>, rows: Vec<PriceRow>) -> Result<Model, PriceError> {
    if name.is_empty() {
        return Err(PriceError::NoModel);
    }
    let first = rows.iter().map(|row| row.effective_date).min();
    let older = base.iter().flat_map(|base| &base.rows).filter(|(_, row)| Some(row.effective_date) < first);
    let all = older.map(|(_, row)| row.clone()).chain(rows).map(|row| PriceRow { model: Arc::clone(name), ..row });
    let model = Model::new(Arc::clone(name), all.collect());
    let twice = model.rows.windows(2).find(|pair| pair[0].1.effective_date == pair[1].1.effective_date);
    match twice {
        Some(pair) => Err(PriceError::Twice { model: name.to_string(), day: pair[0].1.effective_date }),
        None => Ok(model),
    }
}

/// A text that differs whenever a price may differ; the order of the rows, notes and sources are left out.
fn fingerprint(rows: &[PriceRow]) -> String {
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let plain = PriceRow { sources: Vec::new(), note: None, ..row.clone() };
            format!("{plain:?}")
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::pricing::{Card, Confidence};

    /// Rows as a user writes them: `(model, effective date or nothing, input price)`; everything else costs nothing.
    fn overrides(rows: &[(&str, &str, u32)]) -> Vec<PriceRow> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            prices: Vec<PriceRow>,
        }
        let row = |(model, day, input): &(&str, &str, u32)| {
            let day = if day.is_empty() { String::new() } else { format!("effective_date = '{day}'") };
            format!(
                "[[prices]]\nmodel = '{model}'\n{day}\ninput = {input}\n\
                 output = 0\ncache_write_5m = 0\ncache_write_1h = 0\ncache_read = 0\n"
            )
        };
        let text = rows.iter().map(row).collect::<Vec<_>>().concat();
        toml::from_str::<File>(&text).unwrap().prices
    }

    fn with(rows: &[(&str, &str, u32)]) -> Result<PriceTable, PriceError> {
        PriceTable::builtin().with_overrides(&overrides(rows))
    }

    fn card_of(table: &PriceTable, model: &str, day: &str) -> Option<Card> {
        Some(table.find(model)?.card(day.parse::<Day>().unwrap().0, 0, None, None, None))
    }

    /// The input price of a model on a day, in US dollars per million tokens.
    fn input(table: &PriceTable, model: &str, day: &str) -> Option<u64> {
        card_of(table, model, day).map(|card| card.input / 1_000_000)
    }

    #[test]
    fn the_built_in_file_is_whole() {
        let table = PriceTable::builtin();
        assert_eq!(table.version(), "2026-11-23");
        assert_eq!(table.rows().count(), 29);
        assert_eq!(table.rows().map(|row| &row.model).collect::<BTreeSet<_>>().len(), 26);
        for row in table.rows() {
            assert_eq!(normalise(&row.model).plain, *row.model, "rows are named by plain ids");
            assert_ne!(row.effective_date, Day::ALWAYS, "{}", row.model);
            assert_ne!(row.confidence, Confidence::User, "{}", row.model);
            assert!(!row.sources.is_empty(), "{}", row.model);
            assert!(row.batch_multiplier.is_some(), "{}", row.model);
            assert!(row.input < row.cache_write_5m && row.cache_write_5m < row.cache_write_1h, "{}", row.model);
            assert!(row.cache_read < row.input && row.input < row.output, "{}", row.model);
            for alias in row.aliases.iter().map(String::as_str).chain([&*row.model]) {
                assert_eq!(table.find(alias).map(|prices| prices.model().to_string()).as_deref(), Some(&*row.model));
            }
        }
    }

    #[test]
    fn ids_that_nobody_has_heard_of_have_no_price() {
        let table = PriceTable::builtin();
        for id in [
            "claude-opus-5-6",
            "claude-haiku-6",
            "claude-opus-5x",
            "claude-fable-5-20",
            "claude-fable-5-3",
            "claude-opus",
            "claude",
            "claude-mythos-preview",
            "claude-2.1",
            "claude-instant-1.2",
            "opus",
            "sonnet",
            "haiku",
            "fable",
            "opusplan",
            "default",
            "glm-4.6",
            "kimi-k2",
            "deepseek-chat",
            "<synthetic>",
            "unknown",
            "",
            "not-claude-opus-5",
            "claude-opus-5-",
        ] {
            assert!(table.find(id).is_none(), "{id}");
        }
    }

    #[test]
    fn a_version_is_not_its_predecessor() {
        let table = PriceTable::builtin();
        for (id, expected) in [
            ("claude-fable-5-2", 8),
            ("claude-fable-5-1", 10),
            ("claude-opus-5-5", 4),
            ("claude-opus-5", 5),
            ("claude-4-opus-20250514", 15),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1),
            ("claude-sonnet-4-0", 3),
        ] {
            assert_eq!(input(&table, id, "2026-11-23"), Some(expected), "{id}");
        }
    }

    #[test]
    fn an_override_wins_from_its_day_on() {
        let table = with(&[("claude-sonnet-4-6", "2026-03-01", 1)]).unwrap();
        assert_eq!(input(&table, "claude-sonnet-4-6", "2026-02-28"), Some(3));
        assert_eq!(input(&table, "claude-sonnet-4-6", "2026-03-01"), Some(1));
        assert_eq!(input(&table, "claude-sonnet-4-6", "2026-03-13"), Some(1), "the built-in row of that day is gone");
        assert_eq!(input(&table, "anthropic/claude-sonnet-4.6", "2026-11-23"), Some(1), "in any form of the id");
        assert_eq!(input(&table, "claude-sonnet-4-5", "2026-11-23"), Some(3), "no other model");
    }

    #[test]
    fn an_override_without_a_day_replaces_the_model() {
        let table = with(&[("claude-opus-4-6", "", 1)]).unwrap();
        assert_eq!(input(&table, "claude-opus-4-6", "2026-02-06"), Some(1));
        assert_eq!(table.rows().filter(|row| &*row.model == "claude-opus-4-6").count(), 1);
        assert_eq!(card_of(&table, "claude-opus-4-6", "2026-02-06").unwrap().effective_date.as_ref(), "1970-01-01");
    }

    #[test]
    fn an_override_by_alias_is_one_of_the_model() {
        let table = with(&[("claude-opus-4-0", "", 1)]).unwrap();
        assert_eq!(input(&table, "claude-opus-4-20250514", "2025-06-01"), Some(1));
        assert_eq!(card_of(&table, "claude-opus-4-0", "2025-06-01").unwrap().model.as_ref(), "claude-opus-4");
    }

    #[test]
    fn an_override_of_a_decorated_id_is_for_that_id_alone() {
        let regional = "eu.anthropic.claude-opus-5-5";
        let table = with(&[(regional, "2026-10-01", 9)]).unwrap();
        assert_eq!(input(&table, regional, "2026-10-01"), Some(9));
        assert_eq!(input(&table, regional, "2026-09-30"), Some(4), "until then it is what the model costs");
        assert_eq!(input(&table, "us.anthropic.claude-opus-5-5", "2026-10-01"), Some(4));
        assert_eq!(input(&table, "claude-opus-5-5", "2026-10-01"), Some(4));
        assert_eq!(card_of(&table, regional, "2026-10-01").unwrap().model.as_ref(), regional);
    }

    #[test]
    fn models_of_other_makers() {
        let table = with(&[("glm-4.6", "", 2), ("a/kimi-k2", "", 3), ("b/kimi-k2", "", 4)]).unwrap();
        assert_eq!(input(&table, "glm-4.6", "2026-01-01"), Some(2));
        assert_eq!(input(&table, "z-ai/GLM-4.6", "2026-01-01"), Some(2));
        assert_eq!(input(&table, "glm-4.6-air", "2026-01-01"), None);
        assert_eq!(input(&table, "a/kimi-k2", "2026-01-01"), Some(3));
        assert_eq!(input(&table, "b/kimi-k2", "2026-01-01"), Some(4));
        assert_eq!(input(&table, "c/kimi-k2", "2026-01-01"), None, "either price could be wrong");
    }

    #[test]
    fn an_opaque_profile_can_be_named() {
        let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1B2c3";
        assert_eq!(input(&with(&[]).unwrap(), arn, "2026-01-01"), None);
        assert_eq!(input(&with(&[(arn, "", 7)]).unwrap(), arn, "2026-01-01"), Some(7));
        let mut rows = overrides(&[("claude-opus-5", "", 7)]);
        rows[0].aliases = vec![arn.to_owned()];
        let table = PriceTable::builtin().with_overrides(&rows).unwrap();
        assert_eq!(input(&table, arn, "2026-01-01"), Some(7));
    }

    #[test]
    fn a_fast_id_does_not_price_the_standard_one() {
        let table = with(&[("claude-opus-9-fast", "", 20)]).unwrap();
        assert_eq!(input(&table, "claude-opus-9-fast", "2026-01-01"), Some(20));
        assert_eq!(input(&table, "claude-opus-9", "2026-01-01"), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let twice = with(&[("glm-5", "2026-01-01", 1), ("glm-5", "2026-01-01", 2)]).unwrap_err();
        assert_eq!(
            twice.to_string().split(';').next(),
            Some("there are two rows of prices for glm-5 from 2026-01-01 on")
        );
        assert_eq!(with(&[(" ", "", 1)]).unwrap_err(), PriceError::NoModel);
        let mut rows = overrides(&[("glm-5", "", 1)]);
        rows[0].aliases = vec!["claude-opus-5".to_owned()];
        let error = PriceTable::builtin().with_overrides(&rows).unwrap_err();
        assert!(error.to_string().contains("already names claude-opus-5"), "{error}");
    }

    #[test]
    fn the_version_tells_overrides_apart() {
        let plain = PriceTable::builtin().version().to_owned();
        let one = with(&[("glm-5", "", 1)]).unwrap();
        assert!(one.version().starts_with(&format!("{plain}+overrides(")), "{}", one.version());
        assert_eq!(with(&[]).unwrap().version(), plain);
        assert_eq!(with(&[("glm-5", "", 1)]).unwrap().version(), one.version());
        assert_ne!(with(&[("glm-5", "", 2)]).unwrap().version(), one.version());
        let mut noted = overrides(&[("glm-5", "", 1)]);
        noted[0].note = Some("a word".to_owned());
        assert_eq!(PriceTable::builtin().with_overrides(&noted).unwrap().version(), one.version());
    }
}
