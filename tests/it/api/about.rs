//! `/api/v1/sources`, `health`, `version`, the document and its page, and what is said while the database is away.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::client::get;
use super::clockwork::{Clockwork, line};
use super::encoded;
use super::recount::{ALL, Scene};
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

#[test]
fn sources_are_files_with_their_positions() {
    let scene = Scene::small(91);
    let mut files = Vec::new();
    for page in 1.. {
        let answer = scene.served.json(&format!("/api/v1/sources?source=claude&limit=20&page={page}"));
        let rows = answer["files"].as_array().unwrap();
        if rows.is_empty() {
            assert_eq!(answer["pagination"]["total"], files.len());
            break;
        }
        files.extend(rows.iter().cloned());
    }
    let truth = &scene.truth;
    assert_eq!(files.len() as u64, truth.files);
    assert!(files.is_sorted_by_key(|file| file["path"].as_str().unwrap().to_owned()));
    let sum = |name: &str| files.iter().map(|file| file[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("lines"), sum("skipped_lines")), (truth.lines, truth.malformed_lines));
    for file in &files {
        let size = std::fs::metadata(file["path"].as_str().unwrap()).unwrap().len();
        assert_eq!((file["size_bytes"].as_u64(), &file["state"]), (Some(size), &"ok".into()), "{file}");
        assert!(file["read_bytes"].as_u64() <= Some(size) && file["error"].is_null() && file["gone_at"].is_null());
    }
    let answer = scene.served.json("/api/v1/sources");
    let claude = answer["sources"].as_array().unwrap().iter().find(|source| source["source"] == "claude").unwrap();
    assert_eq!((claude["files"].as_u64(), claude["lines"].as_u64()), (Some(truth.files), Some(truth.lines)));
    assert!(claude["responses"].as_u64() >= Some(truth.responses) && claude["claims"].as_u64() > Some(truth.responses));
    for (reason, count) in &truth.skipped {
        assert_eq!(claude["skipped"][reason], *count, "{reason}");
    }
    let states =
        |query: &str| scene.served.json(&format!("/api/v1/sources?{query}"))["pagination"]["total"].as_u64().unwrap();
    assert_eq!((states("state=ok&source=claude"), states("state=gone"), states("state=error")), (truth.files, 0, 0));
    assert_eq!((states("source=nothing"), states("state=all") >= truth.files), (0, true));
    // A file that goes is still known, and says so.
    std::fs::remove_file(files[0]["path"].as_str().unwrap()).unwrap();
    let gone = eventually("the file to be found gone", PATIENCE, || {
        let answer = scene.served.json("/api/v1/sources?state=gone");
        answer["files"].as_array().unwrap().first().cloned()
    });
    assert_eq!((&gone["path"], gone["gone_at"].is_string()), (&files[0]["path"], true));
}

#[test]
fn health_and_version_say_what_runs() {
    let clock = Clockwork::new(TestHouse::new(), ["2025-11-01T00:00:00Z".parse().unwrap()]);
    let health = clock.served.json("/api/v1/health");
    assert_eq!((&health["status"], &health["ready"], &health["troubles"]), (&"ok".into(), &true.into(), &json!([])));
    assert_eq!((&health["database"]["responses"], &health["catchup"]["ratio"]), (&1.into(), &1.0.into()));
    assert_eq!(health["sources"][0]["kind"], "claude");
    assert_eq!(health["sources"][0]["roots"][0]["path"], clock.house.claude().display().to_string());
    assert_eq!(get(&clock.served, "/api/v1/health").header("cache-control"), Some("no-store"));
    let version = clock.served.json("/api/v1/version");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let said = clock.house.run(["--version"]).stdout;
    assert!(said.contains(version["version"].as_str().unwrap()), "{said}");
    assert_eq!((&*clock.served.text("/-/healthy"), &*clock.served.text("/-/ready")), ("ok\n", "ready\n"));
}

/// The names of all fields, and of the fields of all fields. Of a list, those of its first entry.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                // Where names are data, one stands for all of them.
                let is_data = ["models", "skipped", "groups"].iter().any(|map| path.ends_with(map));
                let path = if is_data { format!("{path}.*") } else { format!("{path}.{name}") };
                into.insert(path.clone());
                fields(value, &path, into);
            }
        }
        Value::Array(list) => list.first().into_iter().for_each(|value| fields(value, &format!("{path}[]"), into)),
        _ => {}
    }
}

