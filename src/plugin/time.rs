//! Times as users write them in a plugin's section.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A length of time as `"500ms"`, `"90s"`, `"5m"`, `"1h"` or `"7d"`; the same forms as everywhere in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.trim_end().parse().ok()?;
        let millis: u64 = match text.get(digits.len()..)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let time = Duration::from_millis(number.checked_mul(millis)?);
        (time <= Duration::from_secs(366 * 86_400)).then_some(Self(time))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| {
            let words =
                format!("`{text}` is no length of time; expected a number and ms, s, m, h or d, such as \"30s\"");
            serde::de::Error::custom(words)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(Time::parse(text), expected.map(|millis| Time(Duration::from_millis(millis))), "{text}");
        };
        check("0s", Some(0));
        check("250ms", Some(250));
        check("90s", Some(90_000));
        check("2m", Some(120_000));
        check("1h", Some(3_600_000));
        check("7d", Some(7 * 86_400_000));
        for wrong in ["", "5", "s", "-1s", "1.5s", "1w", "400d", "99999999999999999999s"] {
            check(wrong, None);
        }
    }
}
