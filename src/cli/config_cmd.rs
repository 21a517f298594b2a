//! `config`: the settings in force with their origins, where the file is, and a first file to start from.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::ConfigCommand;
use crate::config::{Flags, Origins, Settings, Vars, file_path};
use crate::platform::{create_private_dir, create_private_file};

/// The file that `config init` writes: every setting with its default, commented out.
pub const SAMPLE: &str = include_str!("../../examples/config.toml");

/// Does what was asked and prints to `out`.
pub fn run(command: &ConfigCommand, flags: &Flags, vars: &dyn Vars, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Show { json } => {
            let (_, origins) = Settings::load(flags, vars)?;
            let text = if *json { json_of(&origins) } else { table_of(&origins) };
            out.write_all(text.as_bytes())?;
        }
        ConfigCommand::Path => writeln!(out, "{}", file(flags, vars)?.display())?,
        ConfigCommand::Init => {
            let path = file(flags, vars)?;
            init(&path)?;
            writeln!(out, "wrote {}", path.display())?;
        }
    }
    Ok(())
}

/// One setting a line: name, value, origin.
pub fn table_of(origins: &Origins) -> String {
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
pub fn json_of(origins: &Origins) -> String {
    let settings: serde_json::Map<String, serde_json::Value> = origins
        .iter()
        .map(|setting| {
            let origin = setting.origin.to_string();
            (setting.key.clone(), serde_json::json!({ "value": setting.value, "origin": origin }))
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(settings))
}

fn file(flags: &Flags, vars: &dyn Vars) -> anyhow::Result<PathBuf> {
    file_path(flags, vars).context("there is no home directory to keep a configuration in; name a file with --config")
}

/// Writes the sample, for its owner alone since secrets may be added to it; never over a file that is there.
fn init(path: &Path) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        create_private_dir(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    match create_private_file(path) {
        Ok(mut file) => file.write_all(SAMPLE.as_bytes()).with_context(|| format!("writing {}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} is there already; `config show` tells what it says", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("creating {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run_in(home: &Path, command: &ConfigCommand) -> anyhow::Result<String> {
        let home = home.display().to_string();
        let vars = BTreeMap::from([("HOME", home.as_str()), ("LISTEN_ADDR", "127.0.0.1:9"), ("TZ", "UTC")]);
        let mut out = Vec::new();
        run(command, &Flags::default(), &vars, &mut out)?;
        Ok(String::from_utf8(out)?.replace(&home, "~"))
    }

    #[test]
    fn show_names_value_and_origin() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let table = run_in(home.path(), &ConfigCommand::Show { json: false }).expect("valid");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = table.lines().map(words).collect();
        assert_eq!(lines[0], "listen 127.0.0.1:9 environment LISTEN_ADDR");
        assert_eq!(lines[1], "data_dirs ~/.config/claude, ~/.claude default");
        assert!(lines.contains(&"retention_days 365 default".to_owned()), "{table}");

        let json = run_in(home.path(), &ConfigCommand::Show { json: true }).expect("valid");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["time_zone"], serde_json::json!({ "value": "UTC", "origin": "environment TZ" }));
    }

    #[test]
    fn init_writes_a_file_once() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let path = run_in(home.path(), &ConfigCommand::Path).expect("a path");
        assert_eq!(path, "~/.config/claude-token-monitor/config.toml\n");
        assert_eq!(run_in(home.path(), &ConfigCommand::Init).expect("written"), format!("wrote {path}"));
        let file = home.path().join(".config/claude-token-monitor/config.toml");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), SAMPLE);
        run_in(home.path(), &ConfigCommand::Show { json: false }).expect("the sample is valid");

        std::fs::write(&file, "listen = '127.0.0.1:1'").expect("writable");
        let error = run_in(home.path(), &ConfigCommand::Init).expect_err("never over a file");
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "listen = '127.0.0.1:1'");
    }
}
