//! Changes as JSON, the same for every sink that writes JSON: one object a change, names and counts and times, never
//! content. `docs/sinks.md` documents it field by field.

use std::io;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::event::{Change, Event, GroupId, ResponseKind, UnixMillis};

/// One change on the wire.
#[derive(Serialize)]
pub struct WireChange<'a> {
    pub revision: u64,
    /// Of the response; the same in every change of it.
    #[serde(serialize_with = "hex")]
    pub id: GroupId,
    /// `insert`, `correction` or `retraction`.
    pub change: &'static str,
    /// As it is now; null after a retraction.
    pub event: Option<WireEvent<'a>>,
    /// As this receiver was last told; null for what is new to it.
    pub before: Option<WireEvent<'a>>,
}

/// One response on the wire.
#[derive(Serialize)]
pub struct WireEvent<'a> {
    #[serde(serialize_with = "rfc3339")]
    pub timestamp: UnixMillis,
    pub model: &'a str,
    pub kind: &'static str,
    pub query_source: &'static str,
    pub session_id: &'a str,
    pub project: &'a str,
    pub git_branch: Option<&'a str>,
    pub agent_id: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_creation_tokens: u64,
    pub cache_creation_5m_tokens: u64,
    pub cache_creation_1h_tokens: u64,
    pub cache_read_tokens: u64,
    pub total_tokens: u64,
    pub web_search_requests: u64,
    pub web_fetch_requests: u64,
    pub speed: Option<&'a str>,
    pub service_tier: Option<&'a str>,
    pub inference_geo: Option<&'a str>,
    /// US dollars; null where the model has no price. Left out where the user wants no costs shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<Option<f64>>,
}

impl<'a> WireChange<'a> {
    /// `None` for a change of nothing, which there is not.
    pub fn of(change: &'a Change, costs: bool) -> Option<Self> {
        let id = change.after.as_ref().or(change.before.as_ref())?.id;
        let words = match (&change.before, &change.after) {
            (_, None) => "retraction",
            (None, Some(_)) => "insert",
            (Some(_), Some(_)) => "correction",
        };
        let event = |event: &'a Option<Event>| event.as_ref().map(|event| WireEvent::of(event, costs));
        Some(Self {
            revision: change.revision,
            id,
            change: words,
            event: event(&change.after),
            before: event(&change.before),
        })
    }
}

impl<'a> WireEvent<'a> {
    fn of(event: &'a Event, costs: bool) -> Self {
        let word = |word: &'a Option<Arc<str>>| word.as_deref();
        Self {
            timestamp: event.at,
            model: &event.model,
            kind: match event.kind {
                ResponseKind::Message => "message",
                ResponseKind::Advisor => "advisor",
                ResponseKind::Compaction => "compaction",
            },
            query_source: event.query_source.name(),
            session_id: &event.session,
            project: &event.project,
            git_branch: word(&event.branch),
            agent_id: word(&event.agent),
            request_id: word(&event.request_id),
            input_tokens: event.tokens.input,
            output_tokens: event.tokens.output,
            cache_creation_tokens: event.tokens.cache_write(),
            cache_creation_5m_tokens: event.tokens.cache_write_5m,
            cache_creation_1h_tokens: event.tokens.cache_write_1h,
            cache_read_tokens: event.tokens.cache_read,
            total_tokens: event.tokens.total(),
            web_search_requests: event.web.searches,
            web_fetch_requests: event.web.fetches,
            speed: word(&event.speed),
            service_tier: word(&event.tier),
            inference_geo: word(&event.geo),
            total_cost: costs.then(|| event.cost.map(crate::event::PicoUsd::usd)),
        }
    }
}

/// One line a change.
pub fn lines(changes: &[Change], costs: bool, to: &mut Vec<u8>) -> io::Result<()> {
    for change in changes.iter().filter_map(|change| WireChange::of(change, costs)) {
        change.serialize(&mut serde_json::Serializer::with_formatter(&mut *to, OneLine))?;
        to.push(b'\n');
    }
    Ok(())
}

