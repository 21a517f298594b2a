//! X7 for what is sent: a name from outside is a string in one line of JSON and nothing else, whichever sink sends it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::hostile::house;
use crate::sinks::receiver::Receiver;
use crate::wait::{PATIENCE, eventually};

/// Sections of sinks that send everything: to a receiver, into `usage.jsonl`, and through a program into `program.jsonl`,
/// both beside the configuration file.
pub(super) fn sinks(receiver: &Receiver) -> String {
    let start = "start_from = 'beginning'\ninterval = '0s'";
    format!(
        "[sinks.hook]\ntype = 'webhook'\nurl = '{}'\n{start}\n\
         [sinks.file]\ntype = 'jsonl'\npath = 'usage.jsonl'\n{start}\n\
         [sinks.program]\ntype = 'exec'\n{start}\n\
         command = ['/bin/sh', '-c', 'while IFS= read -r line; do case $line in \"{{\\\"commit\\\"\"*) echo ok;; \
         *) printf \"%s\\n\" \"$line\" >> program.jsonl;; esac; done']\n",
        receiver.url()
    )
}

/// Where the files of [`sinks`] are.
pub(super) fn directory(home: &Path) -> std::path::PathBuf {
    home.join(".config/claude-token-monitor")
}

#[test]
fn x7_names_are_one_string_in_one_line_of_what_is_sent() {
    let receiver = Receiver::start();
    let mut hostile = house();
    hostile.house = hostile.house.with_config(&sinks(&receiver));
    let served = hostile.house.serve();
    served.wait_counts(hostile.written, PATIENCE);
    let directory = directory(&hostile.house.path("home"));
    let models: BTreeSet<String> = hostile.names.iter().map(|name| name.chars().take(200).collect()).collect();
    let check = |place: &str, changes: &[Value]| {
        assert_eq!(changes.len(), hostile.names.len(), "{place}");
        let told = changes.iter().map(|change| change["event"]["model"].as_str().unwrap().to_owned());
        assert_eq!(told.collect::<BTreeSet<_>>(), models, "{place}");
    };
    for name in ["usage.jsonl", "program.jsonl"] {
        let text = eventually(name, PATIENCE, || {
            let text = std::fs::read_to_string(directory.join(name)).ok()?;
            (text.lines().count() >= hostile.names.len() && text.ends_with('\n')).then_some(text)
        });
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        check(name, &lines);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name} reaches a terminal");
    }
    eventually("everything at the webhook", PATIENCE, || (receiver.taken().len() >= hostile.names.len()).then_some(()));
    check("webhook", &receiver.taken());
    for seen in receiver.seen() {
        let head: Vec<&str> = seen.headers.keys().map(String::as_str).collect();
        let usual = ["content-length", "content-type", "host", "user-agent", "webhook-id", "webhook-timestamp"];
        assert_eq!(head, usual, "{seen:?}");
    }
    let log = served.log();
    assert!(log.lines().all(|line| !line.chars().any(char::is_control)), "{log}");
    drop(served);
}
