//! `serve` and `ingest`: counting, with and without an end.

use std::sync::atomic::Ordering::Relaxed;

use super::output::{bytes, grouped, print};
use super::{demo, progress};
use crate::app::{AppError, Counting, Mode, serve};
use crate::clock::Clock;
use crate::config::Settings;
use crate::hub::Wishes;
use crate::plugin::SinkFactory;

const NOTHING_FOUND: &str =
    "No transcripts were found. `claude-token-monitor doctor` tells where they were looked for.\n";

/// Counts and serves until stopped.
pub(super) fn run(settings: &Settings, clock: &Clock, more: &'static [SinkFactory]) -> Result<(), AppError> {
    serve(settings, clock, false, more, show_progress)
}

/// The same on made-up transcripts, in a directory that is gone afterwards.
pub(super) fn run_demo(settings: &Settings, clock: &Clock, more: &'static [SinkFactory]) -> Result<(), AppError> {
    let demo = demo::Demo::start(clock)?;
    serve(&demo.settings(settings), clock, true, more, show_progress)
}

/// The bar ends by itself once everything is read or the house stops.
fn show_progress(counting: &Counting) {
    drop(progress::show(counting.hub.clone(), counting.ended.clone()));
}

/// Reads everything there is, once, and says what was found.
pub(super) fn ingest(settings: &Settings, clock: &Clock) -> Result<(), AppError> {
    let counting = Counting::start(settings, clock, Mode::Once, Wishes::default())?;
    let bar = progress::show(counting.hub.clone(), counting.ended.clone());
    let hub = counting.hub.clone();
    let outcome = counting.finish();
    if let Some(bar) = bar {
        bar.join().ok();
    }
    outcome?;
    let snapshot = hub.snapshot();
    let files: u64 = hub.statuses().values().map(|status| status.files.load(Relaxed)).sum();
    let read: u64 = snapshot.ingest.by_source.values().map(|source| source.tally.bytes).sum();
    let unpriced = match snapshot.totals.unpriced_tokens {
        0 => String::new(),
        tokens => format!(" and {} tokens of models without a price", grouped(tokens)),
    };
    let cost = if settings.enable_cost {
        format!("; ${:.2} at API list prices{unpriced}", snapshot.totals.cost.usd())
    } else {
        String::new()
    };
    let text = format!(
        "{} tokens in {} responses and {} sessions{cost}\n{} files, {} read since the history began, kept in {}\n",
        grouped(snapshot.totals.tokens.total()),
        grouped(snapshot.totals.requests),
        grouped(snapshot.sessions),
        grouped(files),
        bytes(read),
        settings.database.display(),
    );
    let found = hub.statuses().values().any(|status| status.words().roots.iter().any(|root| root.state == "ok"));
    let hint = if found { "" } else { NOTHING_FOUND };
    print(&format!("{text}{hint}")).map_err(|error| AppError::Other(error.into()))
}
