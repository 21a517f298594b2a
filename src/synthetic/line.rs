//! How lines look: the envelope, the message and its usage, in the order and spelling of Claude Code's transcripts.

use std::io::{Result, Write};

use crate::event::{TokenCounts, UnixMillis};

use super::response::{Block, BlockKind, Envelope, Iteration, Response, Split, uuid};
use super::rng::Rng;
use super::text::Text;
use super::time;

/// A line's own id and that of the line before it, drawn while a file is written.
pub(super) struct Links {
    parent: Option<String>,
    own: String,
}

impl Links {
    /// The links of the next line of a thread.
    pub(super) fn next(rng: &mut Rng, last: &mut Option<String>) -> Self {
        let own = uuid(rng.next(), rng.next());
        Self { parent: last.replace(own.clone()), own }
    }
}

/// Everything before the part that differs by type; ends inside the object, with a comma.
pub(super) fn open(out: &mut Vec<u8>, envelope: &Envelope, links: &Links) -> Result<()> {
    let Envelope { session, cwd, branch, agent, sidechain } = envelope;
    match &links.parent {
        Some(parent) => write!(out, r#"{{"parentUuid":"{parent}","#)?,
        None => out.extend_from_slice(br#"{"parentUuid":null,"#),
    }
    write!(out, r#""isSidechain":{sidechain},"userType":"external","entrypoint":"cli","cwd":"#)?;
    string(out, cwd)?;
    write!(out, r#","sessionId":"{session}","version":"2.1.280","#)?;
    if let Some(branch) = branch {
        out.extend_from_slice(br#""gitBranch":"#);
        string(out, branch)?;
        out.push(b',');
    }
    if let Some(agent) = agent {
        write!(out, r#""agentId":"{agent}","#)?;
    }
    Ok(())
}

/// The end of a line: type, uuid and timestamp.
pub(super) fn close(out: &mut Vec<u8>, kind: &str, links: &Links, at: UnixMillis) -> Result<()> {
    write!(out, r#","type":"{kind}","uuid":"{}","timestamp":""#, links.own)?;
    time::write(out, at)?;
    out.extend_from_slice(br#""}"#);
    Ok(())
}

/// One content block of a response.
pub(super) fn assistant(
    out: &mut Vec<u8>,
    text: &Text,
    envelope: &Envelope,
    links: &Links,
    response: &Response,
    number: usize,
) -> Result<()> {
    open(out, envelope, links)?;
    message(out, text, response, number)?;
    if let Some(request) = &response.request_id {
        write!(out, r#","requestId":"{request}""#)?;
    } else if response.message_id.is_some() {
        // Some gateways leave the field out, others fill in null.
        out.extend_from_slice(br#","requestId":null"#);
    }
    close(out, "assistant", links, response.blocks[number].at)
}

/// The same block as the parent's transcript repeats it while a sub-agent works.
pub(super) fn agent_progress(
    out: &mut Vec<u8>,
    text: &Text,
    envelope: &Envelope,
    links: &Links,
    response: &Response,
    number: usize,
) -> Result<()> {
    let agent = envelope.agent.as_deref().unwrap_or_default();
    let at = response.blocks[number].at;
    open(out, &Envelope { sidechain: false, agent: None, ..envelope.clone() }, links)?;
    write!(out, r#""parentToolUseID":"toolu_01{agent}","data":{{"type":"agent_progress","#)?;
    write!(out, r#""agentId":"{agent}","message":{{"type":"assistant","timestamp":""#)?;
    time::write(out, at)?;
    out.extend_from_slice(br#"","isSidechain":true,"#);
    if let Some(request) = &response.request_id {
        write!(out, r#""requestId":"{request}","#)?;
    }
    message(out, text, response, number)?;
    out.extend_from_slice(b"}}");
    close(out, "progress", links, time::after(at, 40))
}

fn message(out: &mut Vec<u8>, text: &Text, response: &Response, number: usize) -> Result<()> {
    let block = &response.blocks[number];
    let last = number + 1 == response.blocks.len();
    out.extend_from_slice(br#""message":{"model":"#);
    match response.model.id {
        "unknown" => out.extend_from_slice(b"null"),
        id => string(out, id)?,
    }
    match &response.message_id {
        Some(id) => write!(out, r#","id":"{id}""#)?,
        None => out.extend_from_slice(br#","id":null"#),
    }
    out.extend_from_slice(br#","type":"message","role":"assistant","content":["#);
    content(out, text, block);
    let stop = match (last && !response.bare, block.kind) {
        (false, _) => "null",
        (true, BlockKind::ToolUse | BlockKind::DecoyToolUse) => r#""tool_use""#,
        (true, _) => r#""end_turn""#,
    };
    write!(out, r#"],"stop_reason":{stop},"stop_sequence":null,"usage":"#)?;
    usage(out, response, block.output, last)?;
    out.push(b'}');
    Ok(())
}

fn content(out: &mut Vec<u8>, text: &Text, block: &Block) {
    let (before, after): (&[u8], &[u8]) = match block.kind {
        BlockKind::Thinking => (br#"{"type":"thinking","thinking":""#, br#"","signature":"RXhhbXBsZQ=="}"#),
        BlockKind::Text => (br#"{"type":"text","text":""#, br#""}"#),
        BlockKind::ToolUse => (
            br#"{"type":"tool_use","id":"toolu_0142","name":"Bash","input":{"command":""#,
            br#"","description":"Run it"}}"#,
        ),
        BlockKind::DecoyToolUse => (
            br#"{"type":"tool_use","id":"toolu_0143","name":"put","input":{"id":null,"model":null,"usage":{"input_tokens":888888,"output_tokens":888888},"body":""#,
            br#""}}"#,
        ),
    };
    out.extend_from_slice(before);
    text.write(out, block.place, block.len);
    out.extend_from_slice(after);
}

/// The usage object of a line that states so much output.
pub(super) fn usage(out: &mut Vec<u8>, response: &Response, output: u64, last: bool) -> Result<()> {
    let TokenCounts { input, cache_write_5m, cache_write_1h, cache_read, .. } = response.tokens;
    write!(
        out,
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":{},"cache_read_input_tokens":{cache_read},"#,
        cache_write_5m + cache_write_1h
    )?;
    write!(out, r#""output_tokens":{output}"#)?;
    if response.bare {
        out.push(b'}');
        return Ok(());
    }
    let split = match response.split {
        Split::Stated => Some((cache_write_5m, cache_write_1h)),
        Split::MissingOnLast if !last => Some((cache_write_5m, cache_write_1h)),
        Split::Zero => Some((0, 0)),
        Split::MissingOnLast | Split::Missing => None,
    };
    if let Some((five, hour)) = split {
        write!(out, r#","cache_creation":{{"ephemeral_5m_input_tokens":{five},"ephemeral_1h_input_tokens":{hour}}}"#)?;
    }
    if response.bill.searches + response.fetches > 0 {
        let (searches, fetches) = (response.bill.searches, response.fetches);
        write!(out, r#","server_tool_use":{{"web_search_requests":{searches},"web_fetch_requests":{fetches}}}"#)?;
    }
    match response.tier {
        Some(tier) => write!(out, r#","service_tier":"{tier}""#)?,
        None => out.extend_from_slice(br#","service_tier":null"#),
    }
    let speed = if response.bill.fast { r#""fast""# } else { r#""standard""# };
    let geo = match (response.bill.us, cache_read % 3) {
        (true, _) => r#""us""#,
        (false, 0) => r#""not_available""#,
        (false, 1) => r#""global""#,
        (false, _) => "null",
    };
    write!(out, r#","speed":{speed},"inference_geo":{geo}"#)?;
    if last && !response.iterations.is_empty() {
        out.extend_from_slice(br#","iterations":["#);
        for (place, entry) in response.iterations.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            iteration(out, entry)?;
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

fn iteration(out: &mut Vec<u8>, iteration: &Iteration) -> Result<()> {
    write!(out, r#"{{"type":"{}","model":"#, iteration.kind)?;
    match iteration.model {
        Some(model) => string(out, model.id)?,
        None => out.extend_from_slice(b"null"),
    }
    let tokens = iteration.tokens;
    write!(
        out,
        r#","input_tokens":{},"output_tokens":{},"cache_read_input_tokens":{},"cache_creation_input_tokens":{}"#,
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write()
    )?;
    write!(
        out,
        r#","cache_creation":{{"ephemeral_5m_input_tokens":{},"ephemeral_1h_input_tokens":{}}}}}"#,
        tokens.cache_write_5m, tokens.cache_write_1h
    )
}

/// A JSON string with its quotes.
pub(super) fn string(out: &mut Vec<u8>, value: &str) -> Result<()> {
    serde_json::to_writer(out, value).map_err(Into::into)
}
