//! Somebody else's web site: pages of a test, and, for its own name, the way to the monitor that a rebound name is.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Where the site has its one page.
pub(super) const PAGE: &str = "/attack";

/// A site that answers for as long as the test's process runs.
pub(super) struct Site {
    address: SocketAddr,
}

impl Site {
    /// Serves `page` at [`PAGE`]. Everything else goes, byte for byte, to `behind`: the browser that has the page from a
    /// name finds the monitor under the same name a moment later, as after its resolver was told another address.
    pub(super) fn start(at: (&str, u16), page: &str, behind: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let answer: Arc<str> = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
            page.len()
        )
        .into();
        thread::spawn(move || {
            for visitor in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                // A visitor that hangs up is nobody's concern.
                thread::spawn(move || visit(visitor, &answer, behind).ok());
            }
        });
        Self { address }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn visit(mut visitor: TcpStream, answer: &str, behind: Option<SocketAddr>) -> std::io::Result<()> {
    let mut start = [0; 4096];
    let read = visitor.read(&mut start)?;
    let start = start.get(..read).unwrap_or_default();
    let asks_for_page = start.starts_with(format!("GET {PAGE} ").as_bytes());
    match behind {
        Some(monitor) if !asks_for_page => {
            let mut monitor = TcpStream::connect(monitor)?;
            monitor.write_all(start)?;
            let (mut back, mut forth) = (monitor.try_clone()?, visitor.try_clone()?);
            let back = thread::spawn(move || {
                std::io::copy(&mut back, &mut forth).ok();
                forth.shutdown(Shutdown::Write)
            });
            std::io::copy(&mut visitor, &mut monitor)?;
            monitor.shutdown(Shutdown::Write)?;
            back.join().ok();
        }
        _ => visitor.write_all(answer.as_bytes())?,
    }
    Ok(())
}
