//! Money as people read it. Prices are in US dollars; another currency of display is the user's own rate of one day, and
//! is always shown with it.

use jiff::civil::Date;

use super::count::Count;
use super::language::Language;
use crate::event::PicoUsd;

/// What money is shown in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    /// ISO 4217.
    pub code: String,
    /// What one US dollar is, in millionths.
    pub rate_micros: u64,
    /// The day of the rate. None: the currency is the dollar itself.
    pub date: Option<Date>,
}

impl Default for Currency {
    fn default() -> Self {
        Self { code: "USD".to_owned(), rate_micros: 1_000_000, date: None }
    }
}

impl Currency {
    /// An amount in this currency. What is more than nothing is never shown as nothing.
    pub fn show(&self, amount: PicoUsd, language: Language) -> String {
        let decimals = if ["JPY", "KRW", "VND", "CLP", "ISK"].contains(&self.code.as_str()) { 0 } else { 2 };
        let least: i128 = 10_i128.pow(18 - decimals);
        let exact = amount.0.max(0).saturating_mul(i128::from(self.rate_micros));
        let parts = u64::try_from(exact.saturating_add(least / 2) / least).unwrap_or(u64::MAX);
        if parts == 0 && exact > 0 {
            return format!("<{}", self.amount(1, decimals, language));
        }
        self.amount(parts, decimals, language)
    }

    fn amount(&self, parts: u64, decimals: u32, language: Language) -> String {
        let sign = match (self.code.as_str(), language) {
            ("USD", Language::English) => "$",
            ("USD", Language::Chinese) => "US$",
            ("CNY", Language::Chinese) => "¥",
            ("CNY", Language::English) => "CN¥",
            ("EUR", _) => "€",
            ("GBP", _) => "£",
            (code, _) => &format!("{code}\u{a0}"),
        };
        match decimals {
            0 => format!("{sign}{}", Count(parts).grouped()),
            _ => format!("{sign}{}.{:02}", Count(parts / 100).grouped(), parts % 100),
        }
    }

    /// What one US dollar is: `7.1234`.
    pub fn rate(&self) -> String {
        let (whole, rest) = (self.rate_micros / 1_000_000, self.rate_micros % 1_000_000);
        let text = format!("{whole}.{rest:06}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// An exact amount in US dollars: `$0.01915`. Of the digits behind the point at least two are there.
pub fn exact_dollars(amount: PicoUsd, language: Language) -> String {
    let (whole, rest) = (amount.0.max(0) / 1_000_000_000_000, amount.0.max(0) % 1_000_000_000_000);
    let rest = format!("{rest:012}");
    let rest = format!("{:0<2}", rest.trim_end_matches('0'));
    let sign = if language == Language::Chinese { "US$" } else { "$" };
    format!("{sign}{}.{rest}", Count(u64::try_from(whole).unwrap_or(u64::MAX)).grouped())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars() {
        fn check(pico: i128, expected: &str) {
            assert_eq!(Currency::default().show(PicoUsd(pico), Language::English), expected);
        }
        check(0, "$0.00");
        check(1, "<$0.01");
        check(4_999_999_999, "<$0.01");
        check(5_000_000_000, "$0.01");
        check(1_234_560_000_000_000, "$1,234.56");
        check(999_999_000_000_000_000, "$999,999.00");
        check(-5, "$0.00");
        check(i128::MAX, "$184,467,440,737,095,516.15");
    }

    #[test]
    fn dollars_to_the_last_digit() {
        let check = |pico: i128, expected: &str| assert_eq!(exact_dollars(PicoUsd(pico), Language::English), expected);
        check(0, "$0.00");
        check(1, "$0.000000000001");
        check(19_150_000_000, "$0.01915");
        check(1_234_500_000_000_000, "$1,234.50");
        assert_eq!(exact_dollars(PicoUsd(100_000_000_000), Language::Chinese), "US$0.10");
    }

    #[test]
    fn other_currencies() {
        let check = |code: &str, rate_micros: u64, language: Language, expected: &str| {
            let currency = Currency { code: code.to_owned(), rate_micros, date: None };
            assert_eq!(currency.show(PicoUsd(2_500_000_000_000), language), expected);
        };
        check("USD", 1_000_000, Language::Chinese, "US$2.50");
        check("CNY", 7_123_400, Language::Chinese, "¥17.81");
        check("CNY", 7_123_400, Language::English, "CN¥17.81");
        check("JPY", 150_000_000, Language::English, "JPY\u{a0}375");
        check("CHF", 800_000, Language::English, "CHF\u{a0}2.00");
        let rate = |rate_micros| Currency { rate_micros, ..Currency::default() }.rate();
        assert_eq!([rate(7_123_400), rate(1_000_000), rate(5)], ["7.1234", "1", "0.000005"]);
    }
}
