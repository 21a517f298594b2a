//! What a setting's value may look like, as text (environment) and in the file; and how it is shown.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// What is allowed, as the end of "expected …".
    fn expected() -> String;

    /// Reads it from a variable.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads it from the file.
    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::String(text) => Self::from_text(text),
            toml::Value::Integer(number) => Self::from_text(&number.to_string()),
            toml::Value::Boolean(flag) => Self::from_text(&flag.to_string()),
            _ => None,
        }
    }

    /// Shows it.
    fn show(&self) -> String;

    /// Whether even a wrong value is nobody's business.
    fn is_secret() -> bool {
        false
    }
}

/// A setting that may be left out. In the file an empty text says the same.
impl<T: Value> Value for Option<T> {
    fn expected() -> String {
        T::expected()
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::from_text(text).map(Some) }
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        if value.as_str().is_some_and(str::is_empty) { Some(None) } else { T::from_toml(value).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }

    fn is_secret() -> bool {
        T::is_secret()
    }
}

impl Value for bool {
    fn expected() -> String {
        "true or false (also 1, yes, on; 0, no, off)".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn expected() -> String {
        "a whole number, 0 or more".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for NonZeroU32 {
    fn expected() -> String {
        "a whole number, 1 or more".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Where to listen: an IP address and a port, or `localhost` and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddr(pub SocketAddr);

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let local =
            || text.strip_prefix("localhost:")?.parse().ok().map(|port| (IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let address = text.parse().ok().or_else(|| local().map(SocketAddr::from));
        address.map(Self).ok_or_else(|| format!("expected {}", Self::expected()))
    }
}

impl Value for ListenAddr {
    fn expected() -> String {
        "an address and a port, such as 127.0.0.1:51888, [::1]:51888 or 0.0.0.0:51888".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// Every level with its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("off", Self::Off),
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The same for whoever writes the log.
    pub fn filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl Value for LogLevel {
    fn expected() -> String {
        "one of off, error, warn, info, debug, trace".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        by_name(&Self::ALL, text)
    }

    fn show(&self) -> String {
        name_of(&Self::ALL, self)
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

impl Value for LogFormat {
    fn expected() -> String {
        "one of text, json".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        by_name(&Self::ALL, text)
    }

    fn show(&self) -> String {
        name_of(&Self::ALL, self)
    }
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorChoice {
    /// Every choice with its name.
    pub const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

impl Value for ColorChoice {
    fn expected() -> String {
        "one of auto, always, never".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        by_name(&Self::ALL, text)
    }

    fn show(&self) -> String {
        name_of(&Self::ALL, self)
    }
}

pub(super) fn by_name<T: Copy>(all: &[(&str, T)], text: &str) -> Option<T> {
    all.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

pub(super) fn name_of<T: PartialEq>(all: &[(&str, T)], value: &T) -> String {
    all.iter().find(|(_, known)| known == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

/// Units of time, largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// No wait is shorter: a timer without a pause would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(100);

/// No wait is longer: more than a year is a typing error.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Value for Duration {
    fn expected() -> String {
        "a time such as 500ms, 30s, 5m, 1h or 1d, from 100ms to 366d".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let time = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*unit_ms)?);
        (SHORTEST..=LONGEST).contains(&time).then_some(time)
    }

    fn show(&self) -> String {
        let ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let fitting = UNITS.iter().find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms));
        fitting.map(|(name, unit_ms)| format!("{}{name}", ms / unit_ms)).unwrap_or_default()
    }
}

impl Value for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        Self::from_text(value.as_str()?)
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Several values: comma-separated in a variable, an array or a single one in the file.
impl<T: Value> Value for Vec<T> {
    fn expected() -> String {
        format!("a list (commas between the values in a variable, an array in the file), each {}", T::expected())
    }

    fn from_text(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(T::from_text).collect()
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Array(values) => values.iter().map(T::from_toml).collect(),
            single => Some(vec![T::from_toml(single)?]),
        }
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(", ")
    }
}

/// A host name or address that requests may be addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host(pub(super) String);

impl Value for Host {
    fn expected() -> String {
        "a host name or address without scheme and path".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        (!text.is_empty() && text.bytes().all(is_host)).then(|| Self(text.to_ascii_lowercase()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Value for TimeZone {
    fn expected() -> String {
        "an IANA time zone such as Europe/Berlin, or UTC".to_owned()
    }

    /// Besides names, what `TZ` may be on Unix: `:NAME`, a path into the zone database, or a POSIX rule.
    fn from_text(text: &str) -> Option<Self> {
        let text = text.strip_prefix(':').unwrap_or(text);
        if text == "/etc/localtime" {
            return Some(Self::system());
        }
        let name = text.split_once("/zoneinfo/").map_or(text, |(_, name)| name);
        Self::get(name).or_else(|_| Self::posix(text)).ok()
    }

    fn show(&self) -> String {
        self.iana_name().unwrap_or("the system's").to_owned()
    }
}
