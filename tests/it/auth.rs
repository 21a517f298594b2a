//! The login, tokens and TLS of the real program, and what it refuses to start with.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::house::{Finished, Served, TestHouse};
use crate::wait::{PATIENCE, eventually};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What `auth hash` makes of a password that is piped in.
fn hash(house: &TestHouse, password: &str) -> Finished {
    let path = house.path("typed");
    std::fs::write(&path, format!("{password}\n")).unwrap();
    let mut command = house.command(["auth", "hash"]);
    command.stdin(Stdio::from(std::fs::File::open(path).unwrap()));
    house.finish(command)
}

fn made_hash(password: &str) -> String {
    let done = hash(&TestHouse::new(), password);
    assert_eq!(done.code(), 0, "{done:?}");
    done.stdout.trim().to_owned()
}

/// An address that nobody has at the moment, for a house that has to come back to it.
pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A house with a password.
pub(crate) fn locked() -> TestHouse {
    TestHouse::new().with_env("MONITOR_PASSWORD_HASH", made_hash(PASSWORD))
}

/// One answer, with its cookie.
struct Answer {
    status: u16,
    cookie: Option<String>,
    retry_after: Option<String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn ask(served: &Served, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", served.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = match method {
        "GET" => agent.run(request.body(()).unwrap()),
        _ => agent.run(request.body(body.to_owned()).unwrap()),
    };
    let mut answer = answer.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (cookie, retry_after) = (header("set-cookie"), header("retry-after"));
    Answer { status: answer.status().as_u16(), cookie, retry_after, body: answer.body_mut().read_to_string().unwrap() }
}

fn log_in(served: &Served, password: &str) -> Answer {
    let body = json!({"password": password}).to_string();
    ask(served, "POST", "/api/v1/auth/login", &[("content-type", "application/json")], &body)
}

fn status_with(served: &Served, path: &str, header: (&str, &str)) -> u16 {
    ask(served, "GET", path, &[header], "").status
}

#[test]
fn a_hash_is_made_of_what_is_piped_in() {
    let house = TestHouse::new();
    let (first, second) = (hash(&house, PASSWORD), hash(&house, PASSWORD));
    assert_eq!(first.code(), 0, "{first:?}");
    assert!(first.stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first:?}");
    assert_ne!(first.stdout, second.stdout, "each has its own salt");
    let short = hash(&house, "1234567");
    assert_eq!(short.code(), 1);
    assert!(short.stderr.contains("at least 8 characters"), "{short:?}");
}

#[test]
fn a_login_survives_a_restart_and_ends_with_the_password() {
    let address = free_address();
    let mut house = locked().with_env("LISTEN_ADDR", &address);
    let served = house.serve();
    let refused = ask(&served, "GET", "/api/v1/stats/current", &[], "");
    assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("Unauthorized")));
    let wrong = log_in(&served, "wrong");
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &json!("Invalid password")));
    let right = log_in(&served, PASSWORD);
    assert_eq!((right.status, &right.json()["status"]), (200, &json!("ok")));
    let cookie = right.cookie.unwrap().split(';').next().unwrap().to_owned();
    let known = ("cookie", cookie.as_str());
    assert_eq!(status_with(&served, "/api/v1/stats/current", known), 200);
    assert_eq!(status_with(&served, "/metrics", known), 200);
    assert!(served.stop().success());

    for name in ["monitor.sessions", "monitor.jwt-secret"] {
        let path = house.database().with_file_name(name);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(cookie.split_once('=').unwrap().1), "{name} holds the session's id");
    }
    let served = house.serve();
    assert_eq!(status_with(&served, "/api/v1/stats/current", known), 200, "after a restart");
    served.kill();

    house = house.with_env("MONITOR_PASSWORD_HASH", made_hash("another password"));
    let served = house.serve();
    assert_eq!(status_with(&served, "/api/v1/stats/current", known), 401, "under a new password");
    assert!(!served.log().contains(PASSWORD));
}

