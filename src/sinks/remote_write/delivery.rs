//! The two deliveries: samples at the times of responses, behind a cursor; and beats, which repeat every counter now and
//! then, since Prometheus takes a series that says nothing for five minutes for one that is no more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counters::{Counters, Pen};
use super::message::{Metadata, Series, WriteRequest};
use super::settings::Target;
use crate::event::UnixMillis;
use crate::plugin::{Batch, Delivery, Outcome, Pace, Wants};
use crate::sinks::http::{self, Answer};
use crate::sinks::series::{FAMILIES, SESSIONS};

/// What both know. Whoever sends has the turn meanwhile: were two requests under way at once, the later times of the one
/// could come with the smaller values.
#[derive(Clone, Default)]
pub(super) struct Shared {
    counters: Arc<Mutex<Counters>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

fn locked(state: &Shared) -> MutexGuard<'_, Counters> {
    state.counters.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every change of the history.
pub(super) struct Samples {
    target: Arc<Target>,
    state: Shared,
    costs: bool,
}

impl Samples {
    pub(super) fn new(target: Arc<Target>, state: Shared, costs: bool) -> Self {
        Self { target, state, costs }
    }
}

impl Delivery for Samples {
    fn pace(&self) -> Pace {
        Pace { batch_max: 500, ..Pace::default() }
    }

    fn target(&self) -> String {
        self.target.shown()
    }

    fn recall(&mut self, memo: &str) {
        *locked(&self.state) = Counters::read(memo);
    }

    fn remember(&self) -> Option<String> {
        locked(&self.state).written()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let turn = Arc::clone(&self.state.turn);
        let _turn = turn.lock().await;
        // A copy, which takes the place of the state only if this arrives.
        let mut counters = {
            let mut state = locked(&self.state);
            state.behind = true;
            state.clone()
        };
        if let Err(error) = counters.go_to(batch) {
            return Outcome::retry(format!("{error:#}"));
        }
        let series = Series::default();
        let mut pen = Pen { target: &self.target, instance: &batch.snapshot.instance, costs: self.costs, series };
        counters.apply(batch, &mut pen);
        let outcome = send(&self.target, pen.series.into_request(Vec::new()), batch.now).await;
        if matches!(outcome, Outcome::Acked | Outcome::Partial { .. }) {
            counters.behind = false;
            *locked(&self.state) = counters;
        }
        outcome
    }
}

/// Where samples stand; nowhere before the first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(Option<u64>);

/// Every counter, again and again.
pub(super) struct Beats {
    target: Arc<Target>,
    state: Shared,
    costs: bool,
    /// Where the samples stood at the last beat, if they were not at the end.
    stuck_at: Option<Place>,
}

impl Beats {
    pub(super) fn new(target: Arc<Target>, state: Shared, costs: bool) -> Self {
        Self { target, state, costs, stuck_at: None }
    }

    /// Whether samples of older times may still come: they would be taken for out of order after this.
    fn must_wait(&mut self, revision: u64) -> bool {
        let state = locked(&self.state);
        let pending = state.until.is_none_or(|until| until < revision);
        let stuck = self.stuck_at == Some(Place(state.until));
        self.stuck_at = pending.then_some(Place(state.until));
        match state.until {
            // Nothing was sent since the start. If nothing is asked for by the second beat, there is nothing.
            None => state.behind || !stuck,
            Some(_) => state.behind || (pending && stuck),
        }
    }
}

impl Delivery for Beats {
    const WANTS: Wants = Wants::Snapshot;

    fn pace(&self) -> Pace {
        Pace { interval: Duration::from_secs(15), ..Pace::default() }
    }

    fn target(&self) -> String {
        self.target.shown()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let turn = Arc::clone(&self.state.turn);
        let _turn = turn.lock().await;
        if self.must_wait(batch.snapshot.revision) {
            return Outcome::Acked;
        }
        let mut counters = locked(&self.state).clone();
        let series = Series::default();
        let mut pen = Pen { target: &self.target, instance: &batch.snapshot.instance, costs: self.costs, series };
        counters.beat(batch, &mut pen);
        // This time is used, even if the answer gets lost: what comes later must come after it.
        locked(&self.state).used(&counters);
        let outcome = send(&self.target, pen.series.into_request(metadata()), batch.now).await;
        if matches!(outcome, Outcome::Acked | Outcome::Partial { .. }) {
            *locked(&self.state) = counters;
        }
        outcome
    }
}

/// What the series mean, for receivers that want to know.
fn metadata() -> Vec<Metadata> {
    let described = FAMILIES.into_iter().chain([SESSIONS]).map(|family| Metadata {
        kind: 1,
        family: family.name.to_owned(),
        help: family.help.to_owned(),
        unit: family.unit.to_owned(),
    });
    described.collect()
}

async fn send(target: &Target, request: WriteRequest, now: UnixMillis) -> Outcome {
    if request.timeseries.is_empty() {
        return Outcome::Acked;
    }
    match target.send(&request).await {
        Ok(answer) => verdict(&answer, now),
        Err(outcome) => outcome,
    }
}

/// What an answer means. Samples that come too late are refused with 400, the rest of the request is taken, and nothing is
/// gained by sending any of it again: the next sample of a counter says all that the lost one did.
pub fn verdict(answer: &Answer, now: UnixMillis) -> Outcome {
    let words = String::from_utf8_lossy(&answer.body).to_lowercase();
    let late = ["out of order", "out-of-order", "out of bounds", "out-of-bounds", "too old", "too-old", "duplicate"];
    if answer.status.as_u16() == 400 && late.iter().any(|word| words.contains(word)) {
        let why = format!("some came too late{}", http::quote(&answer.body));
        return Outcome::Partial { rejected: Vec::new(), unnamed: 1, why };
    }
    http::verdict(answer, now)
}
