//! X8: a word is planted in everything that people and tools say in a transcript, and in everything secret that a client
//! sends. It is looked for in every file that the program makes and in everything that it answers.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::sent::{directory, sinks};
use crate::abuse::paths;
use crate::counts::Counts;
use crate::house::{Served, TestHouse};
use crate::live::{connect, next, runtime};
use crate::load::clients::send;
use crate::scribe::{MODEL, Scribe};
use crate::sinks::receiver::Receiver;
use crate::wait::{PATIENCE, eventually};

/// What is planted; where it was is added to it.
const CANARY: &str = "canary4711";

/// A word that says where it was planted.
fn canary(place: &str) -> String {
    format!("{CANARY}{place}")
}

/// Lines as Claude Code writes them, with the canary wherever somebody's words, files and places are. Two of them are
/// responses, with one output token each.
fn lines(cwd: &str) -> Vec<String> {
    let head = |kind: &str, more: serde_json::Value| {
        let mut line = json!({
            "type": kind, "sessionId": "one", "cwd": cwd, "gitBranch": "main", "version": "2.1.0",
            "timestamp": "2025-11-01T13:00:00.000Z", "uuid": format!("{kind}-{}", more.to_string().len()),
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let response = |id: &str, content: serde_json::Value| {
        json!({ "requestId": format!("req_{id}"), "message": {
            "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": MODEL, "content": content,
            "stop_reason": "end_turn", "usage": { "input_tokens": 0, "output_tokens": 1 },
        }})
    };
    let said = |place: &str| json!([{ "type": "text", "text": canary(place) }]);
    let lines = vec![
        head("user", json!({ "message": { "role": "user", "content": canary("prompt") } })),
        head(
            "user",
            json!({
                "message": { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t1", "content": canary("toolresult") },
                    { "type": "image", "source": { "type": "base64", "data": canary("image") } },
                ]},
                "toolUseResult": {
                    "stdout": canary("stdout"), "stderr": canary("stderr"), "cwd": format!("/{}", canary("toolcwd")),
                    "file": { "filePath": format!("/etc/{}", canary("filepath")), "content": canary("filecontent") },
                    "structuredPatch": [{ "lines": [canary("patch")] }], "oldString": canary("oldstring"),
                },
            }),
        ),
        head("assistant", response("c1", said("answer"))),
        head(
            "assistant",
            response(
                "c2",
                json!([
                    { "type": "thinking", "thinking": canary("thinking"), "signature": canary("signature") },
                    { "type": "tool_use", "id": "t1", "name": "Bash", "input": {
                        "command": canary("command"), "file_path": canary("toolpath"), "description": canary("description"),
                    }},
                ]),
            ),
        ),
        head(
            "assistant",
            json!({ "isApiErrorMessage": true, "message": {
                "id": "msg_e", "role": "assistant", "model": "<synthetic>", "content": said("apierror"),
                "usage": { "input_tokens": 0, "output_tokens": 0 },
            }}),
        ),
        head(
            "assistant",
            json!({ "message": { "id": canary("messageid").len(), "model": [canary("modellist")],
            "usage": { "input_tokens": canary("tokens") } } }),
        ),
        head("system", json!({ "subtype": "local_command", "content": canary("localcommand"), "level": "info" })),
        head("summary", json!({ "summary": canary("summary"), "leafUuid": "x" })),
        head("ai-title", json!({ "aiTitle": canary("title") })),
        head("last-prompt", json!({ "lastPrompt": canary("lastprompt") })),
        head("queue-operation", json!({ "operation": "enqueue", "content": canary("queued") })),
        head(
            "attachment",
            json!({ "attachment": { "type": "file", "filename": canary("attachedname"),
            "content": canary("attached") } }),
        ),
        head("file-history-snapshot", json!({ "snapshot": { "trackedFileBackups": { canary("tracked"): {} } } })),
        head("progress", json!({ "data": { "type": "hook_progress", "command": canary("hook") } })),
    ];
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let whole = head("assistant", response("c9", said("broken"))).to_string();
    lines.push(whole.split_at(whole.len() - 40).0.to_owned());
    lines.push(format!("{} not json at all \"usage\"", canary("garbage")));
    lines.push(format!("[{{\"usage\": \"{}\"}}]", canary("array")));
    lines
}

/// The responses among [`lines`]: the broken one is complete but for its end and counts for nothing.
const RESPONSES: i64 = 2;

/// Everything that could be secret in a request.
fn requests(served: &Served) -> Vec<String> {
    let host = format!("host: {}\r\nconnection: close\r\n", served.address());
    let mut requests = Vec::new();
    for path in paths(served) {
        requests.push(format!("GET {path} HTTP/1.1\r\n{host}\r\n"));
        requests.push(format!("GET {path}?token={} HTTP/1.1\r\n{host}\r\n", canary("query")));
        let secrets = format!("authorization: Bearer {}\r\ncookie: sid={}\r\n", canary("bearer"), canary("cookie"));
        requests.push(format!("GET {path} HTTP/1.1\r\n{host}{secrets}\r\n"));
    }
    for path in ["/login", "/api/v1/auth/login"] {
        let body = json!({ "password": canary("password") }).to_string();
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        requests.push(format!("POST {path} HTTP/1.1\r\n{host}{head}\r\n{body}"));
    }
    requests
}

/// Where the canary is in some bytes, each with what follows it.
fn finds(bytes: &[u8]) -> Vec<String> {
    let starts = memchr::memmem::find_iter(bytes, CANARY);
    let tail = |start: usize| bytes.get(start..(start + 40).min(bytes.len())).unwrap_or_default();
    starts.map(|start| String::from_utf8_lossy(tail(start)).into_owned()).collect()
}

/// Every file below a directory but those below `except`.
pub(super) fn files(dir: &Path, except: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if except.contains(&path) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, except));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn x8_what_people_say_and_what_clients_keep_secret_is_nowhere() {
    let (house, receiver) = (TestHouse::new().with_env("LOG_LEVEL", "trace"), Receiver::start());
    let log_file = house.path("log/monitor.log");
    let house = house.with_config(&sinks(&receiver)).with_env("LOG_FILE", &log_file);
    // A project is named by its repository; where in it somebody works is nobody's business.
    let repository = house.path("repository");
    std::fs::create_dir_all(repository.join(".git")).unwrap();
    let cwd = repository.join(canary("cwd"));
    let text = lines(cwd.to_str().unwrap()).join("\n") + "\n";

    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 3);
    scribe.append_raw("one", text.as_bytes());
    scribe.written += Counts { requests: RESPONSES, output: RESPONSES, ..Counts::default() };
    // Once as history, once while it is being written.
    let served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    scribe.append_raw("two", text.as_bytes());
    scribe.append("two", 3);
    served.wait_counts(scribe.written, PATIENCE);

    let mut leaks = Vec::new();
    let mut look =
        |place: &str, bytes: &[u8]| leaks.extend(finds(bytes).into_iter().map(|find| format!("{place}: {find}")));
    let mut shown = String::new();
    for request in requests(&served) {
        let answer = send(served.address(), &request).unwrap();
        look(request.split(" HTTP").next().unwrap(), answer.as_bytes());
        shown += &answer;
    }
    let (runtime, address) = (runtime(), served.address());
    for query in [String::new(), format!("?token={}", canary("livequery"))] {
        let said = runtime.block_on(async {
            let mut socket = connect(address, &query, None).await.ok()?;
            next(&mut socket).await
        });
        look("/ws", said.unwrap_or_default().to_string().as_bytes());
    }
    assert_eq!(house.run(["db", "backup"]).code(), 0);
    for command in [&["doctor"][..], &["doctor", "--json"], &["config", "show"], &["db", "check"]] {
        let done = house.run(command);
        look(&command.join(" "), (done.stdout + &done.stderr).as_bytes());
    }
    // Everything has been sent, and is searched with the other files or here.
    let sent = usize::try_from(scribe.written.requests).unwrap();
    let files_of_sinks = ["usage.jsonl", "program.jsonl"].map(|name| directory(&house.path("home")).join(name));
    eventually("everything sent", PATIENCE, || {
        let lines = |path: &PathBuf| std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
        (receiver.taken().len() >= sent && files_of_sinks.iter().all(|path| lines(path) >= sent)).then_some(())
    });
    for seen in receiver.seen() {
        look("the webhook's body", &seen.body);
        look("the webhook's head", format!("{:?}", seen.headers).as_bytes());
    }
    let mut searched = 0;
    let mut look_at_files = |house: &TestHouse| {
        for file in files(house.root(), &[house.claude().to_owned(), repository.clone()]) {
            searched += 1;
            look(&file.display().to_string(), &std::fs::read(&file).unwrap());
        }
    };
    // With the write-ahead log as it is, and once it is folded in.
    look_at_files(&house);
    assert_eq!(served.stop().code(), Some(0));
    look_at_files(&house);

    // The search finds what is meant to be there.
    assert!(shown.contains(MODEL), "nothing was shown: the test proves nothing");
    let stored = std::fs::read(house.database()).unwrap();
    assert!(memchr::memmem::find(&stored, MODEL.as_bytes()).is_some());
    assert!(memchr::memmem::find(&stored, repository.to_str().unwrap().as_bytes()).is_some());
    let repository = repository.to_str().unwrap();
    for (path, word) in [(&files_of_sinks[0], repository), (&files_of_sinks[1], repository), (&log_file, "TRACE")] {
        let text = std::fs::read(path).unwrap();
        assert!(memchr::memmem::find(&text, word.as_bytes()).is_some(), "{}", path.display());
    }
    assert!(searched > 6, "only {searched} files");
    leaks.sort();
    leaks.dedup();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
