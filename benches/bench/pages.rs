//! The overview as a browser meets it: how long until it begins to arrive, and how much has to arrive.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::report::{Report, kibibytes, milliseconds, quantile};

const ASKED: u32 = 100;

pub(crate) fn measure(address: &str, report: &mut Report) {
    let path = "/?range=all";
    // Nobody has asked for it since the start.
    report.note(
        &format!("first byte of `{path}`, the first time"),
        milliseconds(first_byte(address, path).as_secs_f64()),
    );
    let times: Vec<Duration> = (0..ASKED).map(|_| first_byte(address, path)).collect();
    report.below(&format!("the same later, 99th percentile of {ASKED}"), quantile(&times, 0.99), 0.02, milliseconds);
    let mut client = Client::new(address);
    report.below("its size, without compression", size(client.get(path)), 100.0 * 1024.0, kibibytes);
    let module = module(&String::from_utf8_lossy(client.get(path)));
    report.below("size of the module in the browser, likewise", size(client.get(&module)), 15.0 * 1024.0, kibibytes);
}

/// From asking on a fresh connection to the first byte of the answer.
fn first_byte(address: &str, path: &str) -> Duration {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let since = Instant::now();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    since.elapsed()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn size(body: &[u8]) -> f64 {
    body.len() as f64
}

/// Where a page has its module.
fn module(page: &str) -> String {
    let found = page.split('"').find(|text| text.starts_with("/assets/") && text.ends_with("/app.js"));
    found.unwrap().to_owned()
}
