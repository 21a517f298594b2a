//! One client, from its greeting to its end. It reads what the client says, writes what is new, and never holds more than
//! a message of its own: what is to be sent is shared, and what a slow client misses is not kept for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::board::{Board, Joined, News};
use super::frame::Frame;
use super::message::{ClientMessage, NotUnderstood, ServerMessage};
use super::subscription::Subscription;
use crate::hub::Guest;

/// The largest message that is read.
const LARGEST: usize = 16 * 1024;

/// What is kept for reading, for as long as the client is there. Most of what clients say is far shorter.
const READ_BUFFER: usize = 1024;

/// What the answers to pings and closes may take; everything else is written past this buffer.
const WRITE_BUFFER: usize = 1024;

/// How many questions without any sign of life are enough.
const UNANSWERED: u32 = 2;

/// A client that misses news so often is better off asking for the numbers itself.
const LAGS: usize = 3;

/// How long a client is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often it is asked whether it is still there; one more time without a sign of life and it is gone.
    pub ping_every: Duration,
    /// How long it may not take any of what is written.
    pub write_stall: Duration,
    /// How long it is remembered that it did not keep up.
    pub lags_within: Duration,
    /// How long it has to take a good-bye.
    pub goodbye: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(20),
            write_stall: Duration::from_secs(30),
            lags_within: Duration::from_secs(60),
            goodbye: Duration::from_secs(1),
        }
    }
}

/// What a client may say within a second: at all, and of what is not understood.
const MESSAGES: u32 = 100;
const BAD_MESSAGES: u32 = 10;

/// Lives until either side ends it.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(connection: S, board: &Arc<Board>, since: Option<u64>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let Joined { greeting, revision, news } = board.join(since);
    let mut client = Client {
        socket,
        board: Arc::clone(board),
        news,
        seen: revision,
        guest: board.guest(),
        subscription: Subscription::default(),
        budget: Budget::default(),
        unanswered: 0,
        lags: Vec::new(),
    };
    let end = match client.send_all(&greeting).await {
        Ok(()) => {
            drop(greeting);
            client.live().await
        }
        Err(end) => end,
    };
    client.leave(end).await;
}

