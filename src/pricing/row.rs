//! One row of prices, as the data file and users' overrides write it, read without ever rounding.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The prices of one model from one day on. `prices.toml` explains every key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRow {
    pub model: Arc<str>,
    #[serde(default)]
    pub aliases: Vec<String>,
    /// First UTC day of the price; left out, it holds for all time.
    #[serde(default)]
    pub effective_date: Day,
    pub retired_date: Option<Day>,
    pub input: Price,
    pub output: Price,
    pub cache_write_5m: Price,
    pub cache_write_1h: Price,
    pub cache_read: Price,
    pub long_context: Option<LongContext>,
    pub fast_multiplier: Option<Multiplier>,
    pub fast_until: Option<Day>,
    pub us_inference_multiplier: Option<Multiplier>,
    pub batch_multiplier: Option<Multiplier>,
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default)]
    pub confidence: Confidence,
    pub note: Option<String>,
}

/// The card for a whole request whose prompt is larger than `threshold` tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContext {
    pub threshold: u64,
    pub input: Price,
    pub output: Price,
    pub cache_write_5m: Price,
    pub cache_write_1h: Price,
    pub cache_read: Price,
}

/// Where a price was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Anthropic's own page, or an exact copy of it.
    Official,
    /// Somebody's report about such a page.
    Secondary,
    /// Computed by the usual ratios between prices.
    Derived,
    /// The user's own configuration.
    #[default]
    User,
}

impl Confidence {
    /// The word that the data file uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::Secondary => "secondary",
            Self::Derived => "derived",
            Self::User => "user",
        }
    }
}

/// A price in pico-dollars per token. It is written as US dollars per million tokens, which is the same number with six
/// decimals: 0.125 is 125,000 pico-dollars per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

impl Price {
    const DECIMALS: u32 = 6;
    /// A million dollars per million tokens: beyond any price, and low enough that no product overflows.
    const LIMIT: Self = Self(1_000_000 * 10u64.pow(Self::DECIMALS));
}

/// A factor in thousandths: 1.1 is 1100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiplier(pub u32);

impl Multiplier {
    const DECIMALS: u32 = 3;
    /// What leaves a price as it is.
    pub const ONE: Self = Self(10u32.pow(Self::DECIMALS));
    /// A hundredfold.
    const LIMIT: Self = Self(100 * Self::ONE.0);
}

/// A UTC day, counted from 1970-01-01 and written `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of a price without a date: before every response there is.
    pub const ALWAYS: Self = Self(0);
    const ZERO: Date = Date::constant(1970, 1, 1);
}

/// Reads a decimal as an integer of `decimals` further digits. The text is taken digit by digit: binary fractions have
/// no 0.1.
fn scaled(text: &str, decimals: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let width = usize::try_from(decimals).ok().filter(|width| fraction.len() <= *width)?;
    format!("{whole}{fraction:0<width$}").parse().ok()
}

/// Writes such an integer as a decimal without superfluous zeros.
fn unscaled(value: u64, decimals: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let one = 10u64.pow(decimals);
    let (whole, rest) = (value / one, value % one);
    let width = usize::try_from(decimals).unwrap_or_default();
    let text = format!("{whole}.{rest:0width$}");
    f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
}

/// A decimal as a user may write it: `0.125`, `8`, or either in quotes. The shortest text that stands for a float is
/// the text that was written, up to its fifteenth digit.
fn decimal<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(input)? {
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::String(text) => Ok(text),
        other => Err(D::Error::custom(format_args!("expected a number, found {}", other.type_str()))),
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = decimal(input)?;
        scaled(&text, Self::DECIMALS).map(Self).filter(|price| *price <= Self::LIMIT).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{text} is not a price; expected US dollars per million tokens, 0 to 1000000, with up to six decimals"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Multiplier {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = decimal(input)?;
        let thousandths = scaled(&text, Self::DECIMALS).and_then(|value| u32::try_from(value).ok());
        thousandths.map(Self).filter(|factor| *factor <= Self::LIMIT).ok_or_else(|| {
            D::Error::custom(format_args!("{text} is not a multiplier; expected 0 to 100 with up to three decimals"))
        })
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(input)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(date) => date.to_string(),
            other => return Err(D::Error::custom(format_args!("expected a date, found {}", other.type_str()))),
        };
        text.parse().map_err(D::Error::custom)
    }
}

impl std::str::FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = Date::strptime("%Y-%m-%d", text).ok().filter(|date| *date >= Self::ZERO);
        let date = date.ok_or_else(|| format!("{text} is not a day; expected YYYY-MM-DD, 1970 or later"))?;
        Ok(Self(date.duration_since(Self::ZERO).as_hours() / 24))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::ZERO.checked_add(jiff::SignedDuration::from_hours(self.0.saturating_mul(24))) {
            Ok(date) => date.fmt(f),
            Err(_) => write!(f, "day {}", self.0),
        }
    }
}

impl fmt::Display for Price {
    /// US dollars per million tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unscaled(self.0, Self::DECIMALS, f)
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unscaled(u64::from(self.0), Self::DECIMALS, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct One<T> {
        x: T,
    }

    fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
        toml::from_str::<One<T>>(&format!("x = {text}")).map(|one| one.x).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn prices_are_read_to_the_last_digit() {
        let check = |text: &str, expected: u64| assert_eq!(read(text), Ok(Price(expected)), "{text}");
        check("0.1", 100_000);
        check("0.125", 125_000);
        check("18.75", 18_750_000);
        check("0.000001", 1);
        check("1.0", 1_000_000);
        check("75", 75_000_000);
        check("'37.500000'", 37_500_000);
        check("0", 0);
        check("1000000", 1_000_000_000_000);
    }

    #[test]
    fn what_is_not_a_price_is_refused() {
        for text in ["-1", "0.0000001", "1000000.1", "nan", "inf", "''", "'1,5'", "'.5'", "'1.'", "'$1'", "true", "[]"]
        {
            assert!(read::<Price>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn multipliers() {
        assert_eq!(read("1.1"), Ok(Multiplier(1100)));
        assert_eq!(read("6"), Ok(Multiplier(6000)));
        assert_eq!(read("0.5"), Ok(Multiplier(500)));
        assert!(read::<Multiplier>("1.0001").is_err());
        assert!(read::<Multiplier>("101").is_err());
    }

    #[test]
    fn days() {
        assert_eq!(read("'1970-01-02'"), Ok(Day(1)));
        assert_eq!(read("2026-03-13"), Ok(Day(20_525)), "TOML has dates of its own");
        for text in ["'2026-02-30'", "'1969-12-31'", "'13.3.2026'", "2026-03-13T00:00:00Z", "5"] {
            assert!(read::<Day>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for (price, text) in [(125_000, "0.125"), (18_750_000, "18.75"), (75_000_000, "75"), (0, "0"), (1, "0.000001")]
        {
            assert_eq!(Price(price).to_string(), text);
        }
        assert_eq!(Multiplier(1100).to_string(), "1.1");
        assert_eq!(Day(20_525).to_string(), "2026-03-13");
        assert_eq!(Day::ALWAYS.to_string(), "1970-01-01");
    }
}
