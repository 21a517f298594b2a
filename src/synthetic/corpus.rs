//! A directory of transcripts: sessions, their sub-agents, and what other programs leave beside them.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::event::UnixMillis;

use super::response::{Author, Envelope, Response};
use super::rng::{Quantiles, Rng};
use super::stats_cache::LineSums;
use super::transcript::{Transcript, Written};
use super::truth::{Truth, TruthRow};
use super::{Noise, Plan, names, schedule, time};

pub(super) struct Corpus<'a> {
    pub(super) plan: &'a Plan,
    pub(super) projects: PathBuf,
    pub(super) author: Author,
    pub(super) truth: Truth,
    pub(super) line_sums: LineSums,
    /// Beginnings of earlier sessions, for those that resume them.
    past: Vec<Past>,
    /// Small files, for those that copy them.
    pub(super) small_files: Vec<Written>,
    root: &'a Path,
}

/// The first responses of a session.
struct Past {
    last_at: UnixMillis,
    /// The smallest session id among all copies: that one owns them.
    owner: Arc<str>,
    lines: Vec<(Envelope, Response)>,
}

/// A session while it is written.
pub(super) struct Session {
    pub(super) envelope: Envelope,
    pub(super) at: UnixMillis,
    /// Its folder below `projects/`.
    pub(super) folder: PathBuf,
    /// Where its sub-agents are.
    pub(super) beside: PathBuf,
    /// A gateway's constant message id, and whether it passes request ids on.
    gateway: Option<(String, bool)>,
    /// Which of the past sessions it goes on from.
    resumes: Option<usize>,
    /// Main-thread responses that others may repeat.
    pub(super) own: Vec<Response>,
}

/// Bytes around the content of one response, of its tool result and of its share of other lines.
const ENVELOPE_BYTES: u64 = 2600;
/// Bytes of content of the same, before scaling.
const CONTENT_BYTES: u64 = 4300;
/// Time from one response to the next.
const PACE_MS: &Quantiles = &[(0, 1200), (500, 6500), (900, 24_000), (990, 120_000), (1000, 900_000)];
const MEAN_PACE_MS: u64 = 18_000;
/// How many responses at the beginning of a session others may repeat.
const REPEATABLE: usize = 12;
/// No response begins later than this before the end, so that its last line is not in the future.
const MARGIN_MS: u64 = 15_000;

impl<'a> Corpus<'a> {
    pub(super) fn new(plan: &'a Plan, root: &'a Path) -> Self {
        let share = plan.content_percent.min(95);
        let scale = 100 * ENVELOPE_BYTES * share / (100 - share) / CONTENT_BYTES;
        Self {
            plan,
            root,
            projects: root.join("projects"),
            author: Author::new(plan.seed, plan.noise, scale),
            truth: Truth::default(),
            line_sums: LineSums::default(),
            past: Vec::new(),
            small_files: Vec::new(),
        }
    }

    pub(super) fn write(mut self) -> Result<Truth> {
        fs::create_dir_all(&self.projects)?;
        let mut sizes = schedule::file_sizes(self.plan, &mut self.author.rng);
        let recent = sizes.len().div_ceil(30);
        while let Some(size) = sizes.pop() {
            let mut agents = Vec::new();
            if self.author.rng.one_in(3) {
                for _ in 0..self.author.rng.between(1, 3) {
                    // Large files are conversations; what a sub-agent writes is short.
                    if sizes.last().is_some_and(|size| *size < 20 * self.plan.typical_file_bytes) {
                        agents.extend(sizes.pop());
                    }
                }
            }
            self.session(size, &agents, sizes.len() < recent)?;
        }
        if self.plan.noise == Noise::Full {
            self.litter()?;
        }
        let first_day =
            time::before(self.plan.end, u64::from(self.plan.days) * UnixMillis::DAY.unsigned_abs()).utc_day();
        self.line_sums.write(&self.root.join("stats-cache.json"), &mut self.author.rng, first_day, self.plan.end)?;
        Ok(self.truth)
    }

