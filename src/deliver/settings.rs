//! The keys that every delivery has, whoever it is: how much, how often, how long, and what to do when far behind.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use crate::event::UnixMillis;
use crate::plugin::{BuildError, Pace, Time};

/// The shared keys of a section as users write them. What they leave out is as the delivery likes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shared {
    pub start_from: StartFrom,
    pub on_lag: OnLag,
    pub max_lag_age: Option<Time>,
    pub max_lag_events: Option<u64>,
    pub batch_max: Option<u32>,
    pub interval: Option<Time>,
    pub timeout: Option<Time>,
    pub retry_initial: Option<Time>,
    pub retry_max: Option<Time>,
}

/// The names of [`Shared`]'s keys.
pub const SHARED_KEYS: [&str; 9] = [
    "start_from",
    "on_lag",
    "max_lag_age",
    "max_lag_events",
    "batch_max",
    "interval",
    "timeout",
    "retry_initial",
    "retry_max",
];

/// Where a delivery begins when it is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// With what comes after the first catch-up: a new receiver is not flooded with a year of history.
    #[default]
    Now,
    Beginning,
    /// With responses of this day, in the user's zone.
    Day(Date),
}

impl StartFrom {
    /// As users write it: `now`, `beginning` or a date.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "now" => Some(Self::Now),
            "beginning" => Some(Self::Beginning),
            day => day.parse().ok().map(Self::Day),
        }
    }

    pub fn start(self, zone: &TimeZone) -> Start {
        match self {
            Self::Now => Start::Now,
            Self::Beginning => Start::Beginning,
            Self::Day(day) => {
                let start = day.to_zoned(zone.clone()).map(|midnight| midnight.timestamp().as_millisecond());
                // A day that no clock can show lies before everything.
                start.map_or(Start::Beginning, |at| Start::At(UnixMillis(at)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for StartFrom {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || {
            serde::de::Error::custom(format!("`{text}` is no start; expected now, beginning or a date like 2026-01-31"))
        };
        Self::parse(&text).ok_or_else(wrong)
    }
}

/// From where a delivery sends, or sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    Now,
    Beginning,
    /// Responses made at this instant or later.
    At(UnixMillis),
    /// Changes after this revision.
    Revision(u64),
}

impl Start {
    /// Reads what [`StartFrom`] may be, or a revision. Days are those of `zone`.
    pub fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        let revision = text.parse().ok().map(Self::Revision);
        revision.or_else(|| StartFrom::parse(text).map(|from| from.start(zone)))
    }
}

/// What becomes of changes that wait for too long, or of which there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLag {
    /// They are kept, however long it takes; retention waits for them.
    #[default]
    Hold,
    /// What is over the limits is left out, and counted.
    Skip,
}

/// The settings of one delivery in force.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliverySettings {
    pub start: Start,
    pub skip: Option<Limits>,
    pub batch_max: usize,
    pub interval: Duration,
    pub timeout: Duration,
    pub retry_initial: Duration,
    pub retry_max: Duration,
}

/// How far behind a delivery may be before it skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub age: Option<Duration>,
    pub events: Option<u64>,
}

/// No batch is larger, whatever anybody wishes: it is held in memory.
const LARGEST_BATCH: u32 = 10_000;

/// No receiver is asked more often than this.
const LEAST_RETRY: Duration = Duration::from_millis(10);

impl Shared {
    /// Takes the shared keys out of a section.
    pub fn split(table: &mut toml::Table) -> Result<Self, BuildError> {
        let shared: toml::Table =
            SHARED_KEYS.iter().filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?))).collect();
        let shared = Self::deserialize(shared)?;
        if shared.on_lag == OnLag::Skip && shared.max_lag_age.is_none() && shared.max_lag_events.is_none() {
            return Err(BuildError::at("on_lag", "`on_lag = \"skip\"` needs `max_lag_age` or `max_lag_events`"));
        }
        if shared.on_lag == OnLag::Hold && (shared.max_lag_age.is_some() || shared.max_lag_events.is_some()) {
            let key = if shared.max_lag_age.is_some() { "max_lag_age" } else { "max_lag_events" };
            return Err(BuildError::at(key, format!("`{key}` has a meaning only with `on_lag = \"skip\"`")));
        }
        if shared.batch_max.is_some_and(|most| most == 0 || most > LARGEST_BATCH) {
            return Err(BuildError::at("batch_max", format!("`batch_max` is a number from 1 to {LARGEST_BATCH}")));
        }
        if shared.timeout.is_some_and(|time| time.0 < LEAST_RETRY) {
            return Err(BuildError::at("timeout", "`timeout` is at least 10ms"));
        }
        Ok(shared)
    }

    /// With the delivery's own likings where the user says nothing.
    pub fn settings(&self, pace: Pace, zone: &TimeZone) -> DeliverySettings {
        let time = |said: Option<Time>, default: Duration| said.map_or(default, |time| time.0);
        let retry_initial = time(self.retry_initial, Duration::from_secs(1)).max(LEAST_RETRY);
        DeliverySettings {
            start: self.start_from.start(zone),
            skip: (self.on_lag == OnLag::Skip)
                .then_some(Limits { age: self.max_lag_age.map(|time| time.0), events: self.max_lag_events }),
            batch_max: usize::try_from(self.batch_max.unwrap_or(pace.batch_max).clamp(1, LARGEST_BATCH)).unwrap_or(1),
            interval: time(self.interval, pace.interval),
            timeout: time(self.timeout, pace.timeout),
            retry_initial,
            retry_max: time(self.retry_max, Duration::from_secs(60)).max(retry_initial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<(Shared, toml::Table), String> {
        let mut table: toml::Table = text.parse().expect("TOML");
        Shared::split(&mut table).map(|shared| (shared, table)).map_err(|error| error.to_string())
    }

    #[test]
    fn shared_keys_are_taken_out_and_the_rest_stays() {
        let (shared, rest) = split(
            "url = 'x'\nstart_from = '2026-01-31'\non_lag = 'skip'\nmax_lag_age = '7d'\nbatch_max = 20\ninterval = '0s'",
        )
        .expect("valid");
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["url"]);
        let zone = TimeZone::get("America/New_York").expect("a zone");
        let settings = shared.settings(Pace::default(), &zone);
        assert_eq!(settings.start, Start::At(UnixMillis(1_769_835_600_000)));
        assert_eq!(settings.skip, Some(Limits { age: Some(Duration::from_secs(7 * 86_400)), events: None }));
        assert_eq!((settings.batch_max, settings.interval), (20, Duration::ZERO));
        assert_eq!(settings.timeout, Pace::default().timeout);
    }

    #[test]
    fn nothing_said_means_hold_and_now() {
        let settings = Shared::default().settings(Pace::default(), &TimeZone::UTC);
        assert_eq!((settings.start, settings.skip), (Start::Now, None));
        assert_eq!(settings.retry_max, Duration::from_secs(60));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |text: &str, word: &str| {
            let error = split(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        };
        check("start_from = 'yesterday'", "expected now, beginning or a date");
        check("on_lag = 'drop'", "hold");
        check("on_lag = 'skip'", "needs `max_lag_age`");
        check("max_lag_events = 5", "only with `on_lag");
        check("batch_max = 0", "from 1 to 10000");
        check("batch_max = 'many'", "invalid type");
        check("timeout = '1w'", "no length of time");
    }
}
