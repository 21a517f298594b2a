//! What every sink that is compiled in has to do, whatever it is. A new one adds to [`section`] how a test runs it.

use std::time::{Duration, Instant};

use claude_token_monitor::clock::Clock;
use claude_token_monitor::deliver::Configured;
use claude_token_monitor::event::UnixMillis;
use claude_token_monitor::plugin::{Setup, SinkFactory};
use claude_token_monitor::sinks::SINKS;
use claude_token_monitor::sinks::remote_write::message::{TimeSeries, WriteRequest};
use prost::Message as _;
use serde_json::{Value, json};

use super::otlp::records;
use super::receiver::Receiver;
use super::{ids, lines, wait_listed};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// The section of a factory's sample, without its name and its `type`.
fn sample(factory: &SinkFactory) -> toml::Table {
    let mut file: toml::Table = factory.sample.parse().unwrap();
    let mut sinks: toml::Table = file.remove("sinks").unwrap().try_into().unwrap();
    let mut section: toml::Table = sinks.remove(factory.kind).unwrap().try_into().unwrap();
    section.remove("type");
    section.remove("enabled");
    section
}

fn check(factory: &'static SinkFactory, section: toml::Table) -> Result<(), String> {
    let setup = Setup::new(factory.kind, Clock::fixed(UnixMillis(0)));
    Configured::check(factory, section, setup).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_sample_builds() {
    for factory in SINKS {
        check(factory, sample(factory)).unwrap_or_else(|error| panic!("{}: {error}", factory.kind));
    }
}

#[test]
fn every_typo_is_refused_and_named() {
    for factory in SINKS {
        let mut section = sample(factory);
        section.insert("no_such_key".to_owned(), toml::Value::Boolean(true));
        let error = check(factory, section).unwrap_err();
        assert!(error.contains("no_such_key"), "{}: {error}", factory.kind);
    }
}

/// How a test sees what a sink has sent.
enum Proof {
    /// It is asked; there is nothing to see here.
    Asked,
    Posted,
    /// Records of OTLP.
    Records,
    /// Samples of remote write, the last of which are the totals.
    Samples,
    /// Lines in this file.
    Lines(&'static str),
    /// This file holds the totals.
    Totals(&'static str),
}

/// A program as a sink: appends what it gets to a file.
const PROGRAM: &str =
    "while IFS= read -r line; do case $line in '{\"commit\":'*) echo ok;; *) echo \"$line\" >> out.jsonl;; esac; done";

/// How to run a sink in a house.
fn section(kind: &str, receiver: &Receiver) -> (String, Proof) {
    match kind {
        "prometheus" | "websocket" => (String::new(), Proof::Asked),
        "webhook" => (format!("url = '{}'", receiver.url()), Proof::Posted),
        "otlp" => {
            let url = receiver.url();
            (format!("logs_endpoint = '{url}'\nmetrics = false"), Proof::Records)
        }
        "remote_write" => (format!("url = '{}'", receiver.url()), Proof::Samples),
        "jsonl" => ("path = 'out.jsonl'".to_owned(), Proof::Lines("out.jsonl")),
        "exec" => (format!("command = ['/bin/sh', '-c', '''{PROGRAM}''']"), Proof::Lines("out.jsonl")),
        "textfile" => ("path = 'out.prom'\ninterval = '100ms'".to_owned(), Proof::Totals("out.prom")),
        kind => panic!("say here how a test runs {kind}"),
    }
}

/// Values of the main series of input tokens in a request of remote write.
fn inputs(body: &[u8]) -> Vec<f64> {
    let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let series = WriteRequest::decode(plain.as_slice()).unwrap().timeseries.into_iter();
    let wanted = ["claude_code_token_usage_tokens_total", "input", "main"];
    let wanted = |series: &TimeSeries| wanted.iter().all(|word| series.labels.iter().any(|label| label.value == *word));
    series.filter(wanted).flat_map(|series| series.samples).map(|sample| sample.value).collect()
}

struct Sent<'a> {
    proof: Proof,
    house: &'a TestHouse,
    receiver: &'a Receiver,
}

impl Sent<'_> {
    fn changes(&self) -> Vec<Value> {
        match &self.proof {
            Proof::Posted => self.receiver.taken(),
            Proof::Lines(name) => lines(&self.house.path("home/.config/claude-token-monitor").join(name)),
            Proof::Records => {
                let records = records(&self.receiver.accepted()).into_iter();
                records.map(|(_, attributes)| json!({"id": attributes["usage.id"]})).collect()
            }
            Proof::Asked | Proof::Samples | Proof::Totals(_) => Vec::new(),
        }
    }

    /// Waits until everything has arrived.
    fn wait(&self, responses: usize, input: i64) {
        match &self.proof {
            Proof::Asked => {}
            Proof::Samples => {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let expected = input as f64;
                eventually(&format!("{input} as a sample"), PATIENCE, || {
                    let inputs =
                        self.receiver.accepted().iter().flat_map(|seen| inputs(&seen.body)).reduce(f64::max)?;
                    ((inputs - expected).abs() < 0.5).then_some(())
                });
            }
            Proof::Totals(name) => {
                let path = self.house.path("home/.config/claude-token-monitor").join(name);
                let ending =
                    format!("type=\"input\",model=\"{}\",query_source=\"main\"}} {input}", crate::scribe::MODEL);
                eventually(&format!("{ending} in {}", path.display()), PATIENCE, || {
                    let text = std::fs::read_to_string(&path).ok()?;
                    text.lines().any(|line| line.ends_with(&ending)).then_some(())
                });
            }
            _ => eventually(&format!("{responses} responses"), PATIENCE, || {
                (ids(&self.changes()).len() >= responses).then_some(())
            }),
        }
    }
}

#[test]
fn every_sink_stops_in_time_and_goes_on_after_a_kill_and_a_rewrite() {
    for factory in SINKS {
        let receiver = Receiver::start();
        let (keys, proof) = section(factory.kind, &receiver);
        let tracks = matches!(proof, Proof::Posted | Proof::Records | Proof::Lines(_));
        let id = if factory.kind == "otlp" { "it.logs" } else { "it" };
        let start = if tracks || matches!(proof, Proof::Samples) {
            "start_from = 'beginning'\ninterval = '0s'\nbatch_max = 20\n"
        } else {
            ""
        };
        let config = format!("[sinks.it]\ntype = '{}'\n{start}{keys}\n", factory.kind);
        let house = TestHouse::new().with_config(&config);
        let mut scribe = Scribe::new(house.claude());
        let sent = Sent { proof, house: &house, receiver: &receiver };
        let wait = |scribe: &Scribe| sent.wait(usize::try_from(scribe.written.requests).unwrap(), scribe.written.input);

        scribe.append("a", 50);
        let served = house.serve();
        wait(&scribe);
        // A kill right after something was written: it is sent now or after the restart.
        scribe.append("a", 30);
        served.wait_counts(scribe.written, PATIENCE);
        served.kill();
        scribe.append("a", 5);
        let served = house.serve();
        wait(&scribe);

        // The transcript is rewritten whole, and read anew: nothing is new in that.
        if tracks {
            wait_listed(&house, id, "up to date", |row| row["lag_events"] == 0);
        }
        let before = sent.changes().len();
        let text = std::fs::read(scribe.file("a")).unwrap();
        let beside = scribe.file("a").with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, scribe.file("a")).unwrap();
        scribe.append("a", 1);
        wait(&scribe);
        assert_eq!(sent.changes().len(), before + usize::from(tracks), "{}", factory.kind);

        let started = Instant::now();
        assert_eq!(served.stop().code(), Some(0), "{}", factory.kind);
        assert!(started.elapsed() < Duration::from_secs(10), "{}: {:?}", factory.kind, started.elapsed());
    }
}
