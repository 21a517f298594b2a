//! What ends the program with an error.

use crate::config::{ConfigError, Settings};
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
    #[error("{place}: [{section}]: {reason}")]
    Plugin { section: String, place: String, reason: Box<BuildError> },
    #[error("{place}: [{section}]: there is no such {what}; known: {known}")]
    UnknownPlugin { section: String, place: String, what: &'static str, known: String },
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

impl AppError {
    /// What is wrong with a plugin's section, with the place in the file if a file says it.
    pub(crate) fn plugin(settings: &Settings, section: String, reason: BuildError) -> Self {
        let place = place(settings, &section, reason.key().as_deref());
        Self::Plugin { section, place, reason: Box::new(reason) }
    }

    pub(crate) fn unknown_plugin(settings: &Settings, section: String, what: &'static str, known: String) -> Self {
        let place = place(settings, &section, Some("type"));
        Self::UnknownPlugin { section, place, what, known }
    }
}

fn place(settings: &Settings, section: &str, key: Option<&str>) -> String {
    settings.place(section, key).unwrap_or_else(|| "the configuration".to_owned())
}
