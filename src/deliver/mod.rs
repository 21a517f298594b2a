//! Sees to it that nothing is lost on the way out: starts every sink, and runs its deliveries behind their cursors.
//!
//! The rules, which no sink can break since no sink does any of this itself: a change is handed over at least once, in the
//! order of revisions, one batch at a time; a cursor moves in SQLite only after the batch has arrived; what passes is
//! tried again without end, with growing random pauses; what is refused is not tried again, but halved down to the one
//! change that is at fault, which is kept as a dead letter; a panic restarts one sink and nothing else; the house's stop
//! waits for nobody for long; and ingest waits for none of it, since what is not yet sent is simply a row in the history.
//!
//! Each delivery has a thread with a runtime of its own: one that blocks holds up neither pages nor siblings.

mod backoff;
mod changes;
mod configured;
mod control;
mod follower;
mod ledger;
mod queue;
mod runner;
mod settings;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{Notify, mpsc};

pub use configured::Configured;
pub use control::{Control, ControlError};
pub use ledger::Ledger;
pub use settings::{DeliverySettings, Limits, OnLag, SHARED_KEYS, Shared, Start, StartFrom};

use crate::clock::Clock;
use crate::hub::Hub;
use crate::plugin::{NamedDelivery, Routes, Stop, Wants};
use crate::status::{SinkReport, SinkRole, SinkStatus};
use crate::store::Readers;
use control::Entry;
use runner::Runner;

/// How long stopping may take. A thread that hangs in the system is left behind.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What sinks work with.
#[derive(Clone)]
pub struct House {
    pub hub: Hub,
    pub readers: Readers,
    pub ledger: Ledger,
    pub clock: Clock,
    pub stop: Stop,
}

/// The sinks while they run.
pub struct Running {
    /// What they serve.
    pub routes: Routes,
    pub control: Control,
    /// Every part that runs has the other end.
    ended: mpsc::Receiver<()>,
}

/// Starts every sink. Call it inside a runtime: followers are tasks of it.
pub fn start(sinks: Vec<Configured>, house: &House) -> anyhow::Result<Running> {
    let (alive, ended) = mpsc::channel(1);
    let (mut routes, mut entries) = (Vec::new(), BTreeMap::new());
    let mut runners = Vec::new();
    for sink in sinks {
        let parts = sink.build()?(&house.hub);
        if parts.deliveries.is_empty() {
            let status = show(house, &sink.setup.name, &sink, SinkRole::Follower);
            if let Some(follower) = parts.follower {
                tokio::spawn(follower::keep_running(follower, sink.clone(), house.clone(), status, alive.clone()));
            }
        }
        routes.extend(parts.routes);
        for made in parts.deliveries {
            let runner = runner(&made, &sink, house);
            let entry = Entry { nudge: Arc::clone(&runner.nudge), tracks: made.delivery.wants() == Wants::Changes };
            entries.insert(runner.id.clone(), entry);
            runners.push((runner, made.delivery));
        }
    }
    let names: Vec<String> = entries.keys().cloned().collect();
    // Not waited for: a full disk must not keep the pages from being served.
    let ledger = house.ledger.clone();
    tokio::spawn(async move {
        if let Err(error) = ledger.ask(move |store| store.release_deliveries_except(&names)).await {
            tracing::debug!(%error, "could not release what former sinks held");
        }
    });
    for (runner, delivery) in runners {
        let alive = alive.clone();
        let name = format!("sink {}", runner.id);
        let life = move || {
            let _alive = alive;
            runner.keep_running(delivery);
        };
        std::thread::Builder::new().name(name).spawn(life).context("starting a sink's thread")?;
    }
    let control = Control::new(house.hub.clone(), house.clock.clone(), house.ledger.clone(), entries);
    Ok(Running { routes, control, ended })
}

impl Running {
    /// Waits, for a short while, until every sink has noticed that the house stops.
    pub async fn stopped(mut self) {
        if tokio::time::timeout(STOP_WITHIN, self.ended.recv()).await.is_err() {
            tracing::warn!("a sink did not stop in time; what it had not delivered is sent again next time");
        }
    }
}

fn show(house: &House, id: &str, sink: &Configured, role: SinkRole) -> Arc<SinkStatus> {
    let status = Arc::new(SinkStatus::new(SinkReport::new(id.to_owned(), sink.factory.kind, role)));
    house.hub.house().add_sink(id.to_owned(), Arc::clone(&status));
    status
}

fn runner(made: &NamedDelivery, sink: &Configured, house: &House) -> Runner {
    let id = made.id(&sink.setup.name);
    let role = match made.delivery.wants() {
        Wants::Changes => SinkRole::Delivery,
        Wants::Snapshot => SinkRole::Snapshots,
    };
    Runner {
        status: show(house, &id, sink, role),
        id,
        part: made.part,
        sink: sink.clone(),
        hub: house.hub.clone(),
        readers: house.readers.clone(),
        ledger: house.ledger.clone(),
        clock: house.clock.clone(),
        nudge: Arc::new(Notify::new()),
        stop: house.stop.clone(),
    }
}

#[cfg(test)]
mod tests;
