//! The messages, as they are in `docs/websocket.md`. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::subscription::Refused;
use crate::event::UnixMillis;
use crate::stats::{Current, Row, Totals};

/// What every message says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When the message was made; RFC 3339, in UTC.
    pub timestamp: String,
    /// How far the history had come. `?since=` takes it.
    pub revision: u64,
}

impl Stamp {
    pub fn new(at: UnixMillis, revision: u64) -> Self {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self { timestamp: format!("{at:.3}"), revision }
    }
}

/// What we say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Everything there is: at first, and whenever a client has to start over.
    InitialData {
        #[serde(flatten)]
        stamp: Stamp,
        data: Current,
    },
    /// One model has changed.
    StatsUpdate {
        #[serde(flatten)]
        stamp: Stamp,
        data: ModelRow,
        totals: Totals,
    },
    /// What is pushed from now on, after any `subscribe` and `unsubscribe`.
    Subscribed {
        #[serde(flatten)]
        stamp: Stamp,
        models: Vec<String>,
        except: Vec<String>,
    },
    Pong {
        #[serde(flatten)]
        stamp: Stamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
    },
    /// Nothing was missed but the updates that follow.
    Resumed {
        #[serde(flatten)]
        stamp: Stamp,
        since: u64,
        /// How many updates follow.
        updates: u64,
    },
    /// The client did not keep up; what it missed is in the `initial_data` that follows.
    Lagged {
        #[serde(flatten)]
        stamp: Stamp,
        missed: u64,
    },
    Error {
        #[serde(flatten)]
        stamp: Stamp,
        code: String,
        message: String,
    },
}

/// A row with the model it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    pub model: Arc<str>,
    #[serde(flatten)]
    pub row: Row,
}

/// What a client may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    Ping(Option<Id>),
}

/// What a client knows its ping by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Number(i64),
    Text(String),
}

/// How long an [`Id`] may be, in bytes.
const LONGEST_ID: usize = 64;

/// Why a message is not understood; `code` is for programs and never changes its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    pub code: &'static str,
    pub message: String,
}

impl NotUnderstood {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn binary() -> Self {
        Self::new("binary", "messages are JSON in text frames")
    }
}

impl From<Refused> for NotUnderstood {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::TooMany => "too_many_models",
            Refused::Length => "invalid_model",
        };
        Self::new(code, refused.to_string())
    }
}

const KNOWN: &str = "subscribe, unsubscribe, ping";

impl ClientMessage {
    /// Understands a message or says why not. Fields that are not known are passed over: a later version may send them.
    pub fn parse(text: &str) -> Result<Self, NotUnderstood> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            #[serde(rename = "type", borrow)]
            kind: std::borrow::Cow<'a, str>,
            #[serde(default)]
            models: Option<Vec<String>>,
            #[serde(default)]
            id: Option<Id>,
        }
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|error| {
            let code = if error.is_data() { "invalid_message" } else { "not_json" };
            // The position is worth more than the words, which may quote the message.
            let what = if error.is_data() { "a field is missing or of the wrong type" } else { "this is not JSON" };
            NotUnderstood::new(code, format!("{what} (column {})", error.column()))
        })?;
        match &*raw.kind {
            "subscribe" => Ok(Self::Subscribe(raw.models.unwrap_or_default())),
            "unsubscribe" => Ok(Self::Unsubscribe(raw.models.unwrap_or_default())),
            "ping" => match raw.id {
                Some(Id::Text(id)) if id.len() > LONGEST_ID => {
                    Err(NotUnderstood::new("invalid_message", format!("id: at most {LONGEST_ID} bytes")))
                }
                id => Ok(Self::Ping(id)),
            },
            _ => Err(NotUnderstood::new("unknown_type", format!("there is no such type; known: {KNOWN}"))),
        }
    }
}

#[cfg(test)]
mod tests;
