//! What a cost is made of: by kind of token, and by model.

use crate::event::PicoUsd;
use crate::store::{Costs, Group, Sums};
use crate::web::pages::chart::{Colour, Shares, share};
use crate::web::pages::format::{self, Format, percent};
use crate::web::pages::language::{Text, Words};

/// A cost by what is paid for, as a row of a table.
pub struct CostRow {
    pub name: String,
    pub output: String,
    pub input: String,
    pub cache_write_5m: String,
    pub cache_write_1h: String,
    pub cache_read: String,
    pub search: String,
    pub unexplained: String,
    /// None where no token has a price.
    pub total: Option<String>,
}

impl CostRow {
    /// One row a model.
    pub fn all(groups: &[Group], format: &Format) -> Vec<Self> {
        let row = |group: &Group| Self::of(format::cut(group.name.as_deref().unwrap_or_default()), &group.sums, format);
        groups.iter().map(row).collect()
    }

    pub fn of(name: String, sums: &Sums, format: &Format) -> Self {
        let Costs { input, output, cache_write_5m, cache_write_1h, cache_read, web_search, unexplained } = sums.costs;
        Self {
            name,
            output: format.money(output),
            input: format.money(input),
            cache_write_5m: format.money(cache_write_5m),
            cache_write_1h: format.money(cache_write_1h),
            cache_read: format.money(cache_read),
            search: format.money(web_search),
            unexplained: format.money(unexplained),
            total: format.cost(&sums.tally),
        }
    }
}

/// A cost by kind, as one bar and a list.
pub struct CostKinds {
    pub bar: Shares,
    pub all: Vec<CostKind>,
}

/// One thing that is paid for.
pub struct CostKind {
    pub class: &'static str,
    pub name: Text,
    pub explanation: String,
    pub cost: String,
    /// Of the whole cost.
    pub share: String,
}

impl CostKinds {
    pub fn of(costs: &Costs, words: &Words, format: &Format) -> Self {
        let (common, kinds, t) = (&words.common, &words.overview, &words.cost);
        let writes = PicoUsd(costs.cache_write_5m.0.saturating_add(costs.cache_write_1h.0));
        let split = t
            .writes_split
            .with("five", format.money(costs.cache_write_5m))
            .with("hour", format.money(costs.cache_write_1h));
        let all = [
            (Colour::CacheRead, common.cache_reads, kinds.kind_cache_reads.to_string(), costs.cache_read),
            (Colour::CacheWrite, common.cache_writes, split.into(), writes),
            (Colour::Input, common.input, kinds.kind_input.to_string(), costs.input),
            (Colour::Output, common.output, kinds.kind_output.to_string(), costs.output),
            (Colour::Other, words.models.search, t.search_text.to_string(), costs.web_search),
            (Colour::Other, words.models.unexplained, t.unexplained_text.to_string(), costs.unexplained),
        ];
        let whole = positive(costs.total());
        let shown: Vec<_> = all.into_iter().filter(|kind| kind.0 != Colour::Other || kind.3.0 > 0).collect();
        let bar: Vec<(Colour, u128)> = shown.iter().map(|kind| (kind.0, positive(kind.3))).collect();
        let kind = |(colour, name, explanation, cost): (Colour, Text, String, PicoUsd)| CostKind {
            class: colour.class(),
            name,
            explanation,
            cost: format.money(cost),
            share: percent(share(positive(cost), whole)),
        };
        Self { bar: Shares::many(&bar), all: shown.into_iter().map(kind).collect() }
    }
}

fn positive(cost: PicoUsd) -> u128 {
    u128::try_from(cost.0).unwrap_or(0)
}
