//! The charts. Pure: numbers and words in, SVG out. They know nothing of languages, currencies or time zones: whoever asks
//! for a chart hands in every word and every formatted number, and the chart adds geometry.
//!
//! Each chart is a template that escapes what it is given, so a page shows one with `{{ chart }}`. Nothing in a chart needs
//! an inline style: shapes have classes, and `templates/static/chart.css` has the colours.
//!
//! Each mark has a `<title>` with its exact values. A script finds the figure by `data-chart`, and its marks, in the order
//! of time, as the children of `[data-marks]`; the drawing is one tab stop, whatever the number of marks.

mod calendar;
mod colour;
mod columns;
mod heat;
mod inline;
mod scale;
mod table;
mod week;

pub use calendar::{Calendar, CalendarDay, CalendarWords};
pub use colour::{Colour, ModelColours};
pub use columns::{Column, Columns, ColumnsWords, Legend, Series, Value};
pub use heat::{Heat, HeatWords};
pub use inline::{Gauge, Shares, Sparkline};
pub use scale::{Coordinate, share};
pub use table::{Row, Table};
pub use week::{Week, WeekWords};

/// What every figure with a table below it says about itself.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Tells the charts of a page apart; a valid HTML id.
    pub id: String,
    /// What is drawn, in one short sentence, for those who cannot see it.
    pub label: String,
    /// Defines the figure and names the time zone.
    pub caption: String,
    /// What opens the table: "Show as a table".
    pub table: String,
}

#[cfg(test)]
mod tests;
