//! The promises of the runner, on a real database.

mod kit;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Start;
use crate::event::UnixMillis;
use crate::plugin::Outcome;
use crate::status::SinkState;
use crate::store::{Leg, Resume};
use kit::{Act, Bench, NOON, claim, commit};

const QUICK: &str = "start_from = 'beginning'\nretry_initial = '10ms'\nretry_max = '10ms'";

#[test]
fn a_panic_restarts_the_sink_and_nothing_is_lost() {
    let bench = Bench::new();
    let run = bench.run("panics", QUICK);
    run.script.then(Act::Panic);
    run.commit(&[("1", 1), ("2", 1)]);
    let report = run.wait_caught_up();
    assert_eq!((report.restarts, report.state, report.events), (1, SinkState::Ok, 2));
    assert_eq!(run.script.seen(), [[(1, false), (2, false)], [(1, false), (2, false)]]);
    run.stop();
}

#[test]
fn a_follower_that_panics_fails_or_ends_is_started_again_and_others_go_on() {
    let bench = Bench::new();
    let script = Bench::script("watcher-of-it");
    script.then(Act::Panic).then(Act::Say(Outcome::retry("no luck"))).then(Act::Hang);
    let run = bench.run_beside(Some("watcher-of-it"), "beside-a-watcher", QUICK);
    for number in 1..=3 {
        run.commit(&[(&number.to_string(), 1)]);
        run.wait_caught_up();
        let watcher = || run.report_of("watcher-of-it");
        let words = ["panic", "no luck", "ended by itself"][number - 1];
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while watcher().restarts < number as u64 {
            assert!(std::time::Instant::now() < end, "{:?}", watcher());
            std::thread::yield_now();
        }
        let error = watcher().last_error.unwrap();
        assert!(error.contains(words), "{error}");
    }
    // Each time it began with a snapshot.
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while script.seen().len() < 4 {
        assert!(std::time::Instant::now() < end, "{:?}", script.seen());
        std::thread::yield_now();
    }
    assert!(script.seen().iter().all(|first| first.len() == 1));
    assert_eq!((run.script.revisions(), run.report().restarts), (vec![1, 2, 3], 0));
    assert!(run.stop() < Duration::from_secs(3));
}

#[test]
fn a_memo_survives_a_restart() {
    let bench = Bench::new();
    let run = bench.run("remembers", QUICK);
    run.commit(&[("1", 1)]);
    run.wait_caught_up();
    run.stop();
    let run = bench.run("remembers", QUICK);
    run.commit(&[("2", 1)]);
    run.wait_caught_up();
    assert_eq!(run.script.recalled().as_deref(), Some("1"));
    assert_eq!(run.script.revisions(), [1, 2]);
    run.stop();
}

#[test]
fn a_batch_under_way_is_given_up_at_the_stop_and_sent_again() {
    let bench = Bench::new();
    let run = bench.run("hangs", &format!("{QUICK}\ntimeout = '1h'"));
    let script = Arc::clone(&run.script);
    script.then(Act::Hang);
    run.commit(&[("1", 1)]);
    run.wait("sent", |_| !script.seen().is_empty());
    assert!(run.stop() < Duration::from_secs(3));
    let run = bench.run("hangs", QUICK);
    run.wait_caught_up();
    assert_eq!(script.revisions(), [1, 1]);
    run.stop();
}

#[test]
fn a_correction_under_way_comes_with_what_was_sent() {
    let bench = Bench::new();
    let run = bench.run("corrected", QUICK);
    let gate = Arc::new(Notify::new());
    run.script.then(Act::Gate(Arc::clone(&gate)));
    run.commit(&[("1", 1), ("2", 1)]);
    run.wait("sent", |_| !run.script.seen().is_empty());
    // It has left, and is not acknowledged.
    run.commit(&[("1", 5)]);
    gate.notify_one();
    run.wait_caught_up();
    assert_eq!(run.script.seen(), [vec![(1, false), (2, false)], vec![(3, true)]]);
    run.stop();
}

#[test]
fn what_was_corrected_before_it_left_is_sent_once() {
    let bench = Bench::new();
    let run = bench.run("compact", QUICK);
    run.wait_caught_up();
    bench.runtime.block_on(run.control().pause("compact")).unwrap();
    run.wait("paused", |report| report.state == SinkState::Paused);
    run.commit(&[("1", 1), ("2", 1)]);
    run.commit(&[("1", 5)]);
    bench.runtime.block_on(run.control().resume("compact")).unwrap();
    run.wait_caught_up();
    assert_eq!(run.script.seen(), [[(2, false), (3, false)]]);
    run.stop();
}

#[test]
fn a_replay_voids_the_acknowledgement_of_what_is_under_way() {
    let bench = Bench::new();
    let run = bench.run("replayed", QUICK);
    run.commit(&[("1", 1), ("2", 1)]);
    run.wait_caught_up();
    let gate = Arc::new(Notify::new());
    run.script.then(Act::Gate(Arc::clone(&gate)));
    run.commit(&[("3", 1)]);
    run.wait("sent", |_| run.script.seen().len() == 2);
    bench.runtime.block_on(run.control().replay("replayed", Start::Beginning)).unwrap();
    gate.notify_one();
    run.wait("all again", |_| run.script.revisions() == [1, 2, 3, 1, 2, 3]);
    run.wait_caught_up();
    run.stop();
}

