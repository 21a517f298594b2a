//! Members that are missing, null, doubled, too long or of a wrong type.

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
    for value in ["100000001", "1e12", "\"1e12\""] {
        check(line("", "", &format!(r#","input_tokens":{value}"#)), "implausible");
    }
    for value in ["1e30", "99999999999999999999", "1e999", "\"1e999\""] {
        check(line("", "", &format!(r#","input_tokens":{value}"#)), "opus 0/7/0/0/9");
    }
    check(line("", "", r#","input_tokens":-5"#), "opus 0/7/0/0/9");
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
    let mut file = file("-p/x.jsonl");
    parse_in(&mut file, &[line(&members, "", "")]);
    assert_eq!(file.last_project.as_deref().map(length), Some(1024));
    let cost = format!(r#"{{"type":"cost-state","totalCostUSD":1,"sessionId":"{long}"}}"#);
    assert_eq!(parse(&[cost]).reported_costs[0].session, owner.session);
    assert_eq!([&usage.speed, &usage.tier, &usage.geo].map(|word| word.as_deref().map(length)), [Some(40); 3]);
}
