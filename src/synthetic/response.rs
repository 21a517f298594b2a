//! One made-up API response: its numbers, its names, and the content blocks it is written as.

use std::sync::Arc;

use crate::event::{TokenCounts, UnixMillis};

use super::Noise;
use super::prices::{Bill, Model, UNKNOWN};
use super::rng::{Quantiles, Rng};
use super::text::Text;
use super::time;
use super::truth::{Place, Truth, TruthRow};

/// What all lines of one thread have in common.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) session: Arc<str>,
    pub(super) cwd: Arc<str>,
    pub(super) branch: Option<&'static str>,
    pub(super) agent: Option<Arc<str>>,
    pub(super) sidechain: bool,
}

impl Envelope {
    /// The working directory without `/.claude/worktrees/NAME`.
    pub(super) fn project(&self) -> &str {
        self.cwd.split_once("/.claude/worktrees/").map_or(&self.cwd, |(repository, _)| repository)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) model: &'static Model,
    pub(super) message_id: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) tokens: TokenCounts,
    pub(super) fetches: u64,
    pub(super) bill: Bill,
    pub(super) tier: Option<&'static str>,
    pub(super) split: Split,
    /// One line each; the last one has the final output.
    pub(super) blocks: Vec<Block>,
    pub(super) iterations: Vec<Iteration>,
    /// Replays of side questions repeat the four token counts and nothing else.
    pub(super) bare: bool,
}

/// How lines divide cache writes into five-minute and one-hour ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Stated,
    /// Every line but the last one has it.
    MissingOnLast,
    /// Old lines have none; all writes count as five-minute ones.
    Missing,
    /// Both parts are zero while the total is not; the same holds.
    Zero,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) at: UnixMillis,
    /// Output tokens as this line states them.
    pub(super) output: u64,
    pub(super) kind: BlockKind,
    /// Where in the text its content begins, and how long it is.
    pub(super) place: usize,
    pub(super) len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Thinking,
    Text,
    ToolUse,
    /// A tool call whose input is an object with a `usage` of its own.
    DecoyToolUse,
}

/// An entry of `usage.iterations`.
#[derive(Clone, Debug)]
pub(super) struct Iteration {
    pub(super) kind: &'static str,
    pub(super) model: Option<&'static Model>,
    pub(super) tokens: TokenCounts,
}

impl Iteration {
    /// Advisor and compaction iterations are billed beside the response; mirrors, fallbacks and unknown types are not.
    fn billed(&self) -> bool {
        matches!(self.kind, "advisor_message" | "compaction")
    }
}

impl Response {
    /// When the response counts: the earliest of its lines.
    pub(super) fn at(&self) -> UnixMillis {
        self.blocks.iter().map(|block| block.at).min().unwrap_or_default()
    }

    pub(super) fn last_at(&self) -> UnixMillis {
        self.blocks.iter().map(|block| block.at).max().unwrap_or_default()
    }

    /// Leaves nothing but the last line.
    pub(super) fn keep_last_block(&mut self) {
        self.blocks.drain(..self.blocks.len() - 1);
        if self.split == Split::MissingOnLast {
            self.split = Split::Stated;
        }
    }

    /// Everything that is billed for it, with the model it is billed to.
    pub(super) fn rows(&self) -> Vec<(&'static Model, TruthRow)> {
        let at = self.at();
        let mut rows = vec![(self.model, TruthRow::of(self.model, at, self.tokens, self.bill))];
        for iteration in self.iterations.iter().filter(|iteration| iteration.billed()) {
            let model = iteration.model.unwrap_or(self.model);
            rows.push((model, TruthRow::of(model, at, iteration.tokens, Bill::default())));
        }
        rows
    }

    pub(super) fn book(&self, truth: &mut Truth, envelope: &Envelope) {
        let place = Place {
            at: self.at(),
            session: &envelope.session,
            project: envelope.project(),
            branch: envelope.branch,
            sidechain: envelope.sidechain,
        };
        for (model, row) in self.rows() {
            truth.book(&place, model, &row);
        }
    }
}

