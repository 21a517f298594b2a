//! S8: no file descriptor left. The program waits without working, and then goes on as if nothing had been.

use std::time::Duration;

use super::clients::{ask, connect};
use super::measured;
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, pause};

#[test]
fn s8_without_a_descriptor_left_it_waits_and_recovers() {
    let Some(prlimit) = parts::need("prlimit") else { return };
    let house = TestHouse::new()
        .with_config("[server]\nheader_timeout = \"5m\"\n")
        .through([prlimit.as_os_str(), "--nofile=64:64".as_ref()]);
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 20);
    let mut served = house.serve();

    // The system accepts what the program cannot.
    let clients = connect(&served, "127.0.0.2", 100, None);
    eventually("the last descriptor taken", PATIENCE, || {
        served.log().contains("accepting connections fails").then_some(())
    });
    for session in ["one", "two", "three"] {
        scribe.append(session, 20);
    }
    let (ticks, lines) = (served.cpu_ticks(), served.log().lines().count());
    pause(Duration::from_secs(4));
    let (used, said) = (served.cpu_ticks() - ticks, served.log().lines().count() - lines);
    measured(&format!("{used} hundredths of a second of processor time and {said} lines in four seconds"));
    assert!(used < 100, "{used} hundredths of a second of processor time in four seconds of waiting");
    assert!(said < 40, "{said} lines in four seconds: {}", served.log());
    served.assert_alive();

    drop(clients);
    let status = eventually("an answer", PATIENCE, || ask(served.address(), "/api/v1/stats/current").ok()).0;
    assert_eq!(status, 200);
    served.wait_counts(scribe.written, PATIENCE);
    served.assert_alive();
}
