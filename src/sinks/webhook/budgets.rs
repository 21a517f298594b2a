//! Budgets: a message when the costs of a day, a week or a month have reached a percentage of what the user allows. Each
//! one once a period, over restarts, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Poster;
use crate::event::{PicoUsd, Tally, UnixMillis};
use crate::plugin::{Batch, BuildError, Delivery, Outcome, Pace, Setup, Wants};
use crate::sinks::{http, wire};

/// What users configure.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Budgets {
    daily_usd: Option<f64>,
    weekly_usd: Option<f64>,
    monthly_usd: Option<f64>,
    thresholds: Option<Vec<u32>>,
}

/// A budget's period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Period {
    Daily,
    Weekly,
    Monthly,
}

impl Period {
    fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// Its first day.
    fn start(self, today: Date) -> Date {
        match self {
            Self::Daily => today,
            Self::Weekly => {
                let since_monday = today.weekday().since(Weekday::Monday);
                today.saturating_sub(i64::from(since_monday).days())
            }
            Self::Monthly => today.first_of_month(),
        }
    }
}

impl Budgets {
    /// `wanted`: the webhook is there for them.
    pub(super) fn check(&self, wanted: bool, setup: &Setup) -> Result<(), BuildError> {
        let at = |words: &str| Err(BuildError::at("budgets", words));
        let limits = self.limits();
        match (wanted, limits.is_empty()) {
            (true, true) => {
                return at("`mode = \"budgets\"` needs at least one of `daily_usd`, `weekly_usd`, `monthly_usd`");
            }
            (false, false) => return at("`budgets` has a meaning only with `mode = \"budgets\"`"),
            _ => {}
        }
        if wanted && !setup.costs {
            return at("there are no costs to watch with `enable_cost_estimation = false`");
        }
        if limits.iter().any(|(_, limit)| !limit.is_finite() || *limit <= 0.0) {
            return at("a budget is more than 0 dollars");
        }
        if self.thresholds().is_empty() || self.thresholds().iter().any(|percent| !(1..=1_000).contains(percent)) {
            return at("`thresholds` are percentages from 1 to 1000");
        }
        Ok(())
    }

    fn limits(&self) -> Vec<(Period, f64)> {
        let all =
            [(Period::Daily, self.daily_usd), (Period::Weekly, self.weekly_usd), (Period::Monthly, self.monthly_usd)];
        all.into_iter().filter_map(|(period, limit)| Some((period, limit?))).collect()
    }

    fn thresholds(&self) -> BTreeSet<u32> {
        self.thresholds.as_ref().map_or_else(|| BTreeSet::from([50, 80, 100]), |said| said.iter().copied().collect())
    }
}

/// What has been told of a budget in its present period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    period: String,
    thresholds: BTreeSet<u32>,
}

/// Watches budgets.
pub(super) struct BudgetWatch {
    poster: Poster,
    budgets: Budgets,
    name: String,
    zone: TimeZone,
    told: BTreeMap<Period, Told>,
    /// The revision and the day that were looked at last: with neither changed there is nothing to say.
    seen: Option<(u64, Date)>,
}

/// A message about a budget.
#[derive(Debug, PartialEq, Serialize)]
struct Message {
    r#type: &'static str,
    timestamp: String,
    budget: &'static str,
    /// First day of the period.
    period: String,
    threshold_percent: u32,
    limit_usd: f64,
    spent_usd: f64,
    /// The same for people; chat services show this field.
    text: String,
}

impl BudgetWatch {
    pub(super) fn new(poster: Poster, budgets: Budgets, setup: &Setup) -> Self {
        let (name, zone) = (setup.name.clone(), setup.zone.clone());
        Self { poster, budgets, name, zone, told: BTreeMap::new(), seen: None }
    }

    fn today(&self, now: UnixMillis) -> Date {
        let now = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        now.to_zoned(self.zone.clone()).date()
    }

    /// The thresholds of one budget that were reached and not told of.
    fn reached(&mut self, period: Period, limit: f64, today: Date, days: &[(Date, Tally)]) -> Vec<(u32, f64)> {
        let start = period.start(today);
        let told = self.told.entry(period).or_default();
        if told.period != start.to_string() {
            *told = Told { period: start.to_string(), thresholds: BTreeSet::new() };
        }
        let spent: i128 = days.iter().filter(|(day, _)| *day >= start).map(|(_, tally)| tally.cost.0).sum();
        let spent = PicoUsd(spent).usd();
        let is_reached = |percent: &u32| spent * 100.0 >= limit * f64::from(*percent);
        let open = self.budgets.thresholds().into_iter().filter(|percent| !told.thresholds.contains(percent));
        open.filter(is_reached).map(|percent| (percent, spent)).collect()
    }
}

impl Delivery for BudgetWatch {
    const WANTS: Wants = Wants::Snapshot;

    fn pace(&self) -> Pace {
        Pace { interval: Duration::from_secs(15), timeout: Duration::from_secs(30), ..Pace::default() }
    }

    fn target(&self) -> String {
        http::shown(&self.poster.url)
    }

    fn recall(&mut self, memo: &str) {
        let told: Vec<(Period, Told)> = serde_json::from_str(memo).unwrap_or_default();
        self.told = told.into_iter().collect();
    }

