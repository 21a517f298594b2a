//! As much of the query language as it takes to find what an expression asks for.

/// A selector of series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector<'a> {
    pub(super) name: &'a str,
    /// Between the braces.
    pub(super) matchers: &'a str,
    /// Between the brackets.
    pub(super) range: Option<&'a str>,
    /// The function that it is the argument of.
    pub(super) function: &'a str,
}

/// Every selector of a family of ours, or of one that a rule records.
pub(super) fn selectors(expression: &str) -> Vec<Selector<'_>> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = expression.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
        if length == 0 {
            at += match rest.chars().next() {
                Some('"') => quoted(rest),
                Some(c) => c.len_utf8(),
                None => 1,
            };
            continue;
        }
        let (name, after) = rest.split_at(length);
        if ["claude_", "process_"].iter().any(|prefix| name.starts_with(prefix)) || name.contains(":claude_") {
            let (matchers, after) = enclosed(after, '{', '}');
            let (range, _) = enclosed(after, '[', ']');
            let before = expression.get(..at).unwrap_or_default().strip_suffix('(').unwrap_or_default();
            let function = before.rsplit(|c| !part(c)).next().unwrap_or_default();
            found.push(Selector { name, matchers: matchers.unwrap_or_default(), range, function });
            let skipped = matchers.map_or(0, |inside| inside.len() + 2);
            at += length + skipped;
        } else {
            at += length;
        }
    }
    found
}

/// The length of a string at the beginning, quotes included.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What stands between two characters at the beginning, and what comes after.
fn enclosed(text: &str, open: char, close: char) -> (Option<&str>, &str) {
    let Some(inside) = text.strip_prefix(open) else { return (None, text) };
    let mut at = 0;
    while let Some(rest) = inside.get(at..).filter(|rest| !rest.is_empty()) {
        match rest.chars().next() {
            Some('"') => at += quoted(rest),
            Some(c) if c == close => {
                let (inside, after) = inside.split_at(at);
                return (Some(inside), after.get(1..).unwrap_or_default());
            }
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    panic!("{text}: no end")
}

#[test]
fn selectors_are_found() {
    let all = selectors(
        "sum by (claude) (rate(claude_a_total{x=\"}\", y=~\"[a]\"}[5m])) / max(process_b) + job:claude_c:rate5m or \
         absent(claude_d)",
    );
    let selector = |name, matchers, range, function| Selector { name, matchers, range, function };
    assert_eq!(
        all,
        [
            selector("claude_a_total", "x=\"}\", y=~\"[a]\"", Some("5m"), "rate"),
            selector("process_b", "", None, "max"),
            selector("job:claude_c:rate5m", "", None, ""),
            selector("claude_d", "", None, "absent"),
        ]
    );
}
