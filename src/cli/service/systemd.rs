//! The service as a systemd user unit: the one in `examples/`, with the paths of this machine. How values are written
//! in it: <https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html>.

use std::path::Path;

use anyhow::{Context, bail};

use super::Service;

const TEMPLATE: &str = include_str!("../../../examples/claude-token-monitor.service");

/// The text of the unit.
pub(super) fn unit(service: &Service) -> anyhow::Result<String> {
    let binary = quoted(utf8(&service.binary)?)?;
    let arguments: Vec<String> = service.arguments.iter().map(|word| argument(word)).collect::<Result<_, _>>()?;
    let mut start = vec![format!("ExecStart={binary} {}", arguments.join(" "))];
    for (name, value) in &service.environment {
        start.push(format!("Environment={}", quoted(&format!("{name}={value}"))?));
    }
    let writable: Vec<String> =
        service.writable.iter().map(|path| quoted(utf8(path)?)).collect::<anyhow::Result<_>>()?;
    let lines = TEMPLATE.lines().skip_while(|line| line.starts_with('#') || line.is_empty());
    let lines = lines.map(|line| match line.split_once('=') {
        Some(("ExecStart", _)) => start.join("\n"),
        Some(("ReadWritePaths", _)) => format!("ReadWritePaths={}", writable.join(" ")),
        _ => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    Ok(format!("# Written by `claude-token-monitor service install`.\n\n{}\n", lines.join("\n")))
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// A word of a command line, where a dollar stands for a variable.
fn argument(word: &str) -> anyhow::Result<String> {
    Ok(quoted(word)?.replace('$', "$$"))
}

/// A word in which nothing means anything.
fn quoted(word: &str) -> anyhow::Result<String> {
    if word.contains(|c: char| c.is_control()) {
        bail!("{word:?} cannot stand in a unit");
    }
    let escaped = word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    let is_plain = |c: char| c.is_alphanumeric() || "/._-=:,@%".contains(c);
    Ok(if !word.is_empty() && word.chars().all(is_plain) { escaped } else { format!("\"{escaped}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_themselves() {
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(argument(word).ok().as_deref(), expected, "{word:?}");
        };
        check("/usr/bin/x", Some("/usr/bin/x"));
        check("/home/a b/x", Some("\"/home/a b/x\""));
        check(r#"a"b\c"#, Some(r#""a\"b\\c""#));
        check("100%h", Some("100%%h"));
        check("$HOME", Some("\"$$HOME\""));
        check("", Some("\"\""));
        check("a\nExecStartPre=b", None);
    }

    #[test]
    fn a_unit_is_the_example_with_other_paths() {
        let service = Service {
            binary: "/opt/my tools/claude-token-monitor".into(),
            arguments: ["serve", "--database", "/data/monitor.db"].map(str::to_owned).to_vec(),
            environment: vec![("TZ".to_owned(), "Europe/Berlin".to_owned())],
            writable: vec!["/data".into(), "/var/lib/my sink".into()],
        };
        let unit = unit(&service).expect("plain paths");
        let differing: Vec<&str> = unit.lines().filter(|line| !TEMPLATE.lines().any(|known| known == *line)).collect();
        assert_eq!(
            differing,
            [
                "# Written by `claude-token-monitor service install`.",
                "ExecStart=\"/opt/my tools/claude-token-monitor\" serve --database /data/monitor.db",
                "Environment=TZ=Europe/Berlin",
                "ReadWritePaths=/data \"/var/lib/my sink\"",
            ]
        );
    }
}
