//! A grid of seven rows with a colour for each cell's amount: what the calendar and the hours of the week have in common.
//!
//! Each of the five steps has as many cells as the others, so that a single huge day does not make all others look alike:
//! a cell's step is the share, in fifths, of the cells with anything at all that have no more than it. Cells with nothing
//! have no step.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::Coordinate;
use super::{Frame, Table, Value};

/// The classes of the steps; a cell without one has nothing.
const STEPS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Words of the legend.
#[derive(Clone, Debug, Default)]
pub struct HeatWords {
    pub less: String,
    pub more: String,
    /// "none", for a cell with nothing.
    pub none: String,
}

/// The chart; a [`Calendar`](super::Calendar) or a [`Week`](super::Week) makes one.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/heat.html")]
pub struct Heat {
    pub(super) kind: &'static str,
    pub(super) frame: Frame,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) across: Vec<Text>,
    pub(super) down: Vec<Text>,
    pub(super) lanes: Vec<Lane>,
    pub(super) words: HeatWords,
    pub(super) steps: Vec<Step>,
    pub(super) table: Table,
}

/// A label.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) at: Coordinate,
    pub(super) text: String,
}

/// Up to seven cells below each other. Where they are is up to the stylesheet, which saves a third of the size.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) x: u32,
    pub(super) cells: Vec<Option<Cell>>,
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) step: Option<&'static str>,
    pub(super) title: String,
}

/// What a step stands for: "up to 1.2M".
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) class: &'static str,
    pub(super) title: String,
}

impl HtmlSafe for Heat {}

/// How amounts become steps.
pub(super) struct Ladder {
    /// All amounts but nothings, the smallest first.
    sorted: Vec<u128>,
}

impl Ladder {
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut sorted: Vec<u128> = values.into_iter().map(|value| value.amount).filter(|amount| *amount > 0).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    fn index(&self, amount: u128) -> Option<usize> {
        let no_more = self.sorted.partition_point(|other| *other <= amount);
        (amount > 0 && no_more > 0).then(|| (no_more * STEPS.len()).div_ceil(self.sorted.len()) - 1)
    }

    pub(super) fn step(&self, amount: u128) -> Option<&'static str> {
        self.index(amount).map(|index| STEPS[index])
    }

    /// The steps that occur, each with the largest amount on it.
    pub(super) fn steps(&self, limit: &dyn Fn(u128) -> String) -> Vec<Step> {
        let mut largest = [None; STEPS.len()];
        for amount in &self.sorted {
            if let Some(index) = self.index(*amount) {
                largest[index] = Some(*amount);
            }
        }
        STEPS
            .iter()
            .zip(largest)
            .map(|(class, amount)| Step { class, title: amount.map(limit).unwrap_or_default() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(amounts: &[u128]) -> String {
        let values: Vec<Value> = amounts.iter().map(|amount| Value { amount: *amount, text: String::new() }).collect();
        let ladder = Ladder::of(&values);
        amounts.iter().map(|amount| ladder.step(*amount).unwrap_or("-")).collect()
    }

    #[test]
    fn each_step_has_as_many_cells_and_equal_amounts_are_on_the_same_one() {
        assert_eq!(steps(&[]), "");
        assert_eq!(steps(&[0, 0]), "--");
        assert_eq!(steps(&[0, 7]), "-e");
        assert_eq!(steps(&[7, 7, 7]), "eee");
        assert_eq!(steps(&[1, u128::MAX]), "ce");
        assert_eq!(steps(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), "eeddccbbaa");
        assert_eq!(steps(&[1, 2, 2, 2, 1_000_000]), "addde");
    }

    #[test]
    fn the_largest_amount_of_each_step() {
        let values = [3, 1, 2].map(|amount| Value { amount, text: String::new() });
        let titles: Vec<String> =
            Ladder::of(&values).steps(&|amount| format!("≤{amount}")).into_iter().map(|step| step.title).collect();
        assert_eq!(titles, ["", "≤1", "", "≤2", "≤3"]);
    }
}
