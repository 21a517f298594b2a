//! What lines without usage are good for: their time and working directory stand in for those that a later line leaves
//! out. They are looked for at a line's two ends, where Claude Code writes its envelope; the content in between is not
//! looked through.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::json::Scalar;
use super::time;
use crate::event::UnixMillis;

/// How much of each end is looked at.
const END: usize = 1024;

/// The members that are looked for.
pub(super) struct Edges {
    timestamp: Finder<'static>,
    cwd: Finder<'static>,
}

impl Edges {
    pub(super) fn new() -> Self {
        Self { timestamp: Finder::new("\"timestamp\""), cwd: Finder::new("\"cwd\"") }
    }

    pub(super) fn timestamp(&self, line: &[u8]) -> Option<UnixMillis> {
        time::read(&Scalar::Text(text_of(line, &self.timestamp)?))
    }

    pub(super) fn cwd<'l>(&self, line: &'l [u8]) -> Option<Cow<'l, str>> {
        text_of(line, &self.cwd).filter(|cwd| !cwd.is_empty())
    }
}

/// The text of the first such member at the front, else at the back.
fn text_of<'l>(line: &'l [u8], name: &Finder<'_>) -> Option<Cow<'l, str>> {
    let front = &line[..line.len().min(END)];
    let back_start = line.len().saturating_sub(END);
    // A value may reach beyond the end that its name stands in, so it is read from the whole line.
    let places = [name.find(front), name.find(&line[back_start..]).map(|place| back_start + place)];
    places.into_iter().flatten().find_map(|place| text_after(line.get(place + name.needle().len()..)?))
}

/// The string behind a member's name: white space, a colon, white space, a string.
fn text_after(rest: &[u8]) -> Option<Cow<'_, str>> {
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let quoted = rest.strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += memchr::memchr2(b'"', b'\\', quoted.get(end..)?)?;
        if quoted[end] == b'"' {
            break;
        }
        end += 2;
    }
    let (text, quoted) = (&quoted[..end], &rest[..end + 2]);
    if text.contains(&b'\\') {
        return serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned);
    }
    std::str::from_utf8(text).ok().map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_at_both_ends_and_nowhere_else() {
        let check = |line: &str, at: Option<i64>, cwd: Option<&str>| {
            let edges = Edges::new();
            let found = (edges.timestamp(line.as_bytes()), edges.cwd(line.as_bytes()));
            assert_eq!(found, (at.map(UnixMillis), cwd.map(Cow::from)), "{line}");
        };
        let far = "x".repeat(4 * END);
        let time = r#""timestamp":"1970-01-02T00:00:00.000Z""#;
        check(&format!("{{{time}}}"), Some(86_400_000), None);
        check(&format!(r#"{{"cwd" : "/a \"b\"\\c","message":"{far}",{time}}}"#), Some(86_400_000), Some(r#"/a "b"\c"#));
        check(&format!(r#"{{"message":"{far}",{time},"more":"{far}"}}"#), None, None);
        check(r#"{"cwd":null,"timestamp":5}"#, None, None);
        check(r#"{"content":"\"cwd\":\"/quoted\""}"#, None, None);
        check(r#"{"cwd":"/never ends"#, None, None);
        check(r#"{"cwd":"#, None, None);
        check(r#"{"cwd":"\"#, None, None);
        check("", None, None);
    }
}
