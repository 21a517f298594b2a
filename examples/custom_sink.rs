//! A sink that is not part of the crate: it prints one line a response, and can be configured like any other.
//!
//! ```toml
//! [sinks.console]
//! prefix = "claude"
//! ```
//!
//! `cargo run --example custom_sink` is the whole program with this sink in it. Cursor, retries, dead letters, health and
//! metrics come for nothing: a delivery sends one batch and says what became of it.

use std::io::Write as _;
use std::process::ExitCode;

use claude_token_monitor::cli;
use claude_token_monitor::hub::Hub;
use claude_token_monitor::plugin::{Batch, BuildError, Delivery, Outcome, Parts, Setup, Sink, SinkFactory};

/// Prints what it is sent.
struct Console {
    prefix: String,
}

/// What users configure: unknown keys are refused with file and line.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    prefix: String,
}

impl Sink for Console {
    const KIND: &'static str = "console";
    const SAMPLE: &'static str = "[sinks.console]\nprefix = \"claude\"\n";
    type Config = Config;

    fn build(config: Config, _: &Setup) -> Result<Self, BuildError> {
        if config.prefix.contains('\n') {
            return Err(BuildError::at("prefix", "`prefix` is one line"));
        }
        Ok(Self { prefix: config.prefix })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_delivery(self)
    }
}

impl Delivery for Console {
    fn target(&self) -> String {
        "the console".to_owned()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let mut out = std::io::stdout().lock();
        for event in batch.changes.iter().filter_map(|change| change.after.as_ref()) {
            if let Err(error) = writeln!(out, "{}: {} {} tokens", self.prefix, event.model, event.tokens.total()) {
                // The runner tries again, later and later; what was printed already comes again then.
                return Outcome::retry(error.to_string());
            }
        }
        Outcome::Acked
    }
}

const MINE: &[SinkFactory] = &[SinkFactory::of::<Console>()];

fn main() -> ExitCode {
    cli::run_with(std::env::args_os(), MINE)
}
