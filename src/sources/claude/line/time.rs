//! Timestamps in every form that transcripts have had: RFC 3339 and its relaxed relatives, epoch seconds and finer
//! units, as numbers or as text. Never invents a time: what cannot be read is `None`.

use super::json::Scalar;
use crate::event::UnixMillis;

/// 2023-01-01T00:00:00Z. Claude Code did not exist yet.
const TOO_EARLY: i64 = 1_672_531_200_000;
/// 10000-01-01T00:00:00Z, the end of four-digit years.
const END: i64 = 253_402_300_800_000;

/// Whether a time, though readable, can hardly be true: before 2023 or more than a day from now.
pub(super) fn is_odd(at: UnixMillis, now: UnixMillis) -> bool {
    at.0 < TOO_EARLY || at.0 > now.0.saturating_add(UnixMillis::DAY)
}

/// Reads the value of a `timestamp` member.
pub(super) fn read(value: &Scalar<'_>) -> Option<UnixMillis> {
    match value {
        Scalar::Text(text) => from_text(text),
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of four-digit years are exact")]
        Scalar::Unsigned(number) => from_number(*number as f64),
        Scalar::Float(number) => from_number(*number),
        Scalar::Null | Scalar::Bool(_) | Scalar::Negative | Scalar::Composite => None,
    }
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
pub(super) fn from_number(number: f64) -> Option<UnixMillis> {
    let millis = match number {
        n if n < 1e11 => n * 1e3,
        n if n < 1e14 => n,
        n if n < 1e17 => n / 1e3,
        n => n / 1e6,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates and `instant` checks the range")]
    instant(millis as i64)
}

fn from_text(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    canonical(text.as_bytes()).or_else(|| relaxed(text.as_bytes())).or_else(|| {
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        from_number(text.parse().ok().filter(|_| numeric)?)
    })
}

/// The form that Claude Code writes: `2026-11-20T23:59:59.800Z`.
fn canonical(text: &[u8]) -> Option<UnixMillis> {
    let text: &[u8; 24] = text.try_into().ok()?;
    if [text[4], text[7], text[10], text[13], text[16], text[19], text[23]] != *b"--T::.Z" {
        return None;
    }
    let day = day_number(digits(&text[0..4])?, digits(&text[5..7])?, digits(&text[8..10])?)?;
    let time = day_time(digits(&text[11..13])?, digits(&text[14..16])?, digits(&text[17..19])?)?;
    instant(day * UnixMillis::DAY + time + digits(&text[20..23])?)
}

/// A date; then, if at all, a time with any or no fraction; then an offset, or none for UTC.
fn relaxed(text: &[u8]) -> Option<UnixMillis> {
    let (date, rest) = text.split_at_checked(10)?;
    if (date[4], date[7]) != (b'-', b'-') {
        return None;
    }
    let day = day_number(digits(&date[0..4])?, digits(&date[5..7])?, digits(&date[8..10])?)?;
    let (time, offset) = match rest {
        [] => (0, 0),
        [b'T' | b't' | b' ', rest @ ..] => {
            let zone = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b'.' | b','));
            let (time, zone) = rest.split_at(zone.unwrap_or(rest.len()));
            (time_of_day(time)?, offset(zone.trim_ascii_start())?)
        }
        _ => return None,
    };
    instant(day * UnixMillis::DAY + time - offset)
}

