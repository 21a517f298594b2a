//! Whole lines, well formed and otherwise, through the parser's one door.

mod bytes;
mod context;
mod identity;
mod iterations;
mod members;
mod notices;
mod progress;

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
            3 => line(&format!(",{text}:{tempting}"), "", &format!(r#","x":{text},{text}:{tempting}"#)),
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
