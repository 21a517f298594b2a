//! Lines that report instead of responding.

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
    assert_eq!(parse(&[line("", r#","content":"Claude AI usage limit reached|1795402800""#, "")]).limit_reset_at, None);
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
        ("-1.5", None),
        ("null", None),
        ("\"NaN\"", None),
        ("\"1e999\"", None),
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
    assert_eq!((&*parsed.reported_costs[0].session, parsed.reported_costs[0].at), (SESSION, UnixMillis(NOW.0 - 1000)));
}
