//! Settings of how pages show things: their language, and the currency of money.

use jiff::civil::Date;

use super::error::ConfigError;
use super::keys;
use super::origins::Layers;
use super::value::{Value, by_name, name_of};

/// The language of the pages, for whoever has chosen none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanguageChoice {
    /// As the browser asks for it.
    #[default]
    Auto,
    English,
    Chinese,
}

impl LanguageChoice {
    /// Every choice with its name.
    pub const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("en", Self::English), ("zh-CN", Self::Chinese)];
}

impl Value for LanguageChoice {
    fn expected() -> String {
        "one of auto, en, zh-CN".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        by_name(&Self::ALL, text)
    }

    fn show(&self) -> String {
        name_of(&Self::ALL, self)
    }
}

/// What money is shown in. Prices stay in US dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencySettings {
    /// ISO 4217.
    pub code: String,
    /// What one US dollar is, in millionths.
    pub rate_micros: u64,
    /// The day of the rate; none for the dollar itself.
    pub date: Option<Date>,
}

impl CurrencySettings {
    pub(super) fn load(layers: &mut Layers) -> Result<Self, ConfigError> {
        let code = layers.pick(&keys::CURRENCY_CODE, None, Code("USD".to_owned()))?.0;
        let rate = layers.pick(&keys::CURRENCY_RATE, None, None::<Rate>)?;
        let date = layers.pick(&keys::CURRENCY_DATE, None, None::<Date>)?;
        match (code.as_str(), rate, date) {
            // A dollar is a dollar, on any day.
            ("USD", ..) => Ok(Self { code, rate_micros: 1_000_000, date: None }),
            (_, Some(rate), Some(date)) => Ok(Self { code, rate_micros: rate.0, date: Some(date) }),
            (_, None, _) => {
                Err(ConfigError::Alone { key: keys::CURRENCY_CODE.name, missing: keys::CURRENCY_RATE.name })
            }
            (_, _, None) => {
                Err(ConfigError::Alone { key: keys::CURRENCY_CODE.name, missing: keys::CURRENCY_DATE.name })
            }
        }
    }
}

/// A currency.
struct Code(String);

impl Value for Code {
    fn expected() -> String {
        "the three letters of a currency, such as USD, EUR or CNY".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_code.then(|| Self(text.to_ascii_uppercase()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// What one US dollar is, in millionths.
struct Rate(u64);

impl Value for Rate {
    fn expected() -> String {
        "how much one US dollar is, such as 7.1234, with at most six decimals".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || rest.len() > 6 || !digits(whole) || !digits(rest) {
            return None;
        }
        let micros = whole.parse::<u64>().ok()? * 1_000_000 + format!("{rest:0<6}").parse::<u64>().ok()?;
        (micros > 0).then_some(Self(micros))
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Float(number) => Self::from_text(&number.to_string()),
            toml::Value::Integer(number) => Self::from_text(&number.to_string()),
            _ => Self::from_text(value.as_str()?),
        }
    }

    fn show(&self) -> String {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

impl Value for Date {
    fn expected() -> String {
        "a day such as 2026-01-31".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Datetime(date) => Self::from_text(&date.to_string()),
            _ => Self::from_text(value.as_str()?),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let shown = |text: &str| Rate::from_text(text).map(|rate| (rate.0, rate.show()));
        assert_eq!(shown("7.1234"), Some((7_123_400, "7.1234".to_owned())));
        assert_eq!(shown("150"), Some((150_000_000, "150".to_owned())));
        for text in ["", "0", "0.0000001", "-1", "1e3", ".5", "1,5", "9999999999"] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(Rate::from_toml(&toml::Value::Float(0.85)).map(|rate| rate.0), Some(850_000));
        assert!(Rate::from_toml(&toml::Value::Float(f64::NAN)).is_none());
    }
}
