//! The API as fifty clients meet it: every endpoint at a hundred thousand and at a million responses, throughput beside a
//! bare route, and an export of everything.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bare::Bare;
use crate::client::{Client, ask, rate};
use crate::corpus::{Corpus, hundred_thousand};
use crate::process::{Run, Served, memory, run};
use crate::report::{Report, mebibytes, median, milliseconds, quantile, ratio};

const CLIENTS: u64 = 50;

/// Between an answer and the next question of a client: a thousand questions a second in all.
const BETWEEN: Duration = Duration::from_millis(50);

const ASKED: u32 = 40;

const ROUNDS: usize = 3;

const CURRENT: &str = "/api/v1/stats/current";

pub(crate) fn measure(million: &Corpus, place: &Run, report: &mut Report) {
    let (short, small) = (hundred_thousand(), Run::new());
    run(small.ours(&short.root, &["ingest"]));
    let (_small_server, small_address) = small.serve(&short.root);
    let (server, address) = place.serve(&million.root);
    crate::pages::measure(&address, report);
    // The same questions, each about a session that is there.
    for (path, small_path) in paths(&address).into_iter().zip(paths(&small_address)) {
        // In turns, so that a machine that gets slower slows both.
        let rounds: [_; ROUNDS] = std::array::from_fn(|_| {
            let few = ask(&small_address, &small_path, CLIENTS, ASKED, BETWEEN);
            (few, ask(&address, &path, CLIENTS, ASKED, BETWEEN))
        });
        let mut growth = rounds.each_ref().map(|(few, many)| quantile(many, 0.99) / quantile(few, 0.99));
        growth.sort_by(f64::total_cmp);
        // The first round is the one in which somebody has to look at the history.
        let [(_, many), ..] = rounds;
        let what = format!("`{path}` for {CLIENTS} clients at {} responses", million.responses);
        report.note(&format!("{what}, median"), milliseconds(median(&many)));
        report.below("the same, 99th percentile", quantile(&many, 0.99), 0.005, milliseconds);
        let what = format!("the same, relative to {} responses, median of {ROUNDS} rounds", short.responses);
        report.below(&what, growth[ROUNDS / 2], 1.5, ratio);
    }
    throughput(&address, report);
    export(&address, &server, million.responses, report);
}

/// Every path that the document has and that is read, with what its variable parts may be.
fn paths(address: &str) -> Vec<String> {
    let mut client = Client::new(address);
    let mut json = |path: &str| -> Value { serde_json::from_slice(client.get(path)).unwrap() };
    let sessions = json("/api/v1/stats/sessions?limit=1");
    let session = sessions["data"][0]["session_id"].as_str().unwrap_or_default().to_owned();
    let document = json("/api/v1/openapi.json");
    let read = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, item)| item.get("get").is_some() && **path != "/ws" && !path.starts_with("/api/v1/export"));
    let mut paths: Vec<String> = read.map(|(path, _)| path.replace("{id}", &session)).collect();
    paths.extend(
        [
            "/",
            "/api/v1/stats/history?page=10000&start_date=2020-01-01&limit=100",
            "/api/v1/stats/trends?period=hourly&group_by=model",
            "/api/v1/stats/trends?days=3660&tz=America/New_York",
            "/api/v1/cost/estimate?as_model=claude-haiku-4-5",
        ]
        .map(str::to_owned),
    );
    paths
}

/// In turns, so that a machine that gets slower slows both.
fn throughput(address: &str, report: &mut Report) {
    let size = Client::new(address).get(CURRENT).len();
    let bare = Bare::start(size);
    let clients = usize::try_from(CLIENTS).unwrap_or_default();
    let time = Duration::from_secs(2);
    let mut ratios: Vec<f64> = (0..7)
        .map(|_| {
            let (theirs, ours) = (rate(&bare.address, CURRENT, clients, time), rate(address, CURRENT, clients, time));
            theirs / ours
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let what = format!("time for an answer of `{CURRENT}`, relative to a bare `warp` route with a constant body");
    report.below(&what, ratios[ratios.len() / 2], 1.25, ratio);
}

/// Everything there is, to somebody who reads as fast as possible.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn export(address: &str, server: &Served, responses: u64, report: &mut Report) {
    let before = memory(&server.0, "VmRSS:").unwrap_or_default();
    for format in ["csv", "json"] {
        let since = Instant::now();
        let url = format!("http://{address}/api/v1/export/{format}?start_date=2020-01-01");
        let mut answer = ureq::get(&url).call().unwrap();
        let bytes = std::io::copy(&mut answer.body_mut().as_reader(), &mut std::io::sink()).unwrap();
        let rate = responses as f64 / since.elapsed().as_secs_f64();
        report.note(&format!("responses a second of an export as {format}"), format!("{rate:.0}"));
        report.note("its size", mebibytes(bytes as f64 / 1024.0));
    }
    if let Some(peak) = memory(&server.0, "VmHWM:") {
        report.below("memory that exports took, at the most", (peak - before).max(0.0), 16.0 * 1024.0, mebibytes);
    }
}
