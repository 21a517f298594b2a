//! A year by day: a lane for each week, Monday on top.

use jiff::civil::Date;

use super::heat::{Cell, Ladder, Lane, Text};
use super::{Coordinate, Frame, Heat, HeatWords, Row, Table, Value};

/// From one week to the next.
const PITCH: u32 = 13;

/// Weeks whose month's name would run into the next one.
const LEAST_WEEKS: usize = 3;

/// One day.
#[derive(Clone, Debug)]
pub struct CalendarDay {
    pub date: Date,
    /// "Nov 23".
    pub name: String,
    pub value: Value,
}

/// The words around the days.
#[derive(Clone, Debug, Default)]
pub struct CalendarWords {
    pub frame: Frame,
    pub heat: HeatWords,
    /// From January on, short.
    pub months: [String; 12],
    /// From Monday on, short.
    pub weekdays: [String; 7],
    /// Above the names of the weeks in the table, which are their first days.
    pub week: String,
}

/// A heatmap of days.
pub struct Calendar;

impl Calendar {
    /// Lays out the days, which follow each other without a gap, oldest first. `limit` says what a step reaches up to.
    pub fn of(days: &[CalendarDay], limit: &dyn Fn(u128) -> String, words: CalendarWords) -> Heat {
        let ladder = Ladder::of(days.iter().map(|day| &day.value));
        let weeks = weeks(days);
        let cell = |day: &CalendarDay| Cell {
            step: ladder.step(day.value.amount),
            title: format!("{}: {}", day.name, day.value.text),
        };
        let lanes: Vec<Lane> = (0..)
            .zip(&weeks)
            .map(|(n, week)| Lane { x: n * PITCH, cells: week.iter().map(|day| day.map(cell)).collect() })
            .collect();
        let down = [0, 2, 4].map(|n: u8| Text {
            at: Coordinate(f64::from(u32::from(n) * PITCH) + 9.0),
            text: words.weekdays[usize::from(n)].clone(),
        });
        Heat {
            kind: "calendar",
            width: PITCH * u32::try_from(lanes.len()).unwrap_or(u32::MAX / PITCH).max(1) + 28,
            height: PITCH * 7 + 16,
            across: months(&weeks, &words.months),
            down: down.into(),
            lanes,
            words: words.heat,
            steps: ladder.steps(limit),
            table: Table {
                id: words.frame.id.clone(),
                summary: words.frame.table.clone(),
                label: words.frame.label.clone(),
                head: [words.week].into_iter().chain(words.weekdays).collect(),
                // Weeks before anything happened say nothing.
                rows: weeks[weeks.iter().take_while(|week| is_empty(week)).count()..].iter().rev().map(row).collect(),
            },
            frame: words.frame,
        }
    }
}

/// Cuts the days into weeks from Monday on. Before the first day are blanks.
fn weeks(days: &[CalendarDay]) -> Vec<Vec<Option<&CalendarDay>>> {
    let blanks = days.first().map_or(0, |day| day.date.weekday().to_monday_zero_offset());
    let cells: Vec<Option<&CalendarDay>> = (0..blanks).map(|_| None).chain(days.iter().map(Some)).collect();
    cells.chunks(7).map(<[_]>::to_vec).collect()
}

/// A month's name above the first week that begins in it.
fn months(weeks: &[Vec<Option<&CalendarDay>>], names: &[String; 12]) -> Vec<Text> {
    let month = |week: &Vec<Option<&CalendarDay>>| week.iter().flatten().next().map(|day| day.date.month());
    let starts: Vec<usize> =
        (0..weeks.len()).filter(|n| *n == 0 || month(&weeks[*n]) != month(&weeks[n - 1])).collect();
    let ends = starts.iter().skip(1).copied().chain([weeks.len() + LEAST_WEEKS]);
    starts
        .iter()
        .zip(ends)
        .filter(|(start, end)| *end - **start >= LEAST_WEEKS)
        .filter_map(|(start, _)| {
            let month = usize::from(month(&weeks[*start])?.unsigned_abs());
            let at = u32::try_from(*start).unwrap_or(0) * PITCH;
            Some(Text { at: Coordinate(at.into()), text: names[month - 1].clone() })
        })
        .collect()
}

fn is_empty(week: &[Option<&CalendarDay>]) -> bool {
    week.iter().flatten().all(|day| day.value.amount == 0)
}

fn row(week: &Vec<Option<&CalendarDay>>) -> Row {
    let first = week.iter().flatten().next();
    Row {
        name: first.map(|day| day.date.to_string()).unwrap_or_default(),
        note: None,
        cells: (0..7)
            .map(|n| week.get(n).copied().flatten().map(|day| day.value.text.clone()).unwrap_or_default())
            .collect(),
    }
}
