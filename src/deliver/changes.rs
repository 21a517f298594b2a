//! A delivery of changes: reads behind its cursor, sends one batch at a time, and moves the cursor once it has arrived.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::queue::Queue;
use super::runner::{Desk, Step, StoredHistory, Tried, Woken, shortened};
use super::settings::Start;
use crate::event::{Change, UnixMillis};
use crate::plugin::{Batch, Outcome};
use crate::status::SinkState;
use crate::store::{Ack, DeliveryState, Leg, Resume};

/// So many changes refused one by one, with none accepted in between, are no accident of the data: giving them all up
/// would throw a history away because of a wrong setting.
const MOST_POISON: u32 = 100;

/// The state of one delivery of changes while it runs.
pub(super) struct Changes<'d, 'r> {
    desk: &'d mut Desk<'r>,
    state: DeliveryState,
    queue: Queue,
    backoff: Backoff,
    pulse: watch::Receiver<u64>,
    /// No more than this goes into a batch; less than the setting after the receiver found that too large.
    most: usize,
    poison: u32,
    /// When the next batch may leave.
    next_start: Instant,
}

/// A loop that only a stop ends.
type Never = std::convert::Infallible;

impl<'d, 'r> Changes<'d, 'r> {
    pub(super) async fn run(desk: &'d mut Desk<'r>, state: DeliveryState) -> Step<Never> {
        let (settings, pulse) = (desk.settings.clone(), desk.runner.hub.pulse());
        let mut changes = Self {
            queue: Queue::default(),
            backoff: Backoff::new(settings.retry_initial, settings.retry_max),
            pulse,
            most: settings.batch_max,
            poison: 0,
            next_start: Instant::now(),
            desk,
            state,
        };
        loop {
            changes.step().await?;
        }
    }

    /// One step: wait for leave, get something to send, or send.
    async fn step(&mut self) -> Step<()> {
        if let Some((state, words)) = self.blocked() {
            self.desk.show(|report| {
                report.state = state;
                if words.is_some() {
                    report.last_error = words;
                }
            });
            return self.wait(None).await.map(drop);
        }
        let Some(cursor) = self.state.revision else { return self.begin().await };
        if self.queue.exhausted().is_some() && !self.read(cursor).await? {
            return Ok(());
        }
        if !self.skip(cursor).await? {
            return Ok(());
        }
        if self.queue.exhausted().is_some() {
            return self.acknowledge(cursor, 0, Vec::new(), 0, false).await;
        }
        self.send(cursor).await
    }

    /// Why nothing may be sent now.
    fn blocked(&self) -> Option<(SinkState, Option<String>)> {
        if self.state.paused {
            return Some((SinkState::Paused, None));
        }
        let (was, is) = (&self.state.target, &self.state.wanted);
        (was != is).then(|| {
            let id = &self.desk.runner.id;
            let words = format!(
                "it used to send to {was} and is now to send to {is}; say what to send there with \
                 `claude-token-monitor sinks replay {id} --from now` (or beginning, or a date)"
            );
            (SinkState::Failed, Some(words))
        })
    }

    /// Waits; after a nudge everything is looked at anew.
    async fn wait(&mut self, time: Option<Duration>) -> Step<Woken> {
        let woken = self.desk.wait(time).await?;
        self.after(woken).await
    }

    async fn after(&mut self, woken: Woken) -> Step<Woken> {
        if woken == Woken::Nudged {
            self.reload().await?;
        }
        Ok(woken)
    }

    /// Takes over what the history says now; what was read for another place is forgotten.
    async fn reload(&mut self) -> Step<()> {
        let id = self.desk.runner.id.clone();
        let runner = self.desk.runner;
        let Some(found) = runner.settle(runner.ledger.ask(move |store| store.delivery(&id))).await? else {
            return Ok(());
        };
        let Some(state) = found else {
            // The database was put aside and begun anew: this delivery is new to it, too.
            let (id, kind, target) = (runner.id.clone(), runner.sink.factory.kind, self.desk.delivery.target());
            let enrolled = runner.ledger.ask(move |store| store.enroll(&id, kind, &target, true));
            if let Some(state) = runner.settle(enrolled).await? {
                self.take_over(state);
            }
            return Ok(());
        };
        self.take_over(state);
        Ok(())
    }

    fn take_over(&mut self, state: DeliveryState) {
        self.queue = Queue::default();
        self.backoff.reset();
        self.poison = 0;
        self.most = self.desk.settings.batch_max;
        self.desk.runner.show_state(&state);
        self.desk.show(|report| report.state = SinkState::Ok);
        self.state = state;
    }

