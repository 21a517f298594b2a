//! `pricing`: what the price table says, and pricing the history again.

use std::sync::Arc;

use serde_json::json;

use super::output::{Table, clean, grouped, print, print_json};
use crate::app::{AppError, open_options, price_table};
use crate::clock::Clock;
use crate::config::Settings;
use crate::event::PicoUsd;
use crate::pricing::{PriceRow, PriceTable};
use crate::store::Store;

fn printed(text: &str) -> Result<(), AppError> {
    print(text).map_err(|error| AppError::Other(error.into()))
}

/// Every row of the table in force.
pub(super) fn list(settings: &Settings, as_json: bool) -> Result<(), AppError> {
    let table = price_table(settings)?;
    show_rows(&table, table.rows().collect(), as_json)
}

/// The rows of one model, in any form that its id is known to have.
pub(super) fn show(settings: &Settings, model: &str, as_json: bool) -> Result<bool, AppError> {
    let table = price_table(settings)?;
    let Some(prices) = table.find(model) else {
        printed(&format!(
            "{} has no price; its tokens are counted and shown as unpriced. Give it one in [[prices]] of the \
             configuration, then run `pricing reprice`\n",
            clean(model)
        ))?;
        return Ok(false);
    };
    show_rows(&table, prices.rows().collect(), as_json)?;
    Ok(true)
}

fn show_rows(table: &PriceTable, rows: Vec<&PriceRow>, as_json: bool) -> Result<(), AppError> {
    if as_json {
        let rows: Vec<_> = rows.into_iter().map(row_json).collect();
        let value = json!({"version": table.version(), "unit": "USD per million tokens", "prices": rows});
        return print_json(&value).map_err(|error| AppError::Other(error.into()));
    }
    let header = ["model", "from", "input", "output", "write 5m", "write 1h", "read", "fast", "US", "long context"];
    let mut lines = (2..9).fold(Table::new(&header), Table::right);
    for row in rows {
        let factor = |multiplier: Option<crate::pricing::Multiplier>| {
            multiplier.map_or_else(|| "-".to_owned(), |multiplier| format!("x{multiplier}"))
        };
        lines.row(&[
            row.model.to_string(),
            row.effective_date.to_string(),
            row.input.to_string(),
            row.output.to_string(),
            row.cache_write_5m.to_string(),
            row.cache_write_1h.to_string(),
            row.cache_read.to_string(),
            factor(row.fast_multiplier),
            factor(row.us_inference_multiplier),
            row.long_context.as_ref().map_or_else(
                || "-".to_owned(),
                |long| format!("> {}: {} in, {} out", grouped(long.threshold), long.input, long.output),
            ),
        ]);
    }
    printed(&format!("{lines}\nUSD per million tokens; price table {}\n", table.version()))
}

fn row_json(row: &PriceRow) -> serde_json::Value {
    json!({
        "model": row.model, "effective_date": row.effective_date.to_string(),
        "input": row.input.to_string(), "output": row.output.to_string(),
        "cache_write_5m": row.cache_write_5m.to_string(), "cache_write_1h": row.cache_write_1h.to_string(),
        "cache_read": row.cache_read.to_string(),
        "fast_multiplier": row.fast_multiplier.map(|multiplier| multiplier.to_string()),
        "us_inference_multiplier": row.us_inference_multiplier.map(|multiplier| multiplier.to_string()),
        "batch_multiplier": row.batch_multiplier.map(|multiplier| multiplier.to_string()),
        "long_context": row.long_context.as_ref().map(|long| json!({
            "threshold": long.threshold, "input": long.input.to_string(), "output": long.output.to_string(),
            "cache_write_5m": long.cache_write_5m.to_string(), "cache_write_1h": long.cache_write_1h.to_string(),
            "cache_read": long.cache_read.to_string(),
        })),
        "confidence": row.confidence.name(), "sources": row.sources, "note": row.note,
    })
}

/// Prices the whole history with the table in force, or tells what that would change.
pub(super) fn reprice(settings: &Settings, clock: &Clock, dry_run: bool) -> Result<(), AppError> {
    let prices = Arc::new(price_table(settings)?);
    let version = prices.version().to_owned();
    let report = Store::open(&open_options(settings, clock), prices)?.store.reprice(dry_run)?;
    let usd = |pico: i128| format!("${:.2}", PicoUsd(pico).usd());
    let verb = if dry_run { "would change" } else { "changed" };
    printed(&format!(
        "{verb} the price of {} of {} responses: {} before, {} by price table {version}. Counters in /metrics never \
         fall; pages and API show the new sum\n",
        grouped(report.changed),
        grouped(report.responses),
        usd(report.usd_before_pico),
        usd(report.usd_after_pico),
    ))
}
