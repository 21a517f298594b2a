//! The floor of an HTTP answer: `warp` with one route that returns a constant body, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use warp::Filter as _;

const WORD: &str = "bare";

/// A server that is ended when dropped.
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: String,
}

impl Bare {
    /// With a body of so many bytes.
    pub(crate) fn start(size: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.args([WORD, &size.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// This process is to be that server.
pub(crate) fn asked_for() -> bool {
    std::env::args().nth(1).as_deref() == Some(WORD)
}

pub(crate) fn serve() {
    let size = std::env::args().nth(2).unwrap().parse().unwrap();
    let body = "x".repeat(size);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let route = warp::path!("api" / "v1" / "stats" / "current").map(move || body.clone());
        warp::serve(route).incoming(listener).run().await;
    });
}