#[test]
fn a_replay_from_an_instant_passes_over_what_is_older() {
    let bench = Bench::new();
    let run = bench.run("since", QUICK);
    // Read in an order that is not that of time.
    run.commit(&[("50", 1), ("10", 1), ("40", 1), ("20", 1)]);
    run.wait_caught_up();
    let since = Start::At(UnixMillis(NOON + 40_000));
    bench.runtime.block_on(run.control().replay("since", since)).unwrap();
    run.wait("again", |_| run.script.revisions() == [1, 2, 3, 4, 1, 3]);
    // What comes later is sent whatever its time.
    run.commit(&[("5", 1)]);
    run.wait("more", |_| run.script.revisions() == [1, 2, 3, 4, 1, 3, 5]);
    assert_eq!(run.wait_caught_up().dropped_events, 0);
    run.stop();
}

#[test]
fn what_is_refused_in_part_is_kept_and_the_rest_counted() {
    let bench = Bench::new();
    let run = bench.run("partial", QUICK);
    let partial = Outcome::Partial { rejected: vec![2], unnamed: 1, why: "no".to_owned() };
    run.script.then(Act::Say(partial));
    run.commit(&[("1", 1), ("2", 1), ("3", 1)]);
    let report = run.wait_caught_up();
    assert_eq!((report.events, report.dead_letters, report.failures.rejected), (1, 2, 1));
    let letters = bench.readers().dead_letters(Some("partial"), 10).unwrap();
    assert_eq!(letters.iter().map(|letter| letter.revision).collect::<Vec<_>>(), [2]);
    run.stop();
}

#[test]
fn failures_are_counted_by_kind_and_the_house_is_told_after_a_while_only() {
    let bench = Bench::new();
    let run = bench.run("fails", &format!("{QUICK}\ntimeout = '20ms'"));
    run.script.then(Act::Say(Outcome::retry("busy"))).then(Act::Hang).then(Act::Say(Outcome::refused("who are you")));
    let gate = Arc::new(Notify::new());
    run.commit(&[("1", 1)]);
    let report = run.wait_caught_up();
    let kinds = report.failures.each().map(|(_, number)| number);
    assert_eq!(kinds, [1, 0, 1, 1]);
    assert_eq!((report.state, report.failing_since, report.last_error), (SinkState::Ok, None, None));

    run.script.then(Act::Say(Outcome::retry("busy"))).then(Act::Gate(Arc::clone(&gate)));
    run.commit(&[("2", 1)]);
    let report = run.wait("failing", |report| report.failing_since.is_some());
    let since = report.failing_since.unwrap();
    assert_eq!(report.trouble(since + 60_000), None);
    assert!(report.trouble(since + 5 * 60_000).is_some_and(|words| words.contains("busy")));
    run.wait("tried again", |_| run.script.seen().len() > 4);
    gate.notify_one();
    run.wait_caught_up();
    run.stop();
}

#[test]
fn a_resume_tries_at_once() {
    let bench = Bench::new();
    let run = bench.run("resumed", "start_from = 'beginning'\nretry_initial = '1h'\nretry_max = '1h'");
    run.script.then(Act::Say(Outcome::refused("not yet")));
    run.commit(&[("1", 1)]);
    run.wait("failed", |report| report.state == SinkState::Failed);
    bench.runtime.block_on(run.control().resume("resumed")).unwrap();
    run.wait_caught_up();
    run.stop();
}

#[test]
fn now_is_after_what_is_there_and_age_is_skipped() {
    let bench = Bench::new();
    commit(&mut bench.store(), vec![claim("1", 1)]).unwrap();
    // The clock stands an hour after noon.
    let run = bench.run("fresh", "on_lag = 'skip'\nmax_lag_age = '59m'");
    run.wait_caught_up();
    run.commit(&[("10", 1), ("3000", 1)]);
    assert_eq!(run.wait_caught_up().dropped_events, 1);
    assert_eq!(run.script.revisions(), [3]);
    run.stop();
}

#[test]
fn a_leg_shows_the_history_as_it_was_at_its_end_and_retention_waits() {
    let bench = Bench::new();
    let mut store = bench.store();
    store.enroll("slow", "probe", "here", true).unwrap();
    store.move_delivery("slow", Resume::After(0)).unwrap();
    commit(&mut store, (0..10).map(|number| claim(&number.to_string(), 1)).collect()).unwrap();
    assert_eq!(store.begin_leg("slow", 1, 0).unwrap(), Some(10));
    assert_eq!(store.begin_leg("slow", 1, 7).unwrap(), None, "it stands elsewhere");
    commit(&mut store, vec![claim("3", 9)]).unwrap();

    let readers = bench.readers();
    let page = |after, base, reach, limit| {
        let page = readers.delivery_page(after, Leg { base, reach }, limit).unwrap();
        let changes = page.changes.iter().map(|change| (change.revision, change.before.is_some()));
        (changes.collect::<Vec<_>>(), page.until)
    };
    // As it was at 10: the fourth has been replaced since, and is told as it was.
    assert_eq!(page(0, 0, 10, 4), (vec![(1, false), (2, false), (3, false), (4, false)], 4));
    assert_eq!(page(4, 0, 10, 100).1, 10);
    assert_eq!(page(10, 10, 11, 100), (vec![(11, true)], 11));
    // Who begins only now is not told of what was.
    assert_eq!(page(3, 0, 11, 3), (vec![(5, false), (6, false), (7, false)], 7));
    assert_eq!(page(10, 0, 11, 3), (vec![(11, false)], 11));

    // Ten days later the first ten are old.
    commit(&mut store, vec![claim("864000", 1)]).unwrap();
    let now = UnixMillis(NOON + 10 * UnixMillis::DAY);
    assert_eq!(store.prune(1, now).unwrap().held, 10);
    store.release_deliveries_except(&[]).unwrap();
    assert_eq!(store.prune(1, now).unwrap().responses, 10);
}
