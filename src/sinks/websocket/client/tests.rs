use std::collections::BTreeMap;

use futures_util::SinkExt as _;
use serde_json::Value;
use tokio::io::DuplexStream;

use super::*;
use crate::clock::Clock;
use crate::event::{Tally, UnixMillis};
use crate::hub::{Commit, Hub, Snapshot, Statuses};

/// A board, and what is behind it.
struct House {
    hub: Hub,
    board: Arc<Board>,
}

/// A client over a pipe of 4 KiB.
struct Other(WebSocketStream<DuplexStream>);

fn snapshot(revision: u64) -> Arc<Snapshot> {
    let model = |name: &str, requests| (Arc::from(name), Tally { requests, ..Tally::default() });
    let models = BTreeMap::from([model("a", revision), model("b", 7)]);
    Arc::new(Snapshot { revision, ready: true, models, ..Snapshot::default() })
}

impl House {
    fn new(patience: Patience) -> Self {
        let hub = Hub::new(Snapshot::clone(&snapshot(1)), Statuses::default());
        let board = Arc::new(Board::new(hub.clone(), Clock::fixed(UnixMillis(0)), patience));
        Self { hub, board }
    }

    async fn client(&self) -> Other {
        let (ours, theirs) = tokio::io::duplex(4096);
        let board = Arc::clone(&self.board);
        tokio::spawn(async move { serve(ours, &board, None).await });
        let mut client = Other(WebSocketStream::from_raw_socket(theirs, Role::Client, None).await);
        assert_eq!(client.next().await["type"], "initial_data");
        client
    }
}

impl Other {
    async fn next(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The code it is closed with, whatever comes before.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }
}