    /// A new delivery gets its cursor. Except from the very beginning it waits for the first catch-up: before that nobody
    /// knows what is old.
    async fn begin(&mut self) -> Step<()> {
        let resume = match self.desk.settings.start {
            Start::Beginning => Resume::After(0),
            Start::Revision(revision) => Resume::After(revision),
            _ if !self.desk.runner.hub.snapshot().ready => {
                self.desk.show(|report| report.state = SinkState::Waiting);
                let woken = self.desk.wait_for_commit(&mut self.pulse).await?;
                return self.after(woken).await.map(drop);
            }
            Start::Now => Resume::Head,
            Start::At(at) => Resume::Since(at),
        };
        let (runner, id) = (self.desk.runner, self.desk.runner.id.clone());
        let moved = runner.ledger.ask(move |store| {
            store.move_delivery(&id, resume)?;
            Ok(())
        });
        runner.settle(moved).await?;
        self.reload().await
    }

    /// Reads what comes next. `false`: there was nothing, or something else has to be done first.
    async fn read(&mut self, cursor: u64) -> Step<bool> {
        if self.state.reach <= cursor {
            self.pulse.borrow_and_update();
            if self.desk.runner.hub.snapshot().revision <= cursor {
                self.desk.show(|report| {
                    report.behind_since = None;
                    if report.failing_since.is_none() {
                        report.state = SinkState::Ok;
                    }
                });
                let woken = self.desk.wait_for_commit(&mut self.pulse).await?;
                self.after(woken).await?;
                return Ok(false);
            }
            let now = self.desk.runner.clock.now().0;
            self.desk.show(|report| {
                let since = report.failing_since.unwrap_or(now);
                report.behind_since.get_or_insert(since);
            });
            let pause = self.next_start.saturating_duration_since(Instant::now());
            if !pause.is_zero() && self.wait(Some(pause)).await? == Woken::Nudged {
                return Ok(false);
            }
            if !self.begin_leg(cursor).await? {
                return Ok(false);
            }
        }
        let runner = self.desk.runner;
        let leg = Leg { base: self.state.base, reach: self.state.reach };
        let most = self.desk.settings.batch_max;
        // This thread is the delivery's own: it may as well wait for the disk itself.
        let page = async { runner.readers.delivery_page(cursor, leg, most) };
        let Some(page) = runner.settle(page).await? else { return Ok(false) };
        self.queue = Queue::new(page);
        if cursor < self.state.replay_until
            && let Some(since) = self.state.since
        {
            let until = self.state.replay_until;
            self.queue.leave_out(|change| change.revision <= until && at(change) < since);
        }
        Ok(true)
    }

