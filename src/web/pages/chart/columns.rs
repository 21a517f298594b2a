//! Stacked columns over time.
//!
//! Across, the shapes live in a drawing that is stretched to any width, where a column is [`UNIT`] wide; words and the
//! places that are pointed at stand beside it in percent, and keep their proper size. One path holds all of a series, which
//! is a fraction of what a rectangle for each value would take.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::Scale;
use super::{Colour, Coordinate, Frame, Row, Table};

/// Height of the plot in pixels.
const HEIGHT: u32 = 220;

/// Width of a column's place.
const UNIT: u32 = 100;

/// What a column with anything at all is never drawn smaller than, in pixels.
const LEAST: u32 = 2;

/// The most labels under the axis. Half of them go where there is little room.
const LABELS: usize = 8;

/// What is stacked: the same for all columns.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub colour: Colour,
}

/// An amount and how it is written. What is not known is written so, and is nothing to draw.
#[derive(Clone, Debug, Default)]
pub struct Value {
    pub amount: u128,
    pub text: String,
}

/// One hour, day, week or month.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// In full: "Monday, November 23".
    pub name: String,
    /// Under the axis: "Nov 23".
    pub label: String,
    /// Where a longer time begins: midnight among hours, the first of a month among days.
    pub landmark: bool,
    /// One for each series, from the axis upwards.
    pub values: Vec<Value>,
    /// As written in the table and in the mark's title.
    pub total: String,
    /// For further columns of the table.
    pub more: Vec<String>,
    /// What others state, where our own numbers have a gap. Drawn in place of the values.
    pub estimate: Option<u128>,
    /// Drawn pale, as less than it was.
    pub partial: bool,
    /// What has to be known of it: "so far", "estimated".
    pub note: Option<String>,
}

/// The words around the columns.
#[derive(Clone, Debug, Default)]
pub struct ColumnsWords {
    pub frame: Frame,
    /// Above the names of the columns: "Day".
    pub columns: String,
    /// Above the totals; none leaves them out of the table.
    pub total: Option<String>,
    /// Above further columns of the table.
    pub more: Vec<String>,
    /// In the legend, if there is such a column.
    pub estimate: String,
    pub partial: String,
}

/// The chart.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/columns.html")]
pub struct Columns {
    frame: Frame,
    legend: Vec<Legend>,
    width: u32,
    ticks: Vec<Tick>,
    wide: bool,
    paths: Vec<Path>,
    marks: Vec<Mark>,
    labels: Vec<Label>,
    table: Table,
}

/// What a colour means.
#[derive(Clone, Debug)]
pub struct Legend {
    pub class: &'static str,
    pub name: String,
}

#[derive(Clone, Debug)]
struct Tick {
    y: u32,
    text: String,
}

#[derive(Clone, Debug)]
struct Path {
    class: String,
    data: String,
}

#[derive(Clone, Debug)]
struct Mark {
    x: u32,
    lines: Vec<String>,
}

#[derive(Clone, Debug)]
struct Label {
    x: Coordinate,
    class: &'static str,
    text: String,
}

impl HtmlSafe for Columns {}

impl Columns {
    /// Lays out the columns, oldest first.
    ///
    /// Under every `rhythm`th column from the newest backwards is a label: 7 among days, 3 or 24 among hours. `grain` is the
    /// smallest amount that is worth a line across, and `tick` writes the amounts at the lines.
    pub fn of(
        series: &[Series],
        columns: &[Column],
        rhythm: usize,
        grain: u128,
        tick: &dyn Fn(u128) -> String,
        words: ColumnsWords,
    ) -> Self {
        let scale = Scale::of(columns.iter().map(Column::amount).max().unwrap_or(0), grain);
        let count = u32::try_from(columns.len()).unwrap_or(u32::MAX / UNIT).max(1);
        let ticks: Vec<Tick> = scale.amounts().map(|at| Tick { y: y(&scale, at), text: tick(at) }).collect();
        let width = count * UNIT;
        Self {
            wide: ticks.iter().any(|tick| tick.text.chars().count() > 5),
            ticks,
            width,
            paths: paths(series, columns, &scale, count),
            marks: (0..).map(|n| n * UNIT).zip(columns).map(|(x, column)| column.mark(x, series)).collect(),
            labels: labels(columns, rhythm),
            legend: legend(series, columns, &words),
            table: table(series, columns, &words),
            frame: words.frame,
        }
    }
}

impl Column {
    /// What it reaches up to.
    fn amount(&self) -> u128 {
        self.estimate.unwrap_or_else(|| self.values.iter().fold(0, |sum, value| sum.saturating_add(value.amount)))
    }

    fn mark(&self, x: u32, series: &[Series]) -> Mark {
        let mut lines = vec![format!("{}: {}", self.name, self.total)];
        let parts = series.iter().zip(&self.values).filter(|_| self.estimate.is_none() && series.len() > 1);
        lines.extend(
            parts
                .filter(|(_, value)| value.amount > 0)
                .map(|(series, value)| format!("{} {}", series.name, value.text)),
        );
        lines.extend(self.note.clone());
        Mark { x, lines }
    }
}

/// Pixels from the top.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 times the height")]
fn y(scale: &Scale, amount: u128) -> u32 {
    HEIGHT - (scale.share(amount) * f64::from(HEIGHT)).round() as u32
}

