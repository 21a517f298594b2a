//! A client that shows answers as they are on the wire, heads included.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::house::Served;
use crate::wait::PATIENCE;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// Without the marks of a chunked body.
    pub(crate) body: Vec<u8>,
    /// The body came to its end.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names of all headers, in order, without those that tell the time or are about this one body.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| !["transfer-encoding", "content-length"].contains(name));
        names.sort_unstable();
        names
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The tag, which has to be there.
    pub(crate) fn tag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no tag: {self:?}")).to_owned()
    }
}

/// Sends one request on a connection of its own. The host and the end of the connection are said here.
pub(crate) fn ask(served: &Served, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", served.address());
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has seen enough may close before all of it is sent; what counts is what it answered.
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap_or_default();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(drop).unwrap_or_default();
    read(&bytes)
}

pub(super) fn get(served: &Served, target: &str) -> Answer {
    ask(served, "GET", target, &[], b"")
}

fn read(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(pair).collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let (body, whole) = if is_chunked { chunks(&bytes[end + 4..]) } else { (bytes[end + 4..].to_vec(), true) };
    Answer { status, headers, body, whole }
}

/// The pieces of a chunked body (RFC 9112, section 7.1) put together, and whether the last one is there.
fn chunks(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap().trim(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let piece = &bytes[line + 2..];
        body.extend_from_slice(&piece[..size.min(piece.len())]);
        bytes = piece.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
