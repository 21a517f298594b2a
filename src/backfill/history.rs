//! The counters as they stood at the end of every step.

use std::sync::Arc;

use super::{BackfillError, Progress, fraction};
use crate::event::{QuerySource, Tally, UnixMillis};
use crate::sinks::series::{Admitted, Point, SESSIONS, Sums, float, points};
use crate::store::Readers;

/// Milliseconds in the smallest step.
const QUARTER: i64 = 900_000;

/// Steps that are read at a time.
const CHUNK: i64 = 31 * 24;

/// Which part of the history, and in which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// A whole number of steps since 1970.
    pub from: UnixMillis,
    pub until: UnixMillis,
    /// Milliseconds; a multiple of a quarter of an hour.
    pub step: i64,
}

/// The history, ready to be walked any number of times.
pub struct History<'a> {
    readers: &'a Readers,
    plan: Plan,
    admitted: Admitted,
    costs: bool,
    /// Sums before `plan.from`.
    base: Sums,
    /// New sessions by UTC day.
    sessions: Vec<(i64, u64)>,
}

impl<'a> History<'a> {
    /// `None`: there is nothing to write.
    pub fn new(
        readers: &'a Readers,
        from: Option<UnixMillis>,
        until: UnixMillis,
        step: i64,
        costs: bool,
    ) -> Result<Option<Self>, BackfillError> {
        let Some((first, last)) = readers.extent()? else { return Ok(None) };
        let floor = |at: UnixMillis| UnixMillis(at.0.div_euclid(step) * step);
        let from = floor(from.unwrap_or(first).max(first));
        // Whole seconds: a file has no finer times.
        let until = UnixMillis(until.0.min(floor(last).0 + step).div_euclid(1_000) * 1_000);
        if from >= until {
            return Ok(None);
        }
        let all = |from: UnixMillis, until: UnixMillis| -> Result<Sums, BackfillError> {
            let steps = readers.steps(from, until, i64::MAX / 4 / QUARTER * QUARTER)?;
            Ok(steps.into_iter().next().map(|(_, sums)| sums).unwrap_or_default())
        };
        let mut admitted = Admitted::default();
        // Who has a series is decided by everything there is, so that two parts of one history agree.
        admitted.fold(&all(first, UnixMillis(last.0 + QUARTER))?);
        let base = if from > first { admitted.fold(&all(first, from)?) } else { Sums::new() };
        let sessions = readers.new_sessions()?;
        Ok(Some(Self { readers, plan: Plan { from, until, step }, admitted, costs, base, sessions }))
    }

    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Calls `write` with every point at the beginning and at the end of every step, in order of time. A model's series
    /// begin one step before its first use.
    pub fn walk(
        &self,
        progress: Progress<'_>,
        mut write: impl FnMut(UnixMillis, Vec<Point>) -> Result<(), BackfillError>,
    ) -> Result<(), BackfillError> {
        let Plan { from, until, step } = self.plan;
        let mut sums = Sums::new();
        for (key, tally) in &self.base {
            begin(&mut sums, &key.0);
            sums.insert(key.clone(), *tally);
        }
        let mut at = from;
        write(at, self.points(&sums, at))?;
        while at < until {
            let chunk = UnixMillis(at.0 + CHUNK * step).min(until);
            let mut used = self.readers.steps(at, UnixMillis(ceiling(chunk.0)), step)?.into_iter().peekable();
            while at < chunk {
                let end = UnixMillis(at.0 + step).min(until);
                if let Some((_, more)) = used.next_if(|(start, _)| *start <= at) {
                    let more = self.folded(&more);
                    for model in more.keys().map(|(model, _)| model) {
                        if begin(&mut sums, model) {
                            write(at, points(&sums, model, self.costs))?;
                        }
                    }
                    for (key, tally) in more {
                        sums.entry(key).or_default().add(&tally);
                    }
                }
                at = end;
                write(at, self.points(&sums, at))?;
            }
            progress(fraction(from, at, until), at);
        }
        Ok(())
    }

    fn folded(&self, sums: &Sums) -> Sums {
        self.admitted.clone().fold(sums)
    }

    fn points(&self, sums: &Sums, at: UnixMillis) -> Vec<Point> {
        let mut all = self.all(sums);
        let day = at.utc_day();
        // A session counts once the day of its first response is over, or the walk has come to its end.
        let over = |first: i64| first < day || (at == self.plan.until && first <= day);
        let count = self.sessions.iter().filter(|(first, _)| over(*first)).map(|(_, count)| count).sum();
        all.push(Point { family: SESSIONS, labels: Vec::new(), value: float(count) });
        all
    }

    fn all(&self, sums: &Sums) -> Vec<Point> {
        let mut models: Vec<&Arc<str>> = sums.keys().map(|(model, _)| model).collect();
        models.dedup();
        models.into_iter().flat_map(|model| points(sums, model, self.costs)).collect()
    }
}

/// Gives a model its series, all of them at once; says whether it had none.
fn begin(sums: &mut Sums, model: &Arc<str>) -> bool {
    let mut new = false;
    for source in [QuerySource::Main, QuerySource::Subagent] {
        sums.entry((Arc::clone(model), source)).or_insert_with(|| {
            new = true;
            Tally::default()
        });
    }
    new
}

fn ceiling(at: i64) -> i64 {
    (at + QUARTER - 1).div_euclid(QUARTER) * QUARTER
}
