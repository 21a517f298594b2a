//! Lines and files that look like usage and are none, or are usage that stands elsewhere already. Each of them was seen
//! in public issue trackers; `docs/counting.md` says how they are to be read.

use std::fs;
use std::io::{Result, Write};

use crate::event::UnixMillis;
use crate::status::SkipReason;

use super::corpus::{Corpus, Session};
use super::line::{self, Links};
use super::response::{Author, Envelope, Response};
use super::transcript::Transcript;
use super::{Noise, time};

impl Corpus<'_> {
    /// What comes between two responses now and then.
    pub(super) fn interruption(
        &mut self,
        file: &mut Transcript,
        session: &Session,
        place: &Envelope,
        response: &Response,
    ) -> Result<()> {
        let at = response.last_at();
        match self.author.rng.below(110) {
            0 | 1 => self.api_error(file, place, at)?,
            2 | 3 => bare_line(file, r#""type":"summary","summary":"A tidy title","leafUuid":"x""#)?,
            4 => self.snapshot(file)?,
            5 | 6 => self.cost_state(file, &place.session)?,
            7 => bare_line(file, r#""type":"queue-operation","operation":"enqueue""#)?,
            8 => bare_line(file, r#""type":"some-later-type","usage":{"input_tokens":666666},"model":null"#)?,
            9 => self.compact_boundary(file, place, at)?,
            10 if session.own.len() > 2 => self.quiet_replay(file, place, &session.own[0])?,
            11 => self.wrapped_only(file, place, at)?,
            roll @ 12..20 if self.plan.noise == Noise::Full => self.dirt(file, place, at, roll - 12)?,
            _ => {}
        }
        Ok(())
    }

    /// A notice that the program wrote itself, in the shape of a response.
    fn api_error(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis) -> Result<()> {
        let reset = at.0 / 1000 + 7200;
        let limit = self.author.rng.one_in(2);
        file.other(&mut self.author.rng, place, "assistant", at, |out| {
            out.extend_from_slice(br#""isApiErrorMessage":true,"message":{"id":"local","type":"message","#);
            out.extend_from_slice(br#""role":"assistant","model":"<synthetic>","content":[{"type":"text","text":""#);
            if limit {
                write!(out, "Claude AI usage limit reached|{reset}")?;
            } else {
                out.extend_from_slice(b"API Error: 529 overloaded");
            }
            out.extend_from_slice(br#""}],"stop_reason":"stop_sequence","usage":{"input_tokens":0,"output_tokens":0,"#);
            out.extend_from_slice(
                br#""cache_creation_input_tokens":0,"cache_read_input_tokens":0,"service_tier":null}}"#,
            );
            Ok(())
        })
    }

    /// File contents kept for undoing: long, and full of anything.
    fn snapshot(&mut self, file: &mut Transcript) -> Result<()> {
        let (from, len) = self.author.content(40_000);
        let out = file.out();
        out.extend_from_slice(
            br#"{"type":"file-history-snapshot","messageId":"x","snapshot":{"trackedFileBackups":{"a.rs":""#,
        );
        self.author.text.write(out, from, len);
        out.extend_from_slice(
            br#""},"usage":{"input_tokens":555555,"output_tokens":555555}},"isSnapshotUpdate":false}"#,
        );
        file.end_line()
    }

    /// What Claude Code itself says the session cost so far; never added to anything.
    fn cost_state(&mut self, file: &mut Transcript, session: &str) -> Result<()> {
        let row = self.truth.by_session.get(session).copied().unwrap_or_default();
        let micros = row.cost.0 / 1_000_000;
        let out = file.out();
        write!(out, r#"{{"type":"cost-state","sessionId":"{session}","totalDuration":90000,"totalCostUSD":"#)?;
        write!(out, r#"{}.{:06},"hasUnknownModelCost":"#, micros / 1_000_000, micros % 1_000_000)?;
        write!(out, r#"{},"modelUsage":{{"claude-opus-5-5":{{"inputTokens":"#, row.unpriced_tokens > 0)?;
        write!(out, r#"{},"outputTokens":{},"#, row.tokens.input, row.tokens.output)?;
        write!(out, r#""cacheReadInputTokens":{},"#, row.tokens.cache_read)?;
        write!(out, r#""cacheCreationInputTokens":{}}}}}}}"#, row.tokens.cache_write())?;
        file.end_line()
    }

    fn compact_boundary(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis) -> Result<()> {
        file.other(&mut self.author.rng, place, "system", at, |out| {
            out.extend_from_slice(br#""subtype":"compact_boundary","content":"Conversation compacted","level":"info""#);
            Ok(())
        })
    }

    /// A side question that repeats an earlier response under a request id of its own and does not say that it is one.
    fn quiet_replay(&mut self, file: &mut Transcript, place: &Envelope, original: &Response) -> Result<()> {
        let replay = self.replay_of(original);
        let Author { rng, text, .. } = &mut self.author;
        file.response(rng, text, place, &replay)?;
        self.line_sums.response(&replay);
        Ok(())
    }

    /// What crashes and races leave in a file.
    fn dirt(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis, kind: u64) -> Result<()> {
        match kind {
            0 => file.broken(SkipReason::Malformed, CUT_LINE),
            1 => file.broken(SkipReason::Malformed, br#"}],"usage":{"input_tokens":444444}}, and so on"#),
            2 => file.broken(SkipReason::NulRun, &[0; 700]),
            3 => file.broken(SkipReason::NotAnObject, br#"[{"usage":{"input_tokens":333333}}]"#),
            4 => file.end_line(),
            5 => {
                // A cut line without its line feed: what follows is saved.
                file.out().extend_from_slice(CUT_LINE);
                file.skip(SkipReason::Spliced);
                self.single_line(file, place, at)?;
                file.end_line()
            }
            6 => {
                self.single_line(file, place, at)?;
                self.single_line(file, place, at)?;
                file.end_line()
            }
            _ => {
                file.out().extend_from_slice(&[0; 96]);
                self.single_line(file, place, at)?;
                file.end_line()
            }
        }
    }

    /// A response as one line, without the line's end.
    fn single_line(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis) -> Result<()> {
        let mut response = self.author.response(at.min(time::before(self.plan.end, 15_000)), 500);
        response.keep_last_block();
        let links: Links = file.links(&mut self.author.rng);
        line::assistant(file.out(), &self.author.text, place, &links, &response, 0)?;
        self.line_sums.response(&response);
        response.book(&mut self.truth, place);
        Ok(())
    }

    /// Files that are no transcripts, or copies of some.
    pub(super) fn litter(&mut self) -> Result<()> {
        let folder = self.projects.join("-home-dana-code-litter");
        fs::create_dir_all(folder.join("a-directory.jsonl"))?;
        for name in ["audit.jsonl", "notes.txt", "old.jsonl.tmp", "old.jsonl.gz"] {
            fs::write(folder.join(name), DECOY_LINE)?;
        }
        Transcript::create(folder.join("empty.jsonl"))?.finish(&mut self.truth)?;
        for (place, file) in self.small_files.iter().enumerate() {
            let name = file.path.file_name().unwrap_or_default();
            if place % 2 == 0 {
                fs::copy(&file.path, file.path.with_extension("jsonl.bak"))?;
            } else {
                // A folder that a synchronising program made: every line in it is a copy.
                file.copy_as_transcript(&folder.join("conflicted copy").join(name), &mut self.truth)?;
            }
        }
        Ok(())
    }
}

/// A line without an envelope.
fn bare_line(file: &mut Transcript, fields: &str) -> Result<()> {
    write!(file.out(), "{{{fields}}}")?;
    file.end_line()
}

/// The beginning of a line that was never finished.
const CUT_LINE: &[u8] = br#"{"parentUuid":"0","isSidechain":false,"type":"assistant","message":{"id":"msg_cut","model":"claude-opus-5-5","usage":{"input_tokens":222222,"output_tok"#;

/// A line of usage where none is to be read.
pub(super) const DECOY_LINE: &[u8] = br#"{"type":"assistant","sessionId":"decoy","timestamp":"2026-11-01T00:00:00.000Z","requestId":"req_decoy","message":{"id":"msg_decoy","role":"assistant","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":111111,"output_tokens":111111}}}
"#;
