//! The price table as a page shows it: each price from its day on, with the places where it was read.

use std::sync::Arc;

use crate::pricing::{Confidence, Day, Price, PriceRow, PriceTable};
use crate::web::pages::format;
use crate::web::pages::language::{Text, Words};
use crate::web::pages::visit::Visit;

/// One row of the table.
pub struct PriceLine {
    pub model: String,
    /// The first UTC day; none: it holds for all time.
    pub from: Option<String>,
    /// The last UTC day; none: it still holds.
    pub until: Option<String>,
    /// The day from which the model is not offered any more.
    pub retired: Option<String>,
    /// Of the user's own.
    pub is_own: bool,
    pub prices: Prices,
    /// The prices of whole requests with longer prompts than this.
    pub long: Option<(String, Prices)>,
    /// Factors for how a request ran.
    pub factors: String,
    pub confidence: Text,
    pub sources: Vec<Source>,
    pub note: Option<String>,
}

/// In US dollars per million tokens.
pub struct Prices {
    pub input: String,
    pub output: String,
    pub cache_write_5m: String,
    pub cache_write_1h: String,
    pub cache_read: String,
}

/// Where a price was read.
pub struct Source {
    pub text: String,
    /// It can be opened.
    pub is_link: bool,
}

/// A model that was used and has no price.
pub struct Unpriced {
    pub name: String,
    pub tokens: format::Number,
    /// What to write into the configuration.
    pub example: String,
}

impl PriceLine {
    pub fn all(table: &PriceTable, words: &Words, visit: &Visit) -> Vec<Self> {
        let rows: Vec<&PriceRow> = table.rows().collect();
        let line = |(place, row): (usize, &&PriceRow)| {
            let next = rows.get(place + 1).filter(|next| next.model == row.model);
            Self::of(row, next.map(|next| Day(next.effective_date.0 - 1)), words, visit)
        };
        rows.iter().enumerate().map(line).collect()
    }

    fn of(row: &PriceRow, until: Option<Day>, words: &Words, visit: &Visit) -> Self {
        let t = &words.cost;
        let [input, output, cache_write_5m, cache_write_1h, cache_read] =
            [row.input, row.output, row.cache_write_5m, row.cache_write_1h, row.cache_read].map(|it| it.to_string());
        let long = row.long_context.as_ref().map(|long| {
            let shown = |price: Price| price.to_string();
            let prices = Prices {
                input: shown(long.input),
                output: shown(long.output),
                cache_write_5m: shown(long.cache_write_5m),
                cache_write_1h: shown(long.cache_write_1h),
                cache_read: shown(long.cache_read),
            };
            (t.above.with("n", visit.format.grouped(long.threshold)).into(), prices)
        });
        let factors =
            [(t.fast, row.fast_multiplier), (t.batch, row.batch_multiplier), (t.us, row.us_inference_multiplier)];
        let factors = factors.into_iter().filter_map(|(name, factor)| Some(format!("{name} ×{}", factor?)));
        Self {
            model: format::cut(&row.model),
            from: (row.effective_date != Day::ALWAYS).then(|| row.effective_date.to_string()),
            until: until.map(|day| day.to_string()),
            retired: row.retired_date.map(|day| day.to_string()),
            is_own: row.confidence == Confidence::User,
            prices: Prices { input, output, cache_write_5m, cache_write_1h, cache_read },
            long,
            factors: factors.collect::<Vec<_>>().join(", "),
            confidence: confidence(row.confidence, words),
            sources: row.sources.iter().map(|source| Source::of(source)).collect(),
            note: row.note.clone(),
        }
    }
}

impl Source {
    pub fn of(source: &str) -> Self {
        Self { text: source.to_owned(), is_link: source.starts_with("https://") }
    }
}

impl Unpriced {
    /// The models of the whole history.
    pub fn all(visit: &Visit) -> Vec<Self> {
        let models = visit.snapshot.models.iter().filter(|(_, tally)| tally.unpriced_tokens > 0);
        let mut models: Vec<_> = models.map(|(model, tally)| (Arc::clone(model), tally.unpriced_tokens)).collect();
        models.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let one = |(model, tokens): (Arc<str>, u64)| Self {
            name: format::cut(&model),
            tokens: visit.format.count(tokens),
            example: example(&model),
        };
        models.into_iter().map(one).collect()
    }
}

/// A row for the configuration. Its prices have to be filled in: whoever copies it unread gets an error, not a number.
fn example(model: &str) -> String {
    let name = toml::Value::String(model.to_owned());
    format!("[[prices]]\nmodel = {name}\ninput =\noutput =\ncache_write_5m =\ncache_write_1h =\ncache_read =\n")
}

pub fn confidence(confidence: Confidence, words: &Words) -> Text {
    let t = &words.cost;
    match confidence {
        Confidence::Official => t.official,
        Confidence::Secondary => t.secondary,
        Confidence::Derived => t.derived,
        Confidence::User => t.own,
    }
}
