//! Samples: their times, their order, their labels; what an answer means; settings.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use jiff::civil::Date;

use super::counters::{Counters, Pen};
use super::message::{Sample, Series};
use super::*;
use crate::clock::Clock;
use crate::event::{
    Change, Event, GroupId, PicoUsd, QuerySource, ResponseKind, Tally, TokenCounts, UnixMillis, WebUse,
};
use crate::hub::Snapshot;
use crate::plugin::{Batch, History, Outcome, SinkFactory};
use crate::sinks::http::Answer;
use crate::sinks::series::Sums;

/// A history that was at `0` before.
struct Before(Sums);

impl History for Before {
    fn days(&self, _: Date, _: Date) -> anyhow::Result<Vec<(Date, Tally)>> {
        Ok(Vec::new())
    }

    fn series_at(&self, _: u64) -> anyhow::Result<Sums> {
        Ok(self.0.clone())
    }
}

fn event(at: i64, output: u64) -> Event {
    Event {
        id: GroupId([1; 16]),
        at: UnixMillis(at),
        kind: ResponseKind::Message,
        model: "m".into(),
        query_source: QuerySource::Main,
        session: "s".into(),
        project: "p".into(),
        branch: None,
        agent: None,
        tokens: TokenCounts { output, ..TokenCounts::default() },
        web: WebUse::default(),
        speed: None,
        tier: None,
        geo: None,
        request_id: None,
        cost: Some(PicoUsd(1)),
    }
}

fn new(revision: u64, at: i64, output: u64) -> Change {
    Change { revision, before: None, after: Some(event(at, output)) }
}

fn target(text: &str) -> Result<Target, BuildError> {
    let config: Config = toml::from_str(&format!("url = 'http://localhost/write'\n{text}")).unwrap();
    Target::new(&config, &Setup::new("remote_write", Clock::fixed(UnixMillis(0))))
}

/// The samples of output tokens that a batch leads to.
fn outputs(counters: &mut Counters, changes: &[Change], history: &Before, replay: bool) -> Vec<(i64, f64)> {
    let snapshot = Arc::new(Snapshot { revision: 1_000, ..Snapshot::default() });
    let last = changes.last().unwrap().revision;
    let after = changes[0].revision - 1;
    let batch = Batch { after, until: last, changes, snapshot: &snapshot, replay, now: UnixMillis(100_000), history };
    counters.go_to(&batch).unwrap();
    let target = target("").unwrap();
    let mut pen = Pen { target: &target, instance: "i", costs: true, series: Series::default() };
    counters.apply(&batch, &mut pen);
    let request = pen.series.into_request(Vec::new());
    let output = |labels: &[message::Label]| {
        let wanted = ["claude_code_token_usage_tokens_total", "output", "main"];
        wanted.iter().all(|wanted| labels.iter().any(|label| label.value == *wanted))
    };
    let found: Vec<_> = request.timeseries.into_iter().filter(|series| output(&series.labels)).collect();
    assert_eq!(found.len(), 1);
    found[0].samples.iter().map(|Sample { value, timestamp }| (*timestamp, *value)).collect()
}

#[test]
fn samples_have_the_times_of_the_responses_and_begin_at_what_was_before() {
    let mut counters = Counters::default();
    let changes = [new(1, 20_000, 5), new(2, 10_000, 7), new(3, 10_400, 1)];
    let found = outputs(&mut counters, &changes, &Before(Sums::new()), false);
    assert_eq!(found, [(9_400, 0.0), (10_400, 8.0), (20_000, 13.0)]);
    // A late one comes after what has been sent; one from the future does not.
    let found = outputs(&mut counters, &[new(4, 15_000, 2), new(5, 900_000, 1)], &Before(Sums::new()), false);
    assert_eq!(found, [(20_001, 15.0), (100_000, 16.0)]);
}

#[test]
fn counters_never_fall_and_corrections_add_the_difference() {
    let mut counters = Counters::default();
    outputs(&mut counters, &[new(1, 10_000, 5)], &Before(Sums::new()), false);
    let down = Change { revision: 2, before: Some(event(10_000, 5)), after: Some(event(10_000, 3)) };
    assert_eq!(outputs(&mut counters, &[down], &Before(Sums::new()), false), [(10_001, 5.0)]);
    let up = Change { revision: 3, before: Some(event(10_000, 3)), after: Some(event(10_000, 9)) };
    assert_eq!(outputs(&mut counters, &[up], &Before(Sums::new()), false), [(10_002, 9.0)]);
}

