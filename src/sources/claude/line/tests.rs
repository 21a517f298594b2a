//! Whole lines, well formed and otherwise, through the parser's one door.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::{GroupId, Owner, ResponseKind, TokenCounts, UsageFlags, Variant, WebUse};
use crate::merge;

const SESSION: &str = "5f0c1a52-0000-4000-8000-000000000002";
/// 2026-11-23T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_392_000_000);
/// 2026-11-20T10:00:00Z, the time of [`line`].
const AT: UnixMillis = UnixMillis(1_795_168_800_000);

fn file(path: &str) -> FileContext {
    let projects = Path::new("/data/projects");
    FileContext::new(projects, &projects.join(path), UnixMillis(NOW.0 - 1000))
}

fn parse_in<L: AsRef<[u8]>>(file: &mut FileContext, lines: &[L]) -> Parsed {
    let mut parser = Parser::new(ProjectFolder::new(None), NOW);
    let mut out = Parsed::default();
    for line in lines {
        parser.line(line.as_ref(), file, &mut out);
    }
    out
}

fn parse<L: AsRef<[u8]>>(lines: &[L]) -> Parsed {
    parse_in(&mut file(&format!("-home-ana-shop/{SESSION}.jsonl")), lines)
}

/// A main-thread response. Members that are given come after the default ones, and so replace them.
fn line(members: &str, message: &str, usage: &str) -> String {
    format!(
        r#"{{"type":"assistant","uuid":"u1","sessionId":"{SESSION}","timestamp":"2026-11-20T10:00:00.000Z","cwd":"/nowhere/shop","requestId":"req_1"{members},"message":{{"id":"msg_1","model":"opus","content":[],"stop_reason":null,"usage":{{"input_tokens":3,"output_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":9{usage}}}{message}}}}}"#
    )
}

/// What a line gave, on one line: `model input/output/5m/1h/read` of each claim, then what was counted otherwise.
fn summary(parsed: &Parsed) -> String {
    let claims = parsed.records.iter().map(|record| {
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = record.usage.tokens;
        format!("{} {input}/{output}/{cache_write_5m}/{cache_write_1h}/{cache_read}", record.usage.model)
    });
    let skips = SkipReason::ALL.iter().zip(parsed.tally.skipped);
    let skips = skips.flat_map(|(reason, count)| (0..count).map(|_| reason.name().to_owned()));
    let errors = (0..parsed.tally.api_errors).map(|_| "api_error".to_owned());
    let unknown = (0..parsed.tally.unknown_iterations).map(|_| "unknown_iteration".to_owned());
    claims.chain(skips).chain(errors).chain(unknown).collect::<Vec<_>>().join(" + ")
}

#[track_caller]
fn check(line: impl AsRef<[u8]>, expected: &str) {
    let parsed = parse(&[line.as_ref()]);
    assert_eq!(summary(&parsed), expected, "{}", line.as_ref().escape_ascii());
    assert_eq!((parsed.tally.lines, parsed.tally.claims), (1, parsed.records.len() as u64));
}

const PLAIN: &str = "opus 3/7/0/0/9";

