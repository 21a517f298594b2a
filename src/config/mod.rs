//! Settings: flags before environment before file before defaults, each with its origin. Nothing else in the program
//! reads the environment or looks for a home.

mod display;
mod error;
mod file;
pub mod keys;
mod origins;
mod security;
mod value;
mod vars;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

pub use display::{CurrencySettings, LanguageChoice};
pub use error::ConfigError;
pub use origins::{Effective, Origin, Origins};
pub use security::{LoginSettings, MetricsAuth, ReachSettings, SecretSetting, TlsSettings};
pub use value::{ColorChoice, ListenAddr, LogFormat, LogLevel};
pub use vars::{SystemVars, Vars};

use crate::plugin::SourceSettings;
use crate::pricing::PriceRow;
use file::File;
use origins::Layers;
use value::Value;

/// What was said on the command line. `None` and empty: nothing.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<ListenAddr>,
    pub data_dirs: Vec<PathBuf>,
    pub database: Option<PathBuf>,
    pub log_level: Option<LogLevel>,
    pub color: Option<ColorChoice>,
    pub watch: Option<bool>,
    pub public_url: Option<String>,
    pub allow_open: Option<bool>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that was read, or that would have been if there were one.
    pub file: Option<PathBuf>,
    pub listen: SocketAddr,
    /// Directories that hold `projects/`, in order, each once; they need not exist.
    pub data_dirs: Vec<PathBuf>,
    /// Somebody named the directories: that one of them is missing is worth a warning.
    pub data_dirs_explicit: bool,
    pub database: PathBuf,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
    /// Where the log is written besides standard error.
    pub log_file: Option<PathBuf>,
    pub color: ColorChoice,
    /// Whose days the days in reports and pages are.
    pub time_zone: TimeZone,
    /// The language of the pages.
    pub language: LanguageChoice,
    /// What money on the pages is shown in.
    pub currency: CurrencySettings,
    /// Without it no costs are shown or exported.
    pub enable_cost: bool,
    /// How long single responses are kept; daily sums stay. 0: for good.
    pub retention_days: u32,
    /// How many days back a scan covers.
    pub cleanup_days: NonZeroU32,
    pub reach: ReachSettings,
    pub watch: WatchSettings,
    pub backup: BackupSettings,
    pub server: ServerSettings,
    pub login: LoginSettings,
    /// Requests a minute and client; 0: no limit.
    pub requests_per_minute: u32,
    /// Without it the server speaks plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Claude Code's own telemetry is switched on in the environment that this program was started in.
    pub native_telemetry: bool,
    /// The user's own prices.
    pub prices: Vec<PriceRow>,
    /// `[sources.KIND]`, unread.
    pub sources: BTreeMap<String, toml::Table>,
    /// `[sinks.NAME]`, unread.
    pub sinks: BTreeMap<String, toml::Table>,
    /// On which line of the file each of those tables and their keys stands: `sinks.NAME.KEY`.
    pub lines: BTreeMap<String, usize>,
}

/// How changes in transcripts are noticed.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// By file events; without them by scans alone.
    pub enabled: bool,
    /// Time between scans while file events work.
    pub reconcile_interval: Duration,
    /// Time between scans while they do not.
    pub poll_interval: Duration,
    /// Threads that parse at the same time.
    pub readers: NonZeroU32,
}

/// Copies of the database.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    pub interval: Duration,
    /// How many are kept; 0: none is made.
    pub keep: u32,
    pub directory: PathBuf,
}

/// Limits of the HTTP server.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub max_connections: NonZeroU32,
    /// From one address that is not this machine's.
    pub max_connections_per_client: NonZeroU32,
    /// Time to send a request's head, and to stay idle between requests.
    pub header_timeout: Duration,
    /// Time to answer a request.
    pub request_timeout: Duration,
}

/// What is listened to unless somebody says otherwise: this machine alone can reach it.
const DEFAULT_LISTEN: ListenAddr =
    ListenAddr(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 51888));

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a literal that is not zero")
}

impl Settings {
    /// Puts the settings together. Reads the configuration file; opens nothing else.
    pub fn load(flags: &Flags, vars: &dyn Vars) -> Result<(Self, Origins), ConfigError> {
        let path = file_path(flags, vars);
        let file = path.as_deref().map(File::read).transpose()?.flatten();
        if let (Some(named), None) = (&flags.config, &file) {
            return Err(ConfigError::Missing { path: path.unwrap_or_else(|| named.clone()) });
        }
        let mut layers = Layers { vars, file, origins: Origins::default() };
        let read = SourceSettings::default();
        let readers = u32::try_from(read.readers).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);

