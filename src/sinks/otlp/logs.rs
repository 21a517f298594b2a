//! One `claude_code.api_request` a response, at the response's own time, with the attributes that Claude Code's own
//! telemetry gives it, the ones that OpenTelemetry's conventions for generative AI have, and what only a history knows:
//! project, branch, and the response's id and revision. A correction is a new record of the same id with a higher
//! revision; whoever sums must take the last of each id. Never any content.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use super::receiver::Receiver;
use super::resource::{Resource, attribute, number, scope, text};
use crate::event::{Change, Event, GroupId, PicoUsd, ResponseKind, TokenCounts, UnixMillis, WebUse};
use crate::plugin::{Batch, Delivery, Outcome, Pace};

/// The name of the event, as Claude Code's own telemetry has it.
const EVENT: &str = "api_request";
const BODY: &str = "claude_code.api_request";

/// Longest value of an attribute, in bytes. Names come out of transcripts, and a receiver may refuse long ones.
const LONGEST: usize = 1_024;

/// Sends the revision log.
pub(crate) struct Logs {
    receiver: Receiver,
    resource: Resource,
    costs: bool,
}

impl Logs {
    pub(super) fn new(receiver: Receiver, resource: Resource, costs: bool) -> Self {
        Self { receiver, resource, costs }
    }

    fn request(&self, batch: &Batch<'_>) -> ExportLogsServiceRequest {
        let log_records = batch.changes.iter().filter_map(|change| record(change, batch.now, self.costs)).collect();
        let scope_logs = vec![ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() }];
        let resource = Some(self.resource.message(&batch.snapshot.instance));
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }],
        }
    }
}

impl Delivery for Logs {
    fn pace(&self) -> Pace {
        Pace { batch_max: 1_000, timeout: self.receiver.target.timeout, ..Pace::default() }
    }

    fn target(&self) -> String {
        self.receiver.shown()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let request = self.request(batch);
        self.receiver.send(request, batch.now).await
    }
}

/// A change as a record. A response that is no more has a record, too, whose numbers are all zero.
fn record(change: &Change, now: UnixMillis, costs: bool) -> Option<LogRecord> {
    let (kind, event) = match (&change.before, &change.after) {
        (None, Some(after)) => ("new", after),
        (Some(_), Some(after)) => ("correction", after),
        (Some(before), None) => ("retraction", before),
        (None, None) => return None,
    };
    let mut attributes = Vec::with_capacity(40);
    if change.after.is_some() {
        usage(&mut attributes, event, costs);
    } else {
        usage(&mut attributes, &gone(event), costs);
    }
    names(&mut attributes, event);
    attributes.push(number("event.sequence", change.revision));
    attributes.push(text("usage.id", hex(event.id)));
    attributes.push(number("usage.revision", change.revision));
    attributes.push(text("usage.change", kind));
    if let Some(before) = &change.before {
        former(&mut attributes, before, costs);
    }
    Some(LogRecord {
        time_unix_nano: nanos(event.at),
        observed_time_unix_nano: nanos(now),
        body: Some(AnyValue { value: Some(Value::StringValue(BODY.to_owned())) }),
        event_name: BODY.to_owned(),
        attributes,
        ..LogRecord::default()
    })
}

/// What was used. `input_tokens` leaves cached tokens out, as Anthropic counts; `gen_ai.usage.input_tokens` is the whole
/// prompt, as the convention has it.
fn usage(to: &mut Vec<KeyValue>, event: &Event, costs: bool) {
    let tokens = event.tokens;
    to.push(number("input_tokens", tokens.input));
    to.push(number("output_tokens", tokens.output));
    to.push(number("cache_read_tokens", tokens.cache_read));
    to.push(number("cache_creation_tokens", tokens.cache_write()));
    to.push(number("cache_creation_5m_tokens", tokens.cache_write_5m));
    to.push(number("cache_creation_1h_tokens", tokens.cache_write_1h));
    to.push(number("web_search_requests", event.web.searches));
    to.push(number("gen_ai.usage.input_tokens", tokens.prompt()));
    to.push(number("gen_ai.usage.output_tokens", tokens.output));
    to.push(number("gen_ai.usage.cache_read.input_tokens", tokens.cache_read));
    to.push(number("gen_ai.usage.cache_creation.input_tokens", tokens.cache_write()));
    if let Some(cost) = event.cost.filter(|_| costs) {
        to.push(attribute("cost_usd", Value::DoubleValue(cost.usd())));
        to.push(attribute("cost_usd_micros", Value::IntValue(micros(cost))));
    }
}

/// A response that is no more.
fn gone(event: &Event) -> Event {
    let cost = event.cost.map(|_| PicoUsd::default());
    Event { tokens: TokenCounts::default(), web: WebUse::default(), cost, ..event.clone() }
}

/// Whose it was, and where.
fn names(to: &mut Vec<KeyValue>, event: &Event) {
    let kind = match event.kind {
        ResponseKind::Message => "message",
        ResponseKind::Advisor => "advisor",
        ResponseKind::Compaction => "compaction",
    };
    to.push(text("event.name", EVENT));
    to.push(text("event.timestamp", iso(event.at)));
    to.push(text("usage.kind", kind));
    to.push(text("query_source", event.query_source.name()));
    to.push(text("model", short(&event.model)));
    to.push(text("session.id", short(&event.session)));
    to.push(text("project", short(&event.project)));
    to.push(text("gen_ai.provider.name", "anthropic"));
    to.push(text("gen_ai.operation.name", "chat"));
    to.push(text("gen_ai.request.model", short(&event.model)));
    to.push(text("gen_ai.response.model", short(&event.model)));
    to.push(text("gen_ai.conversation.id", short(&event.session)));
    let optional = [
        ("git.branch", &event.branch),
        ("agent.id", &event.agent),
        ("request_id", &event.request_id),
        ("speed", &event.speed),
        ("service_tier", &event.tier),
        ("inference_geo", &event.geo),
    ];
    to.extend(optional.into_iter().filter_map(|(key, value)| Some(text(key, short(value.as_ref()?)))));
}

