//! `--demo`: made-up transcripts that keep growing, for whoever wants to see the program before it sees theirs.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::app::AppError;
use crate::clock::Clock;
use crate::config::Settings;
use crate::platform;
use crate::plugin::{Stop, Stopper};
use crate::synthetic::{self, Live};

/// Pauses between responses, so that a page is seen to move without flickering.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(900),
    Duration::from_millis(2_100),
    Duration::from_millis(600),
    Duration::from_millis(1_500),
];

/// A directory of made-up transcripts and who keeps writing them. Both are gone when it is dropped.
pub(super) struct Demo {
    directory: PathBuf,
    stopper: Stopper,
    writer: Option<JoinHandle<()>>,
}

impl Demo {
    /// Writes the past and starts writing the present.
    pub(super) fn start(clock: &Clock) -> Result<Self, AppError> {
        let now = clock.now();
        let directory =
            std::env::temp_dir().join(format!("claude-token-monitor-demo-{}-{}", std::process::id(), now.0));
        platform::create_private_dir(&directory)
            .with_context(|| format!("making a directory for the demo at {}", directory.display()))?;
        let (stopper, stop) = Stopper::new();
        let mut demo = Self { directory, stopper, writer: None };
        let root = demo.root();
        synthetic::write(&synthetic::demo_plan(now), &root).context("writing made-up transcripts")?;
        let clock = clock.clone();
        let writer = std::thread::Builder::new().name("demo".to_owned());
        demo.writer = Some(writer.spawn(move || keep_writing(&root, &clock, &stop)).context("starting the demo")?);
        Ok(demo)
    }

    fn root(&self) -> PathBuf {
        self.directory.join("claude")
    }

    /// The user's settings, with nothing of the user's in reach.
    pub(super) fn settings(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        settings.data_dirs = vec![self.root()];
        settings.database = self.directory.join("monitor.db");
        settings.backup.directory = self.directory.join("backups");
        settings.backup.keep = 0;
        // Nobody out there is to believe these numbers.
        settings.sinks.clear();
        settings
    }
}

fn keep_writing(root: &Path, clock: &Clock, stop: &Stop) {
    let mut live = Live::new(root, clock.now().0.unsigned_abs());
    for pause in PAUSES.into_iter().cycle() {
        if stop.sleep(pause) {
            return;
        }
        if let Err(error) = live.tick(clock.now()) {
            tracing::warn!(%error, "cannot write another made-up response");
            return;
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::warn!("the demo's writer panicked");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, path = %self.directory.display(), "cannot remove the demo's directory");
        }
    }
}
