//! What ends the program with an error.

use crate::plugin::BuildError;
use crate::pricing::PriceError;
use crate::store::StoreError;

/// What ends the program with an error.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("[[prices]] in the configuration: {0}")]
    Prices(#[from] PriceError),
    #[error("[{section}] in the configuration: {reason}")]
    Plugin { section: String, reason: BuildError },
    #[error("[{section}] in the configuration: there is no such {what}; known: {known}")]
    UnknownPlugin { section: String, what: &'static str, known: String },
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: std::net::SocketAddr, reason: String },
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}
