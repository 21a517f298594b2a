//! A section of the configuration that was found to work: what it takes to make the sink, again and again.

use crate::hub::{Hub, Snapshot, Statuses, Wishes};
use crate::plugin::{BuildError, BuiltSink, Setup, SinkFactory};

use super::settings::Shared;

/// A sink as the user wants it.
#[derive(Clone)]
pub struct Configured {
    pub factory: &'static SinkFactory,
    /// The sink's own keys.
    pub table: toml::Table,
    /// The keys that all deliveries share.
    pub shared: Shared,
    pub setup: Setup,
    /// What it shows beside totals, and so has to be kept from the start.
    pub wishes: Wishes,
}

impl Configured {
    /// Checks a section: builds it once, and drops what was built.
    pub fn check(factory: &'static SinkFactory, mut table: toml::Table, setup: Setup) -> Result<Self, BuildError> {
        let shared_key = super::settings::SHARED_KEYS.into_iter().find(|key| table.contains_key(*key));
        let shared = Shared::split(&mut table)?;
        let mut sink = Self { factory, table, shared, setup, wishes: Wishes::default() };
        let trial = Hub::new(Snapshot::default(), Statuses::default());
        let parts = sink.build()?(&trial);
        sink.wishes = trial.wishes();
        match shared_key {
            Some(key) if parts.deliveries.is_empty() => {
                let kind = factory.kind;
                Err(BuildError::at(key, format!("`{key}` is for sinks that send; {kind} is one that is asked")))
            }
            _ => Ok(sink),
        }
    }

    /// Makes the sink.
    pub fn build(&self) -> Result<BuiltSink, BuildError> {
        (self.factory.build)(self.table.clone(), &self.setup)
    }
}
