//! Messages about budgets: each threshold once a period, however often the program starts and whatever the receiver does.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::receiver::{Receiver, Reply};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

/// A response of just now that costs 15 dollars and a little.
fn spend(scribe: &mut Scribe) {
    let mut line: Value = serde_json::from_str(&scribe.response("a")).unwrap();
    line["timestamp"] = Timestamp::now().to_string().into();
    line["message"]["usage"]["output_tokens"] = 1_000_000.into();
    scribe.append_raw("a", format!("{line}\n").as_bytes());
}

/// What a receiver was told, with the id of each message.
fn told(receiver: &Receiver) -> Vec<(String, u64)> {
    let message = |seen: &super::receiver::Seen| {
        let message = seen.json();
        assert_eq!((&message["type"], &message["budget"]), (&"usage.budget".into(), &"monthly".into()));
        (seen.header("webhook-id").to_owned(), message["threshold_percent"].as_u64().unwrap())
    };
    receiver.seen().iter().map(message).collect()
}

fn wait_told(receiver: &Receiver, expected: &[u64]) {
    let percents = || told(receiver).into_iter().map(|(_, percent)| percent).collect::<Vec<_>>();
    eventually(&format!("{expected:?}"), PATIENCE, || (percents() == expected).then_some(()));
}

/// The thresholds that the history knows to have been told.
fn remembered(house: &TestHouse) -> BTreeSet<u64> {
    let db = Connection::open_with_flags(house.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let memo: Option<String> =
        db.query_row("SELECT memo FROM delivery WHERE name = 'hook'", [], |row| row.get(0)).unwrap();
    let memo: Value = serde_json::from_str(&memo.unwrap_or_default()).unwrap_or_default();
    let thresholds = memo[0][1]["thresholds"].as_array();
    thresholds.into_iter().flatten().map(|percent| percent.as_u64().unwrap()).collect()
}

#[test]
fn each_threshold_is_told_of_once_over_restarts_and_outages() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&format!(
        "[sinks.hook]\ntype = 'webhook'\nmode = 'budgets'\nurl = '{}'\ninterval = '50ms'\nretry_initial = '20ms'\n\
         retry_max = '100ms'\nbudgets = {{ monthly_usd = 100, thresholds = [10, 20, 40, 50] }}\n",
        receiver.url()
    ));
    let mut scribe = Scribe::new(house.claude());
    spend(&mut scribe);
    let served = house.serve();
    wait_told(&receiver, &[10]);
    spend(&mut scribe);
    wait_told(&receiver, &[10, 20]);
    assert_eq!(served.stop().code(), Some(0));

    // After an end, and after a kill.
    let served = house.serve();
    spend(&mut scribe);
    wait_told(&receiver, &[10, 20, 40]);
    // Between the receiver's answer and this, a kill would rightly make the message come again.
    eventually("the answer is stored", PATIENCE, || remembered(&house).contains(&40).then_some(()));
    served.kill();

    // While nobody listens the message waits, and comes again under the same name.
    receiver.behave(|_| Reply::Status(503));
    spend(&mut scribe);
    let served = house.serve();
    eventually("a few tries", PATIENCE, || (told(&receiver).len() >= 6).then_some(()));
    receiver.behave(|_| Reply::Status(204));
    eventually("the message", PATIENCE, || {
        let text = house.run(["sinks", "list", "--json"]).stdout;
        let rows: Value = serde_json::from_str(&text).unwrap();
        let row = rows.as_array().unwrap().iter().find(|row| row["id"] == "hook").unwrap().clone();
        (row["failing_since"].is_null() && row["last_error"].is_null()).then_some(())
    });
    let all = told(&receiver);
    assert!(all[3..].iter().all(|(_, percent)| *percent == 50), "{all:?}");
    let names: BTreeSet<_> = all.iter().map(|(id, _)| id).collect();
    assert_eq!(names.len(), 4, "{all:?}");

    // More is spent, and there is no threshold left in it.
    spend(&mut scribe);
    pause(std::time::Duration::from_millis(500));
    assert_eq!(told(&receiver).len(), all.len());
    drop(served);
}
