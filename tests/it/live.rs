//! A real WebSocket client, asked one thing at a time. Every wait is bounded.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::PATIENCE;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Room for as many clients as a test wants.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What a browser does on a page of the server's own. `window`: what the system keeps of what was not read.
pub(crate) async fn connect(address: &str, query: &str, window: Option<u32>) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/ws{query}").into_client_request().unwrap();
    request.headers_mut().insert("origin", format!("http://{address}").parse().unwrap());
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = window {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(address.parse().unwrap()).await?;
    Ok(timeout(PATIENCE, client_async(request, stream)).await.expect("an answer to the handshake")?.0)
}

/// The next message that is text; `None` once the other side has closed.
pub(crate) async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// The code with which the other side closes.
pub(crate) async fn closed(socket: &mut Socket) -> Option<u16> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("an end in time") {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// One client.
pub(crate) struct Live<'a> {
    runtime: &'a Runtime,
    pub(crate) socket: Socket,
}

impl<'a> Live<'a> {
    pub(crate) fn connect(runtime: &'a Runtime, address: &str, query: &str) -> Self {
        let socket = runtime.block_on(connect(address, query, None)).unwrap();
        Self { runtime, socket }
    }

    /// One for which the system keeps as little as it can until it reads.
    pub(crate) fn stalling(runtime: &'a Runtime, address: &str) -> Self {
        let socket = runtime.block_on(connect(address, "", Some(4096))).unwrap();
        Self { runtime, socket }
    }

    /// The next message, which has to be of this type.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().expect("a message");
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    pub(crate) fn next(&mut self) -> Option<Value> {
        self.runtime.block_on(next(&mut self.socket))
    }

    /// Messages up to one for which `last` holds.
    pub(crate) fn until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut messages = Vec::new();
        while !messages.last().is_some_and(&last) {
            messages.push(self.next().expect("more messages"));
        }
        messages
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_silent(&mut self, time: Duration) -> bool {
        let next = async { timeout(time, next(&mut self.socket)).await };
        self.runtime.block_on(next).is_err()
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.runtime.block_on(self.socket.send(message)).unwrap();
    }

    pub(crate) fn closed(&mut self) -> Option<u16> {
        self.runtime.block_on(closed(&mut self.socket))
    }
}