/// `HH:MM`, `HH:MM:SS` or either with a fraction of any length, in milliseconds.
fn time_of_day(time: &[u8]) -> Option<i64> {
    let (clock, fraction) = match time.iter().position(|byte| matches!(byte, b'.' | b',')) {
        Some(point) => (&time[..point], &time[point + 1..]),
        None => (time, &[][..]),
    };
    let mut parts = clock.split(|byte| *byte == b':');
    let mut part = || parts.next().map(|part| if part.len() == 2 { digits(part) } else { None });
    let (hour, minute, second) = (part()??, part()??, part().unwrap_or(Some(0))?);
    if parts.next().is_some() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| fraction.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    Some(day_time(hour, minute, second)? + digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// `Z`, nothing, `+HH`, `+HHMM` or `+HH:MM`, in milliseconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, a, b] => (sign, [*a, *b], *b"00"),
        [sign, a, b, c, d] | [sign, a, b, b':', c, d] => (sign, [*a, *b], [*c, *d]),
        _ => return None,
    };
    let east = day_time(digits(&hours)?, digits(&minutes)?, 0)?;
    match sign {
        b'+' => Some(east),
        b'-' => Some(-east),
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Milliseconds into the day. A leap second is counted as the second before it, so that it stays in its day.
fn day_time(hour: i64, minute: i64, second: i64) -> Option<i64> {
    let ok = hour < 24 && minute < 60 && second <= 60;
    ok.then(|| ((hour * 60 + minute) * 60 + second.min(59)) * 1000)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=month_length).contains(&day) {
        return None;
    }
    // Counted in years that begin in March, so that the leap day is the last one. The year 0 began on day -719468.
    let march_year = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = march_year.div_euclid(4) - march_year.div_euclid(100) + march_year.div_euclid(400);
    Some(march_year * 365 + leap_days + day_of_year - 719_468)
}

/// Clocks that were never set say 1970 or, in some languages, the year 1: that is no time at all.
fn instant(millis: i64) -> Option<UnixMillis> {
    (millis > 0 && millis < END).then_some(UnixMillis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(from_text(text), expected.map(UnixMillis), "{text}");
    }

    #[test]
    fn every_spelling_of_one_instant() {
        for text in [
            "2026-11-20T23:59:59.800Z",
            "2026-11-20T23:59:59.8Z",
            "2026-11-20t23:59:59.800z",
            "2026-11-20T23:59:59.800",
            "2026-11-20 23:59:59.800",
            "2026-11-20 23:59:59,800",
            "2026-11-20T23:59:59.800123456Z",
            "2026-11-20T23:59:59.800999999Z",
            "2026-11-20T23:59:60.800Z",
            "2026-11-21T01:59:59.800+02:00",
            "2026-11-21T01:59:59.800+0200",
            "2026-11-21 01:59:59.800 +02",
            "2026-11-20T18:29:59.800-05:30",
            " 2026-11-20T23:59:59.800Z ",
            "1795219199800",
            "1795219199.800",
            "1795219199800000",
            "1795219199800000000",
        ] {
            check(text, Some(1_795_219_199_800));
        }
        check("1795219199", Some(1_795_219_199_000));
        check("2026-11-20T23:59", Some(1_795_219_140_000));
        check("2026-11-20", Some(1_795_132_800_000));
    }

    #[test]
    fn numbers_are_told_apart_by_size() {
        for number in [1_795_219_199.8, 1_795_219_199_800.0, 1_795_219_199_800_000.0] {
            assert_eq!(from_number(number), Some(UnixMillis(1_795_219_199_800)));
        }
        for number in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(from_number(number), None, "{number}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00.000Z",
            "2026-02-29T00:00:00.000Z",
            "2026-04-31T00:00:00.000Z",
            "2026-11-00T00:00:00.000Z",
            "2026-11-20T24:00:00.000Z",
            "2026-11-20T23:60:00.000Z",
            "2026-11-20T23:59:61.000Z",
            "2026-11-20T23:59:59.80xZ",
            "2026-11-20T23:59:59.800+25:00",
            "2026-11-20T23:59:59.800 Mars",
            "2026-11-20T23",
            "2026/11/20T23:59:59.800Z",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00.000Z",
            "0",
            "\u{1f600}\u{1f600}\u{1f600}",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = day_number(1970, 1, 1).unwrap();
        assert_eq!(expected, 0);
        for year in 1970..2370 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(number) = day_number(year, month, day) {
                        assert_eq!(number, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 146_097);
    }

    #[test]
    fn odd_times() {
        let now = UnixMillis(1_795_219_199_800);
        assert!(!is_odd(now, now));
        assert!(!is_odd(UnixMillis(now.0 + UnixMillis::DAY), now));
        assert!(is_odd(UnixMillis(now.0 + UnixMillis::DAY + 1), now));
        assert!(!is_odd(UnixMillis(TOO_EARLY), now));
        assert!(is_odd(UnixMillis(TOO_EARLY - 1), now));
    }
}
