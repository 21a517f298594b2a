//! Samples at their own times, read back by the programs that they are for.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;

use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, within};

const TOKENS: &str = "claude_code_token_usage_tokens_total";

/// A Prometheus over a directory of blocks, which also takes what is pushed.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn start(house: &TestHouse, data: &str) -> Option<Self> {
        let program = parts::need("prometheus")?;
        let (config, log) = (house.path("prometheus.yml"), house.path("prometheus.log"));
        std::fs::write(&config, "storage: {tsdb: {out_of_order_time_window: 3650d}}\n").unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", house.path(data).display()))
            .args(["--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver"])
            .arg("--web.listen-address=127.0.0.1:0")
            .env_clear()
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = eventually("Prometheus listening", PATIENCE, || {
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text.lines().find(|line| line.contains("msg=\"Listening on\""))?;
            Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
        });
        let server = Self { child, address };
        eventually("Prometheus ready", PATIENCE, || {
            ureq::get(format!("http://{}/-/ready", server.address)).call().ok().map(drop)
        });
        Some(server)
    }

    fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }

    fn query(&self, expression: &str, at: i64) -> Option<f64> {
        let answer = ureq::get(format!("http://{}/api/v1/query", self.address))
            .query("query", expression)
            .query("time", at.to_string());
        let body = answer.call().ok()?.body_mut().read_to_string().ok()?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A history of several days, and the tokens of each UTC day (days since 1970).
fn history() -> (TestHouse, Vec<(i64, f64)>) {
    let house = TestHouse::new().with_env("TZ", "UTC");
    let mut scribe = Scribe::new(house.claude());
    for responses in [10, 25, 5] {
        scribe.append("a", responses);
        scribe.skip_days(1);
    }
    house.ingest();
    let served = house.serve();
    let days = served.json("/api/v1/stats/current");
    assert!(days["totals"]["total_tokens"].as_f64().unwrap() > 0.0);
    drop(served);
    let database = rusqlite::Connection::open(house.database()).unwrap();
    let sql = "SELECT quarter / 96, sum(input + output + cache_write_5m + cache_write_1h + cache_read) FROM rollup
               GROUP BY 1 HAVING sum(requests) > 0 ORDER BY 1";
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as f64));
    let days = database.prepare(sql).unwrap().query_map([], read).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    assert!(days.len() >= 3);
    (house, days)
}

/// Asks for the increase over each day.
fn check_days(prometheus: &Prometheus, days: &[(i64, f64)], labels: &str) {
    for (day, tokens) in days {
        let end = (day + 1) * 86_400;
        let expression = format!("sum(increase({TOKENS}{labels}[1d]))");
        let found = within(PATIENCE, || prometheus.query(&expression, end));
        let found = found.unwrap_or_else(|| panic!("no answer for day {day}"));
        assert!((found - tokens).abs() < tokens * 1e-6, "day {day}: {found} instead of {tokens}");
    }
}

#[test]
fn a_file_becomes_blocks_whose_increase_a_day_is_the_truth() {
    let Some(promtool) = parts::need("promtool") else { return };
    let (house, mut days) = history();
    let file = house.path("history.txt");
    let done = house.run(["backfill", "--to", "openmetrics", file.to_str().unwrap(), "--until", "2100-01-01"]);
    assert!(done.status.success(), "{done:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE claude_code_token_usage_tokens counter"));
    let made = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h"])
        .arg(&file)
        .arg(house.path("blocks"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let Some(prometheus) = Prometheus::start(&house, "blocks") else { return };
    // The last day is not over for a counter that ends in the middle of it.
    days.pop();
    check_days(&prometheus, &days, "");
}

#[test]
fn history_is_pushed_and_a_second_push_goes_on() {
    let (house, mut days) = history();
    let Some(prometheus) = Prometheus::start(&house, "data") else { return };
    let push = |more: &[&str]| {
        let url = prometheus.url();
        let args = ["backfill", "--to", "remote-write", &url];
        let done = house.run(args.iter().chain(more));
        assert!(done.status.success(), "{done:?}");
        done.stdout
    };
    assert!(!push(&[]).starts_with("0 "));
    days.pop();
    check_days(&prometheus, &days, "{job=\"claude-token-monitor\"}");
    assert!(push(&[]).starts_with("0 "), "everything has arrived");
}

#[test]
fn live_samples_have_the_times_of_the_responses() {
    let base = TestHouse::new();
    let Some(prometheus) = Prometheus::start(&base, "data") else { return };
    let config =
        format!("[sinks.remote_write]\nurl = '{}'\nstart_from = 'beginning'\ninterval = '1s'\n", prometheus.url());
    let house = TestHouse::new().with_config(&config);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 30);
    let served = house.serve();
    let total = served.scrape().sum(TOKENS).unwrap();
    let shown = || prometheus.query(&format!("sum(max_over_time({TOKENS}[3650d]))"), Timestamp::now().as_second() + 60);
    eventually("all of it at Prometheus", PATIENCE, || shown().filter(|found| (found - total).abs() < 0.5));
    // All responses are of this minute, a year ago.
    let then: Timestamp = "2025-11-01T12:01:00Z".parse().unwrap();
    let found = prometheus.query(&format!("sum({TOKENS})"), then.as_second());
    assert!(found.is_some_and(|found| (found - total).abs() < 0.5), "{found:?} instead of {total}");
    scribe.append("a", 10);
    served.wait_counts(scribe.written, PATIENCE);
    let total = served.scrape().sum(TOKENS).unwrap();
    eventually("the rest at Prometheus", PATIENCE, || shown().filter(|found| (found - total).abs() < 0.5));
    let resets = prometheus.query(&format!("sum(resets({TOKENS}[3650d]))"), Timestamp::now().as_second() + 60);
    assert_eq!(resets, Some(0.0));
    drop(served);
}

#[test]
fn victoria_metrics_takes_the_history() {
    let Some(program) = parts::need("victoria-metrics") else { return };
    let (house, days) = history();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(program)
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .arg(format!("-storageDataPath={}", house.path("victoria").display()))
        .arg("-retentionPeriod=100y")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(house.path("victoria.log")).unwrap())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let done = house.run(["backfill", "--to", "victoria", &url]);
    assert!(done.status.success(), "{done:?}");
    let total: f64 = days.iter().map(|(_, tokens)| tokens).sum();
    let found = within(PATIENCE, || {
        ureq::get(format!("{url}/internal/force_flush")).call().ok()?;
        let query = format!("sum(last_over_time({TOKENS}[3650d]))");
        let asked = ureq::get(format!("{url}/api/v1/query")).query("query", query).query("nocache", "1").call();
        let answer: Value = serde_json::from_str(&asked.ok()?.body_mut().read_to_string().ok()?).ok()?;
        let found: f64 = answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()?;
        ((found - total).abs() < 0.5).then_some(found)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found.is_some(), "{total} tokens");
}
