//! Numbers, money and instants as people read them, by language. The exact value always goes along.

use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::count::{self, MYRIADS, THOUSANDS};
use super::language::Language;
use crate::event::{PicoUsd, Tally, UnixMillis};

pub use super::count::Count;
pub use super::money::Currency;

/// How one who asks reads numbers, money and instants.
#[derive(Clone, Debug)]
pub struct Format {
    pub language: Language,
    /// Whose clocks instants are shown by.
    pub zone: TimeZone,
    pub currency: Currency,
}

impl Default for Format {
    fn default() -> Self {
        Self { language: Language::default(), zone: TimeZone::UTC, currency: Currency::default() }
    }
}

/// A number in its three forms. Shown as it is, it is short: `1.23M`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    exact: u64,
    grouped: String,
    short: String,
}

impl Number {
    /// `1234567`
    pub fn exact(&self) -> u64 {
        self.exact
    }

    /// `1,234,567`
    pub fn grouped(&self) -> &str {
        &self.grouped
    }

    /// `["1", "234", "567"]`
    pub fn groups(&self) -> std::str::Split<'_, char> {
        self.grouped.split(',')
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short)
    }
}

impl Format {
    /// A count of tokens: short, with the exact number beside it.
    pub fn count(&self, exact: u64) -> Number {
        let short = match self.language {
            Language::English => count::shortened(exact, &THOUSANDS),
            Language::Chinese => count::shortened(exact, &MYRIADS),
        };
        Number { exact, grouped: self.grouped(exact), short }
    }

    /// A count of things: exact for as long as that is short enough to read.
    pub fn things(&self, exact: u64) -> Number {
        let number = self.count(exact);
        if exact < 1_000_000 { Number { short: number.grouped.clone(), ..number } } else { number }
    }

    /// A round number at an axis: without the zeros that say nothing.
    pub fn round(&self, count: u64) -> String {
        match self.language {
            Language::English => count::rounded(count, &THOUSANDS),
            Language::Chinese => count::rounded(count, &MYRIADS),
        }
    }

    /// `1,234,567`
    pub fn grouped(&self, count: u64) -> String {
        Count(count).grouped()
    }

    /// What an amount is in the currency of display.
    pub fn money(&self, amount: PicoUsd) -> String {
        self.currency.show(amount, self.language)
    }

    /// The rate of the currency of display and its day; none for the dollar itself.
    pub fn rate(&self) -> Option<String> {
        let Currency { code, date, .. } = &self.currency;
        let text = self.language.words().common.rate.with("rate", self.currency.rate()).with("code", code);
        date.map(|date| text.with("date", date).into())
    }

    /// What is known of a cost: a lower bound where some tokens have no price, nothing where none has.
    pub fn cost(&self, tally: &Tally) -> Option<String> {
        match (tally.unpriced_tokens, tally.cost.0) {
            (0, _) => Some(self.money(tally.cost)),
            (_, 0) => None,
            _ => Some(format!("≥ {}", self.money(tally.cost))),
        }
    }

    /// `2026-11-23 14:05`, as the clocks of the zone show it.
    pub fn instant(&self, at: UnixMillis) -> String {
        self.written(at, "%Y-%m-%d %H:%M")
    }

    /// `14:05`
    pub fn time(&self, at: UnixMillis) -> String {
        self.written(at, "%H:%M")
    }

    /// `14:05:09`; where that is another day than that of `now`, with the day: `2026-11-23 14:05:09`.
    pub fn moment(&self, at: UnixMillis, now: UnixMillis) -> String {
        let day = |at: UnixMillis| self.written(at, "%Y-%m-%d");
        self.written(at, if day(at) == day(now) { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" })
    }

    fn written(&self, at: UnixMillis, form: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime(form).to_string(),
            Err(_) => self.language.words().common.impossible_time.to_string(),
        }
    }

    /// `2026-11-23 14:00 – 19:00`
    pub fn period(&self, from: UnixMillis, to: UnixMillis) -> String {
        let (begin, end) = (self.instant(from), self.instant(to));
        match (begin.split_once(' '), end.split_once(' ')) {
            (Some((first, _)), Some((last, time))) if first == last => format!("{begin} – {time}"),
            _ => format!("{begin} – {end}"),
        }
    }

    /// How long something lasted, to the minute: `2 h 5 min`.
    pub fn duration(&self, ms: i64) -> String {
        let t = &self.language.words().common;
        let minutes = ms.max(0) / 60_000;
        match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
            (0, 0, 0) => t.under_a_minute.to_string(),
            (0, 0, minutes) => t.minutes.with("m", minutes).into(),
            (0, hours, minutes) => t.hours.with("h", hours).with("m", minutes).into(),
            (days, hours, _) => t.days.with("d", days).with("h", hours).into(),
        }
    }

