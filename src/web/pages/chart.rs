//! The geometry of the charts. Pure: numbers in, positions and words out; the templates turn them into SVG and escape
//! every word.
//!
//! Across, positions are percentages, so that a chart fills any width with its text at its proper size; up and down they
//! are pixels.

use jiff::civil::Date;

use crate::event::TokenCounts;
use crate::web::pages::format::Count;

/// Height of the plot in pixels.
const HEIGHT: f64 = 220.0;

/// What a day with anything at all is never drawn smaller than.
const LEAST: f64 = 2.0;

/// How much of its place a bar fills.
const FILL: f64 = 0.7;

/// One day as it is to be drawn.
#[derive(Clone, Debug)]
pub struct Column {
    pub date: Date,
    pub tokens: TokenCounts,
    /// Tokens that somebody else's statistics state where our own numbers have a gap.
    pub estimate: Option<u64>,
    pub partial: bool,
    /// What is known of the day, in words.
    pub title: String,
}

/// A stacked bar chart over days.
#[derive(Clone, Debug)]
pub struct Trend {
    pub height: Coordinate,
    pub ticks: Vec<Tick>,
    pub bars: Vec<Bar>,
}

/// A line across, with its value.
#[derive(Clone, Debug)]
pub struct Tick {
    pub y: Coordinate,
    pub label: Count,
}

/// One day.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Left edge and width of the day's place.
    pub place_x: Coordinate,
    pub place_width: Coordinate,
    /// Left edge, middle and width of what is drawn.
    pub x: Coordinate,
    pub middle: Coordinate,
    pub width: Coordinate,
    pub segments: Vec<Segment>,
    pub partial: bool,
    pub title: String,
    pub label: Option<Label>,
}

/// A part of a bar.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Class name of what it counts.
    pub class: &'static str,
    pub y: Coordinate,
    pub height: Coordinate,
}

/// A date under the axis.
#[derive(Clone, Debug)]
pub struct Label {
    pub text: String,
    /// Left out where there is little room.
    pub minor: bool,
}

/// A position or a length, at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Coordinate(pub f64);

impl std::fmt::Display for Coordinate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Trend {
    /// Lays out the columns, oldest first.
    #[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
    pub fn of(columns: Vec<Column>) -> Self {
        let largest = columns.iter().map(Column::largest).max().unwrap_or(0);
        let step = tick_step(largest);
        let count = largest.div_ceil(step).max(1);
        let top = step.saturating_mul(count) as f64;
        let ticks = (0..=count)
            .map(|n| Tick {
                y: Coordinate(HEIGHT - HEIGHT * n as f64 / count as f64),
                label: Count(step.saturating_mul(n)),
            })
            .collect();
        let place = 100.0 / columns.len().max(1) as f64;
        let last = columns.len().saturating_sub(1);
        let bars = columns
            .into_iter()
            .enumerate()
            .map(|(n, column)| {
                let left = place * n as f64;
                Bar {
                    place_x: Coordinate(left),
                    place_width: Coordinate(place),
                    x: Coordinate(left + place * (1.0 - FILL) / 2.0),
                    middle: Coordinate(left + place / 2.0),
                    width: Coordinate(place * FILL),
                    segments: segments(&column, HEIGHT / top),
                    partial: column.partial,
                    label: label(column.date, last - n),
                    title: column.title,
                }
            })
            .collect();
        Self { height: Coordinate(HEIGHT), ticks, bars }
    }
}

impl Column {
    /// The estimate, where it is larger than what we have seen ourselves: of two incomplete sources the fuller one.
    pub fn shown_estimate(&self) -> Option<u64> {
        self.estimate.filter(|estimate| *estimate > self.tokens.total())
    }

    fn largest(&self) -> u64 {
        self.shown_estimate().unwrap_or(self.tokens.total())
    }
}

