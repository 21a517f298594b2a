//! A line of the log: `TIME - ROOM - LEVEL - MESSAGE key=value …`. What comes from outside can neither begin a new line nor
//! move the cursor, colour or turn around what a terminal shows.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines.
pub(super) struct Lines {
    pub(super) colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, rest, target } = fields;
        SystemTime.format_time(&mut writer)?;
        let metadata = event.metadata();
        let level = metadata.level();
        let room = target.as_deref().unwrap_or_else(|| room(metadata.target()));
        let (on, off) = if self.colour { (colour(*level), "\x1b[0m") } else { ("", "") };
        writeln!(writer, " - {room} - {on}{level}{off} - {message}{rest}")
    }
}

/// Our own modules by their room, those of others by their whole name.
fn room(target: &str) -> &str {
    let own = target.strip_prefix("claude_token_monitor::");
    own.map_or(target, |path| path.split("::").next().unwrap_or(path))
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// The parts of an event, harmless.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
    /// What another logging library calls its place in the program.
    target: Option<String>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), &format!("{value:?}"));
    }
}

impl Fields {
    fn take(&mut self, name: &str, value: &str) {
        match name {
            "message" => self.message = escaped(value, false),
            "log.target" => self.target = Some(escaped(value, false)),
            _ if name.starts_with("log.") => {}
            _ => {
                let name = name.strip_prefix("r#").unwrap_or(name);
                let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
                let value = escaped(value, !bare);
                let written =
                    if bare { write!(self.rest, " {name}={value}") } else { write!(self.rest, " {name}=\"{value}\"") };
                written.expect("writing to a string cannot fail");
            }
        }
    }
}

/// The longest value that is written whole, in characters.
const LONGEST: usize = 4_096;

/// Without anything that a terminal or a reader of lines takes for more than a letter.
fn escaped(text: &str, quoted: bool) -> String {
    let mut harmless = String::with_capacity(text.len());
    for letter in text.chars().take(LONGEST) {
        match letter {
            '"' | '\\' if quoted => harmless.extend(['\\', letter]),
            _ if letter.is_control() || is_invisible(letter) => harmless.extend(letter.escape_default()),
            _ => harmless.push(letter),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        harmless.push('…');
    }
    harmless
}

/// Marks that turn the direction of text around, separate lines or take no room.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}'
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What is logged while `log` runs.
    fn logged(colour: bool, log: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Buffer(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Buffer {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Lines { colour }).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_has_time_room_level_and_message() {
        let line = logged(false, || tracing::warn!(count = 7, name = "two words", "said {}", "so"));
        let (time, rest) = line.split_once(" - ").unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(rest, "cli - WARN - said so count=7 name=\"two words\"\n");
        let line = logged(true, || tracing::error!(target: "other::place", "no"));
        assert!(line.ends_with(" - other::place - \u{1b}[31mERROR\u{1b}[0m - no\n"), "{line:?}");
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let names = [
            "a\nb",
            "a\r\n2026-01-01T00:00:00Z - app - INFO - all is well",
            "\u{1b}[2J\u{1b}]0;title\u{7}",
            "\u{9b}31m",
            "\u{202e}gnp.exe\u{2066}",
            "\u{2028}\u{2029}\u{feff}\u{0}",
            "\" level=INFO \\",
            &"x".repeat(10_240),
        ];
        for name in names {
            let error = io::Error::other(name);
            let line = logged(false, || tracing::error!(model = name, %error, debug = ?name, "about {name}"));
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            let harmless = |letter: char| letter == '\n' || !(letter.is_control() || is_invisible(letter));
            assert!(line.chars().all(harmless), "{line:?}");
            assert!(line.len() < 5 * LONGEST);
        }
        let line = logged(false, || tracing::info!(model = "\" level=INFO \\", "x"));
        assert!(line.ends_with("x model=\"\\\" level=INFO \\\\\"\n"), "{line}");
    }
}
