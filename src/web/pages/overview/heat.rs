//! When there was how much usage: a year by day, and the hours of the week.

use crate::event::Tally;
use crate::store::{Bucket, WeekRow};
use crate::web::api::scope::day;
use crate::web::pages::chart::{Calendar, CalendarDay, CalendarWords, Frame, Heat, HeatWords, Value, Week, WeekWords};
use crate::web::pages::visit::Visit;

/// A year by day, ending with today, whatever the range of the page. None: there is nothing in it.
pub(super) fn year(visit: &Visit, days: &[Bucket]) -> Option<Heat> {
    if days.iter().all(|day| day.tally.tokens.total() == 0) {
        return None;
    }
    let t = &visit.words().overview;
    let cell = |bucket: &Bucket| {
        let date = day(bucket.from, visit.zone());
        CalendarDay { date, name: visit.format.day(date), value: value(visit, &bucket.tally) }
    };
    let days: Vec<CalendarDay> = days.iter().map(cell).collect();
    let words = CalendarWords {
        frame: frame(visit, "year", t.year.to_string(), t.year_caption.with("zone", visit.format.zone_name()).into()),
        heat: steps(visit),
        months: visit.format.months().map(str::to_owned),
        weekdays: visit.format.weekdays().map(str::to_owned),
        week: t.week.to_string(),
    };
    Some(Calendar::of(&days, &|amount| limit(visit, amount), words))
}

/// The hours of the week in the range of the page. None: there is nothing in it.
pub(super) fn week(visit: &Visit, hours: &[WeekRow]) -> Option<Heat> {
    if hours.iter().all(|hour| hour.tally.tokens.total() == 0) {
        return None;
    }
    let t = &visit.words().overview;
    let values: Vec<Value> = hours.iter().map(|hour| value(visit, &hour.tally)).collect();
    let words = WeekWords {
        frame: frame(visit, "week", t.hours.to_string(), t.hours_caption.with("zone", visit.format.zone_name()).into()),
        heat: steps(visit),
        weekdays: visit.format.weekdays().map(str::to_owned),
        hours: std::array::from_fn(|hour| format!("{hour:02}:00")),
        hour: t.hour.to_string(),
    };
    Some(Week::of(&values, &|amount| limit(visit, amount), words))
}

fn value(visit: &Visit, tally: &Tally) -> Value {
    let tokens = tally.tokens.total();
    Value { amount: tokens.into(), text: visit.format.grouped(tokens) }
}

fn limit(visit: &Visit, amount: u128) -> String {
    let most = visit.format.count(u64::try_from(amount).unwrap_or(u64::MAX));
    visit.words().overview.up_to.with("n", most).into()
}

fn frame(visit: &Visit, id: &str, label: String, caption: String) -> Frame {
    Frame { id: id.to_owned(), label, caption, table: visit.words().common.table.to_string() }
}

fn steps(visit: &Visit) -> HeatWords {
    let t = &visit.words().overview;
    HeatWords { less: t.less.to_string(), more: t.more.to_string(), none: t.none.to_string() }
}
