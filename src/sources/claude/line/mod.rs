//! Bytes of one transcript line in, claims out. Reads a line's usage past its content, which is never copied, kept or
//! logged. Pure but for the project folder, which looks for a repository's root on disk.
//!
//! Nothing that a line can hold stops the reader: a broken one costs itself and is counted by reason.

mod claim;
mod context;
mod edges;
mod envelope;
pub(super) mod intern;
mod json;
mod repair;
#[cfg(test)]
mod tests;
mod time;
mod usage;

use std::sync::Arc;

use memchr::memmem::Finder;
use serde_json::Deserializer;

pub use self::context::FileContext;
pub use self::repair::is_utf16;

use self::claim::Claims;
use self::edges::Edges;
use self::envelope::{Envelope, Line};
use self::intern::cut;
use self::json::{Object, Scalar};
use super::project::ProjectFolder;
use crate::event::{UnixMillis, UsageRecord};
use crate::plugin::ReportedCost;
use crate::status::{LineTally, SkipReason};

/// Lines without usage that are no longer than this are checked as a whole; of longer ones, only the ends.
const CHECKED_WHOLE: usize = 512;
/// No account limit lasts longer; a notice that says so is wrong.
const LONGEST_LIMIT_MS: i64 = 31 * UnixMillis::DAY;

/// What lines said. Reused: the reader takes out what it needs and goes on.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    pub records: Vec<UsageRecord>,
    /// Everything but `bytes`, which only the reader of the file knows.
    pub tally: LineTally,
    /// In the order of the lines: a later one about the same session replaces an earlier one.
    pub reported_costs: Vec<ReportedCost>,
    /// When an account limit ends, as an error line stated it; the latest.
    pub limit_reset_at: Option<UnixMillis>,
}

/// Reads lines of any number of files, one after the other.
pub struct Parser {
    /// The present, by which far-future times are flagged. The owner sets it before each read.
    pub now: UnixMillis,
    claims: Claims,
    usage: Finder<'static>,
    cost_state: Finder<'static>,
    edges: Edges,
}

impl Parser {
    pub fn new(projects: ProjectFolder, now: UnixMillis) -> Self {
        Self {
            now,
            claims: Claims::new(projects),
            // With both quotes and without a colon: quoted text spells them `\"`, and a colon may have space before it.
            usage: Finder::new("\"usage\""),
            cost_state: Finder::new("\"cost-state\""),
            edges: Edges::new(),
        }
    }

    /// Reads one physical line, given without its line feed.
    pub fn line(&mut self, line: &[u8], file: &mut FileContext, out: &mut Parsed) {
        out.tally.lines += 1;
        let record = repair::trim(line);
        if record.is_empty() {
            if line.contains(&0) {
                out.tally.skip(SkipReason::NulRun);
            }
        } else if self.usage.find(record).is_some() || self.cost_state.find(record).is_some() {
            if let Some(rest) = self.read(record, file, out) {
                self.salvage(rest, file, out);
            }
        } else if looks_whole(record) {
            self.remember(record, file);
        } else {
            self.salvage(record, file, out);
        }
    }

    /// Keeps the time and the project of a line without usage for later lines that state neither.
    fn remember(&mut self, record: &[u8], file: &mut FileContext) {
        if let Some(at) = self.edges.timestamp(record).filter(|at| !time::is_odd(*at, self.now)) {
            file.last_at = Some(at);
        }
        if let Some(cwd) = self.edges.cwd(record) {
            self.claims.remember(&cwd, file);
        }
    }

    /// Reads a last line that has no line feed and may never get one. Only records that stand whole on it count: what is
    /// broken may be half of one, so nothing is searched for and nothing is called an error.
    pub fn unfinished_line(&mut self, line: &[u8], file: &FileContext, out: &mut Vec<UsageRecord>) {
        let (mut file, mut parsed) = (file.clone(), Parsed::default());
        if let Some(rest) = self.read(repair::trim(line), &mut file, &mut parsed)
            && let Some(repaired) = repair::repaired(rest)
        {
            self.read(&repaired, &mut file, &mut parsed);
        }
        out.append(&mut parsed.records);
    }

