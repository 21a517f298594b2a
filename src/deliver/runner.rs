//! One delivery's thread: makes the delivery, runs it, and makes it anew after a panic or an error, with growing pauses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::changes::Changes;
use super::ledger::Ledger;
use super::snapshots::Snapshots;
use super::{Configured, DeliverySettings};
use crate::clock::Clock;
use crate::event::Tally;
use crate::hub::Hub;
use crate::plugin::{AnyDelivery, Batch, History, Outcome, Stop, Wants};
use crate::status::{SinkReport, SinkState, SinkStatus};
use crate::store::{DeliveryState, Readers, SeriesSums, StoreError};

/// A batch under way gets this long once the house stops; then it is given up, and sent again next time.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Pauses between starts of what fails at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Before the ledger is asked again after it said no.
const LEDGER_PAUSE: Duration = Duration::from_millis(500);

/// More than this no delivery may have remembered.
const LONGEST_MEMO: usize = 64 * 1024;

/// More words than these of a receiver are not kept.
const LONGEST_REASON: usize = 500;

/// One delivery and what it works with.
pub(super) struct Runner {
    pub(super) id: String,
    pub(super) part: Option<&'static str>,
    pub(super) sink: Configured,
    pub(super) hub: Hub,
    pub(super) readers: Readers,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) status: Arc<SinkStatus>,
    /// Somebody changed what the history says of this delivery.
    pub(super) nudge: Arc<Notify>,
    pub(super) stop: Stop,
}

/// The house stops.
pub(super) struct Stopped;

/// What a step ends early with.
pub(super) type Step<T> = Result<T, Stopped>;

impl Runner {
    /// The thread's life.
    pub(super) fn keep_running(self, first: Box<dyn AnyDelivery>) {
        let mut first = Some(first);
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_set() {
            let started = std::time::Instant::now();
            let Err(error) = self.run_once(&mut first) else { return };
            if self.stop.is_set() {
                return;
            }
            if started.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let words = format!("{error:#}");
            tracing::error!(sink = self.id, error = words, "the sink failed; starting it again");
            let now = self.clock.now().0;
            self.status.update(|report| {
                report.state = SinkState::Retrying;
                report.restarts += 1;
                report.last_error = Some(words);
                report.last_error_at = Some(now);
                report.failing_since.get_or_insert(now);
                report.next_try_at = Some(now.saturating_add(millis(pause)));
            });
            if self.stop.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn run_once(&self, first: &mut Option<Box<dyn AnyDelivery>>) -> anyhow::Result<()> {
        let run = || -> anyhow::Result<()> {
            let delivery = match first.take() {
                Some(delivery) => delivery,
                None => self.make()?,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(2)
                .build()
                .context("starting the sink's runtime")?;
            // Both ways to end are the house's stop.
            runtime.block_on(self.session(delivery)).ok();
            runtime.shutdown_background();
            Ok(())
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(anyhow::anyhow!("it panicked: {words}"))
        })
    }

    /// The delivery, made anew.
    fn make(&self) -> anyhow::Result<Box<dyn AnyDelivery>> {
        let parts = self.sink.build()?(&self.hub);
        let mine = parts.deliveries.into_iter().find(|made| made.part == self.part);
        mine.map(|made| made.delivery).context("it has no such part any more")
    }

    async fn session(&self, mut delivery: Box<dyn AnyDelivery>) -> Step<()> {
        let settings = self.sink.shared.settings(delivery.pace(), &self.sink.setup.zone);
        let state = self.enroll(delivery.as_ref()).await?;
        if let Some(memo) = &state.memo {
            delivery.recall(memo);
        }
        self.show_state(&state);
        let mut desk = Desk { runner: self, settings, stop: self.stop.clone(), delivery };
        // Only the house's stop ends either of them.
        let Err(Stopped) = match desk.delivery.wants() {
            Wants::Changes => Changes::run(&mut desk, state).await,
            Wants::Snapshot => Snapshots::run(&mut desk, state).await,
        };
        if tokio::time::timeout(STOP_GRACE, desk.delivery.close()).await.is_err() {
            tracing::debug!(sink = self.id, "did not close in time");
        }
        Err(Stopped)
    }

    async fn enroll(&self, delivery: &dyn AnyDelivery) -> Step<DeliveryState> {
        let (id, kind, target) = (self.id.clone(), self.sink.factory.kind, delivery.target());
        self.status.update(|report| report.target = Some(target.clone()));
        let tracks = delivery.wants() == Wants::Changes;
        loop {
            let (id, target) = (id.clone(), target.clone());
            let answer = self.ledger.ask(move |store| store.enroll(&id, kind, &target, tracks));
            if let Some(state) = self.settle(answer).await? {
                return Ok(state);
            }
        }
    }

    /// An answer of the store's; after an error there is none, but a pause.
    pub(super) async fn settle<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Step<Option<T>> {
        let mut stop = self.stop.clone();
        let error = tokio::select! {
            answer = answer => match answer {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            },
            () = after_grace(&mut stop) => return Err(Stopped),
        };
        let now = self.clock.now().0;
        self.status.update(|report| {
            report.last_error = Some(error.to_string());
            report.last_error_at = Some(now);
        });
        tokio::select! {
            () = tokio::time::sleep(LEDGER_PAUSE) => Ok(None),
            () = stop.wait() => Err(Stopped),
        }
    }

    /// Takes over what the history says.
    pub(super) fn show_state(&self, state: &DeliveryState) {
        self.status.update(|report| {
            report.cursor = state.revision.filter(|_| state.tracks);
            report.events = report.events.max(state.events);
            report.dead_letters = state.dead_letters;
            report.dropped_events = state.dropped;
            report.last_success_at = state.last_success_at.map(|at| at.0);
            report.failing_since = state.failing_since.map(|at| at.0);
            report.last_error.clone_from(&state.last_error);
            report.next_try_at = None;
        });
    }
}

/// Resolves a while after the house stops.
async fn after_grace(stop: &mut Stop) {
    stop.wait().await;
    tokio::time::sleep(STOP_GRACE).await;
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What both kinds of delivery do alike: send, show, wait.
pub(super) struct Desk<'a> {
    pub(super) runner: &'a Runner,
    pub(super) settings: DeliverySettings,
    pub(super) stop: Stop,
    pub(super) delivery: Box<dyn AnyDelivery>,
}

/// What a try came to.
pub(super) enum Tried {
    Answered(Outcome),
    TimedOut,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The time was over, or there is something new.
    Due,
    /// Somebody changed what the history says of this delivery.
    Nudged,
}

impl Desk<'_> {
    pub(super) fn show(&self, change: impl FnOnce(&mut SinkReport)) {
        self.runner.status.update(change);
    }

    /// Hands a batch over. When the house stops it has a little time left; then it is given up.
    pub(super) async fn hand_over(&mut self, batch: &Batch<'_>) -> Step<Tried> {
        let started = Instant::now();
        let limit = self.settings.timeout;
        let mut stop = self.stop.clone();
        let tried = tokio::select! {
            biased;
            outcome = tokio::time::timeout(limit, self.delivery.deliver(batch)) => match outcome {
                Ok(outcome) => Tried::Answered(outcome),
                Err(_) => Tried::TimedOut,
            },
            () = after_grace(&mut stop) => return Err(Stopped),
        };
        self.show(|report| report.send_seconds.observe(started.elapsed().as_secs_f64()));
        Ok(tried)
    }

    /// Waits for `time`, or without one for a nudge; in both cases only until the house stops.
    pub(super) async fn wait(&mut self, time: Option<Duration>) -> Step<Woken> {
        let due = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.wait() => Err(Stopped),
            () = self.runner.nudge.notified() => Ok(Woken::Nudged),
            () = due => Ok(Woken::Due),
        }
    }