    fn remember(&self) -> Option<String> {
        serde_json::to_string(&self.told.iter().collect::<Vec<_>>()).ok()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let today = self.today(batch.now);
        let now_seen = (batch.snapshot.revision, today);
        if self.seen == Some(now_seen) {
            return Outcome::Acked;
        }
        let limits = self.budgets.limits();
        let Some(first) = limits.iter().map(|(period, _)| period.start(today)).min() else { return Outcome::Acked };
        let days = match batch.history.days(first, today) {
            Ok(days) => days,
            Err(error) => return Outcome::retry(format!("{error:#}")),
        };
        let (mut refused, mut why) = (0, String::new());
        for (period, limit) in limits {
            for (percent, spent) in self.reached(period, limit, today, &days) {
                let message = Message::new(period, today, percent, limit, spent, batch.now);
                let id = format!("{}.{}.{}.{percent}", self.name, period.name(), message.period);
                match self.poster.post(&id, &message, batch.now).await {
                    Outcome::Acked => {}
                    // The same message would be refused again.
                    Outcome::Reject { why: words } | Outcome::TooLarge { why: words } => {
                        (refused, why) = (refused + 1, words);
                    }
                    other => return other,
                }
                self.told.entry(period).or_default().thresholds.insert(percent);
            }
        }
        self.seen = Some(now_seen);
        if refused == 0 { Outcome::Acked } else { Outcome::Partial { rejected: Vec::new(), unnamed: refused, why } }
    }
}

impl Message {
    fn new(period: Period, today: Date, percent: u32, limit: f64, spent: f64, now: UnixMillis) -> Self {
        let (start, name) = (period.start(today).to_string(), period.name());
        Self {
            r#type: "usage.budget",
            timestamp: wire::instant(now),
            budget: name,
            threshold_percent: percent,
            limit_usd: limit,
            spent_usd: spent,
            text: format!(
                "Claude Code: ${spent:.2} of the {name} budget of ${limit:.2} used since {start}, {percent} % or more"
            ),
            period: start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn watch() -> BudgetWatch {
        let setup = Setup::new("hook", Clock::fixed(UnixMillis(0)));
        let url: hyper::Uri = "http://x/".parse().expect("a URL");
        let client = http::Client::new(&url, &http::Tls::default(), &setup).expect("a client");
        let headers = hyper::HeaderMap::new();
        let poster = Poster { url, client, headers, secret: None, token: None, gzip: false };
        let budgets = Budgets { daily_usd: Some(10.0), weekly_usd: Some(40.0), ..Budgets::default() };
        BudgetWatch::new(poster, budgets, &setup)
    }

    fn day(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn spent(days: &[(&str, f64)]) -> Vec<(Date, Tally)> {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]
        let tally = |usd: f64| Tally { cost: PicoUsd((usd * 1e6) as i128 * 1_000_000), ..Tally::default() };
        days.iter().map(|(date, usd)| (day(date), tally(*usd))).collect()
    }

    #[test]
    fn periods_begin_at_midnight_monday_and_the_first() {
        let check = |today: &str, week: &str, month: &str| {
            assert_eq!(Period::Weekly.start(day(today)), day(week), "{today}");
            assert_eq!(Period::Monthly.start(day(today)), day(month), "{today}");
            assert_eq!(Period::Daily.start(day(today)), day(today));
        };
        check("2026-11-25", "2026-11-23", "2026-11-01");
        check("2026-11-23", "2026-11-23", "2026-11-01");
        check("2026-11-01", "2026-10-26", "2026-11-01");
    }

    #[test]
    fn a_threshold_is_reached_once_a_period() {
        let mut watch = watch();
        let today = day("2026-11-25");
        let days = spent(&[("2026-11-22", 100.0), ("2026-11-24", 13.0), ("2026-11-25", 8.0)]);
        let reached = |watch: &mut BudgetWatch, period, limit, today, days: &[(Date, Tally)]| {
            let reached = watch.reached(period, limit, today, days);
            let percents: Vec<u32> = reached.into_iter().map(|(percent, _)| percent).collect();
            watch.told.entry(period).or_default().thresholds.extend(&percents);
            percents
        };
        assert_eq!(reached(&mut watch, Period::Daily, 10.0, today, &days), [50, 80]);
        assert_eq!(reached(&mut watch, Period::Daily, 10.0, today, &days), [0; 0]);
        // Sunday belongs to the week before.
        assert_eq!(reached(&mut watch, Period::Weekly, 40.0, today, &days), [50]);

        let mut restarted = self::watch();
        restarted.recall(&watch.remember().expect("a memo"));
        assert_eq!(reached(&mut restarted, Period::Daily, 10.0, today, &days), [0; 0]);
        let more = spent(&[("2026-11-25", 30.0)]);
        assert_eq!(reached(&mut restarted, Period::Daily, 10.0, today, &more), [100]);
        let tomorrow = day("2026-11-26");
        assert_eq!(reached(&mut restarted, Period::Daily, 10.0, tomorrow, &spent(&[("2026-11-26", 5.0)])), [50]);
    }
}
