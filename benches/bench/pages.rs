//! The overview as a browser meets it: how long until it begins to arrive, and how much has to arrive.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::client::Client;
use crate::report::{Report, kibibytes, median, milliseconds, quantile};

/// Ranges of thirty days that nobody has asked for before.
const RANGES: i64 = 30;

const ASKED: u32 = 100;

pub(crate) fn measure(address: &str, report: &mut Report) {
    let mut client = Client::new(address);
    let newest: Value =
        serde_json::from_slice(client.get("/api/v1/stats/history?start_date=1970-01-01&limit=1")).unwrap();
    let newest: Timestamp = newest["data"][0]["timestamp"].as_str().unwrap_or_default().parse().unwrap();
    let newest = newest.to_zoned(TimeZone::UTC).date();
    let path = |days_before: i64| {
        let last = newest - days_before.days();
        format!("/?start={}&end={last}", last - 29.days())
    };
    // The first of all opens connections, too.
    report.note(
        "first byte of `/` over 30 days, the very first time",
        milliseconds(first_byte(address, &path(0)).as_secs_f64()),
    );
    let times: Vec<Duration> = (1..=RANGES).map(|days| first_byte(address, &path(days))).collect();
    let what = format!("the same, nothing of it remembered, median of {RANGES}");
    report.below(&what, median(&times), 0.02, milliseconds);
    let times: Vec<Duration> = (0..ASKED).map(|_| first_byte(address, &path(0))).collect();
    report.note(&format!("the same, remembered, 99th percentile of {ASKED}"), milliseconds(quantile(&times, 0.99)));
    report.below("its size, without compression", size(client.get(&path(0))), 100.0 * 1024.0, kibibytes);
    let module = module(&String::from_utf8_lossy(client.get(&path(0))));
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
