//! The way to the writing connection, for whoever moves cursors.
//!
//! Cursors move on ingest's own connection, between two of its commits, rather than through a second one: SQLite lets one
//! connection write at a time, and whoever meets a lock there waits in steps of milliseconds and without a queue. So a
//! second writer could hold a commit up, and would itself starve during a first read. A move takes ingest some tens of
//! microseconds; a kill between an acknowledgement and its move repeats one batch.

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::oneshot;

use crate::ingest::Job;
use crate::store::{Store, StoreError};

/// Cheap to clone. It outlives a recovery of the database.
#[derive(Clone)]
pub struct Ledger {
    jobs: Sender<Job>,
}

impl Ledger {
    pub fn new(jobs: Sender<Job>) -> Self {
        Self { jobs }
    }

    /// Has something done on the writing connection, and waits for it: as long as the disk is full, if need be.
    pub async fn ask<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |store| match work(store) {
            // Damage is for the spine to recover from; whoever asked is told that there is no answer now.
            Err(damage @ StoreError::Corrupt { .. }) => Err(damage),
            outcome => {
                if reply.send(outcome).is_err() {
                    tracing::debug!("whoever asked for a job on the database is gone");
                }
                Ok(())
            }
        });
        self.jobs.try_send(job).map_err(|error| {
            StoreError::Unavailable(match error {
                TrySendError::Full(_) => "too much is waiting to be written".to_owned(),
                TrySendError::Disconnected(_) => "it is being closed".to_owned(),
            })
        })?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it was closed meanwhile".to_owned())))
    }
}
