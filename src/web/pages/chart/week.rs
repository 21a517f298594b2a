//! When in the week: a lane for each hour of the day, Monday on top.

use super::heat::{Cell, Ladder, Lane, Text};
use super::{Coordinate, Frame, Heat, HeatWords, Row, Table, Value};

/// From one hour to the next, and from one day to the next.
const PITCH: u32 = 20;
const ROW: u32 = 18;

/// Hours of a day.
const HOURS: usize = 24;

/// The words around the hours.
#[derive(Clone, Debug, Default)]
pub struct WeekWords {
    pub frame: Frame,
    pub heat: HeatWords,
    /// From Monday on, short.
    pub weekdays: [String; 7],
    /// From midnight on: "00:00".
    pub hours: [String; HOURS],
    /// Above the names of the hours in the table.
    pub hour: String,
}

/// A heatmap of the hours of a week.
pub struct Week;

impl Week {
    /// Lays out the hours, Monday midnight first: 7 times 24. `limit` says what a step reaches up to.
    pub fn of(hours: &[Value], limit: &dyn Fn(u128) -> String, words: WeekWords) -> Heat {
        let ladder = Ladder::of(hours);
        let at = |weekday: usize, hour: usize| hours.get(weekday * HOURS + hour);
        let cell = |weekday: usize, hour: usize| {
            let value = at(weekday, hour)?;
            let title = format!("{} {}: {}", words.weekdays[weekday], words.hours[hour], value.text);
            Some(Cell { step: ladder.step(value.amount), title })
        };
        let lanes = (0..)
            .zip(0..HOURS)
            .map(|(n, hour)| Lane { x: n * PITCH, cells: (0..7).map(|weekday| cell(weekday, hour)).collect() })
            .collect();
        let row = |hour: usize| Row {
            name: words.hours[hour].clone(),
            note: None,
            cells: (0..7)
                .map(|weekday| at(weekday, hour).map(|value| value.text.clone()).unwrap_or_default())
                .collect(),
        };
        Heat {
            kind: "week",
            width: PITCH * 24 + 34,
            height: ROW * 7 + 16,
            across: (0_u32..24)
                .zip(&words.hours)
                .step_by(6)
                .map(|(n, hour)| Text { at: Coordinate((n * PITCH).into()), text: hour.clone() })
                .collect(),
            down: (0_u32..)
                .zip(&words.weekdays)
                .map(|(n, name)| Text { at: Coordinate(f64::from(n * ROW) + 12.0), text: name.clone() })
                .collect(),
            lanes,
            steps: ladder.steps(limit),
            table: Table {
                id: words.frame.id.clone(),
                summary: words.frame.table.clone(),
                label: words.frame.label.clone(),
                head: [words.hour.clone()].into_iter().chain(words.weekdays.iter().cloned()).collect(),
                rows: (0..HOURS).map(row).collect(),
            },
            words: words.heat,
            frame: words.frame,
        }
    }
}
