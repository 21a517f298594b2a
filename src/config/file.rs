//! The configuration file: its values with the lines they stand on. Whatever it says that nobody would read is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::keys;
use super::value::Value;
use crate::pricing::{PriceRow, PriceTable};

/// What a configuration file says.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    values: BTreeMap<&'static str, (toml::Value, usize)>,
    pub(super) prices: Vec<PriceRow>,
    pub(super) sources: BTreeMap<String, toml::Table>,
    pub(super) sinks: BTreeMap<String, toml::Table>,
    /// On which line each table and key of a plugin stands.
    pub(super) lines: BTreeMap<String, usize>,
}

/// The part of the file that is read by type.
#[derive(Deserialize)]
struct Prices {
    #[serde(default)]
    prices: Vec<PriceRow>,
}

impl File {
    /// Reads the file. `None`: there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let at = Place { path, text };
        // Twice, since one form has the values and the other the places.
        let values: toml::Table = toml::from_str(text).map_err(|error| at.syntax(&error))?;
        let places = DeTable::parse(text).map_err(|error| at.syntax(&error))?;
        let prices = toml::from_str::<Prices>(text).map_err(|error| at.syntax(&error))?.prices;
        if let Err(source) = PriceTable::builtin().with_overrides(&prices) {
            return Err(ConfigError::Prices { path: path.to_owned(), source });
        }
        let mut file = Self { path: path.to_owned(), prices, ..Self::default() };
        file.take(&at, "", &values, places.get_ref())?;
        Ok(file)
    }

    /// Takes in one table: settings, tables of settings and plugins' tables.
    fn take(&mut self, at: &Place, table: &str, values: &toml::Table, places: &DeTable) -> Result<(), ConfigError> {
        for (name, place) in places {
            let (line, name) = (at.line(name.span().start), name.get_ref());
            let Some(value) = values.get(name.as_ref()) else { continue };
            let path = if table.is_empty() { name.to_string() } else { format!("{table}.{name}") };
            if let Some(key) = keys::ALL.iter().find(|key| key.name == path) {
                self.values.insert(key.name, (value.clone(), line));
                continue;
            }
            match (value, place.get_ref()) {
                (toml::Value::Table(plugins), _) if keys::PLUGIN_TABLES.contains(&path.as_str()) => {
                    let tables = plugin_tables(at, line, &path, plugins)?;
                    note_lines(at, &path, place.get_ref(), &mut self.lines);
                    if path == "sources" { self.sources = tables } else { self.sinks = tables }
                }
                (toml::Value::Table(values), DeValue::Table(places)) if keys::is_table(&path) => {
                    self.take(at, &path, values, places)?;
                }
                _ if path == keys::PRICES => {}
                _ if keys::is_table(&path) => {
                    return Err(at.error(line, format!("`{path}` is a table; write [{path}] and its keys below")));
                }
                _ => return Err(at.unknown(line, table, name)),
            }
        }
        Ok(())
    }

    /// The value of a setting and where it stands, if the file has it.
    pub(super) fn get<T: Value>(&self, key: &'static keys::Key) -> Result<Option<T>, ConfigError> {
        let Some((value, line)) = self.values.get(key.name) else { return Ok(None) };
        T::from_toml(value).map(Some).ok_or_else(|| ConfigError::Value {
            place: format!("{}:{line}", self.path.display()),
            key: key.name,
            value: if T::is_secret() {
                "***".to_owned()
            } else {
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            },
            expected: T::expected(),
        })
    }
}

/// Notes on which line everything below `path` stands.
fn note_lines(at: &Place, path: &str, places: &DeValue, lines: &mut BTreeMap<String, usize>) {
    let DeValue::Table(places) = places else { return };
    for (name, place) in places {
        let path = format!("{path}.{}", name.get_ref());
        note_lines(at, &path, place.get_ref(), lines);
        lines.insert(path, at.line(name.span().start));
    }
}

fn plugin_tables(
    at: &Place,
    line: usize,
    path: &str,
    plugins: &toml::Table,
) -> Result<BTreeMap<String, toml::Table>, ConfigError> {
    let table = |(name, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => Ok((name.clone(), table.clone())),
        _ => Err(at.error(line, format!("`{path}.{name}` is not a table; write [{path}.{name}] and its keys below"))),
    };
    plugins.iter().map(table).collect()
}

/// For errors: the file and its text.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    /// Lines count from one.
    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    fn error(&self, line: usize, message: String) -> ConfigError {
        ConfigError::File { path: self.path.to_owned(), line, message }
    }

    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let line = self.line(error.span().map_or(0, |span| span.start));
        self.error(line, error.message().to_owned())
    }

    fn unknown(&self, line: usize, table: &str, name: &str) -> ConfigError {
        let known = keys::known_in(table);
        let key = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
        let meant = keys::nearest(name, &known).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
        let table = if table.is_empty() { "the file".to_owned() } else { format!("[{table}]") };
        self.error(line, format!("unknown key `{key}`{meant}; {table} may hold: {}", known.join(", ")))
    }
}
