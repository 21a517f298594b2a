//! `/cost`: what a range cost, what so many tokens would cost, what other models would have cost, and by which prices.

pub mod estimator;
pub mod parts;
pub mod prices;
pub mod what_if;

use askama::Template;

use super::data;
use super::format::Number;
use super::frame::Frame;
use super::visit::{Answering, Page, Visit};
use crate::event::{PicoUsd, Tally};
use crate::route::Response;
use crate::store::GroupOrder;
use crate::web::error::ApiError;
use estimator::Estimator;
use parts::{CostKinds, CostRow};
use prices::{PriceLine, Unpriced};
use what_if::WhatIfTable;

pub static PAGE: Page = Page {
    path: "/cost",
    nav: Some(|words| words.cost.title),
    parameters: &estimator::PARAMETERS,
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

#[derive(Template)]
#[template(path = "cost.html")]
struct CostPage {
    frame: Frame,
    /// None: nothing in this range.
    total: Option<Total>,
    kinds: CostKinds,
    costs: Vec<CostRow>,
    /// Of all models, where there is more than one.
    costs_sum: Option<CostRow>,
    /// Some responses have no kind of their own for their cost.
    has_unexplained: bool,
    /// Of the whole history.
    unpriced: Vec<Unpriced>,
    estimator: Estimator,
    what_if: Option<WhatIfTable>,
    prices: Vec<PriceLine>,
    version: String,
    /// The rate of another currency and its day.
    rate: Option<String>,
    widen: String,
    api: String,
}

/// The same where costs are switched off.
#[derive(Template)]
#[template(path = "cost_off.html")]
struct CostOff {
    frame: Frame,
}

/// A range in a few figures.
struct Total {
    cost: Option<String>,
    responses: Number,
    tokens: Number,
    unpriced: Number,
    searches: Number,
    /// What a million tokens cost, of those with a price.
    per_million: Option<String>,
}

impl Total {
    fn of(tally: &Tally, visit: &Visit) -> Self {
        let format = &visit.format;
        let priced = i128::from(tally.tokens.total().saturating_sub(tally.unpriced_tokens));
        let per_million = tally.cost.0.saturating_mul(1_000_000).checked_div(priced);
        Self {
            cost: format.cost(tally),
            responses: format.things(tally.requests),
            tokens: format.count(tally.tokens.total()),
            unpriced: format.count(tally.unpriced_tokens),
            searches: format.things(tally.searches),
            per_million: per_million.map(|amount| format.money(PicoUsd(amount))),
        }
    }
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let t = &visit.words().cost;
    let title = t.title.to_string();
    if !visit.costs() {
        return Ok(visit.show(&CostOff { frame: visit.frame(title) }));
    }
    let scope = visit.scope()?;
    let (totals, groups, what_if) = tokio::try_join!(
        data::totals(&visit.state, &scope),
        data::models(&visit.state, &scope, GroupOrder::Cost),
        WhatIfTable::of(&visit, &scope),
    )?;
    let (sums, format, prices) = (&totals.sums, &visit.format, &visit.state.prices);
    let used = groups.iter().filter_map(|group| group.name.as_deref());
    let usual = used.clone().find(|model| prices.find(model).is_some()).unwrap_or_default();
    let all = || CostRow::of(visit.words().models.sum.to_string(), sums, format);
    let page = CostPage {
        frame: visit.frame(title).with_filters(&visit).await,
        total: (sums.tally.requests > 0).then(|| Total::of(&sums.tally, &visit)),
        kinds: CostKinds::of(&sums.costs, visit.words(), format),
        costs: CostRow::all(&groups, format),
        costs_sum: (groups.len() > 1).then(all),
        has_unexplained: sums.costs.unexplained != PicoUsd(0),
        unpriced: Unpriced::all(&visit),
        estimator: Estimator::of(&visit, usual),
        what_if,
        prices: PriceLine::all(prices, visit.words(), &visit),
        version: prices.version().to_owned(),
        rate: format.rate(),
        widen: visit.view.widest(),
        api: visit.api("/api/v1/cost/estimate", &[]),
    };
    Ok(visit.show(&page))
}