    async fn begin_leg(&mut self, cursor: u64) -> Step<bool> {
        let (runner, id, generation) = (self.desk.runner, self.desk.runner.id.clone(), self.state.generation);
        let asked = runner.ledger.ask(move |store| store.begin_leg(&id, generation, cursor));
        match runner.settle(asked).await? {
            Some(Some(reach)) => {
                (self.state.base, self.state.reach) = (cursor, reach);
                Ok(true)
            }
            Some(None) => {
                self.reload().await?;
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Leaves out what the settings say is not worth sending any more. What somebody asked for again is. `false`: the
    /// cursor was moved.
    async fn skip(&mut self, cursor: u64) -> Step<bool> {
        let Some(limits) = self.desk.settings.skip else { return Ok(true) };
        if cursor < self.state.replay_until {
            return Ok(true);
        }
        let runner = self.desk.runner;
        let head = runner.hub.snapshot().revision;
        if let Some(most) = limits.events.filter(|most| head.saturating_sub(cursor) > *most) {
            let surplus = async { runner.readers.surplus(cursor, most) };
            if let Some(Some((until, passed))) = runner.settle(surplus).await? {
                self.queue = Queue::new(crate::store::Page { changes: Vec::new(), until });
                self.queue.dropped = passed;
                self.acknowledge(cursor, 0, Vec::new(), 0, false).await?;
                return Ok(false);
            }
        }
        if let Some(age) = limits.age {
            let oldest = UnixMillis(runner.clock.now().0.saturating_sub(super::runner::millis(age)));
            let dropped = self.queue.leave_out(|change| at(change) < oldest);
            self.queue.dropped += dropped;
        }
        Ok(true)
    }

    /// Sends the next batch and does what its outcome asks for.
    async fn send(&mut self, cursor: u64) -> Step<()> {
        let runner = self.desk.runner;
        let changes = self.queue.batch(self.most).to_vec();
        let sent = changes.len();
        let was_full = sent >= self.most;
        let snapshot = runner.hub.snapshot();
        let history = StoredHistory { readers: &runner.readers, zone: &runner.sink.setup.zone };
        let batch = Batch {
            after: cursor,
            until: self.queue.until_after(sent),
            changes: &changes,
            snapshot: &snapshot,
            replay: cursor < self.state.replay_until,
            now: runner.clock.now(),
            history: &history,
        };
        self.next_start = Instant::now() + if was_full { Duration::ZERO } else { self.desk.settings.interval };
        let outcome = match self.desk.hand_over(&batch).await? {
            Tried::Answered(outcome) => outcome,
            Tried::TimedOut => {
                self.desk.show(|report| report.failures.timeout += 1);
                let why = format!("no answer within {:?}", self.desk.settings.timeout);
                return self.pause(SinkState::Retrying, &why, None).await;
            }
        };
        match outcome {
            Outcome::Acked => self.arrived(cursor, sent, Vec::new(), 0).await,
            Outcome::Partial { rejected, unnamed, why } => {
                self.desk.show(|report| report.failures.rejected += 1);
                let refused = changes.into_iter().filter(|change| rejected.contains(&change.revision));
                let dead: Vec<_> = refused.map(|change| (change, shortened(&why))).collect();
                tracing::warn!(sink = runner.id, refused = dead.len() as u64 + unnamed, why, "refused for good");
                self.arrived(cursor, sent, dead, unnamed).await
            }
            Outcome::Retry { after, why } => {
                self.desk.show(|report| report.failures.retryable += 1);
                self.pause(SinkState::Retrying, &why, after).await
            }
            Outcome::Refused { why } => {
                self.desk.show(|report| report.failures.config += 1);
                self.pause_long(&why).await
            }
            Outcome::Reject { why } => self.refused(cursor, changes, &why).await,
            Outcome::TooLarge { why } => {
                if sent > 1 {
                    self.most = sent.div_ceil(2);
                    return Ok(());
                }
                self.refused(cursor, changes, &why).await
            }
        }
    }

    async fn arrived(&mut self, cursor: u64, sent: usize, dead: Vec<(Change, String)>, unnamed: u64) -> Step<()> {
        self.backoff.reset();
        self.poison = 0;
        self.acknowledge(cursor, sent, dead, unnamed, true).await
    }

    /// A batch was refused for what is in it.
    async fn refused(&mut self, cursor: u64, mut changes: Vec<Change>, why: &str) -> Step<()> {
        self.desk.show(|report| report.failures.rejected += 1);
        if changes.len() > 1 {
            self.queue.refuse(changes.len());
            return Ok(());
        }
        if self.poison >= MOST_POISON {
            let words = format!("it refuses every single change, so nothing more is given up; the last time: {why}");
            return self.pause_long(&words).await;
        }
        self.poison += 1;
        let Some(change) = changes.pop() else { return Ok(()) };
        tracing::warn!(sink = self.desk.runner.id, revision = change.revision, why, "a change was refused for good");
        self.acknowledge(cursor, 1, vec![(change, shortened(why))], 0, false).await
    }

    async fn pause(&mut self, state: SinkState, why: &str, after: Option<Duration>) -> Step<()> {
        let pause = self.backoff.next(after);
        self.desk.note_failure(state, why, pause).await?;
        self.wait(Some(pause)).await.map(drop)
    }

    /// Only somebody can mend it; it may have been mended on the other side.
    async fn pause_long(&mut self, why: &str) -> Step<()> {
        let pause = self.backoff.slowest();
        self.desk.note_failure(SinkState::Failed, why, pause).await?;
        self.wait(Some(pause)).await.map(drop)
    }

    /// Moves the cursor past the next `sent` changes. It is not given up: what has arrived must not be sent again because
    /// the disk is full.
    async fn acknowledge(
        &mut self,
        cursor: u64,
        sent: usize,
        dead: Vec<(Change, String)>,
        unnamed: u64,
        success: bool,
    ) -> Step<()> {
        let runner = self.desk.runner;
        let refused = dead.len() as u64 + unnamed;
        let ack = Ack {
            name: runner.id.clone(),
            generation: self.state.generation,
            from: cursor,
            until: self.queue.until_after(sent),
            delivered: (sent as u64).saturating_sub(refused),
            dropped: self.queue.dropped,
            dead,
            unnamed,
            memo: if success { self.desk.memo() } else { None },
            now: runner.clock.now(),
            success,
        };
        let leg = loop {
            let ack = ack.clone();
            if let Some(answer) = runner.settle(runner.ledger.ask(move |store| store.acknowledge_batch(&ack))).await? {
                break answer;
            }
        };
        let Some(leg) = leg else { return self.reload().await };
        self.queue.finish(sent);
        self.state.revision = Some(ack.until);
        (self.state.base, self.state.reach) = leg;
        if success {
            self.desk.note_success();
        }
        self.desk.show(|report| {
            report.cursor = Some(ack.until);
            report.events += ack.delivered;
            report.dropped_events += ack.dropped;
            report.dead_letters += refused;
        });
        Ok(())
    }
}

/// When the response of a change was made.
fn at(change: &Change) -> UnixMillis {
    change.after.as_ref().or(change.before.as_ref()).map_or(UnixMillis(i64::MAX), |event| event.at)
}
