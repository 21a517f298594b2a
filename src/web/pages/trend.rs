//! The trend of a range as a chart: by kind of token, by model, or what it costs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chart::{Colour, Column, Columns, ColumnsWords, Frame, ModelColours, Series, Value};
use super::data;
use super::figures::{self, KindOf};
use super::format;
use super::frame::Choice;
use super::language::Text;
use super::slots::{Slot, Slots, Step, slots};
use super::view::By;
use super::visit::Visit;
use crate::event::{PicoUsd, Tally, UnixMillis};
use crate::web::api::scope::Scope;
use crate::web::error::ApiError;

/// A cent, the smallest amount that an axis of money tells apart.
const CENT: u128 = 10_000_000_000;

/// The chart with everything around it.
pub struct TrendPanel {
    pub title: String,
    /// What it can tell apart.
    pub choices: Vec<Choice>,
    /// None: there is nothing to draw.
    pub chart: Option<Columns>,
    /// What to say instead.
    pub empty: String,
    /// Where more is to be seen then.
    pub widen: String,
    /// Where the API says the same.
    pub api: String,
}

impl TrendPanel {
    pub async fn read(visit: &Visit, scope: &Scope) -> Result<Self, ApiError> {
        let (slots, models) = tokio::try_join!(slots(&visit.state, scope), data::all_models(&visit.state))?;
        Ok(Self::of(visit, &slots, &models))
    }

    /// `models`: all that the history has, in the order in which it first saw them.
    fn of(visit: &Visit, slots: &Slots, models: &[Arc<str>]) -> Self {
        let by = Some(visit.view.by).filter(|by| *by != By::Cost || visit.costs()).unwrap_or_default();
        let has_anything = slots.all.iter().any(|slot| slot.tally.tokens.total() > 0 || estimate(slot, by).is_some());
        Self {
            title: title(visit, by, slots.step).to_string(),
            choices: choices(visit, by),
            chart: has_anything.then(|| chart(visit, slots, by, models)),
            empty: visit.nothing_here(),
            widen: visit.view.widest(),
            api: api(visit, by, slots),
        }
    }
}

fn title(visit: &Visit, by: By, step: Step) -> Text {
    let t = &visit.words().trend;
    match (by == By::Cost, step) {
        (false, Step::Hour) => t.tokens_by_hour,
        (false, Step::Day) => t.tokens_by_day,
        (false, Step::Week) => t.tokens_by_week,
        (false, Step::Month) => t.tokens_by_month,
        (true, Step::Hour) => t.cost_by_hour,
        (true, Step::Day) => t.cost_by_day,
        (true, Step::Week) => t.cost_by_week,
        (true, Step::Month) => t.cost_by_month,
    }
}

fn api(visit: &Visit, by: By, slots: &Slots) -> String {
    let period = match slots.step {
        Step::Hour => "hourly",
        Step::Day => "daily",
        Step::Week => "weekly",
        Step::Month => "monthly",
    };
    let group_by = if by == By::Kind { "kind" } else { "model" };
    let first = slots.all.first().map_or(visit.today(), |slot| slot.date).to_string();
    visit.api_since(&first, "/api/v1/stats/trends", &[("period", period), ("group_by", group_by)])
}

fn choices(visit: &Visit, current: By) -> Vec<Choice> {
    let t = &visit.words().trend;
    let names = [t.by_kind, t.by_model, t.by_cost];
    let offered = By::ALL.into_iter().zip(names).filter(|(by, _)| *by != By::Cost || visit.costs());
    let choice = |(by, name): (By, Text)| Choice {
        name: name.to_string(),
        url: visit.view.with_by(by).url(),
        current: by == current,
    };
    offered.map(choice).collect()
}

/// A part of every column: its name, its colour, and what a slot has of it.
struct Part {
    series: Series,
    of: Box<dyn Fn(&Slot) -> u128>,
}

fn chart(visit: &Visit, slots: &Slots, by: By, models: &[Arc<str>]) -> Columns {
    let (t, common, format) = (&visit.words().trend, &visit.words().common, &visit.format);
    let (step, slots) = (slots.step, &slots.all);
    let parts = match by {
        By::Kind => kinds(visit),
        By::Model => of_models(slots, models, common.other.to_string(), |tally| tally.tokens.total().into()),
        By::Cost => of_models(slots, models, common.other.to_string(), cost),
    };
    let columns: Vec<Column> = slots.iter().map(|slot| column(slot, step, by, &parts, visit)).collect();
    let (columns_name, count) = match step {
        Step::Hour => (t.hour, t.hours),
        Step::Day => (common.day, t.days),
        Step::Week => (t.week, t.weeks),
        Step::Month => (t.month, t.months),
    };
    let label = match by {
        By::Kind => t.stacked_by_kind,
        By::Model | By::Cost => t.stacked_by_model,
    };
    let label = label.with("what", title(visit, by, step)).with("range", count.count(slots.len() as u64, format));
    let words = ColumnsWords {
        frame: Frame {
            id: "trend-chart".to_owned(),
            label: label.into(),
            caption: caption(visit, by, slots, &columns),
            table: common.table.to_string(),
        },
        columns: columns_name.to_string(),
        total: Some(common.total.to_string()),
        more: if visit.costs() && by != By::Cost { vec![common.cost.to_string()] } else { Vec::new() },
        estimate: t.estimated.to_string(),
        partial: t.partly.to_string(),
    };
    let series: Vec<Series> = parts.into_iter().map(|part| part.series).collect();
    let rhythm = match step {
        Step::Hour => 6,
        Step::Day => 7,
        Step::Week => 4,
        Step::Month => 3,
    };
    match by {
        By::Cost => Columns::of(&series, &columns, rhythm, CENT, &|amount| format.money(pico(amount)), words),
        _ => Columns::of(&series, &columns, rhythm, 1, &|amount| format.round(number(amount)), words),
    }
}

