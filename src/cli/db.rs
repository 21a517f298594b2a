//! `db`: looks after the history file.

use std::path::Path;
use std::sync::Arc;

use super::output::{bytes, grouped, print};
use crate::app::{AppError, open_options, price_table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::event::UnixMillis;
use crate::store::{Readers, Store, StoreError};

fn printed(text: &str) -> Result<(), AppError> {
    print(text).map_err(|error| AppError::Other(error.into()))
}

/// Where the database is.
pub(super) fn path(settings: &Settings) -> Result<(), AppError> {
    printed(&format!("{}\n", settings.database.display()))
}

fn open(settings: &Settings, clock: &Clock) -> Result<Store, AppError> {
    must_exist(settings)?;
    Ok(Store::open(&open_options(settings, clock), Arc::new(price_table(settings)?))?.store)
}

fn must_exist(settings: &Settings) -> Result<(), AppError> {
    if settings.database.exists() {
        return Ok(());
    }
    let reason = "there is no such file; the first start makes it".to_owned();
    Err(StoreError::Unusable { path: settings.database.clone(), reason }.into())
}

/// Looks at every page, row and index. Works beside a running server.
pub(super) fn check(settings: &Settings) -> Result<(), AppError> {
    must_exist(settings)?;
    let readers = Readers::new(&settings.database);
    readers.check_everything()?;
    let facts = readers.facts()?;
    printed(&format!(
        "{} is sound: {} responses, revision {}\n",
        settings.database.display(),
        grouped(facts.responses),
        facts.revision
    ))
}

/// Copies the history to `to`, while it is in use if need be.
pub(super) fn backup(settings: &Settings, to: &Path) -> Result<(), AppError> {
    must_exist(settings)?;
    if to.exists() {
        let words = anyhow::anyhow!("{} exists already; name a new file for the backup", to.display());
        return Err(AppError::Other(words));
    }
    let backup = Readers::new(&settings.database).backup(to)?;
    printed(&format!("copied the history to {} ({}, checked)\n", backup.path.display(), bytes(backup.size_bytes)))
}

/// Removes the detail of responses older than `days`, or tells what that would remove.
pub(super) fn prune(settings: &Settings, clock: &Clock, days: u32, dry_run: bool) -> Result<(), AppError> {
    let report = if dry_run {
        // A look needs no lock, so it works beside a running server.
        must_exist(settings)?;
        Readers::new(&settings.database).foretell_prune(days, clock.now())?
    } else {
        open(settings, clock)?.prune(days, clock.now())?
    };
    let cutoff = jiff::Timestamp::from_millisecond(UnixMillis(report.cutoff_ms).0)
        .map_or_else(|_| report.cutoff_ms.to_string(), |at| at.strftime("%Y-%m-%d").to_string());
    let verb = if dry_run { "would remove" } else { "removed" };
    let held = if report.held == 0 {
        String::new()
    } else {
        format!("; {} more wait for a delivery that has not sent them", grouped(report.held))
    };
    printed(&format!(
        "{verb} the detail of {} responses before {cutoff}{held}; daily sums and totals stay\n",
        grouped(report.responses)
    ))
}

/// Ends the notice that the database had to be recovered.
pub(super) fn acknowledge(settings: &Settings, clock: &Clock) -> Result<(), AppError> {
    let had = open(settings, clock)?.acknowledge()?;
    printed(if had { "the recovery notice is gone\n" } else { "there was nothing to acknowledge\n" })
}
