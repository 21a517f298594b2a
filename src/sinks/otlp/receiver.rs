//! The way to one receiver: a request goes out, an outcome comes back.

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::grpc::Grpc;
use super::messages::{Export, Partial};
use super::settings::{Headers, Protocol, Target, headers};
use super::verdict;
use crate::event::UnixMillis;
use crate::plugin::{BuildError, Outcome, Setup};
use crate::sinks::http::{self, Client};

/// Larger requests are not sent: gRPC's receivers take no more than 4 MiB unless told otherwise, and ours are far smaller.
const LARGEST: usize = 4 * 1024 * 1024 - 64 * 1024;

/// One receiver of one signal.
pub(super) struct Receiver {
    pub(super) target: Target,
    pub(super) way: Way,
    /// A partial success without anything refused is a warning, and said once.
    warned: bool,
}

pub(super) enum Way {
    Http(Box<Client>),
    Grpc(Box<Grpc>),
}

impl Receiver {
    /// Reads certificates; opens nothing.
    pub(super) fn new(target: Target, setup: &Setup) -> Result<Self, BuildError> {
        let way = match target.protocol {
            Protocol::Grpc => Way::Grpc(Box::new(Grpc::new(&target, setup)?)),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                Way::Http(Box::new(Client::new(&target.url, &target.tls, setup)?))
            }
        };
        Ok(Self { target, way, warned: false })
    }

    /// In words without secrets.
    pub(super) fn shown(&self) -> String {
        let protocol = match self.target.protocol {
            Protocol::HttpProtobuf => "http/protobuf",
            Protocol::HttpJson => "http/json",
            Protocol::Grpc => "grpc",
        };
        format!("{} ({protocol})", http::shown(&self.target.url))
    }

    /// Sends one request.
    pub(super) async fn send<E: Export>(&mut self, request: E, now: UnixMillis) -> Outcome {
        let size = request.encoded_len();
        if size > LARGEST {
            return Outcome::TooLarge { why: format!("{size} bytes are too much for one request") };
        }
        let headers = match self.target.headers() {
            Ok(headers) => headers,
            Err(why) => return Outcome::refused(why),
        };
        let (json, gzip) = (self.target.protocol == Protocol::HttpJson, self.target.gzip);
        let sent = match &mut self.way {
            Way::Http(client) => {
                let (headers, body) = match packed(&request, json, gzip, headers) {
                    Ok(packed) => packed,
                    Err(why) => return Outcome::reject(why),
                };
                match client.post(&self.target.url, headers, body).await {
                    Ok(answer) => verdict::of_http::<E>(&answer, json, now),
                    Err(error) => Err(error.outcome()),
                }
            }
            Way::Grpc(grpc) => grpc.send(request, headers, gzip).await,
        };
        match sent {
            Ok(partial) => self.arrived(partial),
            Err(outcome) => outcome,
        }
    }

    /// A part that was refused must not be sent again.
    fn arrived(&mut self, partial: Partial) -> Outcome {
        let Partial { rejected, message } = partial;
        let why = http::quote(message.as_bytes());
        let why = why.trim_start_matches(": ").to_owned();
        if rejected > 0 {
            let why = if why.is_empty() { "the receiver does not say why".to_owned() } else { why };
            return Outcome::Partial { rejected: Vec::new(), unnamed: rejected, why };
        }
        if !why.is_empty() && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(receiver = %self.shown(), "the receiver took everything, and warns: {why}");
        }
        Outcome::Acked
    }
}

impl Target {
    /// What goes along with a request now.
    pub(super) fn headers(&self) -> Result<HeaderMap, String> {
        match &self.headers {
            Headers::Fixed(fixed) => Ok(fixed.clone()),
            Headers::Secret(secret) => {
                let text = secret.read().map_err(|error| format!("the file of headers cannot be read: {error}"))?;
                headers(&text).map_err(|words| format!("the headers: {words}"))
            }
        }
    }
}

/// A request as bytes, with its headers.
fn packed<E: Export>(
    request: &E,
    json: bool,
    gzip: bool,
    mut headers: HeaderMap,
) -> Result<(HeaderMap, Bytes), String> {
    let (kind, plain) = if json {
        ("application/json", serde_json::to_vec(request).map_err(|error| format!("no JSON: {error}"))?)
    } else {
        ("application/x-protobuf", request.encode_to_vec())
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if !gzip {
        return Ok((headers, plain.into()));
    }
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok((headers, http::gzip(&plain).into()))
}
