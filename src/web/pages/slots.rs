//! The columns of a trend: the hours, days, weeks or months of a scope, as many as can be told apart at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::data::remembered;
use crate::event::{Tally, UnixMillis};
use crate::store::{Bucket, DayRow, Dimension, Filter, Readers, Span, Split};
use crate::web::WebState;
use crate::web::api::scope::{Scope, day, start_of};
use crate::web::api::trends::Period;
use crate::web::error::ApiError;

/// How long a slot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    Hour,
    #[default]
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// One hour, day, week or month. The first and the last may be cut off by the range.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub from: UnixMillis,
    /// Not included.
    pub to: UnixMillis,
    /// The day it begins on.
    pub date: Date,
    pub tally: Tally,
    pub by_model: BTreeMap<Arc<str>, Tally>,
    /// What it comes to with Claude Code's own statistics where these have more than the transcripts: of every day the
    /// fuller one.
    pub estimate: Option<u64>,
    /// Some of its transcripts may have been deleted before they were read. Of today nothing can be complete.
    pub partial: bool,
}

/// The slots of a scope, the oldest first and without gaps.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    pub step: Step,
    pub all: Vec<Slot>,
}

const HOUR: i64 = 3_600_000;

/// The most hours that are told apart, the most days, and the most weeks. Two days may have an hour more.
const HOURS: u8 = 50;
const DAYS: usize = 93;
const WEEKS: usize = 93;

/// The most days that are looked at: ten years. Of a longer history it is the newest.
const MOST_DAYS: i64 = 3660;

impl Step {
    fn of_days(days: usize) -> Self {
        match days {
            0..=DAYS => Self::Day,
            days if days <= WEEKS * 7 => Self::Week,
            _ => Self::Month,
        }
    }

    /// The day on which the slot begins that a day is in.
    fn first_day(self, date: Date) -> Date {
        match self {
            Self::Hour | Self::Day => date,
            Self::Week => date.saturating_sub(i64::from(date.weekday().since(Weekday::Monday)).days()),
            Self::Month => date.first_of_month(),
        }
    }
}

/// The slots of a scope: of two days and less by the hour; none before the first response, none after today.
pub async fn slots(state: &WebState, scope: &Scope) -> Result<Arc<Slots>, ApiError> {
    let now = state.clock.now();
    let scope = scope.clone();
    remembered(state, &scope.question(&format!("slots {}", scope.today)), move |readers| {
        let Scope { span, zone, filter, today } = &scope;
        if span.to.0.saturating_sub(span.from.0) <= i64::from(HOURS) * HOUR {
            return hours(readers, *span, zone, filter);
        }
        let last = day(UnixMillis(span.to.0.min(now.0.max(span.from.0 + 1)) - 1), zone).min(*today);
        let earliest = last.saturating_sub((MOST_DAYS - 1).days());
        let first = match span.from {
            from if from == Span::ALL.from => readers.sums(*span, filter)?.first_at.map_or(last, |at| day(at, zone)),
            from => day(from, zone),
        };
        Ok(joined(days(readers, [first.max(earliest), last], &scope)?))
    })
    .await
}

fn hours(readers: &Readers, span: Span, zone: &TimeZone, filter: &Filter) -> Result<Slots, ApiError> {
    let bounds = Period::Hour.bounds(span, zone, HOURS.into()).unwrap_or_default();
    let slot = |bucket: Bucket| Slot {
        from: bucket.from,
        to: bucket.to,
        date: day(bucket.from, zone),
        tally: bucket.tally,
        by_model: bucket.groups,
        estimate: None,
        partial: false,
    };
    let buckets = readers.trend(&bounds, filter, Split::By(Dimension::Model))?;
    Ok(Slots { step: Step::Hour, all: buckets.into_iter().map(slot).collect() })
}