#[tokio::test]
async fn what_a_client_says_is_answered() {
    let house = House::new(Patience::default());
    let mut client = house.client().await;
    client.say(r#"{"type":"ping","id":"x"}"#).await;
    let pong = client.next().await;
    assert_eq!((&pong["type"], &pong["id"], &pong["revision"]), (&"pong".into(), &"x".into(), &1.into()));

    client.say(r#"{"type":"subscribe","models":["b"]}"#).await;
    assert_eq!(client.next().await["models"], serde_json::json!(["b"]));
    house.board.advance(&snapshot(2));
    client.say("nonsense").await;
    let error = client.next().await;
    assert_eq!((&error["type"], &error["code"]), (&"error".into(), &"not_json".into()), "and nothing about `a`");

    client.say(r#"{"type":"subscribe"}"#).await;
    assert_eq!(client.next().await["models"], serde_json::json!(["*"]));
    let anew = client.next().await;
    assert_eq!(anew["data"]["models"]["a"]["requests"], 2, "what was not heard of comes now");
    house.board.advance(&snapshot(3));
    let update = client.next().await;
    assert_eq!((&update["type"], &update["data"]["requests"]), (&"stats_update".into(), &3.into()));

    client.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(client.next().await["code"], "binary");
}

#[tokio::test]
async fn who_does_not_keep_up_starts_over_and_has_to_go_in_the_end() {
    let house = House::new(Patience::default());
    let mut client = house.client().await;
    let mut revision = 1;
    for _ in 1..LAGS {
        for _ in 0..200 {
            revision += 1;
            house.board.advance(&snapshot(revision));
        }
        let mut last = Value::Null;
        while last["type"] != "lagged" {
            last = client.next().await;
        }
        assert!(last["missed"].as_u64().unwrap() >= 100, "{last}");
        let anew = client.next().await;
        assert_eq!(anew["type"], "initial_data");
        assert_eq!(anew["revision"], revision, "with the newest numbers");
    }
    for _ in 0..200 {
        revision += 1;
        house.board.advance(&snapshot(revision));
    }
    assert_eq!(client.closed().await, 1013);
    let status = house.board.status();
    assert_eq!((status.lagged.load(Relaxed), status.dropped.load(Relaxed)), (LAGS as u64, 1));
}

#[tokio::test]
async fn too_many_messages_end_it() {
    let house = House::new(Patience::default());
    for (message, most) in [("nonsense", BAD_MESSAGES), (r#"{"type":"ping"}"#, MESSAGES)] {
        let (mut write, mut read) = house.client().await.0.split();
        let talk = async move {
            for _ in 0..most * 2 {
                // The other end may have hung up by now.
                if write.send(Message::text(message)).await.is_err() {
                    break;
                }
            }
            write
        };
        let listen = async move {
            let mut answers = 0;
            loop {
                match read.next().await.unwrap().unwrap() {
                    Message::Close(frame) => return (u16::from(frame.unwrap().code), answers),
                    _ => answers += 1,
                }
            }
        };
        let (_, closed) = tokio::join!(talk, listen);
        assert_eq!(closed, (1008, most), "{message}");
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_it() {
    let house = House::new(Patience::default());
    let mut client = house.client().await;
    client.say(&"x".repeat(LARGEST + 1)).await;
    assert_eq!(client.closed().await, 1009);

    // A frame without a mask, a reserved kind of frame, text that is not UTF-8.
    for (bytes, code) in
        [(&[0x81, 1, b'x'][..], 1002), (&[0x83, 0x80, 0, 0, 0, 0], 1002), (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007)]
    {
        let mut client = house.client().await;
        client.0.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(client.closed().await, code, "{bytes:x?}");
    }
}

#[tokio::test]
async fn who_is_silent_is_gone() {
    let quick = Patience { ping_every: Duration::from_millis(20), ..Patience::default() };
    let house = House::new(quick);
    let (ours, theirs) = tokio::io::duplex(4096);
    // It takes everything and never says anything.
    let silent = tokio::spawn(async move { tokio::io::copy(&mut { theirs }, &mut tokio::io::sink()).await });
    serve(ours, &house.board, None).await;
    assert_eq!(house.board.status().dropped.load(Relaxed), 1);
    silent.await.unwrap().unwrap();

    let mut client = house.client().await;
    let mut pings = 0;
    while pings < 4 {
        // Reading answers them.
        pings += u32::from(client.0.next().await.unwrap().unwrap().is_ping());
    }
    client.say(r#"{"type":"ping"}"#).await;
    assert_eq!(client.next().await["type"], "pong", "who answers may stay");
}

#[tokio::test]
async fn who_takes_nothing_is_gone() {
    let house = House::new(Patience { write_stall: Duration::from_millis(20), ..Patience::default() });
    let (ours, theirs) = tokio::io::duplex(64);
    serve(ours, &house.board, None).await;
    assert_eq!(house.board.status().dropped.load(Relaxed), 1);
    drop(theirs);
}

#[tokio::test]
async fn the_news_come_through_the_hub_and_end_with_the_house() {
    let house = House::new(Patience::default());
    let mut client = house.client().await;
    for revision in 2..50 {
        house.hub.publish(Commit { snapshot: snapshot(revision), changes: None });
    }
    let mut last = client.next().await;
    let mut messages = 1;
    while last["revision"] != 49 {
        last = client.next().await;
        messages += 1;
    }
    assert_eq!(last["data"]["requests"], 49);
    assert!(messages < 10, "{messages} messages for one burst");

    let (code, ()) = tokio::join!(client.closed(), house.hub.close());
    assert_eq!(code, 1001);
}

#[tokio::test]
async fn who_is_in_the_middle_of_a_message_hears_the_good_bye_after_it() {
    let house = House::new(Patience::default());
    // Too narrow for the greeting: the server is still writing it when the house closes.
    let (ours, theirs) = tokio::io::duplex(64);
    let board = Arc::clone(&house.board);
    let server = tokio::spawn(async move { serve(ours, &board, None).await });
    tokio::task::yield_now().await;
    let closing = {
        let hub = house.hub.clone();
        tokio::spawn(async move { hub.close().await })
    };
    tokio::task::yield_now().await;
    let mut client = Other(WebSocketStream::from_raw_socket(theirs, Role::Client, None).await);
    assert_eq!(client.closed().await, 1001);
    drop(client);
    server.await.unwrap();
    closing.await.unwrap();
}
