//! OTLP: every response is one record at its own time, whatever fails on the way; metrics keep start and instance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;

use super::receiver::{Receiver, Reply, Seen};
use super::{dead_letters, listed, wait_listed};
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

pub(super) fn section(logs: &Receiver, metrics: Option<&Receiver>, more: &str) -> String {
    let metrics = match metrics {
        Some(receiver) => format!("metrics_endpoint = '{}'", receiver.url()),
        None => "metrics = false".to_owned(),
    };
    format!(
        "[sinks.otlp]\nlogs_endpoint = '{}'\n{metrics}\nstart_from = 'beginning'\ninterval = '100ms'\n\
         retry_initial = '20ms'\nretry_max = '200ms'\n{more}\n",
        logs.url()
    )
}

pub(super) fn plain(seen: &Seen) -> Vec<u8> {
    if seen.header("content-encoding") != "gzip" {
        return seen.body.clone();
    }
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(seen.body.as_slice()).read_to_end(&mut body).unwrap();
    body
}

/// One record, by attribute.
pub(super) type Record = (u64, BTreeMap<String, String>);

pub(super) fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    all.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

fn logs(seen: &Seen) -> ExportLogsServiceRequest {
    match seen.header("content-type") {
        "application/json" => serde_json::from_slice(&plain(seen)).unwrap(),
        _ => ExportLogsServiceRequest::decode(plain(seen).as_slice()).unwrap(),
    }
}

/// The records of requests, in order.
pub(super) fn records_of(requests: impl IntoIterator<Item = ExportLogsServiceRequest>) -> Vec<Record> {
    let scopes = requests.into_iter().flat_map(|request| request.resource_logs).flat_map(|all| all.scope_logs);
    let records = scopes.flat_map(|scope| scope.log_records);
    records.map(|record| (record.time_unix_nano, attributes(&record.attributes))).collect()
}

pub(super) fn records(seen: &[Seen]) -> Vec<Record> {
    records_of(seen.iter().map(logs))
}

pub(super) fn ids(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|(_, attributes)| attributes["usage.id"].clone()).collect()
}

pub(super) fn wait_records(receiver: &Receiver, count: usize) -> Vec<Record> {
    eventually(&format!("{count} records"), PATIENCE, || {
        let records = records(&receiver.accepted());
        (ids(&records).len() >= count).then_some(records)
    })
}

/// Start times, instances and the sum of all tokens of the newest metrics.
fn metrics(receiver: &Receiver) -> Option<(BTreeSet<u64>, String, i64)> {
    let seen = receiver.accepted();
    let request = ExportMetricsServiceRequest::decode(plain(seen.last()?).as_slice()).unwrap();
    let resource = &request.resource_metrics[0];
    let instance = attributes(&resource.resource.as_ref().unwrap().attributes)["service.instance.id"].clone();
    let metrics = &resource.scope_metrics[0].metrics;
    let Some(Data::Sum(sum)) = &metrics.iter().find(|metric| metric.name == "claude_code.token.usage")?.data else {
        panic!("tokens are a sum");
    };
    assert!(sum.is_monotonic);
    let starts = sum.data_points.iter().map(|point| point.start_time_unix_nano).collect();
    let total = sum.data_points.iter().map(|point| match point.value.unwrap() {
        opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt(count) => count,
        other @ opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsDouble(_) => panic!("{other:?}"),
    });
    Some((starts, instance, total.sum()))
}

#[test]
fn records_have_their_own_times_and_metrics_their_first_start() {
    for (protocol, compression) in [("http/protobuf", "gzip"), ("http/json", "none")] {
        let (to_logs, to_metrics) = (Receiver::start(), Receiver::start());
        let more = format!("protocol = '{protocol}'\ncompression = '{compression}'");
        let metrics_too = (protocol == "http/protobuf").then_some(&to_metrics);
        let house = TestHouse::new().with_config(&section(&to_logs, metrics_too, &more));
        let mut scribe = Scribe::new(house.claude());
        scribe.append("a", 30);
        let served = house.serve();
        let found = wait_records(&to_logs, 30);
        assert_eq!(found.len(), 30, "each exactly once");
        for (time, attributes) in &found {
            let stamp: jiff::Timestamp = attributes["event.timestamp"].parse().unwrap();
            assert_eq!(i128::from(*time), stamp.as_nanosecond());
            assert_eq!((&*attributes["event.name"], &*attributes["session.id"]), ("api_request", "a"));
            assert!(attributes.contains_key("usage.revision") && attributes.contains_key("gen_ai.usage.input_tokens"));
        }
        let text = String::from_utf8_lossy(&plain(&to_logs.seen()[0])).into_owned();
        assert!(!text.contains("an answer"), "content must not leave");
        if metrics_too.is_none() {
            continue;
        }
        let total = served.scrape().sum("claude_code_token_usage_tokens_total").unwrap();
        let seen = |total: f64| {
            eventually("the totals as metrics", PATIENCE, || {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                metrics(&to_metrics).filter(|(.., sum)| (*sum as f64 - total).abs() < 0.5)
            })
        };
        let (starts, instance, _) = seen(total);
        assert_eq!((starts.len(), instance.len()), (1, 36));
        wait_listed(&house, "otlp.logs", "at the end", |row| row["lag_events"] == 0);

        served.kill();
        scribe.append("a", 5);
        let served = house.serve();
        let found = wait_records(&to_logs, 35);
        assert_eq!(found.len(), 35, "what was acknowledged is not sent again");
        served.wait_counts(scribe.written, PATIENCE);
        let total = served.scrape().sum("claude_code_token_usage_tokens_total").unwrap();
        let (again, the_same, _) = seen(total);
        assert_eq!((again, the_same), (starts, instance), "a restart is no reset");
    }
}

