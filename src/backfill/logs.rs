//! Responses as OTLP logs, through the sink's own delivery, one after another as the log of the history has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use jiff::civil::Date;

use super::push::persist;
use super::{BackfillError, Progress, Report};
use crate::clock::Clock;
use crate::event::{Change, QuerySource, Tally, UnixMillis};
use crate::hub::Snapshot;
use crate::plugin::{AnyDelivery, Batch, History, Outcome};
use crate::store::{Leg, Readers};

/// So many responses go into one request.
const BATCH: usize = 1_000;

/// Which responses, and where to begin in the log.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub from: Option<UnixMillis>,
    pub until: UnixMillis,
    /// Changes up to this revision have arrived.
    pub after: u64,
}

/// Sends every response of a range. `arrived` is told how far it has got in the log.
pub fn send_logs(
    readers: &Readers,
    delivery: &mut dyn AnyDelivery,
    range: Range,
    clock: &Clock,
    arrived: &mut dyn FnMut(u64),
    progress: Progress<'_>,
) -> Result<Report, BackfillError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let instance = readers.instance()?.context("this history has no name yet; run `ingest` once")?;
    let snapshot = Arc::new(Snapshot { instance: instance.into(), ..Snapshot::default() });
    let head = readers.facts()?.revision;
    let leg = Leg { base: range.after, reach: head };
    let mut report = Report::default();
    let mut after = range.after;
    while after < head {
        let page = readers.delivery_page(after, leg, BATCH)?;
        let wanted: Vec<Change> = page.changes.into_iter().filter_map(|change| wanted(change, range)).collect();
        let last = wanted.last().and_then(|change| change.after.as_ref()).map(|event| event.at);
        // Halves of what was refused, the earlier one on top.
        let mut parts = vec![wanted.as_slice()];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let outcome = runtime.block_on(persist(async || {
                let batch = Batch {
                    after,
                    until: page.until,
                    changes: part,
                    snapshot: &snapshot,
                    replay: true,
                    now: clock.now(),
                    history: &Nothing,
                };
                delivery.deliver(&batch).await
            }));
            let count = part.len() as u64;
            match outcome {
                Outcome::Acked => report.written += count,
                Outcome::Partial { rejected, unnamed, .. } => {
                    let refused = (rejected.len() as u64 + unnamed).min(count);
                    report.refused += refused;
                    report.written += count - refused;
                }
                Outcome::Reject { .. } | Outcome::TooLarge { .. } if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Outcome::Reject { why } | Outcome::TooLarge { why } => {
                    tracing::warn!("a response is refused for good: {why}");
                    report.refused += 1;
                    if report.written == 0 && report.refused > 20 {
                        return Err(BackfillError::Refused { why });
                    }
                }
                Outcome::Retry { why, .. } | Outcome::Refused { why } => return Err(BackfillError::Refused { why }),
            }
        }
        after = page.until;
        arrived(after);
        #[expect(clippy::cast_precision_loss, reason = "a fraction for a bar")]
        progress(after as f64 / head as f64, last.unwrap_or_default());
    }
    Ok(report)
}

/// A response of the range, as if it had never been told of.
fn wanted(change: Change, range: Range) -> Option<Change> {
    let at = change.after.as_ref()?.at;
    let is_in = range.from.is_none_or(|from| from <= at) && at < range.until;
    is_in.then_some(Change { before: None, ..change })
}

/// Logs ask nothing of the history.
struct Nothing;

impl History for Nothing {
    fn days(&self, _: Date, _: Date) -> anyhow::Result<Vec<(Date, Tally)>> {
        Ok(Vec::new())
    }

    fn series_at(&self, _: u64) -> anyhow::Result<BTreeMap<(Arc<str>, QuerySource), Tally>> {
        Ok(BTreeMap::new())
    }
}
