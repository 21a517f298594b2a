//! A file for `node_exporter`'s textfile collector, for machines where nothing may listen: replaced as a whole, by a
//! rename, whenever the totals have changed. See <https://github.com/prometheus/node_exporter#textfile-collector>.
//!
//! It holds the usage families and no more: what the process says of itself is no use from a file that may be old.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::event::{QuerySource, Tally};
use crate::hub::{Hub, Snapshot};
use crate::plugin::{Batch, BuildError, Delivery, Outcome, Pace, Parts, Setup, Sink, Wants};

/// How many models have series of their own. Once one has, it keeps them, or a counter would fall.
const MOST_MODELS: usize = 100;

/// The label of all others.
const OTHER: &str = "other";

/// Writes the file.
pub struct Textfile {
    path: PathBuf,
    costs: bool,
    models: BTreeSet<Arc<str>>,
    /// The revision that the file shows.
    written: Option<u64>,
}

/// What users configure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    path: PathBuf,
}

impl Sink for Textfile {
    const KIND: &'static str = "textfile";
    const SAMPLE: &'static str = "\
[sinks.textfile]
# A file in the directory that node_exporter --collector.textfile.directory names; it has to end in .prom.
path = \"claude-token-monitor.prom\"
# How often it is looked whether there is something new.
interval = \"15s\"
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        if config.path.extension().is_none_or(|ending| ending != "prom") {
            return Err(BuildError::at("path", "`path` has to end in .prom, or node_exporter does not read it"));
        }
        Ok(Self { path: setup.path(&config.path), costs: setup.costs, models: BTreeSet::new(), written: None })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_delivery(self)
    }
}

impl Delivery for Textfile {
    const WANTS: Wants = Wants::Snapshot;

    fn pace(&self) -> Pace {
        Pace { interval: Duration::from_secs(15), ..Pace::default() }
    }

    fn target(&self) -> String {
        self.path.display().to_string()
    }

    fn recall(&mut self, memo: &str) {
        let models: Vec<Arc<str>> = serde_json::from_str(memo).unwrap_or_default();
        self.models.extend(models);
    }

    fn remember(&self) -> Option<String> {
        serde_json::to_string(&self.models).ok()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let is_there = self.path.try_exists().unwrap_or(false);
        if is_there && self.written == Some(batch.snapshot.revision) {
            return Outcome::Acked;
        }
        let text = self.render(batch.snapshot);
        match self.replace(text.as_bytes()) {
            Ok(()) => {
                self.written = Some(batch.snapshot.revision);
                Outcome::Acked
            }
            Err(error) => Outcome::retry(format!("{}: {error}", self.path.display())),
        }
    }
}

impl Textfile {
    fn render(&mut self, snapshot: &Snapshot) -> String {
        let mut series: BTreeMap<(Arc<str>, QuerySource), Tally> = BTreeMap::new();
        for ((model, source), tally) in &snapshot.series {
            if self.models.len() < MOST_MODELS {
                self.models.insert(Arc::clone(model));
            }
            let model = if self.models.contains(model) { Arc::clone(model) } else { OTHER.into() };
            series.entry((model, *source)).or_default().add(tally);
        }
        let mut text = String::new();
        family(&mut text, "claude_code_token_usage_tokens_total", "counter", "Tokens used.");
        for ((model, source), tally) in &series {
            let tokens = &tally.tokens;
            let kinds = [
                ("input", tokens.input),
                ("output", tokens.output),
                ("cacheRead", tokens.cache_read),
                ("cacheCreation", tokens.cache_write()),
            ];
            for (kind, value) in kinds {
                let labels = format!("type=\"{kind}\",{}", labels(model, *source));
                line(&mut text, "claude_code_token_usage_tokens_total", &labels, &value.to_string());
            }
        }
        if self.costs {
            family(&mut text, "claude_code_cost_usage_USD_total", "counter", "Cost of the tokens used, in US dollars.");
            for ((model, source), tally) in &series {
                let value = tally.cost.usd().to_string();
                line(&mut text, "claude_code_cost_usage_USD_total", &labels(model, *source), &value);
            }
        }
        family(&mut text, "claude_code_session_count_total", "counter", "Sessions started.");
        line(&mut text, "claude_code_session_count_total", "", &snapshot.session_count.to_string());
        text
    }

    /// Writes beside it and renames: whoever reads sees the old file or the new one. The collector runs as another user,
    /// so everybody may read it.
    fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        // Not `.prom`, so that the collector does not take it.
        name.push(".new");
        let new = PathBuf::from(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
        let mut file = options.open(&new)?;
        file.write_all(text)?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)
    }
}

fn labels(model: &str, source: QuerySource) -> String {
    format!("model=\"{}\",query_source=\"{}\"", escaped(model), source.name())
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
}

fn line(text: &mut String, name: &str, labels: &str, value: &str) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    writeln!(text, "{name}{labels} {value}").ok();
}

/// A label value as the text format wants it:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information>.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{PicoUsd, TokenCounts};

    fn textfile() -> Textfile {
        Textfile { path: "x.prom".into(), costs: true, models: BTreeSet::new(), written: None }
    }

    fn snapshot(models: &[String]) -> Snapshot {
        let tokens = TokenCounts { input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 5 };
        let tally = Tally::of(tokens, 0, Some(PicoUsd(1_500_000_000_000)));
        let series = models.iter().map(|model| ((model.as_str().into(), QuerySource::Main), tally)).collect();
        Snapshot { series, session_count: 2, ..Snapshot::default() }
    }

    #[test]
    fn the_families_are_claude_codes_own() {
        let text = textfile().render(&snapshot(&["a\"b\\c\nd".to_owned()]));
        let model = r#"model="a\"b\\c\nd",query_source="main""#;
        for line in [
            format!("claude_code_token_usage_tokens_total{{type=\"cacheCreation\",{model}}} 7"),
            format!("claude_code_cost_usage_USD_total{{{model}}} 1.5"),
            "claude_code_session_count_total 2".to_owned(),
            "# TYPE claude_code_session_count_total counter".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let hidden = Textfile { costs: false, ..textfile() }.render(&snapshot(&["m".to_owned()]));
        assert!(!hidden.contains("USD"));
    }

    #[test]
    fn models_keep_their_series_after_a_restart() {
        let many: Vec<String> = (0..MOST_MODELS + 20).map(|number| format!("m{number:04}")).collect();
        let mut first = textfile();
        first.render(&snapshot(&many[10..]));
        let mut second = textfile();
        second.recall(&first.remember().expect("models"));
        let text = second.render(&snapshot(&many));
        assert!(text.contains("model=\"m0010\"") && !text.contains("model=\"m0000\""));
        // 120 models, 100 of them by name.
        assert!(
            text.contains(
                "claude_code_token_usage_tokens_total{type=\"input\",model=\"other\",query_source=\"main\"} 20"
            )
        );
    }
}
