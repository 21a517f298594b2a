//! What a response is known by, wherever it is read.

use super::*;

#[track_caller]
fn check(members: &str, message: &str, group: &[&[u8]], variant: &Variant) {
    let parsed = parse(&[line(members, message, "")]);
    let [record] = &parsed.records[..] else { panic!("{:?}", parsed.records) };
    assert_eq!((record.key.group, &record.key.variant), (GroupId::of(group), variant));
}

#[test]
fn is_the_message_id() {
    let group: [&[u8]; 3] = [b"claude", b"m", b"msg_1"];
    check("", "", &group, &Variant::Anchored("req_1".into()));
    for missing in ["null", "\"\"", "5", "{}"] {
        check(&format!(r#","requestId":{missing}"#), "", &group, &Variant::Floating);
    }
    check(r#","isSidechain":true"#, "", &group, &Variant::Floating);
    check(r#","isSidechain":true,"requestId":null"#, "", &group, &Variant::Floating);
}

#[test]
fn of_a_gateway_needs_the_prompt_as_well() {
    let group: [&[u8]; 3] = [b"claude", b"m", b"chatcmpl"];
    let id = r#","id":"chatcmpl""#;
    check("", id, &group, &Variant::Anchored("req_1".into()));
    check(r#","requestId":null"#, id, &group, &Variant::Prompt(3, 0, 9));
    check(r#","requestId":null,"isSidechain":true"#, id, &group, &Variant::Prompt(3, 0, 9));
    check(r#","isSidechain":true"#, id, &group, &Variant::Prompt(3, 0, 9));
}

#[test]
fn falls_back_to_what_there_is() {
    for missing in ["null", "\"\"", "5"] {
        let id = format!(r#","id":{missing}"#);
        check("", &id, &[b"claude", b"r", b"req_1"], &Variant::Floating);
        check(r#","requestId":null"#, &id, &[b"claude", b"u", b"u1"], &Variant::Floating);
    }
    let nothing = r#","requestId":null,"uuid":null"#;
    let numbers: Vec<[u8; 8]> = [3u64, 7, 0, 9].iter().map(|number| number.to_le_bytes()).collect();
    let at = AT.0.to_le_bytes();
    let [input, output, write, read] = &numbers[..] else { panic!() };
    let hash: [&[u8]; 9] = [b"claude", b"h", &at, b"opus", input, output, write, read, SESSION.as_bytes()];
    check(nothing, r#","id":null"#, &hash, &Variant::Floating);
}

/// The same line, in a copy of the file that was written later and has another name.
#[test]
fn does_not_depend_on_the_file() {
    let text =
        line(r#","requestId":null,"uuid":null,"timestamp":null,"sessionId":null,"cwd":null"#, r#","id":null"#, "");
    let mut copy = FileContext { modified_at: UnixMillis(NOW.0 - 5), ..file("-other/copy.jsonl") };
    assert_eq!(parse(&[&text]).records[0].key, parse_in(&mut copy, &[&text]).records[0].key);
}
