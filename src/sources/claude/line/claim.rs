//! From a line that states a usage to claims about responses: whose it is, what identifies it, and what more was billed
//! inside it. Knows nothing of other lines; who wins among claims is decided in [`crate::merge`].

use std::sync::Arc;

use super::FileContext;
use super::envelope::Line;
use super::intern::{Interner, cut};
use super::time;
use super::usage::{Iteration, Numbers, UsageObject};
use crate::event::{
    GroupId, Owner, RecordKey, ResponseKind, TokenCounts, UnixMillis, Usage, UsageFlags, UsageRecord, Variant,
};
use crate::merge;
use crate::sources::claude::project::ProjectFolder;
use crate::status::{LineTally, SkipReason};

/// The model of responses that name none. It has no price.
const UNKNOWN_MODEL: &str = "unknown";
/// What Claude Code writes as the model of its own notices: nobody was asked, nothing was billed.
const SYNTHETIC_MODEL: &str = "<synthetic>";

/// Characters of names that are stored; longer ones are cut.
pub(super) const LONGEST_ID: usize = 200;
/// Characters of a working directory; longer ones are cut.
const LONGEST_CWD: usize = 1024;
const LONGEST_BRANCH: usize = 250;
const LONGEST_WORD: usize = 40;

/// Makes claims; keeps the names that lines share and the projects that directories belong to.
pub(super) struct Claims {
    projects: ProjectFolder,
    sessions: Interner,
    agents: Interner,
    branches: Interner,
    models: Interner,
    speeds: Interner,
    tiers: Interner,
    geos: Interner,
}

/// What the extra claims of a line take over from it.
struct Response<'a> {
    group: GroupId,
    distinction: Distinction,
    at: UnixMillis,
    finished: bool,
    request: Option<Arc<str>>,
    owner: Owner,
    flags: UsageFlags,
    model: Option<&'a str>,
}

/// How lines with one message id are told apart; see [`Variant`].
enum Distinction {
    Request(Arc<str>),
    Prompt,
    Nothing,
}

impl Claims {
    pub(super) fn new(projects: ProjectFolder) -> Self {
        Self {
            projects,
            sessions: Interner::new(LONGEST_ID),
            agents: Interner::new(LONGEST_ID),
            branches: Interner::new(LONGEST_BRANCH),
            models: Interner::new(LONGEST_ID),
            speeds: Interner::new(LONGEST_WORD),
            tiers: Interner::new(LONGEST_WORD),
            geos: Interner::new(LONGEST_WORD),
        }
    }

    /// Keeps the project of a working directory for later lines that state none.
    pub(super) fn remember(&mut self, cwd: &str, file: &mut FileContext) {
        let project = self.projects.fold(cut(cwd, LONGEST_CWD));
        if file.last_project.as_ref() != Some(&project) {
            file.last_project = Some(project);
        }
    }

    /// Whether the line is a local notice instead of a response.
    pub(super) fn is_notice(line: &Line<'_>) -> bool {
        line.message.as_ref().and_then(|message| message.model.as_deref()) == Some(SYNTHETIC_MODEL)
    }

    /// Adds what the line claims to `records`.
    pub(super) fn of_line(
        &mut self,
        line: &Line<'_>,
        file: &FileContext,
        now: UnixMillis,
        records: &mut Vec<UsageRecord>,
        tally: &mut LineTally,
    ) {
        let Some((message, usage)) = line.message.as_ref().and_then(|message| Some((message, message.usage.as_ref()?)))
        else {
            return;
        };
        let numbers = usage.numbers();
        let at = line.at.or(file.last_at).unwrap_or(file.modified_at);
        let mut flags = UsageFlags::default();
        if line.at.is_none() {
            flags = flags.with(UsageFlags::ESTIMATED_TIME);
        }
        if time::is_odd(at, now) {
            flags = flags.with(UsageFlags::ODD_TIME);
        }
        let sidechain = line.sidechain.unwrap_or(file.agent.is_some());
        let tokens = numbers.as_ref().map_or_else(TokenCounts::default, |numbers| numbers.tokens);
        let request = line.request.as_deref().map(|id| Arc::from(cut(id, LONGEST_ID)));
        let response = Response {
            group: identity(line, tokens),
            distinction: match (message.id.as_deref(), &request) {
                (Some(_), Some(request)) if !sidechain => Distinction::Request(Arc::clone(request)),
                // Anthropic never gives an id twice; a gateway may give the same one to every response.
                (Some(id), _) if !id.starts_with("msg_") => Distinction::Prompt,
                _ => Distinction::Nothing,
            },
            at,
            finished: message.has_stop_reason,
            request,
            owner: self.owner(line, file, at, sidechain),
            flags,
            model: message.model.as_deref(),
        };

        let before = records.len();
        match numbers {
            Some(numbers) if numbers.is_nothing() => {}
            Some(numbers) => {
                let record =
                    self.record(&response, response.group, ResponseKind::Message, usage, &numbers, response.model);
                records.push(record);
            }
            None => tally.skip(SkipReason::Implausible),
        }
        for (index, iteration) in usage.iterations.iter().enumerate() {
            self.of_iteration(&response, index, iteration.0.as_ref(), records, tally);
        }
        let claims = records.len() - before;
        tally.claims += claims as u64;
        if claims > 0 && line.at.is_none() {
            tally.estimated_times += 1;
        }
    }

