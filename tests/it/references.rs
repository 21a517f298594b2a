//! What the documents name is there: links, commands with their options, metrics, endpoints, variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::house::TestHouse;
use crate::parts::checkout;

/// Every document, by its path in the checkout.
fn documents() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for dir in ["", "docs"] {
        for entry in std::fs::read_dir(checkout().join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                let text = std::fs::read_to_string(checkout().join(&path)).unwrap();
                found.insert(path, text);
            }
        }
    }
    assert!(found.len() > 15, "{:?}", found.keys());
    found
}

/// The anchor of a heading, as it is linked to: lower case, without what is no letter, blanks as dashes.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

fn none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn pictures_are_there_and_light_enough_for_a_page() {
    let made = std::fs::read_to_string(checkout().join("scripts/screenshots")).unwrap();
    let mut pictures = BTreeSet::new();
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(checkout().join(readme)).unwrap();
        let shown = text.split("docs/images/").skip(1).filter_map(|rest| rest.split_once(".png"));
        let shown: BTreeSet<String> = shown.map(|(name, _)| name.to_owned()).collect();
        assert_eq!(shown.len(), 4, "{readme} shows {shown:?}");
        pictures.extend(shown);
    }
    for name in &pictures {
        let bytes = std::fs::read(checkout().join(format!("docs/images/{name}.png"))).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() < 300_000, "{name}");
        assert!(made.contains(&format!("\npicture {name} ")), "nothing makes {name}");
    }
    assert_eq!(std::fs::read_dir(checkout().join("docs/images")).unwrap().count(), pictures.len());
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let (mut broken, mut count) = (Vec::new(), 0);
    for (path, text) in &documents {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let base = checkout().join(path);
            let file = if file.is_empty() { base } else { base.parent().unwrap().join(file) };
            let is_there = file.exists()
                && (place.is_empty()
                    || std::fs::read_to_string(&file).is_ok_and(|text| anchors(&text).contains(place)));
            if !is_there {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(count > 60, "{count} links");
    none("links that lead nowhere", &broken);
}

/// What stands in code: spans between backticks, and lines of blocks.
fn code(text: &str) -> Vec<String> {
    let (mut pieces, mut in_block) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            pieces.push(line.split(" #").next().unwrap_or_default().trim().to_owned());
        } else {
            pieces.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    pieces
}

/// The program's own help, by command.
struct Help {
    house: TestHouse,
    known: BTreeMap<Vec<String>, String>,
}

impl Help {
    fn of(&mut self, command: &[String]) -> String {
        if let Some(text) = self.known.get(command) {
            return text.clone();
        }
        let done = self.house.run(command.iter().map(String::as_str).chain(["--help"]));
        assert!(done.status.success(), "{command:?}: {done:?}");
        self.known.insert(command.to_vec(), done.stdout.clone());
        done.stdout
    }

    /// What is wrong with the words after the program's name.
    fn refuses(&mut self, words: &str) -> Option<String> {
        let mut command: Vec<String> = Vec::new();
        for word in words.split_whitespace() {
            let help = self.of(&command);
            if let Some(flag) = word.strip_prefix("--") {
                let name = flag.split(['=', ']', ',']).next().unwrap_or_default();
                let all = format!("{help}{}", self.of(&[]));
                if !name.is_empty() && !all.contains(&format!("--{name}")) {
                    return Some(format!("{command:?} has no --{name}"));
                }
            } else if let Some((_, commands)) = help.split_once("Commands:\n") {
                let listed = commands.lines().take_while(|line| !line.is_empty());
                let is_listed = listed.filter_map(|line| line.split_whitespace().next()).any(|name| name == word);
                if word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                    if !is_listed {
                        return Some(format!("{command:?} has no {word}"));
                    }
                    command.push(word.to_owned());
                }
            }
        }
        None
    }
}

#[test]
fn commands_and_their_options_are_there() {
    let mut help = Help { house: TestHouse::new(), known: BTreeMap::new() };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, text) in documents() {
        for piece in code(&text) {
            // After a variable or two that go along with it.
            let piece = piece.split_whitespace().skip_while(|word| word.contains('=')).collect::<Vec<_>>().join(" ");
            let Some(words) = piece.strip_prefix("claude-token-monitor ") else { continue };
            let words = words.split(['|', '>', ';', '&', '$']).next().unwrap_or_default();
            count += 1;
            wrong.extend(help.refuses(words).map(|why| format!("{path}: {piece}: {why}")));
        }
        if path.starts_with("README") {
            let commands =
                text.lines().skip_while(|line| !line.contains("`serve`")).take_while(|line| line.starts_with('|'));
            for piece in commands.filter_map(|row| row.split('|').nth(1)).flat_map(code) {
                count += 1;
                let words = piece.replace(['[', ']'], " ");
                wrong.extend(help.refuses(&words).map(|why| format!("{path}: {piece}: {why}")));
            }
        }
    }
    assert!(count > 60, "{count} commands");
    none("commands that are not there", &wrong);
}