        let listen = layers.pick(&keys::LISTEN, flags.listen, DEFAULT_LISTEN)?.0;
        let (data_dirs, data_dirs_explicit) = data_dirs(&mut layers, flags)?;
        let database = database(&mut layers, flags)?;
        let settings = Self {
            file: path,
            listen,
            data_dirs,
            data_dirs_explicit,
            log_level: layers.pick(&keys::LOG_LEVEL, flags.log_level, LogLevel::default())?,
            log_format: layers.pick(&keys::LOG_FORMAT, None, LogFormat::default())?,
            log_file: optional_path(&mut layers, &keys::LOG_FILE, None)?,
            color: color(&mut layers, flags)?,
            time_zone: layers.pick(&keys::TIME_ZONE, None, TimeZone::system())?,
            language: layers.pick(&keys::LANGUAGE, None, LanguageChoice::default())?,
            enable_cost: layers.pick(&keys::ENABLE_COST, None, true)?,
            retention_days: layers.pick(&keys::RETENTION_DAYS, None, 365)?,
            cleanup_days: layers.pick(&keys::CLEANUP_DAYS, None, count(read.cleanup_days))?,
            reach: ReachSettings::load(&mut layers, flags)?,
            watch: WatchSettings {
                enabled: layers.pick(&keys::WATCH, flags.watch, read.watch)?,
                reconcile_interval: layers.pick(&keys::RECONCILE_INTERVAL, None, read.reconcile_interval)?,
                poll_interval: layers.pick(&keys::POLL_INTERVAL, None, read.poll_interval)?,
                readers: layers.pick(&keys::READERS, None, readers)?,
            },
            backup: BackupSettings {
                interval: layers.pick(&keys::BACKUP_INTERVAL, None, Duration::from_secs(86_400))?,
                keep: layers.pick(&keys::BACKUP_KEEP, None, 3)?,
                directory: backup_directory(&mut layers, &database)?,
            },
            server: ServerSettings {
                max_connections: layers.pick(&keys::MAX_CONNECTIONS, None, count(512))?,
                max_connections_per_client: layers.pick(&keys::MAX_PER_CLIENT, None, count(64))?,
                header_timeout: layers.pick(&keys::HEADER_TIMEOUT, None, Duration::from_secs(10))?,
                request_timeout: layers.pick(&keys::REQUEST_TIMEOUT, None, Duration::from_secs(10))?,
            },
            login: LoginSettings::load(&mut layers, flags)?,
            requests_per_minute: layers.pick(&keys::RATE_LIMIT, None, 100)?,
            currency: CurrencySettings::load(&mut layers)?,
            tls: TlsSettings::load(&mut layers, flags)?,
            database,
            native_telemetry: vars::native_telemetry(vars),
            prices: Vec::new(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            lines: BTreeMap::new(),
        };
        Ok(settings.with_file_only(layers))
    }

    /// What sources are told.
    pub fn source_settings(&self) -> SourceSettings {
        SourceSettings {
            roots: self.data_dirs.clone(),
            watch: self.watch.enabled,
            reconcile_interval: self.watch.reconcile_interval,
            poll_interval: self.watch.poll_interval,
            cleanup_days: self.cleanup_days.get(),
            readers: usize::try_from(self.watch.readers.get()).unwrap_or(usize::MAX),
        }
    }

    /// Takes in what only a file can say.
    fn with_file_only(self, layers: Layers) -> (Self, Origins) {
        let Layers { file, mut origins, .. } = layers;
        let Some(File { path, prices, sources, sinks, lines, .. }) = file else { return (self, origins) };
        let origin = Origin::File(path.into());
        for row in &prices {
            let key = format!("prices.{}", row.model);
            let value = format!("{} in, {} out from {}", row.input, row.output, row.effective_date);
            origins.note(key, value, origin.clone());
        }
        for (kind, plugins) in [("sources", &sources), ("sinks", &sinks)] {
            for (name, table) in plugins {
                origins.note_table(&format!("{kind}.{name}"), table, &origin);
            }
        }
        (Self { prices, sources, sinks, lines, ..self }, origins)
    }

