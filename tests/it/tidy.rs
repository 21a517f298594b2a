//! The rules of the house that a text search can keep: who may import whom, which module owns which crate, and what no
//! file may hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::parts::checkout;

/// Every file below a directory of the checkout, with its path from there and its text.
fn files(dir: &str, endings: &[&str]) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() {
                if name != "target" && name != ".git" && name != "node_modules" {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&checkout().join(dir), &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)))
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some((path.strip_prefix(checkout()).unwrap().to_string_lossy().into_owned(), text))
        })
        .collect()
}

/// The sources of the program, without the files that hold tests.
fn sources(dir: &str) -> Vec<(String, String)> {
    let mut sources = files(dir, &[".rs"]);
    sources.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    sources
}

/// The part of a source file that is in the program: without its tests and its comments.
fn program(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// A file's room: the first part of its path below `src/`.
fn room(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Asserts that a list of offences is empty.
fn none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// Which rooms of our own each room may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("event", &["merge"]),
    ("merge", &["event"]),
    ("clock", &["event"]),
    ("platform", &[]),
    ("status", &[]),
    ("pricing", &["event"]),
    ("hub", &["event", "status", "clock"]),
    ("plugin", &["event", "hub", "clock", "merge", "status", "route"]),
    ("deliver", &["event", "plugin", "hub", "status", "clock", "store", "ingest"]),
    ("backfill", &["event", "plugin", "hub", "clock", "platform", "store", "sinks"]),
    ("store", &["event", "merge", "pricing", "plugin", "hub", "status", "clock", "platform", "slow"]),
    ("ingest", &["event", "merge", "pricing", "plugin", "hub", "status", "clock", "store", "slow"]),
    ("sources", &["event", "merge", "plugin", "status", "clock", "platform", "hub"]),
    ("route", &[]),
    ("accept", &[]),
    ("version", &[]),
    ("slow", &[]),
    ("stats", &["event", "hub"]),
    ("sinks", &["accept", "event", "hub", "plugin", "status", "clock", "route", "stats", "version", "slow"]),
    (
        "web",
        &[
            "accept", "event", "deliver", "hub", "plugin", "status", "clock", "store", "pricing", "platform", "route",
            "stats", "version", "slow",
        ],
    ),
    ("config", &["plugin", "pricing", "platform", "store"]),
];

#[test]
fn rooms_import_only_what_they_may() {
    let mut offences = Vec::new();
    for (path, text) in sources("src") {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room(&path)) else { continue };
        let code = program(&text);
        for rest in code.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // `use crate::{a, b}` would hide the names from this search, so it is an offence too.
            if name != room(&path) && !allowed.contains(&name.as_str()) {
                offences.push(format!("{path} names crate::{name}"));
            }
        }
    }
    none("imports against the direction of data", &offences);
}

/// Which rooms or files may use a crate.
const OWNED: &[(&str, &[&str])] = &[
    ("rusqlite", &["src/store/"]),
    ("notify", &["src/sources/"]),
    ("askama", &["src/web/", "src/plugin", "src/sinks/"]),
    ("warp", &["src/accept.rs", "src/web/", "src/plugin", "src/route.rs", "src/sinks/"]),
    ("clap", &["src/cli/", "src/cli.rs"]),
    ("clap_complete", &["src/cli/"]),
    ("clap_mangen", &["src/cli/"]),
    ("hyper_rustls", &["src/sinks/http/"]),
    ("rustls_native_certs", &["src/sinks/http/"]),
    ("prometheus_client", &["src/sinks/prometheus"]),
    ("tokio_tungstenite", &["src/sinks/websocket"]),
    ("tracing_appender", &["src/cli/logging"]),
    ("tracing_subscriber", &["src/cli/logging"]),
    ("argon2", &["src/web/auth/password.rs"]),
    ("jsonwebtoken", &["src/web/auth/token.rs"]),
    ("governor", &["src/web/rate.rs"]),
    ("rpassword", &["src/cli/auth.rs"]),
];

#[test]
fn crates_stay_in_their_rooms() {
    let mut offences = Vec::new();
    for (path, text) in sources("src") {
        let code = program(&text);
        for (name, homes) in OWNED {
            let used = [format!("{name}::"), format!("use {name};"), format!("use {name} as")];
            if used.iter().any(|used| mentions(&code, used)) && !homes.iter().any(|home| path.starts_with(home)) {
                offences.push(format!("{path} uses {name}"));
            }
        }
    }
    none("crates outside the rooms that own them", &offences);
}

