//! Logs: to standard error, coloured only where somebody looks, and to a file if the user names one. One event is one line,
//! whatever is in it. Nothing of a conversation ever gets into them, and no query of a request.

mod line;
mod rotate;

use std::io::IsTerminal;
use std::path::PathBuf;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::config::{ColorChoice, LogFormat, Settings};
use line::Lines;
use rotate::Rotating;

/// How many lines may wait for the disk; more are lost, and nobody waits.
const WAITING_LINES: usize = 8_192;

/// What is said on standard error in other words, and belongs into the file all the same.
const ONLY_FILE: &str = "exit";

/// The log file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("log_file: cannot write {}: {source}", path.display())]
pub(super) struct LogFileError {
    path: PathBuf,
    source: std::io::Error,
}

/// Writes out what is still waiting when it is dropped.
pub(super) struct Logs(Option<WorkerGuard>);

/// Starts logging; a second start keeps the first. A command that is over in a moment leaves the file alone.
pub(super) fn start(settings: &Settings, quiet: bool, to_file: bool) -> Result<Logs, LogFileError> {
    let level = settings.log_level.filter();
    let colour = match settings.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::io::stderr().is_terminal(),
    };
    let (file, guard) = match settings.log_file.as_ref().filter(|_| to_file) {
        None => (None, None),
        Some(path) => {
            let rotating = Rotating::open(path).map_err(|source| LogFileError { path: path.clone(), source })?;
            let (writer, guard) = NonBlockingBuilder::default()
                .lossy(true)
                .buffered_lines_limit(WAITING_LINES)
                .thread_name("log")
                .finish(rotating);
            (Some(layer(settings.log_format, false, writer).with_filter(level)), Some(guard))
        }
    };
    let level = if quiet { level.min(LevelFilter::ERROR) } else { level };
    let shown = layer(settings.log_format, colour, std::io::stderr)
        .with_filter(filter_fn(|metadata| metadata.target() != ONLY_FILE))
        .with_filter(level);
    if tracing_subscriber::registry().with(file).with(shown).try_init().is_err() {
        tracing::debug!("logging had been started before");
    }
    Ok(Logs(guard))
}

impl Logs {
    /// Says in the file why the program ends; standard error has it from elsewhere.
    pub(super) fn fatal(&self, words: &str) {
        if self.0.is_some() {
            tracing::error!(target: ONLY_FILE, "{words}");
        }
    }
}

fn layer<S, W>(format: LogFormat, colour: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let plain = fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        LogFormat::Text => plain.event_format(Lines { colour }).boxed(),
        LogFormat::Json => plain.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    }
}