    /// Waits for the next commit or a nudge.
    pub(super) async fn wait_for_commit(&mut self, pulse: &mut tokio::sync::watch::Receiver<u64>) -> Step<Woken> {
        tokio::select! {
            biased;
            () = self.stop.wait() => Err(Stopped),
            () = self.runner.nudge.notified() => Ok(Woken::Nudged),
            // The hub outlives every sink; should it not, there is nothing to wait for.
            changed = pulse.changed() => if changed.is_ok() { Ok(Woken::Due) } else { Err(Stopped) },
        }
    }

    /// Shows that a try failed, and remembers it if it failed for another reason than the one before.
    pub(super) async fn note_failure(&mut self, state: SinkState, why: &str, pause: Duration) -> Step<()> {
        let (now, why) = (self.runner.clock.now(), shortened(why));
        let (mut is_new, mut is_other) = (false, false);
        self.show(|report| {
            is_new = report.failing_since.is_none();
            is_other = is_new || report.last_error.as_ref() != Some(&why);
            report.state = state;
            report.last_error = Some(why.clone());
            report.last_error_at = Some(now.0);
            report.failing_since.get_or_insert(now.0);
            report.next_try_at = Some(now.0.saturating_add(millis(pause)));
        });
        if is_new {
            tracing::warn!(sink = self.runner.id, why, "nothing arrives at the sink; will try again until it does");
        }
        if is_other {
            let id = self.runner.id.clone();
            let noted = self.runner.ledger.ask(move |store| store.note_failing(&id, &why, now));
            self.runner.settle(noted).await?;
        }
        Ok(())
    }

    /// Shows that something arrived.
    pub(super) fn note_success(&self) {
        let now = self.runner.clock.now();
        let mut was_failing = false;
        self.show(|report| {
            was_failing = report.failing_since.is_some();
            report.state = SinkState::Ok;
            report.last_success_at = Some(now.0);
            report.failing_since = None;
            report.last_error = None;
            report.next_try_at = None;
        });
        if was_failing {
            tracing::info!(sink = self.runner.id, "the sink takes what it is sent again");
        }
    }

    /// What the delivery wants to remember, if it may.
    pub(super) fn memo(&self) -> Option<String> {
        let memo = self.delivery.remember()?;
        if memo.len() > LONGEST_MEMO {
            tracing::warn!(sink = self.runner.id, bytes = memo.len(), "the sink wants to remember too much");
            return None;
        }
        Some(memo)
    }
}

/// The beginning of what a receiver said.
pub(super) fn shortened(why: &str) -> String {
    why.chars().take(LONGEST_REASON).collect()
}

/// The history's sums as deliveries may ask for them.
pub(super) struct StoredHistory<'a> {
    pub(super) readers: &'a Readers,
    pub(super) zone: &'a TimeZone,
}

impl History for StoredHistory<'_> {
    fn days(&self, from: Date, to: Date) -> anyhow::Result<Vec<(Date, Tally)>> {
        let days = self.readers.days(from, to, self.zone)?;
        Ok(days.into_iter().map(|day| (day.date, day.tally)).collect())
    }

    fn series_at(&self, revision: u64) -> anyhow::Result<SeriesSums> {
        Ok(self.readers.series_at(revision)?)
    }
}