/// JSON allows characters inside of strings that end a line for some readers, or that a terminal obeys: names with such
/// are written with escapes, which are the same name.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let escaped =
            |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        // Nearly all of them are nothing but ASCII.
        if fragment.bytes().all(|byte| (b' '..0x7f).contains(&byte)) || !fragment.contains(escaped) {
            return to.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if escaped(c) {
                write!(to, "\\u{:04x}", u32::from(c))?;
            } else {
                to.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// An instant as text, in milliseconds and UTC. One that no calendar can show is left as its number.
pub fn instant(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn rfc3339<S: Serializer>(at: &UnixMillis, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&instant(*at))
}

fn hex<S: Serializer>(id: &GroupId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{:032x}", u128::from_be_bytes(id.0)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::{PicoUsd, QuerySource, TokenCounts, WebUse};

    /// A response with a number for everything.
    pub(crate) fn event(id: u8) -> Event {
        Event {
            id: GroupId([id; 16]),
            at: UnixMillis(1_795_438_800_123),
            kind: ResponseKind::Message,
            model: "claude-opus-5".into(),
            query_source: QuerySource::Main,
            session: "s".into(),
            project: "/p".into(),
            branch: Some("main".into()),
            agent: None,
            tokens: TokenCounts { input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5 },
            web: WebUse::default(),
            speed: None,
            tier: Some("standard".into()),
            geo: None,
            request_id: Some("req_1".into()),
            cost: Some(PicoUsd(1_500_000_000)),
        }
    }

    fn json(change: &Change, costs: bool) -> serde_json::Value {
        serde_json::to_value(WireChange::of(change, costs).expect("a change of something")).expect("JSON")
    }

    #[test]
    fn an_insert_has_everything_and_no_before() {
        let json = json(&Change { revision: 7, before: None, after: Some(event(1)) }, true);
        assert_eq!(
            json,
            serde_json::json!({
                "revision": 7, "id": "01010101010101010101010101010101", "change": "insert", "before": null,
                "event": {
                    "timestamp": "2026-11-23T13:00:00.123Z", "model": "claude-opus-5", "kind": "message",
                    "query_source": "main", "session_id": "s", "project": "/p", "git_branch": "main",
                    "agent_id": null, "request_id": "req_1", "input_tokens": 1, "output_tokens": 2,
                    "cache_creation_tokens": 7, "cache_creation_5m_tokens": 3, "cache_creation_1h_tokens": 4,
                    "cache_read_tokens": 5, "total_tokens": 15, "web_search_requests": 0, "web_fetch_requests": 0,
                    "speed": null, "service_tier": "standard", "inference_geo": null, "total_cost": 0.0015
                }
            })
        );
    }

    #[test]
    fn a_name_is_one_line_for_everybody_and_the_same_name() {
        let mut event = event(4);
        event.model = "a\u{9b}31m\u{2028}b\u{85}c\u{202e}d\u{7f}e\u{feff}é😀\n\"".into();
        let mut text = Vec::new();
        lines(&[Change { revision: 1, before: None, after: Some(event.clone()) }], true, &mut text).expect("JSON");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains(r#""a\u009b31m\u2028b\u0085c\u202ed\u007fe\ufeffé😀\n\"""#), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["event"]["model"], *event.model);
    }

    #[test]
    fn corrections_and_retractions_have_a_before_and_hidden_costs_are_not_there() {
        let (before, after) = (Some(event(2)), Some(event(2)));
        let correction = json(&Change { revision: 8, before: before.clone(), after }, false);
        assert_eq!(correction["change"], "correction");
        assert!(correction["event"].get("total_cost").is_none() && correction["before"].is_object());
        let retraction = json(&Change { revision: 9, before, after: None }, true);
        assert_eq!((&retraction["change"], &retraction["event"]), (&"retraction".into(), &serde_json::Value::Null));
        let mut unpriced = event(3);
        unpriced.cost = None;
        let json = json(&Change { revision: 9, before: None, after: Some(unpriced) }, true);
        assert!(json["event"]["total_cost"].is_null() && json["event"].get("total_cost").is_some());
    }
}
