//! Claude Code's transcripts: finds them, follows them as they grow, and turns their lines into claims. It never writes
//! to them, and keeps nothing of their content.
//!
//! [`watch`] and the timer of [`follow`] say where to look, [`scan`] what is there, [`tracker`] what is news; [`readers`]
//! read it: [`identity`] recognises the file, [`tail`] cuts it into lines, [`line`] makes claims of them.

mod follow;
mod identity;
pub mod line;
pub mod project;
mod readers;
mod scan;
mod schedule;
mod tail;
#[cfg(test)]
mod tests;
mod tracker;
mod watch;

use serde::Deserialize;

use crate::plugin::{BuildError, Outbox, Source, SourceContext, SourceMessage, SourceSettings, Stop};
use crate::status::RootStatus;

/// `[sources.claude]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "enabled")]
    enabled: bool,
}

fn enabled() -> bool {
    true
}

/// Follows the transcripts below all data directories.
pub struct Transcripts {
    enabled: bool,
    settings: SourceSettings,
    make_watcher: watch::MakeWatcher,
}

impl Source for Transcripts {
    const KIND: &'static str = "claude";
    const SAMPLE: &'static str = "\
[sources.claude]
# Read the transcripts that Claude Code writes. Where they are is `data_dirs`.
enabled = true
";
    type Config = Config;

    fn build(config: Config, settings: &SourceSettings) -> Result<Self, BuildError> {
        Ok(Self { enabled: config.enabled, settings: settings.clone(), make_watcher: watch::native() })
    }

    fn probe(&self) -> Vec<RootStatus> {
        if self.enabled { scan::probe(&self.settings.roots) } else { Vec::new() }
    }

    fn run(self, ctx: SourceContext) -> anyhow::Result<()> {
        if self.enabled {
            return follow::follow(ctx, &self.settings, &self.make_watcher);
        }
        if ctx.out.send(SourceMessage::CaughtUp).is_ok() && !ctx.once {
            // Only the end of the house comes through this channel.
            while ctx.stop.channel().recv().is_ok() {}
        }
        Ok(())
    }
}

/// The way out for several threads: waits for room, but not longer than the house stands.
#[derive(Clone)]
struct Courier {
    out: Outbox,
    stop: Stop,
}

/// The house is closing. What was not sent is read again at the next start.
#[derive(Debug, thiserror::Error)]
#[error("the house is closing")]
struct Halted;

impl Courier {
    fn send(&self, message: SourceMessage) -> Result<(), Halted> {
        crossbeam_channel::select! {
            send(self.out.to, (self.out.source, message)) -> sent => sent.map_err(|_| Halted),
            recv(self.stop.channel()) -> _ => Err(Halted),
        }
    }
}
