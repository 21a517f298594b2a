use std::sync::atomic::Ordering::Relaxed;

use warp::http::HeaderValue;

use super::*;
use crate::clock::{Calendar, Clock};
use crate::event::{PicoUsd, QuerySource, Tally, TokenCounts, UnixMillis};
use crate::hub::{
    ActiveSession, ProjectSums, RequestSizes, SIZES, SessionPart, SizeExemplar, Snapshot, Spend, Statuses, StoreFacts,
};
use crate::status::{
    ProcessSample, SinkReport, SinkRole, SinkState, SinkStatus, SkipReason, SourceStatus, SourceTotals,
};

/// 2026-11-25T13:00:00Z, a Wednesday
const NOW: i64 = 1_795_611_600_000;

/// Everything that can be switched on.
const EVERYTHING: &str = "\
profile = \"both\"
sessions = \"active\"
labels = {user_id = \"ana\", organization_id = \"a \\\"b\\\" c\"}
budgets = {daily = 3.0, weekly = 8.0, monthly = 16.0}
";

fn metrics(hub: Hub, config: &str) -> Metrics {
    Metrics { hub, config: Arc::new(toml::from_str(config).unwrap()) }
}

fn render(hub: &Hub, format: Format) -> String {
    render_as("", hub, format)
}

fn render_as(config: &str, hub: &Hub, format: Format) -> String {
    let text = metrics(hub.clone(), config).render(format);
    // The build's own facts differ from build to build.
    let build = |line: &str| line.starts_with("claude_token_monitor_build_info");
    text.split_inclusive('\n').filter(|line| !build(line)).collect()
}

fn tally(tokens: [u64; 5], cost: i128) -> Tally {
    let [input, output, cache_write_5m, long, cache_read] = tokens;
    let tokens = TokenCounts { input, output, cache_write_5m, cache_write_1h: long, cache_read };
    Tally { tokens, requests: 7, searches: 1, cost: PicoUsd(cost), unpriced_tokens: 0 }
}

/// A house in which everything has happened.
fn full() -> Snapshot {
    let mut snapshot = Snapshot { ready: true, revision: 9, session_count: 3, ..Snapshot::default() };
    let unpriced = Tally { unpriced_tokens: 9, ..tally([9, 0, 0, 0, 0], 0) };
    for (model, source, tally) in [
        ("claude-opus-4-8", QuerySource::Main, tally([1, 2, 3, 4, 5], 1_234_500_000_000)),
        ("claude-opus-4-8", QuerySource::Subagent, tally([10, 20, 30, 40, 50], 1)),
        ("claude-haiku-4-5", QuerySource::Main, Tally::default()),
        ("of-unknown-price", QuerySource::Main, unpriced),
    ] {
        snapshot.series.insert((model.into(), source), tally);
    }
    snapshot.model_places = Arc::new(snapshot.series.keys().map(|(model, _)| Arc::clone(model)).collect());
    snapshot.projects = ProjectSums {
        placed: vec![
            ("/home/ana/shop".into(), tally([1, 2, 3, 4, 5], 1_000_000_000_000)),
            ("/srv/shop".into(), tally([10, 20, 30, 40, 50], 1)),
        ],
        rest: tally([9, 0, 0, 0, 0], 0),
        others: 2,
    };
    let mut input = RequestSizes { up_to: [2; SIZES], tokens: 1_000, ..RequestSizes::default() };
    input.up_to[..2].copy_from_slice(&[0, 1]);
    input.exemplars[1] = Some(SizeExemplar {
        session: "5f0c1a52-0000-4000-8000-000000000001".into(),
        tokens: 200,
        at: UnixMillis(1_795_438_800_500),
    });
    let output = RequestSizes { up_to: [2; SIZES], tokens: 22, ..RequestSizes::default() };
    snapshot.request_sizes = Arc::new([input, output]);
    let part = |project: &str, model: &str, cost| SessionPart {
        project: project.into(),
        model: model.into(),
        tally: tally([1, 1, 1, 1, 1], cost),
    };
    let unpriced = Tally { unpriced_tokens: 5, ..tally([5, 0, 0, 0, 0], 0) };
    let unpriced = SessionPart { tally: unpriced, ..part("/srv/shop", "of-unknown-price", 0) };
    let session = |session: &str, last_at, parts| ActiveSession { session: session.into(), last_at, parts };
    snapshot.active_sessions = [
        session("s1", UnixMillis(NOW - 3_600_000), vec![part("/srv/shop", "claude-opus-4-8", 7), unpriced]),
        session("s2", UnixMillis(NOW - 13 * 3_600_000), vec![part("/srv/shop", "claude-opus-4-8", 8)]),
    ]
    .into();
    let mut spend = Spend::default();
    for (days, amount) in [(0, 1_500_000_000_000), (2, 500_000_000_000), (20, 2_000_000_000_000)] {
        spend.add(UnixMillis(NOW - days * UnixMillis::DAY), PicoUsd(amount), UnixMillis(NOW));
    }
    snapshot.spend = Arc::new(spend);
    (snapshot.unfinished, snapshot.repriced) = (3, 4);
    // What the history holds now is less than what was shown once: counters keep what they showed.
    snapshot.totals = tally([1, 1, 1, 1, 1], 1);
    snapshot.last_event_at = Some(UnixMillis(1_795_438_800_500));
    snapshot.estimates.insert("claude-opus-4-1".into(), TokenCounts { output: 5, ..TokenCounts::default() });
    let mut claude =
        SourceTotals { new_responses: 4, corrections: 3, duplicates: 2, below_retention: 1, ..SourceTotals::default() };
    claude.tally.lines = 100;
    claude.tally.bytes = 5000;
    claude.tally.skip(SkipReason::Oversized);
    snapshot.ingest.by_source.insert("claude".to_owned(), claude);
    snapshot.ingest.commits = 12;
    snapshot.ingest.last_commit_at = Some(UnixMillis(1_795_438_800_000));
    snapshot.ingest.commit_seconds.observe(0.0011);
    snapshot.ingest.lag_seconds.observe(0.3);
    snapshot.ingest.lag_seconds.observe(60.0);
    snapshot.store = StoreFacts {
        size_bytes: 8192,
        responses: 11,
        busy: 1,
        price_table: "1".to_owned(),
        price_table_at: Some(UnixMillis(0)),
    };
    snapshot.troubles.insert("database", "restored".to_owned());
    snapshot
}

fn hub(snapshot: Snapshot) -> Hub {
    let status = SourceStatus::default();
    status.files.store(42, Relaxed);
    status.polling.store(true, Relaxed);
    status.catchup_bytes.store(10, Relaxed);
    let statuses: Statuses = Arc::new([("claude", Arc::new(status))].into_iter().collect());
    let calendar = Calendar { clock: Clock::fixed(UnixMillis(NOW)), zone: jiff::tz::TimeZone::UTC };
    let hub = Hub::new(snapshot, statuses).with_calendar(calendar);
    hub.house().set_process(ProcessSample {
        start_seconds: 1_795_438_000.5,
        cpu_seconds: Some(1.25),
        resident_bytes: Some(1 << 20),
        open_fds: Some(9),
        max_fds: Some(1024),
    });
    hub.house().count_request("/", "2xx");
    hub.house().count_request("other", "4xx");
    hub.house().count_rate_limited();
    hub.house().websocket.clients.store(2, Relaxed);
    for (id, role) in [("out", SinkRole::Delivery), ("prometheus", SinkRole::Follower), ("totals", SinkRole::Snapshots)]
    {
        let status = SinkStatus::new(SinkReport::new(id.to_owned(), "jsonl", role));
        status.update(|report| {
            report.state = SinkState::Retrying;
            (report.cursor, report.behind_since) = (Some(0), Some(NOW - 90_000));
            (report.events, report.dead_letters, report.failures.timeout) = (5, 1, 3);
            report.last_success_at = Some(NOW - 100_000);
            report.send_seconds.observe(0.2);
        });
        hub.house().add_sink(id.to_owned(), Arc::new(status));
    }
    hub
}

#[test]
fn an_empty_house_as_text() {
    insta::assert_snapshot!(render(&Hub::new(Snapshot::default(), Statuses::default()), Format::Text));
}

#[test]
fn an_empty_house_as_openmetrics() {
    insta::assert_snapshot!(render(&Hub::new(Snapshot::default(), Statuses::default()), Format::OpenMetrics1));
}

#[test]
fn a_full_house_as_text() {
    insta::assert_snapshot!(render(&hub(full()), Format::Text));
}

#[test]
fn a_full_house_as_openmetrics() {
    insta::assert_snapshot!(render(&hub(full()), Format::OpenMetrics1));
}

#[test]
fn everything_at_once_as_text() {
    insta::assert_snapshot!(usage_of(&render_as(EVERYTHING, &hub(full()), Format::Text)));
}

#[test]
fn everything_at_once_as_openmetrics() {
    insta::assert_snapshot!(usage_of(&render_as(EVERYTHING, &hub(full()), Format::OpenMetrics1)));
}

/// The families before those of the process and the house, which the settings do not touch.
fn usage_of(text: &str) -> &str {
    text.split_once("# HELP process_cpu").unwrap().0
}

#[test]
fn each_profile_has_its_names() {
    let families = |profile: &str| {
        let text = render_as(&format!("profile = \"{profile}\""), &hub(full()), Format::Text);
        let name = |prefix: &str| text.contains(&format!("\n{prefix}_token_usage_tokens_total{{"));
        (name("claude_code"), name("claude_token_monitor"))
    };
    assert_eq!(["native", "own", "both"].map(families), [(true, false), (false, true), (true, true)]);
}

#[test]
fn projects_and_sessions_can_be_left_out() {
    let text = render_as("projects = \"none\"", &hub(full()), Format::Text);
    assert!(!text.contains("project"), "{text}");
    assert!(!text.contains("session_id"), "{text}");
    assert!(render(&hub(full()), Format::Text).contains("label_overflow_total{label=\"project\"} 2\n"));
}

#[test]
fn usage_is_withheld_until_it_is_whole() {
    let unready = render(&hub(Snapshot { ready: false, ..full() }), Format::Text);
    assert!(!unready.contains("claude_code_"), "{unready}");
    assert!(!unready.contains("_api_requests") && !unready.contains("_stats_cache_"), "{unready}");
    assert!(unready.contains("claude_token_monitor_ready 0\n"), "{unready}");
}

#[test]
fn costs_can_be_left_out() {
    let text = render(&hub(full()).without_costs(), Format::Text);
    assert!(text.contains("claude_code_token_usage_tokens_total") && !text.contains("USD"), "{text}");
}

#[test]
fn hostile_model_names_stay_inside_their_label() {
    let mut snapshot = Snapshot { ready: true, ..Snapshot::default() };
    let names = [
        "\"} 1\nfake_metric 1",
        "back\\slash\\",
        "newline\nnewline",
        "emoji 🦀 \u{202e}",
        &"x".repeat(10_000),
        "\u{0}\u{1b}[31m",
    ];
    for name in names {
        snapshot.series.insert((name.into(), QuerySource::Main), tally([1, 0, 0, 0, 0], 1));
        snapshot.projects.placed.push((name.into(), tally([1, 0, 0, 0, 0], 1)));
    }
    snapshot.model_places = Arc::new(names.into_iter().map(Into::into).collect());
    for format in [Format::Text, Format::OpenMetrics1] {
        let text = render(&hub(snapshot.clone()), format);
        assert!(!text.lines().any(|line| line.starts_with("fake_metric")), "{text}");
        assert!(text.lines().all(|line| line.len() < 400), "{text}");
        let series: Vec<&str> =
            text.lines().filter(|line| line.starts_with("claude_token_monitor_api_requests_total{")).collect();
        let x = "x".repeat(200);
        assert_eq!(
            series,
            [
                r#"claude_token_monitor_api_requests_total{model="\"} 1fake_metric 1",query_source="main"} 7"#
                    .to_owned(),
                r#"claude_token_monitor_api_requests_total{model="[31m",query_source="main"} 7"#.to_owned(),
                r#"claude_token_monitor_api_requests_total{model="back\\slash\\",query_source="main"} 7"#.to_owned(),
                "claude_token_monitor_api_requests_total{model=\"emoji 🦀 \u{202e}\",query_source=\"main\"} 7"
                    .to_owned(),
                r#"claude_token_monitor_api_requests_total{model="newlinenewline",query_source="main"} 7"#.to_owned(),
                format!(r#"claude_token_monitor_api_requests_total{{model="{x}",query_source="main"}} 7"#),
            ]
        );
    }
}

#[test]
fn every_family_follows_the_conventions() {
    let text = render(&hub(full()), Format::Text);
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(seen.insert(name), "{name} is there twice");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let help = format!("# HELP {name} ");
        assert!(text.lines().any(|line| line.starts_with(&help) && line.len() > help.len() + 5), "{name} has no help");
    }
    assert!(seen.len() > 35, "{seen:?}");
}

#[test]
fn answers_as_asked() {
    fn check(headers: &[(header::HeaderName, &'static str)], content_type: &str, zipped: bool) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let response = metrics(hub(full()), "").answer(&headers);
        assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
        assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), zipped);
        assert_eq!(response.headers()[header::VARY], "accept, accept-encoding");
        let (mut body, sent) = (String::new(), crate::route::testing::body(response));
        let mut reader: Box<dyn std::io::Read> =
            if zipped { Box::new(flate2::read::GzDecoder::new(&sent[..])) } else { Box::new(&sent[..]) };
        reader.read_to_string(&mut body).unwrap();
        assert_eq!(body.ends_with("# EOF\n"), content_type.starts_with("application/openmetrics-text"));
        assert!(body.contains("claude_code_session_count_total 3\n"), "{body}");
    }
    let open = (header::ACCEPT, "application/openmetrics-text; version=1.0.0");
    check(&[], "text/plain; version=0.0.4; charset=utf-8", false);
    check(&[(header::ACCEPT_ENCODING, "gzip")], "text/plain; version=0.0.4; charset=utf-8", true);
    check(std::slice::from_ref(&open), "application/openmetrics-text; version=1.0.0; charset=utf-8", false);
    check(
        &[open, (header::ACCEPT_ENCODING, "gzip")],
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        true,
    );
    check(
        &[(header::ACCEPT, "application/openmetrics-text; version=0.0.1")],
        "application/openmetrics-text; version=0.0.1; charset=utf-8",
        false,
    );
}
