//! What commands print: text for people, JSON for programs, and nothing at all when nobody reads any more.

use std::io::{self, Write};

/// Writes to standard output. A reader that has gone away (`| head`) is no error: the command is done.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Writes a value as indented JSON. It may be read on a terminal, so that what would steer one is escaped as well, and
/// not only what JSON itself asks for.
pub(super) fn print_json(value: &serde_json::Value) -> io::Result<()> {
    print(&escaped(&format!("{value:#}\n")))
}

/// JSON with characters as `\u009b` that are odd on a terminal: inside its strings, for there are none outside of them.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_odd(c) {
            text.extend(["\\u", &format!("{:04x}", u32::from(c))]);
        } else {
            text.push(c);
        }
    }
    text
}

/// A table without borders: words to the left, numbers to the right, columns two spaces apart.
pub(super) struct Table(comfy_table::Table);

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(comfy_table::ContentArrangement::Disabled);
        if !header.is_empty() {
            table.set_header(header);
        }
        Self(table)
    }

    /// Aligns a column of numbers.
    #[must_use]
    pub(super) fn right(mut self, column: usize) -> Self {
        if let Some(column) = self.0.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        self
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        self.0.add_row(cells.iter().map(|cell| clean(cell)));
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Names come from transcripts: what would move the cursor or colour the terminal is shown as what it is.
pub(super) fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if is_odd(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// Steers a terminal, or turns the order of what follows. All of them are in the basic plane.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits them.
#[expect(clippy::cast_precision_loss, reason = "a rounded figure for people")]
pub(super) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([5, 2_048, 3_145_728].map(bytes), ["5 B", "2.0 KiB", "3.0 MiB"]);
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let name = serde_json::json!({ "a": "\u{9b}31m\u{202e}\u{1b}\n数据" });
        let json = escaped(&format!("{name:#}\n"));
        assert_eq!(json, "{\n  \"a\": \"\\u009b31m\\u202e\\u001b\\n数据\"\n}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).ok(), Some(name));
        assert_eq!(clean("a\x1b[31m\u{202e}b\n数据"), "a\\u{1b}[31m\\u{202e}b\\u{a}数据");
    }
}