    fn session(&mut self, size: u64, agents: &[u64], recent: bool) -> Result<()> {
        let mut session = self.begin(size, recent);
        let mut file = self.create_main(&session)?;
        self.line_sums.session();
        if let Some(past) = session.resumes {
            self.resume(&mut file, &session.envelope.session, past)?;
        }
        for size in agents {
            self.sub_agent(&mut file, &session, *size)?;
        }
        let mut whereabouts = session.envelope.clone();
        let moves = self.plan.noise >= Noise::Usual && self.author.rng.one_in(6);
        while file.bytes() < size {
            self.prompt(&mut file, &whereabouts, session.at, size)?;
            for _ in 0..self.author.rng.between(1, 7) {
                if file.bytes() >= size {
                    break;
                }
                self.turn(&mut file, &mut session, &whereabouts, size)?;
            }
            if moves && file.bytes() > size / 2 && whereabouts.cwd == session.envelope.cwd {
                whereabouts = self.elsewhere(&session.envelope);
            }
        }
        if self.plan.noise >= Noise::Usual && session.gateway.is_none() {
            self.replays(&session)?;
        }
        self.end_main(file, session)
    }

    fn begin(&mut self, size: u64, recent: bool) -> Session {
        let (noise, rng) = (self.plan.noise, &mut self.author.rng);
        let share = self.plan.content_percent.min(95);
        let responses = size * (100 - share) / (100 * ENVELOPE_BYTES) + 1;
        let length_ms = responses * MEAN_PACE_MS + MARGIN_MS;
        let at = if recent {
            time::before(self.plan.end, length_ms + rng.below(1_200_000))
        } else {
            schedule::start(self.plan, rng, length_ms)
        };
        let midnight = UnixMillis((at.utc_day() + 1) * UnixMillis::DAY);
        let at = if noise >= Noise::Usual && midnight < self.plan.end && rng.one_in(20) {
            // The first response begins before midnight and ends after it.
            time::before(midnight, 100)
        } else {
            at
        };
        let branch = names::branch(rng, noise);
        let mut cwd: Arc<str> = names::project(rng, noise).into();
        let (mut gateway, mut resumes) = (None, None);
        if noise == Noise::Full && size < 2 * self.plan.typical_file_bytes && rng.one_in(6) {
            let named = rng.one_in(2);
            gateway = Some((format!("{}{}", if named { "msg_" } else { "chatcmpl-" }, self.author.hex(8)), named));
        } else if noise >= Noise::Usual && rng.one_in(6) {
            resumes = pick_earlier(&self.past, rng, at);
        }
        if let Some((first, _)) = resumes.and_then(|past: usize| self.past[past].lines.first()) {
            cwd = Arc::clone(&first.cwd);
        } else if noise >= Noise::Usual && self.author.rng.one_in(10) {
            cwd = worktree(&cwd, self.author.rng.pick(&names::WORKTREES));
        }
        let session = self.author.session(at);
        let folder = self.projects.join(names::folder(&cwd));
        let beside = folder.join(&*session);
        let envelope = Envelope { session, cwd, branch, agent: None, sidechain: false };
        Session { envelope, at, folder, beside, gateway, resumes, own: Vec::new() }
    }

    /// The main transcript, in one of the forms that its name can have.
    fn create_main(&mut self, session: &Session) -> Result<Transcript> {
        let id = &session.envelope.session;
        let full = self.plan.noise == Noise::Full;
        // Older layouts put the transcript into the session's folder. Only sessions that nobody resumes do it here: a
        // copy in a file that is named after its session would look like the original.
        let path = if full && session.gateway.is_some() && self.author.rng.one_in(2) {
            session.beside.join("transcript.jsonl")
        } else if full && self.author.rng.one_in(20) {
            session.folder.join(format!("{id}.JSONL"))
        } else {
            session.folder.join(format!("{id}.jsonl"))
        };
        let mut file = Transcript::create(path)?;
        if full && self.author.rng.one_in(12) {
            file.use_crlf();
        }
        if full && self.author.rng.one_in(20) {
            file.out().extend_from_slice(b"\xef\xbb\xbf");
        }
        Ok(file)
    }

