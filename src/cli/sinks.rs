//! `sinks`: how deliveries are doing, what was refused, and telling one to pause, to go on or to send again.
//!
//! Looking reads the database, with or without a server. Telling writes to it, which only one process may: while a server
//! runs, it is asked to.

use anyhow::{Context, anyhow, bail};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::args::SinksCommand;
use super::output::{Table, clean, grouped, print, print_json};
use super::request;
use crate::app::{AppError, SinkTarget, open_options, price_table, sink_targets, tokens};
use crate::clock::Clock;
use crate::config::Settings;
use crate::deliver::Start;
use crate::event::UnixMillis;
use crate::plugin::SinkFactory;
use crate::store::{DeliveryState, Readers, Store, StoreError};

/// What a command works with.
struct Desk<'a> {
    settings: &'a Settings,
    clock: &'a Clock,
    targets: Vec<SinkTarget>,
}

/// Does what was asked. `false`: there is nothing.
pub(super) fn run(
    settings: &Settings,
    clock: &Clock,
    more: &'static [SinkFactory],
    command: &SinksCommand,
) -> Result<bool, AppError> {
    let desk = Desk { settings, clock, targets: sink_targets(settings, clock, more)? };
    match command {
        SinksCommand::List { json } => desk.list(*json),
        SinksCommand::DeadLetters { id, limit, json } => desk.dead_letters(id.as_deref(), *limit, *json),
        SinksCommand::Replay { id, from } => {
            let start = parse_start(from, &settings.time_zone)?;
            desk.tell(id, &format!("replay?from={from}"), move |store, id| store.move_delivery(id, start.resume()))
        }
        SinksCommand::Pause { id } => desk.tell(id, "pause", |store, id| store.pause_delivery(id, true)),
        SinksCommand::Resume { id } => desk.tell(id, "resume", |store, id| store.pause_delivery(id, false)),
    }
}

fn parse_start(text: &str, zone: &TimeZone) -> Result<Start, AppError> {
    Start::parse(text, zone).ok_or_else(|| {
        AppError::Other(anyhow!("`{text}` is no start; expected now, beginning, a date like 2026-01-31 or a revision"))
    })
}

/// A row of the list: what the configuration says, what the history knows, or both.
struct Listed<'a> {
    id: &'a str,
    kind: &'a str,
    target: Option<&'a SinkTarget>,
    known: Option<&'a DeliveryState>,
}

impl Listed<'_> {
    /// As the history last knew it: a server that runs may know more.
    fn state(&self) -> &'static str {
        let Some(target) = self.target else { return "not configured" };
        match self.known {
            None if target.target.is_none() => "asked",
            None => "new",
            Some(known) if known.paused => "paused",
            Some(known) if known.tracks && known.target != known.wanted => "failed",
            Some(known) if known.failing_since.is_some() => "failing",
            Some(known) if known.tracks && known.revision.is_none() => "waiting",
            Some(_) => "ok",
        }
    }

    fn behind(&self, head: u64) -> Option<u64> {
        self.known?.revision.map(|revision| head.saturating_sub(revision))
    }
}

