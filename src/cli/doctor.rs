//! `doctor`: where everything is, what was read, what was not, and why.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use super::output::{Table, bytes, clean, grouped, print, print_json};
use super::request::{self, Target};
use crate::app::AppError;
use crate::config::Settings;
use crate::sources::SOURCES;
use crate::status::{RootStatus, SkipReason, SourceTotals};
use crate::store::{Facts, ItemRow, ItemState, Readers, StoreError};

/// How long the pages of the database are looked at; `db check` looks at all of them.
const CHECK: Duration = Duration::from_secs(5);

/// Everything that was found.
struct Findings {
    roots: Vec<(&'static str, RootStatus)>,
    /// None: it is not made yet.
    history: Option<Result<History, String>>,
    server: Server,
}

struct History {
    facts: Facts,
    items: Vec<ItemRow>,
    sources: Vec<(String, SourceTotals)>,
    size_bytes: u64,
    /// `true`: all pages are sound; `false`: there was no time for all.
    checked: bool,
}

enum Server {
    /// Ours, with what it says of its health.
    Running(Value),
    /// The port is taken by something else.
    Taken(String),
    Free,
}

/// Looks at everything and prints it. The program's verdict: whether nothing is wrong.
pub(super) fn run(settings: &Settings, as_json: bool) -> Result<bool, AppError> {
    let findings = Findings {
        roots: probe(settings)?,
        history: history(settings),
        server: server(Target { address: settings.listen, tls: settings.tls.is_some() }),
    };
    let printed = if as_json { print_json(&findings.json(settings)) } else { print(&findings.text(settings)) };
    printed.map_err(|error| AppError::Other(error.into()))?;
    Ok(findings.is_well())
}

/// Prints the directories with transcripts, one a line. `false`: there is none.
pub(super) fn print_directories(settings: &Settings) -> Result<bool, AppError> {
    let found: Vec<_> = probe(settings)?.into_iter().filter(|(_, root)| root.state == "ok").collect();
    let lines: Vec<String> = found.iter().map(|(_, root)| format!("{}\n", root.path.display())).collect();
    print(&lines.concat()).map_err(|error| AppError::Other(error.into()))?;
    Ok(!found.is_empty())
}

fn probe(settings: &Settings) -> Result<Vec<(&'static str, RootStatus)>, AppError> {
    let mut roots = Vec::new();
    for factory in SOURCES {
        let table = settings.sources.get(factory.kind).cloned().unwrap_or_default();
        let found = (factory.probe)(table, &settings.source_settings())
            .map_err(|reason| AppError::plugin(settings, format!("sources.{}", factory.kind), reason))?;
        roots.extend(found.into_iter().map(|root| (factory.kind, root)));
    }
    Ok(roots)
}

fn history(settings: &Settings) -> Option<Result<History, String>> {
    if !settings.database.exists() {
        return None;
    }
    let readers = Readers::new(&settings.database);
    let read = || -> Result<History, StoreError> {
        Ok(History {
            checked: readers.check_pages(CHECK)?,
            facts: readers.facts()?,
            items: readers.items(&[], ItemState::All, (0, usize::MAX))?.0,
            sources: readers.source_totals()?.into_iter().collect(),
            size_bytes: std::fs::metadata(&settings.database).map_or(0, |meta| meta.len()),
        })
    };
    Some(read().map_err(|error| error.to_string()))
}

fn server(target: Target) -> Server {
    let address = target.address;
    match request::get(target, "/api/v1/health") {
        Ok((_, body)) => match serde_json::from_str::<Value>(&body) {
            Ok(health) if health.get("ready").is_some() => Server::Running(health),
            _ => Server::Taken("something else answers there".to_owned()),
        },
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => match TcpListener::bind(address) {
            Ok(_) => Server::Free,
            Err(error) => Server::Taken(error.to_string()),
        },
        Err(error) => Server::Taken(error.to_string()),
    }
}

impl Findings {
    fn is_well(&self) -> bool {
        let found = self.roots.iter().any(|(_, root)| root.state == "ok");
        let sound = match &self.history {
            None => true,
            Some(Ok(history)) => history.facts.recovered.is_none(),
            Some(Err(_)) => false,
        };
        found && sound && !matches!(self.server, Server::Taken(_))
    }

    fn text(&self, settings: &Settings) -> String {
        use std::fmt::Write;
        let mut text = String::from("Transcripts\n");
        let mut table = Table::new(&[]).right(2);
        for (source, root) in &self.roots {
            table.row(&[
                format!("  {source}"),
                root.path.display().to_string(),
                format!("{} files", grouped(root.files)),
                root.state.clone(),
            ]);
        }
        let mut line = |words: &str| writeln!(text, "{words}").is_ok();
        line(table.to_string().trim_end());
        if !self.roots.iter().any(|(_, root)| root.state == "ok") {
            line("  Nothing was found. Point --data-dir or CLAUDE_DATA_DIR at the directory that holds `projects/`,");
            line("  or look at made-up data with --demo.");
        }
        line("\nHistory");
        line(&format!("  database         {}", settings.database.display()));
        match &self.history {
            None => {
                line("  state            not made yet; `claude-token-monitor` makes it at its first start");
            }
            Some(Err(reason)) => {
                line(&format!("  state            {reason}"));
            }
            Some(Ok(history)) => history.lines(&mut line),
        }
        line("\nServer");
        match &self.server {
            Server::Running(health) => {
                line(&format!("  running          http://{}", settings.listen));
                let word = |pointer: &str| health.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
                line(&format!("  health           {}", word("/status")));
                line(&format!("  watch mode       {}", word("/watch/mode")));
                if let Some(reason) = health.pointer("/watch/reason").and_then(Value::as_str) {
                    line(&format!("  why              {}", clean(reason)));
                }
            }
            Server::Taken(reason) => {
                line(&format!(
                    "  address          {} cannot be used: {reason}; choose another with --listen",
                    settings.listen
                ));
            }
            Server::Free => {
                line(&format!("  not running      {} is free", settings.listen));
            }
        }
        text
    }

