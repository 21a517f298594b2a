//! What stands in for prompts, answers and tool output: an endless ribbon of words, already escaped for JSON.

use super::rng::Rng;

/// Nine in ten bytes of a transcript are content, so it is made once and then only copied.
const RIBBON: usize = 256 * 1024;

/// Prose and code as they look inside a JSON string: escapes, several scripts, and text that resembles usage.
const WORDS: [&str; 64] = [
    "the",
    "and",
    "to",
    "of",
    "a",
    "in",
    "is",
    "this",
    "that",
    "for",
    "it",
    "we",
    "should",
    "when",
    "because",
    "instead",
    "value",
    "error",
    "test",
    "file",
    "line",
    "return",
    "match",
    "impl",
    "struct",
    "async",
    "await",
    "let mut count = 0;",
    "fn parse(input: &[u8]) -> Result<Item, Error> {",
    "}",
    "if (!ready) {",
    "=>",
    "// see above",
    "SELECT day, sum(total) FROM usage GROUP BY day;",
    "cargo test",
    r#"git commit -m \"tidy\""#,
    "\\n",
    "\\n\\n",
    "\\n    ",
    "\\t",
    "path\\\\to\\\\file",
    "C:\\\\temp",
    "https:\\/\\/example.org\\/a?b=c",
    "caf\\u00e9",
    "größer",
    "naïve",
    "完成",
    "データ",
    "готово",
    "🚀",
    "\\ud83d\\ude80",
    "0.25",
    "4096",
    "true",
    "null",
    "{",
    "}}",
    "[]",
    "&&",
    "||",
    "--help",
    "stdout",
    "ok",
    "done",
];

/// Pasted logs look like usage and are not.
const DECOY: &str = r#"{\"type\":\"assistant\",\"message\":{\"id\":\"msg_decoy\",\"usage\":{\"input_tokens\":777777,\"output_tokens\":777777}}}"#;

pub(super) struct Text {
    ribbon: Vec<u8>,
    /// Where a word begins, so that no escape and no character is ever cut.
    cuts: Vec<usize>,
}

impl Text {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut ribbon = Vec::with_capacity(RIBBON + 256);
        let mut cuts = Vec::with_capacity(RIBBON / 4);
        while ribbon.len() < RIBBON {
            cuts.push(ribbon.len());
            let word = if rng.one_in(2000) { DECOY } else { rng.pick(&WORDS) };
            ribbon.extend_from_slice(word.as_bytes());
            ribbon.push(b' ');
        }
        Self { ribbon, cuts }
    }

    /// A place to start reading from.
    pub(super) fn place(&self, rng: &mut Rng) -> usize {
        rng.index(self.cuts.len())
    }

    /// Appends about `len` bytes (at most, and less than a long word fewer) from a place on.
    pub(super) fn write(&self, out: &mut Vec<u8>, place: usize, len: usize) {
        let (mut from, mut left) = (self.cuts[place], len);
        while left > 0 {
            if self.ribbon.len() - from <= left {
                out.extend_from_slice(&self.ribbon[from..]);
                left -= self.ribbon.len() - from;
                from = 0;
                continue;
            }
            let end = self.cuts[self.cuts.partition_point(|cut| *cut <= from + left) - 1];
            out.extend_from_slice(&self.ribbon[from..end.max(from)]);
            return;
        }
    }
}
