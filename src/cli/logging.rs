//! Logs: to standard error, coloured only where somebody looks. Nothing of a conversation ever gets into them.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

use crate::config::{ColorChoice, Settings};

/// Starts logging; a second start keeps the first.
pub(super) fn start(settings: &Settings, quiet: bool) {
    let level = settings.log_level.filter();
    let level = if quiet { level.min(LevelFilter::ERROR) } else { level };
    let colour = match settings.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => std::io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt().with_max_level(level).with_ansi(colour).with_target(false);
    if logs.with_writer(std::io::stderr).try_init().is_err() {
        tracing::debug!("logging had been started before");
    }
}
