//! The plugins as the configuration wants them: every section is built once before anything starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::AppError;
use crate::config::Settings;
use crate::hub::Hub;
use crate::plugin::Routes;
use crate::sinks::SINKS;
use crate::sources::SOURCES;
use crate::supervise::Configured;

/// Every source with its section of the configuration, built once to see that the section works.
pub(super) fn configured_sources(settings: &Settings) -> Result<Vec<Configured>, AppError> {
    let known = || SOURCES.iter().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
    for name in settings.sources.keys() {
        if !SOURCES.iter().any(|factory| factory.kind == name) {
            let section = format!("sources.{name}");
            return Err(AppError::UnknownPlugin { section, what: "source", known: known() });
        }
    }
    let mut sources = Vec::new();
    for factory in SOURCES {
        let table = settings.sources.get(factory.kind).cloned().unwrap_or_default();
        let source = Configured { factory, table, settings: settings.source_settings(), status: Arc::default() };
        drop(
            (factory.build)(source.table.clone(), &source.settings)
                .map_err(|reason| AppError::Plugin { section: format!("sources.{}", factory.kind), reason })?,
        );
        sources.push(source);
    }
    Ok(sources)
}

/// The sinks' routes. Every kind that needs no settings is there by itself; a section configures it.
pub(super) fn sink_routes(settings: &Settings, hub: &Hub) -> Result<Routes, AppError> {
    let known = || SINKS.iter().map(|factory| factory.kind).collect::<Vec<_>>().join(", ");
    let mut sections: BTreeMap<String, (String, toml::Table)> =
        SINKS.iter().map(|factory| (factory.kind.to_owned(), (factory.kind.to_owned(), toml::Table::new()))).collect();
    for (name, table) in &settings.sinks {
        let mut table = table.clone();
        let kind = match table.remove("type") {
            Some(toml::Value::String(kind)) => kind,
            _ => name.clone(),
        };
        sections.insert(name.clone(), (kind, table));
    }
    let mut routes = Vec::new();
    for (name, (kind, table)) in sections {
        let section = format!("sinks.{name}");
        let Some(factory) = SINKS.iter().find(|factory| factory.kind == kind) else {
            return Err(AppError::UnknownPlugin { section, what: "type of sink", known: known() });
        };
        let sink = (factory.build)(table, hub).map_err(|reason| AppError::Plugin { section, reason })?;
        routes.extend(sink.routes);
    }
    Ok(routes)
}
