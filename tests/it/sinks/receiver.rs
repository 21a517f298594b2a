//! The other side of a push: an HTTP server that does what a test says, wrong things included, and remembers what came.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::Value;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The body as it was before it was compressed, if it was.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut plain = self.body.clone();
        if self.header("content-encoding") == "gzip" {
            plain.clear();
            flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut plain).unwrap();
        }
        plain
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.plain()).unwrap()
    }

    /// The changes in it.
    pub(crate) fn changes(&self) -> Vec<Value> {
        self.json()["changes"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16),
    /// With one more header.
    With(u16, &'static str, String),
    /// With a body.
    Body(u16, Vec<u8>),
    /// Close the connection in the middle of an answer.
    Cut,
    /// Never answer.
    Silence,
}

type Behaviour = Box<dyn FnMut(&Seen) -> Reply + Send>;

struct Shared {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Vec<(Seen, bool)>>,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that ends when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Takes everything with 200.
    pub(crate) fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    /// At an address that was used before, or not.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Box::new(|_| Reply::Status(200))),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&shared);
        let accept = move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), serving) = (stream, Arc::clone(&serving)) else { continue };
                if let Ok(copy) = stream.try_clone() {
                    lock(&serving.open).push(copy);
                }
                // A client that goes away in the middle is what some tests are about.
                std::thread::spawn(move || converse(stream, &serving).ok());
            }
        };
        Self { address, shared, thread: Some(std::thread::spawn(accept)) }
    }

    pub(crate) fn behaving(self, behaviour: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        *lock(&self.shared.behaviour) = Box::new(behaviour);
        self
    }

    pub(crate) fn behave(&self, behaviour: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *lock(&self.shared.behaviour) = Box::new(behaviour);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).iter().map(|(seen, _)| seen.clone()).collect()
    }

    /// Every request that was taken.
    pub(crate) fn accepted(&self) -> Vec<Seen> {
        lock(&self.shared.seen).iter().filter(|(_, taken)| *taken).map(|(seen, _)| seen.clone()).collect()
    }

    /// The changes of every request that was taken, in the order of their coming.
    pub(crate) fn taken(&self) -> Vec<Value> {
        lock(&self.shared.seen).iter().filter(|(_, taken)| *taken).flat_map(|(seen, _)| seen.changes()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the loop that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        for stream in lock(&self.shared.open).drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let Some(seen) = read(&mut reader)? else { return Ok(()) };
        let reply = lock(&shared.behaviour)(&seen);
        let taken = matches!(reply, Reply::Status(200..=299) | Reply::Body(200..=299, _));
        lock(&shared.seen).push((seen, taken));
        match reply {
            Reply::Status(status) => write!(writer, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")?,
            Reply::With(status, name, value) => {
                write!(writer, "HTTP/1.1 {status} X\r\n{name}: {value}\r\ncontent-length: 0\r\n\r\n")?;
            }
            Reply::Body(status, body) => {
                write!(writer, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len())?;
                writer.write_all(&body)?;
            }
            Reply::Cut => {
                write!(writer, "HTTP/1.1 200 X\r\ncontent-le")?;
                return writer.shutdown(Shutdown::Both);
            }
            Reply::Silence => {
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest)?;
                return Ok(());
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Seen { at: Instant::now(), headers, body }))
}
