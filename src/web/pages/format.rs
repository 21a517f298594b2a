//! Numbers, money and instants as people read them. The exact value always goes along.

use std::fmt;

use jiff::tz::TimeZone;

use crate::event::{PicoUsd, UnixMillis};

/// A count: short for the eye (`1.23M`), exact for everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Count {
    /// `1,234,567`
    pub fn grouped(self) -> String {
        self.groups().join(",")
    }

    /// The digits in groups of three: `["1", "234", "567"]`.
    pub fn groups(self) -> Vec<String> {
        let mut rest = self.0;
        let mut groups = Vec::new();
        while rest >= 1000 {
            groups.push(format!("{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.push(rest.to_string());
        groups.reverse();
        groups
    }

    /// For counts of things rather than of tokens: exact as long as that is short enough to read.
    pub fn things(self) -> String {
        if self.0 < 1_000_000 { self.grouped() } else { self.to_string() }
    }

    /// For a round number on an axis: without the zeros that say nothing.
    pub fn round(self) -> String {
        let text = self.to_string();
        let Some((whole, rest)) = text.split_once('.') else { return text };
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        match rest.trim_end_matches(char::is_alphabetic).trim_end_matches('0') {
            "" => format!("{whole}{unit}"),
            decimals => format!("{whole}.{decimals}{unit}"),
        }
    }

    /// The number as it is.
    pub fn exact(self) -> u64 {
        self.0
    }
}

/// Three significant digits.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(f, "{}", self.0);
        }
        let exact = u128::from(self.0);
        let mut divisor = 1;
        for unit in ["K", "M", "B", "T", "Qa", "Qi"] {
            divisor *= 1000;
            for decimals in [2, 1, 0] {
                let step = divisor / 10_u128.pow(decimals);
                let rounded = (exact + step / 2) / step;
                if rounded < 1000 {
                    let (whole, rest) = (rounded / 10_u128.pow(decimals), rounded % 10_u128.pow(decimals));
                    return match decimals {
                        0 => write!(f, "{whole}{unit}"),
                        1 => write!(f, "{whole}.{rest}{unit}"),
                        _ => write!(f, "{whole}.{rest:02}{unit}"),
                    };
                }
            }
        }
        unreachable!("the largest count is eighteen quintillions")
    }
}

/// Dollars and cents; what is more than nothing is never shown as nothing.
pub fn usd(amount: PicoUsd) -> String {
    const CENT: i128 = 10_000_000_000;
    let cents = u64::try_from((amount.0.max(0) + CENT / 2) / CENT).unwrap_or(u64::MAX);
    if cents == 0 && amount.0 > 0 {
        return "<$0.01".to_owned();
    }
    format!("${}.{:02}", Count(cents / 100).grouped(), cents % 100)
}

/// A share, 0 to 1, with one decimal: `93.4%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// `part` of `whole`, 0 to 1; nothing of nothing is nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// `1.2 GiB`
#[expect(clippy::cast_precision_loss, reason = "two significant digits for display")]
pub fn bytes(count: u64) -> String {
    let mut size = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{size} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// `2026-11-23 14:05`, as the clocks of the zone show it.
pub fn instant(at: UnixMillis, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "at an impossible time".to_owned(),
    }
}

/// What people call the zone.
pub fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None if *zone == TimeZone::UTC => "UTC".to_owned(),
        None => "the local time zone".to_owned(),
    }
}

/// A name out of a transcript, which may be anything, at a length that fits.
pub fn cut(name: &str) -> String {
    const LONGEST: usize = 64;
    if name.chars().nth(LONGEST).is_none() {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        fn check(count: u64, short: &str, grouped: &str) {
            assert_eq!((Count(count).to_string(), Count(count).grouped()), (short.to_owned(), grouped.to_owned()));
        }
        check(0, "0", "0");
        check(999, "999", "999");
        check(1000, "1.00K", "1,000");
        check(1234, "1.23K", "1,234");
        check(9_994, "9.99K", "9,994");
        check(9_996, "10.0K", "9,996");
        check(12_345, "12.3K", "12,345");
        check(99_949, "99.9K", "99,949");
        check(99_950, "100K", "99,950");
        check(123_456, "123K", "123,456");
        check(999_499, "999K", "999,499");
        check(999_500, "1.00M", "999,500");
        check(1_234_567_890, "1.23B", "1,234,567,890");
        check(5_000_000_000_000, "5.00T", "5,000,000,000,000");
        check(u64::MAX, "18.4Qi", "18,446,744,073,709,551,615");
    }

    #[test]
    fn counts_on_an_axis() {
        let labels = [0, 5, 500, 1000, 1500, 20_000, 250_000, 15_500_000].map(|count| Count(count).round());
        assert_eq!(labels, ["0", "5", "500", "1K", "1.5K", "20K", "250K", "15.5M"]);
    }

    #[test]
    fn counts_of_things() {
        assert_eq!([Count(999_999).things(), Count(1_000_000).things()], ["999,999", "1.00M"]);
    }

    #[test]
    fn money() {
        fn check(pico: i128, expected: &str) {
            assert_eq!(usd(PicoUsd(pico)), expected);
        }
        check(0, "$0.00");
        check(1, "<$0.01");
        check(4_999_999_999, "<$0.01");
        check(5_000_000_000, "$0.01");
        check(1_234_560_000_000_000, "$1,234.56");
        check(999_999_000_000_000_000, "$999,999.00");
        check(-5, "$0.00");
    }

    #[test]
    fn names() {
        assert_eq!(cut("claude"), "claude");
        assert_eq!(cut(&"é".repeat(64)), "é".repeat(64));
        assert_eq!(cut(&"é".repeat(65)), format!("{}…", "é".repeat(63)));
    }

    #[test]
    fn sizes_shares_and_instants() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536), bytes(3 << 30)], ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]);
        assert_eq!([percent(share(1, 3)), percent(share(0, 0)), percent(1.0)], ["33.3%", "0.0%", "100.0%"]);
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(instant(UnixMillis(1_795_438_800_000), &berlin), "2026-11-23 14:00");
        assert_eq!(instant(UnixMillis(i64::MAX), &berlin), "at an impossible time");
        assert_eq!([zone_name(&berlin), zone_name(&TimeZone::UTC)], ["Europe/Berlin", "UTC"]);
    }
}