const INPUT: &Quantiles = &[(0, 1), (500, 9), (900, 80), (990, 3000), (1000, 20_000)];
const OUTPUT: &Quantiles = &[(0, 1), (500, 180), (900, 1100), (990, 6000), (1000, 32_000)];
const CACHE_WRITE: &Quantiles = &[(0, 90), (500, 1200), (900, 7000), (1000, 60_000)];
const CACHE_READ: &Quantiles = &[(0, 0), (100, 14_000), (500, 44_000), (900, 96_000), (1000, 190_000)];
/// Bytes of content in one block or tool result; the mean is about 1,000.
pub(super) const CONTENT: &Quantiles =
    &[(0, 20), (250, 140), (500, 380), (750, 900), (900, 2200), (980, 6000), (1000, 15_000)];

/// Makes responses up.
pub(super) struct Author {
    pub(super) rng: Rng,
    pub(super) text: Text,
    pub(super) noise: Noise,
    /// What [`CONTENT`] is multiplied by, in percent.
    pub(super) content_percent: u64,
    /// The model that the present session uses most of the time.
    habit: &'static Model,
    /// Counts the responses of gateways, so that no two of them have the same prompt.
    gateway_prompts: u64,
}

impl Author {
    pub(super) fn new(seed: u64, noise: Noise, content_percent: u64) -> Self {
        let mut rng = Rng::new(seed);
        let text = Text::new(&mut rng);
        Self { rng, text, noise, content_percent, habit: &UNKNOWN, gateway_prompts: 0 }
    }

