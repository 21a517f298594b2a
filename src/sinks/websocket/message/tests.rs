use proptest::prelude::*;

use super::*;

#[test]
fn what_is_understood() {
    fn check(text: &str, expected: &ClientMessage) {
        assert_eq!(ClientMessage::parse(text).as_ref(), Ok(expected), "{text}");
    }
    let models = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    check(r#"{"type":"subscribe","models":["a","b*"]}"#, &ClientMessage::Subscribe(models(&["a", "b*"])));
    check(r#"{"models":[],"type":"subscribe","x":{"y":[1]}}"#, &ClientMessage::Subscribe(Vec::new()));
    check(r#"{"type":"subscribe"}"#, &ClientMessage::Subscribe(Vec::new()));
    check(r#"{"type":"unsubscribe","models":["\u0061"]}"#, &ClientMessage::Unsubscribe(models(&["a"])));
    check(r#" {"type":"ping"} "#, &ClientMessage::Ping(None));
    check(r#"{"type":"\u0070ing","id":7}"#, &ClientMessage::Ping(Some(Id::Number(7))));
    check(r#"{"type":"ping","id":"x"}"#, &ClientMessage::Ping(Some(Id::Text("x".to_owned()))));
    let deep = format!(r#"{{"type":"ping","x":{}1{}}}"#, "[".repeat(4000), "]".repeat(4000));
    check(&deep, &ClientMessage::Ping(None));
}

#[test]
fn what_is_not() {
    fn check(text: &str, code: &str) {
        let refused = ClientMessage::parse(text).expect_err(text);
        assert_eq!(refused.code, code, "{text}: {}", refused.message);
    }
    check("", "not_json");
    check("hello", "not_json");
    check("{\"type\":\"ping\"", "not_json");
    check("[]", "invalid_message");
    check("7", "invalid_message");
    check("{}", "invalid_message");
    check(r#"{"type":7}"#, "invalid_message");
    check(r#"{"type":"subscribe","models":"a"}"#, "invalid_message");
    check(r#"{"type":"subscribe","models":[1]}"#, "invalid_message");
    check(r#"{"type":"ping","id":{}}"#, "invalid_message");
    check(r#"{"type":"ping","id":1.5}"#, "invalid_message");
    check(&format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(LONGEST_ID + 1)), "invalid_message");
    check(r#"{"type":"stats_update"}"#, "unknown_type");
}

proptest! {
    #[test]
    fn no_message_is_too_strange(text in any::<String>()) {
        let _outcome = ClientMessage::parse(&text);
    }

    #[test]
    fn nor_one_that_is_nearly_right(
        kind in "subscribe|unsubscribe|ping|[a-z]{0,12}",
        models in prop_oneof![
            proptest::collection::vec("[ -~]{0,20}", 0..60).prop_map(|names| serde_json::json!(names)),
            any::<i64>().prop_map(|number| serde_json::json!(number)),
            any::<String>().prop_map(|text| serde_json::json!([text, null])),
        ],
        id in prop_oneof![any::<i64>().prop_map(|n| serde_json::json!(n)), any::<String>().prop_map(|t| serde_json::json!(t))],
        cut in 0..200_usize,
    ) {
        let mut text = serde_json::json!({"type": kind, "models": models, "id": id}).to_string();
        let whole = ClientMessage::parse(&text);
        if let Err(refused) = &whole {
            // What is answered does not grow with what was sent.
            prop_assert!(refused.message.len() < 200);
        }
        while !text.is_char_boundary(cut.min(text.len())) {
            text.pop();
        }
        text.truncate(cut);
        let _outcome = ClientMessage::parse(&text);
    }

    #[test]
    fn what_we_say_is_what_we_read(missed in any::<u64>(), revision in any::<u64>(), text in any::<String>()) {
        let stamp = Stamp::new(UnixMillis(1_700_000_000_123), revision);
        prop_assert_eq!(&stamp.timestamp, "2023-11-14T22:13:20.123Z");
        for message in [
            ServerMessage::Lagged { stamp: stamp.clone(), missed },
            ServerMessage::Pong { stamp: stamp.clone(), id: Some(Id::Text(text.clone())) },
            ServerMessage::Error { stamp, code: text.clone(), message: text },
        ] {
            let json = serde_json::to_string(&message).expect("a map");
            prop_assert_eq!(serde_json::from_str::<ServerMessage>(&json).expect("our own"), message);
        }
    }
}
