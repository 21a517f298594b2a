//! Small drawings beside numbers: in rows of tables and in cards.

use askama::Template;
use askama::filters::HtmlSafe;

use super::scale::share;
use super::{Colour, Coordinate};

/// A bar whose parts are shares of a whole. It says nothing that is not in words beside it, so it is hidden from those who
/// are read to.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/shares.html")]
pub struct Shares {
    height: u8,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    class: &'static str,
    x: Coordinate,
    width: Coordinate,
}

impl HtmlSafe for Shares {}

impl Shares {
    /// One part of a whole, as thin as a line: for rows.
    pub fn one(colour: Colour, part: u128, whole: u128) -> Self {
        Self { height: 5, parts: parts(&[(colour, part)], whole) }
    }

    /// Several parts that are the whole together.
    pub fn many(all: &[(Colour, u128)]) -> Self {
        let whole = all.iter().fold(0_u128, |sum, part| sum.saturating_add(part.1));
        Self { height: 14, parts: parts(all, whole) }
    }
}

/// From left to right. What is more than nothing is at least half a percent wide where there is room.
fn parts(all: &[(Colour, u128)], whole: u128) -> Vec<Part> {
    const LEAST: f64 = 0.5;
    let mut x = 0.0;
    let mut parts = Vec::new();
    for (colour, amount) in all.iter().filter(|part| part.1 > 0) {
        let width = (share(*amount, whole) * 100.0).max(LEAST).min(100.0 - x);
        parts.push(Part { class: colour.class(), x: Coordinate(x), width: Coordinate(width) });
        x += width;
    }
    parts
}

/// A line without axes, for the shape of the last days.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/sparkline.html")]
pub struct Sparkline {
    class: &'static str,
    line: String,
    area: String,
}

impl HtmlSafe for Sparkline {}

impl Sparkline {
    /// Oldest first. Zero is at the bottom, whatever the smallest amount.
    pub fn of(colour: Colour, amounts: &[u128]) -> Self {
        const TOP: f64 = 2.0;
        const BOTTOM: f64 = 26.0;
        let largest = amounts.iter().copied().max().unwrap_or(0);
        // A single amount is a level line.
        let amounts = if let [only] = amounts { &[*only, *only] } else { amounts };
        #[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
        let point = |(n, amount): (usize, &u128)| {
            let x = Coordinate(n as f64 * 100.0 / (amounts.len() - 1) as f64);
            let y = Coordinate(((BOTTOM - share(*amount, largest) * (BOTTOM - TOP)) * 10.0).round() / 10.0);
            format!("{x} {y}")
        };
        let points: Vec<String> = amounts.iter().enumerate().map(point).collect();
        let line = if points.is_empty() { String::new() } else { format!("M{}", points.join("L")) };
        let area = if points.is_empty() { String::new() } else { format!("{line}V{BOTTOM}H0z") };
        Self { class: colour.class(), line, area }
    }
}

/// How much of something is used up, and how much is expected to be in the end.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/gauge.html")]
pub struct Gauge {
    label: String,
    used: Coordinate,
    /// None if nothing more is expected than is used already.
    expected: Option<Coordinate>,
    /// More is used, or expected to be, than there is.
    over: bool,
}

impl HtmlSafe for Gauge {}

impl Gauge {
    /// `label` says all three amounts in words.
    pub fn of(used: u128, expected: Option<u128>, whole: u128, label: String) -> Self {
        let at = |amount: u128| Coordinate((share(amount, whole) * 1000.0).round() / 10.0);
        let expected = expected.filter(|expected| *expected > used);
        Self { label, used: at(used), over: used.max(expected.unwrap_or(0)) > whole, expected: expected.map(at) }
    }

    /// The whole is a measure and no limit: to be over it is no harm.
    #[must_use]
    pub fn without_alarm(self) -> Self {
        Self { over: false, ..self }
    }
}
