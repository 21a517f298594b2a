//! Where each setting's value comes from: flag, environment, file or default, in this order.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ConfigError;
use super::file::File;
use super::keys::Key;
use super::value::Value;
use super::vars::Vars;

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(Arc<Path>),
    Default,
}

impl Origin {
    /// What relative paths start from: the file's own directory; elsewhere the working directory.
    pub(super) fn base(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => path.parent().map(Path::to_owned),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub key: String,
    /// As text; secrets are masked.
    pub value: String,
    pub origin: Origin,
}

/// Every setting with its value and origin, in the order of [`super::keys::ALL`], and then what the file says to
/// plugins.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Effective>);

impl Origins {
    pub fn iter(&self) -> impl Iterator<Item = &Effective> {
        self.0.iter()
    }

    /// One setting by its name in the file.
    pub fn get(&self, key: &str) -> Option<&Effective> {
        self.0.iter().find(|setting| setting.key == key)
    }

    pub(super) fn note(&mut self, key: impl Into<String>, value: String, origin: Origin) {
        self.0.push(Effective { key: key.into(), value, origin });
    }

    /// Notes a plugin's table, key by key.
    pub(super) fn note_table(&mut self, prefix: &str, table: &toml::Table, origin: &Origin) {
        if table.is_empty() {
            self.note(prefix, String::new(), origin.clone());
        }
        for (name, value) in table {
            let key = format!("{prefix}.{name}");
            match value {
                toml::Value::Table(table) => self.note_table(&key, table, origin),
                _ => self.note(key.clone(), masked(&key, value), origin.clone()),
            }
        }
    }
}

/// The places where settings can stand.
pub(super) struct Layers<'a> {
    pub(super) vars: &'a dyn Vars,
    pub(super) file: Option<File>,
    pub(super) origins: Origins,
}

impl Layers<'_> {
    /// The value in force and its origin; `None` where only a default is left.
    pub(super) fn find<T: Value>(
        &self,
        key: &'static Key,
        flag: Option<T>,
    ) -> Result<Option<(T, Origin)>, ConfigError> {
        if let (Some(value), Some(name)) = (flag, key.flag) {
            return Ok(Some((value, Origin::Flag(name))));
        }
        for name in key.env {
            let Some(text) = self.vars.var(name).filter(|text| !text.is_empty()) else { continue };
            let value = text.to_str().and_then(|text| T::from_text(text.trim()));
            return match value {
                Some(value) => Ok(Some((value, Origin::Environment(name)))),
                None => Err(ConfigError::Value {
                    place: format!("environment variable {name}"),
                    key: key.name,
                    value: if T::is_secret() { "***".to_owned() } else { text.to_string_lossy().into_owned() },
                    expected: T::expected(),
                }),
            };
        }
        let Some(file) = &self.file else { return Ok(None) };
        Ok(file.get(key)?.map(|value| (value, Origin::File(file.path.as_path().into()))))
    }

    /// The value in force, noted.
    pub(super) fn pick<T: Value>(&mut self, key: &'static Key, flag: Option<T>, default: T) -> Result<T, ConfigError> {
        let (value, origin) = self.find(key, flag)?.unwrap_or((default, Origin::Default));
        self.origins.note(key.name, value.show(), origin);
        Ok(value)
    }
}

/// Words in a key that say that its value is nobody's business.
const SECRET: [&str; 6] = ["token", "password", "secret", "key", "auth", "headers"];

/// Endings of keys that hold the name of a variable or a file, not what is in it.
const REFERENCE: [&str; 2] = ["_env", "_file"];

fn masked(key: &str, value: &toml::Value) -> String {
    let key = key.to_ascii_lowercase();
    let is_reference = REFERENCE.iter().any(|ending| key.ends_with(ending));
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // `https://user:password@host/`
    let has_userinfo = text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|authority| authority.contains('@')));
    let is_secret = !is_reference && SECRET.iter().any(|word| key.contains(word));
    if has_userinfo || is_secret { "***".to_owned() } else { text }
}
