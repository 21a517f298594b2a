//! A delivery of snapshots: sends the present totals now and then. What did not arrive is replaced by the next one.

use std::convert::Infallible;
use std::time::Duration;

use super::backoff::Backoff;
use super::runner::{Desk, Step, StoredHistory, Tried, Woken};
use crate::plugin::{Batch, Outcome};
use crate::status::SinkState;
use crate::store::DeliveryState;

/// Whatever the settings say: somebody who asks for no pause at all would have a processor to pay for it.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// The state of one delivery of snapshots while it runs.
pub(super) struct Snapshots<'d, 'r> {
    desk: &'d mut Desk<'r>,
    state: DeliveryState,
    backoff: Backoff,
}

impl<'d, 'r> Snapshots<'d, 'r> {
    pub(super) async fn run(desk: &'d mut Desk<'r>, state: DeliveryState) -> Step<Infallible> {
        let backoff = Backoff::new(desk.settings.retry_initial, desk.settings.retry_max);
        let mut snapshots = Self { desk, state, backoff };
        loop {
            snapshots.step().await?;
        }
    }

    async fn step(&mut self) -> Step<()> {
        if self.state.paused {
            self.desk.show(|report| report.state = SinkState::Paused);
            return self.wait(None).await;
        }
        let snapshot = self.desk.runner.hub.snapshot();
        if !snapshot.ready {
            self.desk.show(|report| report.state = SinkState::Waiting);
            let mut pulse = self.desk.runner.hub.pulse();
            pulse.mark_unchanged();
            if self.desk.runner.hub.snapshot().ready {
                return Ok(());
            }
            return match self.desk.wait_for_commit(&mut pulse).await? {
                Woken::Nudged => self.reload().await,
                Woken::Due => Ok(()),
            };
        }
        let runner = self.desk.runner;
        let history = StoredHistory { readers: &runner.readers, zone: &runner.sink.setup.zone };
        let (now, revision) = (runner.clock.now(), snapshot.revision);
        let batch = Batch {
            after: revision,
            until: revision,
            changes: &[],
            snapshot: &snapshot,
            replay: false,
            now,
            history: &history,
        };
        let tried = self.desk.hand_over(&batch).await?;
        let pause = self.settle(tried).await?;
        self.wait(Some(pause)).await
    }

    /// Does what the outcome asks for, and says how long to wait before the next snapshot.
    async fn settle(&mut self, tried: Tried) -> Step<Duration> {
        let interval = self.desk.settings.interval.max(LEAST_INTERVAL);
        let (state, why, pause) = match tried {
            Tried::Answered(Outcome::Acked) => {
                self.arrived().await?;
                return Ok(interval);
            }
            // Some of it is shown; that the rest is not, somebody should know.
            Tried::Answered(Outcome::Partial { rejected, unnamed, why }) => {
                self.arrived().await?;
                let refused = rejected.len() as u64 + unnamed;
                let now = self.desk.runner.clock.now().0;
                self.desk.show(|report| {
                    report.failures.rejected += 1;
                    report.dropped_events += refused;
                    report.last_error = Some(why);
                    report.last_error_at = Some(now);
                });
                return Ok(interval);
            }
            Tried::TimedOut => {
                self.desk.show(|report| report.failures.timeout += 1);
                let why = format!("no answer within {:?}", self.desk.settings.timeout);
                (SinkState::Retrying, why, self.backoff.next(None))
            }
            Tried::Answered(Outcome::Retry { after, why }) => {
                self.desk.show(|report| report.failures.retryable += 1);
                (SinkState::Retrying, why, self.backoff.next(after))
            }
            // The same will be refused again; the next one may not be the same.
            Tried::Answered(Outcome::Reject { why } | Outcome::TooLarge { why }) => {
                self.desk.show(|report| report.failures.rejected += 1);
                (SinkState::Retrying, why, interval)
            }
            Tried::Answered(Outcome::Refused { why }) => {
                self.desk.show(|report| report.failures.config += 1);
                (SinkState::Failed, why, self.backoff.slowest())
            }
        };
        self.desk.note_failure(state, &why, pause).await?;
        Ok(pause)
    }

    async fn arrived(&mut self) -> Step<()> {
        self.backoff.reset();
        let memo = self.desk.memo();
        let was_failing = self.state.failing_since.is_some() || {
            let mut failing = false;
            self.desk.show(|report| failing = report.failing_since.is_some());
            failing
        };
        self.desk.note_success();
        self.desk.show(|report| report.events += 1);
        // A write every few seconds for nothing would keep a disk awake.
        if was_failing || memo != self.state.memo {
            let (runner, id, kept) = (self.desk.runner, self.desk.runner.id.clone(), memo.clone());
            let now = runner.clock.now();
            let stored = runner.ledger.ask(move |store| store.acknowledge_snapshot(&id, kept.as_deref(), now));
            if runner.settle(stored).await?.is_some() {
                self.state.memo = memo.or(self.state.memo.take());
                self.state.failing_since = None;
            }
        }
        Ok(())
    }

    async fn wait(&mut self, time: Option<Duration>) -> Step<()> {
        match self.desk.wait(time).await? {
            Woken::Nudged => self.reload().await,
            Woken::Due => Ok(()),
        }
    }

    async fn reload(&mut self) -> Step<()> {
        let (runner, id) = (self.desk.runner, self.desk.runner.id.clone());
        let found = runner.settle(runner.ledger.ask(move |store| store.delivery(&id))).await?;
        if let Some(Some(state)) = found {
            runner.show_state(&state);
            self.desk.show(|report| report.state = SinkState::Ok);
            self.backoff.reset();
            self.state = state;
        }
        Ok(())
    }
}
