//! The plugins as the configuration wants them: every section is built once before anything starts.

use std::path::Path;
use std::sync::Arc;

use super::AppError;
use crate::clock::Clock;
use crate::config::{Settings, SystemVars, Vars};
use crate::deliver;
use crate::hub::{Hub, Snapshot, Statuses};
use crate::plugin::{BuildError, Setup, SinkFactory, Wants};
use crate::sinks::SINKS;
use crate::sources::SOURCES;
use crate::supervise::Configured;

/// Every source with its section of the configuration, built once to see that the section works.
pub(super) fn configured_sources(settings: &Settings) -> Result<Vec<Configured>, AppError> {
    let known = || SOURCES.iter().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
    for name in settings.sources.keys() {
        if !SOURCES.iter().any(|factory| factory.kind == name) {
            let section = format!("sources.{name}");
            return Err(AppError::unknown_plugin(settings, section, "source", known()));
        }
    }
    let mut sources = Vec::new();
    for factory in SOURCES {
        let table = settings.sources.get(factory.kind).cloned().unwrap_or_default();
        let source = Configured { factory, table, settings: settings.source_settings(), status: Arc::default() };
        drop(
            (factory.build)(source.table.clone(), &source.settings)
                .map_err(|reason| AppError::plugin(settings, format!("sources.{}", factory.kind), reason))?,
        );
        sources.push(source);
    }
    Ok(sources)
}

/// Every sink that the user wants, checked. Kinds that need no settings are there by themselves.
pub fn configured_sinks(
    settings: &Settings,
    clock: &Clock,
    more: &'static [SinkFactory],
) -> Result<Vec<deliver::Configured>, AppError> {
    let all = || SINKS.iter().chain(more);
    let mut sections = Vec::new();
    for (name, table) in &settings.sinks {
        let mut table = table.clone();
        let kind = match table.remove("type") {
            None => name.clone(),
            Some(toml::Value::String(kind)) => kind,
            Some(other) => other.to_string(),
        };
        let section = format!("sinks.{name}");
        let Some(factory) = all().find(|factory| factory.kind == kind) else {
            let known = all().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
            return Err(AppError::unknown_plugin(settings, section, "type of sink", known));
        };
        sections.push((name.clone(), factory, table));
    }
    let asked = |factory: &SinkFactory| factory.always || (factory.asked)(&setup(settings, clock, factory.kind));
    for factory in all().filter(|factory| asked(factory)) {
        if !sections.iter().any(|(_, present, _)| present.kind == factory.kind) {
            sections.push((factory.kind.to_owned(), factory, toml::Table::new()));
        }
    }
    let mut sinks = Vec::new();
    for (name, factory, mut table) in sections {
        let wrong = |reason| AppError::plugin(settings, format!("sinks.{name}"), reason);
        if !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') || name.is_empty() {
            let words = "a sink's name is made of letters, digits, `-` and `_`: it is a label and a part of a path";
            return Err(wrong(BuildError::Settings(words.to_owned())));
        }
        let enabled = match table.remove("enabled") {
            None => true,
            Some(toml::Value::Boolean(enabled)) => enabled,
            Some(_) => return Err(wrong(BuildError::at("enabled", "`enabled` is true or false"))),
        };
        let sink = deliver::Configured::check(factory, table, setup(settings, clock, &name)).map_err(wrong)?;
        // What is switched off has to be right all the same, or switching it on would stop the program.
        if enabled {
            sinks.push(sink);
        }
    }
    Ok(sinks)
}

/// Where a configured sink sends to.
#[derive(Clone, Debug)]
pub struct SinkTarget {
    pub id: String,
    pub kind: &'static str,
    /// `None`: it is one that is asked.
    pub target: Option<String>,
    /// It has a cursor.
    pub tracks: bool,
}

/// Every delivery that is configured, and every sink without one.
pub fn sink_targets(
    settings: &Settings,
    clock: &Clock,
    more: &'static [SinkFactory],
) -> Result<Vec<SinkTarget>, AppError> {
    let hub = Hub::new(Snapshot::default(), Statuses::default());
    let mut targets = Vec::new();
    for sink in configured_sinks(settings, clock, more)? {
        let (name, kind) = (sink.setup.name.clone(), sink.factory.kind);
        let built = sink.build().map_err(|reason| AppError::plugin(settings, format!("sinks.{name}"), reason))?;
        let parts = built(&hub);
        if parts.deliveries.is_empty() {
            targets.push(SinkTarget { id: name, kind, target: None, tracks: false });
            continue;
        }
        targets.extend(parts.deliveries.iter().map(|made| SinkTarget {
            id: made.id(&sink.setup.name),
            kind,
            target: Some(made.delivery.target()),
            tracks: made.delivery.wants() == Wants::Changes,
        }));
    }
    Ok(targets)
}

/// What a sink may know of the house.
fn setup(settings: &Settings, clock: &Clock, name: &str) -> Setup {
    let base = settings.file.as_deref().and_then(Path::parent).map(Path::to_owned);
    Setup {
        base: base.unwrap_or_default(),
        zone: settings.time_zone.clone(),
        costs: settings.enable_cost,
        env: |name| SystemVars.var(name).and_then(|value| value.into_string().ok()),
        ..Setup::new(name, clock.clone())
    }
}
