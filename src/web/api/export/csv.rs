//! Rows as CSV: [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), with a header, and with nothing in it that a
//! spreadsheet would run.

use std::borrow::Cow;

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::{ExportRow, Level, SumRow};
use crate::web::api::history::HistoryRow;
use crate::web::api::rows::CostParts;
use crate::web::error::ApiError;

const RESPONSE: [&str; 22] = [
    "timestamp",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_creation_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_1h_tokens",
    "cache_read_tokens",
    "total_tokens",
    "web_searches",
    "project",
    "session_id",
    "branch",
    "agent",
    "query_source",
    "kind",
    "speed",
    "service_tier",
    "inference_geo",
    "request_id",
    "id",
    "revision",
];

const SUM: [&str; 16] = [
    "date",
    "start",
    "end",
    "model",
    "project",
    "query_source",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_creation_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_1h_tokens",
    "cache_read_tokens",
    "total_tokens",
    "unpriced_tokens",
    "web_searches",
];

const COST: [&str; 6] =
    ["total_cost", "input_cost", "output_cost", "cache_creation_cost", "cache_read_cost", "web_search_cost"];

/// A piece of the file; the first one begins with the header.
pub(super) fn piece(rows: &[ExportRow], level: Level, costs: bool, first: bool) -> Result<Vec<u8>, ApiError> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .quote_style(QuoteStyle::NonNumeric)
        .from_writer(Vec::with_capacity(rows.len() * 400));
    let written = write(&mut writer, rows, level, costs, first).map_err(|error| error.to_string());
    written.and_then(|()| writer.into_inner().map_err(|error| error.to_string())).map_err(|error| {
        tracing::error!(error, "writing CSV failed");
        ApiError::internal()
    })
}

fn write(
    writer: &mut Writer<Vec<u8>>,
    rows: &[ExportRow],
    level: Level,
    costs: bool,
    first: bool,
) -> Result<(), csv::Error> {
    if first {
        let columns: &[&str] = if level == Level::Raw { &RESPONSE } else { &SUM };
        let money: &[&str] = if costs { &COST } else { &[] };
        writer.write_record(columns.iter().chain(money))?;
    }
    for row in rows {
        match row {
            ExportRow::Response(row) => writer.write_record(response(row))?,
            ExportRow::Sum(row) => writer.write_record(sum(row))?,
        }
    }
    Ok(())
}

fn response(row: &HistoryRow) -> Vec<String> {
    let numbers = [
        row.input_tokens,
        row.output_tokens,
        row.cache_creation_tokens,
        row.cache_creation_5m_tokens,
        row.cache_creation_1h_tokens,
        row.cache_read_tokens,
        row.total_tokens,
        row.web_searches,
    ];
    let names = [
        Some(&*row.project),
        Some(&*row.session_id),
        row.branch.as_deref(),
        row.agent.as_deref(),
        Some(row.query_source),
        Some(row.kind),
        row.speed.as_deref(),
        row.service_tier.as_deref(),
        row.inference_geo.as_deref(),
        row.request_id.as_deref(),
        Some(&*row.id),
    ];
    let mut record = vec![row.timestamp.clone(), text(&row.model)];
    record.extend(numbers.map(|number| number.to_string()));
    record.extend(names.map(|name| text(name.unwrap_or_default())));
    record.push(row.revision.to_string());
    if let (Some(total), Some(parts)) = (row.total_cost, &row.costs) {
        record.extend(money(total, parts.as_ref()));
    }
    record
}

fn sum(row: &SumRow) -> Vec<String> {
    let numbers = [
        row.row.requests,
        row.row.input_tokens,
        row.row.output_tokens,
        row.row.cache_creation_tokens,
        row.row.cache_creation_5m_tokens,
        row.row.cache_creation_1h_tokens,
        row.row.cache_read_tokens,
        row.row.total_tokens,
        row.row.unpriced_tokens,
        row.row.web_searches,
    ];
    let mut record = vec![row.date.clone(), row.start.clone(), row.end.clone(), text(&row.model), text(&row.project)];
    record.push(row.query_source.to_owned());
    record.extend(numbers.map(|number| number.to_string()));
    if let Some(total) = row.row.total_cost {
        record.extend(money(Some(total), row.costs.as_ref()));
    }
    record
}

/// Costs in dollars; empty where there is no price.
fn money(total: Option<f64>, parts: Option<&CostParts>) -> [String; 6] {
    let parts =
        parts.map(|parts| [parts.input, parts.output, parts.cache_creation, parts.cache_read, parts.web_search]);
    let [input, output, writes, reads, searches] = match parts {
        Some(parts) => parts.map(Some),
        None => [None; 5],
    };
    // Twelve decimals are exact, and never in a form with an exponent, which some programs cannot read.
    let shown = |amount: f64| {
        let text = format!("{amount:.12}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    [total, input, output, writes, reads, searches].map(|amount| amount.map_or_else(String::new, shown))
}

/// A name from a transcript. A spreadsheet takes text that begins like a formula for one, wherever the text comes from;
/// behind an apostrophe it is text. See <https://owasp.org/www-community/attacks/CSV_Injection>.
fn text(name: &str) -> String {
    let name: Cow<'_, str> = if name.contains('\0') { name.replace('\0', "\u{fffd}").into() } else { name.into() };
    let begins = name.trim_start_matches([' ', '\u{a0}', '\u{3000}', '\u{feff}']).chars().next();
    let formula =
        matches!(begins, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠' | '|' | '%'));
    if formula { format!("'{name}") } else { name.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_formulas() {
        let check = |name: &str, expected: &str| assert_eq!(text(name), expected);
        check("claude-opus-4-8", "claude-opus-4-8");
        check("/home/me/shop", "/home/me/shop");
        check("", "");
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u{3000}=1", "＝1", "|x", "%x"] {
            check(name, &format!("'{name}"));
        }
        check("a=1", "a=1");
        check("a\0b", "a\u{fffd}b");
    }

    #[test]
    fn money_is_written_in_full() {
        let amounts = money(Some(0.000_000_5), None);
        assert_eq!(amounts, ["0.0000005", "", "", "", "", ""].map(str::to_owned));
        assert_eq!(money(Some(0.0), None)[0], "0");
        assert_eq!(money(Some(1234.5), None)[0], "1234.5");
        assert_eq!(money(None, None)[0], "");
    }

    #[test]
    fn lines_can_be_read_back() {
        let row = SumRow {
            date: "2026-01-06".to_owned(),
            start: "2026-01-06T00:00:00Z".to_owned(),
            end: "2026-01-07T00:00:00Z".to_owned(),
            model: "a \"quoted\", model\r\nwith lines".into(),
            project: "=cmd|' /C calc'!A0".into(),
            query_source: "main",
            row: crate::stats::Row::of(&crate::event::Tally::default(), true),
            costs: None,
        };
        let text = piece(&[ExportRow::Sum(Box::new(row))], Level::Day, true, true).unwrap();
        let mut reader = csv::Reader::from_reader(&text[..]);
        assert_eq!(reader.headers().unwrap().len(), SUM.len() + COST.len());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(&record[3], "a \"quoted\", model\r\nwith lines");
        assert_eq!(&record[4], "'=cmd|' /C calc'!A0");
        assert_eq!(&record[6], "0");
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("\"date\",\"start\",") && text.ends_with("\r\n"), "{text}");
    }
}
