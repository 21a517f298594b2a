//! A house whose transcripts choose the worst names that anybody could think of: whoever clones a repository lets others
//! choose a directory's name, and a gateway may call a model what it likes.

use serde_json::json;

use crate::counts::Counts;
use crate::house::TestHouse;
use crate::scribe::Scribe;

/// Stands for half of a surrogate pair, which JSON can say and no string can hold.
const LONE: char = '\u{e000}';

/// Names, each with a number that makes it unlike any other even where control characters are left out.
const NAMES: [&str; 17] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"><svg onload=alert(3)>",
    "' onmouseover='alert(4)",
    "javascript:alert(5)//",
    "{{7*7}}",
    "=cmd|' /C calc'!A1",
    "@SUM(1+1)*cmd",
    "crlf\r\nSet-Cookie: pwned=1\r\n\r\n<h1>pwned</h1>",
    "ansi\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m",
    "rtl\u{202e}gnp.exe\u{2066}\u{feff}",
    "nul\0nul",
    "half\u{e000}pair",
    "\"} 1\nfake_metric 1\n{x=\"",
    "back\\slash\\\"quote\\n",
    "2026-01-01T00:00:00.000000Z ERROR pwned\n2026-01-01T00:00:00.000000Z  INFO fine",
    "../../../etc/passwd",
];

/// What the transcripts of a house are about.
pub(crate) struct Hostile {
    pub(crate) house: TestHouse,
    /// As the transcripts write them, without half pairs, which stand as U+FFFD. One is a million characters long.
    pub(crate) names: Vec<String>,
    pub(crate) written: Counts,
}

/// A house in which every name is the model, the session, the project, the branch and more of one response each.
pub(crate) fn house() -> Hostile {
    let long = "long".repeat(250_000);
    of(NAMES.into_iter().chain([long.as_str()]).enumerate().map(|(number, name)| format!("{name}{number}")))
}

/// A house of the same shape with names that mean no harm.
pub(super) fn harmless() -> Hostile {
    of((0..=NAMES.len()).map(|number| format!("name{number}")))
}

fn of(names: impl Iterator<Item = String>) -> Hostile {
    let house = TestHouse::new().with_env("LOG_LEVEL", "trace");
    let scribe = Scribe::new(house.claude());
    let (mut all, mut written) = (Vec::new(), Counts::default());
    for (number, name) in names.enumerate() {
        scribe.append_raw(&format!("s{number}"), line(number, &name).as_bytes());
        written += Counts { requests: 1, input: 1000, output: 1, ..Counts::default() };
        all.push(name.replace(LONE, "\u{fffd}"));
    }
    Hostile { house, names: all, written }
}

/// One response of just now that has the name wherever a transcript can have one. Without a time of its own it has that
/// of its file.
pub(super) fn line(number: usize, name: &str) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "userType": name, "cwd": format!("/srv/{name}"), "sessionId": name,
        "version": name, "gitBranch": name, "type": "assistant", "uuid": format!("u{number}"), "agentId": name,
        "slug": name, "requestId": format!("req_{number}{name}"),
        "message": {
            "id": format!("msg_{number}{name}"), "type": "message", "role": "assistant", "model": name,
            "content": [{ "type": "text", "text": name }], "stop_reason": name,
            "usage": {
                "input_tokens": 1000, "output_tokens": 1, "service_tier": name, "speed": name, "inference_geo": name,
            },
        },
    });
    format!("{line}\n").replace(LONE, "\\ud800")
}
