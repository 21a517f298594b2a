//! A receiver behind TLS: whom the program trusts, and who it says it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::Sha256;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::receiver::Receiver;
use super::{dead_letters, wait_listed, wait_taken, webhook};
use crate::house::TestHouse;
use crate::scribe::Scribe;

/// Somebody who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for this machine, and its key.
    fn sign(&self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// Its certificate in a file of the house.
    fn file(&self, house: &TestHouse, name: &str) -> PathBuf {
        let path = house.path(name);
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }
}

/// Decrypts, and hands what comes to a receiver. It asks for a certificate of `clients`, if there is one.
struct Front {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    fn start(to: SocketAddr, authority: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = authority.sign();
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust us goes away; that is what some tests are about.
                    let mut stream = acceptor.accept(stream).await?;
                    let mut receiver = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut receiver).await
                });
            }
        });
        Self { address, _runtime: runtime }
    }
}

/// A webhook that sends to a front, with these keys below `tls`.
fn config(receiver: &Receiver, front: &Front, more: &str, tls: &str) -> String {
    let config = webhook(receiver, &format!("{more}\n[sinks.hook.tls]\n{tls}"));
    config.replace(&receiver.url(), &format!("https://{}/hook", front.address))
}

fn house_with_five() -> TestHouse {
    let house = TestHouse::new();
    Scribe::new(house.claude()).append("a", 5);
    house
}

#[test]
fn a_receiver_whose_authority_is_not_trusted_is_named_and_nothing_is_lost() {
    let (receiver, right, wrong) = (Receiver::start(), Authority::new(), Authority::new());
    let front = Front::start(receiver.address(), &right, None);
    let house = house_with_five();
    let [right, wrong] = [right.file(&house, "right.pem"), wrong.file(&house, "wrong.pem")];
    let trusting = |file: &PathBuf| config(&receiver, &front, "", &format!("ca_file = '{}'", file.display()));

    let house = house.with_config(&trusting(&wrong));
    let served = house.serve();
    wait_listed(&house, "hook", "failing", |row| {
        row["last_error"].as_str().is_some_and(|words| words.contains("invalid peer certificate"))
    });
    // It needs somebody: that does not pass by itself.
    let sinks = served.json("/api/v1/sinks");
    let sink = sinks["sinks"].as_array().unwrap().iter().find(|sink| sink["id"] == "hook").unwrap();
    assert_eq!(sink["state"], "failed", "{sink}");
    assert_eq!(served.stop().code(), Some(0));
    assert!(receiver.seen().is_empty() && dead_letters(&house).is_empty());

    let house = house.with_config(&trusting(&right));
    let served = house.serve();
    assert_eq!(wait_taken(&receiver, 5).len(), 5);
    drop(served);
}

#[test]
fn every_sink_that_sends_says_that_somebody_is_needed_where_a_receiver_is_not_trusted() {
    let (receiver, right, wrong) = (Receiver::start(), Authority::new(), Authority::new());
    let front = Front::start(receiver.address(), &right, None);
    let house = house_with_five();
    let ca = format!("tls = {{ ca_file = '{}' }}", wrong.file(&house, "wrong.pem").display());
    let url = format!("https://{}", front.address);
    let house = house.with_config(&format!(
        "[sinks.http]\ntype = 'otlp'\nstart_from = 'beginning'\nendpoint = '{url}'\nprotocol = 'http/protobuf'\n{ca}\n
         [sinks.grpc]\ntype = 'otlp'\nstart_from = 'beginning'\nendpoint = '{url}'\nprotocol = 'grpc'\n{ca}\n
         [sinks.write]\ntype = 'remote_write'\nstart_from = 'beginning'\nurl = '{url}/api/v1/write'\n{ca}\n"
    ));
    let served = house.serve();
    for id in ["http.logs", "http.metrics", "grpc.logs", "grpc.metrics", "write.samples"] {
        let mut sink = serde_json::Value::Null;
        let failed = crate::wait::within(crate::wait::PATIENCE, || {
            let sinks = served.json("/api/v1/sinks");
            sink = sinks["sinks"].as_array().unwrap().iter().find(|sink| sink["id"] == id).cloned().unwrap_or_default();
            let named = sink["last_error"].as_str().is_some_and(|words| words.contains("invalid peer certificate"));
            (sink["state"] == "failed" && named).then_some(())
        });
        assert!(failed.is_some(), "{id}: {sink}");
    }
    drop(served);
    assert!(receiver.seen().is_empty() && dead_letters(&house).is_empty());
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_ours() {
    let (receiver, authority, clients) = (Receiver::start(), Authority::new(), Authority::new());
    let front = Front::start(receiver.address(), &authority, Some(&clients));
    let house = house_with_five();
    let trusted = format!("ca_file = '{}'", authority.file(&house, "ca.pem").display());

    // Without one it is turned away.
    let house = house.with_config(&config(&receiver, &front, "", &trusted));
    let served = house.serve();
    wait_listed(&house, "hook", "failing", |row| row["last_error"].is_string());
    assert_eq!(served.stop().code(), Some(0));
    assert!(receiver.seen().is_empty() && dead_letters(&house).is_empty());

    let (certificate, key) = clients.sign();
    let paths = ["client.pem", "client.key"].map(|name| house.path(name));
    std::fs::write(&paths[0], certificate.pem()).unwrap();
    std::fs::write(&paths[1], key.serialize_pem()).unwrap();
    let known = format!("{trusted}\ncert_file = '{}'\nkey_file = '{}'", paths[0].display(), paths[1].display());
    let house = house.with_config(&config(&receiver, &front, "gzip = true\nsecret_env = 'HOOK'", &known));
    let house = house.with_env("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let served = house.serve();
    assert_eq!(wait_taken(&receiver, 5).len(), 5);
    let seen = &receiver.seen()[0];
    // Smaller than what it says, and signed as it is once it is unpacked.
    assert_eq!(seen.header("content-encoding"), "gzip");
    let plain = seen.plain();
    assert!(seen.body.len() < plain.len() / 2, "{} bytes of {}", seen.body.len(), plain.len());
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()).unwrap();
    let (id, time) = (seen.header("webhook-id"), seen.header("webhook-timestamp"));
    mac.update(format!("{id}.{time}.{}", String::from_utf8(plain).unwrap()).as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(seen.header("webhook-signature"), signature);
    drop(served);
}
