//! Writes transcripts line by line and knows what they add up to. Shares nothing with the program under test.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::counts::Counts;

/// A model that had a price on the days that the scribe writes about.
pub(crate) const MODEL: &str = "claude-sonnet-4-5-20250929";

/// A Claude Code that is scripted by a test.
pub(crate) struct Scribe {
    projects: PathBuf,
    next: i64,
    /// What a correct reader counts once every line is complete.
    pub(crate) written: Counts,
    /// Bytes of each file that have been begun but not written.
    pending: BTreeMap<String, Vec<u8>>,
}

impl Scribe {
    /// Writes below `claude`, which need not exist yet.
    pub(crate) fn new(claude: &Path) -> Self {
        Self { projects: claude.join("projects"), next: 1, written: Counts::default(), pending: BTreeMap::new() }
    }

    /// The path of a session's transcript.
    pub(crate) fn file(&self, session: &str) -> PathBuf {
        self.projects.join("-home-dev-app").join(format!("{session}.jsonl"))
    }

    /// A fresh response of a session: its line, newline included. No two have the same numbers, so that one lost and
    /// another one doubled do not cancel out.
    pub(crate) fn response(&mut self, session: &str) -> String {
        let n = self.next;
        self.next += 1;
        let usage =
            Counts { requests: 1, input: n, output: n * n % 1_000_003, cache_creation: n % 7, cache_read: 1000 + n };
        self.written += usage;
        line(session, n, usage, "an answer")
    }

    /// Lets days pass.
    pub(crate) fn skip_days(&mut self, days: i64) {
        self.next += days * RESPONSES_A_DAY;
    }

    /// Appends fresh responses, each line whole.
    pub(crate) fn append(&mut self, session: &str, responses: u64) {
        let text: String = (0..responses).map(|_| self.response(session)).collect();
        self.append_raw(session, text.as_bytes());
    }

    /// Appends bytes as they are.
    pub(crate) fn append_raw(&self, session: &str, bytes: &[u8]) {
        let path = self.file(session);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    /// Begins a response and writes only a part of what is due, cut anywhere: as a process that is being watched does.
    pub(crate) fn append_cut(&mut self, session: &str, responses: u64, part: f64) {
        let text: String = (0..responses).map(|_| self.response(session)).collect();
        let mut due = self.pending.remove(session).unwrap_or_default();
        due.extend_from_slice(text.as_bytes());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "0..=len"
        )]
        let cut = (due.len() as f64 * part) as usize;
        self.append_raw(session, &due[..cut.min(due.len())]);
        self.pending.insert(session.to_owned(), due[cut.min(due.len())..].to_vec());
    }

    /// Writes whatever was begun.
    pub(crate) fn finish(&mut self) {
        for (session, due) in std::mem::take(&mut self.pending) {
            self.append_raw(&session, &due);
        }
    }
}

/// One a millisecond for an hour.
const RESPONSES_A_DAY: i64 = 3_600_000;

/// The line of response `n`, with newline. `text` stands for what the model said.
pub(crate) fn line(session: &str, n: i64, usage: Counts, text: &str) -> String {
    let (minute, second, milli) = (n / 60_000 % 60, n / 1000 % 60, n % 1000);
    let day = 1 + n / RESPONSES_A_DAY % 28;
    let line = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/dev/app",
        "sessionId": session, "version": "2.0.76", "gitBranch": "main", "type": "assistant",
        "uuid": format!("00000000-0000-4000-8000-{n:012}"), "requestId": format!("req_01{n:022}"),
        "timestamp": format!("2025-11-{day:02}T12:{minute:02}:{second:02}.{milli:03}Z"),
        "message": {
            "id": format!("msg_01{n:022}"), "type": "message", "role": "assistant", "model": MODEL,
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {
                "input_tokens": usage.input, "output_tokens": usage.output,
                "cache_creation_input_tokens": usage.cache_creation, "cache_read_input_tokens": usage.cache_read,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": usage.cache_creation, "ephemeral_1h_input_tokens": 0,
                },
            },
        },
    });
    format!("{line}\n")
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `0..below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// A fraction in `0.0..1.0`.
    #[expect(clippy::cast_precision_loss, reason = "a million steps are plenty")]
    pub(crate) fn fraction(&mut self) -> f64 {
        self.below(1_000_000) as f64 / 1e6
    }
}
