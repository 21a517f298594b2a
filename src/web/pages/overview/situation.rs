//! What is going on, in words: the live status, progress, notices, and what a first-time user has to know.

use super::Facts;
use crate::plugin::WatchMode;
use crate::web::api::health::{Health, Root, State};
use crate::web::history::DAYS;
use crate::web::pages::format::{self, Count};

/// The word in the header.
pub struct Live {
    pub class: &'static str,
    pub text: &'static str,
}

/// How far the first catch-up is.
pub struct Progress {
    /// Whole percents.
    pub percent: u64,
    pub text: String,
}

/// Something that is true just now and worth knowing.
pub struct Notice {
    pub class: &'static str,
    pub title: &'static str,
    pub text: String,
}

/// Why there is nothing to show yet, and what can be done about it.
pub struct Welcome<'a> {
    /// At least one of the directories is there.
    pub found: bool,
    /// Transcripts in them.
    pub files: Count,
    /// Each directory that was looked for, and what became of it.
    pub roots: Vec<(&'a str, &'a str)>,
}

impl Live {
    pub fn of(health: &Health) -> Self {
        let (class, text) = match (health.status, health.watch.mode) {
            (State::Degraded, _) => ("bad", "Needs attention"),
            (State::CatchingUp, _) => ("busy", "Scanning"),
            (State::Ok, _) if !health.roots().any(Root::is_ok) => ("slow", "Waiting for Claude Code"),
            (State::Ok, WatchMode::Poll) => ("slow", "Polling"),
            (State::Ok, WatchMode::Native) => ("live", "Live"),
        };
        Self { class, text }
    }
}

impl Progress {
    pub fn of(health: &Health) -> Option<Self> {
        if health.ready {
            return None;
        }
        let catchup = health.catchup;
        let text = match catchup.bytes {
            0 => "Looking for transcripts".to_owned(),
            bytes => format!("{} of {} read", format::bytes(catchup.done_bytes.min(bytes)), format::bytes(bytes)),
        };
        let percent = (catchup.done_bytes.min(catchup.bytes) * 100).checked_div(catchup.bytes).unwrap_or(0);
        Some(Self { percent, text })
    }
}

impl<'a> Welcome<'a> {
    pub fn of(facts: &Facts<'a>) -> Option<Self> {
        let found = facts.health.roots().any(Root::is_ok);
        let looked = facts.health.ready || facts.health.roots().next().is_some();
        if facts.snapshot.totals.requests > 0 || !looked || (found && !facts.health.ready) {
            return None;
        }
        let roots = facts.health.roots().map(|root| (root.path.as_str(), root.state.as_str())).collect();
        Some(Self { found, files: Count(facts.health.roots().map(|root| root.files).sum()), roots })
    }
}

/// The most urgent first.
pub fn notices(facts: &Facts<'_>) -> Vec<Notice> {
    let mut notices: Vec<Notice> = facts
        .health
        .troubles
        .iter()
        .map(|trouble| Notice {
            class: "bad",
            title: "Needs attention",
            text: format!("{}: {}", trouble.subject, trouble.message),
        })
        .collect();
    if facts.unreadable {
        let text = "The history cannot be read at the moment, so days and projects are missing. The log says why.";
        notices.push(Notice { class: "bad", title: "Needs attention", text: text.to_owned() });
    }
    let lost = facts.snapshot.totals.requests > 0 && facts.health.ready && !facts.health.roots().any(Root::is_ok);
    if lost {
        let text =
            "None of the configured directories can be read. The history below is kept, and nothing new comes in.";
        notices.push(Notice { class: "warn", title: "Transcripts are gone", text: text.to_owned() });
    }
    notices.extend(unpriced(facts));
    if facts.health.watch.mode == WatchMode::Poll {
        let reason = facts.health.watch.reason.as_deref().unwrap_or("file events are switched off");
        let text = format!("Transcripts are looked at every few seconds ({reason}). Numbers may be a little behind.");
        notices.push(Notice { class: "note", title: "Polling", text });
    }
    if facts.demo {
        let text = "Every number on this page is made up.";
        notices.push(Notice { class: "note", title: "Demo", text: text.to_owned() });
    }
    notices
}

fn unpriced(facts: &Facts<'_>) -> Option<Notice> {
    const NAMED: usize = 3;
    let snapshot = facts.snapshot;
    let mut models = snapshot.models.iter().filter(|(_, tally)| tally.unpriced_tokens > 0).map(|(model, _)| model);
    let named: Vec<String> = models.by_ref().take(NAMED).map(|model| format::cut(model)).collect();
    if named.is_empty() || !facts.costs {
        return None;
    }
    let more = match models.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let tokens = Count(snapshot.totals.unpriced_tokens);
    let text = format!("{tokens} tokens of {}{more} are counted, but their cost is not known.", named.join(", "));
    Some(Notice { class: "warn", title: "Models without a price", text })
}

/// What to say where the chart would be.
pub fn no_recent_usage(facts: &Facts<'_>) -> String {
    let newest = facts.snapshot.last_event_at.map(|at| format::instant(at, facts.zone));
    match newest {
        Some(newest) => format!(
            "Nothing in the last {DAYS} days. The newest response is from {newest}; the totals above include it."
        ),
        None => format!("Nothing in the last {DAYS} days."),
    }
}
