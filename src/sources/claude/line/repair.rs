//! What can be saved of a broken line: padding is cut off, what strict JSON forbids inside it is replaced, and the starts
//! of later records are found in it. Pure over bytes; never decides whether what is left counts.

use memchr::memmem;

/// Whether a file's first bytes say that it is UTF-16, which is no transcript.
pub fn is_utf16(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(&[0xFF, 0xFE]) || first_bytes.starts_with(&[0xFE, 0xFF])
}

/// The line without what may stand around a record: white space, line ends, a byte order mark, and NUL bytes, which a
/// crash of the machine leaves where the file had grown and the data had not arrived.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let start = line.iter().position(|byte| !padding(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !padding(byte)).map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}

/// A copy that a strict parser reads, if the line differs from it: bytes that are not UTF-8 and surrogates without
/// their other half become U+FFFD, control characters become spaces, and numbers that no float holds (`NaN`, `Infinity`,
/// `1e999`) become -1, which is no count, no price and no time. Behind a cut-off record, strings and what stands between
/// them may be taken for each other; no repair breaks either.
pub(super) fn repaired(line: &[u8]) -> Option<Vec<u8>> {
    let mut copy = String::from_utf8_lossy(line).into_owned().into_bytes();
    let mut inside_string = false;
    let mut at = 0;
    while let Some(byte) = copy.get_mut(at) {
        let mut length = 1;
        match *byte {
            b'"' => inside_string = !inside_string,
            0..0x20 => *byte = b' ',
            b'\\' => length = repair_escape(copy.split_at_mut(at).1),
            b'N' | b'I' | b'-' | b'0'..=b'9' if !inside_string => length = repair_number(copy.split_at_mut(at).1),
            _ => {}
        }
        at += length;
    }
    (copy != line).then_some(copy)
}

/// The escape at the start of `text`: how long it is, a whole pair of surrogates counting as one.
fn repair_escape(text: &mut [u8]) -> usize {
    match (surrogate(text), text.get(6..).and_then(surrogate)) {
        (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 12,
        (Some(_), _) => {
            if let Some(digits) = text.get_mut(2..6) {
                digits.copy_from_slice(b"fffd");
            }
            6
        }
        _ => 2,
    }
}

/// The surrogate that is escaped at the start of `text`.
fn surrogate(text: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(text.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..0xE000).contains(unit))
}

/// The number or word at the start of `text`: how long it is.
fn repair_number(text: &mut [u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
    let (number, rest) = text.split_at_mut(length);
    let ends = rest.first().is_none_or(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r'));
    if ends && is_beyond_floats(number) {
        number.fill(b' ');
        number[..2].copy_from_slice(b"-1");
    }
    length
}

fn is_beyond_floats(number: &[u8]) -> bool {
    match number {
        b"NaN" | b"Infinity" | b"-Infinity" => true,
        // No shorter number is too large for a float.
        [b'-' | b'0'..=b'9', _, _, _, _, ..] => {
            std::str::from_utf8(number).is_ok_and(|number| number.parse().is_ok_and(f64::is_infinite))
        }
        _ => false,
    }
}

/// Where records may start after the line's own start, in order. Known by the first member of every kind of line that
/// has been seen; the objects inside a record mostly begin otherwise.
pub(super) fn record_starts(line: &[u8]) -> Vec<usize> {
    const FIRST_MEMBERS: [&[u8]; 12] = [
        b"parentUuid\"",
        b"logicalParentUuid\"",
        b"isSidechain\"",
        b"type\"",
        b"uuid\"",
        b"sessionId\"",
        b"timestamp\"",
        b"cwd\"",
        b"agentId\"",
        b"userType\"",
        b"requestId\"",
        b"message\"",
    ];
    /// A bound on the work that a hostile line can cause.
    const MOST: usize = 64;
    let is_record = |start: &usize| {
        line.get(start + 2..).is_some_and(|rest| FIRST_MEMBERS.iter().any(|member| rest.starts_with(member)))
    };
    let mut starts: Vec<usize> =
        memmem::rfind_iter(line, b"{\"").take_while(|start| *start > 0).filter(is_record).take(MOST).collect();
    starts.reverse();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_cut_off() {
        for line in [
            &b"{}"[..],
            b" {} ",
            b"{}\r",
            b"\r{}\r\r",
            b"\xEF\xBB\xBF{}",
            b"\xEF\xBB\xBF \0{}",
            b"\0\0\0{}\0\0",
            b"\t{}\x0C",
        ] {
            assert_eq!(trim(line), b"{}", "{line:?}");
        }
        for line in [&b""[..], b" ", b"\r", b"\0\0", b"\xEF\xBB\xBF"] {
            assert_eq!(trim(line), b"", "{line:?}");
        }
    }

    fn check(line: &[u8], expected: Option<&str>) {
        let repaired = repaired(line).map(|copy| String::from_utf8(copy).unwrap());
        assert_eq!(repaired.as_deref(), expected, "{}", line.escape_ascii());
    }

    #[test]
    fn what_strict_json_forbids_is_replaced() {
        check(br#"{"a":"b"}"#, None);
        check(b"{\"a\":\"\xFF\"}", Some("{\"a\":\"\u{FFFD}\"}"));
        check(b"{\"a\":\"\0\x01\"}", Some(r#"{"a":"  "}"#));
        check(br#"{"a":"\ud83d"}"#, Some(r#"{"a":"\ufffd"}"#));
        check(br#"{"a":"\ude00"}"#, Some(r#"{"a":"\ufffd"}"#));
        check(br#"{"a":"\ud83d\ud83d\ude00"}"#, Some(r#"{"a":"\ufffd\ud83d\ude00"}"#));
        check(br#"{"a":"\ud83d\ude00"}"#, None);
        check(br#"{"a":"\\ud83d"}"#, None);
        check(br#"{"a":"\ud83"#, None);
        check(br#"{"a":"\"#, None);
        check(br#"{"a":NaN,"b":-Infinity}"#, Some(r#"{"a":-1 ,"b":-1       }"#));
        check(br#"{"a":"NaN","b":-1}"#, None);
        check(br#"{"a":1e999,"b":[-1e999]}"#, Some(r#"{"a":-1   ,"b":[-1    ]}"#));
        check(br#"{"a":1e300,"b":"1e999","c":1e-999}"#, None);
        // Behind a string that was cut off.
        check(br#"{"a":"b{"a":"\ud83d\"NaN"}"#, Some(r#"{"a":"b{"a":"\ufffd\"NaN"}"#));
    }

    #[test]
    fn starts_of_records() {
        assert!(record_starts(br#"{"type":"a"}"#).is_empty());
        assert_eq!(record_starts(br#"{"a":1,"b{"type":2}"#), [9]);
        assert_eq!(record_starts(br#"x{"uuid":1}{"x":2}{"parentUuid":1}"#), [1, 18]);
        assert_eq!(record_starts(&br#"{"type":1}"#.repeat(100)).len(), 64);
    }

    #[test]
    fn utf_16_is_known_by_its_mark() {
        assert!(is_utf16(b"\xFF\xFE{\0"));
        assert!(is_utf16(b"\xFE\xFF\0{"));
        assert!(!is_utf16(b"{\"type\""));
        assert!(!is_utf16(b"\xEF\xBB\xBF{"));
        assert!(!is_utf16(b""));
    }
}
