//! X7: names from outside do nothing where they are shown: not in a browser, not in a scrape, not in a log, not on a
//! terminal, not in a header.

use std::collections::BTreeMap;

use super::hostile::{Hostile, harmless, house, line};
use crate::abuse::paths;
use crate::browser::Browser;
use crate::house::Served;
use crate::load::clients::send;
use crate::prometheus::promtool_accepts;
use crate::scribe::Scribe;
use crate::wait::PATIENCE;

fn serve(hostile: &Hostile) -> Served {
    let served = hostile.house.serve();
    served.wait_counts(hostile.written, PATIENCE);
    served
}

/// What a name looks like once it is short enough to be stored.
fn stored(name: &str) -> String {
    name.chars().take(200).collect()
}

#[test]
fn x7_names_run_nothing_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let hostile = house();
    let served = serve(&hostile);
    let mut page = browser.open(&format!("http://{}/", served.address()));
    page.picture("x7-hostile-names");
    let shown = |text: &str, names: &[&str]| {
        for name in names {
            assert!(text.contains(name), "names are shown as they are: {text}");
        }
    };
    shown(&page.text(), &["</script><script>alert(2)</script>1", "' onmouseover='alert(4)3"]);

    // The script takes a fresh page over when numbers change.
    let scribe = Scribe::new(hostile.house.claude());
    let late = "<img src=x onerror=alert('late')>";
    scribe.append_raw("late", line(99, late).replace("1000,", "1000000,").as_bytes());
    let seen = page.eval(
        "new Promise(done => {
            const look = () => document.documentElement.innerText.includes('late')
                ? done(true) : (document.dispatchEvent(new Event('visibilitychange')), setTimeout(look, 200));
            look();
        })",
    );
    assert_eq!(seen, true);
    let foreign = "document.querySelectorAll('script:not([src]), img:not(.brand img), svg[onload], [onerror], \
                   [onmouseover], [href^=\"javascript:\"], h1:not(.unseen)').length";
    assert_eq!(page.eval(foreign), 0);
    assert_eq!(page.trouble(), Vec::<String>::new());
    let mut models = browser.open(&format!("http://{}/models", served.address()));
    shown(&models.text(), &["<img src=x onerror=alert(1)>0", "{{7*7}}5"]);
    assert_eq!(models.trouble(), Vec::<String>::new());
    for path in ["/docs", "/login"] {
        let mut page = browser.open(&format!("http://{}{path}", served.address()));
        let trouble = page.trouble();
        let trouble: Vec<_> = trouble.iter().filter(|said| !said.contains("404")).collect();
        assert!(trouble.is_empty(), "{path}: {trouble:#?}");
    }
}

#[test]
fn x7_a_browser_tells_when_something_is_run() {
    let Some(mut browser) = Browser::start() else { return };
    let hostile = harmless();
    let served = serve(&hostile);
    let mut page = browser.open(&format!("http://{}/", served.address()));
    // The same markup, had it not been escaped: the policy stops it, and that is reported.
    page.eval("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')");
    page.eval("new Promise(done => setTimeout(done, 300))");
    let trouble = page.trouble();
    assert!(trouble.iter().any(|said| said.contains("Content Security Policy")), "{trouble:#?}");
    page.eval("setTimeout(() => alert(1))");
    assert!(page.trouble().iter().any(|said| said.contains("alert")), "{:#?}", page.trouble());
}

/// How many samples each family has. Every line has to be a comment or a sample whose labels end where they should.
fn families(text: &str) -> BTreeMap<String, usize> {
    let mut families = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        value.parse::<f64>().unwrap_or_else(|_| panic!("no value: {line:?}"));
        let (family, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        assert!(family.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line:?}");
        assert!(labels.ends_with('}'), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        *families.entry(family.to_owned()).or_default() += 1;
    }
    families
}

#[test]
fn x7_names_make_no_series_in_a_scrape() {
    let (hostile, harmless) = (house(), harmless());
    let scrape = |hostile: &Hostile| {
        let text = serve(hostile).text("/metrics");
        promtool_accepts(&text);
        let mut families = families(&text);
        // Only routes that were asked are there, and the waiting for readiness asks more or less often.
        families.retain(|family, _| !family.contains("_http_"));
        families
    };
    let hostile = scrape(&hostile);
    assert!(hostile["claude_code_token_usage_tokens_total"] > 60, "{hostile:?}");
    assert_eq!(hostile, scrape(&harmless));
}

#[test]
fn x7_names_are_whole_in_json_and_add_nothing_to_a_head() {
    let hostile = house();
    let served = serve(&hostile);
    let current = served.json("/api/v1/stats/current");
    for name in &hostile.names {
        assert!(current["models"][stored(name)]["requests"] == 1, "{:?}", stored(name));
    }
    let encode = |name: &str| name.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    for name in hostile.names.iter().map(|name| encode(&stored(name))) {
        let sessions = format!("/api/v1/stats/sessions/{name}");
        let more = [sessions, format!("/{name}"), format!("/?{name}=1"), format!("/api/v1/stats/history?model={name}")];
        for path in paths(&served).into_iter().take(3).chain(more) {
            let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address());
            let answer = send(served.address(), &head).unwrap();
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            assert!(!head.to_lowercase().contains("set-cookie"), "{path}: {head}");
            assert!(!head.starts_with("HTTP/1.1 5"), "{path}: {head}");
        }
    }
}

#[test]
fn x7_names_write_no_lines_into_the_log_and_nothing_on_a_terminal() {
    let hostile = house();
    let served = serve(&hostile);
    for path in paths(&served) {
        assert!(served.ask(&path).is_some());
    }
    let log = served.log();
    for line in log.lines() {
        let starts = line.get(..27).is_some_and(|start| start.starts_with("20") && start.ends_with('Z'));
        assert!(starts && !line.starts_with("2026-01-01"), "not one line an event: {line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert_eq!(served.stop().code(), Some(0));
    let one = hostile.names.iter().find(|name| name.starts_with("ansi")).unwrap();
    for command in [&["ingest"][..], &["doctor"], &["doctor", "--json"], &["pricing", "show", one], &["db", "check"]] {
        let done = hostile.house.run(command);
        for text in [&done.stdout, &done.stderr] {
            let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || turns(*c));
            assert_eq!(bad, None, "{command:?}: {text:?}");
        }
    }
}
