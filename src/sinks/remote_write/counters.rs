//! The counters as the receiver knows them: what they stand at, and up to which time they were told. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::message::Series;
use super::settings::Target;
use crate::event::{Change, Event, PicoUsd, QuerySource, Tally, TokenCounts};
use crate::plugin::Batch;
use crate::sinks::series::{Admitted, Point, Row, SESSIONS, Sums, float, from_rows, highest, label, points, rows};

/// Changes within so many milliseconds make one sample.
const GRAIN: i64 = 1_000;

const SOURCES: [QuerySource; 2] = [QuerySource::Main, QuerySource::Subagent];

/// What a receiver was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    admitted: Admitted,
    /// The exact sums at [`Counters::until`], by label.
    exact: Sums,
    /// The highest value of each: a counter does not fall.
    shown: Sums,
    sessions: u64,
    /// The revision that the sums stand at.
    pub(super) until: Option<u64>,
    /// No sample is older than this, or as old.
    last: i64,
    /// Models that have been sent since this process started.
    known: BTreeSet<Arc<str>>,
    /// A batch is under way, or failed and will come again.
    pub(super) behind: bool,
}

/// What survives a restart.
#[derive(Serialize, Deserialize)]
struct Memo {
    models: Vec<Arc<str>>,
    shown: Vec<Row>,
    sessions: u64,
    last: i64,
}

/// How samples are written.
pub(super) struct Pen<'a> {
    pub(super) target: &'a Target,
    pub(super) instance: &'a str,
    pub(super) costs: bool,
    pub(super) series: Series,
}

impl Pen<'_> {
    fn write(&mut self, point: &Point, at: i64) {
        self.series.push(self.target.labels(point, self.instance), point.value, at);
    }
}

impl Counters {
    pub(super) fn read(memo: &str) -> Self {
        let Ok(memo) = serde_json::from_str::<Memo>(memo) else { return Self::default() };
        Self {
            admitted: Admitted::new(memo.models),
            shown: from_rows(memo.shown),
            sessions: memo.sessions,
            last: memo.last,
            ..Self::default()
        }
    }

    pub(super) fn written(&self) -> Option<String> {
        let models = self.admitted.iter().cloned().collect();
        let memo = Memo { models, shown: rows(&self.shown), sessions: self.sessions, last: self.last };
        serde_json::to_string(&memo).ok()
    }

    /// Gets to where a batch begins, if the sums stand elsewhere.
    pub(super) fn go_to(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        if self.until == Some(batch.after) {
            return Ok(());
        }
        self.exact = self.admitted.fold(&batch.history.series_at(batch.after)?);
        if batch.replay {
            // Somebody wants the old times again, with what was true then.
            self.shown = self.exact.clone();
            self.last = i64::MIN;
            self.known.clear();
        } else {
            self.shown = merged(&self.shown, &self.exact);
        }
        self.until = Some(batch.after);
        Ok(())
    }

    /// Writes a batch's changes as they happened.
    pub(super) fn apply(&mut self, batch: &Batch<'_>, pen: &mut Pen<'_>) {
        let mut changes: Vec<&Change> = batch.changes.iter().collect();
        changes.sort_by_key(|change| (at(change), change.revision));
        for moment in changes.chunk_by(|a, b| at(a).div_euclid(GRAIN) == at(b).div_euclid(GRAIN)) {
            let when = moment.last().map_or(0, |change| at(change)).min(batch.now.0);
            let touched: BTreeSet<Arc<str>> = moment.iter().flat_map(|change| self.models(change)).collect();
            for (model, source) in touched.iter().flat_map(|model| SOURCES.map(|source| (model, source))) {
                self.shown.entry((Arc::clone(model), source)).or_default();
            }
            for model in touched.iter().filter(|model| !self.known.contains(*model)) {
                // A first value loses its increase: nobody saw where it came from.
                self.write(model, self.next(when - GRAIN), pen);
            }
            self.known.extend(touched.iter().cloned());
            for change in moment {
                self.add(change);
            }
            let when = self.next(when);
            for model in &touched {
                self.write(model, when, pen);
            }
            self.last = when;
        }
        self.until = Some(batch.until);
        if batch.until >= batch.snapshot.revision {
            self.agree(batch);
        }
    }

