//! Names that come out of transcripts and end up in labels: hostile ones, and many.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use super::{Server, TOKENS};
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::{MODEL, Scribe};
use crate::wait::{PATIENCE, eventually};

const PROJECT_TOKENS: &str = "claude_token_monitor_project_tokens_total";

/// A line of response `n`.
fn line(n: usize, model: &str, cwd: &str, session: &str) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "cwd": cwd, "sessionId": session, "type": "assistant",
        "uuid": format!("00000000-0000-4000-8000-{n:012}"), "requestId": format!("req_02{n:022}"),
        "timestamp": "2025-11-20T12:00:00.000Z",
        "message": {
            "id": format!("msg_02{n:022}"), "type": "message", "role": "assistant", "model": model,
            "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": n, "output_tokens": 2 * n, "cache_read_input_tokens": 1000 + n},
        },
    });
    format!("{line}\n")
}

/// Passes each request on without what it says of formats, so that the older one is answered.
fn as_text(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, to) = (listener.local_addr().unwrap(), to.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut asking, mut buffer) = (stream.unwrap(), [0; 4096]);
            if asking.read(&mut buffer).is_err() {
                continue;
            }
            let mut answering = TcpStream::connect(&to).unwrap();
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
            answering.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            answering.read_to_end(&mut answer).unwrap();
            asking.write_all(&answer).ok();
        }
    });
    here.to_string()
}

#[test]
fn a6_hostile_names_keep_the_target_up_in_both_formats() {
    let Some(program) = parts::need("prometheus") else { return };
    let names = [
        "\"} 1\nfake_metric 1",
        "back\\slash\\",
        "trailing\\",
        "new\nline\r\n",
        "emoji 🦀 \u{202e}",
        "nul\u{0} \u{1b}[31mred",
        "# TYPE fake counter",
        "{a=\"b\"}",
        &"x".repeat(10_000),
        "__other__",
    ];
    let settings = "[sinks.prometheus]\nprofile = \"both\"\nsessions = \"active\"\nsession_hours = 168\n\
                    labels = {user_email = \"a\\\"b\\\\c\"}\nbudgets = {daily = 1.0}\n";
    let house = TestHouse::new().with_config(settings);
    let scribe = Scribe::new(house.claude());
    for (n, name) in names.iter().enumerate() {
        let text = line(n + 1, name, &format!("/home/dev/{name}"), name) + &line(n + 100, MODEL, name, name);
        scribe.append_raw(&format!("session-{n}"), text.as_bytes());
    }
    let served = house.serve();
    let shown = served.scrape();
    assert_eq!(shown.sum(TOKENS), shown.sum(PROJECT_TOKENS), "every token has a project");
    assert_eq!(shown.sum("fake_metric"), None);
    let address = served.address();
    let prometheus = Server::scraping(&house, program, &[("open", address), ("text", &as_text(address))]);
    for job in ["open", "text"] {
        for family in [TOKENS, PROJECT_TOKENS, "claude_token_monitor_request_tokens_bucket"] {
            let ours = shown.series(family);
            let total: f64 = ours.values().sum();
            eventually("Prometheus to have scraped all", PATIENCE, || {
                let theirs = prometheus.results(&format!("{family}{{job=\"{job}\"}}"));
                let sum: f64 = theirs.iter().map(|(_, value)| value).sum();
                (theirs.len() == ours.len() && (sum - total).abs() < 0.5).then_some(())
            });
        }
    }
    assert_eq!(prometheus.scrape_errors(), Vec::<String>::new());
    let emails = prometheus.results(&format!("{TOKENS}{{user_email!=\"a\\\"b\\\\c\"}}"));
    assert!(emails.is_empty(), "a label of the user's arrives as it was set: {:?}", emails.first());
}

/// The values of the label `project`.
fn projects(series: &BTreeMap<String, f64>) -> BTreeSet<&str> {
    series.keys().map(|labels| labels.split("project=\"").nth(1).unwrap().split('"').next().unwrap()).collect()
}

#[test]
fn a7_five_hundred_projects_are_the_cap_and_one_more_series_that_add_up_and_never_fall() {
    const CAP: usize = 20;
    let house = TestHouse::new();
    let scribe = Scribe::new(house.claude());
    let mut written = 0;
    let mut write = |projects: std::ops::Range<usize>, responses: usize| {
        for project in projects {
            let text: String = (0..responses)
                .map(|_| {
                    written += 1;
                    line(written, MODEL, &format!("/home/dev/group-{}/project-{}", project / 50, project % 400), "s")
                })
                .collect();
            scribe.append_raw(&format!("session-{project}"), text.as_bytes());
        }
        written
    };
    let mut expected = write(0..500, 3);
    let mut last = BTreeMap::new();
    for round in 0..4 {
        let served = house.serve();
        eventually("everything to be counted", PATIENCE, || {
            let requests = served.scrape().sum("claude_token_monitor_api_requests_total")?;
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let whole = expected as f64;
            ((requests - whole).abs() < 0.5).then_some(())
        });
        let scrape = served.scrape();
        let series = scrape.series(PROJECT_TOKENS);
        let names = projects(&series);
        assert_eq!((names.len(), series.len()), (CAP + 1, 4 * (CAP + 1)), "{names:?}");
        assert!(names.contains("__other__") && names.iter().all(|name| name.len() <= 48), "{names:?}");
        assert_eq!(scrape.sum(PROJECT_TOKENS), scrape.sum(TOKENS), "round {round}");
        let costs = ["claude_token_monitor_project_cost_USD_total", "claude_code_cost_usage_USD_total"];
        let [by_project, whole] = costs.map(|family| scrape.sum(family).unwrap());
        assert!((by_project - whole).abs() < 1e-9, "{by_project} {whole}");
        for (labels, value) in &last {
            assert!(series[labels] >= *value, "{labels} fell from {value}");
        }
        assert_eq!(scrape.sum_where("claude_token_monitor_label_overflow_total", "project"), Some(480.0));
        last = series;
        // While it runs and while it does not: small projects grow beyond the largest.
        expected = write(0..40, 20);
        if round == 1 {
            served.kill();
        } else {
            served.stop();
        }
    }
}
