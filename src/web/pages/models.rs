//! `/models`: what each model used in a range, and what that cost by kind of token.

use std::sync::Arc;

use askama::Template;

use super::chart::ModelColours;
use super::cost::parts::CostRow;
use super::data;
use super::figures::{Row, Share};
use super::format;
use super::frame::{Choice, Frame};
use super::visit::{Answering, Page, Visit};
use crate::event::{PicoUsd, Tally};
use crate::route::Response;
use crate::store::{Group, GroupOrder};
use crate::web::error::ApiError;
use crate::web::query::{Kind, Parameter};

static SORT: Parameter =
    Parameter { name: "sort", about: "", kind: Kind::Choice(&["tokens", "cost", "requests"]), example: "cost" };

pub static PAGE: Page = Page {
    path: "/models",
    nav: Some(|words| words.models.title),
    parameters: &[&SORT],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    frame: Frame,
    sorts: Vec<Choice>,
    models: Vec<ModelRow>,
    /// Of all of them; none where there is one model at most.
    sum: Option<Row>,
    costs: Vec<CostRow>,
    costs_sum: Option<CostRow>,
    /// Some responses have no kind of their own for their cost.
    has_unexplained: bool,
    api: String,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let scope = visit.scope()?;
    let sort = visit.asked.word(&SORT);
    let (totals, groups, all) = tokio::try_join!(
        data::totals(&visit.state, &scope),
        data::models(&visit.state, &scope, order(sort)),
        data::all_models(&visit.state),
    )?;
    let sum = &totals.sums.tally;
    let page = ModelsPage {
        frame: visit.frame(visit.words().models.title.to_string()).with_filters(&visit).await,
        sorts: sorts(&visit, sort),
        models: ModelRow::all(&groups, sum, &all, &visit),
        sum: (groups.len() > 1).then(|| Row::of(sum, &visit.format)),
        costs: CostRow::all(&groups, &visit.format),
        costs_sum: (groups.len() > 1)
            .then(|| CostRow::of(visit.words().models.sum.to_string(), &totals.sums, &visit.format)),
        has_unexplained: totals.sums.costs.unexplained != PicoUsd(0),
        api: visit.api("/api/v1/stats/trends", &[("period", "monthly"), ("group_by", "model")]),
    };
    Ok(visit.show(&page))
}

/// The order that a word stands for.
pub fn order(word: &str) -> GroupOrder {
    match word {
        "cost" => GroupOrder::Cost,
        "requests" => GroupOrder::Requests,
        _ => GroupOrder::Tokens,
    }
}

/// The orders to choose from.
pub fn sorts(visit: &Visit, current: &str) -> Vec<Choice> {
    let t = &visit.words().common;
    let mut sorts = vec![("tokens", t.tokens), ("requests", t.responses)];
    if visit.costs() {
        sorts.insert(1, ("cost", t.cost));
    }
    Choice::of_own(visit, SORT.name, current, &sorts)
}

/// One model.
pub struct ModelRow {
    pub name: String,
    pub url: String,
    pub row: Row,
    /// Its tokens among all, in its colour.
    pub share: Share,
}

impl ModelRow {
    /// Rows for groups whose sum is `whole`; `known` are the models that the history has, in their order.
    pub fn all(groups: &[Group], whole: &Tally, known: &[Arc<str>], visit: &Visit) -> Vec<Self> {
        let colours = ModelColours::of(known.iter().map(|model| &**model));
        let row = |group: &Group| {
            let name = group.name.clone().unwrap_or_default();
            let tally = &group.sums.tally;
            Self {
                name: format::cut(&name),
                share: Share::coloured(colours.colour(&name), tally.tokens.total(), whole.tokens.total()),
                url: visit.view.with_models(vec![name]).at("/"),
                row: Row::of(tally, &visit.format),
            }
        };
        groups.iter().map(row).collect()
    }
}
