//! What is going on, in words: the live status, progress, notices, and what a first-time user has to know.

use super::format;
use super::language::{Text, Words};
use super::visit::Visit;
use crate::hub::Snapshot;
use crate::plugin::WatchMode;
use crate::web::api::health::{Health, Root, State};

/// The word in the header.
pub struct Live {
    pub class: &'static str,
    pub text: Text,
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
    pub title: Text,
    pub text: String,
}

/// Why there is nothing to show yet, and what can be done about it.
pub struct Welcome {
    /// At least one of the directories is there.
    pub found: bool,
    /// Transcripts in them.
    pub files: u64,
    /// Each directory that was looked for, and what became of it.
    pub roots: Vec<(String, String)>,
}

impl Live {
    pub fn of(health: &Health, words: &Words) -> Self {
        let t = &words.states;
        let (class, text) = match (health.status, health.watch.mode) {
            (State::Degraded, _) => ("bad", t.attention),
            (State::CatchingUp, _) => ("busy", t.scanning),
            (State::Ok, _) if !health.roots().any(Root::is_ok) => ("slow", t.waiting),
            (State::Ok, WatchMode::Poll) => ("slow", t.polling),
            (State::Ok, WatchMode::Native) => ("live", t.live),
        };
        Self { class, text }
    }
}

impl Progress {
    pub fn of(health: &Health, words: &Words) -> Option<Self> {
        if health.ready {
            return None;
        }
        let (t, catchup) = (&words.states, health.catchup);
        let text = match catchup.bytes {
            0 => t.looking.to_string(),
            all => {
                let done = format::bytes(catchup.done_bytes.min(all));
                t.read_of.with("done", done).with("all", format::bytes(all)).into()
            }
        };
        let percent = (catchup.done_bytes.min(catchup.bytes) * 100).checked_div(catchup.bytes).unwrap_or(0);
        Some(Self { percent, text })
    }
}

impl Welcome {
    pub fn of(snapshot: &Snapshot, health: &Health) -> Option<Self> {
        let found = health.roots().any(Root::is_ok);
        let looked = health.ready || health.roots().next().is_some();
        if snapshot.totals.requests > 0 || !looked || (found && !health.ready) {
            return None;
        }
        let roots = health.roots().map(|root| (root.path.clone(), root.state.clone())).collect();
        Some(Self { found, files: health.roots().map(|root| root.files).sum(), roots })
    }
}

/// The most urgent first.
pub fn notices(visit: &Visit, health: &Health) -> Vec<Notice> {
    let t = &visit.words().states;
    let trouble = |trouble: &crate::web::api::health::Trouble| Notice {
        class: "bad",
        title: t.attention,
        text: format!("{}: {}", trouble.subject, trouble.message),
    };
    let mut notices: Vec<Notice> = health.troubles.iter().map(trouble).collect();
    if visit.snapshot.totals.requests > 0 && health.ready && !health.roots().any(Root::is_ok) {
        notices.push(Notice { class: "warn", title: t.gone, text: t.gone_text.to_string() });
    }
    notices.extend(unpriced(visit));
    if health.watch.mode == WatchMode::Poll {
        let reason = health.watch.reason.as_deref().unwrap_or(t.events_off.as_str());
        notices.push(Notice { class: "note", title: t.polling, text: t.poll_text.with("reason", reason).into() });
    }
    if visit.state.settings.demo {
        notices.push(Notice { class: "note", title: t.demo, text: t.demo_text.to_string() });
    }
    notices
}

fn unpriced(visit: &Visit) -> Option<Notice> {
    const NAMED: usize = 3;
    let (t, snapshot) = (&visit.words().states, &visit.snapshot);
    let mut models = snapshot.models.iter().filter(|(_, tally)| tally.unpriced_tokens > 0).map(|(model, _)| model);
    let named: Vec<String> = models.by_ref().take(NAMED).map(|model| format::cut(model)).collect();
    if named.is_empty() || !visit.costs() {
        return None;
    }
    let named = named.join(", ");
    let named = match models.count() {
        0 => named,
        more => t.and_more.with("n", more).with("names", named).into(),
    };
    let tokens = visit.format.count(snapshot.totals.unpriced_tokens);
    let text = t.unpriced_text.with("tokens", tokens).with("models", named);
    Some(Notice { class: "warn", title: t.unpriced, text: text.into() })
}
