//! Lines of sub-agents inside progress reports.

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

/// The same wrapped line is reported again and again, each time under another uuid.
#[test]
fn has_no_identity_of_its_own() {
    let key = |uuid: &str| {
        let members = format!(r#","requestId":null,"uuid":"{uuid}""#);
        parse(&[wrap(&members, "", "").replace(r#""id":"msg_1","#, "")]).records.remove(0).key
    };
    assert_eq!(key("f1"), key("f2"));
}

#[test]
fn of_odd_shapes() {
    for data in ["null", "5", "[]", r#""x""#, r#"{"message":null}"#, r#"{"message":{"message":"x"}}"#] {
        check(format!(r#"{{"type":"progress","x":{{"usage":5}},"data":{data}}}"#), "");
    }
}