#[test]
fn a_token_from_the_command_line_is_accepted_until_the_password_changes() {
    let house = locked();
    let token = house.run(["auth", "token", "--ttl", "5"]);
    assert_eq!(token.code(), 0, "{token:?}");
    let bearer = format!("Bearer {}", token.stdout.trim());
    let known = ("authorization", bearer.as_str());
    let served = house.serve();
    for path in ["/api/v1/stats/current", "/metrics", "/"] {
        assert_eq!(status_with(&served, path, known), 200, "{path}");
    }
    assert_eq!(status_with(&served, "/", ("authorization", "Bearer x")), 401);
    for path in ["/api/v1/health", "/api/v1/version", "/-/ready", "/login"] {
        assert_eq!(ask(&served, "GET", path, &[], "").status, 200, "{path} is open");
    }
    served.kill();
    let house = house.with_env("MONITOR_PASSWORD_HASH", made_hash("another password"));
    assert_eq!(status_with(&house.serve(), "/metrics", known), 401);

    let none = TestHouse::new().run(["auth", "token"]);
    assert_eq!(none.code(), 78);
    assert!(none.stderr.contains("there is no password"), "{none:?}");
}

#[test]
fn a_scraper_has_a_token_of_its_own_in_a_file() {
    let house = locked();
    let file = house.path("scrape-token");
    std::fs::write(&file, "0123456789abcdef-scrape\n").unwrap();
    let house = house.with_env("MONITOR_SCRAPE_TOKEN_FILE", &file);
    let served = house.serve();
    let scraper = ("authorization", "Bearer 0123456789abcdef-scrape");
    assert_eq!(status_with(&served, "/metrics", scraper), 200);
    // prometheus:0123456789abcdef-scrape
    let basic = ("authorization", "Basic cHJvbWV0aGV1czowMTIzNDU2Nzg5YWJjZGVmLXNjcmFwZQ==");
    assert_eq!(status_with(&served, "/metrics", basic), 200);
    assert_eq!(status_with(&served, "/api/v1/stats/current", scraper), 401, "nothing else");
    assert_eq!(status_with(&served, "/metrics", ("x-nothing", "")), 401);
    served.kill();

    let open = house.with_env("METRICS_AUTH", "none").serve();
    assert_eq!(status_with(&open, "/metrics", ("x-nothing", "")), 200);
}

#[test]
fn what_protects_nothing_is_refused_at_the_start() {
    const WEAK: &str = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let hash = made_hash(PASSWORD);
    let cases: [Case<'_>; 12] = [
        (&[("MONITOR_PASSWORD_HASH", WEAK)], &["bare SHA-256", "claude-token-monitor auth hash"]),
        (&[("MONITOR_PASSWORD_HASH", PASSWORD)], &["no argon2id hash", "claude-token-monitor auth hash"]),
        (&[("MONITOR_PASSWORD_HASH_FILE", "/does/not/exist")], &["auth.password_hash_file", "/does/not/exist"]),
        (&[("MONITOR_PASSWORD_HASH", &hash), ("MONITOR_JWT_SECRET", "short-s")], &["auth.jwt_secret", "32 bytes"]),
        (
            &[("MONITOR_PASSWORD_HASH", &hash), ("MONITOR_JWT_SECRET", "your-secret-key-here-and-some-more-of-it")],
            &["auth.jwt_secret", "everybody knows"],
        ),
        (&[("MONITOR_SCRAPE_TOKEN", "short-s")], &["auth.scrape_token", "16 bytes"]),
        (&[("METRICS_AUTH", "token")], &["auth.metrics", "closes /metrics for good"]),
        (&[("ALLOWED_ORIGINS", "*")], &["allowed_origins", "one by one"]),
        (&[("ALLOWED_ORIGINS", "https://a.example/x")], &["allowed_origins", "without a path"]),
        (&[("PUBLIC_URL", "https://m.example/x")], &["public_url", "without a path"]),
        (&[("TLS_CERT", "/does/not/exist")], &["tls.cert", "tls.key"]),
        (&[("TLS_CERT", "/does/not/exist"), ("TLS_KEY", "/neither")], &["TLS", "/does/not/exist"]),
    ];
    for (env, words) in cases {
        let house = env.iter().fold(TestHouse::new(), |house, (name, value)| house.with_env(name, value));
        let (status, log) = house.spawn::<&str>([]).end();
        assert_eq!(status.code(), Some(78), "{env:?}: {log}");
        for word in words {
            assert!(log.contains(word), "{env:?} does not say {word:?}: {log}");
        }
        for secret in [WEAK, PASSWORD, &hash, "short-s", "your-secret"] {
            assert!(!log.contains(secret), "{env:?} repeats a secret: {log}");
        }
        assert!(!house.database().exists(), "{env:?} made a database");
    }
}

