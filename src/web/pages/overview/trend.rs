//! The days of the range as a chart: by kind of token, by model, or what they cost.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{PicoUsd, Tally};
use crate::store::DayRow;
use crate::web::pages::chart::{Colour, Column, Columns, ColumnsWords, Frame, ModelColours, Series, Value};
use crate::web::pages::format;
use crate::web::pages::frame::Choice;
use crate::web::pages::range::Range;
use crate::web::pages::view::By;
use crate::web::pages::visit::Visit;

/// A cent, the smallest amount that an axis of money tells apart.
const CENT: u128 = 10_000_000_000;

/// Among days every week has a label.
const WEEK: usize = 7;

/// The chart with everything around it.
pub(super) struct TrendPanel {
    pub(super) title: String,
    /// What it can tell apart.
    pub(super) choices: Vec<Choice>,
    /// None: there is nothing to draw.
    pub(super) chart: Option<Columns>,
    /// What to say instead.
    pub(super) empty: String,
    /// Where more is to be seen then.
    pub(super) widen: String,
}

impl TrendPanel {
    /// `models`: all that the history has, in the order in which it first saw them.
    pub(super) fn of(visit: &Visit, days: &[DayRow], models: &[Arc<str>]) -> Self {
        let (t, common) = (&visit.words().overview, &visit.words().common);
        let by = Some(visit.view.by).filter(|by| *by != By::Cost || visit.costs()).unwrap_or_default();
        let newest = visit.snapshot.last_event_at.map(|at| visit.format.instant(at));
        let has_anything = days.iter().any(|day| day.tally.tokens.total() > 0 || estimate(day, by).is_some());
        Self {
            title: if by == By::Cost { t.trend_cost } else { t.trend }.to_string(),
            choices: choices(visit, by),
            chart: has_anything.then(|| chart(visit, days, by, models)),
            empty: match newest {
                Some(newest) => common.nothing_newest.with("newest", newest).into(),
                None => common.nothing_here.to_string(),
            },
            widen: visit.view.without_filters().with_range(Range::All).url(),
        }
    }
}

fn choices(visit: &Visit, current: By) -> Vec<Choice> {
    let t = &visit.words().overview;
    let names = [t.by_kind, t.by_model, t.by_cost];
    let offered = By::ALL.into_iter().zip(names).filter(|(by, _)| *by != By::Cost || visit.costs());
    let choice = |(by, name): (By, super::super::language::Text)| Choice {
        name: name.to_string(),
        url: visit.view.with_by(by).url(),
        current: by == current,
    };
    offered.map(choice).collect()
}

/// A part of every column: its name, its colour, and what a day has of it.
struct Part {
    series: Series,
    of: Box<dyn Fn(&DayRow) -> u128>,
}

fn chart(visit: &Visit, days: &[DayRow], by: By, models: &[Arc<str>]) -> Columns {
    let (t, common, format) = (&visit.words().overview, &visit.words().common, &visit.format);
    let parts = match by {
        By::Kind => kinds(visit),
        By::Model => of_models(days, models, common.other.to_string(), |tally| tally.tokens.total().into()),
        By::Cost => of_models(days, models, common.other.to_string(), cost),
    };
    let columns: Vec<Column> = days.iter().map(|day| column(day, by, &parts, visit)).collect();
    let zone = format.zone_name();
    let mut caption = match by {
        By::Cost => t.caption_cost.with("zone", zone).to_string(),
        _ => t.caption.with("zone", zone).to_string(),
    };
    for (applies, text) in [
        (days.last().is_some_and(|day| day.date == visit.today()), t.still_going),
        (columns.iter().any(|column| column.estimate.is_some()), t.caption_estimated),
        (columns.iter().any(|column| column.partial), t.caption_partial),
    ] {
        if applies {
            caption.push(' ');
            caption.push_str(text.as_str());
        }
    }
    let label = match by {
        By::Kind => t.trend_title,
        By::Model => t.trend_by_model,
        By::Cost => t.trend_by_cost,
    };
    let words = ColumnsWords {
        frame: Frame {
            id: "days".to_owned(),
            label: label.with("n", days.len()).into(),
            caption,
            table: t.table.to_string(),
        },
        columns: common.day.to_string(),
        total: Some(common.total.to_string()),
        more: if visit.costs() && by != By::Cost { vec![common.cost.to_string()] } else { Vec::new() },
        estimate: t.estimated.to_string(),
        partial: t.partly.to_string(),
    };
    let series: Vec<Series> = parts.into_iter().map(|part| part.series).collect();
    let money = |amount: u128| format.money(PicoUsd(i128::try_from(amount).unwrap_or(i128::MAX)));
    match by {
        By::Cost => Columns::of(&series, &columns, WEEK, CENT, &money, words),
        _ => Columns::of(&series, &columns, WEEK, 1, &|amount| format.round(number(amount)), words),
    }
}

