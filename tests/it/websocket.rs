//! `/ws` of the real program, by real clients.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::house::{Served, TestHouse};
use crate::live::{Live, closed, connect, next, runtime};
use crate::machine::Cgroup;
use crate::parts;
use crate::scribe::{MODEL, Scribe};
use crate::wait::{PATIENCE, eventually, pause};

const OTHER: &str = "claude-opus-4-5-20251101";

/// Long enough for a message that is on its way.
const A_WHILE: Duration = Duration::from_millis(300);

/// Appends one response of another model.
fn append_other(scribe: &mut Scribe, model: &str) {
    let line = scribe.response("other").replace(MODEL, model);
    scribe.append_raw("other", line.as_bytes());
}

#[test]
fn the_first_message_is_what_the_api_says_and_each_line_is_pushed() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 3);
    append_other(&mut scribe, OTHER);
    let served = house.serve();
    let runtime = runtime();
    let mut client = Live::connect(&runtime, served.address(), "");

    let first = client.expect("initial_data");
    assert_eq!(first["data"], served.json("/api/v1/stats/current"));
    assert_eq!(first["revision"], first["data"]["totals"]["revision"]);
    let time: jiff::Timestamp = first["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(time > jiff::Timestamp::UNIX_EPOCH);

    for _ in 0..3 {
        append_other(&mut scribe, OTHER);
        let update = client.expect("stats_update");
        served.wait_counts(scribe.written, PATIENCE);
        let mut current = served.json("/api/v1/stats/current");
        current["models"][OTHER]["model"] = OTHER.into();
        assert_eq!(update["data"], current["models"][OTHER], "{update}");
        assert_eq!(update["totals"], current["totals"]);
        assert!(update["revision"].as_u64() > first["revision"].as_u64());
    }
    // A burst is not a message a line, and ends with the newest state.
    for _ in 0..100 {
        scribe.append("one", 1);
    }
    let requests = scribe.written.requests;
    let updates = client.until(|message| message["totals"]["requests"] == requests);
    assert!(updates.iter().all(|update| update["data"]["model"] == MODEL), "{updates:?}");
}

#[test]
fn costs_are_left_out_where_they_are_off() {
    let house = TestHouse::new().with_env("ENABLE_COST_ESTIMATION", "false");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 1);
    let served = house.serve();
    let runtime = runtime();
    let mut client = Live::connect(&runtime, served.address(), "");
    let first = client.expect("initial_data");
    assert_eq!(first["data"], served.json("/api/v1/stats/current"));
    scribe.append("one", 1);
    let update = client.expect("stats_update");
    assert!(![first, update].iter().any(|message| message.to_string().contains("cost")));
}

#[test]
fn a_client_hears_of_the_models_that_it_asked_for() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 1);
    let served = house.serve();
    let runtime = runtime();
    let mut client = Live::connect(&runtime, served.address(), "");
    client.expect("initial_data");

    client.say(&json!({"type": "subscribe", "models": [OTHER]}));
    assert_eq!(client.expect("subscribed")["models"], json!([OTHER]));
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    append_other(&mut scribe, OTHER);
    assert_eq!(client.expect("stats_update")["data"]["model"], OTHER);

    client.say(&json!({"type": "unsubscribe", "models": [OTHER]}));
    assert_eq!(client.expect("subscribed")["models"], json!([]));
    append_other(&mut scribe, OTHER);
    served.wait_counts(scribe.written, PATIENCE);
    assert!(client.is_silent(A_WHILE));

    client.say(&json!({"type": "subscribe", "models": []}));
    assert_eq!(client.expect("subscribed")["models"], json!(["*"]));
    assert_eq!(client.expect("initial_data")["data"], served.json("/api/v1/stats/current"));
    scribe.append("one", 1);
    assert_eq!(client.expect("stats_update")["data"]["model"], MODEL);

    let many: Vec<String> = (0..51).map(|n| format!("model-{n}")).collect();
    client.say(&json!({"type": "subscribe", "models": many}));
    assert_eq!(client.expect("error")["code"], "too_many_models");
}

