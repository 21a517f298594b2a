//! Sub-agents: their transcripts in all the places where those lie, their traces in the parent's, and the copies of the
//! parent's messages that some of them begin with.

use std::fs;
use std::io::{Result, Write};
use std::sync::Arc;

use crate::event::UnixMillis;

use super::corpus::{Corpus, Session};
use super::line;
use super::noise::DECOY_LINE;
use super::response::{Author, Envelope, Response};
use super::transcript::Transcript;
use super::{Noise, time};

impl Corpus<'_> {
    /// Responses of a sub-agent whose own transcript is gone: the parent's copy is all there is.
    pub(super) fn wrapped_only(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis) -> Result<()> {
        let envelope = Envelope { agent: Some(self.author.hex(7).into()), sidechain: true, ..place.clone() };
        let mut response = self.author.response(at, 400);
        if response.message_id.is_none() {
            response.message_id = Some(format!("msg_01{}", self.author.hex(22)));
        }
        self.wrap(file, &envelope, &response)?;
        response.book(&mut self.truth, &envelope);
        Ok(())
    }

    fn wrap(&mut self, file: &mut Transcript, envelope: &Envelope, response: &Response) -> Result<()> {
        for number in 0..response.blocks.len() {
            let links = file.links(&mut self.author.rng);
            line::agent_progress(file.out(), &self.author.text, envelope, &links, response, number)?;
            file.end_line()?;
        }
        Ok(())
    }

    /// A sub-agent: its transcript in one of the places where those lie, and its traces in the parent's.
    pub(super) fn sub_agent(&mut self, parent: &mut Transcript, session: &Session, size: u64) -> Result<()> {
        let agent: Arc<str> = self.author.hex(7).into();
        let name = format!("agent-{agent}.jsonl");
        let beside = session.beside.join("subagents");
        let path = match self.author.rng.below(6) {
            0 if self.plan.noise >= Noise::Usual => session.folder.join(name),
            1 if self.plan.noise >= Noise::Usual => {
                let workflow = beside.join("workflows").join("wf_0001");
                fs::create_dir_all(&workflow)?;
                fs::write(workflow.join("journal.jsonl"), DECOY_LINE)?;
                workflow.join(name)
            }
            _ => beside.join(name),
        };
        let mut file = Transcript::create(path.clone())?;
        fs::write(path.with_extension("meta.json"), br#"{"agentType":"general-purpose"}"#)?;
        let envelope = Envelope { agent: Some(agent), sidechain: true, ..session.envelope.clone() };
        let mut at = time::after(session.at, 2000).min(time::before(self.plan.end, 15_000));
        let mut last = None;
        while file.bytes() < size {
            let response = self.author.response(at, (size / 2).max(60));
            let Author { rng, text, .. } = &mut self.author;
            file.response(rng, text, &envelope, &response)?;
            self.line_sums.response(&response);
            response.book(&mut self.truth, &envelope);
            self.tool_result(&mut file, &envelope, response.last_at(), size)?;
            if self.plan.noise >= Noise::Usual && response.message_id.is_some() && self.author.rng.one_in(4) {
                self.wrap(parent, &envelope, &response)?;
            }
            at = time::after(response.last_at(), 3000).min(time::before(self.plan.end, 15_000));
            last = Some(response);
        }
        if let Some(last) = last.filter(|_| self.plan.noise >= Noise::Usual) {
            self.task_result(parent, &session.envelope, &last)?;
        }
        file.finish(&mut self.truth)?;
        Ok(())
    }

    /// The parent's summary of a sub-agent's work states usage that the sub-agent's own transcript has already.
    fn task_result(&mut self, parent: &mut Transcript, envelope: &Envelope, last: &Response) -> Result<()> {
        parent.other(&mut self.author.rng, envelope, "user", last.last_at(), |out| {
            out.extend_from_slice(br#""message":{"role":"user","content":[{"type":"tool_result","content":"done"}]},"#);
            write!(out, r#""toolUseResult":{{"status":"completed","totalTokens":{},"#, last.tokens.total())?;
            out.extend_from_slice(br#""totalDurationMs":9000,"totalToolUseCount":3,"usage":"#);
            line::usage(out, last, last.tokens.output, true)?;
            out.push(b'}');
            Ok(())
        })
    }

    /// Sub-agents that begin with copies of their parent's messages: side questions and automatic compaction.
    pub(super) fn replays(&mut self, session: &Session) -> Result<()> {
        for (kind, chance, renamed) in [("aside_question", 5, true), ("acompact", 7, false)] {
            if session.own.is_empty() || !self.author.rng.one_in(chance) {
                continue;
            }
            let agent: Arc<str> = format!("{kind}-{}", self.author.hex(6)).into();
            let path = session.beside.join("subagents").join(format!("agent-{agent}.jsonl"));
            let envelope = Envelope { agent: Some(agent), sidechain: true, ..session.envelope.clone() };
            let mut file = Transcript::create(path)?;
            for original in session.own.iter().take(6) {
                let copy = if renamed { self.replay_of(original) } else { original.clone() };
                let Author { rng, text, .. } = &mut self.author;
                file.response(rng, text, &envelope, &copy)?;
                self.line_sums.response(&copy);
            }
            let at = session.at.min(time::before(self.plan.end, 15_000));
            let own = self.author.response(at, 2000);
            file.response(&mut self.author.rng, &self.author.text, &envelope, &own)?;
            own.book(&mut self.truth, &envelope);
            file.finish(&mut self.truth)?;
        }
        Ok(())
    }

    /// A later copy of a response's last line, with the four counts alone.
    pub(super) fn replay_of(&mut self, original: &Response) -> Response {
        let mut replay = original.clone();
        replay.request_id = Some(format!("req_011{}", self.author.hex(20)));
        replay.keep_last_block();
        replay.blocks[0].at = time::after(replay.blocks[0].at, 60_000).min(self.plan.end);
        replay.iterations.clear();
        replay.bare = true;
        replay
    }
}
