//! The same tokens as if another model had answered, for every model that is offered.

use std::sync::Arc;

use crate::event::PicoUsd;
use crate::pricing::{Day, ModelPrices, PriceTable};
use crate::store::WhatIf;
use crate::web::api::scope::Scope;
use crate::web::error::ApiError;
use crate::web::pages::chart::{Colour, Shares};
use crate::web::pages::data::remembered;
use crate::web::pages::figures::Delta;
use crate::web::pages::format;
use crate::web::pages::visit::Visit;

/// What other models would have cost, the cheapest first.
pub struct WhatIfTable {
    pub rows: Vec<WhatIfRow>,
    /// What it did cost.
    pub before: String,
    /// Tokens that have no price as they are, and have one here.
    pub unpriced: Option<String>,
    pub api: String,
}

/// One other model.
pub struct WhatIfRow {
    pub name: String,
    /// Its cost beside that of the dearest.
    pub bar: Shares,
    pub cost: String,
    /// From what it did cost, with its sign.
    pub difference: String,
    /// The same as a part of it; none where it cost nothing.
    pub change: Option<Delta>,
}

impl WhatIfTable {
    /// None where there is nothing in the range.
    pub async fn of(visit: &Visit, scope: &Scope) -> Result<Option<Self>, ApiError> {
        let today = Day(visit.now.utc_day());
        let others = offered(&visit.state.prices, today);
        let (span, filter) = (scope.span, scope.filter.clone());
        let question = scope.question(&format!("what if {today} {}", visit.state.prices.version()));
        let found = remembered(&visit.state, &question, move |readers| Ok(readers.what_ifs(span, &filter, &others)?));
        let found = found.await?;
        let Some(first) = found.first().filter(|first| first.before.tally.requests > 0) else { return Ok(None) };
        let (tally, format) = (&first.before.tally, &visit.format);
        let mut sorted: Vec<&WhatIf> = found.iter().collect();
        sorted.sort_by(|a, b| a.after.total().cmp(&b.after.total()).then_with(|| a.as_model.cmp(&b.as_model)));
        let dearest = sorted.last().map_or(0, |one| one.after.total().0);
        let row = |one: &&WhatIf| {
            let (before, after) = (tally.cost.0, one.after.total().0);
            WhatIfRow {
                name: format::cut(&one.as_model),
                bar: Shares::one(Colour::Plain, after.unsigned_abs(), dearest.unsigned_abs()),
                cost: format.money(PicoUsd(after)),
                difference: signed(after.saturating_sub(before), visit),
                change: Delta::of(after, before, visit.words()),
            }
        };
        let unpriced = (tally.unpriced_tokens > 0).then(|| format.count(tally.unpriced_tokens).to_string());
        let cheapest = sorted.first().map_or("", |one| &*one.as_model);
        Ok(Some(Self {
            rows: sorted.iter().map(row).collect(),
            before: format.cost(tally).unwrap_or_else(|| visit.words().common.no_price.to_string()),
            unpriced,
            api: visit.api("/api/v1/cost/estimate", &[("as_model", cheapest)]),
        }))
    }
}

/// The models that are offered on a day, in the order of the table.
fn offered(prices: &PriceTable, today: Day) -> Vec<ModelPrices> {
    let mut names: Vec<&Arc<str>> = prices.rows().map(|row| &row.model).collect();
    names.dedup();
    let models = names.into_iter().filter_map(|name| prices.find(name));
    let is_offered = |model: &ModelPrices| {
        let retired = model.rows().last().and_then(|row| row.retired_date).is_some_and(|day| day <= today);
        !retired && model.rows().next().is_some_and(|row| row.effective_date <= today)
    };
    models.filter(is_offered).collect()
}

fn signed(difference: i128, visit: &Visit) -> String {
    let amount = visit.format.money(PicoUsd(difference.saturating_abs()));
    match difference {
        0 => amount,
        1.. => format!("+{amount}"),
        _ => format!("−{amount}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_are_offered_on_the_day_are_compared() {
        let names = |day: &str| -> Vec<String> {
            let day: Day = day.parse().unwrap();
            offered(&PriceTable::builtin(), day).iter().map(|model| model.model().to_string()).collect()
        };
        let (before, after) = (names("2026-02-18"), names("2026-02-19"));
        assert!(before.contains(&"claude-3-5-haiku".to_owned()) && !after.contains(&"claude-3-5-haiku".to_owned()));
        assert!(
            !after.contains(&"claude-fable-5-2".to_owned())
                && names("2026-11-09").contains(&"claude-fable-5-2".to_owned())
        );
    }
}