/// Stacks the kinds from the axis upwards, the most voluminous one first.
#[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
fn segments(column: &Column, scale: f64) -> Vec<Segment> {
    let TokenCounts { input, output, cache_read, .. } = column.tokens;
    let kinds = match column.shown_estimate() {
        Some(estimate) => vec![("estimate", estimate)],
        None => {
            vec![
                ("cache-read", cache_read),
                ("cache-write", column.tokens.cache_write()),
                ("input", input),
                ("output", output),
            ]
        }
    };
    let total = column.largest() as f64 * scale;
    if total > 0.0 && total < LEAST {
        let class = kinds.iter().max_by_key(|kind| kind.1).map_or("cache-read", |kind| kind.0);
        return vec![Segment { class, y: Coordinate(HEIGHT - LEAST), height: Coordinate(LEAST) }];
    }
    let mut y = HEIGHT;
    let mut stack = Vec::new();
    for (class, count) in kinds.into_iter().filter(|kind| kind.1 > 0) {
        let height = count as f64 * scale;
        y -= height;
        stack.push(Segment { class, y: Coordinate(y), height: Coordinate(height) });
    }
    stack
}

/// A round number, 1, 2 or 5 times a power of ten, that at most five of reach `largest`.
fn tick_step(largest: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let Some(step) = power.checked_mul(factor) else { return largest };
            if largest.div_ceil(step) <= 5 {
                return step;
            }
        }
        let Some(next) = power.checked_mul(10) else { return largest };
        power = next;
    }
}

/// A label for today and every seventh day before.
fn label(date: Date, days_ago: usize) -> Option<Label> {
    days_ago
        .is_multiple_of(7)
        .then(|| Label { text: date.strftime("%b %-d").to_string(), minor: !days_ago.is_multiple_of(14) })
}

#[cfg(test)]
mod tests {
    use askama::Template;
    use jiff::civil::date;

    use super::*;

    #[derive(Template)]
    #[template(path = "_trend.html")]
    struct Page<'a> {
        trend: &'a Trend,
        trend_title: &'a str,
    }

    fn draw(columns: Vec<Column>) -> String {
        Page { trend: &Trend::of(columns), trend_title: "Tokens by day" }.render().unwrap()
    }

    fn column(day: i8, tokens: [u64; 4]) -> Column {
        let [input, output, cache_write_5m, cache_read] = tokens;
        let tokens = TokenCounts { input, output, cache_write_5m, cache_read, ..TokenCounts::default() };
        let title = format!("day {day}");
        Column { date: date(2026, 11, day), tokens, estimate: None, partial: false, title }
    }

    #[test]
    fn one_day() {
        insta::assert_snapshot!(draw(vec![column(23, [100, 200, 300, 400])]));
    }

    #[test]
    fn nothing_at_all() {
        insta::assert_snapshot!(draw(vec![column(22, [0; 4]), column(23, [0; 4])]));
    }

    #[test]
    fn no_days() {
        insta::assert_snapshot!(draw(Vec::new()));
    }

    #[test]
    fn one_huge_value_leaves_the_small_one_visible() {
        insta::assert_snapshot!(draw(vec![column(22, [1, 0, 0, 0]), column(23, [0, 0, 0, u64::MAX])]));
    }

    #[test]
    fn thirty_days_with_a_gap_that_is_estimated() {
        let mut columns: Vec<Column> = (1..=30_u8)
            .map(|day| column(day.cast_signed(), [u64::from(day) * 1000, 500, 0, u64::from(day) * 90_000]))
            .collect();
        columns[3].partial = true;
        columns[4] = Column { estimate: Some(250_000), ..column(5, [0; 4]) };
        // We have seen more of this day than the statistics state.
        columns[5].estimate = Some(1);
        columns[6].title = "<b>\"quoted\" & more</b>".to_owned();
        insta::assert_snapshot!(draw(columns));
    }

    #[test]
    fn round_steps() {
        fn check(largest: u64, expected: u64) {
            assert_eq!(tick_step(largest), expected, "{largest}");
        }
        check(0, 1);
        check(5, 1);
        check(6, 2);
        check(11, 5);
        check(100, 20);
        check(1_234_567, 500_000);
        check(u64::MAX, 5_000_000_000_000_000_000);
    }
}