#[test]
fn examples_of_the_document_look_like_answers() {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append_raw("broken", b"{\n");
    let now = jiff::Timestamp::now();
    let clock = Clockwork::new(house, [now - jiff::SignedDuration::from_mins(30), now]);
    let document = clock.served.json("/api/v1/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let (mut checked, mut ids) = (0, BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].to_string()), "{path} has another one's id");
            let Some(content) = operation["responses"]["200"]["content"].get("application/json") else { continue };
            let query = match path.as_str() {
                "/api/v1/export/json" => "?level=day".to_owned(),
                "/api/v1/cost/estimate" => "?as_model=claude-haiku-4-5".to_owned(),
                "/api/v1/cost/pricing" => "?model=claude-opus-4-8".to_owned(),
                _ => String::new(),
            };
            if method != "get" || path.ends_with("openapi.json") {
                continue;
            }
            let answer = clock.served.json(&format!("{}{query}", path.replace("{id}", "ticking")));
            let (mut real, mut example) = (BTreeSet::new(), BTreeSet::new());
            fields(&answer, "", &mut real);
            fields(&content["example"], "", &mut example);
            assert_eq!(real, example, "{path}");
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn every_parameter_of_the_document_is_taken() {
    let clock = Clockwork::new(TestHouse::new(), ["2025-11-01T00:00:00Z".parse().unwrap()]);
    let document = clock.served.json("/api/v1/openapi.json");
    let page = clock.served.text("/docs");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(page.contains(path.as_str()) && page.contains(operation["summary"].as_str().unwrap()), "{path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                assert!(page.contains(&format!("<code>{name}</code>")), "{path} {name}");
                if parameter["in"] != "query" || path == "/ws" || method != "get" {
                    continue;
                }
                let example = match &parameter["example"] {
                    Value::Array(names) => names[0].as_str().unwrap().to_owned(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                // What it is by itself: an example, or nothing at all, as forms send it. No two that exclude each other.
                for value in [example.as_str(), ""] {
                    let target = format!("{}?{name}={}", path.replace("{id}", "ticking"), encoded(value));
                    let answer = get(&clock.served, &target);
                    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
                }
            }
        }
    }
}

/// Somebody who holds the locks that readers of a write-ahead log need, until its input ends
/// (<https://www.sqlite.org/walformat.html#locks>).
const HOLD: &str = "
import fcntl, sys
with open(sys.argv[1], 'r+b') as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
    print('held', flush=True)
    sys.stdin.read()
";

#[test]
fn while_the_database_is_away_history_says_so_and_comes_back() {
    let Some(python) = parts::need("python3") else { return };
    let clock = Clockwork::new(TestHouse::new(), ["2025-11-01T00:00:00Z".parse().unwrap()]);
    let index = clock.house.database().with_extension("db-shm");
    let mut holder = Command::new(python)
        .args(["-c", HOLD])
        .arg(index)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    let paths = ["stats/history", "stats/trends", "cost/estimate", "export/csv", "export/json?level=day", "sources"];
    let paths = paths.map(|path| format!("/api/v1/{path}"));
    let served = &clock.served;
    std::thread::scope(|scope| {
        let asked = paths.iter().map(|path| (path, scope.spawn(move || get(served, path)))).collect::<Vec<_>>();
        for (path, answer) in asked {
            let answer = answer.join().unwrap();
            assert_eq!(answer.status, 503, "{path}: {}", answer.text());
            // SQLite itself waits for these locks for about as long as an answer may take.
            let code = answer.json()["code"].clone();
            assert!(code == "database_unavailable" || code == "timeout", "{path}: {code}");
            assert!(answer.header("retry-after").is_some(), "{path}");
        }
    });
    // What is in memory is there.
    assert_eq!(served.json("/api/v1/stats/current")["totals"]["requests"], 1);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    for path in &paths {
        // A look that began before may still be on its way, and whoever asks the same waits for the same.
        eventually(&format!("{path} again"), PATIENCE, || (get(served, path).status == 200).then_some(()));
    }
    let late = line("ticking", 2, "2025-11-02T00:00:00Z".parse().unwrap());
    Scribe::new(clock.house.claude()).append_raw("ticking", late.as_bytes());
    eventually("a response after it", PATIENCE, || {
        (served.json(&format!("/api/v1/stats/history?{ALL}"))["pagination"]["total"] == 2).then_some(())
    });
}