    /// `Mon 2026-11-23`
    pub fn day(&self, date: Date) -> String {
        format!("{} {date}", self.weekday(date.weekday()))
    }

    /// `Nov 23`
    pub fn short_day(&self, date: Date) -> String {
        let month = self.months()[usize::try_from(date.month() - 1).unwrap_or(0)];
        match self.language {
            Language::English => format!("{month} {}", date.day()),
            Language::Chinese => format!("{month}{}日", date.day()),
        }
    }

    /// `Nov 2026`
    pub fn month(&self, date: Date) -> String {
        let month = self.months()[usize::try_from(date.month() - 1).unwrap_or(0)];
        match self.language {
            Language::English => format!("{month} {}", date.year()),
            Language::Chinese => format!("{}年{month}", date.year()),
        }
    }

    /// From January on: `Jan`.
    pub fn months(&self) -> [&'static str; 12] {
        match self.language {
            Language::English => ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
            Language::Chinese => {
                ["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"]
            }
        }
    }

    /// `Mon`
    pub fn weekday(&self, weekday: Weekday) -> &'static str {
        self.weekdays()[usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)]
    }

    /// From Monday on: `Mon`.
    pub fn weekdays(&self) -> [&'static str; 7] {
        match self.language {
            Language::English => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            Language::Chinese => ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
        }
    }

    /// What people call the zone.
    pub fn zone_name(&self) -> String {
        match self.zone.iana_name() {
            Some(name) => name.to_owned(),
            None if self.zone == TimeZone::UTC => "UTC".to_owned(),
            None => self.language.words().common.local_zone.to_string(),
        }
    }
}

/// A share, 0 to 1, with one decimal: `93.4%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
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

/// A name out of a transcript, which may be anything, at a length that fits.
pub fn cut(name: &str) -> String {
    cut_to(64, name)
}

/// At most so many letters of a text, the last of which says if there are more.
pub fn cut_to(longest: usize, text: &str) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TokenCounts;

    #[test]
    fn numbers_have_three_forms() {
        let [english, chinese] = Language::ALL.map(|language| Format { language, ..Format::default() });
        let number = english.count(1_234_567);
        assert_eq!((number.exact(), number.grouped(), number.to_string().as_str()), (1_234_567, "1,234,567", "1.23M"));
        assert_eq!(number.groups().collect::<Vec<_>>(), ["1", "234", "567"]);
        assert_eq!(chinese.count(1_234_567).to_string(), "123万");
        assert_eq!([999_999, 1_000_000].map(|n| english.things(n).to_string()), ["999,999", "1.00M"]);
    }

    #[test]
    fn costs_that_are_known_in_part() {
        let format = Format::default();
        let tokens = TokenCounts { output: 5, ..TokenCounts::default() };
        let priced = Tally::of(tokens, 0, Some(PicoUsd(4_000_000_000_000)));
        let unpriced = Tally::of(tokens, 0, None);
        let mut both = priced;
        both.add(&unpriced);
        assert_eq!(format.cost(&priced).as_deref(), Some("$4.00"));
        assert_eq!(format.cost(&unpriced), None);
        assert_eq!(format.cost(&both).as_deref(), Some("≥ $4.00"));
        assert_eq!(format.cost(&Tally::default()).as_deref(), Some("$0.00"));
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
        assert_eq!([percent(1.0 / 3.0), percent(0.0), percent(1.0)], ["33.3%", "0.0%", "100.0%"]);
        let berlin = Format { zone: TimeZone::get("Europe/Berlin").unwrap(), ..Format::default() };
        assert_eq!(berlin.instant(UnixMillis(1_795_438_800_000)), "2026-11-23 14:00");
        assert_eq!(berlin.instant(UnixMillis(i64::MAX)), "at an impossible time");
        assert_eq!([berlin.zone_name(), Format::default().zone_name()], ["Europe/Berlin", "UTC"]);
        let chinese = Format { language: Language::Chinese, ..Format::default() };
        assert_eq!(berlin.time(UnixMillis(1_795_438_800_000)), "14:00");
        let hours = |from: i64, to: i64| berlin.period(UnixMillis(from * 3_600_000), UnixMillis(to * 3_600_000));
        assert_eq!(hours(0, 5), "1970-01-01 01:00 – 06:00");
        assert_eq!(hours(20, 25), "1970-01-01 21:00 – 1970-01-02 02:00");
        let lasted = [0, 59_999, 60_000, 7_500_000, 180_000_000].map(|ms| berlin.duration(ms));
        assert_eq!(lasted, ["< 1 min", "< 1 min", "1 min", "2 h 5 min", "2 d 2 h"]);
        assert_eq!(chinese.duration(7_500_000), "2 小时 5 分钟");
        let date = jiff::civil::date(2026, 11, 23);
        assert_eq!([berlin.day(date), chinese.day(date)], ["Mon 2026-11-23", "周一 2026-11-23"]);
    }
}
