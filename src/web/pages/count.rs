//! Counts of tokens and of things: short for the eye, exact for everything else.

use std::fmt;

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

    /// The number as it is.
    pub fn exact(self) -> u64 {
        self.0
    }
}

/// Three significant digits.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shortened(self.0, &THOUSANDS))
    }
}

/// A power of ten and what it is called.
type Unit = (u32, &'static str);

/// As English has them.
pub const THOUSANDS: [Unit; 6] = [(3, "K"), (6, "M"), (9, "B"), (12, "T"), (15, "Qa"), (18, "Qi")];

/// As Chinese has them.
pub const MYRIADS: [Unit; 3] = [(4, "万"), (8, "亿"), (12, "万亿")];

/// A round number on an axis: without the zeros that say nothing.
pub fn rounded(count: u64, units: &[Unit]) -> String {
    let text = shortened(count, units);
    let Some((whole, rest)) = text.split_once('.') else { return text };
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.trim_end_matches(|c: char| !c.is_ascii_digit()).trim_end_matches('0') {
        "" => format!("{whole}{unit}"),
        decimals => format!("{whole}.{decimals}{unit}"),
    }
}

/// Three significant digits and a unit; all digits below the first unit.
pub fn shortened(count: u64, units: &[Unit]) -> String {
    let exact = u128::from(count);
    if units.first().is_none_or(|(power, _)| exact < 10_u128.pow(*power)) {
        return if exact < 1000 { count.to_string() } else { Count(count).grouped() };
    }
    for (place, (power, name)) in units.iter().enumerate() {
        let next = units.get(place + 1).map(|(next, _)| 10_u128.pow(next - power));
        for decimals in [2, 1, 0] {
            let step = 10_u128.pow(power - decimals);
            let rounded = (exact + step / 2) / step;
            let (whole, rest) = (rounded / 10_u128.pow(decimals), rounded % 10_u128.pow(decimals));
            let fits = match decimals {
                0 => next.is_none_or(|next| rounded < next),
                _ => rounded < 1000,
            };
            match decimals {
                _ if !fits => {}
                0 => return format!("{whole}{name}"),
                1 => return format!("{whole}.{rest}{name}"),
                _ => return format!("{whole}.{rest:02}{name}"),
            }
        }
    }
    Count(count).grouped()
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
        let labels = [0, 5, 500, 1000, 1500, 20_000, 250_000, 15_500_000].map(|count| rounded(count, &THOUSANDS));
        assert_eq!(labels, ["0", "5", "500", "1K", "1.5K", "20K", "250K", "15.5M"]);
        let labels = [500, 20_000, 15_500_000].map(|count| rounded(count, &MYRIADS));
        assert_eq!(labels, ["500", "2万", "1550万"]);
    }

    #[test]
    fn counts_of_things() {
        assert_eq!([Count(999_999).things(), Count(1_000_000).things()], ["999,999", "1.00M"]);
    }

    #[test]
    fn counts_in_chinese() {
        let short = |count| shortened(count, &MYRIADS);
        let shown =
            [0, 999, 9_999, 10_000, 123_456, 9_994_999, 12_345_678, 99_999_999, 1_234_567_890, 5_000_000_000_000];
        let expected = ["0", "999", "9,999", "1.00万", "12.3万", "999万", "1235万", "1.00亿", "12.3亿", "5.00万亿"];
        assert_eq!(shown.map(short), expected.map(str::to_owned));
        assert_eq!(short(u64::MAX), "18446744万亿");
    }
}