#[test]
fn nonsense_is_answered_and_what_is_too_large_is_not_read() {
    let house = TestHouse::new();
    let mut served = house.serve();
    let runtime = runtime();
    let mut client = Live::connect(&runtime, served.address(), "");
    client.expect("initial_data");

    client.say(&json!({"type": "ping", "id": 17}));
    assert_eq!(client.expect("pong")["id"], 17);
    for (message, code) in [
        (Message::text("hello"), "not_json"),
        (Message::text(r#"{"type":"launch"}"#), "unknown_type"),
        (Message::text(r#"{"type":"subscribe","models":{}}"#), "invalid_message"),
        (Message::binary(vec![0, 159, 146, 150]), "binary"),
    ] {
        client.send(message);
        let error = client.expect("error");
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].is_string() && error["revision"].is_u64());
    }
    // In pieces, with a ping of the protocol in between.
    let piece = |kind, text: &str, last| Message::Frame(Frame::message(text.to_owned(), OpCode::Data(kind), last));
    client.send(piece(Data::Text, r#"{"type":"pi"#, false));
    client.send(Message::Ping("are you there".into()));
    client.send(piece(Data::Continue, r#"ng","id":"in pieces"}"#, true));
    assert_eq!(client.expect("pong")["id"], "in pieces");

    client.send(Message::text("x".repeat(16 * 1024 + 1)));
    assert_eq!(client.closed(), Some(1009));
    let mut client = Live::connect(&runtime, served.address(), "");
    for _ in 0..40 {
        client.send(piece(Data::Text, &"x".repeat(1000), false));
        client.send(piece(Data::Continue, &"x".repeat(16_000), false));
    }
    assert!(client.closed().is_none_or(|code| code == 1009 || code == 1002));
    let mut client = Live::connect(&runtime, served.address(), "");
    for _ in 0..12 {
        client.send(Message::text("?"));
    }
    assert_eq!(client.closed(), Some(1008));
    served.assert_alive();
}

/// Why a handshake was refused.
fn refusal(runtime: &tokio::runtime::Runtime, served: &Served, query: &str) -> (u16, Value) {
    match runtime.block_on(connect(served.address(), query, None)) {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_may_not_come_in_is_told_why() {
    let house = TestHouse::new().with_config("[sinks.websocket]\nmax_clients = 2\n");
    let served = house.serve();
    let runtime = runtime();
    let (status, body) = served.ask("/ws").unwrap();
    assert_eq!(status, 426, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], "upgrade_required");
    assert_eq!(refusal(&runtime, &served, "?since=x").0, 400);
    assert_eq!(refusal(&runtime, &served, "?token=x").0, 400);

    let first = Live::connect(&runtime, served.address(), "");
    let second = Live::connect(&runtime, served.address(), "");
    let (status, body) = refusal(&runtime, &served, "");
    assert_eq!((status, &body["code"]), (503, &"too_many_clients".into()), "{body}");
    drop(first);
    eventually("a seat that is free again", PATIENCE, || runtime.block_on(connect(served.address(), "", None)).ok());
    drop(second);
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 1);
    let served = house.serve();
    let runtime = runtime();
    let mut client = Live::connect(&runtime, served.address(), "");
    let revision = client.expect("initial_data")["revision"].as_u64().unwrap();
    drop(client);

    let since = format!("?since={revision}");
    let mut client = Live::connect(&runtime, served.address(), &since);
    let resumed = client.expect("resumed");
    assert_eq!((&resumed["since"], &resumed["updates"]), (&revision.into(), &0.into()), "{resumed}");
    drop(client);

    append_other(&mut scribe, OTHER);
    served.wait_counts(scribe.written, PATIENCE);
    // The news may be a moment behind the API.
    let mut client = eventually("the update that was missed", PATIENCE, || {
        let mut client = Live::connect(&runtime, served.address(), &since);
        (client.expect("resumed")["updates"] == 1).then_some(client)
    });
    let update = client.expect("stats_update");
    assert_eq!((&update["data"]["model"], &update["data"]["requests"]), (&OTHER.into(), &1.into()));
    scribe.append("one", 1);
    assert_eq!(client.expect("stats_update")["data"]["model"], MODEL, "and then whatever is new");

    for unknown in ["?since=0", "?since=999999"] {
        let mut client = Live::connect(&runtime, served.address(), unknown);
        client.expect("initial_data");
    }
}

/// Rounds until the program has the buffers that it works with, whoever listens.
const WARM: usize = 10;

/// S4: one client takes nothing. The others hear everything there is to hear, and memory does not grow with it.
#[test]
fn s4_a_stalled_client_costs_the_others_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 1);
    // Long enough messages to fill whatever the system keeps between the two.
    for model in 0..400 {
        append_other(&mut scribe, &format!("model-{model:03}"));
    }
    let mut served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    let runtime = runtime();
    let mut stalled = Live::stalling(&runtime, served.address());
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(runtime.block_on(connect(served.address(), "", None)).unwrap());
    }
    for socket in &mut sockets {
        assert_eq!(runtime.block_on(next(socket)).unwrap()["type"], "initial_data");
    }
    let mut before = 0;
    let mut readers = JoinSet::new();
    // More than the history can have before the last line is written.
    let (tell, told) = tokio::sync::watch::channel(u64::MAX);
    for mut socket in sockets {
        let told = told.clone();
        readers.spawn_on(
            async move {
                let mut requests = 0;
                let mut messages = 0_u64;
                while requests < *told.borrow() {
                    let message = next(&mut socket).await.expect("a message");
                    let totals =
                        if message["type"] == "initial_data" { &message["data"]["totals"] } else { &message["totals"] };
                    let now = totals["requests"].as_u64().unwrap();
                    assert!(now >= requests, "{now} after {requests}");
                    assert_ne!(message["type"], "lagged");
                    requests = now;
                    messages += 1;
                }
                messages
            },
            runtime.handle(),
        );
    }
    // 1,000 lines a second; every now and then so many models at once that everybody starts over.
    let rounds = if parts::soak() { 6_000 } else { 100 };
    for round in 0..rounds {
        if round == WARM {
            before = served.rss_kib();
        }
        scribe.append("one", 80);
        for model in 0..30 {
            append_other(&mut scribe, &format!("model-{model:03}"));
        }
        if round + 1 == rounds {
            // Whoever has heard everything up to here is woken once more by the last line.
            tell.send(scribe.written.requests.unsigned_abs()).unwrap();
            scribe.append("one", 1);
        }
        pause(Duration::from_millis(100));
    }
    runtime.block_on(async {
        while let Some(reader) = readers.join_next().await {
            assert!(reader.unwrap() > 10);
        }
    });
    served.wait_counts(scribe.written, PATIENCE);
    let grown = served.rss_kib().saturating_sub(before);
    assert!(grown < 20 * 1024, "{grown} KiB more than before");
    // Whatever it was spared, in the end it has the same numbers as everybody.
    let requests = scribe.written.requests;
    stalled.until(|message| {
        message["totals"]["requests"] == requests || message["data"]["totals"]["requests"] == requests
    });
    served.assert_alive();
}

/// S5: many clients that listen and hardly ever hear anything.
#[test]
fn s5_many_clients_are_cheap_and_the_cap_holds() {
    let clients: usize = if parts::soak() { 5_000 } else { 1_000 };
    let Some(cgroup) = Cgroup::memory(256) else { return };
    let house =
        TestHouse::new().with_config(&format!("[sinks.websocket]\nmax_clients = {clients}\n")).through(cgroup.prefix());
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 10);
    let mut served = house.serve();
    let runtime = runtime();
    // What the first clients make it load and start is not what each one costs.
    let warm = connect_many(&runtime, &served, 50);
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    let others = served.sockets() - 50;
    drop(warm);
    eventually("nobody", PATIENCE, || (served.sockets() <= others).then_some(()));

    let before = served.rss_kib();
    let mut sockets = connect_many(&runtime, &served, clients);
    let (status, body) = refusal(&runtime, &served, "");
    assert_eq!(status, 503, "{body}");
    pause(Duration::from_secs(10));
    let after = served.rss_kib();
    let each = after.saturating_sub(before) / clients as u64;
    assert!(each < 16, "{each} KiB for each of {clients} clients, {before} KiB without them");

    // They are all still there, and the rest of the house has room.
    scribe.append("one", 1);
    served.wait_counts(scribe.written, PATIENCE);
    runtime.block_on(async {
        for socket in &mut sockets {
            assert_eq!(next(socket).await.unwrap()["totals"]["requests"], scribe.written.requests);
        }
    });
    served.assert_alive();
    assert_eq!(cgroup.oom_kills(), 0);
    drop(sockets);
    eventually("nobody", PATIENCE, || (served.sockets() <= others + 1).then_some(()));
}

/// So many clients that have had their first message.
fn connect_many(runtime: &tokio::runtime::Runtime, served: &Served, count: usize) -> Vec<crate::live::Socket> {
    let at_once = Arc::new(Semaphore::new(32));
    let mut joining = JoinSet::new();
    for _ in 0..count {
        let (address, at_once) = (served.address().to_owned(), Arc::clone(&at_once));
        let join = async move {
            let _turn = at_once.acquire().await.unwrap();
            let mut socket = connect(&address, "", None).await.unwrap();
            assert_eq!(next(&mut socket).await.unwrap()["type"], "initial_data");
            socket
        };
        joining.spawn_on(join, runtime.handle());
    }
    runtime.block_on(async {
        let mut sockets = Vec::new();
        while let Some(socket) = joining.join_next().await {
            sockets.push(socket.unwrap());
        }
        sockets
    })
}

/// S11, the part of the WebSocket: everybody is told that the server stops.
#[test]
fn s11_clients_are_told_that_the_server_stops() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 10);
    let served = house.serve();
    let runtime = runtime();
    let mut sockets = connect_many(&runtime, &served, 200);
    // One that takes nothing does not hold the others up.
    let stalled = Live::stalling(&runtime, served.address());
    let lines = scribe.response("one").repeat(50);
    scribe.append_raw("one", lines.as_bytes());
    let status = served.stop();
    assert_eq!(status.code(), Some(0));
    runtime.block_on(async {
        for socket in &mut sockets {
            assert_eq!(closed(socket).await, Some(1001));
        }
    });
    drop(stalled);
    assert_eq!(house.counts(), scribe.written);
}
