//! The chart of the last days.

use jiff::civil::Date;

use super::Facts;
use super::figures::cost;
use crate::store::DayRow;
use crate::web::pages::chart::{Colour, Column, Columns, ColumnsWords, Frame, Series, Value};
use crate::web::pages::format::{self, Count};

/// The days by kind of token. None if there is nothing to draw.
pub(super) fn of(facts: &Facts<'_>) -> Option<Columns> {
    let days = &facts.history.days;
    let columns: Vec<Column> = days.iter().map(|day| column(day, facts)).collect();
    let estimates = columns.iter().any(|column| column.estimate.is_some());
    if !estimates && days.iter().all(|day| day.tally.tokens.total() == 0) {
        return None;
    }
    let zone = format::zone_name(facts.zone);
    let mut caption =
        format!("Tokens of all responses by the day on which each began, in {zone}. Today is still going on.");
    if estimates {
        caption.push_str(
            " Estimated days are Claude Code’s own statistics, where no transcript is left; they are part of no total.",
        );
    }
    if columns.iter().any(|column| column.partial) {
        caption.push_str(" Of partly covered days some transcripts are gone.");
    }
    let series = [
        ("Cache reads", Colour::CacheRead),
        ("Cache writes", Colour::CacheWrite),
        ("Input", Colour::Input),
        ("Output", Colour::Output),
    ]
    .map(|(name, colour)| Series { name: name.to_owned(), colour });
    let words = ColumnsWords {
        frame: Frame {
            id: "days".to_owned(),
            label: format!("Tokens by day over the last {} days, stacked by kind", days.len()),
            caption,
            table: "Show as a table".to_owned(),
        },
        columns: "Day".to_owned(),
        total: Some("Total".to_owned()),
        more: if facts.costs { vec!["Cost".to_owned()] } else { Vec::new() },
        estimate: "Estimated".to_owned(),
        partial: "Partly covered".to_owned(),
    };
    let tick = |amount: u128| Count(u64::try_from(amount).unwrap_or(u64::MAX)).round();
    Some(Columns::of(&series, &columns, 7, 1, &tick, words))
}

/// Of today nothing can be complete, and of a day without tokens nothing is drawn. Where our own numbers have a gap, the
/// estimate stands for the day: of two incomplete sources the fuller one.
fn column(day: &DayRow, facts: &Facts<'_>) -> Column {
    let tokens = day.tally.tokens;
    let estimate = day.estimate.filter(|estimate| *estimate > tokens.total());
    let today = day.date == facts.today;
    let note = match (estimate, day.partial) {
        (Some(_), _) => Some("estimated"),
        _ if today => Some("so far"),
        (None, true) if day.tally.requests > 0 => Some("partly covered"),
        (None, _) => None,
    };
    let count = |tokens: u64| Value { amount: tokens.into(), text: Count(tokens).grouped() };
    Column {
        name: name(day.date),
        label: day.date.strftime("%b %-d").to_string(),
        landmark: day.date.day() == 1,
        values: [tokens.cache_read, tokens.cache_write(), tokens.input, tokens.output].map(count).into(),
        total: estimate
            .map_or_else(|| Count(tokens.total()).grouped(), |estimate| format!("about {}", Count(estimate).grouped())),
        more: facts.costs.then(|| cost(&day.tally).unwrap_or_else(|| "no price".to_owned())).into_iter().collect(),
        estimate: estimate.map(u128::from),
        partial: day.partial && !today && tokens.total() > 0,
        note: note.map(str::to_owned),
    }
}

fn name(date: Date) -> String {
    date.strftime("%a %Y-%m-%d").to_string()
}
