//! The environment and the user's home, behind a trait: the one place that may ask the system for either.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment that settings are read from.
pub trait Vars {
    /// The variable's value. Whoever asks treats an empty one as unset.
    fn var(&self, name: &str) -> Option<OsString>;

    /// The user's home directory.
    fn home(&self) -> Option<PathBuf>;
}

/// The process's own environment.
pub struct SystemVars;

impl Vars for SystemVars {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn var(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that looks for a home")]
    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }
}

/// A made-up environment; `HOME` is the home.
impl Vars for BTreeMap<&str, &str> {
    fn var(&self, name: &str) -> Option<OsString> {
        self.get(name).map(OsString::from)
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }
}

/// Whether Claude Code's own telemetry is switched on in this environment
/// (<https://code.claude.com/docs/en/monitoring-usage>). Only the switch is looked at, nothing that it would send.
pub(super) fn native_telemetry(vars: &dyn Vars) -> bool {
    let switch = vars.var("CLAUDE_CODE_ENABLE_TELEMETRY").unwrap_or_default();
    !["", "0", "false", "no", "off"].iter().any(|off| switch.eq_ignore_ascii_case(off))
}

/// The folder that the program's own files have inside a directory for everybody's.
const FOLDER: &str = "claude-token-monitor";

/// Where the configuration file is unless somebody says otherwise: `$XDG_CONFIG_HOME` or `~/.config`, and `%APPDATA%` on
/// Windows. `None` without a home.
pub(super) fn default_file(vars: &dyn Vars) -> Option<PathBuf> {
    let base = if cfg!(windows) { directory(vars, "APPDATA", "AppData/Roaming") } else { config_home(vars) };
    Some(base?.join(FOLDER).join("config.toml"))
}

/// Where the database is unless somebody says otherwise: `$XDG_DATA_HOME` or `~/.local/share`, and `%LOCALAPPDATA%` on
/// Windows. `None` without a home.
pub(super) fn default_database(vars: &dyn Vars) -> Option<PathBuf> {
    let base = if cfg!(windows) {
        directory(vars, "LOCALAPPDATA", "AppData/Local")
    } else {
        directory(vars, "XDG_DATA_HOME", ".local/share")
    };
    Some(base?.join(FOLDER).join("monitor.db"))
}

/// Where Claude Code keeps its files unless it is told otherwise, now and in former versions.
/// See <https://code.claude.com/docs/en/claude-directory>.
pub(super) fn default_data_dirs(vars: &dyn Vars) -> Vec<PathBuf> {
    let new = config_home(vars).map(|base| base.join("claude"));
    let old = home(vars).map(|home| home.join(".claude"));
    new.into_iter().chain(old).collect()
}

fn config_home(vars: &dyn Vars) -> Option<PathBuf> {
    directory(vars, "XDG_CONFIG_HOME", ".config")
}

/// The directory that a variable names, or the one in the home. The XDG base directory specification has relative
/// paths ignored.
fn directory(vars: &dyn Vars, name: &str, in_home: &str) -> Option<PathBuf> {
    let named = vars.var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(home(vars)?.join(in_home)))
}

fn home(vars: &dyn Vars) -> Option<PathBuf> {
    vars.home().filter(|home| home.is_absolute())
}

/// `~` and `~/…` in the user's home; relative paths below `base`, if there is one.
pub(super) fn expanded(path: &Path, base: Option<&Path>, vars: &dyn Vars) -> PathBuf {
    match (path.strip_prefix("~"), home(vars), base) {
        (Ok(rest), Some(home), _) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home), _) => home.join(rest),
        (_, _, Some(base)) => base.join(path),
        _ => path.to_owned(),
    }
}
