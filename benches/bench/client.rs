//! Clients that keep their connection and read answers by their length, so that what is measured is the server.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::process::pause;

/// One client on one connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: String,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), address: address.to_owned(), body: Vec::new() }
    }

    /// The body of a GET that has to succeed.
    pub(crate) fn get(&mut self, path: &str) -> &[u8] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length, mut first) = (String::new(), 0, true);
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            assert!(!first || line.contains(" 200 "), "{path}: {line}");
            first = false;
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).unwrap();
        &self.body
    }
}

/// How long answers take when so many clients ask, each `times` times with a pause after each answer.
pub(crate) fn ask(address: &str, path: &str, clients: u64, times: u32, between: Duration) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|n| {
                scope.spawn(move || {
                    let mut client = Client::new(address);
                    // Not all at once.
                    pause(between * u32::try_from(n).unwrap() / u32::try_from(clients).unwrap());
                    (0..times)
                        .map(|_| {
                            let since = Instant::now();
                            client.get(path);
                            let took = since.elapsed();
                            pause(between);
                            took
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Answers a second to clients that ask without a pause.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn rate(address: &str, path: &str, clients: usize, time: Duration) -> f64 {
    let since = Instant::now();
    let answers: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut answers) = (Client::new(address), 0);
                    while since.elapsed() < time {
                        client.get(path);
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    answers as f64 / since.elapsed().as_secs_f64()
}