    /// Everything there is, as it stands now.
    pub(super) fn beat(&mut self, batch: &Batch<'_>, pen: &mut Pen<'_>) {
        if self.until.is_none_or(|until| until >= batch.snapshot.revision) {
            self.agree(batch);
        }
        let when = self.next(batch.now.0);
        let models: BTreeSet<Arc<str>> = self.shown.keys().map(|(model, _)| Arc::clone(model)).collect();
        for model in &models {
            self.write(model, when, pen);
        }
        pen.write(&Point { family: SESSIONS, labels: Vec::new(), value: float(self.sessions) }, when);
        self.known.extend(models);
        self.last = when;
    }

    /// Keeps clear of the times that a copy has written.
    pub(super) fn used(&mut self, copy: &Self) {
        self.last = self.last.max(copy.last);
    }

    /// Takes the house's own totals, when they speak of the same revision: what two corrections of one response within a
    /// blink may have hidden from the log is in there.
    fn agree(&mut self, batch: &Batch<'_>) {
        let totals = self.admitted.fold(&batch.snapshot.series);
        self.shown = merged(&self.shown, &totals);
        self.sessions = self.sessions.max(batch.snapshot.session_count);
    }

    /// A time for the next samples: never one that has been used.
    fn next(&self, wished: i64) -> i64 {
        wished.max(self.last.saturating_add(1))
    }

    fn write(&self, model: &Arc<str>, when: i64, pen: &mut Pen<'_>) {
        for point in points(&self.shown, model, pen.costs) {
            pen.write(&point, when);
        }
    }

    /// The labels that a change is about; a new model gets one.
    fn models(&mut self, change: &Change) -> Vec<Arc<str>> {
        let events = [&change.before, &change.after].into_iter().flatten();
        events
            .map(|event| {
                let key = (label(&event.model), event.query_source);
                let sums: Sums = [(key, Tally::default())].into_iter().collect();
                self.admitted.fold(&sums);
                self.admitted.of(&event.model)
            })
            .collect()
    }

    fn add(&mut self, change: &Change) {
        let tally = |event: &Event| Tally::of(event.tokens, event.web.searches, event.cost);
        if let Some(before) = &change.before {
            let sum = self.exact.entry((self.admitted.of(&before.model), before.query_source)).or_default();
            *sum = minus(sum, &tally(before));
        }
        if let Some(after) = &change.after {
            let key = (self.admitted.of(&after.model), after.query_source);
            let sum = self.exact.entry(key.clone()).or_default();
            sum.add(&tally(after));
            let shown = self.shown.entry(key).or_default();
            *shown = highest(shown, sum);
        }
    }
}

/// When what changed happened.
fn at(change: &Change) -> i64 {
    change.after.as_ref().or(change.before.as_ref()).map_or(i64::MAX, |event| event.at.0)
}

fn merged(a: &Sums, b: &Sums) -> Sums {
    let mut all = a.clone();
    for (key, tally) in b {
        let sum = all.entry(key.clone()).or_default();
        *sum = highest(sum, tally);
    }
    all
}

fn minus(a: &Tally, b: &Tally) -> Tally {
    Tally {
        tokens: TokenCounts {
            input: a.tokens.input.saturating_sub(b.tokens.input),
            output: a.tokens.output.saturating_sub(b.tokens.output),
            cache_write_5m: a.tokens.cache_write_5m.saturating_sub(b.tokens.cache_write_5m),
            cache_write_1h: a.tokens.cache_write_1h.saturating_sub(b.tokens.cache_write_1h),
            cache_read: a.tokens.cache_read.saturating_sub(b.tokens.cache_read),
        },
        requests: a.requests.saturating_sub(b.requests),
        searches: a.searches.saturating_sub(b.searches),
        cost: PicoUsd((a.cost.0 - b.cost.0).max(0)),
        unpriced_tokens: a.unpriced_tokens.saturating_sub(b.unpriced_tokens),
    }
}