/// The most voluminous kind stands on the axis.
fn kinds(visit: &Visit) -> Vec<Part> {
    let common = &visit.words().common;
    let part = |name: super::super::language::Text, colour, of: fn(&Tally) -> u64| Part {
        series: Series { name: name.to_string(), colour },
        of: Box::new(move |day| of(&day.tally).into()),
    };
    vec![
        part(common.cache_reads, Colour::CacheRead, |tally| tally.tokens.cache_read),
        part(common.cache_writes, Colour::CacheWrite, |tally| tally.tokens.cache_write()),
        part(common.input, Colour::Input, |tally| tally.tokens.input),
        part(common.output, Colour::Output, |tally| tally.tokens.output),
    ]
}

/// The models of these days that have a colour of their own, in the order of the history, and the others as one.
fn of_models(days: &[DayRow], models: &[Arc<str>], other: String, of: fn(&Tally) -> u128) -> Vec<Part> {
    let colours = ModelColours::of(models.iter().map(|model| &**model));
    let used: BTreeSet<&Arc<str>> = days.iter().flat_map(|day| day.by_model.keys()).collect();
    let told_apart = |model: &Arc<str>| colours.colour(model) != Colour::Other;
    let named: Vec<Arc<str>> =
        models.iter().filter(|model| used.contains(model) && told_apart(model)).cloned().collect();
    let mut parts: Vec<Part> = named
        .iter()
        .map(|model| {
            let name = Arc::clone(model);
            Part {
                series: Series { name: format::cut(model), colour: colours.colour(model) },
                of: Box::new(move |day| day.by_model.get(&name).map_or(0, of)),
            }
        })
        .collect();
    if used.iter().any(|model| !named.contains(model)) {
        let rest = move |day: &DayRow| {
            let others = day.by_model.iter().filter(|(model, _)| !named.contains(model));
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

/// Where our own numbers have a gap, the estimate stands for the day: of two incomplete sources the fuller one. Nobody
/// has estimated costs.
fn estimate(day: &DayRow, by: By) -> Option<u64> {
    day.estimate.filter(|estimate| by != By::Cost && *estimate > day.tally.tokens.total())
}

/// Of today nothing can be complete, and of a day without tokens nothing is drawn.
fn column(day: &DayRow, by: By, parts: &[Part], visit: &Visit) -> Column {
    let (t, common, format) = (&visit.words().overview, &visit.words().common, &visit.format);
    let (tokens, is_today) = (day.tally.tokens.total(), day.date == visit.today());
    let estimate = estimate(day, by);
    let price = || format.cost(&day.tally).unwrap_or_else(|| common.no_price.to_string());
    let value = |part: &Part| {
        let amount = (part.of)(day);
        let text = match by {
            By::Cost => format.money(PicoUsd(i128::try_from(amount).unwrap_or(i128::MAX))),
            _ => format.grouped(number(amount)),
        };
        Value { amount, text }
    };
    let note = match (estimate, day.partial) {
        (Some(_), _) => Some(t.estimated),
        _ if is_today => Some(t.so_far),
        (None, true) if day.tally.requests > 0 => Some(t.partly),
        (None, _) => None,
    };
    Column {
        name: format.day(day.date),
        label: format.short_day(day.date),
        landmark: day.date.day() == 1,
        values: parts.iter().map(value).collect(),
        total: match (by, estimate) {
            (By::Cost, _) => price(),
            (_, Some(estimate)) => t.about.with("n", format.grouped(estimate)).into(),
            (_, None) => format.grouped(tokens),
        },
        more: if visit.costs() && by != By::Cost { vec![price()] } else { Vec::new() },
        estimate: estimate.map(u128::from),
        partial: day.partial && !is_today && tokens > 0,
        note: note.map(|note| note.to_string()),
    }
}
