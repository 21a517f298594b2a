//! `config`: the settings in force with their origins, where the file is, and a first file to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::{Flags, Origins, Settings, Vars, file_path};

/// The file that `config init` writes: every setting with its default, commented out.
pub const SAMPLE: &str = include_str!("../../examples/config.toml");

/// Every setting, its value and its origin, as text or as JSON.
pub fn show(origins: &Origins, as_json: bool) -> String {
    if as_json { json_of(origins) } else { table_of(origins) }
}

/// Where the configuration file is, or would be.
pub fn path(settings: &Settings) -> String {
    settings.file.as_deref().map_or_else(String::new, |path| format!("{}\n", path.display()))
}

/// Writes the sample where the configuration file would be, and says where that is. It never writes over a file.
pub fn init(flags: &Flags, vars: &dyn Vars) -> io::Result<PathBuf> {
    let homeless = "there is no home directory to keep a configuration in; name a file with --config";
    let path = file_path(flags, vars).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, homeless))?;
    match write_new(&path, SAMPLE) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let words = format!("{} is there already; `config show` tells what it says", path.display());
            Err(io::Error::new(error.kind(), words))
        }
        Err(error) => Err(io::Error::new(error.kind(), format!("writing {}: {error}", path.display()))),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// One setting a line: name, value, origin.
fn table_of(origins: &Origins) -> String {
    let width = |text: &str| text.chars().count();
    let key_width = origins.iter().map(|setting| width(&setting.key)).max().unwrap_or(0);
    // A list of directories may be long; it must not push every origin out of sight.
    let value_width =
        origins.iter().map(|setting| width(&setting.value)).filter(|width| *width <= 48).max().unwrap_or(0);
    let lines = origins.iter().map(|setting| {
        let (key, value, origin) = (&setting.key, &setting.value, &setting.origin);
        format!("{key:key_width$}  {value:value_width$}  {origin}\n")
    });
    lines.collect::<Vec<_>>().concat()
}

/// `{"listen": {"value": "127.0.0.1:51888", "origin": "default"}, …}`
fn json_of(origins: &Origins) -> String {
    let settings: serde_json::Map<String, serde_json::Value> = origins
        .iter()
        .map(|setting| {
            let origin = setting.origin.to_string();
            (setting.key.clone(), serde_json::json!({ "value": setting.value, "origin": origin }))
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(settings))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Calls `with` in an environment of its own, and shortens the home's path in what it says.
    fn at_home<T>(home: &Path, with: impl FnOnce(&Flags, &dyn Vars) -> T, text: impl FnOnce(T) -> String) -> String {
        let home = home.display().to_string();
        let vars = BTreeMap::from([("HOME", home.as_str()), ("LISTEN_ADDR", "127.0.0.1:9"), ("TZ", "UTC")]);
        text(with(&Flags::default(), &vars)).replace(&home, "~")
    }

    fn shown(home: &Path, as_json: bool) -> String {
        let load = |flags: &Flags, vars: &dyn Vars| Settings::load(flags, vars).expect("valid").1;
        at_home(home, load, |origins| show(&origins, as_json))
    }

    fn init_at(home: &Path) -> String {
        at_home(home, init, |done| done.map_or_else(|error| error.to_string(), |path| path.display().to_string()))
    }

    #[test]
    fn show_names_value_and_origin() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let table = shown(home.path(), false);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = table.lines().map(words).collect();
        assert_eq!(lines[0], "listen 127.0.0.1:9 environment LISTEN_ADDR");
        assert_eq!(lines[1], "data_dirs ~/.config/claude, ~/.claude default");
        assert!(lines.contains(&"retention_days 365 default".to_owned()), "{table}");

        let json: serde_json::Value = serde_json::from_str(&shown(home.path(), true)).expect("JSON");
        assert_eq!(json["time_zone"], serde_json::json!({ "value": "UTC", "origin": "environment TZ" }));
    }

    #[test]
    fn path_is_where_init_writes() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let load = |flags: &Flags, vars: &dyn Vars| Settings::load(flags, vars).expect("valid").0;
        let expected = at_home(home.path(), load, |settings| path(&settings));
        assert_eq!(expected, "~/.config/claude-token-monitor/config.toml\n");
        assert_eq!(init_at(home.path()), expected.trim_end());
    }

    #[test]
    fn init_writes_a_valid_file_and_never_over_one() {
        let home = tempfile::tempdir().expect("a temporary directory");
        init_at(home.path());
        let file = home.path().join(".config/claude-token-monitor/config.toml");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), SAMPLE);
        shown(home.path(), false);

        std::fs::write(&file, "listen = '127.0.0.1:1'").expect("writable");
        assert!(init_at(home.path()).ends_with("is there already; `config show` tells what it says"));
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "listen = '127.0.0.1:1'");
    }
}
