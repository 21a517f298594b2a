//! Black-box proof: the real binary against real transcripts, real faults and real peers. One binary, so that it links
//! once; a module a subject. Nothing here reads the home of whoever runs it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic_in_result_fn, reason = "a test says by a panic that something is wrong")]

mod abuse;
mod api;
mod auth;
mod browser;
mod cli;
mod corpus;
mod counts;
mod deploy;
mod docs;
mod faults;
mod fixtures;
mod grafana;
mod house;
mod inputs;
mod live;
mod load;
mod logs;
mod machine;
mod pages;
mod parts;
mod privacy;
mod prometheus;
mod references;
mod scrape;
mod scribe;
mod sinks;
mod synthetic;
mod tidy;
mod truth;
mod wait;
mod websocket;
