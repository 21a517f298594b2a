//! The days of the range: a chart, and the same as a table.

use jiff::civil::Date;

use crate::store::DayRow;
use crate::web::pages::chart::{Column, Trend};
use crate::web::pages::figures::Row;
use crate::web::pages::format::Number;
use crate::web::pages::visit::Visit;

/// The chart with everything around it.
pub(super) struct TrendPanel {
    pub(super) trend: Trend,
    pub(super) title: String,
    pub(super) caption: String,
    /// What to say instead of an empty chart.
    pub(super) empty: Option<String>,
    /// Where more is to be seen, if the chart is empty.
    pub(super) widen: String,
    pub(super) has_estimates: bool,
    pub(super) has_partial_days: bool,
    /// The newest first.
    pub(super) days: Vec<Day>,
}

/// A row of the table.
pub(super) struct Day {
    pub(super) date: String,
    pub(super) note: &'static str,
    pub(super) estimate: Option<Number>,
    pub(super) row: Row,
}

impl TrendPanel {
    pub(super) fn of(visit: &Visit, days: &[DayRow]) -> Self {
        let (t, common) = (&visit.words().overview, &visit.words().common);
        let today = visit.today();
        let columns: Vec<Column> = days.iter().map(|day| column(day, today, visit)).collect();
        let has_estimates = columns.iter().any(|column| column.shown_estimate().is_some());
        let has_partial_days = columns.iter().any(|column| column.partial);
        let has_tokens = columns.iter().any(|column| column.tokens.total() > 0);
        let mut caption = vec![t.caption.with("zone", visit.format.zone_name()).to_string()];
        if days.last().is_some_and(|day| day.date == today) {
            caption.push(t.still_going.to_string());
        }
        if has_estimates {
            caption.push(t.caption_estimated.to_string());
        }
        if has_partial_days {
            caption.push(t.caption_partial.to_string());
        }
        let newest = visit.snapshot.last_event_at.map(|at| visit.format.instant(at));
        let nothing = match newest {
            Some(newest) => common.nothing_newest.with("newest", newest).into(),
            None => common.nothing_here.to_string(),
        };
        Self {
            trend: Trend::of(columns),
            title: t.trend_title.with("n", days.len()).into(),
            caption: caption.join(" "),
            empty: (!has_tokens && !has_estimates).then_some(nothing),
            widen: visit.view.without_filters().with_range(super::super::range::Range::All).url(),
            has_estimates,
            has_partial_days,
            days: days.iter().rev().map(|day| Day::of(day, today, visit)).collect(),
        }
    }
}

impl Day {
    fn of(day: &DayRow, today: Date, visit: &Visit) -> Self {
        let t = &visit.words().overview;
        let estimate = day.estimate.filter(|estimate| *estimate > day.tally.tokens.total());
        let note = match (estimate, day.partial) {
            (Some(_), _) => t.estimated.as_str(),
            _ if day.date == today => t.so_far.as_str(),
            (None, true) if day.tally.requests > 0 => t.partly.as_str(),
            (None, _) => "",
        };
        let estimate = estimate.map(|estimate| visit.format.count(estimate));
        Self { date: visit.format.day(day.date), note, estimate, row: Row::of(&day.tally, &visit.format) }
    }
}

/// What the chart shows of a day. Of today nothing can be complete, and of a day without tokens nothing is drawn.
fn column(day: &DayRow, today: Date, visit: &Visit) -> Column {
    let (t, common, format) = (&visit.words().overview, &visit.words().common, &visit.format);
    let tokens = day.tally.tokens;
    let partial = day.partial && day.date != today && tokens.total() > 0;
    let mut column = Column { date: day.date, tokens, estimate: day.estimate, partial, title: String::new() };
    let date = format.day(day.date);
    column.title = if let Some(estimate) = column.shown_estimate() {
        t.column_estimated.with("day", date).with("n", format.grouped(estimate)).into()
    } else {
        let mut lines = vec![t.column_total.with("day", date).with("n", format.grouped(tokens.total())).to_string()];
        for (name, count) in [
            (common.output, tokens.output),
            (common.input, tokens.input),
            (common.cache_writes, tokens.cache_write()),
            (common.cache_reads, tokens.cache_read),
        ] {
            lines.push(format!("{name} {}", format.grouped(count)));
        }
        if visit.costs() {
            lines.push(format.cost(&day.tally).unwrap_or_else(|| common.no_price.to_string()));
        }
        if partial {
            lines.push(t.column_partial.to_string());
        }
        lines.join("\n")
    };
    column
}