#[test]
fn a_beat_whose_answer_was_lost_has_used_its_time() {
    let mut counters = Counters::default();
    let history = Before(Sums::new());
    outputs(&mut counters, &[new(1, 10_000, 5)], &history, false);
    let snapshot = Arc::new(Snapshot { revision: 1, ..Snapshot::default() });
    let now = UnixMillis(90_000);
    let batch = Batch { after: 1, until: 1, changes: &[], snapshot: &snapshot, replay: false, now, history: &history };
    let target = target("").unwrap();
    let mut pen = Pen { target: &target, instance: "i", costs: true, series: Series::default() };
    let mut copy = counters.clone();
    copy.beat(&batch, &mut pen);
    counters.used(&copy);
    assert_eq!(outputs(&mut counters, &[new(2, 20_000, 1)], &history, false), [(90_001, 6.0)]);
}

#[test]
fn a_restart_goes_on_and_a_replay_goes_back() {
    let mut counters = Counters::default();
    outputs(&mut counters, &[new(1, 50_000, 5)], &Before(Sums::new()), false);
    let mut counters = Counters::read(&counters.written().unwrap());
    let tally = |output| Tally::of(TokenCounts { output, ..TokenCounts::default() }, 0, None);
    let five = Before([(("m".into(), QuerySource::Main), tally(5))].into_iter().collect());
    let found = outputs(&mut counters, &[new(2, 60_000, 2)], &five, false);
    assert_eq!(found, [(59_000, 5.0), (60_000, 7.0)]);
    let found = outputs(&mut counters, &[new(1, 50_000, 5)], &Before(Sums::new()), true);
    assert_eq!(found, [(49_000, 0.0), (50_000, 5.0)]);
}

#[test]
fn labels_are_sorted_and_the_users_are_among_them() {
    let point = crate::sinks::series::Point {
        family: crate::sinks::series::TOKENS,
        labels: vec![("type", "input".into()), ("model", "m".into())],
        value: 1.0,
    };
    let shown = |text: &str| {
        let labels = target(text).unwrap().labels(&point, "the-history");
        labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let name = "__name__=claude_code_token_usage_tokens_total";
    assert_eq!(shown(""), format!("{name} instance=the-history job=claude-token-monitor model=m type=input"));
    assert_eq!(
        shown("labels = { job = 'mine', a_team = 'x', instance = '' }"),
        format!("{name} a_team=x job=mine model=m type=input")
    );
}

#[test]
fn what_comes_too_late_is_passed_over() {
    let answer = |status, body: &str| Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    for body in ["out of order sample", "err-mimir-sample-out-of-order", "out of bounds", "too old sample"] {
        let outcome = verdict(&answer(400, body), UnixMillis(0));
        assert!(matches!(outcome, Outcome::Partial { unnamed: 1, .. }), "{body}: {outcome:?}");
    }
    assert!(matches!(verdict(&answer(400, "no such label"), UnixMillis(0)), Outcome::Reject { .. }));
    assert!(matches!(verdict(&answer(500, "out of order"), UnixMillis(0)), Outcome::Retry { .. }));
    assert!(matches!(verdict(&answer(429, ""), UnixMillis(0)), Outcome::Retry { .. }));
    assert_eq!(verdict(&answer(204, ""), UnixMillis(0)), Outcome::Acked);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let check = |text: &str, word: &str| {
        let table: toml::Table = text.parse().unwrap();
        let setup = Setup::new("remote_write", Clock::fixed(UnixMillis(0)));
        let error = (SinkFactory::of::<RemoteWrite>().build)(table, &setup).err().expect(text).to_string();
        assert!(error.contains(word), "{text}: {error}");
    };
    check("", "`url` is missing");
    check("uri = 'http://x'", "uri");
    let url = "url = 'http://localhost/write'\n";
    check(&format!("{url}labels = {{ model = 'x' }}"), "model");
    check(&format!("{url}labels = {{ '1st' = 'x' }}"), "1st");
    check(&format!("{url}headers = {{ Authorization = 'x' }}"), "secret");
    check(&format!("{url}bearer_token_env = 'NOT_SET'"), "NOT_SET");
    check(&format!("{url}password_file = 'x'"), "username");
    check(&format!("{url}username = 'x'\nbearer_token_file = 'y'"), "exclude");
}

#[test]
fn a_message_is_what_others_read() {
    let mut series = Series::default();
    let labels = BTreeMap::from([("__name__".to_owned(), "up".to_owned())]);
    series.push(labels, 1.0, 5);
    assert_eq!((series.samples(), series.is_empty()), (1, false));
    let packed = message::packed(&series.into_request(Vec::new())).unwrap();
    let plain = snap::raw::Decoder::new().decompress_vec(&packed).unwrap();
    // The bytes of prometheus.WriteRequest by hand: a series (1) with a label (1: name, value) and a sample (2).
    let expected = b"\x0a\x1d\x0a\x0e\x0a\x08__name__\x12\x02up\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x05";
    assert_eq!(plain, expected);
}
