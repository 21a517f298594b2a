//! What all clients share: the present state, and the news as they come. One task compares each snapshot with the one
//! before and writes each message once, for everybody.
//!
//! News are held back while they come faster than is of use to anybody, so that a burst of commits is a few messages
//! with the newest numbers, and never many with old ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use super::client::Patience;
use super::frame::Frame;
use super::message::{ModelRow, ServerMessage, Stamp};
use crate::clock::Clock;
use crate::event::Tally;
use crate::hub::{Guest, Hub, Snapshot};
use crate::stats::{Current, Row, Totals};
use crate::status::WebSocketStatus;

/// How many news a client may be behind before it gets the present state instead.
const QUEUE: usize = 64;

/// When more models than this change at once, clients start over: it is one message rather than many.
const MOST: usize = 20;

/// Time from one message to the next.
const GAP: Duration = Duration::from_millis(50);

/// What a message to one client may cost of that time: with thousands of clients the gaps grow, and there is time left
/// for other things than sending.
const GAP_PER_CLIENT: Duration = Duration::from_micros(40);

/// A message of this size counts once more.
const LARGE: usize = 16 * 1024;

/// No news are held back for longer.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// Shared by all clients.
pub struct Board {
    hub: Hub,
    clock: Clock,
    state: Mutex<State>,
    news: broadcast::Sender<News>,
    pub patience: Patience,
}

/// Something that clients should know. Cheap to clone.
#[derive(Clone, Debug)]
pub enum News {
    /// One model has changed, in this revision.
    Update { model: Arc<str>, revision: u64, frame: Frame },
    /// Start over, with [`Board::present`].
    Anew,
}

#[derive(Default)]
struct State {
    /// Somebody has come, and the task runs.
    running: bool,
    snapshot: Arc<Snapshot>,
    /// From this revision on it is known which models changed when.
    began: u64,
    /// The newest revision in which a model changed, if that was after `began`.
    changed_at: BTreeMap<Arc<str>, u64>,
    /// The present state as a message, once somebody has needed it.
    present: Option<Frame>,
}

/// What a new client gets: everything up to `revision`, and whatever comes after.
pub struct Joined {
    pub greeting: Vec<Frame>,
    pub revision: u64,
    pub news: broadcast::Receiver<News>,
}

impl Board {
    pub fn new(hub: Hub, clock: Clock, patience: Patience) -> Self {
        Self { hub, clock, state: Mutex::default(), news: broadcast::channel(QUEUE).0, patience }
    }

