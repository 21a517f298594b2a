//! Clients without manners, as bare sockets, and one with manners that wants its answers all the while.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use super::measured;
use crate::house::Served;
use crate::wait::{PATIENCE, pause, within};

/// Connections from an address of this machine, which never block. With `buffer`, the system takes about as many bytes
/// for each of them and then no more.
pub(super) fn connect(served: &Served, from: &str, count: usize, buffer: Option<u32>) -> Vec<TcpStream> {
    let (from, to): (IpAddr, SocketAddr) = (from.parse().unwrap(), served.address().parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let one = || async {
        let socket = TcpSocket::new_v4()?;
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer)?;
        }
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(to).await?.into_std()
    };
    (0..count).map(|_| runtime.block_on(one()).unwrap()).collect()
}

/// Writes what the system takes now, and says how much that was; `None` when the connection is gone.
pub(super) fn push(mut client: &TcpStream, bytes: &[u8]) -> Option<usize> {
    match client.write(bytes) {
        Ok(taken) => Some(taken),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}

/// Whether the server has ended the connection. Takes what it sent before.
fn ended(mut client: &TcpStream) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match client.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Gives each client a byte now and then until the server has had enough of all of them.
pub(super) fn drip_until_closed(what: &str, mut clients: Vec<TcpStream>, byte: &[u8]) {
    let since = Instant::now();
    within(PATIENCE, || {
        clients.retain(|client| !ended(client) && push(client, byte).is_some());
        pause(Duration::from_millis(50));
        clients.is_empty().then_some(())
    });
    assert!(clients.is_empty(), "{} clients with {what} are still connected", clients.len());
    measured(&format!("clients with {what} were closed after {:?}", since.elapsed()));
}

/// Asks on a connection of its own, and gives status and answer.
pub(super) fn ask(address: &str, path: &str) -> io::Result<(u16, String)> {
    let answer = send(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, answer.clone()))?, answer))
}

/// Sends a request that asks to be the last, as it is, and gives the whole answer, head included.
pub(crate) fn send(address: &str, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Lets a client with manners ask all the while that `work` lasts. Every one of its questions has to be answered.
pub(super) fn with_a_good_client<T>(served: &Served, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let good = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let since = Instant::now();
                let (status, _) = ask(served.address(), "/api/v1/stats/current").expect("a good client is answered");
                assert_eq!(status, 200);
                times.push(since.elapsed());
                pause(Duration::from_millis(5));
            }
            times
        });
        let done = {
            let _over = Over(&over);
            work()
        };
        let mut times = good.join().unwrap();
        times.sort();
        let (half, worst) = (times[times.len() / 2], times[times.len() - 1]);
        measured(&format!(
            "{} answers for a good client, half of them within {half:?}, all within {worst:?}",
            times.len()
        ));
        done
    })
}

/// Ends a loop elsewhere, also when this thread panics.
pub(super) struct Over<'a>(pub(super) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
