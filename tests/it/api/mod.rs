//! The REST API of the real program: every endpoint over histories that are known, each answer against a plain recount of
//! the responses in the file, or against what a generator says. Tokens are compared exactly, money to a nano-dollar.

mod about;
mod blocks;
mod caching;
pub(crate) mod client;
mod clockwork;
mod cost;
mod export;
mod history;
mod hostile;
mod lists;
mod recount;
mod refusals;
mod retention;
mod schemathesis;
mod trends;

/// A text as a part of a query or a path.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
