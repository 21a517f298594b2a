//! Lines that are broken, padded, doubled or no JSON at all.

use super::*;

#[test]
fn around_a_record_do_not_matter() {
    let record = line("", "", "");
    for text in [
        format!("{record}\r"),
        format!("  {record}  \t"),
        format!("\u{feff}{record}"),
        format!("\0\0\0{record}\0\0"),
        record.replace("\"usage\":{", "\"usage\" : {"),
    ] {
        check(text, PLAIN);
    }
}

#[test]
fn blank_lines_are_no_error() {
    for text in ["", " ", "\r", "\t \r", "\u{feff}"] {
        check(text, "");
    }
}

#[test]
fn nothing_but_nul() {
    check([0u8; 700], "nul_run");
    check(b"\0\0 \0\r", "nul_run");
}

#[test]
fn of_a_wrong_encoding_cost_nothing_but_themselves() {
    let broken = |place: &str, bytes: &[u8]| {
        let text = line(r#","gitBranch":"BRANCH""#, r#","content":"CONTENT""#, "");
        let (before, after) = text.split_once(place).unwrap();
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    for bytes in [&b"\xFF\xC0"[..], b"\\ud83d", b"\\udc00\\ud83d", b"a\0b\x01", b"\x80\x80\\ud83d\0"] {
        check(broken("CONTENT", bytes), PLAIN);
        check(broken("BRANCH", bytes), PLAIN);
    }
    assert_eq!(
        parse(&[broken("BRANCH", b"a\xFFb\\ud83dc")]).records[0].owner.branch.as_deref(),
        Some("a\u{FFFD}b\u{FFFD}c")
    );
}

#[test]
fn of_numbers_that_no_float_holds() {
    let digits = "9".repeat(400);
    for number in ["NaN", "-Infinity", "1e400", "-1e400", &digits] {
        check(line("", "", &format!(r#","input_tokens":{number}"#)), "opus 0/7/0/0/9");
        check(line(&format!(r#","timestamp":{number}"#), "", ""), PLAIN);
        check(line(&format!(r#","x":[{number} ]"#), "", ""), PLAIN);
    }
}

#[test]
fn that_are_no_json() {
    let record = line("", "", "");
    for text in ["not json at all", "{}}", "{", "\"", "{\"a\":1,}", "\u{FFFD}garbage\0\u{1}", "{]", "nul", "{\"usage\""]
    {
        check(text, "malformed");
    }
    for cut in [20, 100, record.len() - 40, record.len() - 1] {
        check(&record.as_bytes()[..cut], "malformed");
    }
    check(format!("{record}}}"), "opus 3/7/0/0/9 + malformed");
    // A long line without usage is looked at only at its ends.
    check(format!("{{\"a\":\"{}", "x".repeat(600)), "malformed");
    check(format!("{{\"a\":\"{}\"}}", "x".repeat(600)), "");
}

#[test]
fn that_are_json_but_no_object() {
    for text in ["123", "[]", "null", "\"usage\"", "[{\"usage\":{}}]", "true", "-1.5e3"] {
        check(text, "not_an_object");
    }
    check(format!("[\"{}\"]", "x".repeat(600)), "not_an_object");
}

#[test]
fn of_two_records_on_one_line() {
    let other = line("", r#","id":"msg_2""#, "");
    let record = line("", "", "");
    let both = "opus 3/7/0/0/9 + opus 3/7/0/0/9";
    check(format!("{record}{other}"), both);
    check(format!("{record}\r{other}"), both);
    check("{\"type\":\"user\"}{\"type\":\"user\"}", "");
}

#[test]
fn of_a_record_behind_the_remains_of_another() {
    let record = line("", "", "");
    let spliced = "opus 3/7/0/0/9 + spliced";
    check(format!("{{\"a\":1,\"b{record}"), spliced);
    check(format!("garbage{record}"), spliced);
    check(format!("\0\0{{\"a\":\"\0\0\0{record}"), spliced);
    for cut in [1, 50, 150, 300, record.len() - 1] {
        check([&record.as_bytes()[..cut], record.as_bytes()].concat(), spliced);
    }
    check(format!("{{\"a\":{record}{record}"), "opus 3/7/0/0/9 + opus 3/7/0/0/9 + spliced");
    check(format!("{record}{{\"a\":{record}"), "opus 3/7/0/0/9 + opus 3/7/0/0/9 + spliced");
    // What has to be repaired is repaired on both sides of the break.
    for branch in ["\\ud83d", "a\0", "\\ud83d\\\" NaN "] {
        let odd = line(&format!(r#","gitBranch":"{branch}""#), r#","content":"NaN Infinity""#, "");
        check(format!("{{\"a\":1,\"b{odd}"), spliced);
        check(format!("{{\"a\":1,\"b\"{odd}"), spliced);
    }
    // What the remains of a line hold inside is no record.
    check(r#"{"uuid":"u1","message":{"content":[{"type":"text","text":"usage"}"#, "malformed");
}

#[test]
fn nested_without_end() {
    for depth in [100, 200, 50_000] {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        check(line(&format!(r#","x":{deep}"#), "", ""), PLAIN);
        check(line("", "", &format!(r#","x":{deep}"#)), PLAIN);
        check(line(&format!(r#","sessionId":{deep}"#), "", ""), PLAIN);
        check("[".repeat(depth), "malformed");
        check(&deep, "not_an_object");
        let iterations = format!("{}1{}", r#"[{"iterations":"#.repeat(depth), "}]".repeat(depth));
        check(line("", "", &format!(r#","iterations":{iterations}"#)), "opus 3/7/0/0/9 + unknown_iteration");
        let objects = format!("{}1{}", r#"{"message":{"usage":"#.repeat(depth), "}}".repeat(depth));
        check(objects, "");
        check(r#"{"data":{"message":"#.repeat(depth), "malformed");
        check(r#"{"type":"#.repeat(depth), "malformed");
    }
}

#[test]
fn of_a_very_long_line() {
    check(line("", &format!(r#","content":"{}""#, "x\\n".repeat(4_000_000)), ""), PLAIN);
}
