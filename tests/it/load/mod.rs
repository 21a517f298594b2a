//! More clients, slower clients and fewer resources than anybody should have. The number in a test's name is its row in
//! `docs/testing.md`. Times are said on the terminal and not judged: a machine that runs tests is never idle.

pub(crate) mod clients;
mod descriptors;
mod ending;
mod mix;
mod scrapes;
mod slow;

use std::io::Write as _;

/// Says what was measured, past the harness, which shows nothing of a test that passes.
fn measured(what: &str) {
    let thread = std::thread::current();
    let line = format!("MEASURED {}: {what}\n", thread.name().unwrap_or("s7"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
