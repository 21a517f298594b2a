//! What ends the program with an error.

use crate::config::ConfigError;
use crate::plugin::BuildError;
use crate::pricing::PriceError;
use crate::store::StoreError;
use crate::web::guard::InvalidName;
use crate::web::tls::TlsError;

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
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    #[error(
        "{0} can be reached from other machines, and there is no password. Set one (MONITOR_PASSWORD_HASH, made by \
         `claude-token-monitor auth hash`), listen on 127.0.0.1, or say with --allow-open (ALLOW_OPEN=true) that \
         something in front takes care of it"
    )]
    Open(std::net::SocketAddr),
    #[error("cannot listen on {address}: {reason}")]
    Listen { address: std::net::SocketAddr, reason: String },
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}
