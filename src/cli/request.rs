//! Asking a running server: one request, over loopback, without a client library.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    StreamOwned,
};

const PATIENCE: Duration = Duration::from_secs(3);
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// Where a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// It speaks TLS.
    pub(super) tls: bool,
}

/// Status code and body of `GET path`.
pub(super) fn get(target: Target, path: &str) -> io::Result<(u16, String)> {
    answer(target, "GET", path, None)
}

/// What a server is shown that lets nobody in without a password.
pub(super) struct Pass {
    /// A bearer token. It is sent to nobody but this machine.
    pub(super) token: String,
    /// Over TLS: the certificate that the server has to have the key of, or it is not sent.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

/// Status code and body of `POST path` with nothing in it.
pub(super) fn post(target: Target, path: &str, pass: Option<&Pass>) -> io::Result<(u16, String)> {
    answer(target, "POST", path, pass)
}

fn answer(target: Target, method: &str, path: &str, pass: Option<&Pass>) -> io::Result<(u16, String)> {
    let address = reachable(target.address);
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    if (target.tls || pass.is_some()) && !is_here(address, &stream)? {
        let message = "over https, or with a token, only this machine is asked";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let authorization = pass.map(|pass| format!("Authorization: Bearer {}\r\n", pass.token)).unwrap_or_default();
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{authorization}Content-Length: 0\r\n\r\n");
    let answer = if target.tls { ask(encrypted(address, stream, pass)?, &request) } else { ask(stream, &request) }?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
    Ok((status, body.to_owned()))
}

fn ask(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(LONGEST_ANSWER).read_to_end(&mut answer) {
        // A connection that ends without TLS's own goodbye; the answer says how long it is.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        outcome => drop(outcome?),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A server that listens everywhere is asked over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// Whether it is this machine at the other end.
fn is_here(address: SocketAddr, stream: &TcpStream) -> io::Result<bool> {
    Ok(address.ip() == stream.local_addr()?.ip() || address.ip().to_canonical().is_loopback())
}

/// A certificate is for the name that people use, and nobody knows that here. What is asked is no secret, so on this
/// machine any certificate will do; elsewhere it would not. For a token it has to be the one that the server was given.
fn encrypted(
    address: SocketAddr,
    stream: TcpStream,
    pass: Option<&Pass>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let only = match pass.map(|pass| pass.certificate.clone()) {
        Some(None) => return Err(io::Error::other("a token is not sent to a server whose certificate is not known")),
        only => only.flatten(),
    };
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whoever { provider, only }))
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::from(address.ip())).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes any certificate, or only one, as long as the server has its key.
#[derive(Debug)]
struct Whoever {
    provider: Arc<CryptoProvider>,
    only: Option<CertificateDer<'static>>,
}

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match &self.only {
            Some(only) if only != end_entity => Err(CertificateError::UnknownIssuer.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
