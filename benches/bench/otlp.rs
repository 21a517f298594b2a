//! How fast a history leaves as OTLP logs, protobuf and gzip over HTTP to a receiver on this machine that only takes it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use crate::corpus::hundred_thousand;
use crate::process::{Run, run};
use crate::report::{Report, mebibytes};

/// How long the first request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// When nothing more has come for so long, it was all.
const QUIET: Duration = Duration::from_secs(5);

/// One request: when it was whole, and its body.
type Arrival = (Instant, Vec<u8>);

pub(crate) fn measure(report: &mut Report) {
    let corpus = hundred_thousand();
    let place = Run::new();
    run(place.ours(&corpus.root, &["ingest"]));
    let (url, arrivals) = receiver();
    place.configure(&format!("[sinks.otlp]\nlogs_endpoint = '{url}'\nmetrics = false\nstart_from = 'beginning'\n"));
    let (_served, _) = place.serve(&corpus.root);
    // Looked into only when all are here: it takes the time that is measured.
    let mut all: Vec<Arrival> = Vec::new();
    while let Ok(arrival) = arrivals.recv_timeout(if all.is_empty() { PATIENCE } else { QUIET }) {
        all.push(arrival);
    }
    let records: Vec<u64> = all.iter().map(|(_, body)| count(body)).collect();
    assert_eq!(records.iter().sum::<u64>(), corpus.responses);
    // The clock starts when the first batch has arrived, which therefore does not count.
    let sent: u64 = records.iter().skip(1).sum();
    let time = all[all.len() - 1].0 - all[0].0;
    let bytes: usize = all.iter().map(|(_, body)| body.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let (rate, kib) = (sent as f64 / time.as_secs_f64(), bytes as f64 / 1024.0);
    report.above("responses a second into OTLP logs", rate, 20_000.0, |rate| format!("{rate:.0}"));
    report.note("what that is on the line, compressed", mebibytes(kib));
}

/// Records in a request.
fn count(body: &[u8]) -> u64 {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    let request = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len() as u64).sum()
}

fn receiver() -> (String, Receiver<Arrival>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    let (arrived, arrivals) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // It ends with the connection.
            take(stream, &arrived).ok();
        }
    });
    (url, arrivals)
}

fn take(stream: TcpStream, arrived: &Sender<Arrival>) -> std::io::Result<()> {
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
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            arrived.send((Instant::now(), body)).unwrap();
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}