    /// Most iterations repeat what the response says as a whole; two kinds are billed beside it
    /// (platform.claude.com/docs, "Advisor tool" and "Compaction": usage and billing).
    fn of_iteration(
        &mut self,
        response: &Response<'_>,
        index: usize,
        iteration: Option<&Iteration<'_>>,
        records: &mut Vec<UsageRecord>,
        tally: &mut LineTally,
    ) {
        let kind = iteration.and_then(|iteration| iteration.kind.as_deref());
        let (Some(iteration), Some(kind)) = (iteration, kind) else {
            tally.unknown_iterations += 1;
            return;
        };
        let (kind, name, model) = match kind {
            "message" | "fallback_message" => return,
            "advisor_message" => (ResponseKind::Advisor, b"advisor".as_slice(), iteration.model.as_deref()),
            "compaction" => (ResponseKind::Compaction, b"compaction".as_slice(), response.model),
            _ => {
                tally.unknown_iterations += 1;
                return;
            }
        };
        if model == Some(SYNTHETIC_MODEL) {
            return;
        }
        match iteration.usage.numbers() {
            Some(numbers) if numbers.is_nothing() => {}
            Some(numbers) => {
                let group = GroupId::of(&[&response.group.0, name, &(index as u64).to_le_bytes()]);
                records.push(self.record(response, group, kind, &iteration.usage, &numbers, model));
            }
            None => tally.skip(SkipReason::Implausible),
        }
    }

    fn record(
        &mut self,
        response: &Response<'_>,
        group: GroupId,
        kind: ResponseKind,
        usage: &UsageObject<'_>,
        numbers: &Numbers,
        model: Option<&str>,
    ) -> UsageRecord {
        let Numbers { tokens, has_split, web, flags } = *numbers;
        let variant = match &response.distinction {
            Distinction::Request(request) => Variant::Anchored(Arc::clone(request)),
            Distinction::Prompt => {
                let (input, cache_write, cache_read) = merge::prompt_of(tokens);
                Variant::Prompt(input, cache_write, cache_read)
            }
            Distinction::Nothing => Variant::Floating,
        };
        UsageRecord {
            key: RecordKey { group, variant },
            usage: Usage {
                kind,
                at: response.at,
                model: self.models.get(model.unwrap_or(UNKNOWN_MODEL)),
                tokens,
                has_split,
                finished: response.finished,
                web,
                speed: usage.speed.as_deref().map(|speed| self.speeds.get(speed)),
                tier: usage.tier.as_deref().map(|tier| self.tiers.get(tier)),
                geo: usage.geo.as_deref().map(|geo| self.geos.get(geo)),
                request_id: response.request.clone(),
                flags: flags.with(response.flags),
            },
            first_at: response.at,
            owner: response.owner.clone(),
            fills: Vec::new(),
        }
    }

    fn owner(&mut self, line: &Line<'_>, file: &FileContext, at: UnixMillis, sidechain: bool) -> Owner {
        let session = match line.session.as_deref() {
            Some(session) => self.sessions.get(session),
            None => Arc::clone(&file.session_fallback),
        };
        let project = match line.cwd.as_deref().or(file.last_project.as_deref()) {
            Some(cwd) => self.projects.fold(cwd),
            None => Arc::clone(&file.slug),
        };
        let agent = match line.agent.as_deref() {
            Some(agent) => Some(self.agents.get(agent)),
            None => file.agent.clone().filter(|_| sidechain),
        };
        let branch = line.branch.as_deref().map(|branch| self.branches.get(branch));
        Owner { sidechain, at, away: session != file.stem, session, project, branch, agent }
    }
}

/// The name of the response wherever it is read: no path, no working directory and no place in a file is part of it.
fn identity(line: &Line<'_>, tokens: TokenCounts) -> GroupId {
    let message = line.message.as_ref();
    let name = |kind: &[u8], id: &str| GroupId::of(&[b"claude", kind, id.as_bytes()]);
    if let Some(id) = message.and_then(|message| message.id.as_deref()) {
        name(b"m", id)
    } else if let Some(id) = line.request.as_deref() {
        name(b"r", id)
    } else if let Some(id) = line.uuid.as_deref() {
        name(b"u", id)
    } else {
        // Only what the line itself says: an estimated time changes when the file does.
        GroupId::of(&[
            b"claude",
            b"h",
            &line.at.unwrap_or_default().0.to_le_bytes(),
            message.and_then(|message| message.model.as_deref()).unwrap_or_default().as_bytes(),
            &tokens.input.to_le_bytes(),
            &tokens.output.to_le_bytes(),
            &tokens.cache_write().to_le_bytes(),
            &tokens.cache_read.to_le_bytes(),
            line.session.as_deref().unwrap_or_default().as_bytes(),
        ])
    }
}
