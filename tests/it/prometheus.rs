//! A real Prometheus server reads us across a crash, with the transcripts gone in between: its own functions must see no
//! reset and no increase but what was appended. Below: what a scrape needs, what hostile and many names do to it, and what
//! published dashboards ask for.

mod history;
mod labels;
mod queries;
mod scraping;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::house::{Served, TestHouse};
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause, within};

const TOKENS: &str = "claude_code_token_usage_tokens_total";

/// A Prometheus server of our own.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Scrapes `target` every second.
    fn start(house: &TestHouse, program: PathBuf, target: &str) -> Self {
        Self::scraping(house, program, &[("ctm", target)])
    }

    /// Scrapes several targets, each under a job's name.
    fn scraping(house: &TestHouse, program: PathBuf, targets: &[(&str, &str)]) -> Self {
        let jobs = targets
            .iter()
            .map(|(job, target)| format!("{{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}"));
        let jobs = jobs.collect::<Vec<_>>().join(", ");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{jobs}]\n"
        );
        Self::configured(house, program, &text)
    }

    /// Does what a configuration file says.
    pub(crate) fn configured(house: &TestHouse, program: PathBuf, text: &str) -> Self {
        let (config, log) = (house.path("prometheus.yml"), house.path("prometheus.log"));
        std::fs::write(&config, text).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", house.path("tsdb").display()))
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
            let (_, address) = line.split_once("address=")?;
            Some(address.split_whitespace().next()?.to_owned())
        });
        Self { child, address }
    }

    /// The value of an instant query that has one result.
    pub(crate) fn query(&self, expression: &str) -> Option<f64> {
        self.results(expression).first().map(|(_, value)| *value)
    }

    /// Every result of an instant query: its labels and its value. Nothing if it cannot be answered.
    fn results(&self, expression: &str) -> Vec<(Value, f64)> {
        let Some(answer) = self.ask("query", &[("query", expression)]) else { return Vec::new() };
        let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |result: &Value| result["value"][1].as_str()?.parse().ok();
        results.iter().filter_map(|result| Some((result["metric"].clone(), value(result)?))).collect()
    }

    /// What its API says.
    pub(crate) fn ask(&self, what: &str, query: &[(&str, &str)]) -> Option<Value> {
        let mut request =
            ureq::get(format!("http://{}/api/v1/{what}", self.address)).config().http_status_as_error(false).build();
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        let body = request.call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&body).ok()
    }

    /// What went wrong with the last scrape of each target; empty where nothing did.
    pub(crate) fn scrape_errors(&self) -> Vec<String> {
        let answer = self.ask("targets", &[]).unwrap_or_default();
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let error = |target: &Value| format!("{} {}", target["health"], target["lastError"]);
        targets.iter().map(error).filter(|error| error != "\"up\" \"\"").collect()
    }

    /// The same, once there is an answer.
    fn answer(&self, expression: &str) -> Option<f64> {
        within(PATIENCE, || self.query(expression))
    }

    /// Waits until it has scraped what we show now.
    pub(crate) fn sees(&self, served: &Served) {
        let shown = served.scrape().sum(TOKENS).unwrap();
        eventually("Prometheus to have scraped", PATIENCE, || {
            (self.query(&format!("sum({TOKENS})")) == Some(shown)).then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_crash_with_the_transcripts_gone_is_no_reset_and_no_increase() {
    let Some(program) = parts::need("prometheus") else { return };
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in ["a", "b"] {
        scribe.append(session, 200);
    }
    let served = house.serve();
    let address = served.address().to_owned();
    let prometheus = Server::start(&house, program, &address);
    prometheus.sees(&served);
    let at_first = served.scrape().sum(TOKENS).unwrap();

    served.kill();
    std::fs::remove_dir_all(house.claude().join("projects")).unwrap();
    let served = house.spawn(["--listen", &address]).ready();
    assert_eq!(served.scrape().sum(TOKENS), Some(at_first), "the history outlives its transcripts");
    prometheus.sees(&served);

    scribe.append("c", 30);
    served.wait_counts(scribe.written, PATIENCE);
    prometheus.sees(&served);
    let appended = served.scrape().sum(TOKENS).unwrap() - at_first;
    // A second scrape of the last value, so that it is inside every range below.
    pause(Duration::from_secs(2));

    for family in [TOKENS, "claude_code_cost_usage_USD_total", "claude_code_session_count_total"] {
        assert_eq!(prometheus.answer(&format!("sum(resets({family}[10m]))")), Some(0.0), "{family}");
    }
    let first = format!("sum({TOKENS}) - sum(min_over_time({TOKENS}[10m]))");
    assert_eq!(prometheus.answer(&first), Some(appended), "what grew is what was appended");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 20);
    promtool_accepts(&house.serve().text("/metrics"));
}

/// Prometheus's own tool has nothing to say about an exposition.
pub(crate) fn promtool_accepts(text: &str) {
    let Some(promtool) = parts::need("promtool") else { return };
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

#[test]
fn nothing_is_counted_to_a_scraper_before_the_first_catch_up() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    for session in 0..40 {
        scribe.append(&format!("s{session}"), 400);
    }
    let served = house.spawn::<&str>([]).listening();
    let expected = scribe.written;
    let scrapes = eventually("readiness", PATIENCE, || {
        let before = served.ask("/-/ready")?.0;
        let shown = served.scrape().sum(TOKENS);
        assert!(before == 503 || shown.is_some(), "ready, but nothing to scrape");
        let whole = expected.input + expected.output + expected.cache_creation + expected.cache_read;
        if let Some(shown) = shown {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let whole = whole as f64;
            assert!((shown - whole).abs() < 0.5, "a part of the history was shown: {shown} of {whole}");
        }
        (before == 200).then_some(before)
    });
    assert_eq!(scrapes, 200);
}
