//! Settings that cannot be used, in words that say where they stand and what would be right.

use std::path::PathBuf;

use crate::pricing::PriceError;

/// Why the settings cannot be used. The program ends with exit code 78 (`EX_CONFIG` of `sysexits.h`).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "there is no configuration file at {}; write one with `claude-token-monitor config init` or leave out --config",
        path.display()
    )]
    Missing { path: PathBuf },

    #[error("reading the configuration file {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    /// What the file says has no meaning, or none here.
    #[error("{}:{line}: {message}", path.display())]
    File { path: PathBuf, line: usize, message: String },

    #[error("{place}: `{value}` is no value for {key}; expected {expected}")]
    Value {
        /// A variable, or the file and the line.
        place: String,
        key: &'static str,
        value: String,
        expected: String,
    },

    #[error("{key} names {}, which cannot be read: {source}", path.display())]
    SecretFile { key: &'static str, path: PathBuf, source: std::io::Error },

    #[error("{key} names {}, which is empty", path.display())]
    EmptyFile { key: &'static str, path: PathBuf },

    #[error("{key} and {file_key} are both set; leave one of them out")]
    Twice { key: &'static str, file_key: &'static str },

    #[error("{key} is set and {missing} is not; it takes both")]
    Alone { key: &'static str, missing: &'static str },

    #[error("{}: {source}", path.display())]
    Prices { path: PathBuf, source: PriceError },

    #[error("there is no home directory to keep the database in; name a file with --database or DATABASE_PATH")]
    NoHome,
}
