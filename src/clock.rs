//! The wall clock as a value that is passed in, so that tests decide what day it is.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::event::UnixMillis;

/// Tells the time. Timers use the monotonic clock instead; this one is only for instants that are stored or shown.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        }))
    }

    /// A clock that stands still.
    pub fn fixed(at: UnixMillis) -> Self {
        Self(Arc::new(move || at))
    }

    /// The present instant.
    pub fn now(&self) -> UnixMillis {
        (self.0)()
    }
}

/// A stretch of time that budgets are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday on (ISO 8601).
    Week,
    Month,
}

/// The clock, and whose days its days are.
#[derive(Clone)]
pub struct Calendar {
    pub clock: Clock,
    pub zone: TimeZone,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { clock: Clock::system(), zone: TimeZone::UTC }
    }
}

impl Calendar {
    /// When the present day, week or month began. `None` at the ends of what a calendar can express.
    pub fn began(&self, period: Period) -> Option<UnixMillis> {
        let now = Timestamp::from_millisecond(self.clock.now().0).ok()?.to_zoned(self.zone.clone());
        let today = now.date();
        let first = match period {
            Period::Day => today,
            Period::Week => {
                let days = i64::from(today.weekday().to_monday_zero_offset());
                today.checked_sub(jiff::Span::new().days(days)).ok()?
            }
            Period::Month => today.first_of_month(),
        };
        let start = first.to_zoned(self.zone.clone()).ok()?;
        Some(UnixMillis(start.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_the_zone_says() {
        fn check(now: &str, zone: &str, expected: [&str; 3]) {
            let millis = |text: &str| UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond());
            let calendar = Calendar { clock: Clock::fixed(millis(now)), zone: TimeZone::get(zone).unwrap() };
            let began = [Period::Day, Period::Week, Period::Month].map(|period| calendar.began(period).unwrap());
            assert_eq!(began, expected.map(millis), "{now} {zone}");
        }
        check("2026-11-25T07:00:00Z", "UTC", ["2026-11-25T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-01T00:00:00Z"]);
        // A Sunday evening in UTC is a Monday in Kathmandu.
        check(
            "2026-11-29T18:30:00Z",
            "Asia/Kathmandu",
            ["2026-11-29T18:15:00Z", "2026-11-29T18:15:00Z", "2026-10-31T18:15:00Z"],
        );
        // The clock changed on this day and in this month.
        check(
            "2026-11-01T20:00:00Z",
            "America/New_York",
            ["2026-11-01T04:00:00Z", "2026-10-26T04:00:00Z", "2026-11-01T04:00:00Z"],
        );
    }
}