/// Whether `code` holds `what` as the start of a path, and not as the tail of a longer name.
fn mentions(code: &str, what: &str) -> bool {
    let mut pieces: Vec<&str> = code.split(what).collect();
    pieces.pop();
    pieces.iter().any(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.'))
}

#[test]
fn every_plugin_is_registered_and_knows_no_sibling() {
    let mut offences = Vec::new();
    for (dir, is_plugin) in [("sources", "impl Source for"), ("sinks", "impl Sink for")] {
        let dir = format!("src/{dir}");
        let registry = std::fs::read_to_string(checkout().join(&dir).join("mod.rs")).unwrap();
        let files = sources(&dir);
        // A plugin is `name.rs`, `name/mod.rs`, or `name.rs` with more in `name/`. What is not one is shared.
        let plugin = |path: &str| path.split('/').nth(2).unwrap().trim_end_matches(".rs").to_owned();
        let plugins: BTreeSet<String> =
            files.iter().filter(|(_, text)| program(text).contains(is_plugin)).map(|(path, _)| plugin(path)).collect();
        assert!(!plugins.is_empty());
        for plugin in plugins.iter().filter(|plugin| !registry.contains(&format!("of::<{plugin}::"))) {
            offences.push(format!("{dir}/{plugin} is not in {dir}/mod.rs"));
        }
        for (path, text) in files.iter().filter(|(path, _)| !path.ends_with(&format!("{dir}/mod.rs"))) {
            for sibling in plugins.iter().filter(|sibling| **sibling != plugin(path)) {
                let here = dir.trim_start_matches("src/");
                if program(text).contains(&format!("{here}::{sibling}")) {
                    offences.push(format!("{path} imports its sibling {sibling}"));
                }
            }
        }
    }
    none("plugins", &offences);
}

#[test]
fn only_one_place_in_the_tests_lets_time_pass() {
    let searched = ["sle", "ep("].concat();
    let offences: Vec<String> = files("tests", &[".rs"])
        .into_iter()
        .filter(|(path, text)| path != "tests/it/wait.rs" && text.contains(&searched))
        .map(|(path, _)| path)
        .collect();
    none("tests wait for events, through tests/it/wait.rs", &offences);
}

#[test]
fn only_the_test_house_starts_the_program() {
    let searched = ["CARGO_BIN", "_EXE"].concat();
    let offences: Vec<String> = files("tests", &[".rs"])
        .into_iter()
        .filter(|(path, text)| path != "tests/it/house.rs" && text.contains(&searched))
        .map(|(path, _)| path)
        .collect();
    none("children get the house's environment, never the real home", &offences);
}

#[test]
fn no_test_is_ignored_and_nothing_is_unfinished() {
    let marks = [["#[ign", "ore"], ["tod", "o!("], ["unimpl", "emented!("], ["FIX", "ME"], ["TO", "DO"]]
        .map(|mark| mark.concat());
    let mut offences = Vec::new();
    for dir in ["src", "tests", "benches", "examples"] {
        for (path, text) in files(dir, &[".rs"]) {
            offences.extend(marks.iter().filter(|mark| text.contains(*mark)).map(|mark| format!("{path}: {mark}")));
        }
    }
    none("unfinished", &offences);
}

#[test]
fn no_file_names_the_machine_it_was_written_on_or_a_registry() {
    let words = [
        ["/wo", "rk/main"],
        ["/wo", "rk/shared"],
        ["/tmp/", "wt/"],
        ["/ro", "ot/."],
        ["bash_", "jobs"],
        ["registry.np", "mjs"],
        ["py", "pi.org"],
        ["deb.deb", "ian.org"],
    ]
    .map(|word| word.concat());
    let endings = [".rs", ".md", ".toml", ".sh", ".html", ".js", ".css", ".yml", ".yaml", ".json", ".sql", "Makefile"];
    let mut offences = Vec::new();
    for (path, text) in files("", &endings) {
        for word in words.iter().filter(|word| text.contains(*word)) {
            offences.push(format!("{path}: {word}"));
        }
    }
    none("what only one machine has", &offences);
}
