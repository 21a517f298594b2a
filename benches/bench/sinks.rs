//! Sinks: how fast a history leaves through each of them, what it costs in memory to have a million responses waiting,
//! and whether reading transcripts notices that receivers are down.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::corpus::{Corpus, hundred_thousand, million};
use crate::process::{Run, memory, pause, processor, run};
use crate::report::{Report, mebibytes, median, percent, ratio, seconds};

const ROUNDS: usize = 5;

/// How long a receiver is down before memory is looked at: some hundred tries.
const OUTAGE: Duration = Duration::from_secs(15);

pub(crate) fn measure(report: &mut Report) {
    let corpus = hundred_thousand();
    throughput(&corpus, report);
    slowdown(&corpus, report);
    behind(report);
}

/// Sends the whole history through one sink after the other.
fn throughput(corpus: &Corpus, report: &mut Report) {
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    let hook = receiver();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bench");
    let perl = r#"command = ['/usr/bin/perl', '-ne', 'BEGIN { $| = 1 } print "ok\n" if /^."commit"/']"#;
    let python = format!("command = ['/usr/bin/env', 'python3', '{}']", here.join("acknowledge.py").display());
    let kinds = [
        ("jsonl", "jsonl", "path = 'out.jsonl'\nmax_megabytes = 1000".to_owned(), Some(50_000.0)),
        ("exec, a program that only answers", "exec", perl.to_owned(), Some(50_000.0)),
        ("exec, a Python program that parses each", "exec", python, None),
        ("a webhook, 1000 a request", "webhook", format!("url = '{hook}'\nbatch_max = 1000\ninterval = '0s'"), None),
    ];
    for (number, (words, kind, keys, goal)) in kinds.into_iter().enumerate() {
        let name = format!("s{number}");
        place.configure(&format!("[sinks.{name}]\ntype = '{kind}'\nstart_from = 'beginning'\n{keys}\n"));
        let told = place.ours(&corpus.root, &["sinks", "pause", &name]).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        let (_served, address) = place.serve(&corpus.root);
        let since = Instant::now();
        ureq::post(format!("http://{address}/api/v1/sinks/{name}/resume")).send_empty().unwrap();
        let sent = loop {
            let sink = sink(&address, &name);
            if sink["cursor"].is_u64() && sink["lag_events"] == 0 {
                break sink["events"].as_f64().unwrap();
            }
            pause(Duration::from_millis(5));
        };
        let rate = sent / since.elapsed().as_secs_f64();
        let what = format!("responses a second into {words}");
        match goal {
            Some(goal) => report.above(&what, rate, goal, whole),
            None => report.note(&what, whole(rate)),
        }
    }
}

/// One sink as the API has it.
fn sink(address: &str, name: &str) -> Value {
    let text = ureq::get(format!("http://{address}/api/v1/sinks")).call().unwrap().body_mut().read_to_string().unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    list["sinks"].as_array().unwrap().iter().find(|sink| sink["id"] == name).cloned().unwrap_or_default()
}

fn whole(rate: f64) -> String {
    format!("{rate:.0}")
}

/// Three receivers that nobody can reach, each in another way.
const DOWN: &str = "
[sinks.refused]
type = 'webhook'
start_from = 'beginning'
url = 'http://127.0.0.1:9/'

[sinks.broken]
type = 'exec'
start_from = 'beginning'
command = ['/bin/false']

[sinks.nowhere]
type = 'jsonl'
start_from = 'beginning'
path = '/dev/full'
";

/// Reads the same transcripts with three sinks down, with none, and once more with none: the last two differ by noise
/// alone. The processor's time counts what the sinks' own threads do as well.
fn slowdown(corpus: &Corpus, report: &mut Report) {
    let [mut down, mut none, mut again] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (config, times) in [(DOWN, &mut down), ("", &mut none), ("", &mut again)] {
            let place = Run::new();
            place.configure(config);
            let (served, _) = place.serve(&corpus.root);
            times.push(Duration::from_secs_f64(processor(&served.0)));
        }
    }
    report.note("processor time of a first read with no sink that sends", seconds(median(&none)));
    report.below("the same with three sinks down, relative to none", median(&down) / median(&none), 1.05, ratio);
    let noise = (median(&again) / median(&none) - 1.0).abs();
    report.note("of that, noise: between two series with none", percent(noise));
}

/// Memory while a receiver is down and everything waits for it, against a house without that sink.
fn behind(report: &mut Report) {
    let corpus = million();
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    let peak = |config: &str| {
        place.configure(config);
        let (served, address) = place.serve(&corpus.root);
        pause(OUTAGE);
        let waiting = sink(&address, "hook")["lag_events"].as_u64().unwrap_or(0);
        (memory(&served.0, "VmHWM:").unwrap(), waiting)
    };
    let (without, _) = peak("");
    let (with, waiting) = peak(
        "[sinks.hook]\ntype = 'webhook'\nstart_from = 'beginning'\nurl = 'http://127.0.0.1:9/'\n\
         retry_initial = '100ms'\nretry_max = '100ms'\n",
    );
    assert!(waiting > 900_000, "only {waiting} responses wait");
    let what = format!("memory that {waiting} responses take while they wait for a receiver that is down");
    report.below(&what, (with - without).max(0.0), 10.0 * 1024.0, mebibytes);
}

/// A receiver that takes everything; gives its URL.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // It ends with the connection.
            std::thread::spawn(move || answer(stream).ok());
        }
    });
    url
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::with_capacity(1 << 20, stream.try_clone()?), stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}