#[test]
fn what_may_be_tried_again_is_and_nothing_else() {
    // 503 with a wait, then a cut, then all is well.
    let mut replies = vec![Reply::Cut, Reply::With(503, "retry-after", "1".to_owned())];
    let receiver = Receiver::start().behaving(move |_| replies.pop().unwrap_or(Reply::Status(200)));
    let house = TestHouse::new().with_config(&section(&receiver, None, ""));
    Scribe::new(house.claude()).append("a", 10);
    let served = house.serve();
    assert_eq!(wait_records(&receiver, 10).len(), 10);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].at - seen[0].at >= std::time::Duration::from_millis(950), "the receiver asked for a second");
    drop(served);
}

#[test]
fn a_poisoned_record_is_found_and_the_rest_arrives() {
    let receiver = Receiver::start();
    receiver.behave(|seen| {
        let is_poison = |(_, attributes): &Record| attributes["session.id"] == "poison";
        Reply::Status(if records(std::slice::from_ref(seen)).iter().any(is_poison) { 400 } else { 200 })
    });
    let house = TestHouse::new().with_config(&section(&receiver, None, ""));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 20);
    scribe.append("poison", 1);
    scribe.append("b", 20);
    let served = house.serve();
    assert_eq!(wait_records(&receiver, 40).len(), 40);
    wait_listed(&house, "otlp.logs", "with a dead letter", |row| row["dead_letters"] == 1);
    let letters = dead_letters(&house);
    assert!(letters[0].to_string().contains("400"), "{letters:?}");
    drop(served);
}

#[test]
fn a_part_that_is_refused_is_counted_and_never_sent_again() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
    let body = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let receiver = Receiver::start().behaving(move |_| Reply::Body(200, body.clone()));
    let house = TestHouse::new().with_config(&section(&receiver, None, ""));
    Scribe::new(house.claude()).append("a", 10);
    let served = house.serve();
    wait_listed(&house, "otlp.logs", "counted", |row| row["lag_events"] == 0 && row["dead_letters"] != 0);
    assert_eq!(records(&receiver.seen()).len(), 10, "{:?}", listed(&house, "otlp.logs"));
    drop(served);
}

#[test]
fn too_large_a_request_is_sent_in_parts() {
    let receiver = Receiver::start()
        .behaving(|seen| Reply::Status(if records(std::slice::from_ref(seen)).len() > 4 { 413 } else { 200 }));
    let house = TestHouse::new().with_config(&section(&receiver, None, ""));
    Scribe::new(house.claude()).append("a", 30);
    let served = house.serve();
    assert_eq!(wait_records(&receiver, 30).len(), 30);
    assert_eq!(dead_letters(&house).len(), 0);
    drop(served);
}

/// A real collector that prints what it gets.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn collect(house: &TestHouse, program: &std::path::Path, ports: [u16; 2], log: &str) -> Collector {
    let log = File::options().create(true).append(true).open(house.path(log)).unwrap();
    let child = Command::new(program)
        .args(["start", "--exporter", "blackhole", "--debug-log", "logs", "--debug-log-verbosity", "detailed"])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", ports[0])])
        .args(["--otlp-http-endpoint", &format!("127.0.0.1:{}", ports[1])])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Collector(child)
}

/// Ids of responses in what the collector printed, each as often as it is there.
fn printed(house: &TestHouse, log: &str) -> Vec<String> {
    let text = std::fs::read_to_string(house.path(log)).unwrap_or_default();
    let after = text.split("usage.id").skip(1);
    let id = |rest: &str| {
        let hex: String = rest.chars().skip_while(|c| !c.is_ascii_hexdigit()).collect();
        let words = hex.split(|c: char| !c.is_ascii_hexdigit()).find(|word| word.len() == 32);
        words.map(str::to_owned)
    };
    after.filter_map(|rest| id(&rest.chars().take(120).collect::<String>())).collect()
}

#[test]
fn a_real_collector_that_was_away_gets_every_response_once() {
    let Some(program) = parts::need("rotel") else { return };
    for protocol in ["http/protobuf", "grpc"] {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ports = [free(), free()];
        let port = if protocol == "grpc" { ports[0] } else { ports[1] };
        let config = format!(
            "[sinks.otlp]\nendpoint = 'http://127.0.0.1:{port}'\nprotocol = '{protocol}'\nstart_from = 'beginning'\n\
             interval = '100ms'\nretry_initial = '50ms'\nretry_max = '300ms'\n"
        );
        let house = TestHouse::new().with_config(&config);
        let mut scribe = Scribe::new(house.claude());
        scribe.append("a", 20);
        let served = house.serve();
        let wait = |count: usize| {
            eventually(&format!("{count} records at the collector over {protocol}"), PATIENCE, || {
                let ids = printed(&house, "rotel.log");
                (ids.iter().collect::<BTreeSet<_>>().len() >= count).then_some(ids)
            })
        };
        let collector = collect(&house, &program, ports, "rotel.log");
        assert_eq!(wait(20).len(), 20);
        wait_listed(&house, "otlp.logs", "at the end", |row| row["lag_events"] == 0);
        drop(collector);
        scribe.append("a", 15);
        served.wait_counts(scribe.written, PATIENCE);
        wait_listed(&house, "otlp.logs", "failing", |row| row["state"] == "failing");
        let collector = collect(&house, &program, ports, "rotel.log");
        assert_eq!(wait(35).len(), 35, "each exactly once over {protocol}");
        drop((collector, served));
    }
}