    /// Reads every value of the line: a lost line feed puts two records on one. Returns what is no JSON.
    fn read<'l>(&mut self, line: &'l [u8], file: &mut FileContext, out: &mut Parsed) -> Option<&'l [u8]> {
        let mut values = Deserializer::from_slice(line).into_iter::<Object<Envelope<'l>>>();
        let mut other_values = false;
        let rest = loop {
            let start = values.byte_offset();
            match values.next() {
                Some(Ok(Object(Some(envelope)))) => self.take(envelope, line, file, out),
                Some(Ok(Object(None))) => other_values = true,
                Some(Err(_)) => break line.get(start..),
                None => break None,
            }
        };
        if other_values && rest.is_none() {
            out.tally.skip(SkipReason::NotAnObject);
        }
        rest
    }

    /// Reads what can be read of a line that is no JSON from its start.
    #[cold]
    fn salvage(&mut self, rest: &[u8], file: &mut FileContext, out: &mut Parsed) {
        let repaired = repair::repaired(rest);
        let Some(rest) = self.read(repaired.as_deref().unwrap_or(rest), file, out) else { return };
        for start in repair::record_starts(rest) {
            let tail = rest.get(start..).unwrap_or_default();
            let values: Result<Vec<Object<Envelope<'_>>>, _> = Deserializer::from_slice(tail).into_iter().collect();
            let Ok(values) = values else { continue };
            if values.first().is_some_and(|first| first.0.as_ref().is_some_and(Envelope::is_record)) {
                for envelope in values.into_iter().filter_map(|value| value.0) {
                    self.take(envelope, tail, file, out);
                }
                out.tally.skip(SkipReason::Spliced);
                return;
            }
        }
        out.tally.skip(SkipReason::Malformed);
    }

    /// Takes the claims and whatever else counts out of one record; `text` is the line it stands on.
    fn take(&mut self, envelope: Envelope<'_>, text: &[u8], file: &mut FileContext, out: &mut Parsed) {
        if envelope.kind.as_deref() == Some("cost-state") {
            if let Some(usd) = envelope.total_cost_usd {
                out.reported_costs.push(reported_cost(&envelope.line, usd, file));
            }
            return;
        }
        let Some(line) = envelope.with_usage() else { return self.remember(text, file) };
        if let Some(cwd) = line.cwd.as_deref() {
            self.claims.remember(cwd, file);
        }
        if Claims::is_notice(&line) {
            if line.is_api_error {
                out.tally.api_errors += 1;
                out.limit_reset_at = out.limit_reset_at.max(limit_reset(text, self.now));
            }
        } else {
            self.claims.of_line(&line, file, self.now, &mut out.records, &mut out.tally);
        }
        if line.at.is_some_and(|at| !time::is_odd(at, self.now)) {
            file.last_at = line.at;
        }
    }
}

/// Whether a line that states no usage is a record, as far as a look at its ends can tell.
fn looks_whole(record: &[u8]) -> bool {
    match record {
        [b'{', .., b'}'] if record.len() > CHECKED_WHOLE => true,
        [b'{', ..] => {
            let mut values = Deserializer::from_slice(record).into_iter::<serde::de::IgnoredAny>();
            values.all(|value| value.is_ok())
        }
        _ => false,
    }
}

fn reported_cost(line: &Line<'_>, usd: f64, file: &FileContext) -> ReportedCost {
    let session = line.session.as_deref().map(|session| Arc::from(cut(session, claim::LONGEST_ID)));
    let session = session.unwrap_or_else(|| Arc::clone(&file.session_fallback));
    ReportedCost { session, at: line.at.or(file.last_at).unwrap_or(file.modified_at), usd }
}

/// The time in `Claude AI usage limit reached|<epoch seconds>`, the one thing that is taken out of a notice's text.
fn limit_reset(text: &[u8], now: UnixMillis) -> Option<UnixMillis> {
    const NOTICE: &[u8] = b"usage limit reached|";
    let number = text.get(memchr::memmem::find(text, NOTICE)? + NOTICE.len()..)?;
    let length = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(number.get(..length)?).ok()?;
    time::read(&Scalar::Text(number.into())).filter(|at| at.0 <= now.0.saturating_add(LONGEST_LIMIT_MS))
}