/// What the columns are, and what has to be known of some of them.
fn caption(visit: &Visit, by: By, slots: &[Slot], columns: &[Column]) -> String {
    let t = &visit.words().trend;
    let zone = visit.format.zone_name();
    let mut caption = match by {
        By::Cost => t.caption_cost.with("zone", zone).to_string(),
        _ => t.caption.with("zone", zone).to_string(),
    };
    for (applies, text) in [
        (slots.last().is_some_and(|slot| is_going_on(slot, visit.now)), t.still_going),
        (columns.iter().any(|column| column.estimate.is_some()), t.caption_estimated),
        (columns.iter().any(|column| column.partial), t.caption_partial),
    ] {
        if applies {
            caption.push_str(visit.taste.language.between_sentences());
            caption.push_str(text.as_str());
        }
    }
    caption
}

/// The most voluminous kind stands on the axis.
fn kinds(visit: &Visit) -> Vec<Part> {
    let part = |(name, colour, of): KindOf| Part {
        series: Series { name: name.to_string(), colour },
        of: Box::new(move |slot| of(&slot.tally.tokens).into()),
    };
    figures::kinds(visit.words()).map(part).into()
}

/// The models of these slots that have a colour of their own, in the order of the history, and the others as one.
fn of_models(slots: &[Slot], models: &[Arc<str>], other: String, of: fn(&Tally) -> u128) -> Vec<Part> {
    let colours = ModelColours::of(models.iter().map(|model| &**model));
    let used: BTreeSet<&Arc<str>> = slots.iter().flat_map(|slot| slot.by_model.keys()).collect();
    let told_apart = |model: &Arc<str>| colours.colour(model) != Colour::Other;
    let named: Vec<Arc<str>> =
        models.iter().filter(|model| used.contains(model) && told_apart(model)).cloned().collect();
    let mut parts: Vec<Part> = named
        .iter()
        .map(|model| {
            let name = Arc::clone(model);
            Part {
                series: Series { name: format::cut(model), colour: colours.colour(model) },
                of: Box::new(move |slot| slot.by_model.get(&name).map_or(0, of)),
            }
        })
        .collect();
    if used.iter().any(|model| !named.contains(model)) {
        let rest = move |slot: &Slot| {
            let others = slot.by_model.iter().filter(|(model, _)| !named.contains(model));
            others.map(|(_, tally)| of(tally)).sum()
        };
        parts.push(Part { series: Series { name: other, colour: Colour::Other }, of: Box::new(rest) });
    }
    parts
}

fn cost(tally: &Tally) -> u128 {
    u128::try_from(tally.cost.0).unwrap_or(0)
}

fn number(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

fn pico(amount: u128) -> PicoUsd {
    PicoUsd(i128::try_from(amount).unwrap_or(i128::MAX))
}

fn is_going_on(slot: &Slot, now: UnixMillis) -> bool {
    slot.from <= now && now < slot.to
}

/// Nobody has estimated costs.
fn estimate(slot: &Slot, by: By) -> Option<u64> {
    slot.estimate.filter(|_| by != By::Cost)
}

fn column(slot: &Slot, step: Step, by: By, parts: &[Part], visit: &Visit) -> Column {
    let (t, common, format) = (&visit.words().trend, &visit.words().common, &visit.format);
    let estimate = estimate(slot, by);
    let price = || format.cost(&slot.tally).unwrap_or_else(|| common.no_price.to_string());
    let value = |part: &Part| {
        let amount = (part.of)(slot);
        let text = match by {
            By::Cost => format.money(pico(amount)),
            _ => format.grouped(number(amount)),
        };
        Value { amount, text }
    };
    let note = match estimate {
        Some(_) => Some(t.estimated),
        None if is_going_on(slot, visit.now) => Some(t.so_far),
        None => slot.partial.then_some(t.partly),
    };
    let (name, label, landmark) = match step {
        Step::Hour => {
            let time = format.time(slot.from);
            (format!("{} {time}", format.day(slot.date)), time.clone(), time == "00:00")
        }
        Step::Day => (format.day(slot.date), format.short_day(slot.date), slot.date.day() == 1),
        Step::Week => {
            let name = t.week_of.with("day", format.day(slot.date));
            (name.into(), format.short_day(slot.date), slot.date.day() <= 7)
        }
        Step::Month => (format.month(slot.date), format.month(slot.date), slot.date.month() == 1),
    };
    Column {
        name,
        label,
        landmark,
        values: parts.iter().map(value).collect(),
        total: match (by, estimate) {
            (By::Cost, _) => price(),
            (_, Some(estimate)) => t.about.with("n", format.grouped(estimate)).into(),
            (_, None) => format.grouped(slot.tally.tokens.total()),
        },
        more: if visit.costs() && by != By::Cost { vec![price()] } else { Vec::new() },
        estimate: estimate.map(u128::from),
        partial: slot.partial,
        note: note.map(|note| note.to_string()),
    }
}
