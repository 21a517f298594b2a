//! S7: clients that take their time. Each costs its socket until a limit is reached, and nobody else notices.

use std::thread;

use crate::house::{Served, TestHouse};
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

use super::clients::{connect, drip_until_closed, push, with_a_good_client};

/// A server with room for a thousand and little patience.
fn server() -> (TestHouse, Served) {
    let limits = "[server]\nmax_connections = 1300\nheader_timeout = \"5s\"\n";
    let house = TestHouse::new().with_config(limits);
    Scribe::new(house.claude()).append("one", 20);
    let served = house.serve();
    (house, served)
}

/// Waits until everything that clients held is given back.
fn back_to(sockets: usize, served: &Served) {
    eventually("sockets given back", PATIENCE, || (served.sockets() <= sockets).then_some(()));
}

#[test]
fn s7_a_thousand_clients_that_never_finish_a_head_are_closed() {
    let (_house, served) = server();
    let before = served.sockets();
    with_a_good_client(&served, || {
        let silent = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(|from| connect(&served, from, 250, None));
        let silent: Vec<_> = silent.into_iter().flatten().collect();
        let dripping = connect(&served, "127.0.0.5", 250, None);
        assert!(dripping.iter().all(|client| push(client, b"GET / HTTP/1.1\r\nx-slow: ").is_some()));
        let held = || served.sockets() >= before + 900;
        eventually("nearly all of them accepted at once", PATIENCE, || held().then_some(()));
        thread::scope(|scope| {
            scope.spawn(|| drip_until_closed("a slow head", dripping, b"x"));
            scope.spawn(|| drip_until_closed("nothing to say", silent, b""));
        });
    });
    back_to(before, &served);
}

/// What takes a body.
const LOGIN: &str = "/api/v1/auth/login";
const JSON: &str = "content-type: application/json\r\n";

#[test]
fn s7_clients_that_never_finish_a_body_are_closed() {
    let (_house, served) = server();
    let before = served.sockets();
    with_a_good_client(&served, || {
        let clients = connect(&served, "127.0.0.2", 200, None);
        let head = format!("POST {LOGIN} HTTP/1.1\r\nhost: {}\r\n{JSON}content-length: 1000\r\n\r\n", served.address());
        assert!(clients.iter().all(|client| push(client, head.as_bytes()).is_some()));
        let accepted = || served.sockets() >= before + clients.len();
        eventually("all of them accepted", PATIENCE, || accepted().then_some(()));
        drip_until_closed("a slow body", clients, b"x");
    });
    back_to(before, &served);
}

#[test]
fn s7_clients_that_never_take_their_answers_are_closed() {
    let (_house, served) = server();
    let (before, memory) = (served.sockets(), served.peak_kib());
    with_a_good_client(&served, || {
        let clients = connect(&served, "127.0.0.2", 20, Some(4096));
        let accepted = || served.sockets() >= before + clients.len();
        eventually("all of them accepted", PATIENCE, || accepted().then_some(()));
        let question = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", served.address()).repeat(50);
        // More questions than there is room for answers.
        let mut asking: Vec<_> = clients.iter().collect();
        eventually("no room left", PATIENCE, || {
            asking.retain(|client| push(client, question.as_bytes()) == Some(question.len()));
            asking.is_empty().then_some(())
        });
        eventually("all of them closed, without a byte read", PATIENCE * 2, || {
            // The good client's connection may be among them.
            (served.sockets() <= before + 1).then_some(())
        });
    });
    let grown = served.peak_kib() - memory;
    assert!(grown < 32 * 1024, "{grown} KiB for 20 clients");
}
