//! TLS towards a receiver: whom we trust and who we are. Checking a certificate cannot be switched off.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error, RootCertStore, crypto};

use crate::plugin::{BuildError, Setup};

/// The section `[sinks.NAME.tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Authorities that are trusted instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its chain, as PEM, for a receiver that asks for one.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, as PEM.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Reads the files that are named; the system's authorities only if `secure`.
    pub fn client_config(&self, secure: bool, setup: &Setup) -> Result<ClientConfig, BuildError> {
        let provider = std::sync::Arc::new(crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError::Settings(error.to_string()))?
            .with_root_certificates(self.roots(secure, setup)?);
        match (&self.cert_file, &self.key_file) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let chain = certificates("tls.cert_file", &setup.path(cert))?;
                let key = setup.path(key);
                let key =
                    PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable("tls.key_file", &key, &error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    BuildError::at("tls.cert_file", format!("`tls.cert_file` and `tls.key_file`: {error}"))
                })
            }
            _ => Err(BuildError::at("tls", "`tls.cert_file` and `tls.key_file` need each other")),
        }
    }

    fn roots(&self, secure: bool, setup: &Setup) -> Result<RootCertStore, BuildError> {
        let mut roots = RootCertStore::empty();
        let trusted = match &self.ca_file {
            Some(file) => certificates("tls.ca_file", &setup.path(file))?,
            // Reading them takes memory and time that a plain URL does not need.
            None if secure => rustls_native_certs::load_native_certs().certs,
            None => return Ok(roots),
        };
        let (added, _) = roots.add_parsable_certificates(trusted);
        if added == 0 {
            return Err(BuildError::at(
                "tls.ca_file",
                "no trusted certificate authority was found; name a file of them with `tls.ca_file`",
            ));
        }
        Ok(roots)
    }
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(key, path, &error))?;
    if certificates.is_empty() {
        return Err(BuildError::at(key, format!("`{key}`: {} holds no certificate", path.display())));
    }
    Ok(certificates)
}

fn unreadable(key: &str, path: &Path, error: &dyn std::fmt::Display) -> BuildError {
    BuildError::at(key, format!("`{key}`: {}: {error}", path.display()))
}

/// Whether somewhere behind an error one side did not trust the certificate of the other, or missed one.
pub fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    use AlertDescription as Alert;
    if let Some(error) = error.downcast_ref::<Error>() {
        return match error {
            Error::InvalidCertificate(_) | Error::NoCertificatesPresented => true,
            Error::AlertReceived(alert) => matches!(
                alert,
                Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::UnknownCA
                    | Alert::AccessDenied
                    | Alert::CertificateRequired
            ),
            _ => false,
        };
    }
    // An I/O error passes over what it wraps when it is asked for its source.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.is_some_and(|inner| is_distrust(inner)) || error.source().is_some_and(is_distrust)
}
