//! The history in SQLite.

pub mod read;