/// Why a client's life ends.
#[derive(Debug)]
enum End {
    /// The client said good-bye.
    Theirs,
    /// It is gone.
    Gone,
    /// It does not take what is written.
    Stalled,
    /// The house is closing.
    Closing,
    /// It has to go.
    Ours(CloseCode, &'static str),
}

struct Client<S> {
    socket: WebSocketStream<S>,
    board: Arc<Board>,
    news: Receiver<News>,
    /// Everything up to this revision was in a message about everything.
    seen: u64,
    guest: Guest,
    subscription: Subscription,
    budget: Budget,
    /// Pings since the last sign of life.
    unanswered: u32,
    /// When it could not keep up lately.
    lags: Vec<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn live(&mut self) -> End {
        let mut pings = pings(self.board.patience.ping_every);
        loop {
            let outcome = tokio::select! {
                () = self.guest.closing() => return End::Closing,
                news = self.news.recv() => self.tell(news).await,
                said = self.socket.next() => self.hear(said).await,
                _ = pings.tick() => self.ask().await,
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    async fn tell(&mut self, news: Result<News, RecvError>) -> Result<(), End> {
        match news {
            Ok(News::Update { model, revision, frame }) => {
                if revision > self.seen && self.subscription.wants(&model) {
                    self.send(&frame).await?;
                }
                Ok(())
            }
            Ok(News::Anew) => self.start_over().await,
            Err(RecvError::Lagged(missed)) => self.catch_up(missed).await,
            Err(RecvError::Closed) => Err(End::Closing),
        }
    }

    /// Sends everything there is.
    async fn start_over(&mut self) -> Result<(), End> {
        let (frame, revision) = self.board.present();
        self.seen = revision;
        self.send(&frame).await
    }

    /// The client did not keep up: it starts over, but not again and again.
    async fn catch_up(&mut self, missed: u64) -> Result<(), End> {
        self.board.status().lagged.fetch_add(1, Relaxed);
        self.lags.retain(|at| at.elapsed() < self.board.patience.lags_within);
        self.lags.push(Instant::now());
        if self.lags.len() >= LAGS {
            return Err(End::Ours(CloseCode::Again, "too slow for the updates; ask for the numbers instead"));
        }
        let Joined { greeting, revision, news } = self.board.join(None);
        (self.news, self.seen) = (news, revision);
        self.send(&Frame::text(&ServerMessage::Lagged { stamp: self.board.stamp(), missed })).await?;
        self.send_all(&greeting).await
    }

    async fn hear(&mut self, said: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match said {
            None | Some(Ok(Message::Close(_))) => return Err(End::Theirs),
            Some(Ok(message)) => message,
            Some(Err(Error::Capacity(_))) => {
                return Err(End::Ours(CloseCode::Size, "messages have at most 16 KiB"));
            }
            Some(Err(Error::Utf8(_))) => return Err(End::Ours(CloseCode::Invalid, "text has to be UTF-8")),
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => return Err(End::Gone),
            Some(Err(Error::Protocol(error))) => {
                tracing::debug!(%error, "a client broke the WebSocket protocol");
                return Err(End::Ours(CloseCode::Protocol, "against the WebSocket protocol"));
            }
            Some(Err(_)) => return Err(End::Gone),
        };
        self.unanswered = 0;
        self.budget.message()?;
        let understood = match &message {
            Message::Text(text) => {
                self.board.status().received.fetch_add(1, Relaxed);
                ClientMessage::parse(text)
            }
            Message::Binary(_) => Err(NotUnderstood::binary()),
            // Pings are answered below us, and pongs have said all they had to say.
            _ => return Ok(()),
        };
        match understood {
            Ok(ClientMessage::Ping(id)) => {
                let stamp = self.board.stamp();
                self.send(&Frame::text(&ServerMessage::Pong { stamp, id })).await
            }
            Ok(ClientMessage::Subscribe(models)) => self.change(|wanted| wanted.subscribe(models)).await,
            Ok(ClientMessage::Unsubscribe(models)) => self.change(|wanted| wanted.unsubscribe(models)).await,
            Err(refused) => self.refuse(refused).await,
        }
    }

    /// Changes what the client hears of. What it has not heard of so far comes at once.
    async fn change<E: Into<NotUnderstood>>(
        &mut self,
        change: impl FnOnce(&mut Subscription) -> Result<(), E>,
    ) -> Result<(), End> {
        let before = self.subscription.clone();
        if let Err(refused) = change(&mut self.subscription) {
            return self.refuse(refused.into()).await;
        }
        let (models, except) = self.subscription.names();
        let stamp = self.board.stamp();
        self.send(&Frame::text(&ServerMessage::Subscribed { stamp, models, except })).await?;
        if self.subscription.is_wider_than(&before) {
            self.start_over().await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, refused: NotUnderstood) -> Result<(), End> {
        self.budget.bad_message()?;
        let NotUnderstood { code, message } = refused;
        let stamp = self.board.stamp();
        self.send(&Frame::text(&ServerMessage::Error { stamp, code: code.to_owned(), message })).await
    }

    /// Asks for a sign of life.
    async fn ask(&mut self) -> Result<(), End> {
        if self.unanswered >= UNANSWERED {
            return Err(End::Ours(CloseCode::Policy, "no answer to pings"));
        }
        self.unanswered += 1;
        self.write(&Frame::ping()).await
    }

    async fn send_all(&mut self, frames: &[Frame]) -> Result<(), End> {
        for frame in frames {
            self.send(frame).await?;
        }
        Ok(())
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), End> {
        self.write(frame).await?;
        self.board.status().sent.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Writes a whole frame or ends: a part of one would make nonsense of all that follows.
    async fn write(&mut self, frame: &Frame) -> Result<(), End> {
        let patience = self.board.patience;
        let socket = &mut self.socket;
        let mut writing = std::pin::pin!(async {
            // What the protocol itself has to say goes first, if any of it is left.
            std::future::poll_fn(|cx| futures_util::Sink::poll_flush(std::pin::Pin::new(&mut *socket), cx))
                .await
                .map_err(io::Error::other)?;
            socket.get_mut().write_all(frame.bytes()).await?;
            socket.get_mut().flush().await
        });
        // When the house closes, whoever still takes what is under way is to hear the good-bye after it.
        let written = tokio::select! {
            biased;
            written = timeout(patience.write_stall, writing.as_mut()) => written,
            () = self.guest.closing() => timeout(patience.goodbye, writing).await,
        };
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Stalled),
        }
    }

    /// Says good-bye, if there is anybody to say it to.
    async fn leave(mut self, end: End) {
        if matches!(end, End::Stalled | End::Ours(..)) {
            self.board.status().dropped.fetch_add(1, Relaxed);
        }
        let frame = match end {
            End::Gone | End::Stalled => return,
            End::Theirs => None,
            End::Closing => Some((CloseCode::Away, "the server is stopping")),
            End::Ours(code, reason) => Some((code, reason)),
        };
        let patience = self.board.patience.goodbye;
        let goodbye = async {
            if let Some((code, reason)) = frame {
                self.socket.close(Some(CloseFrame { code, reason: reason.into() })).await.ok();
            }
            while let Some(Ok(_)) = self.socket.next().await {}
            // What is still coming is read, or the system would tell the client that its connection broke before it has
            // seen why.
            let connection = self.socket.get_mut();
            connection.shutdown().await.ok();
            tokio::io::copy(connection, &mut tokio::io::sink()).await.ok();
        };
        timeout(patience, goodbye).await.ok();
    }
}

fn pings(every: Duration) -> Interval {
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// How much a client has said within the last second.
#[derive(Default)]
struct Budget {
    since: Option<Instant>,
    messages: u32,
    bad: u32,
}

impl Budget {
    fn message(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.since.is_none_or(|since| now - since >= Duration::from_secs(1)) {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.messages += 1;
        if self.messages > MESSAGES {
            return Err(End::Ours(CloseCode::Policy, "too many messages"));
        }
        Ok(())
    }

    fn bad_message(&mut self) -> Result<(), End> {
        self.bad += 1;
        if self.bad > BAD_MESSAGES {
            return Err(End::Ours(CloseCode::Policy, "too many messages that are not understood"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
