//! gRPC: one channel, opened when it is first used and again by itself when it was cut.

use std::time::Duration;

use hyper::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::messages::{Export, Partial};
use super::settings::Target;
use super::verdict;
use crate::plugin::{BuildError, Outcome, Setup};

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How often a connection is asked whether it still stands, while something waits on it.
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// The way to one service.
pub(super) struct Grpc {
    endpoint: Endpoint,
    channel: Option<Channel>,
}

impl Grpc {
    /// Reads certificates; opens nothing.
    pub(super) fn new(target: &Target, setup: &Setup) -> Result<Self, BuildError> {
        let mut endpoint = Endpoint::from(target.url.clone())
            .user_agent(concat!("claude-token-monitor/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| BuildError::Settings(error.to_string()))?
            .connect_timeout(CONNECT_WITHIN)
            .http2_keep_alive_interval(PROBE_EVERY)
            .tcp_nodelay(true);
        if target.url.scheme_str() == Some("https") {
            // The shared client's check finds what is wrong with the files and names the key.
            target.tls.client_config(true, setup)?;
            let tls = tls(target, setup).map_err(|(key, error)| BuildError::at(key, format!("`{key}`: {error}")))?;
            endpoint = endpoint.tls_config(tls).map_err(|error| BuildError::at("tls", error.to_string()))?;
        }
        Ok(Self { endpoint, channel: None })
    }

    /// The channel of the runtime that this is called in.
    pub(super) fn channel(&mut self) -> Channel {
        self.channel.get_or_insert_with(|| self.endpoint.connect_lazy()).clone()
    }

    pub(super) async fn send<E: Export>(
        &mut self,
        request: E,
        headers: HeaderMap,
        gzip: bool,
    ) -> Result<Partial, Outcome> {
        let mut request = tonic::Request::new(request);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        match E::call(self.channel(), gzip, request).await {
            Ok(answer) => Ok(E::partial(answer.into_inner())),
            Err(status) => Err(verdict::of_grpc(&status)),
        }
    }
}

fn tls(target: &Target, setup: &Setup) -> Result<ClientTlsConfig, (&'static str, std::io::Error)> {
    let read = |key, path| std::fs::read(setup.path(path)).map_err(|error| (key, error));
    let mut tls = ClientTlsConfig::new();
    tls = match &target.tls.ca_file {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read("tls.ca_file", path)?)),
        None => tls.with_native_roots(),
    };
    if let (Some(cert), Some(key)) = (&target.tls.cert_file, &target.tls.key_file) {
        tls = tls.identity(Identity::from_pem(read("tls.cert_file", cert)?, read("tls.key_file", key)?));
    }
    Ok(tls)
}
