//! Ranges of time that people choose from, and the equal one before, to compare with.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::event::UnixMillis;
use crate::store::Span;
use crate::web::api::scope::{day, start_of};
use crate::web::error::ApiError;

/// A range of time. All but the first are whole days of a zone, today included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// The present hour and the 23 before.
    Day,
    Week,
    #[default]
    Thirty,
    Ninety,
    /// The present month so far.
    Month,
    All,
    Custom {
        first: Date,
        last: Date,
    },
}

const HOUR: i64 = 3_600_000;
const QUARTER: i64 = 900_000;

impl Range {
    /// What one can choose without saying more.
    pub const CHOICES: [Self; 6] = [Self::Day, Self::Week, Self::Thirty, Self::Ninety, Self::Month, Self::All];

    /// All names in the address; the first is the default.
    pub const NAMES: [&'static str; 7] = ["30d", "24h", "7d", "90d", "month", "all", "custom"];

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Thirty => "30d",
            Self::Ninety => "90d",
            Self::Month => "month",
            Self::All => "all",
            Self::Custom { .. } => "custom",
        }
    }

    /// The range with a name. A first and a last day are one of their own, and it takes both.
    pub fn of(name: &str, first: Option<Date>, last: Option<Date>) -> Result<Self, ApiError> {
        match (first, last) {
            (Some(first), Some(last)) if first <= last => Ok(Self::Custom { first, last }),
            (Some(_), Some(last)) => {
                Err(ApiError::contradiction("start", "it begins after it ends", format!("not after {last}")))
            }
            (None, None) if name != "custom" => {
                Ok(Self::CHOICES.into_iter().find(|range| range.name() == name).unwrap_or_default())
            }
            (None, _) => Err(ApiError::parameter("start", "it is missing", "a day such as 2026-01-31")),
            (Some(_), None) => Err(ApiError::parameter("end", "it is missing", "a day such as 2026-01-31")),
        }
    }

    /// How many days, where that is always the same.
    fn days(self) -> Option<i64> {
        match self {
            Self::Week => Some(7),
            Self::Thirty => Some(30),
            Self::Ninety => Some(90),
            _ => None,
        }
    }

    /// From when to when it is.
    pub fn span(self, now: UnixMillis, zone: &TimeZone) -> Result<Span, ApiError> {
        let today = day(now, zone);
        let whole_days = |first: Date, last: Date| {
            let to = start_of(last.tomorrow().unwrap_or(Date::MAX), zone)?;
            Ok(Span { from: start_of(first, zone)?, to })
        };
        match self {
            Self::Day => {
                let to = UnixMillis((now.0.div_euclid(HOUR) + 1) * HOUR);
                Ok(Span { from: UnixMillis(to.0 - 24 * HOUR), to })
            }
            Self::Week | Self::Thirty | Self::Ninety => {
                whole_days(today.saturating_sub((self.days().unwrap_or(1) - 1).days()), today)
            }
            Self::Month => whole_days(today.first_of_month(), today),
            Self::All => Ok(Span::ALL),
            Self::Custom { first, last } => whole_days(first, last),
        }
    }

    /// The equal range before: as long, and up to the same time of day if the range is still going on. None: there is
    /// none, or the range has not begun.
    pub fn before(self, now: UnixMillis, zone: &TimeZone) -> Option<Span> {
        if self == Self::All {
            return None;
        }
        let span = self.span(now, zone).ok()?;
        // To the quarter hour, so that whoever asks twice asks the same.
        let elapsed = (now.0.min(span.to.0) - span.from.0).div_euclid(QUARTER) * QUARTER;
        if elapsed <= 0 {
            return None;
        }
        let from = match self {
            Self::Day => UnixMillis(span.from.0 - 24 * HOUR),
            Self::Month => start_of(day(span.from, zone).checked_sub(1.month()).ok()?, zone).ok()?,
            _ => {
                let (first, last) = (day(span.from, zone), day(UnixMillis(span.to.0 - 1), zone));
                let days = i64::from(first.until(last).ok()?.get_days()) + 1;
                start_of(first.checked_sub(days.days()).ok()?, zone).ok()?
            }
        };
        // A month may be shorter than the days that have passed of the next.
        Some(Span { from, to: UnixMillis((from.0 + elapsed).min(span.from.0)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn shown(span: Span) -> (String, String) {
        let show = |at: UnixMillis| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string();
        (show(span.from), show(span.to))
    }

    #[test]
    fn ranges_are_days_of_the_zone_and_compared_with_as_much_time() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now = at("2026-11-23T12:40:00Z");
        let check = |range: Range, span: [&str; 2], before: [&str; 2]| {
            assert_eq!(shown(range.span(now, &berlin).unwrap()), (span[0].to_owned(), span[1].to_owned()), "{range:?}");
            let found = shown(range.before(now, &berlin).unwrap());
            assert_eq!(found, (before[0].to_owned(), before[1].to_owned()), "before {range:?}");
        };
        check(
            Range::Day,
            ["2026-11-22T13:00:00Z", "2026-11-23T13:00:00Z"],
            ["2026-11-21T13:00:00Z", "2026-11-22T12:30:00Z"],
        );
        check(
            Range::Week,
            ["2026-11-16T23:00:00Z", "2026-11-23T23:00:00Z"],
            ["2026-11-09T23:00:00Z", "2026-11-16T12:30:00Z"],
        );
        // Clocks went back on October 25.
        check(
            Range::Thirty,
            ["2026-10-24T22:00:00Z", "2026-11-23T23:00:00Z"],
            ["2026-09-24T22:00:00Z", "2026-10-24T12:30:00Z"],
        );
        check(
            Range::Month,
            ["2026-10-31T23:00:00Z", "2026-11-23T23:00:00Z"],
            ["2026-09-30T22:00:00Z", "2026-10-23T11:30:00Z"],
        );
        let custom = Range::of("30d", "2026-01-01".parse().ok(), "2026-01-31".parse().ok()).unwrap();
        check(
            custom,
            ["2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z"],
            ["2025-11-30T23:00:00Z", "2025-12-31T23:00:00Z"],
        );
    }

    #[test]
    fn what_has_no_equal_before() {
        let now = at("2026-11-23T12:40:00Z");
        assert_eq!(Range::All.span(now, &TimeZone::UTC).unwrap(), Span::ALL);
        assert_eq!(Range::All.before(now, &TimeZone::UTC), None);
        let future = Range::of("", "2027-01-01".parse().ok(), "2027-01-31".parse().ok()).unwrap();
        assert_eq!(future.before(now, &TimeZone::UTC), None);
        let march = at("2026-03-31T12:00:00Z");
        let before = Range::Month.before(march, &TimeZone::UTC).unwrap();
        assert_eq!(shown(before), ("2026-02-01T00:00:00Z".to_owned(), "2026-03-01T00:00:00Z".to_owned()));
    }
}
