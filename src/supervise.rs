//! Runs sources on threads of their own. One that fails is started again where the history stands, with growing pauses,
//! and its trouble is shown; it never takes the house down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::plugin::{BuiltSource, Outbox, SourceContext, SourceFactory, SourceSettings, Stop};
use crate::status::SourceStatus;
use crate::store::Readers;

/// A source and what it takes to build it again.
#[derive(Clone)]
pub struct Configured {
    pub factory: &'static SourceFactory,
    pub table: toml::Table,
    pub settings: SourceSettings,
    pub status: Arc<SourceStatus>,
}

/// What every source of one run shares.
#[derive(Clone)]
pub struct Surroundings {
    pub readers: Readers,
    pub clock: Clock,
    pub stop: Stop,
    pub once: bool,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Configured {
    fn build(&self) -> Result<BuiltSource, crate::plugin::BuildError> {
        (self.factory.build)(self.table.clone(), &self.settings)
    }

    /// Starts the source's thread. It ends when the source is done or the house stops, and hangs up `out` then.
    pub fn start(self, out: Outbox, around: Surroundings) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(self.factory.kind.to_owned()).spawn(move || self.keep_running(&out, &around))
    }

    fn keep_running(&self, out: &Outbox, around: &Surroundings) {
        let kind = self.factory.kind;
        let mut pause = FIRST_PAUSE;
        while !around.stop.is_set() {
            let started = Instant::now();
            let error = match self.run_once(out, around) {
                Ok(()) => return,
                Err(error) => error,
            };
            if around.stop.is_set() {
                return;
            }
            let after_ms = started.elapsed().as_millis();
            tracing::error!(
                source = kind,
                error = format!("{error:#}"),
                after_ms,
                "the source failed; starting it again"
            );
            self.status.update(|words| words.last_error = Some(format!("{error:#}")));
            if around.once || around.stop.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn run_once(&self, out: &Outbox, around: &Surroundings) -> anyhow::Result<()> {
        let source = self.build()?;
        let context = SourceContext {
            out: out.clone(),
            checkpoints: around.readers.checkpoints(self.factory.kind)?,
            clock: around.clock.clone(),
            stop: around.stop.clone(),
            status: Arc::clone(&self.status),
            once: around.once,
        };
        catch_unwind(AssertUnwindSafe(|| source(context))).unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(anyhow::anyhow!("it panicked: {words}"))
        })
    }
}
