//! The debugging protocol: calls with an answer, and events in between.

use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::wait::PATIENCE;

/// A connection to a browser, with one session a tab.
pub(super) struct DevTools {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    /// Everything that has happened, in order.
    pub(super) events: Vec<Value>,
}

impl DevTools {
    pub(super) fn connect(port: u16, path: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        Self { socket, last_id: 0, events: Vec::new() }
    }

    /// The session of a fresh, empty tab.
    pub(super) fn new_tab(&mut self) -> String {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" })).unwrap();
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", attach).unwrap();
        attached["sessionId"].as_str().unwrap().to_owned()
    }

    /// Calls, and waits for the answer.
    pub(super) fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(session, method, params);
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                return if message["error"].is_null() { Ok(message["result"].take()) } else { Err(message) };
            }
        }
    }

    /// Waits for an event after so many, which may have come already.
    pub(super) fn wait_for(&mut self, session: &str, method: &str, after: usize) {
        let is_it = |event: &Value| event["sessionId"] == session && event["method"] == method;
        let end = Instant::now() + PATIENCE;
        while !self.events.iter().skip(after).any(is_it) {
            assert!(Instant::now() < end, "{method}: not within {PATIENCE:?}");
            self.receive();
        }
    }

    fn send(&mut self, session: Option<&str>, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method });
        message["params"] = params;
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        self.last_id
    }

    /// The next message. A dialog is closed at once, since it would keep the page from answering.
    fn receive(&mut self) -> Value {
        let message = self.socket.read().unwrap_or_else(|error| panic!("Chromium does not answer: {error}"));
        let message: Value = serde_json::from_slice(&message.into_data()).unwrap_or_default();
        if message["method"].is_string() {
            if message["method"] == "Page.javascriptDialogOpening" {
                let session = message["sessionId"].as_str().map(str::to_owned);
                self.send(session.as_deref(), "Page.handleJavaScriptDialog", json!({ "accept": true }));
            }
            self.events.push(message.clone());
        }
        message
    }
}
