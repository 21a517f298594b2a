//! What a line leaves out and its file knows.

use super::*;

#[test]
fn a_missing_time_is_the_nearest_earlier_one() {
    let timeless = line(r#","timestamp":null"#, "", "");
    let bad = line(r#","timestamp":"yesterday""#, "", "");
    let future = line(r#","timestamp":"2030-01-01T00:00:00.000Z""#, "", "");
    let parsed = parse(&[&timeless, &line("", "", ""), &future, &bad]);
    let times: Vec<i64> = parsed.records.iter().map(|record| record.usage.at.0).collect();
    assert_eq!(times, [NOW.0 - 1000, AT.0, 1_893_456_000_000, AT.0]);
    let flags: Vec<UsageFlags> = parsed.records.iter().map(|record| record.usage.flags).collect();
    let (estimated, odd) = (UsageFlags::ESTIMATED_TIME, UsageFlags::ODD_TIME);
    assert_eq!(flags, [estimated, UsageFlags::default(), odd, estimated]);
    assert_eq!(parsed.tally.estimated_times, 2);
    let unused = line(r#","timestamp":null"#, "", r#","input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0"#);
    assert_eq!(parse(&[unused]).tally.estimated_times, 0);
}

#[test]
fn times_in_other_forms() {
    for time in [
        "\"2026-11-20 10:00:00\"",
        "\"2026-11-20T12:00:00.000+02:00\"",
        "\"2026-11-20T10:00:00.000000001Z\"",
        "1795168800",
        "1795168800000",
        "1795168800000.0",
        "\"1795168800000\"",
    ] {
        let record = &parse(&[line(&format!(r#","timestamp":{time}"#), "", "")]).records[0];
        assert_eq!((record.usage.at, record.usage.flags), (AT, UsageFlags::default()), "{time}");
    }
}

#[test]
fn a_missing_session_is_the_file_s() {
    let text = line(r#","sessionId":null"#, "", "");
    let owner = |path: &str, text: &str| parse_in(&mut file(path), &[text]).records.remove(0).owner;
    let found = owner(&format!("-p/{SESSION}.jsonl"), &text);
    assert_eq!((&*found.session, found.away), (SESSION, false));
    let found = owner(&format!("-p/{SESSION}/subagents/agent-a7.jsonl"), &text);
    assert_eq!(
        (&*found.session, found.away, found.sidechain, found.agent.as_deref()),
        (SESSION, true, true, Some("a7"))
    );
    assert!(owner("-p/notes.jsonl", &text).session.starts_with("unknown:"));
    // The main conversation is nobody's agent, even in an agent's file.
    let main = line(r#","isSidechain":false"#, "", "");
    assert_eq!(owner(&format!("-p/{SESSION}/subagents/agent-a7.jsonl"), &main).agent, None);
    // A line that was copied into another session's file.
    assert!(owner("-p/5f0c1a52-0000-4000-8000-000000000003.jsonl", &line("", "", "")).away);
}

#[test]
fn a_missing_directory_is_the_nearest_earlier_one_or_the_folder_s_name() {
    let homeless = line(r#","cwd":null"#, "", "");
    let parsed = parse(&[&homeless, &line("", "", ""), &homeless]);
    let projects: Vec<&str> = parsed.records.iter().map(|record| &*record.owner.project).collect();
    assert_eq!(projects, ["-home-ana-shop", "/nowhere/shop", "/nowhere/shop"]);
}

#[test]
fn lines_read_one_by_one_say_the_same() {
    let lines = [line("", "", ""), line(r#","timestamp":null,"cwd":null"#, "", ""), line("", "", "")];
    let whole = parse(&lines).records;
    let mut parts = Vec::new();
    let fresh = file(&format!("-home-ana-shop/{SESSION}.jsonl"));
    let mut stored = serde_json::to_string(&fresh).unwrap();
    for line in lines {
        let mut file = fresh.clone().after(&serde_json::from_str(&stored).unwrap());
        parts.extend(parse_in(&mut file, &[line]).records);
        stored = serde_json::to_string(&file).unwrap();
    }
    assert_eq!(parts, whole);
}

#[test]
fn lines_without_usage_lend_their_time_and_directory() {
    let prompt =
        r#"{"type":"user","timestamp":"2026-11-20T09:00:00.000Z","cwd":"/nowhere/prompted","message":{"role":"user"}}"#;
    let bare = line(r#","timestamp":null,"cwd":null"#, "", "");
    let parsed = parse(&[prompt.to_owned(), bare]);
    let [record] = &parsed.records[..] else { panic!("{:?}", parsed.records) };
    assert_eq!((record.first_at.0, &*record.owner.project), (1_795_165_200_000, "/nowhere/prompted"));
    assert!(record.usage.flags.has(crate::event::UsageFlags::ESTIMATED_TIME));
}