    /// The length of one piece of content, `limit` at most.
    pub(super) fn content(&mut self, limit: u64) -> (usize, usize) {
        let len = (self.rng.sample(CONTENT) * self.content_percent / 100).min(limit);
        (self.text.place(&mut self.rng), usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A random name of hexadecimal digits, 32 at most.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        let mut name = format!("{:016x}{:016x}", self.rng.next(), self.rng.next());
        name.truncate(digits);
        name
    }

    /// Begins a session: its id, and a model that it keeps to.
    pub(super) fn session(&mut self, at: UnixMillis) -> Arc<str> {
        self.habit = Model::pick(&mut self.rng, &time::day(at));
        uuid(self.rng.next(), self.rng.next()).into()
    }

    /// A response that begins at an instant.
    pub(super) fn response(&mut self, at: UnixMillis, content_limit: u64) -> Response {
        let day = time::day(at);
        let keeps = self.habit.in_use(&day) && !self.rng.one_in(5);
        let model = if keeps { self.habit } else { Model::pick(&mut self.rng, &day) };
        let bill = self.bill(model);
        let mut response = Response {
            model,
            message_id: Some(format!("msg_01{}", self.hex(22))),
            request_id: Some(format!("req_011{}", self.hex(20))),
            tokens: self.tokens(model),
            fetches: u64::from(self.rng.one_in(80)),
            bill,
            tier: Some("standard"),
            split: Split::Stated,
            blocks: Vec::new(),
            iterations: Vec::new(),
            bare: false,
        };
        self.blocks(&mut response, at, content_limit);
        if self.noise >= Noise::Usual {
            self.iterations(&mut response, &day);
        }
        if self.noise == Noise::Full {
            self.oddities(&mut response);
        }
        response
    }

    fn bill(&mut self, model: &Model) -> Bill {
        Bill {
            fast: model.has_fast() && self.rng.one_in(25),
            us: model.has_us() && self.rng.one_in(25),
            searches: if self.rng.one_in(60) { self.rng.between(1, 3) } else { 0 },
        }
    }

    fn tokens(&mut self, model: &Model) -> TokenCounts {
        let mut tokens = TokenCounts {
            input: self.rng.sample(INPUT),
            output: self.rng.sample(OUTPUT),
            cache_read: self.rng.sample(CACHE_READ),
            ..TokenCounts::default()
        };
        let write = self.rng.sample(CACHE_WRITE);
        // Claude Code writes nearly everything to the one-hour cache.
        match self.rng.below(20) {
            0..=2 => {}
            3 => tokens.cache_write_5m = write,
            4 => (tokens.cache_write_5m, tokens.cache_write_1h) = (write / 3, write - write / 3),
            _ => tokens.cache_write_1h = write,
        }
        if let Some(threshold) = model.threshold()
            && self.rng.one_in(12)
        {
            // Around the long-context threshold, and often exactly on it or one token past it.
            let rest = tokens.prompt() - tokens.cache_read;
            let past = self.rng.pick(&[0, 0, 1, 1, 40_000]);
            tokens.cache_read = (threshold + past).saturating_sub(rest);
        }
        tokens
    }

    fn blocks(&mut self, response: &mut Response, at: UnixMillis, content_limit: u64) {
        let count = if self.noise == Noise::None { 1 } else { self.rng.pick(&[1, 1, 2, 2, 3, 4]) };
        // Newer versions repeat the final number on each line; older ones write a placeholder or what there is so far.
        let growth = self.rng.below(3);
        let mut when = at;
        for number in 1..=count {
            let output = match growth {
                _ if number == count => response.tokens.output,
                0 => response.tokens.output,
                1 => response.tokens.output.min(1),
                _ => response.tokens.output * number / (count + 1),
            };
            let kind = match number {
                1 if count > 2 => BlockKind::Thinking,
                _ if number < count || count == 1 => BlockKind::Text,
                _ if self.rng.one_in(30) => BlockKind::DecoyToolUse,
                _ => BlockKind::ToolUse,
            };
            let (place, len) = self.content(content_limit / count);
            response.blocks.push(Block { at: when, output, kind, place, len: len / 2 });
            when = if number == 1 && self.noise >= Noise::Usual && self.rng.one_in(40) {
                // Lines come from several threads of the program: some are stamped up to a second too early.
                time::before(when, self.rng.between(1, 1000))
            } else {
                time::after(when, self.rng.between(150, 2500))
            };
        }
    }

    fn iterations(&mut self, response: &mut Response, day: &str) {
        // Billed iterations stand on the last line: only where that is on the same day is their day beyond doubt.
        let same_day = day == time::day(response.at()) && day == time::day(response.last_at());
        if response.bill != Bill::default() || !same_day || !self.rng.one_in(12) {
            return;
        }
        let mirror = Iteration {
            kind: "message",
            model: if self.rng.one_in(2) { None } else { Some(response.model) },
            tokens: response.tokens,
        };
        response.iterations.push(mirror);
        let small = TokenCounts {
            input: self.rng.between(2000, 60_000),
            output: self.rng.between(40, 2500),
            ..TokenCounts::default()
        };
        let extra = |kind, model| Iteration { kind, model, tokens: small };
        match self.rng.below(8) {
            0..=2 => {
                if let Some(advisor) = Model::advisor(day) {
                    response.iterations.push(extra("advisor_message", Some(advisor)));
                    if self.rng.one_in(3) {
                        response.iterations.push(extra("advisor_message", Some(advisor)));
                    }
                }
            }
            3 | 4 => response.iterations.insert(0, extra("compaction", None)),
            5 => response.iterations.push(Iteration { kind: "fallback_message", ..response.iterations[0].clone() }),
            6 => response.iterations.push(extra("speculation", Some(response.model))),
            _ => {}
        }
    }

    /// What gateways, old versions and bugs leave out or write in other words.
    fn oddities(&mut self, response: &mut Response) {
        match self.rng.below(60) {
            0 | 1 => response.request_id = None,
            2 => response.message_id = None,
            3 => {
                // Nothing but the line's own uuid is left, so there can be only one line.
                (response.message_id, response.request_id) = (None, None);
                response.keep_last_block();
            }
            4 => response.tier = Some("priority"),
            5 => response.tier = None,
            6 => response.tier = Some("some-later-tier"),
            7 | 8 => {
                response.split = self.rng.pick(&[Split::Missing, Split::Zero]);
                response.tokens.cache_write_5m = response.tokens.cache_write();
                response.tokens.cache_write_1h = 0;
            }
            9 if response.blocks.len() > 1 => response.split = Split::MissingOnLast,
            10 if response.iterations.is_empty() => (response.model, response.bill) = (&UNKNOWN, Bill::default()),
            _ => {}
        }
    }

    /// A response of a gateway that gives each one the same message id, and a request id or none. What is left to tell
    /// them apart is the prompt.
    pub(super) fn gateway_response(&mut self, at: UnixMillis, content_limit: u64, id: &str, named: bool) -> Response {
        let mut response = self.response(at, content_limit);
        self.gateway_prompts += 1;
        response.iterations.clear();
        response.message_id = Some(id.to_owned());
        response.request_id = named.then(|| format!("req_{}", self.hex(24)));
        response.tokens = TokenCounts {
            input: 5000 + self.gateway_prompts,
            output: response.tokens.output,
            ..TokenCounts::default()
        };
        response.split = Split::Stated;
        response
    }
}

pub(super) fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}
