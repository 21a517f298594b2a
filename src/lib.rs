//! Counts every Claude Code response exactly once, keeps the history, and serves it.
//!
//! The modules in the order in which a line travels through them:
//!
//! - [`event`], [`merge`], [`pricing`], [`clock`]: the vocabulary, who wins, what it costs, what time it is. Pure.
//! - [`plugin`], [`status`]: what a source and a sink are, and what they show of themselves.
//! - [`sources`]: where usage comes from. Bytes in, claims out.
//! - [`ingest`]: the spine, one plain thread. Claims in, commits out.
//! - [`store`]: the history in SQLite. The only place that knows what a table is.
//! - [`hub`]: the present totals for any number of readers.
//! - [`stats`]: how totals look as JSON, to the API and to sinks.
//! - [`deliver`], [`sinks`]: who sees to it that nothing is lost on the way out; where usage goes to.
//! - [`backfill`]: the whole history at once, for a receiver that begins today.
//! - [`route`], [`web`]: how a part answers at a path; the HTTP server, the API and the pages.
//! - [`config`], [`cli`], [`app`]: settings, commands, and the wiring of all of it.
//! - [`platform`], [`synthetic`]: what differs between operating systems; made-up transcripts with the truth beside them.
//! - [`version`], [`slow`]: which build this is; what took too long.

pub mod accept;
pub mod app;
pub mod backfill;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod event;
pub mod hub;
pub mod ingest;
pub mod merge;
pub mod platform;
pub mod plugin;
pub mod pricing;
pub mod route;
pub mod sinks;
pub mod slow;
pub mod sources;
pub mod stats;
pub mod status;
pub mod store;
pub mod supervise;
pub mod synthetic;
pub mod version;
pub mod web;