/// What this receiver was told before of the same response.
fn former(to: &mut Vec<KeyValue>, before: &Event, costs: bool) {
    let tokens = before.tokens;
    to.push(number("usage.before.input_tokens", tokens.input));
    to.push(number("usage.before.output_tokens", tokens.output));
    to.push(number("usage.before.cache_read_tokens", tokens.cache_read));
    to.push(number("usage.before.cache_creation_tokens", tokens.cache_write()));
    if let Some(cost) = before.cost.filter(|_| costs) {
        to.push(attribute("usage.before.cost_usd_micros", Value::IntValue(micros(cost))));
    }
}

/// Nanoseconds since 1970; what lies before counts as then.
pub(super) fn nanos(at: UnixMillis) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000_000)
}

/// Micro-dollars, to the nearest.
fn micros(cost: PicoUsd) -> i64 {
    i64::try_from((cost.0 + 500_000).div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

fn iso(at: UnixMillis) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!("{instant:.3}")
}

fn hex(id: GroupId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

/// The beginning of a long name.
fn short(name: &str) -> String {
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::QuerySource;

    fn event() -> Event {
        Event {
            id: GroupId([0xab; 16]),
            at: UnixMillis(1_795_438_800_123),
            kind: ResponseKind::Message,
            model: "claude-opus-4-5".into(),
            query_source: QuerySource::Subagent,
            session: "s-1".into(),
            project: "/home/me/project".into(),
            branch: Some("main".into()),
            agent: None,
            tokens: TokenCounts { input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5 },
            web: WebUse { searches: 6, fetches: 0 },
            speed: None,
            tier: None,
            geo: None,
            request_id: Some("req_1".into()),
            cost: Some(PicoUsd(1_234_567_500_000)),
        }
    }

    fn shown(record: &LogRecord) -> Vec<String> {
        let value = |attribute: &KeyValue| match attribute.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        record.attributes.iter().map(|attribute| format!("{}={}", attribute.key, value(attribute))).collect()
    }

    #[test]
    fn a_response_is_a_record_at_its_own_time() {
        let change = Change { revision: 7, before: None, after: Some(event()) };
        let record = record(&change, UnixMillis(1_795_438_900_000), true).unwrap();
        assert_eq!(record.time_unix_nano, 1_795_438_800_123_000_000);
        assert_eq!(record.observed_time_unix_nano, 1_795_438_900_000_000_000);
        let shown = shown(&record);
        for expected in [
            "event.timestamp=2026-11-23T13:00:00.123Z",
            "input_tokens=1",
            "cache_creation_tokens=7",
            "cache_creation_1h_tokens=4",
            "gen_ai.usage.input_tokens=13",
            "cost_usd=1.2345675",
            "cost_usd_micros=1234568",
            "query_source=subagent",
            "git.branch=main",
            "request_id=req_1",
            "usage.id=abababababababababababababababab",
            "usage.revision=7",
            "usage.change=new",
        ] {
            assert!(shown.iter().any(|line| line == expected), "{expected}: {shown:#?}");
        }
        assert!(!shown.iter().any(|line| line.starts_with("speed=") || line.starts_with("usage.before")));
    }

    #[test]
    fn a_correction_says_what_was_before_and_a_retraction_is_zero() {
        let after = Event { tokens: TokenCounts { output: 9, ..event().tokens }, ..event() };
        let change = Change { revision: 8, before: Some(event()), after: Some(after) };
        let correction = shown(&record(&change, UnixMillis(0), true).unwrap());
        for expected in ["output_tokens=9", "usage.before.output_tokens=2", "usage.change=correction"] {
            assert!(correction.iter().any(|line| line == expected), "{expected}: {correction:#?}");
        }
        let change = Change { revision: 9, before: Some(event()), after: None };
        let retraction = shown(&record(&change, UnixMillis(0), true).unwrap());
        for expected in
            ["output_tokens=0", "cost_usd_micros=0", "usage.before.input_tokens=1", "usage.change=retraction"]
        {
            assert!(retraction.iter().any(|line| line == expected), "{expected}: {retraction:#?}");
        }
    }

    #[test]
    fn no_money_means_no_money() {
        let change = Change { revision: 8, before: Some(event()), after: Some(event()) };
        let shown = shown(&record(&change, UnixMillis(0), false).unwrap());
        assert!(!shown.iter().any(|line| line.contains("cost")), "{shown:#?}");
        let unpriced = Event { cost: None, ..event() };
        let change = Change { revision: 8, before: None, after: Some(unpriced) };
        let shown = self::shown(&record(&change, UnixMillis(0), true).unwrap());
        assert!(!shown.iter().any(|line| line.contains("cost")), "unknown is not zero: {shown:#?}");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(short(&"é".repeat(1_000)), "é".repeat(512));
        assert_eq!(short("short"), "short");
    }
}