/// One path a series, and another for its pale columns; estimates last.
fn paths(series: &[Series], columns: &[Column], scale: &Scale, count: u32) -> Vec<Path> {
    // A single column is not as wide as the page, and hundreds have no gaps, which would be thinner than a pixel.
    let bar = if count > 120 { UNIT } else { (8 * count).min(76) };
    let mut whole = vec![String::new(); series.len() + 1];
    let mut pale = whole.clone();
    for (n, column) in (0..).zip(columns) {
        let data = if column.partial { &mut pale } else { &mut whole };
        let x = n * UNIT + (UNIT - bar) / 2;
        for (index, top, height) in segments(column, scale, series.len(), count <= 45) {
            data[index].extend([format!("M{x} {top}h{bar}v{height}h-{bar}z")]);
        }
    }
    let classes: Vec<&str> = series.iter().map(|series| series.colour.class()).chain(["estimate"]).collect();
    [(whole, ""), (pale, " partial")]
        .into_iter()
        .flat_map(|(data, tail)| classes.iter().zip(data).map(move |(class, data)| (class, data, tail)))
        .filter(|(_, data, _)| !data.is_empty())
        .map(|(class, data, tail)| Path { class: format!("{class}{tail}"), data })
        .collect()
}

/// The parts of a column from the axis upwards: which one, its top and its height. A part loses a pixel to a gap where it
/// can spare one, unless there are so many columns that gaps would be all that one sees.
fn segments(column: &Column, scale: &Scale, series: usize, gaps: bool) -> Vec<(usize, u32, u32)> {
    let parts: Vec<(usize, u128)> = match column.estimate {
        Some(estimate) => vec![(series, estimate)],
        None => column.values.iter().take(series).map(|value| value.amount).enumerate().collect(),
    };
    let total = column.amount();
    if total > 0 && HEIGHT - y(scale, total) < LEAST {
        let largest = parts.iter().max_by_key(|part| part.1).map_or(0, |part| part.0);
        return vec![(largest, HEIGHT - LEAST, LEAST)];
    }
    let mut sum = 0_u128;
    let mut bottom = HEIGHT;
    let mut stack = Vec::new();
    for (index, amount) in parts {
        sum = sum.saturating_add(amount);
        let top = y(scale, sum);
        let gap = u32::from(gaps && bottom - top > 4 && sum < total);
        if bottom > top {
            stack.push((index, top + gap, bottom - top - gap));
        }
        bottom = top;
    }
    stack
}

/// A few dates under the axis: the landmarks if they are many enough, else each so and so many columns from the newest.
fn labels(columns: &[Column], rhythm: usize) -> Vec<Label> {
    let count = columns.len();
    let landmarks: Vec<usize> = (0..count).filter(|n| columns[*n].landmark).collect();
    let candidates: Vec<usize> = match (landmarks.len(), count) {
        (_, 0..=LABELS) => (0..count).collect(),
        (4.., _) => landmarks,
        _ => (0..count).rev().step_by(rhythm.max(1)).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    let every = candidates.len().div_ceil(LABELS).max(1).next_power_of_two();
    let shown: Vec<usize> = candidates.into_iter().rev().step_by(every).collect();
    let few = shown.len() <= LABELS / 2;
    let mut labels: Vec<Label> =
        (0_usize..).zip(shown).map(|(n, at)| Label::of(&columns[at], at, count, !few && n % 2 == 1)).collect();
    labels.reverse();
    labels
}

impl Label {
    #[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
    fn of(column: &Column, at: usize, count: usize, minor: bool) -> Self {
        let x = (at as f64 + 0.5) * 100.0 / count as f64;
        // What would stick out on either side ends or begins at its column instead.
        let class = match (x, minor) {
            (97.0.., false) => "end",
            (97.0.., true) => "end minor",
            (..3.0, false) => "start",
            (..3.0, true) => "start minor",
            (_, true) => "minor",
            _ => "",
        };
        Self { x: Coordinate(x), class, text: column.label.clone() }
    }
}

fn legend(series: &[Series], columns: &[Column], words: &ColumnsWords) -> Vec<Legend> {
    let mut legend: Vec<Legend> = Vec::new();
    if series.len() > 1 {
        legend.extend(series.iter().map(|s| Legend { class: s.colour.class(), name: s.name.clone() }));
    }
    if columns.iter().any(|column| column.estimate.is_some()) {
        legend.push(Legend { class: "estimate", name: words.estimate.clone() });
    }
    if columns.iter().any(|column| column.partial) {
        legend.push(Legend { class: "single partial", name: words.partial.clone() });
    }
    legend
}

/// The newest first.
fn table(series: &[Series], columns: &[Column], words: &ColumnsWords) -> Table {
    let with_total = words.total.is_some();
    let row = |column: &Column| {
        let mut cells: Vec<String> = column.values.iter().map(|value| value.text.clone()).collect();
        cells.extend(with_total.then(|| column.total.clone()));
        cells.extend(column.more.iter().cloned());
        Row { name: column.name.clone(), note: column.note.clone(), cells }
    };
    Table {
        id: words.frame.id.clone(),
        summary: words.frame.table.clone(),
        label: words.frame.label.clone(),
        head: [words.columns.clone()]
            .into_iter()
            .chain(series.iter().map(|series| series.name.clone()))
            .chain(words.total.clone())
            .chain(words.more.clone())
            .collect(),
        rows: columns.iter().rev().map(row).collect(),
    }
}
