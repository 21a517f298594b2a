//! OTLP: over TLS with an own authority and a client certificate, to receivers that are slow or busy, and as differences.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::grpc::GrpcReceiver;
use super::otlp::{Record, ids, plain, records, section, wait_records};
use super::receiver::{Receiver, Reply};
use super::{dead_letters, wait_listed};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

/// An authority of a test's own.
struct Authority {
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { name, issuer }
    }

    /// A certificate for `localhost`, or for a client.
    fn sign(&self, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.insert_extended_key_usage(purpose);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// What a receiver has that only lets in whom this authority knows.
    fn server(&self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (certificate, key) = self.sign(ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// Takes TLS off and passes on what is inside. Ends when dropped.
struct Front {
    port: u16,
    runtime: Option<Runtime>,
}

impl Front {
    fn before(behind: SocketAddr, authority: &Authority, protocol: &str) -> Self {
        let mut config = authority.server();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever does not trust us, or is not trusted, ends here.
                    let mut outside = acceptor.accept(stream).await.ok()?;
                    let mut inside = TcpStream::connect(behind).await.ok()?;
                    copy_bidirectional(&mut outside, &mut inside).await.ok()
                });
            }
        });
        Self { port, runtime: Some(runtime) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who we are and whom we trust, as files that the configuration names.
fn write_certificates(house: &TestHouse, trusted: &Authority, known_to: &Authority) {
    let (certificate, key) = known_to.sign(ExtendedKeyUsagePurpose::ClientAuth);
    for (name, text) in
        [("ca.pem", trusted.issuer.pem()), ("client.pem", certificate.pem()), ("client.key", key.serialize_pem())]
    {
        fs::write(house.path(name), text).unwrap();
    }
}

/// A receiver behind TLS that remembers what came.
enum Behind {
    Http(Receiver),
    Grpc(GrpcReceiver),
}

impl Behind {
    fn of(protocol: &str) -> Self {
        match protocol {
            "grpc" => Self::Grpc(GrpcReceiver::behaving(|_| Ok(ExportLogsServiceResponse::default()))),
            _ => Self::Http(Receiver::start()),
        }
    }

    fn front(&self, authority: &Authority) -> Front {
        match self {
            Self::Http(receiver) => Front::before(receiver.address(), authority, "http/1.1"),
            Self::Grpc(receiver) => Front::before(receiver.address, authority, "h2"),
        }
    }

    fn taken(&self) -> Vec<Record> {
        match self {
            Self::Http(receiver) => records(&receiver.accepted()),
            Self::Grpc(receiver) => receiver.taken(),
        }
    }
}

fn over_tls(protocol: &str) {
    let (ours, strangers) = (Authority::new("ours"), Authority::new("strangers"));
    for (trusted, known_to) in [(&strangers, &ours), (&ours, &strangers)] {
        let behind = Behind::of(protocol);
        let front = behind.front(&ours);
        let house = TestHouse::new();
        let file = |name: &str| house.path(name).to_str().unwrap().to_owned();
        let config = format!(
            "[sinks.otlp]\nendpoint = 'https://localhost:{}'\nprotocol = '{protocol}'\nmetrics = false\n\
             start_from = 'beginning'\ninterval = '100ms'\nretry_initial = '20ms'\nretry_max = '200ms'\n\
             tls = {{ ca_file = '{}', cert_file = '{}', key_file = '{}' }}\n",
            front.port,
            file("ca.pem"),
            file("client.pem"),
            file("client.key"),
        );
        let house = house.with_config(&config);
        Scribe::new(house.claude()).append("a", 10);

        write_certificates(&house, trusted, known_to);
        let served = house.serve();
        let row = wait_listed(&house, "otlp.logs", "refused", |row| row["last_error"].is_string());
        let words = row["last_error"].as_str().unwrap();
        // What a stranger is told is up to the receiver; whom we do not trust is ours to say.
        assert!(known_to.name == "strangers" || words.contains("certificate"), "{words}");
        assert_eq!(served.stop().code(), Some(0));
        assert_eq!((behind.taken().len(), dead_letters(&house).len()), (0, 0));

        write_certificates(&house, &ours, &ours);
        let served = house.serve();
        let all = || Some(behind.taken()).filter(|taken| ids(taken).len() == 10);
        assert_eq!(eventually("all over TLS", PATIENCE, all).len(), 10, "nothing was lost");
        drop((served, front));
    }
}

#[test]
fn only_a_receiver_of_the_own_authority_gets_anything_and_only_from_us() {
    over_tls("http/protobuf");
}

#[test]
fn the_same_over_grpc() {
    over_tls("grpc");
}

#[test]
fn a_slow_receiver_and_one_that_names_a_date_are_waited_for() {
    let date = || (Timestamp::now() + Duration::from_secs(3)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut number = 0;
    let receiver = Receiver::start().behaving(move |_| {
        number += 1;
        match number {
            1 => Reply::Silence,
            2 => Reply::With(429, "retry-after", date()),
            _ => Reply::Status(200),
        }
    });
    let house = TestHouse::new().with_config(&section(&receiver, None, "timeout = '300ms'"));
    Scribe::new(house.claude()).append("a", 10);
    let served = house.serve();
    assert_eq!(wait_records(&receiver, 10).len(), 10);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(300), "the deadline");
    // A date has whole seconds.
    assert!(seen[2].at - seen[1].at >= Duration::from_millis(1_900), "the date");
    wait_listed(&house, "otlp.logs", "well", |row| row["state"] == "ok" && row["lag_events"] == 0);
    assert!(dead_letters(&house).is_empty());
    drop(served);
}

#[test]
fn killed_again_and_again_in_the_middle_nothing_is_missing_over_http() {
    let receiver = Receiver::start();
    let house = TestHouse::new().with_config(&section(&receiver, None, "batch_max = 10"));
    let mut scribe = Scribe::new(house.claude());
    scribe.append("a", 600);
    for kill in 1..=3_usize {
        let served = house.serve();
        wait_records(&receiver, kill * 100);
        served.kill();
    }
    let served = house.serve();
    let taken = wait_records(&receiver, 600);
    assert_eq!(ids(&taken).len(), 600, "no gap");
    assert!(taken.len() <= 600 + 3 * 10, "at most the batch that was under way comes twice: {}", taken.len());
    drop(served);
}

/// The sum of all differences of tokens so far; every time that one says is after the one before.
fn deltas(receiver: &Receiver) -> i64 {
    let (mut sum, mut last) = (0, 0);
    for seen in receiver.accepted() {
        let request = ExportMetricsServiceRequest::decode(plain(&seen).as_slice()).unwrap();
        let metrics = request.resource_metrics.iter().flat_map(|all| &all.scope_metrics).flat_map(|all| &all.metrics);
        for metric in metrics.filter(|metric| metric.name == "claude_code.token.usage") {
            let Some(Data::Sum(data)) = &metric.data else { panic!("tokens are a sum") };
            assert_eq!(data.aggregation_temporality(), AggregationTemporality::Delta);
            for point in &data.data_points {
                let Some(Value::AsInt(count)) = point.value else { panic!("tokens are counted") };
                assert!(count > 0 && last <= point.start_time_unix_nano, "{point:?}");
                assert!(point.start_time_unix_nano < point.time_unix_nano, "{point:?}");
                sum += count;
            }
            last = data.data_points[0].time_unix_nano;
        }
    }
    sum
}

#[test]
fn differences_add_up_to_the_truth_over_failures_and_restarts() {
    let (to_logs, to_metrics) = (Receiver::start(), Receiver::start());
    let house = TestHouse::new().with_config(&section(&to_logs, Some(&to_metrics), "temporality = 'delta'"));
    let mut scribe = Scribe::new(house.claude());
    let total = |scribe: &Scribe| {
        let all = scribe.written;
        all.input + all.output + all.cache_creation + all.cache_read
    };
    scribe.append("a", 10);
    let served = house.serve();
    served.wait_counts(scribe.written, PATIENCE);
    wait_listed(&house, "otlp.metrics", "begun", |row| row["last_success_at"].is_string());
    // What was before the receiver came is not news.
    let before = total(&scribe);
    let wait = |scribe: &Scribe| {
        let expected = total(scribe) - before;
        eventually(&format!("differences of {expected}"), PATIENCE, || {
            let sum = deltas(&to_metrics);
            assert!(sum <= expected, "{sum} is more than {expected}");
            (sum == expected).then_some(())
        });
    };
    scribe.append("a", 20);
    wait(&scribe);

    to_metrics.behave(|_| Reply::Status(503));
    scribe.append("a", 5);
    let failing = |row: &serde_json::Value| row["state"] == "failing";
    wait_listed(&house, "otlp.metrics", "failing", failing);
    assert_eq!(served.stop().code(), Some(0));
    scribe.append("b", 7);
    to_metrics.behave(|_| Reply::Status(200));
    let served = house.serve();
    wait(&scribe);
    scribe.append("b", 1);
    wait(&scribe);
    drop(served);
}
