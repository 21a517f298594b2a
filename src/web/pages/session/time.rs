//! How a session went on: its tokens in steps that fit its length.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::event::UnixMillis;
use crate::store::{Bucket, Filter, Readers, SessionRow, Span, Split};
use crate::web::api::scope::day;
use crate::web::api::trends::Period;
use crate::web::error::ApiError;
use crate::web::pages::chart::{Columns, ColumnsWords, Frame};
use crate::web::pages::stack::{Step, columns};
use crate::web::pages::visit::Visit;

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;
const HOUR: i64 = 60 * MINUTE;

/// The most steps of one length before the next longer one is taken.
const STEPS: i64 = 72;

/// More days than this are not drawn.
const MOST_DAYS: usize = 400;

/// The tokens of a session by time, the oldest first.
pub(super) fn of(readers: &Readers, session: &SessionRow, zone: &TimeZone) -> Result<Vec<Bucket>, ApiError> {
    let bounds = bounds(session.first_at, session.last_at, session.is_exact, zone);
    let filter = Filter { sessions: vec![Arc::clone(&session.session)], ..Filter::default() };
    Ok(readers.trend(&bounds, &filter, Split::Nothing)?)
}

/// Where each step begins, and where the last one ends.
fn bounds(first: UnixMillis, last: UnixMillis, is_exact: bool, zone: &TimeZone) -> Vec<UnixMillis> {
    let lasted = last.0 - first.0;
    // Without detail nothing is known within a quarter hour.
    let fine: &[i64] = if is_exact { &[MINUTE, 5 * MINUTE, QUARTER] } else { &[QUARTER] };
    // Quarter hours are the same in every zone, and so are their parts.
    if let Some(width) = fine.iter().copied().find(|width| lasted / width < STEPS) {
        let steps = first.0.div_euclid(width)..=last.0.div_euclid(width) + 1;
        return steps.map(|step| UnixMillis(step * width)).collect();
    }
    let period = if lasted / HOUR < STEPS { Period::Hour } else { Period::Day };
    let span = Span { from: period.start_of(first, zone), to: period.end_of(last, zone) };
    period.bounds(span, zone, MOST_DAYS).unwrap_or_default()
}

/// None where all of it is in one step.
pub(super) fn chart(visit: &Visit, buckets: &[Bucket]) -> Option<Columns> {
    let width = buckets.first().map(|bucket| bucket.to.0 - bucket.from.0).filter(|_| buckets.len() > 1)?;
    let (t, format) = (&visit.words().sessions, &visit.format);
    let step = |bucket: &Bucket| {
        let date = day(bucket.from, visit.zone());
        let clock = format.time(bucket.from);
        let (hour, minute) = clock.split_once(':').unwrap_or_default();
        let landmark = match width {
            MINUTE => minute.ends_with(['0', '5']),
            width if width < QUARTER => matches!(minute, "00" | "15" | "30" | "45"),
            QUARTER => minute == "00",
            width if width <= HOUR => matches!(hour, "00" | "06" | "12" | "18"),
            _ => date.day() == 1,
        };
        Step {
            name: if width > HOUR { format.day(date) } else { format!("{} {clock}", format.day(date)) },
            label: if width > HOUR || (width == HOUR && hour == "00") { format.short_day(date) } else { clock.clone() },
            landmark,
            tally: bucket.tally,
            note: None,
        }
    };
    let rhythm = match width {
        width if width < QUARTER => 3,
        width if width <= HOUR => 12,
        _ => 7,
    };
    let length = match width {
        ..HOUR => format.duration(width),
        HOUR => t.step_hour.to_string(),
        _ => t.step_day.to_string(),
    };
    let words = ColumnsWords {
        frame: Frame {
            id: "time".to_owned(),
            label: t.chart_label.with("n", buckets.len()).into(),
            caption: t.chart_caption.with("step", length).with("zone", format.zone_name()).into(),
            table: visit.words().common.table.to_string(),
        },
        columns: t.time.to_string(),
        ..ColumnsWords::default()
    };
    Some(columns(visit, buckets.iter().map(step).collect(), rhythm, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = UnixMillis::DAY;

    #[test]
    fn steps_fit_the_length() {
        let check = |lasted: i64, is_exact: bool, zone: &TimeZone, count: usize, width: i64| {
            let first = UnixMillis(1_795_438_800_000 + 90_000);
            let bounds = bounds(first, UnixMillis(first.0 + lasted), is_exact, zone);
            let last = bounds.last().copied().unwrap_or(first);
            assert!(bounds[0] <= first && first.0 + lasted < last.0, "{lasted}");
            assert_eq!((bounds.len() - 1, bounds[1].0 - bounds[0].0), (count, width), "{lasted}");
        };
        let utc = TimeZone::UTC;
        check(0, true, &utc, 1, MINUTE);
        check(10 * MINUTE, true, &utc, 11, MINUTE);
        check(10 * MINUTE, false, &utc, 1, QUARTER);
        check(2 * HOUR, true, &utc, 25, 5 * MINUTE);
        check(10 * HOUR, true, &utc, 41, QUARTER);
        check(30 * HOUR, true, &utc, 31, HOUR);
        check(9 * DAY, true, &utc, 10, DAY);
        check(30 * HOUR, true, &TimeZone::get("Asia/Kathmandu").unwrap(), 31, HOUR);
    }
}