    /// Where a plugin's section, or a key in it, stands: `FILE:LINE`. The section's own line for a key that is missing.
    pub fn place(&self, section: &str, key: Option<&str>) -> Option<String> {
        let mut path = key.map_or_else(|| section.to_owned(), |key| format!("{section}.{key}"));
        loop {
            if let Some(line) = self.lines.get(&path) {
                return Some(format!("{}:{line}", self.file.as_ref()?.display()));
            }
            path.truncate(path.rfind('.')?);
        }
    }
}

/// The configuration file, whether it is there or not: the one that was asked for, or the usual one. `None`: there is no
/// home that it could be in.
pub fn file_path(flags: &Flags, vars: &dyn Vars) -> Option<PathBuf> {
    let named = flags.config.as_deref().map(|path| vars::expanded(path, None, vars));
    named.or_else(|| vars::default_file(vars))
}

/// The directories with transcripts, each once, and whether somebody named them.
fn data_dirs(layers: &mut Layers, flags: &Flags) -> Result<(Vec<PathBuf>, bool), ConfigError> {
    let named = (!flags.data_dirs.is_empty()).then(|| flags.data_dirs.clone());
    let found = layers.find(&keys::DATA_DIRS, named)?.filter(|(dirs, _)| !dirs.is_empty());
    let explicit = found.is_some();
    let (dirs, origin) = found.unwrap_or_else(|| (vars::default_data_dirs(layers.vars), Origin::Default));
    let base = origin.base();
    let dirs = dirs.iter().map(|dir| above_projects(vars::expanded(dir, base.as_deref(), layers.vars)));
    let dirs = each_once(dirs);
    layers.origins.note(keys::DATA_DIRS.name, dirs.show(), origin);
    Ok((dirs, explicit))
}

/// Who names `projects` itself means the directory that holds it.
fn above_projects(dir: PathBuf) -> PathBuf {
    match dir.parent() {
        Some(parent) if dir.ends_with("projects") && !dir.join("projects").is_dir() => parent.to_owned(),
        _ => dir,
    }
}

/// Without those that lead to the same place as an earlier one: one default is often a link to the other.
fn each_once(dirs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut known: Vec<PathBuf> = Vec::new();
    let is_new = |dir: &PathBuf| {
        let place = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.clone());
        let is_new = !known.contains(&place);
        known.push(place);
        is_new
    };
    dirs.filter(is_new).collect()
}

fn database(layers: &mut Layers, flags: &Flags) -> Result<PathBuf, ConfigError> {
    let found = layers.find(&keys::DATABASE, flags.database.clone())?;
    let default = || Some((vars::default_database(layers.vars)?, Origin::Default));
    let (path, origin) = found.or_else(default).ok_or(ConfigError::NoHome)?;
    let path = vars::expanded(&path, origin.base().as_deref(), layers.vars);
    layers.origins.note(keys::DATABASE.name, path.show(), origin);
    Ok(path)
}

fn backup_directory(layers: &mut Layers, database: &Path) -> Result<PathBuf, ConfigError> {
    let default = || (database.with_file_name("backups"), Origin::Default);
    let (path, origin) = layers.find(&keys::BACKUP_DIRECTORY, None)?.unwrap_or_else(default);
    let path = vars::expanded(&path, origin.base().as_deref(), layers.vars);
    layers.origins.note(keys::BACKUP_DIRECTORY.name, path.show(), origin);
    Ok(path)
}

/// A path that need not be set.
fn optional_path(
    layers: &mut Layers,
    key: &'static keys::Key,
    flag: Option<PathBuf>,
) -> Result<Option<PathBuf>, ConfigError> {
    let found: Option<(Option<PathBuf>, Origin)> = layers.find(key, flag.map(Some))?;
    let (path, origin) = found.unwrap_or((None, Origin::Default));
    let path = path.map(|path| vars::expanded(&path, origin.base().as_deref(), layers.vars));
    layers.origins.note(key.name, path.show(), origin);
    Ok(path)
}

/// `NO_COLOR` says no by being there, whatever its value: <https://no-color.org>.
fn color(layers: &mut Layers, flags: &Flags) -> Result<ColorChoice, ConfigError> {
    let no_color = layers.vars.var("NO_COLOR").is_some_and(|value| !value.is_empty());
    if flags.color.is_none() && no_color {
        layers.origins.note(keys::COLOR.name, ColorChoice::Never.show(), Origin::Environment("NO_COLOR"));
        return Ok(ColorChoice::Never);
    }
    layers.pick(&keys::COLOR, flags.color, ColorChoice::default())
}

#[cfg(test)]
mod tests;
