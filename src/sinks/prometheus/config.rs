//! What users configure about `/metrics`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::labels::{self, PERIODS};
use crate::clock::Period;
use crate::hub::{MOST_PROJECT_PLACES, SESSION_HELD_MS, Snapshot, Wishes};
use crate::plugin::BuildError;

/// The section's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub profile: Profile,
    pub projects: Projects,
    /// How many projects get series of their own.
    pub max_projects: usize,
    pub project_label: ProjectLabel,
    pub sessions: Sessions,
    /// How long a session may be idle and still be shown.
    pub session_hours: u32,
    /// Labels that every usage family carries.
    pub labels: BTreeMap<String, String>,
    pub budgets: Budgets,
}

/// Under which names the families are that Claude Code's own telemetry has, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Its names, so that published dashboards work.
    #[default]
    Native,
    /// Ours, where both kinds of numbers arrive in one place.
    Own,
    Both,
}

impl Profile {
    /// What stands before the names of those families.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Native => &["claude_code"],
            Self::Own => &["claude_token_monitor"],
            Self::Both => &["claude_code", "claude_token_monitor"],
        }
    }
}

/// Whether there are families by project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projects {
    #[default]
    Top,
    None,
}

/// What the label of a project says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectLabel {
    /// The last part of its path.
    #[default]
    Name,
    /// Nothing that can be read: a hash of its path.
    Hash,
    /// Its path, the end of it where it is long.
    Path,
}

/// Whether there are families by session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sessions {
    #[default]
    None,
    /// For those that were active lately.
    Active,
}

/// US dollars that are meant to be enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    pub daily: Option<f64>,
    pub weekly: Option<f64>,
    pub monthly: Option<f64>,
}

impl Budgets {
    /// Those that are set, with the value of the label `period`.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, Period, f64)> {
        let Self { daily, weekly, monthly } = *self;
        PERIODS.into_iter().zip([daily, weekly, monthly]).filter_map(|((name, period), usd)| Some((name, period, usd?)))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            projects: Projects::default(),
            max_projects: 20,
            project_label: ProjectLabel::default(),
            sessions: Sessions::default(),
            session_hours: 12,
            labels: BTreeMap::new(),
            budgets: Budgets::default(),
        }
    }
}

/// The longest that a session can be idle and shown.
const MOST_HOURS: i64 = SESSION_HELD_MS / 3_600_000;

/// How many labels may be added.
const MOST_LABELS: usize = 16;

impl Config {
    /// Says what cannot work.
    pub fn check(&self) -> Result<(), BuildError> {
        let refuse = |reason: String| Err(BuildError::Settings(reason));
        if !(1..=MOST_PROJECT_PLACES).contains(&self.max_projects) {
            return refuse(format!(
                "max_projects is {}, it can be 1 to {MOST_PROJECT_PLACES}; projects = \"none\" leaves them out",
                self.max_projects
            ));
        }
        if !(1..=MOST_HOURS).contains(&i64::from(self.session_hours)) {
            return refuse(format!("session_hours is {}, it can be 1 to {MOST_HOURS}", self.session_hours));
        }
        if self.labels.len() > MOST_LABELS {
            return refuse(format!("labels has {} entries, it can have {MOST_LABELS}", self.labels.len()));
        }
        for name in self.labels.keys() {
            labels::check_name(name).map_err(BuildError::Settings)?;
        }
        for (period, _, usd) in self.budgets.each() {
            if !usd.is_finite() || usd <= 0.0 {
                return refuse(format!("budgets.{period} is {usd}, it has to be an amount above 0"));
            }
        }
        Ok(())
    }

    /// What has to be kept for these settings.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            projects: if self.projects == Projects::Top { self.max_projects } else { 0 },
            sessions: self.sessions == Sessions::Active,
        }
    }

    /// Projects that share a series; none where there are no series by project.
    pub fn projects_beyond(&self, snapshot: &Snapshot) -> Option<u64> {
        (self.projects == Projects::Top).then_some(snapshot.projects.others)
    }

    /// The labels that every usage family carries, made harmless.
    pub fn static_labels(&self) -> impl Iterator<Item = (Cow<'static, str>, Cow<'static, str>)> {
        let labels = self.labels.iter().filter(|(_, value)| !value.is_empty());
        labels.map(|(name, value)| (name.clone().into(), labels::label_value(value).to_string().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn what_cannot_work_is_said() {
        fn refused(text: &str, expected: &str) {
            let reason = check(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
        refused("max_projects = 0", "1 to 200");
        refused("max_projects = 201", "1 to 200");
        refused("session_hours = 0", "1 to 168");
        refused("session_hours = 169", "1 to 168");
        refused("profile = \"foreign\"", "`native`");
        refused("projects = \"all\"", "`top`");
        refused("project_label = \"full\"", "`hash`");
        refused("sessions = \"all\"", "`active`");
        refused("labels = {'user-id' = \"x\"}", "user-id");
        refused("labels = {model = \"x\"}", "model");
        refused("[budgets]\ndaily = 0", "budgets.daily");
        refused("[budgets]\nmonthly = nan", "budgets.monthly");
        refused("[budgets]\nyearly = 1", "yearly");
    }

    #[test]
    fn wishes_follow_the_settings() {
        let wishes = |text: &str| check(text).unwrap().wishes();
        assert_eq!(wishes(""), Wishes { projects: 20, sessions: false });
        assert_eq!(wishes("max_projects = 3\nsessions = \"active\""), Wishes { projects: 3, sessions: true });
        assert_eq!(wishes("projects = \"none\""), Wishes { projects: 0, sessions: false });
    }
}