#[test]
fn configurations_that_are_shown_are_valid() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, text) in documents() {
        for block in text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)) {
            count += 1;
            // Reads the keys of every sink, too.
            let done = TestHouse::new().with_config(block).run(["sinks", "list"]);
            if !done.status.success() {
                wrong.push(format!("{path}: {}\n{block}", done.stderr));
            }
        }
    }
    assert!(count > 6, "{count} configurations");
    none("configurations that the program refuses", &wrong);
}

/// What the documents name that belongs to others: metrics of published dashboards, the path of a receiver, a variable of
/// Grafana.
const FOREIGN: [&str; 5] =
    ["claude_code_cache_read", "claude_code_cost_usd", "claude_code_tokens", "/api/v1/write", "GF_PATHS_PROVISIONING"];

/// The names in a text that begin like this.
fn names(text: &str, start: &str, more: fn(char) -> bool) -> BTreeSet<String> {
    let rests = text.match_indices(start).map(|(at, _)| text.get(at..).unwrap_or_default());
    rests.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || more(*c)).collect()).collect()
}

/// Whether a path is of a template's form, or the beginning of one.
fn is_at(path: &str, template: &str) -> bool {
    let mut wanted = template.split('/');
    path.split('/').all(|part| wanted.next().is_some_and(|wanted| wanted == part || wanted.starts_with('{')))
}

#[test]
fn metrics_and_endpoints_are_there() {
    let mut documents = documents();
    for entry in std::fs::read_dir(checkout().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("examples/{}", path.file_name().unwrap().to_string_lossy());
        documents.insert(name, std::fs::read_to_string(path).unwrap());
    }
    let families = &documents["docs/metrics.md"];
    let known: BTreeSet<String> = ["claude_code_", "claude_token_monitor_"]
        .iter()
        .flat_map(|start| names(families, start, |c| c == '_'))
        .collect();
    let served = TestHouse::new().serve();
    let api = served.json("/api/v1/openapi.json");
    let paths: BTreeSet<&String> = api["paths"].as_object().unwrap().keys().collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, text) in &documents {
        for start in ["claude_code_", "claude_token_monitor_"] {
            for name in names(text, start, |c| c == '_') {
                count += 1;
                let family =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
                // A name that is cut off stands for all that begin so.
                let is_there = FOREIGN.contains(&&*name)
                    || known.contains(&name)
                    || known.contains(family)
                    || (name.ends_with('_') && known.iter().any(|known| known.starts_with(&name)));
                if !is_there {
                    wrong.push(format!("{path}: {name}"));
                }
            }
        }
        for name in names(text, "/api/v1/", |c| matches!(c, '/' | '_' | '{' | '}' | '.' | '-')) {
            count += 1;
            let name = name.trim_end_matches(['.', '/', '-']);
            let is_there = paths.iter().any(|path| is_at(name, path));
            if !is_there && !FOREIGN.contains(&name) {
                wrong.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(count > 100, "{count} names");
    none("names of nothing", &wrong);
}

#[test]
fn variables_are_read_by_something() {
    fn collect(dir: &Path, all: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, all);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                all.push_str(&text);
            }
        }
    }
    let mut all = String::new();
    for dir in ["src", "docker", "scripts", "grafana", "examples", ".github", "tests/it"] {
        collect(&checkout().join(dir), &mut all);
    }
    for file in ["Makefile", ".env.example", "Cargo.toml"] {
        all.push_str(&std::fs::read_to_string(checkout().join(file)).unwrap());
    }
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, text) in documents() {
        for piece in code(&text) {
            let name = piece.split('=').next().unwrap_or_default();
            let is_variable = name.contains('_')
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if is_variable {
                count += 1;
                // Each signal has variables of its own beside those for both.
                let for_both = name.replace("_OTLP_METRICS_", "_OTLP_").replace("_OTLP_LOGS_", "_OTLP_");
                let is_read = [name, &for_both, name.trim_end_matches("_FILE")].iter().any(|name| all.contains(*name));
                if !is_read && !FOREIGN.contains(&name) {
                    wrong.push(format!("{path}: {name}"));
                }
            }
        }
    }
    assert!(count > 50, "{count} variables");
    none("variables that nothing reads", &wrong);
}

/// What two languages have in common: the levels of headings, the blocks of code without comments, the rows of tables, and
/// where links lead.
fn shape(text: &str) -> Vec<String> {
    let (mut shape, mut in_block) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
            shape.push(line.to_owned());
        } else if in_block {
            // Each has an example of a time zone where it is read.
            let line = line.replace("Asia/Shanghai", "Europe/Berlin");
            shape.push(line.split(" #").next().unwrap_or_default().trim_end().to_owned());
        } else if line.starts_with('#') {
            shape.push(line.chars().take_while(|c| *c == '#').collect());
        } else if line.starts_with('|') {
            shape.push("|".to_owned());
        }
    }
    shape.retain(|line| !line.trim_start().starts_with("# "));
    shape
}

#[test]
fn both_languages_of_the_readme_say_the_same() {
    let documents = documents();
    let (english, chinese) = (shape(&documents["README.md"]), shape(&documents["README.zh-CN.md"]));
    for (place, (english, chinese)) in english.iter().zip(&chinese).enumerate() {
        assert_eq!(english, chinese, "at place {place}");
    }
    assert_eq!(english.len(), chinese.len());
}