#[test]
fn x15_beyond_this_machine_a_password_is_needed_or_the_word_that_none_is() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let house = TestHouse::new();
        let (status, log) = house.spawn(["--listen", address]).end();
        assert_eq!(status.code(), Some(78), "{log}");
        for word in ["can be reached from other machines", "MONITOR_PASSWORD_HASH", "--allow-open", "ALLOW_OPEN"] {
            assert!(log.contains(word), "{log}");
        }
        assert!(!house.database().exists());
    }
    let said_so = TestHouse::new().with_env("ALLOW_OPEN", "true");
    said_so.spawn(["--listen", "0.0.0.0:0"]).listening().kill();
    let house = locked();
    let served = house.spawn(["--listen", "0.0.0.0:0"]).listening();
    assert!(!served.log().contains("nobody is asked for a password"));
}

#[test]
fn x6_many_logins_at_once_need_the_memory_of_one() {
    let house = locked();
    let served = house.serve();
    assert_eq!(log_in(&served, PASSWORD).status, 200);
    let before = served.peak_kib();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| log_in(&served, PASSWORD).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    let grown = served.peak_kib() - before;
    assert!(grown <= 45 * 1024, "{grown} KiB more");
}

#[test]
fn scripts_have_a_hundred_requests_a_minute_and_pages_have_more() {
    let house = TestHouse::new().with_env("RATE_LIMIT_PER_MINUTE", "100");
    let served = house.serve();
    let answers: Vec<Answer> = (0..130).map(|_| ask(&served, "GET", "/api/v1/stats/current", &[], "")).collect();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty() && answers[..100].iter().all(|answer| answer.status == 200));
    assert_eq!(refused[0].json()["error"], "Rate limit exceeded");
    assert!(refused[0].retry_after.is_some());
    for _ in 0..130 {
        assert_eq!(ask(&served, "GET", "/", &[], "").status, 200);
    }
}

/// A certificate for `localhost` that its own key signed; in files.
pub(crate) fn make_certificate(house: &TestHouse) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let paths = ["tls.crt", "tls.key"].map(|name| house.path(name));
    std::fs::write(&paths[0], made.cert.pem()).unwrap();
    std::fs::write(&paths[1], made.signing_key.serialize_pem()).unwrap();
    paths.map(|path| path.to_str().unwrap().to_owned())
}

/// One request over TLS; `Err` where the certificate is not the one in the file.
fn ask_encrypted(address: &str, certificate: &str, request: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn over_tls_everything_is_encrypted_and_the_browser_told_so() {
    let address = free_address();
    let house = locked().with_env("LISTEN_ADDR", &address).with_env("ALLOWED_HOSTS", "m.example");
    let [certificate, key] = make_certificate(&house);
    let house = house.with_env("TLS_CERT", &certificate).with_env("TLS_KEY", &key);
    let served = house.spawn::<&str>([]).listening();
    assert!(served.log().contains(&format!("listening on https://{address}")), "{}", served.log());
    eventually("health over TLS", PATIENCE, || (house.run(["healthcheck"]).code() == 0).then_some(()));
    let by_url = house.run(["healthcheck", "--url", &format!("https://{address}/api/v1/version")]);
    assert_eq!(by_url.code(), 0, "{by_url:?}");

    let body = json!({"password": PASSWORD}).to_string();
    let login = |host: &str| {
        let length = body.len();
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.0\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        ask_encrypted(&address, &certificate, &request).unwrap()
    };
    let answer = login("m.example");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    assert!(answer.contains("set-cookie: __Host-ctm_") && answer.contains("; Secure\r\n"), "{answer}");
    let answer = login(&address);
    assert!(answer.starts_with("HTTP/1.0 200") && !answer.contains("strict-transport-security"), "{answer}");

    let mut plain = TcpStream::connect(&address).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut hint = String::new();
    // What it did not read makes the server's end a reset.
    drop(plain.read_to_string(&mut hint));
    assert!(hint.is_empty() || hint.contains("400 Bad Request"), "{hint}");
    assert!(served.stop().success());
}

#[test]
fn a_renewed_certificate_is_taken_over_without_a_restart() {
    let address = free_address();
    let house = TestHouse::new().with_env("LISTEN_ADDR", &address);
    let [certificate, key] = make_certificate(&house);
    let served = house.spawn(["--tls-cert", &certificate, "--tls-key", &key]).listening();
    let request = format!("GET /-/healthy HTTP/1.0\r\nhost: {address}\r\n\r\n");
    assert!(ask_encrypted(&address, &certificate, &request).is_ok());
    make_certificate(&house);
    assert!(ask_encrypted(&address, &certificate, &request).is_err(), "still the old one");
    served.signal(Signal::HUP);
    eventually("the new certificate", PATIENCE, || ask_encrypted(&address, &certificate, &request).ok());
}