/// Every day from the first to the last as a slot.
fn days(readers: &Readers, [first, last]: [Date; 2], scope: &Scope) -> Result<Vec<Slot>, ApiError> {
    let Scope { zone, filter, today, .. } = scope;
    let dates: Vec<Date> = first.series(1.day()).take_while(|date| *date <= last).collect();
    let end = last.tomorrow().unwrap_or(Date::MAX);
    let bounds: Vec<UnixMillis> =
        dates.iter().copied().chain([end]).map(|date| start_of(date, zone)).collect::<Result<_, _>>()?;
    let rows = if *filter == Filter::default() {
        readers.days(first, last, zone)?
    } else {
        // Of some models or projects nobody else has statistics, so nothing is estimated.
        let buckets = readers.trend(&bounds, filter, Split::By(Dimension::Model))?;
        let row = |(date, bucket): (Date, Bucket)| DayRow {
            date,
            tally: bucket.tally,
            by_model: bucket.groups,
            estimate: None,
            partial: false,
        };
        dates.into_iter().zip(buckets).map(row).collect()
    };
    let slot = |(row, bounds): (DayRow, &[UnixMillis])| Slot {
        from: bounds[0],
        to: bounds[1],
        date: row.date,
        estimate: row.estimate.filter(|estimate| *estimate > row.tally.tokens.total()),
        partial: row.partial && row.tally.requests > 0 && row.date != *today,
        tally: row.tally,
        by_model: row.by_model,
    };
    Ok(rows.into_iter().zip(bounds.windows(2)).map(slot).collect())
}

/// Days as what can be told apart of so many.
fn joined(days: Vec<Slot>) -> Slots {
    let step = Step::of_days(days.len());
    let mut all: Vec<Slot> = Vec::new();
    for day in days {
        match all.last_mut() {
            Some(slot) if step.first_day(slot.date) == step.first_day(day.date) => slot.add(day),
            _ => all.push(day),
        }
    }
    Slots { step, all }
}

impl Slot {
    /// What it comes to, if others are believed where they know more.
    fn fullest(&self) -> u64 {
        self.estimate.unwrap_or(self.tally.tokens.total())
    }

    fn add(&mut self, next: Self) {
        if self.estimate.is_some() || next.estimate.is_some() {
            self.estimate = Some(self.fullest().saturating_add(next.fullest()));
        }
        self.partial |= next.partial;
        self.to = next.to;
        self.tally.add(&next.tally);
        for (model, tally) in next.by_model {
            self.by_model.entry(model).or_default().add(&tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::event::TokenCounts;

    fn day_of(date: Date, output: u64, estimate: Option<u64>, partial: bool) -> Slot {
        let tally = Tally::of(TokenCounts { output, ..TokenCounts::default() }, 0, None);
        let tally = if output > 0 { tally } else { Tally::default() };
        let by_model = if output > 0 { [("m".into(), tally)].into() } else { BTreeMap::new() };
        let from = start_of(date, &TimeZone::UTC).unwrap();
        Slot { from, to: UnixMillis(from.0 + 24 * HOUR), date, tally, by_model, estimate, partial }
    }

    fn days_from(first: Date, count: usize) -> Vec<Slot> {
        first.series(1.day()).take(count).map(|date| day_of(date, 1, None, false)).collect()
    }

    #[test]
    fn as_many_as_can_be_told_apart() {
        let check = |days: usize, step: Step, columns: usize| {
            let slots = joined(days_from(date(2026, 1, 1), days));
            assert_eq!((slots.step, slots.all.len()), (step, columns), "{days} days");
            assert_eq!(slots.all.iter().map(|slot| slot.tally.tokens.total()).sum::<u64>(), days as u64);
            assert!(slots.all.windows(2).all(|pair| pair[0].to == pair[1].from), "{days} days without a gap");
        };
        check(0, Step::Day, 0);
        check(1, Step::Day, 1);
        check(93, Step::Day, 93);
        // From a Thursday on.
        check(94, Step::Week, 14);
        check(651, Step::Week, 94);
        check(652, Step::Month, 22);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let slots = joined(days_from(date(2026, 1, 1), 120));
        assert_eq!([slots.all[0].date, slots.all[1].date], [date(2026, 1, 1), date(2026, 1, 5)]);
        let slots = joined(days_from(date(2024, 1, 31), 700));
        assert_eq!([slots.all[0].date, slots.all[1].date], [date(2024, 1, 31), date(2024, 2, 1)]);
    }

    #[test]
    fn an_estimate_is_the_fuller_one_of_every_day() {
        let mut slot = day_of(date(2026, 1, 5), 10, None, false);
        slot.add(day_of(date(2026, 1, 6), 20, Some(50), true));
        slot.add(day_of(date(2026, 1, 7), 5, None, false));
        assert_eq!((slot.estimate, slot.tally.tokens.total(), slot.partial), (Some(65), 35, true));
        assert_eq!(slot.by_model["m"].tokens.total(), 35);
    }
}
