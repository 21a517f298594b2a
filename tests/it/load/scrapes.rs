//! S3: scrapes without a pause, whatever happens to the history. No counter falls, and Prometheus's own tool finds nothing
//! to complain about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::clients::Over;
use super::measured;
use crate::house::{Served, TestHouse};
use crate::scribe::Scribe;
use crate::wait::PATIENCE;

/// The highest value of every counter so far.
#[derive(Default)]
struct Heights {
    known: BTreeMap<String, f64>,
    scrapes: Vec<Duration>,
}

impl Heights {
    fn see(&mut self, served: &Served) {
        let since = Instant::now();
        let text = served.text("/metrics");
        self.scrapes.push(since.elapsed());
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let counters: Vec<&str> =
            types.filter_map(|line| line.strip_suffix(" counter").or(line.strip_suffix(" histogram"))).collect();
        for (name, value) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '))
        {
            let family = name.split('{').next().unwrap_or(name);
            let counts = |counter: &&str| family.strip_prefix(*counter).is_some_and(|rest| SUFFIXES.contains(&rest));
            if counters.iter().any(counts) {
                let value: f64 = value.parse().unwrap();
                let before = self.known.insert(name.to_owned(), value).unwrap_or(0.0);
                assert!(value >= before, "{name} fell from {before} to {value}");
            }
        }
        let lost: Vec<&String> = self.known.keys().filter(|name| !text.contains(&format!("\n{name} "))).collect();
        assert!(lost.is_empty(), "series that are gone: {lost:?}");
    }

    /// What the process counts of itself begins anew; usage does not.
    fn restarted(&mut self) {
        self.known.retain(|name, _| name.starts_with("claude_code_"));
    }

    /// Scrapes for as long as `work` lasts.
    fn while_working(&mut self, served: &Served, work: impl FnOnce()) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (seen, over) = (&mut *self, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    seen.see(served);
                }
            });
            let _over = Over(over);
            work();
        });
        self.see(served);
    }
}

/// What may follow a family's name.
const SUFFIXES: [&str; 4] = ["", "_bucket", "_count", "_sum"];

#[test]
fn s3_no_counter_falls_while_history_is_made_pruned_rewritten_and_restarted() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    let mut heights = Heights::default();

    // While it imports, for a part of the time not yet caught up.
    for session in 0..100 {
        scribe.append(&format!("s{session}"), 300);
    }
    scribe.skip_days(20);
    let served = house.spawn::<&str>([]).listening();
    heights.while_working(&served, || {
        for session in 0..20 {
            scribe.append(&format!("s{session}"), 10);
        }
        served.wait_counts(scribe.written, PATIENCE);
    });

    // A transcript that is rewritten, one that vanishes, and old lines that come again.
    heights.while_working(&served, || {
        let text = std::fs::read_to_string(scribe.file("s1")).unwrap();
        let half: String = text.lines().take(100).flat_map(|line| [line, "\n"]).collect();
        std::fs::write(scribe.file("s1"), half).unwrap();
        std::fs::remove_file(scribe.file("s2")).unwrap();
        scribe.append_raw("copy", text.as_bytes());
        scribe.append("s3", 10);
        served.wait_counts(scribe.written, PATIENCE);
    });
    let total = served.scrape().sum("claude_code_token_usage_tokens_total").unwrap();
    served.kill();

    // Retention, and two restarts.
    heights.restarted();
    let pruned = house.run(["db", "prune", "--older-than", "5"]);
    assert_eq!(pruned.code(), 0, "{pruned:?}");
    for _ in 0..2 {
        let served = house.serve();
        heights.while_working(&served, || {
            assert_eq!(served.scrape().sum("claude_code_token_usage_tokens_total"), Some(total));
        });
        heights.restarted();
        assert_eq!(served.stop().code(), Some(0));
    }
    let served = house.serve();
    heights.while_working(&served, || {
        scribe.append("s4", 10);
        served.wait_counts(scribe.written, PATIENCE);
    });
    crate::prometheus::promtool_accepts(&served.text("/metrics"));

    heights.scrapes.sort();
    let (count, p99) = (heights.scrapes.len(), heights.scrapes[heights.scrapes.len() * 99 / 100]);
    assert!(count > 50, "only {count} scrapes");
    measured(&format!("{count} scrapes, 99 of 100 within {p99:?}"));
}
