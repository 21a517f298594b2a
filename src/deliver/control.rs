//! What somebody may ask of sinks while they run: how they do, to pause, to go on, to send again. Every change is stored
//! before it is confirmed, and the sink notices at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::ledger::Ledger;
use super::settings::Start;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::status::SinkReport;
use crate::store::{Resume, StoreError};

/// Cheap to clone.
#[derive(Clone)]
pub struct Control {
    hub: Hub,
    clock: Clock,
    ledger: Ledger,
    deliveries: Arc<BTreeMap<String, Entry>>,
}

/// One delivery that can be told something.
pub(super) struct Entry {
    pub(super) nudge: Arc<Notify>,
    /// It has a cursor.
    pub(super) tracks: bool,
}

/// Why something could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("there is no sink {0}, or it is one that is asked and cannot be told anything")]
    NoSuchSink(String),
    #[error("the sink {0} sends the present totals; there is nothing to send again")]
    NoCursor(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Control {
    pub(super) fn new(hub: Hub, clock: Clock, ledger: Ledger, deliveries: BTreeMap<String, Entry>) -> Self {
        Self { hub, clock, ledger, deliveries: Arc::new(deliveries) }
    }

    /// How every sink is doing, by id.
    pub fn list(&self) -> Vec<SinkReport> {
        self.hub.house().sinks(self.hub.snapshot().revision, self.clock.now().0)
    }

    /// Sends again from somewhere, or goes on somewhere else; also says what to send to a target that has changed.
    pub async fn replay(&self, id: &str, from: Start) -> Result<(), ControlError> {
        let entry = self.entry(id)?;
        if !entry.tracks {
            return Err(ControlError::NoCursor(id.to_owned()));
        }
        let (name, to) = (id.to_owned(), from.resume());
        Self::tell(id, entry, self.ledger.ask(move |store| store.move_delivery(&name, to)).await?)
    }

    /// Sends nothing until [`Control::resume`], also after a restart. What comes meanwhile is kept.
    pub async fn pause(&self, id: &str) -> Result<(), ControlError> {
        self.set_paused(id, true).await
    }

    /// Goes on; a sink that waits before its next try tries at once.
    pub async fn resume(&self, id: &str) -> Result<(), ControlError> {
        self.set_paused(id, false).await
    }

    async fn set_paused(&self, id: &str, paused: bool) -> Result<(), ControlError> {
        let (entry, name) = (self.entry(id)?, id.to_owned());
        Self::tell(id, entry, self.ledger.ask(move |store| store.pause_delivery(&name, paused)).await?)
    }

    fn entry(&self, id: &str) -> Result<&Entry, ControlError> {
        self.deliveries.get(id).ok_or_else(|| ControlError::NoSuchSink(id.to_owned()))
    }

    fn tell(id: &str, entry: &Entry, found: bool) -> Result<(), ControlError> {
        if !found {
            return Err(ControlError::NoSuchSink(id.to_owned()));
        }
        tracing::info!(sink = id, "somebody told the sink what to do");
        entry.nudge.notify_one();
        Ok(())
    }
}

impl Start {
    /// The same for the store.
    pub fn resume(self) -> Resume {
        match self {
            Self::Now => Resume::Head,
            Self::Beginning => Resume::After(0),
            Self::Revision(revision) => Resume::After(revision),
            Self::At(at) => Resume::Since(at),
        }
    }
}
