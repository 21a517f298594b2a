//! `backfill` as OTLP logs: everything once, and on from where it stopped.

use std::collections::BTreeSet;

use super::otlp::{ids, records, section};
use super::receiver::{Receiver, Reply, Seen};
use crate::house::TestHouse;
use crate::scribe::Scribe;

/// More than go into two requests.
const RESPONSES: u64 = 2_500;

#[test]
fn records_go_on_where_a_push_was_refused() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&section(&receiver, None, ""));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", RESPONSES);
    house.ingest();
    let mut left = 1;
    receiver.behave(move |_| {
        left -= 1;
        Reply::Status(if left >= 0 { 200 } else { 401 })
    });
    let stopped = house.run(["backfill", "--to", "otlp"]);
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    assert!(stopped.stderr.contains("goes on from there"), "{}", stopped.stderr);
    let first = records(&receiver.accepted()).len() as u64;
    assert!((1..RESPONSES).contains(&first), "{first}");

    receiver.behave(|_| Reply::Status(200));
    let done = house.run(["backfill", "--to", "otlp"]);
    assert!(done.status.success(), "{done:?}");
    let found = records(&receiver.accepted());
    assert_eq!((found.len() as u64, ids(&found).len() as u64), (RESPONSES, RESPONSES), "each exactly once");
    for (time, attributes) in &found {
        let stamp: jiff::Timestamp = attributes["event.timestamp"].parse().unwrap();
        assert_eq!(i128::from(*time), stamp.as_nanosecond());
    }
    let again = house.run(["backfill", "--to", "otlp"]);
    assert!(again.stdout.starts_with("0 "), "{}", again.stdout);
}

#[test]
fn samples_go_on_where_a_push_was_refused() {
    let receiver = Receiver::start();
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    // Enough hours that all of their samples do not fit into one request.
    for day in 0..60 {
        scribe.append(&format!("day-{day}"), 5);
        scribe.skip_days(1);
    }
    house.ingest();
    let url = receiver.url();
    let mut left = 1;
    receiver.behave(move |_| {
        left -= 1;
        Reply::Status(if left >= 0 { 204 } else { 401 })
    });
    let push = || house.run(["backfill", "--to", "victoria", &url]);
    let stopped = push();
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    receiver.behave(|_| Reply::Status(204));
    assert!(push().status.success());
    let sent = lines(&receiver);

    // The same in one go.
    let whole = Receiver::start();
    let done = house.run(["backfill", "--to", "victoria", &whole.url()]);
    assert!(done.status.success(), "{done:?}");
    let expected = lines(&whole);
    assert!(expected.len() > 5_000, "{}", expected.len());
    assert_eq!(sent, expected, "nothing is missing, and nothing differs");
}

/// Every sample that was taken.
fn lines(receiver: &Receiver) -> BTreeSet<String> {
    let body = |seen: &Seen| String::from_utf8(seen.plain()).unwrap();
    receiver.accepted().iter().map(body).flat_map(|body| body.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}
