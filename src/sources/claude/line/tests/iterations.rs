//! Calls to models inside a response.

use super::*;

#[test]
fn only_two_kinds_are_billed_beside_the_response() {
    check(
        line(
            "",
            "",
            r#","iterations":[{"type":"message","input_tokens":3,"output_tokens":7},{"type":"fallback_message","output_tokens":7},{"type":"advisor_message","model":"fable","input_tokens":5,"output_tokens":6},{"type":"compaction","input_tokens":180000,"output_tokens":3500}]"#,
        ),
        "opus 3/7/0/0/9 + fable 5/6/0/0/0 + opus 180000/3500/0/0/0",
    );
}

#[test]
fn have_an_identity_of_their_own_below_the_response() {
    let usage = r#","speed":"fast","service_tier":"standard","iterations":[{"type":"advisor_message","model":"fable","output_tokens":6},{"type":"compaction","output_tokens":1,"speed":"slow"}]"#;
    let parsed = parse(&[line(r#","requestId":null"#, r#","id":"chatcmpl","stop_reason":"end_turn""#, usage)]);
    let [response, advisor, compaction] = &parsed.records[..] else { panic!("{:?}", parsed.records) };
    let parent = response.key.group.0;
    assert_eq!(advisor.key.group, GroupId::of(&[&parent, b"advisor", &0u64.to_le_bytes()]));
    assert_eq!(compaction.key.group, GroupId::of(&[&parent, b"compaction", &1u64.to_le_bytes()]));
    assert_eq!(response.key.variant, Variant::Prompt(3, 0, 9));
    assert_eq!(advisor.key.variant, Variant::Prompt(0, 0, 0));
    assert_eq!((&advisor.usage.speed, &advisor.usage.tier), (&None, &None));
    assert_eq!(compaction.usage.speed.as_deref(), Some("slow"));
    assert_eq!((advisor.usage.kind, compaction.usage.kind), (ResponseKind::Advisor, ResponseKind::Compaction));
    assert!(advisor.usage.finished && advisor.owner == response.owner && advisor.first_at == AT);
}

#[test]
fn of_odd_shapes() {
    let check =
        |iterations: &str, expected: &str| check(line("", "", &format!(r#","iterations":{iterations}"#)), expected);
    check("null", PLAIN);
    check("{}", PLAIN);
    check("5", PLAIN);
    check("[]", PLAIN);
    check(r#"[{"type":"advisor_message","model":null,"output_tokens":6}]"#, "opus 3/7/0/0/9 + unknown 0/6/0/0/0");
    check(r#"[{"type":"advisor_message","output_tokens":6}]"#, "opus 3/7/0/0/9 + unknown 0/6/0/0/0");
    check(r#"[{"type":"advisor_message","model":"fable","output_tokens":0}]"#, PLAIN);
    check(r#"[{"type":"advisor_message","model":"<synthetic>","output_tokens":6}]"#, PLAIN);
    check(r#"[{"type":"compaction","output_tokens":1e12}]"#, "opus 3/7/0/0/9 + implausible");
    check(r#"[{"type":"dream","output_tokens":6}]"#, "opus 3/7/0/0/9 + unknown_iteration");
    check(r#"[null,{"output_tokens":6}]"#, "opus 3/7/0/0/9 + unknown_iteration + unknown_iteration");
    check(
        r#"[{"type":"advisor_message","model":"fable","output_tokens":6,"iterations":[{"type":"compaction","output_tokens":6}]}]"#,
        "opus 3/7/0/0/9 + fable 0/6/0/0/0",
    );
}

#[test]
fn are_billed_even_if_the_response_is_empty() {
    check(
        line(
            "",
            "",
            r#","input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,"iterations":[{"type":"advisor_message","model":"fable","output_tokens":6}]"#,
        ),
        "fable 0/6/0/0/0",
    );
}

#[test]
fn are_bounded() {
    let many = vec![r#"{"type":"advisor_message","output_tokens":6}"#; 5000].join(",");
    assert_eq!(parse(&[line("", "", &format!(r#","iterations":[{many}]"#))]).records.len(), 257);
}
