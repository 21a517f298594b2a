//! TLS by this server itself, for whoever has no proxy in front. Certificate and key are PEM files, read at the start and
//! again when they change; while the new ones are unusable the old ones stay.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// No file of certificates is larger, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// What somebody gets who speaks plain HTTP here.
const HINT: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n\
    connection: close\r\n\r\nthis port speaks TLS; use https://\n";

/// The server's side of TLS. Shared by all connections.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
    /// When the two files were last changed, as far as known.
    changed: Mutex<Stamp>,
}

type Stamp = [Option<SystemTime>; 2];

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Why there can be no TLS; names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("reading {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", .0.display())]
    NoKey(PathBuf),
    #[error("{} and {} do not go together: {source}", certificate.display(), key.display())]
    Mismatch { certificate: PathBuf, key: PathBuf, source: rustls::Error },
}

impl Tls {
    /// Reads both files.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let changed = Mutex::new(stamp(certificate, key));
        let config = ArcSwap::from_pointee(config(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), config, changed })
    }

    /// Reads both files again if one has changed, or in any case. `true`: new connections get what they say now.
    pub fn reload(&self, in_any_case: bool) -> Result<bool, TlsError> {
        let now = stamp(&self.certificate, &self.key);
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_any_case && *changed == now {
            return Ok(false);
        }
        *changed = now;
        self.config.store(Arc::new(config(&self.certificate, &self.key)?));
        Ok(true)
    }

    /// The handshake. The caller has the patience; plain HTTP gets a hint and an error.
    pub async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            stream.write_all(HINT).await?;
            stream.shutdown().await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP on the port for TLS"));
        }
        TlsAcceptor::from(self.config.load_full()).accept(stream).await
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let pem = read(certificate)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate(certificate.to_owned()))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let mismatch = |source| TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let outcome = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    outcome.map(|_| bytes).map_err(|source| TlsError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate for `localhost` and its key, in files.
    fn write(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = write(dir.path(), "a");
        let (_, other_key) = write(dir.path(), "b");
        let words = |certificate: &Path, key: &Path| Tls::load(certificate, key).unwrap_err().to_string();
        assert!(Tls::load(&certificate, &key).is_ok());
        assert!(words(&dir.path().join("no"), &key).contains("reading "));
        assert!(words(&key, &key).contains("a.key holds no certificate"));
        assert!(words(&certificate, &certificate).contains("a.crt holds no private key"));
        assert!(words(&certificate, &other_key).contains("do not go together"));
    }

    #[test]
    fn what_has_changed_is_read_again_and_what_is_broken_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = write(dir.path(), "a");
        let tls = Tls::load(&certificate, &key).unwrap();
        let before = tls.config.load_full();
        assert!(!tls.reload(false).unwrap());
        std::fs::write(&certificate, "").unwrap();
        assert!(tls.reload(true).is_err());
        assert!(Arc::ptr_eq(&before, &tls.config.load_full()), "the old one stays");
        write(dir.path(), "a");
        assert!(tls.reload(true).unwrap());
        assert!(!Arc::ptr_eq(&before, &tls.config.load_full()));
    }
}