impl Desk<'_> {
    fn list(&self, as_json: bool) -> Result<bool, AppError> {
        let (known, head) = self.known()?;
        let mut rows: Vec<Listed<'_>> = self
            .targets
            .iter()
            .map(|target| Listed {
                id: &target.id,
                kind: target.kind,
                target: Some(target),
                known: known.iter().find(|known| known.name == target.id),
            })
            .collect();
        let former = known.iter().filter(|known| !self.targets.iter().any(|target| target.id == known.name));
        rows.extend(former.map(|known| Listed {
            id: &known.name,
            kind: &known.kind,
            target: None,
            known: Some(known),
        }));
        if as_json {
            let rows: Vec<_> = rows.iter().map(|row| json_of(row, head)).collect();
            return printed(print_json(&rows.into()));
        }
        let header = ["ID", "TYPE", "STATE", "BEHIND", "SENT", "REFUSED", "LEFT OUT", "LAST SENT", "TO"];
        let mut table = Table::new(&header).right(3).right(4).right(5).right(6);
        let mut words = String::new();
        for row in &rows {
            let known = row.known.cloned().unwrap_or_default();
            let number = |number: u64| if row.known.is_some() { grouped(number) } else { String::new() };
            let target = row.target.and_then(|target| target.target.clone()).unwrap_or(known.target);
            table.row(&[
                row.id.to_owned(),
                row.kind.to_owned(),
                row.state().to_owned(),
                row.behind(head).map(grouped).unwrap_or_default(),
                number(known.events),
                number(known.dead_letters),
                number(known.dropped),
                known.last_success_at.map(instant).unwrap_or_default(),
                target,
            ]);
            if let Some(error) = &known.last_error {
                words.extend(["\n", &clean(row.id), ": ", &clean(error), "\n"]);
            }
        }
        printed(print(&format!("{table}{words}")))
    }

    fn known(&self) -> Result<(Vec<DeliveryState>, u64), AppError> {
        if !self.settings.database.exists() {
            return Ok((Vec::new(), 0));
        }
        let readers = Readers::new(&self.settings.database);
        Ok((readers.deliveries()?, readers.facts()?.revision))
    }

    fn dead_letters(&self, id: Option<&str>, limit: usize, as_json: bool) -> Result<bool, AppError> {
        let readers = Readers::new(&self.settings.database);
        let letters = if self.settings.database.exists() { readers.dead_letters(id, limit)? } else { Vec::new() };
        if as_json {
            let letters: Vec<_> = letters
                .iter()
                .map(|letter| {
                    let change: serde_json::Value = serde_json::from_str(&letter.change).unwrap_or_default();
                    let id = format!("{:032x}", u128::from_be_bytes(letter.id.0));
                    json!({
                        "sink": letter.name, "revision": letter.revision, "id": id, "at": instant(letter.at),
                        "reason": letter.reason, "change": change,
                    })
                })
                .collect();
            return printed(print_json(&letters.into()));
        }
        if letters.is_empty() {
            printed(print("no sink has refused anything\n"))?;
            return Ok(false);
        }
        let mut table = Table::new(&["SINK", "REVISION", "GIVEN UP", "REASON"]).right(1);
        for letter in letters {
            table.row(&[letter.name, letter.revision.to_string(), instant(letter.at), letter.reason]);
        }
        printed(print(&table.to_string()))
    }

    /// Has something written: by ourselves where no server runs, by the server where one does.
    fn tell(
        &self,
        id: &str,
        path: &str,
        work: impl FnOnce(&mut Store, &str) -> Result<bool, StoreError>,
    ) -> Result<bool, AppError> {
        let Some(target) = self.targets.iter().find(|target| target.id == id) else {
            let known: Vec<&str> = self.deliveries().map(|target| target.id.as_str()).collect();
            return Err(AppError::Other(anyhow!("there is no sink {id}; known: {}", known.join(", "))));
        };
        let Some(to) = &target.target else {
            return Err(AppError::Other(anyhow!("{id} is a sink that is asked; it cannot be told anything")));
        };
        let options = open_options(self.settings, self.clock);
        let mut store = match Store::open(&options, price_table(self.settings)?.into()) {
            Ok(opened) => opened.store,
            Err(StoreError::Locked { .. }) => return self.ask_server(id, path).map_err(AppError::Other),
            Err(error) => return Err(error.into()),
        };
        store.enroll(id, target.kind, to, target.tracks)?;
        let found = work(&mut store, id)?;
        if !found {
            return Err(AppError::Other(anyhow!("{id} sends the present totals; there is nothing to send again")));
        }
        printed(print(&format!("{id}: done; it counts from the next start\n")))
    }

    fn deliveries(&self) -> impl Iterator<Item = &SinkTarget> {
        self.targets.iter().filter(|target| target.target.is_some())
    }

    /// A token for the server, good for a minute, where it lets nobody in without one.
    fn pass(&self) -> anyhow::Result<Option<request::Pass>> {
        if !self.settings.login.password_hash.is_set() {
            return Ok(None);
        }
        let token = tokens(self.settings)?.make(self.clock.now(), 1)?;
        let certificate = self.settings.tls.as_ref().map(|tls| {
            let path = &tls.certificate;
            CertificateDer::from_pem_file(path).with_context(|| format!("reading {}", path.display()))
        });
        Ok(Some(request::Pass { token, certificate: certificate.transpose()? }))
    }

    fn ask_server(&self, id: &str, path: &str) -> anyhow::Result<bool> {
        let listen = self.settings.listen;
        let path = format!("/api/v1/sinks/{id}/{path}");
        let hint = format!(
            "a server uses the database and has to do it: POST http://{listen}{path}, or stop it and say this again"
        );
        let target = request::Target { address: listen, tls: self.settings.tls.is_some() };
        match request::post(target, &path, self.pass()?.as_ref()) {
            Ok((200..=299, _)) => Ok(printed(print(&format!("{id}: done\n")))?),
            Ok((status, body)) => bail!("{hint} (it answered {status}: {})", clean(body.trim())),
            Err(error) => bail!("{hint} (no answer from {listen}: {error})"),
        }
    }
}

fn json_of(row: &Listed<'_>, head: u64) -> serde_json::Value {
    let known = row.known.cloned().unwrap_or_default();
    json!({
        "id": row.id,
        "type": row.kind,
        "state": row.state(),
        "target": row.target.and_then(|target| target.target.clone()),
        "cursor": known.revision,
        "lag_events": row.behind(head),
        "events": known.events,
        "dead_letters": known.dead_letters,
        "dropped_events": known.dropped,
        "last_success_at": known.last_success_at.map(instant),
        "failing_since": known.failing_since.map(instant),
        "last_error": known.last_error,
    })
}

fn instant(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.0}"))
}

fn printed(outcome: std::io::Result<()>) -> Result<bool, AppError> {
    outcome.map(|()| true).map_err(|error| AppError::Other(error.into()))
}