/// Every kind of line at once: an old response, one in three growing lines that is replayed as a side question, fast
/// mode with web searches, an advisor, a sub-agent that a progress line repeats, and five lines without usage.
fn example() -> Vec<String> {
    let response = |members: &str, at: &str, id: u32, model: &str, usage: &str| {
        let (members, request) = match members.split_once('|') {
            Some((members, request)) => (members, request.to_owned()),
            None => (members, format!("req_{id}")),
        };
        format!(
            r#"{{"isSidechain":false{members},"cwd":"/nowhere/shop","sessionId":"{SESSION}","type":"assistant","timestamp":"{at}","requestId":"{request}","message":{{"id":"msg_{id}","role":"assistant","model":"{model}","content":[{{"type":"text","text":"PRIVATE"}}],"usage":{{{usage}}}}}}}"#
        )
    };
    let tokens = |input: u32, write: u32, read: u32, output: u32| {
        format!(
            r#""input_tokens":{input},"cache_creation_input_tokens":{write},"cache_read_input_tokens":{read},"output_tokens":{output}"#
        )
    };
    let (opus, sonnet, haiku) = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5");
    let hour =
        r#","cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":5200},"speed":"standard""#;
    let growing = |output| tokens(3, 5200, 88_000, output) + hour;
    let sub_agent = r#","isSidechain":true,"agentId":"a1b2c3""#;
    let advisor = r#","iterations":[{"type":"message","model":null,"input_tokens":20,"output_tokens":300},{"type":"advisor_message","model":"claude-fable-5-1","input_tokens":41000,"output_tokens":900}]"#;
    let fast =
        r#","server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},"speed":"fast","inference_geo":"us""#;
    let wrapped = response(sub_agent, "2026-11-21T00:03:00.000Z", 5, haiku, &tokens(5, 14_000, 0, 80));
    vec![
        response("", "2025-06-20T09:15:00.120Z", 1, "claude-sonnet-4-20250514", &tokens(4, 1200, 9000, 64)),
        response("", "2026-11-20T23:59:59.800Z", 2, opus, &growing(1)),
        response("", "2026-11-21T00:00:02.100Z", 2, opus, &growing(1)),
        response("", "2026-11-21T00:00:03.900Z", 2, opus, &growing(412)),
        response("", "2026-11-21T00:01:00.000Z", 3, opus, &(tokens(10, 0, 93_200, 700) + fast)),
        response("", "2026-11-21T00:02:00.000Z", 4, sonnet, &(tokens(20, 0, 40_000, 300) + advisor)),
        wrapped.clone(),
        response(
            r#","isSidechain":true,"agentId":"aside"|req_999"#,
            "2026-11-21T00:04:00.000Z",
            2,
            opus,
            &tokens(3, 5200, 88_000, 412),
        ),
        response(r#","isApiErrorMessage":true"#, "2026-11-21T00:05:00.000Z", 6, "<synthetic>", &tokens(0, 0, 0, 0))
            .replace("PRIVATE", "Claude AI usage limit reached|1795402800"),
        r#"{"type":"summary","summary":"PRIVATE","leafUuid":"b3"}"#.to_owned(),
        format!(
            r#"{{"type":"progress","uuid":"f1","timestamp":"2026-11-21T00:03:00.100Z","sessionId":"{SESSION}","data":{{"type":"agent_progress","agentId":"a1b2c3","message":{wrapped}}}}}"#
        ),
        format!(r#"{{"type":"cost-state","sessionId":"{SESSION}","totalCostUSD":0.31,"modelUsage":{{}}}}"#),
        format!(
            r#"{{"type":"user","sessionId":"{SESSION}","message":{{"role":"user","content":"PRIVATE"}},"toolUseResult":{{"usage":{{{}}}}}}}"#,
            tokens(5, 14_000, 0, 80)
        ),
    ]
}

/// What the store makes of claims: variants of a message id, each merged, then told apart.
fn responses(records: Vec<UsageRecord>) -> BTreeMap<GroupId, UsageRecord> {
    let mut groups: BTreeMap<GroupId, BTreeMap<Variant, UsageRecord>> = BTreeMap::new();
    for record in records {
        let variants = groups.entry(record.key.group).or_default();
        match variants.get_mut(&record.key.variant) {
            Some(known) => known.merge(record),
            None => {
                variants.insert(record.key.variant.clone(), record);
            }
        }
    }
    groups.into_iter().flat_map(|(group, variants)| merge::resolve(group, variants.into_values().collect())).collect()
}

#[test]
fn the_example_is_six_responses() {
    let parsed = parse(&example());
    let LineTally { lines, claims, api_errors, unknown_iterations, estimated_times, skipped, bytes: _ } = parsed.tally;
    assert_eq!((lines, claims, api_errors), (13, 10, 1));
    assert_eq!((unknown_iterations, estimated_times, skipped), (0, 0, [0; 7]));
    assert_eq!(parsed.limit_reset_at, Some(UnixMillis(1_795_402_800_000)));
    let [cost] = &parsed.reported_costs[..] else { panic!("{:?}", parsed.reported_costs) };
    assert_eq!((&*cost.session, cost.usd), (SESSION, 0.31));

    let responses = responses(parsed.records);
    assert_eq!(responses.len(), 6);
    assert_eq!(responses.values().map(|response| response.usage.tokens.output).sum::<u64>(), 2456);
    let grown = &responses[&GroupId::of(&[b"claude", b"m", b"msg_2"])];
    assert_eq!(
        grown.usage.tokens,
        TokenCounts { input: 3, output: 412, cache_write_5m: 0, cache_write_1h: 5200, cache_read: 88_000 }
    );
    // The day is the first line's, the owner is the conversation and not the side question.
    assert_eq!(grown.first_at, UnixMillis(1_795_219_199_800));
    assert!(!grown.owner.sidechain);
    let advisor = responses.values().find(|response| response.usage.kind == ResponseKind::Advisor).unwrap();
    assert_eq!((&*advisor.usage.model, advisor.usage.tokens.prompt()), ("claude-fable-5-1", 41_000));
}

#[test]
fn a_line_says_all_of_this() {
    let text = line(
        r#","gitBranch":"main","agentId":"a1""#,
        r#","stop_reason":"end_turn""#,
        r#","cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"service_tier":"standard","speed":"fast","inference_geo":"us","server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}"#,
    );
    let parsed = parse(&[text]);
    let [record] = &parsed.records[..] else { panic!("{:?}", parsed.records) };
    assert_eq!(record.key.group, GroupId::of(&[b"claude", b"m", b"msg_1"]));
    assert_eq!(record.key.variant, Variant::Anchored("req_1".into()));
    assert_eq!(
        record.owner,
        Owner {
            sidechain: false,
            at: AT,
            away: false,
            session: SESSION.into(),
            project: "/nowhere/shop".into(),
            branch: Some("main".into()),
            agent: Some("a1".into()),
        }
    );
    assert_eq!(record.first_at, AT);
    assert_eq!(
        record.usage,
        crate::event::Usage {
            kind: ResponseKind::Message,
            at: AT,
            model: "opus".into(),
            tokens: TokenCounts { input: 3, output: 7, cache_write_5m: 10, cache_write_1h: 20, cache_read: 9 },
            has_split: true,
            finished: true,
            web: Some(WebUse { searches: 2, fetches: 1 }),
            speed: Some("fast".into()),
            tier: Some("standard".into()),
            geo: Some("us".into()),
            request_id: Some("req_1".into()),
            flags: UsageFlags::default(),
        }
    );
}

mod identity {
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
}

mod iterations {
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
        check(r#"[{"type":"compaction","output_tokens":1e30}]"#, "opus 3/7/0/0/9 + implausible");
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
}

mod progress {
    use super::*;

    fn wrap(outer: &str, data: &str, inner: &str) -> String {
        format!(
            r#"{{"type":"progress","uuid":"f1","sessionId":"outer","timestamp":"2026-11-20T11:00:00.000Z","cwd":"/outer","requestId":"req_outer"{outer},"data":{{"type":"agent_progress"{data},"message":{{{inner}"message":{{"id":"msg_1","model":"opus","usage":{{"output_tokens":7}}}}}}}}}}"#
        )
    }

    #[test]
    fn says_what_the_wrapped_line_says() {
        let inner = r#""timestamp":"2026-11-20T10:00:00.000Z","isSidechain":true,"requestId":"req_1","sessionId":"inner","cwd":"/inner","agentId":"a1","gitBranch":"main","#;
        let record = &parse(&[wrap("", "", inner)]).records[0];
        assert_eq!(record.key.group, GroupId::of(&[b"claude", b"m", b"msg_1"]));
        assert_eq!((record.usage.at, record.usage.request_id.as_deref()), (AT, Some("req_1")));
        let Owner { sidechain, session, project, branch, agent, .. } = &record.owner;
        assert_eq!((*sidechain, &**session, &**project), (true, "inner", "/inner"));
        assert_eq!((branch.as_deref(), agent.as_deref()), (Some("main"), Some("a1")));
    }

    #[test]
    fn fills_in_what_the_wrapped_line_leaves_out() {
        let record = &parse(&[wrap(r#","isSidechain":false"#, r#","agentId":"a2""#, "")]).records[0];
        let Owner { sidechain, session, project, agent, .. } = &record.owner;
        assert_eq!((*sidechain, &**session, &**project), (true, "outer", "/outer"));
        assert_eq!((agent.as_deref(), record.usage.request_id.as_deref()), (Some("a2"), Some("req_outer")));
        assert_eq!(record.usage.at, UnixMillis(AT.0 + 3_600_000));
        // Nobody says that an agent is at work.
        assert!(!parse(&[wrap(r#","isSidechain":false"#, "", "")]).records[0].owner.sidechain);
    }

    #[test]
    fn of_odd_shapes() {
        for data in ["null", "5", "[]", r#""x""#, r#"{"message":null}"#, r#"{"message":{"message":"x"}}"#] {
            check(format!(r#"{{"type":"progress","x":{{"usage":5}},"data":{data}}}"#), "");
        }
    }
}

mod bytes {
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
    fn that_are_no_json() {
        let record = line("", "", "");
        for text in
            ["not json at all", "{}}", "{", "\"", "{\"a\":1,}", "\u{FFFD}garbage\0\u{1}", "{]", "nul", "{\"usage\""]
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
}

mod members {
    use super::*;

    #[test]
    fn may_be_null_or_of_any_type() {
        for value in ["null", "5", "-5", "1.5", "true", "\"\"", "[1]", "{\"a\":1}"] {
            for name in [
                "type",
                "uuid",
                "sessionId",
                "agentId",
                "requestId",
                "timestamp",
                "cwd",
                "gitBranch",
                "isSidechain",
                "isApiErrorMessage",
                "data",
                "costUSD",
                "totalCostUSD",
                "version",
                "toolUseResult",
            ] {
                check(line(&format!(r#","{name}":{value}"#), "", ""), PLAIN);
            }
            for name in ["id", "role", "stop_reason", "content", "container"] {
                check(line("", &format!(r#","{name}":{value}"#), ""), PLAIN);
            }
            for name in ["service_tier", "speed", "inference_geo", "cache_creation", "server_tool_use", "iterations"] {
                let text = line("", "", &format!(r#","{name}":{value}"#));
                assert_eq!(parse(&[&text]).records.len(), 1, "{text}");
            }
        }
        check(line("", r#","content":[{"type":"tool_use","id":null,"model":null,"input":{"id":null}}]"#, ""), PLAIN);
    }

    #[test]
    fn usage_of_other_types_is_no_usage() {
        for usage in ["null", "[]", "[1]", "\"usage\"", "5", "true", "{}", r#"{"x":1}"#] {
            check(line("", &format!(r#","usage":{usage}"#), ""), "");
        }
        for message in ["null", "\"usage\"", "[]", "5", r#"{"0":"H","1":"i","2":"usage"}"#] {
            check(line("", "", "").replace("\"message\":{", &format!("\"message\":{message},\"was\":{{")), "");
        }
    }

    #[test]
    fn that_look_like_usage_elsewhere_do_not_count() {
        let usage = r#"{"usage":{"input_tokens":999}}"#;
        check(format!(r#"{{"type":"user","toolUseResult":{usage},"message":{{"content":[{usage}]}}}}"#), "");
        check(format!(r#"{{"type":"user","usage":{{"input_tokens":999}},"content":{usage}}}"#), "");
        check(line("", &format!(r#","content":[{usage},{{"message":{usage}}}]"#), ""), PLAIN);
        let quoted = r#"{\"message\":{\"usage\":{\"input_tokens\":999}}}"#;
        check(format!(r#"{{"type":"user","message":{{"content":"{quoted}"}}}}"#), "");
        check(line("", &format!(r#","content":"{quoted}""#), ""), PLAIN);
    }

    #[test]
    fn the_last_of_duplicates_counts() {
        let other = r#","message":{"id":"msg_2","model":"haiku","usage":{"output_tokens":1}}"#;
        let twice = |first: &str| format!("{}{}}}", line("", "", "").strip_suffix('}').unwrap(), first);
        check(twice(other), "haiku 0/1/0/0/0");
        check(twice(r#","message":null"#), "");
        assert_eq!(parse(&[twice(r#","sessionId":"s2","sessionId":"s3""#)]).records[0].owner.session.as_ref(), "s3");
        check(line("", r#","model":"haiku","model":"fable""#, ""), "fable 3/7/0/0/9");
        check(line("", r#","usage":{"output_tokens":1}"#, ""), "opus 0/1/0/0/0");
    }

    #[test]
    fn written_with_escapes_are_the_same() {
        check(line("", r#","\u006dodel":"ha\u0069ku""#, ""), "haiku 3/7/0/0/9");
        let record = &parse(&[line(r#","cwd":"c:\\work\\shop\\""#, "", "")]).records[0];
        assert_eq!(&*record.owner.project, "C:\\work\\shop");
    }

    #[test]
    fn other_types_of_lines_count_too() {
        for kind in ["\"user\"", "\"system\"", "\"something-new\"", "null"] {
            check(line(&format!(r#","type":{kind}"#), "", ""), PLAIN);
        }
    }

    #[test]
    fn a_missing_model_is_unknown() {
        for model in ["null", "\"\"", "5", "{}", "[]"] {
            check(line("", &format!(r#","model":{model}"#), ""), "unknown 3/7/0/0/9");
        }
    }

    #[test]
    fn without_any_use_are_no_response() {
        let nothing = r#","input_tokens":0,"output_tokens":0,"cache_read_input_tokens":null"#;
        check(line("", "", nothing), "");
        check(line("", "", &format!(r#"{nothing},"server_tool_use":{{"web_search_requests":0}}"#)), "");
        check(line("", "", &format!(r#"{nothing},"server_tool_use":{{"web_fetch_requests":1}}"#)), "opus 0/0/0/0/0");
    }

    #[test]
    fn with_impossible_numbers_are_put_aside() {
        for value in ["100000001", "1e30", "99999999999999999999", "\"1e999\""] {
            check(line("", "", &format!(r#","input_tokens":{value}"#)), "implausible");
        }
        check(line("", "", r#","input_tokens":-5"#), "opus 0/7/0/0/9");
        // Beyond what a JSON number can say: the line itself is refused.
        check(line("", "", r#","input_tokens":1e999"#), "malformed");
        check(line("", "", r#","x":NaN,"y":-Infinity"#), PLAIN);
    }

    #[test]
    fn that_are_too_long_are_cut() {
        let long = "\u{e4}".repeat(3000);
        let members = format!(
            r#","sessionId":"{long}","gitBranch":"{long}","agentId":"{long}","cwd":"/{long}","requestId":"{long}""#
        );
        let usage = format!(r#","speed":"{long}","service_tier":"{long}","inference_geo":"{long}""#);
        let record = &parse(&[line(&members, &format!(r#","model":"{long}""#), &usage)]).records[0];
        let length = |text: &str| text.chars().count();
        let UsageRecord { usage, owner, .. } = record;
        assert_eq!([length(&usage.model), length(&owner.session), length(&owner.project)], [200, 200, 1024]);
        assert_eq!(owner.branch.as_deref().map(length), Some(250));
        assert_eq!(owner.agent.as_deref().map(length), Some(200));
        assert_eq!(usage.request_id.as_deref().map(length), Some(200));
        assert_eq!([&usage.speed, &usage.tier, &usage.geo].map(|word| word.as_deref().map(length)), [Some(40); 3]);
    }
}

mod notices {
    use super::*;

    fn notice(members: &str, text: &str) -> String {
        line(members, &format!(r#","model":"<synthetic>","content":[{{"type":"text","text":"{text}"}}]"#), "")
    }

    #[test]
    fn are_no_responses() {
        check(notice("", "No response requested."), "");
        check(notice(r#","isApiErrorMessage":true"#, "API Error: 529"), "api_error");
        check(notice(r#","isApiErrorMessage":"true""#, "API Error: 529"), "api_error");
    }

    #[test]
    fn say_when_a_limit_ends() {
        let reset = |text: &str| parse(&[notice(r#","isApiErrorMessage":true"#, text)]).limit_reset_at;
        assert_eq!(reset("Claude AI usage limit reached|1795402800"), Some(UnixMillis(1_795_402_800_000)));
        assert_eq!(reset("Claude AI usage limit reached|1795402800 now"), Some(UnixMillis(1_795_402_800_000)));
        for text in [
            "Claude AI usage limit reached",
            "Claude AI usage limit reached|",
            "Claude AI usage limit reached|soon",
            "Claude AI usage limit reached|99999999999",
            "Claude AI usage limit reached|99999999999999999999999999",
        ] {
            assert_eq!(reset(text), None, "{text}");
        }
        // Only a notice can say so; the latest counts.
        assert_eq!(
            parse(&[line("", r#","content":"Claude AI usage limit reached|1795402800""#, "")]).limit_reset_at,
            None
        );
        let lines = [1_795_402_800, 1_795_406_400, 1_795_399_200]
            .map(|at| notice(r#","isApiErrorMessage":true"#, &format!("Claude AI usage limit reached|{at}")));
        assert_eq!(parse(&lines).limit_reset_at, Some(UnixMillis(1_795_406_400_000)));
    }

    #[test]
    fn cost_states_are_reported_and_never_counted() {
        let cost = |members: &str| {
            parse(&[format!(r#"{{"type":"cost-state","sessionId":"s1","modelUsage":{{"m":{{"usage":5}}}}{members}}}"#)])
        };
        for (usd, expected) in [
            ("0.31", Some(0.31)),
            ("5", Some(5.0)),
            ("\"0.31\"", Some(0.31)),
            ("0", Some(0.0)),
            ("-1", None),
            ("null", None),
            ("\"NaN\"", None),
            ("NaN", None),
            ("\"much\"", None),
        ] {
            let parsed = cost(&format!(r#","totalCostUSD":{usd}"#));
            assert_eq!(parsed.reported_costs.first().map(|cost| cost.usd), expected, "{usd}");
            assert_eq!(summary(&parsed), "");
        }
        assert_eq!(summary(&cost("")), "");
        let parsed = cost(r#","totalCostUSD":1,"timestamp":"2026-11-20T10:00:00.000Z""#);
        assert_eq!((&*parsed.reported_costs[0].session, parsed.reported_costs[0].at), ("s1", AT));
        let parsed = cost(r#","totalCostUSD":1,"sessionId":null"#);
        assert_eq!(
            (&*parsed.reported_costs[0].session, parsed.reported_costs[0].at),
            (SESSION, UnixMillis(NOW.0 - 1000))
        );
    }
}

mod context {
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
        let mut stored = serde_json::to_string(&file(&format!("-home-ana-shop/{SESSION}.jsonl"))).unwrap();
        for line in lines {
            let mut file: FileContext = serde_json::from_str(&stored).unwrap();
            parts.extend(parse_in(&mut file, &[line]).records);
            stored = serde_json::to_string(&file).unwrap();
        }
        assert_eq!(parts, whole);
    }
}

/// Everything that leaves the parser, as text.
fn everything(parsed: &Parsed, file: &FileContext) -> String {
    format!("{parsed:?}{}", serde_json::to_string(file).unwrap())
}

proptest! {
    #[test]
    fn the_order_of_lines_does_not_matter(
        lines in Just([example(), example()].concat()).prop_shuffle(), cut in 0..26usize,
    ) {
        let expected = responses(parse(&example()).records);
        let mut records = parse(&lines[..cut]).records;
        records.extend(parse(&lines[cut..]).records);
        prop_assert_eq!(responses(records), expected);
    }

    #[test]
    fn no_bytes_stop_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[{}\\[\\]\",:0-9a-z\\\\ ]{0,80}") {
        prop_assert_eq!(parse(&[&bytes]).tally.lines, 1);
        prop_assert_eq!(parse(&[[&b"{\"usage\":"[..], &bytes].concat()]).tally.lines, 1);
        prop_assert_eq!(parse(&[format!("{{\"message\":{{\"usage\":{json}")]).tally.lines, 1);
    }

    #[test]
    fn no_damage_stops_the_parser(
        line in prop::sample::select(example()),
        other in prop::sample::select(example()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..8),
    ) {
        let mut bytes = line.into_bytes();
        for (place, kind, byte) in edits {
            let place = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(place, byte),
                1 => bytes.truncate(place.max(1)),
                2 => { bytes.splice(place.., other.bytes()); }
                _ => if let Some(old) = bytes.get_mut(place) { *old = byte },
            }
        }
        let parsed = parse(&[&bytes]);
        prop_assert_eq!(parsed.tally.claims, parsed.records.len() as u64);
        for record in &parsed.records {
            prop_assert!(record.usage.tokens.total() <= 500_000_000);
        }
    }

    #[test]
    fn content_stays_where_it_is(
        content in "[ -~]{0,40}PRIVATE[ -~\\n\\t\u{0}\u{e4}\u{1f600}]{0,40}",
        place in 0..6usize,
        broken in any::<bool>(),
    ) {
        let text = serde_json::to_string(&content).unwrap();
        let tempting = format!(
            r#"{{"type":{text},"sessionId":{text},"cwd":{text},"message":{{"model":{text},"usage":{{"speed":{text},"output_tokens":999}}}}}}"#
        );
        let line = match place {
            0 => line("", &format!(r#","content":{text}"#), ""),
            1 => line("", &format!(r#","content":[{{"type":"text","text":{text}}},{tempting}],"stop_reason":{text}"#), ""),
            2 => line(&format!(r#","toolUseResult":{tempting},"version":{text},"slug":{text}"#), "", ""),
            3 => line(&format!(r#",{text}:{tempting}"#), "", &format!(r#","x":{text},{text}:{tempting}"#)),
            4 => line("", "", &format!(r#","iterations":[{{"type":{text},"model":{text},"content":{tempting}}}]"#)),
            _ => line(r#","isApiErrorMessage":true"#, &format!(r#","model":"<synthetic>","content":{tempting}"#), ""),
        };
        let mut bytes = line.into_bytes();
        if broken {
            bytes.splice(0..0, *b"{\"a\":\"");
        }
        let mut file = file("-p/x.jsonl");
        let parsed = parse_in(&mut file, &[&bytes]);
        prop_assert_eq!(parsed.records.len(), usize::from(place != 5));
        prop_assert!(!everything(&parsed, &file).contains("PRIVATE"));
    }
}
