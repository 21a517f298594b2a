//! Kinds of tokens stacked over any steps in time: parts of a session, windows.

use super::chart::{Column, Columns, ColumnsWords, Series, Value};
use super::figures;
use super::visit::Visit;
use crate::event::Tally;

/// One step in time.
pub struct Step {
    /// In full.
    pub name: String,
    /// Under the axis.
    pub label: String,
    /// Where a longer time begins.
    pub landmark: bool,
    pub tally: Tally,
    /// What has to be known of it.
    pub note: Option<String>,
}

/// The chart of these steps, the oldest first. Under every `rhythm`th is a label where landmarks are too few.
pub fn columns(visit: &Visit, steps: Vec<Step>, rhythm: usize, words: ColumnsWords) -> Columns {
    let (common, format) = (&visit.words().common, &visit.format);
    let kinds = figures::kinds(visit.words());
    let series = kinds.map(|(name, colour, _)| Series { name: name.to_string(), colour });
    let value = |amount: u64| Value { amount: amount.into(), text: format.grouped(amount) };
    let column = |step: Step| Column {
        values: kinds.iter().map(|(_, _, of)| value(of(&step.tally.tokens))).collect(),
        total: format.grouped(step.tally.tokens.total()),
        more: if visit.costs() {
            vec![format.cost(&step.tally).unwrap_or_else(|| common.no_price.to_string())]
        } else {
            Vec::new()
        },
        name: step.name,
        label: step.label,
        landmark: step.landmark,
        note: step.note,
        ..Column::default()
    };
    let columns: Vec<Column> = steps.into_iter().map(column).collect();
    let words = ColumnsWords {
        total: Some(common.total.to_string()),
        more: if visit.costs() { vec![common.cost.to_string()] } else { Vec::new() },
        ..words
    };
    let tick = |amount: u128| format.round(u64::try_from(amount).unwrap_or(u64::MAX));
    Columns::of(&series, &columns, rhythm, 1, &tick, words)
}
