//! What a span costs, and what it would have cost with another model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cut::{between, cut};
use super::filter::Resolved;
use super::groups::folded;
use super::{Costs, Filter, Group, Span, Sums, sums};
use crate::event::{PicoUsd, UnixMillis};
use crate::pricing::{Card, ModelPrices, PriceTable};
use crate::store::StoreError;
use crate::store::read::Readers;
use crate::store::rollups::{SIZES, dim};

/// The costs of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimated {
    pub total: Sums,
    /// The dearest first.
    pub models: Vec<Group>,
}

/// The same tokens at another model's prices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// The plain id of the other model.
    pub as_model: Arc<str>,
    /// What it did cost. Tokens without a price are in `tally.unpriced_tokens`, and not in the costs.
    pub before: Sums,
    /// What all tokens, those without a price included, would have cost.
    pub after: Costs,
    /// The same by the model that was used, the dearest first.
    pub models: Vec<(Group, Costs)>,
}

impl Readers {
    /// What a span costs, by model and kind of token.
    pub fn estimate(&self, span: Span, filter: &Filter) -> Result<Estimated, StoreError> {
        self.ask(|db, words| {
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(Estimated::default()) };
            let cells = between(db, words, span.bounds(), &filter, &[dim::MODEL, dim::CARD])?;
            let mut estimated = Estimated::default();
            for (id, sums) in folded(db, words, &cells, dim::MODEL)? {
                estimated.total.add(&sums);
                estimated.models.push(Group { name: Some(words.word(db, id)?), sums });
            }
            estimated.models.sort_by(|a, b| dearer(&a.sums, &b.sums).then_with(|| a.name.cmp(&b.name)));
            Ok(estimated)
        })
    }

    /// What a span would have cost with another model; `None`: that model has no price. [`Readers::what_ifs`] says how.
    pub fn what_if(
        &self,
        span: Span,
        filter: &Filter,
        as_model: &str,
        prices: &PriceTable,
    ) -> Result<Option<WhatIf>, StoreError> {
        let Some(other) = prices.find(as_model) else { return Ok(None) };
        Ok(self.what_ifs(span, filter, &[other])?.pop())
    }

    /// What a span would have cost with each of several other models, in one look.
    ///
    /// The tokens stay what they are, though another model would have used others. Each response has the other model's
    /// price of its own UTC day, and its card for long prompts if the prompt was longer than that model's threshold; a
    /// threshold of users' own that is none of the known sizes counts as the next larger one. A response that ran fast,
    /// in the US or in a batch does so again where the other model has a price for it, and is priced plainly where it
    /// has not. Responses without a price ran plainly, as far as is known.
    pub fn what_ifs(&self, span: Span, filter: &Filter, others: &[ModelPrices]) -> Result<Vec<WhatIf>, StoreError> {
        self.ask(|db, words| {
            let empty = |other: &ModelPrices| WhatIf { as_model: Arc::clone(other.model()), ..WhatIf::default() };
            let mut answers: Vec<WhatIf> = others.iter().map(empty).collect();
            let Some(filter) = Resolved::of(db, filter)? else { return Ok(answers) };
            let [from, to] = span.bounds();
            let rows = others.iter().flat_map(ModelPrices::rows);
            let changes = rows.map(|row| row.effective_date.0.saturating_mul(UnixMillis::DAY));
            let mut bounds: Vec<i64> = changes.filter(|at| from < *at && *at < to).chain([from, to]).collect();
            bounds.sort_unstable();
            bounds.dedup();
            let mut models: BTreeMap<i64, (Sums, Vec<Costs>)> = BTreeMap::new();
            let buckets = cut(db, words, &bounds, &filter, &[dim::MODEL, dim::CARD, dim::SIZE])?;
            for (cells, begin) in buckets.iter().zip(&bounds) {
                let day = UnixMillis(*begin).utc_day();
                for (key, parts) in cells {
                    let before = sums(db, words, key, parts)?;
                    let was = match key[dim::CARD] {
                        0 => None,
                        card => Some(words.card(db, card)?),
                    };
                    let (known, costs) = models.entry(key[dim::MODEL]).or_default();
                    known.add(&before);
                    costs.resize(others.len(), Costs::default());
                    for ((other, answer), costs) in others.iter().zip(&mut answers).zip(costs) {
                        let card = card_like(other, day, key[dim::SIZE], was);
                        let after = Costs::of(&card, before.tally.tokens, before.tally.searches);
                        costs.add(&after);
                        answer.before.add(&before);
                        answer.after.add(&after);
                    }
                }
            }
            for (id, (sums, costs)) in models {
                let group = Group { name: Some(words.word(db, id)?), sums };
                for (answer, costs) in answers.iter_mut().zip(costs) {
                    answer.models.push((group.clone(), costs));
                }
            }
            for answer in &mut answers {
                answer.models.sort_by(|(a, _), (b, _)| dearer(&a.sums, &b.sums).then_with(|| a.name.cmp(&b.name)));
            }
            Ok(answers)
        })
    }
}

/// The card of another model for a response of a day, a size of prompt, and a card that it was priced with.
fn card_like(other: &ModelPrices, day: i64, size: i64, was: Option<&Card>) -> Card {
    let prompt = usize::try_from(size).ok().and_then(|size| SIZES.get(size)).copied().unwrap_or(u64::MAX);
    let word = |on: fn(&Card) -> bool, word: &'static str| was.is_some_and(on).then_some(word);
    let (speed, tier, geo) =
        (word(|card| card.fast, "fast"), word(|card| card.batch, "batch"), word(|card| card.us, "us"));
    other.card(day, prompt, speed, tier, geo)
}

fn dearer(a: &Sums, b: &Sums) -> std::cmp::Ordering {
    let rank = |sums: &Sums| -> (PicoUsd, u64) { (sums.tally.cost, sums.tally.tokens.total()) };
    rank(b).cmp(&rank(a))
}
