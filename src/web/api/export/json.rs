//! Rows as one JSON array, piece by piece.

use super::ExportRow;

pub(super) const EXAMPLE: &str = r#"[{"date": "2026-01-06", "start": "2026-01-06T00:00:00Z",
    "end": "2026-01-07T00:00:00Z", "model": "claude-opus-4-8", "project": "/home/me/shop", "query_source": "main",
    "input_tokens": 1000, "output_tokens": 500, "cache_creation_tokens": 200, "cache_creation_5m_tokens": 200,
    "cache_creation_1h_tokens": 0, "cache_read_tokens": 800, "total_tokens": 2500, "total_cost": 0.01915, "requests": 1,
    "unpriced_tokens": 0, "cache_hit_rate": 0.4444444444444444, "web_searches": 0,
    "costs": {"input": 0.005, "output": 0.0125, "cache_creation": 0.00125, "cache_creation_5m": 0.00125,
        "cache_creation_1h": 0.0, "cache_read": 0.0004, "web_search": 0.0, "unexplained": 0.0}}]"#;

/// The piece of the array that these rows are.
pub(super) fn piece(rows: &[ExportRow], first: bool, last: bool) -> String {
    let mut text = String::with_capacity(rows.len() * 700 + 8);
    text.push_str(if first { "[" } else { "" });
    for (place, row) in rows.iter().enumerate() {
        text.push_str(if first && place == 0 { "\n" } else { ",\n" });
        text.push_str(&serde_json::to_string(row).expect("rows are maps with string keys"));
    }
    text.push_str(if last { "\n]\n" } else { "" });
    text
}