    fn end_main(&mut self, mut file: Transcript, session: Session) -> Result<()> {
        if self.plan.noise == Noise::Full && self.author.rng.one_in(6) {
            file.out().extend_from_slice(br#"{"parentUuid":null,"type":"assistant","message":{"id":"msg_half"#);
        }
        let small = file.bytes() < 2 * self.plan.typical_file_bytes;
        let written = file.finish(&mut self.truth)?;
        if small && self.small_files.len() < 8 {
            self.small_files.push(written);
        }
        if session.gateway.is_none() && !session.own.is_empty() {
            let owner = Arc::clone(&session.envelope.session);
            let lines = session.own.into_iter().map(|response| (session.envelope.clone(), response)).collect();
            self.past.push(Past { last_at: session.at, owner, lines });
        }
        Ok(())
    }

    /// One response and what its tool says.
    fn turn(&mut self, file: &mut Transcript, session: &mut Session, place: &Envelope, size: u64) -> Result<()> {
        let limit = room(file, size);
        let at = session.at.min(time::before(self.plan.end, MARGIN_MS));
        let response = match &session.gateway {
            Some((id, named)) => self.author.gateway_response(at, limit, id, *named),
            None => self.author.response(at, limit),
        };
        file.response(&mut self.author.rng, &self.author.text, place, &response)?;
        self.line_sums.response(&response);
        response.book(&mut self.truth, place);
        let answered = response.last_at();
        self.tool_result(file, place, time::after(answered, 300), size)?;
        if self.plan.noise >= Noise::Usual {
            self.interruption(file, session, place, &response)?;
        }
        let unmoved = place.cwd == session.envelope.cwd;
        if response.message_id.is_some() && unmoved && session.own.len() < REPEATABLE {
            session.own.push(response);
        }
        session.at = time::after(answered, self.author.rng.sample(PACE_MS));
        Ok(())
    }

    fn prompt(&mut self, file: &mut Transcript, place: &Envelope, at: UnixMillis, size: u64) -> Result<()> {
        let (from, len) = self.author.content(room(file, size));
        let Author { rng, text, .. } = &mut self.author;
        file.other(rng, place, "user", at.min(self.plan.end), |out| {
            out.extend_from_slice(br#""message":{"role":"user","content":""#);
            text.write(out, from, len);
            out.extend_from_slice(br#""}"#);
            Ok(())
        })
    }

    /// What a tool returned, once for the model and once for the terminal.
    pub(super) fn tool_result(
        &mut self,
        file: &mut Transcript,
        place: &Envelope,
        at: UnixMillis,
        size: u64,
    ) -> Result<()> {
        let (from, len) = self.author.content(room(file, size) / 3);
        let Author { rng, text, .. } = &mut self.author;
        file.other(rng, place, "user", at, |out| {
            out.extend_from_slice(br#""message":{"role":"user","content":[{"type":"tool_result","#);
            out.extend_from_slice(br#""tool_use_id":"toolu_0142","content":""#);
            text.write(out, from, len * 2);
            out.extend_from_slice(br#""}]},"toolUseResult":{"stdout":""#);
            text.write(out, from, len);
            out.extend_from_slice(br#"","stderr":"","interrupted":false,"isImage":false}"#);
            Ok(())
        })
    }

    /// The session goes on in a worktree or in another project.
    fn elsewhere(&mut self, envelope: &Envelope) -> Envelope {
        let rng = &mut self.author.rng;
        if envelope.cwd.contains("/.claude/worktrees/") || rng.one_in(3) {
            Envelope { cwd: names::project(rng, self.plan.noise).into(), branch: Some("main"), ..envelope.clone() }
        } else {
            let cwd = worktree(&envelope.cwd, rng.pick(&names::WORKTREES));
            Envelope { cwd, branch: Some("worktree-quick-fix"), ..envelope.clone() }
        }
    }

    /// The session goes on from an earlier one: the history is copied, with its ids and instants, and with the old or
    /// the new session id. Copies under several session ids belong to the smallest of them, for nothing else differs.
    fn resume(&mut self, file: &mut Transcript, session: &Arc<str>, past: usize) -> Result<()> {
        let past = &mut self.past[past];
        let Author { rng, text, .. } = &mut self.author;
        let renamed = !rng.one_in(3);
        for (envelope, response) in &past.lines {
            let mut envelope = envelope.clone();
            if renamed {
                envelope.session = Arc::clone(session);
            }
            file.response(rng, text, &envelope, response)?;
            self.line_sums.response(response);
        }
        if renamed && *session < past.owner {
            let mut moved = TruthRow::default();
            for (_, row) in past.lines.iter().flat_map(|(_, response)| response.rows()) {
                moved.add(&row);
            }
            self.truth.move_session(&past.owner, session, &moved);
            past.owner = Arc::clone(session);
        }
        Ok(())
    }
}

/// One of the sessions that were over at an instant.
fn pick_earlier(past: &[Past], rng: &mut Rng, at: UnixMillis) -> Option<usize> {
    let over: Vec<usize> = (0..past.len()).filter(|place| past[*place].last_at < at).collect();
    if over.is_empty() { None } else { Some(rng.pick(&over)) }
}

/// A worktree of a repository where Claude Code puts them.
fn worktree(repository: &str, name: &str) -> Arc<str> {
    format!("{repository}/.claude/worktrees/{name}").into()
}

/// How long a piece of content may be without making a small file large.
fn room(file: &Transcript, size: u64) -> u64 {
    (size.saturating_sub(file.bytes()) / 2).max(60)
}