    fn json(&self, settings: &Settings) -> Value {
        let roots: Vec<Value> = self
            .roots
            .iter()
            .map(
                |(source, root)| json!({"source": source, "path": root.path, "state": root.state, "files": root.files}),
            )
            .collect();
        let (server, detail) = match &self.server {
            Server::Running(health) => ("running", health.clone()),
            Server::Taken(reason) => ("taken", json!(reason)),
            Server::Free => ("free", Value::Null),
        };
        json!({
            "well": self.is_well(),
            "version": env!("CARGO_PKG_VERSION"),
            "roots": roots,
            "database": match &self.history {
                None => json!({"path": settings.database, "error": "not made yet"}),
                Some(Ok(history)) => history.json(settings),
                Some(Err(reason)) => json!({"path": settings.database, "error": reason}),
            },
            "server": {"address": settings.listen, "state": server, "detail": detail},
        })
    }
}

impl History {
    fn files(&self) -> (usize, usize, usize) {
        let gone = self.items.iter().filter(|item| item.checkpoint.gone_at.is_some()).count();
        let failing = self.items.iter().filter(|item| item.checkpoint.error.is_some()).count();
        (self.items.len(), gone, failing)
    }

    fn lines(&self, line: &mut impl FnMut(&str) -> bool) {
        let (files, gone, failing) = self.files();
        let state = match (&self.facts.recovered, self.checked) {
            (Some(words), _) => format!("recovered: {words}; `db acknowledge` ends this notice"),
            (None, true) => "sound".to_owned(),
            (None, false) => "too large to check here; see `db check`".to_owned(),
        };
        line(&format!("  state            {state}, {}", bytes(self.size_bytes)));
        line(&format!(
            "  responses        {} in {} sessions and {} projects",
            grouped(self.facts.responses),
            grouped(self.facts.sessions),
            grouped(self.facts.projects)
        ));
        line(&format!("  files            {files} known, {gone} deleted since, {failing} unreadable"));
        line(&format!("  price table      {}", self.facts.price_table.as_deref().unwrap_or("none yet")));
        for (name, totals) in &self.sources {
            let tally = &totals.tally;
            line(&format!("\nRead from {name}"));
            line(&format!("  lines            {} ({})", grouped(tally.lines), bytes(tally.bytes)));
            line(&format!(
                "  usage            {} claims, {} responses, {} duplicates merged",
                grouped(tally.claims),
                grouped(totals.new_responses),
                grouped(totals.duplicates)
            ));
            line(&format!("  api errors       {}", grouped(tally.api_errors)));
            let skipped: Vec<String> = SkipReason::ALL
                .into_iter()
                .filter(|reason| tally.skipped[*reason as usize] > 0)
                .map(|reason| format!("{} {}", tally.skipped[reason as usize], reason.name()))
                .collect();
            line(&format!(
                "  skipped          {}",
                if skipped.is_empty() { "nothing".to_owned() } else { skipped.join(", ") }
            ));
            if totals.below_retention > 0 {
                line(&format!("  too old          {} claims, older than what retention keeps", totals.below_retention));
            }
        }
        for item in self.items.iter().filter(|item| item.checkpoint.error.is_some()).take(10) {
            let path = String::from_utf8_lossy(&item.checkpoint.path);
            line(&format!("  cannot read      {}: {}", clean(&path), item.checkpoint.error.as_deref().unwrap_or("")));
        }
        if !self.facts.unpriced.is_empty() {
            line("\nModels without a price (give them one in [[prices]] of the configuration)");
            for model in &self.facts.unpriced {
                line(&format!("  {}  {} tokens", clean(&model.model), grouped(model.tokens)));
            }
        }
    }

    fn json(&self, settings: &Settings) -> Value {
        let (files, gone, failing) = self.files();
        let sources: serde_json::Map<String, Value> = self
            .sources
            .iter()
            .map(|(name, totals)| {
                let tally = &totals.tally;
                let skipped: serde_json::Map<String, Value> = SkipReason::ALL
                    .into_iter()
                    .map(|reason| (reason.name().to_owned(), json!(tally.skipped[reason as usize])))
                    .collect();
                let value = json!({
                    "lines": tally.lines, "bytes": tally.bytes, "claims": tally.claims,
                    "new_responses": totals.new_responses, "duplicates": totals.duplicates,
                    "corrections": totals.corrections, "api_errors": tally.api_errors,
                    "unknown_iterations": tally.unknown_iterations, "estimated_times": tally.estimated_times,
                    "below_retention": totals.below_retention, "skipped": skipped,
                });
                (name.clone(), value)
            })
            .collect();
        json!({
            "path": settings.database, "size_bytes": self.size_bytes, "checked": self.checked, "facts": self.facts,
            "files": files, "gone_files": gone, "failing_files": failing, "sources": sources,
        })
    }
}
