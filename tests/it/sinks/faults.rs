//! Every way in which a receiver can fail: how often it is asked again, how soon, what is given up, and that nothing else is.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::receiver::{Receiver, Reply};
use super::{dead_letters, ids, listed, revisions, wait_listed, wait_taken, webhook};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// A house with a webhook at `receiver`, and so many responses.
fn house(receiver: &Receiver, more: &str, responses: u64) -> (TestHouse, Scribe) {
    let house = TestHouse::new().with_config(&webhook(receiver, more));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", responses);
    (house, scribe)
}

/// Times between the requests.
fn spacing(receiver: &Receiver) -> Vec<Duration> {
    let at: Vec<Instant> = receiver.seen().iter().map(|seen| seen.at).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn changes_arrive_once_signed_and_in_the_order_of_their_revisions() {
    let receiver = Receiver::start();
    let (house, mut scribe) = house(&receiver, "secret_env = 'HOOK'\nbatch_max = 7", 30);
    let house = house.with_env("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let served = house.serve();
    wait_taken(&receiver, 30);
    scribe.append("a", 5);
    let taken = wait_taken(&receiver, 35);
    assert_eq!(taken.len(), 35);
    assert!(revisions(&taken).is_sorted());
    for seen in receiver.seen() {
        assert!(seen.changes().len() <= 7);
        assert!(seen.header("webhook-signature").starts_with("v1,"), "{seen:?}");
        assert!(seen.header("webhook-id").starts_with("hook."));
    }
    let event = &taken[0]["event"];
    assert_eq!(event["session_id"], "a");
    assert_eq!(event["project"], "/home/dev/app");
    assert!(event["total_cost"].as_f64().is_some());
    assert!(!taken.iter().any(|change| change.to_string().contains("an answer")), "content must not leave");
    drop(served);
}

#[test]
fn a_correction_comes_with_what_it_replaces() {
    let receiver = Receiver::start();
    let (house, mut scribe) = house(&receiver, "", 1);
    let line = scribe.response("a");
    let small = line.replace("\"output_tokens\":4", "\"output_tokens\":1");
    assert_ne!(line, small);
    scribe.append_raw("a", small.as_bytes());
    let served = house.serve();
    wait_taken(&receiver, 2);
    scribe.append_raw("a", line.as_bytes());
    let taken = eventually("the correction", PATIENCE, || Some(receiver.taken()).filter(|taken| taken.len() == 3));
    let correction = &taken[2];
    assert_eq!(correction["change"], "correction");
    assert_eq!((&correction["before"]["output_tokens"], &correction["event"]["output_tokens"]), (&1.into(), &4.into()));
    assert_eq!(correction["id"], taken[1]["id"]);
    drop(served);
}

#[test]
fn retry_after_in_seconds_and_as_a_date_is_respected() {
    for as_date in [false, true] {
        let mut first = true;
        let receiver = Receiver::start().behaving(move |_| match (std::mem::take(&mut first), as_date) {
            (false, _) => Reply::Status(200),
            (true, false) => Reply::With(503, "retry-after", "2".to_owned()),
            (true, true) => {
                let at = Timestamp::now() + Duration::from_secs(3);
                Reply::With(429, "retry-after", at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
            }
        });
        let (house, _) = house(&receiver, "", 3);
        let served = house.serve();
        wait_taken(&receiver, 3);
        let spacing = spacing(&receiver);
        assert_eq!(spacing.len(), 1);
        // A date has whole seconds.
        assert!(spacing[0] >= Duration::from_millis(1_900), "asked again after {spacing:?}");
        wait_listed(&house, "hook", "well", |row| row["state"] == "ok" && row["lag_events"] == 0);
        drop(served);
    }
}

#[test]
fn s2_a_poison_event_is_found_and_the_rest_arrives() {
    let (poison, receiver) = (17, Receiver::start());
    receiver.behave(move |seen| {
        let has = seen.changes().iter().any(|change| change["event"]["input_tokens"] == poison);
        Reply::Status(if has { 400 } else { 200 })
    });
    let (house, _) = house(&receiver, "batch_max = 100", 40);
    let served = house.serve();
    let taken = wait_taken(&receiver, 39);
    assert_eq!(taken.len(), 39, "nothing is sent twice for that");
    let row = wait_listed(&house, "hook", "done", |row| row["lag_events"] == 0 && row["dead_letters"] == 1);
    assert_eq!(row["events"], 39);
    let letters = dead_letters(&house);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["change"]["after"]["tokens"]["input"], poison);
    assert!(letters[0]["reason"].as_str().unwrap().starts_with("400"));
    // Halves: a logarithm of requests, and not one more for what was given up.
    let requests = receiver.seen().len();
    assert!(requests <= 14, "{requests} requests");
    assert_eq!(served.stop().code(), Some(0));
    let served = house.serve();
    wait_listed(&house, "hook", "started", |row| row["lag_events"] == 0);
    drop(served);
    assert_eq!(receiver.seen().len(), requests, "what was refused is not tried again after a restart");
}

#[test]
fn what_is_too_large_is_sent_in_parts() {
    let receiver = Receiver::start();
    receiver.behave(|seen| Reply::Status(if seen.changes().len() > 3 { 413 } else { 200 }));
    let (house, _) = house(&receiver, "batch_max = 20", 20);
    let served = house.serve();
    let taken = wait_taken(&receiver, 20);
    assert_eq!((taken.len(), dead_letters(&house).len()), (20, 0));
    let refused = receiver.seen().iter().filter(|seen| seen.changes().len() > 3).count();
    assert_eq!(refused, 3, "20, 10, 5, and never more than 3 again");
    drop(served);
}

#[test]
fn a_cut_connection_and_a_silent_receiver_are_tried_again() {
    let mut number = 0;
    let receiver = Receiver::start().behaving(move |_| {
        number += 1;
        match number {
            1 => Reply::Cut,
            2 => Reply::Silence,
            3 => Reply::Status(500),
            _ => Reply::Status(200),
        }
    });
    let (house, _) = house(&receiver, "timeout = '300ms'", 3);
    let served = house.serve();
    assert_eq!(wait_taken(&receiver, 3).len(), 3);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.windows(2).all(|pair| pair[0].body == pair[1].body || pair[0].changes() == pair[1].changes()));
    assert_eq!(ids(&seen[0].changes()), ids(&receiver.taken()));
    assert!(spacing(&receiver)[1] >= Duration::from_millis(300), "the deadline");
    drop(served);
}

#[test]
fn a_wrong_password_loses_nothing_and_is_not_a_refusal_of_events() {
    let receiver = Receiver::start().behaving(|_| Reply::Status(401));
    let (house, _) = house(&receiver, "", 5);
    let served = house.serve();
    eventually("a few tries", PATIENCE, || (receiver.seen().len() >= 3).then_some(()));
    assert!(dead_letters(&house).is_empty());
    // At the slowest pace, which here is 200 ms, and not sooner.
    assert!(spacing(&receiver).iter().all(|gap| *gap >= Duration::from_millis(190)), "{:?}", spacing(&receiver));
    let row = listed(&house, "hook");
    assert!(row["last_error"].as_str().unwrap().starts_with("401"), "{row}");
    receiver.behave(|_| Reply::Status(204));
    assert_eq!(wait_taken(&receiver, 5).len(), 5);
    drop(served);
}

#[test]
fn a_receiver_that_refuses_everything_is_not_fed_the_history() {
    let receiver = Receiver::start().behaving(|_| Reply::Status(400));
    let (house, _) = house(&receiver, "batch_max = 10", 300);
    let served = house.serve();
    wait_listed(&house, "hook", "stopped", |row| row["dead_letters"] == 100 && row["last_error"].is_string());
    let letters = dead_letters(&house).len();
    assert_eq!(letters, 100);
    receiver.behave(|_| Reply::Status(200));
    assert_eq!(wait_taken(&receiver, 200).len(), 200);
    drop(served);
}

#[test]
fn a_new_receiver_is_not_flooded_with_history() {
    let receiver = Receiver::start();
    let config = webhook(&receiver, "").replace("start_from = 'beginning'\n", "");
    let house = TestHouse::new().with_config(&config);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 10);
    let served = house.serve();
    wait_listed(&house, "hook", "begun", |row| row["state"] == "ok");
    scribe.append("a", 2);
    let taken = wait_taken(&receiver, 2);
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0]["event"]["input_tokens"], 11);
    // What comes while it does not run is not history.
    assert_eq!(served.stop().code(), Some(0));
    scribe.append("a", 3);
    let served = house.serve();
    assert_eq!(wait_taken(&receiver, 5).len(), 5);
    drop(served);
}

#[test]
fn skipping_counts_what_it_leaves_out() {
    let receiver = Receiver::start().behaving(|_| Reply::Status(503));
    let (house, mut scribe) = house(&receiver, "on_lag = 'skip'\nmax_lag_events = 10", 0);
    let served = house.serve();
    wait_listed(&house, "hook", "begun", |row| row["state"] == "ok");
    scribe.append("a", 50);
    wait_listed(&house, "hook", "skipping", |row| row["dropped_events"] == 40);
    receiver.behave(|_| Reply::Status(200));
    let taken = wait_taken(&receiver, 10);
    assert_eq!(taken.len(), 10);
    assert_eq!(taken[9]["event"]["input_tokens"], 50);
    drop(served);
}