    /// Lets a client in, without a gap between the greeting and the news. The first one starts the task that writes
    /// them, so this needs a runtime.
    pub fn join(self: &Arc<Self>, since: Option<u64>) -> Joined {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.running, true) {
            state.snapshot = self.hub.snapshot();
            state.began = state.snapshot.revision;
            tokio::spawn(Arc::clone(self).write());
        }
        let news = self.news.subscribe();
        let resumed = since.and_then(|since| self.missed(&state, since));
        let greeting = resumed.unwrap_or_else(|| vec![self.present_of(&mut state)]);
        Joined { greeting, revision: state.snapshot.revision, news }
    }

    /// The present state and its revision.
    pub fn present(&self) -> (Frame, u64) {
        let mut state = self.lock();
        (self.present_of(&mut state), state.snapshot.revision)
    }

    /// When and at which revision a message is made.
    pub fn stamp(&self) -> Stamp {
        self.stamp_at(self.lock().snapshot.revision)
    }

    pub fn status(&self) -> &WebSocketStatus {
        &self.hub.house().websocket
    }

    pub fn guest(&self) -> Guest {
        self.hub.guest()
    }

    /// Writes the news until the house closes.
    async fn write(self: Arc<Self>) {
        let mut feed = self.hub.subscribe();
        while feed.next().await.is_some() {
            let weight = self.advance(&self.hub.snapshot());
            if weight > 0 {
                let clients = u32::try_from(self.news.receiver_count()).unwrap_or(u32::MAX);
                let gap = GAP.max(GAP_PER_CLIENT.saturating_mul(clients)).saturating_mul(weight);
                tokio::time::sleep(gap.min(LONGEST_GAP)).await;
            }
        }
    }

    /// Makes `next` the present state and tells everybody what has changed; gives how much that was to tell.
    pub(super) fn advance(&self, next: &Arc<Snapshot>) -> u32 {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.snapshot, Arc::clone(next));
        let restored = next.revision < before.revision;
        let changed = changed(&before, next);
        if restored {
            // A backup has taken the place of a damaged history; what was known of revisions is void.
            state.changed_at.clear();
            state.began = next.revision;
        } else {
            state.changed_at.extend(changed.iter().map(|model| (Arc::clone(model), next.revision)));
        }
        if changed.is_empty() && next.revision == before.revision && next.ready == before.ready {
            return 0;
        }
        state.present = None;
        if self.news.receiver_count() == 0 {
            return 0;
        }
        if restored || next.ready != before.ready || changed.len() > MOST {
            let size = self.present_of(&mut state).bytes().len();
            self.tell(News::Anew);
            return u32::try_from(1 + size / LARGE).unwrap_or(u32::MAX);
        }
        for model in &changed {
            let frame = self.update(next, model);
            self.tell(News::Update { model: Arc::clone(model), revision: next.revision, frame });
        }
        u32::try_from(changed.len()).unwrap_or(u32::MAX)
    }

    /// What a client that has seen `since` has missed; `None` if that is not known any more, or too much.
    fn missed(&self, state: &State, since: u64) -> Option<Vec<Frame>> {
        let snapshot = &state.snapshot;
        if since < state.began || since > snapshot.revision {
            return None;
        }
        let missed: Vec<_> = state.changed_at.iter().filter(|(_, at)| **at > since).map(|(model, _)| model).collect();
        if missed.len() > MOST {
            return None;
        }
        let stamp = self.stamp_at(snapshot.revision);
        let resumed = ServerMessage::Resumed { stamp, since, updates: missed.len() as u64 };
        let updates = missed.into_iter().map(|model| self.update(snapshot, model));
        Some(std::iter::once(Frame::text(&resumed)).chain(updates).collect())
    }

    fn update(&self, snapshot: &Snapshot, model: &Arc<str>) -> Frame {
        let costs = self.hub.shows_costs();
        // A correction may have taken a model's last response away: then it has used nothing.
        let tally = snapshot.models.get(model).copied().unwrap_or_default();
        Frame::text(&ServerMessage::StatsUpdate {
            stamp: self.stamp_at(snapshot.revision),
            data: ModelRow { model: Arc::clone(model), row: Row::of(&tally, costs) },
            totals: Totals::of(snapshot, costs),
        })
    }

    fn present_of(&self, state: &mut State) -> Frame {
        let snapshot = Arc::clone(&state.snapshot);
        let write = || {
            let data = Current::of(&snapshot, self.hub.shows_costs());
            Frame::text(&ServerMessage::InitialData { stamp: self.stamp_at(snapshot.revision), data })
        };
        state.present.get_or_insert_with(write).clone()
    }

    fn tell(&self, news: News) {
        if self.news.send(news).is_err() {
            // The last client has just left.
        }
    }

    fn stamp_at(&self, revision: u64) -> Stamp {
        Stamp::new(self.clock.now(), revision)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The models whose numbers are not the same.
fn changed(before: &Snapshot, next: &Snapshot) -> Vec<Arc<str>> {
    let tally =
        |snapshot: &Snapshot, model: &Arc<str>| -> Tally { snapshot.models.get(model).copied().unwrap_or_default() };
    let models: BTreeSet<&Arc<str>> = before.models.keys().chain(next.models.keys()).collect();
    models.into_iter().filter(|model| tally(before, model) != tally(next, model)).map(Arc::clone).collect()
}

#[cfg(test)]
mod tests;
