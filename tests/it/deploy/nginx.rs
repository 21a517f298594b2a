//! nginx with the configuration that is shipped, in front of the real server. Only addresses and paths are others.

use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::read;
use crate::auth::free_address;
use crate::house::{Owned, Served, TestHouse};
use crate::live::runtime;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

const NAME: &str = "monitor.example.com";

/// The proxy in front of a server.
struct Front {
    house: TestHouse,
    curl: std::path::PathBuf,
    https: String,
    http: String,
    _nginx: Owned,
}

impl Front {
    /// `None` where nginx or curl is not here. The server's address is known before it starts.
    fn start(house: TestHouse, server: &str) -> Option<Self> {
        let (nginx, curl) = (parts::need("nginx")?, parts::need("curl")?);
        let (https, http) = (free_address(), free_address());
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        std::fs::write(house.path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(house.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut config = read("docker/nginx.conf");
        let place = |name: &str| house.path(name).display().to_string();
        for (shipped, here) in [
            ("server 127.0.0.1:51888;", format!("server {server};")),
            ("listen 443 ssl http2;", format!("listen {https} ssl http2;")),
            ("listen 80;", format!("listen {http};")),
            ("/etc/nginx/ssl/cert.pem", place("cert.pem")),
            ("/etc/nginx/ssl/key.pem", place("key.pem")),
            ("/var/cache/nginx/claude-monitor", place("cache")),
        ] {
            assert_eq!(config.matches(shipped).count(), 1, "{shipped}");
            config = config.replace(shipped, &here);
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", place(kind)))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {};\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{config}\n}}\n",
            place("nginx.pid"),
            place("nginx.log"),
        );
        std::fs::write(house.path("nginx.conf"), whole).unwrap();
        let mut command = Command::new(nginx);
        command.args(["-p", &place(""), "-e", &place("nginx.log"), "-c", &place("nginx.conf")]).env_clear();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let front = Self { house, curl, https, http, _nginx: Owned(child) };
        eventually("nginx", PATIENCE, || std::net::TcpStream::connect(&front.https).ok());
        Some(front)
    }

    /// Head and body of what curl gets.
    fn curl(&self, args: &[&str], url: &str) -> (String, String) {
        let mut command = Command::new(&self.curl);
        let resolve = |address: &str, port: u16| format!("{NAME}:{port}:{address}");
        command.args(["--silent", "--show-error", "--max-time", "30", "--dump-header", "-", "--cacert"]);
        command.arg(self.house.path("cert.pem")).args(["--connect-to", &resolve(&self.https, 443)]);
        let done = command.args(["--connect-to", &resolve(&self.http, 80)]).args(args).arg(url).output().unwrap();
        assert!(done.status.success(), "{url}: {}\n{}", String::from_utf8_lossy(&done.stderr), self.log());
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.curl(&[], &format!("https://{NAME}{path}"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.house.path("nginx.log")).unwrap_or_default()
    }
}

/// A server that knows of the proxy, and the proxy.
fn start() -> Option<(Front, Served, Scribe)> {
    let server = free_address();
    let house = TestHouse::new()
        .with_env("LISTEN_ADDR", &server)
        .with_env("PUBLIC_URL", format!("https://{NAME}"))
        .with_env("TRUSTED_PROXIES", "127.0.0.1");
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 7);
    let served = house.serve();
    Some((Front::start(house, &server)?, served, scribe))
}

/// How often a header is there.
fn count(head: &str, name: &str) -> usize {
    head.lines().filter(|line| line.starts_with(&format!("{name}:"))).count()
}

const HEADERS: [&str; 3] = ["strict-transport-security", "x-frame-options", "x-content-type-options"];

#[test]
fn pages_api_and_exports_come_through_with_each_header_once() {
    let Some((front, served, scribe)) = start() else { return };
    for (path, content) in [
        ("/", "data-testid=\"total-tokens\""),
        ("/docs", "/api/v1/stats/current"),
        ("/api/v1/stats/current", "\"totals\""),
        ("/api/v1/export/csv?start_date=2025-11-01", "input_tokens"),
        ("/metrics", "claude_code_token_usage_tokens_total"),
    ] {
        let (head, body) = front.get(path);
        assert!(head.starts_with("http/2 200"), "{path}: {head}");
        assert!(body.contains(content), "{path}: {body}");
        for name in HEADERS {
            assert_eq!(count(&head, name), 1, "{path}: {name} in {head}");
        }
        assert_eq!(count(&head, "content-security-policy"), 1, "{path}");
    }
    let totals: Value = serde_json::from_str(&front.get("/api/v1/stats/current").1).unwrap();
    assert_eq!(totals["totals"]["requests"], scribe.written.requests);
    // Another name is not ours, and a page of another site may not change anything.
    let (head, _) = front.curl(&["-H", "Host: other.example"], &format!("https://{NAME}/"));
    assert!(head.starts_with("http/2 421"), "{head}");
    let login = format!("https://{NAME}/api/v1/auth/login");
    let (head, _) = front.curl(&["-H", "Origin: https://other.example", "-d", "{}"], &login);
    assert!(head.starts_with("http/2 403"), "{head}");
    assert_eq!(served.stop().code(), Some(0));

    let (head, _) = front.get("/api/v1/stats/current");
    assert!(head.starts_with("http/2 502"), "{head}");
    for name in HEADERS {
        assert_eq!(count(&head, name), 1, "nginx's own answer has {name}: {head}");
    }
}

#[test]
fn files_that_never_change_are_kept_even_while_the_server_is_away() {
    let Some((front, served, _)) = start() else { return };
    let (_, page) = front.get("/");
    let asset =
        page.split('"').find(|word| word.starts_with("/assets/") && word.ends_with("app.css")).unwrap().to_owned();
    let (head, first) = front.get(&asset);
    assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
    assert_eq!(served.stop().code(), Some(0));
    assert!(front.get("/").0.starts_with("http/2 502"));
    let (head, again) = front.get(&asset);
    assert!(head.starts_with("http/2 200"), "{head}");
    assert_eq!(first, again);
}

#[test]
fn whoever_comes_without_tls_is_sent_to_it() {
    let Some((front, _served, _)) = start() else { return };
    let (head, _) = front.curl(&[], &format!("http://{NAME}/docs?a=b"));
    assert!(head.starts_with("http/1.1 301"), "{head}");
    assert!(head.contains(&format!("location: https://{NAME}/docs?a=b")), "{head}");
}

#[test]
fn clients_behind_nginx_are_told_apart_by_nobody_elses_word() {
    let server = free_address();
    let house = TestHouse::new()
        .with_env("LISTEN_ADDR", &server)
        .with_env("PUBLIC_URL", format!("https://{NAME}"))
        .with_env("TRUSTED_PROXIES", "127.0.0.1")
        .with_env("RATE_LIMIT_PER_MINUTE", "5");
    let _served = house.serve();
    let Some(front) = Front::start(house, &server) else { return };
    let url = format!("https://{NAME}/api/v1/stats/current");
    // What a client says of its own way is thrown away: it stays one client, and its limit is reached.
    let statuses: Vec<String> = (0..12)
        .map(|n| {
            let [plain, standard] = ["X-Forwarded-For: 192.0.2.N", "Forwarded: for=192.0.2.N"];
            let headers = [plain, standard].map(|header| header.replace('N', &n.to_string()));
            front.curl(&["-H", &headers[0], "-H", &headers[1]], &url).0
        })
        .collect();
    assert!(statuses[0].starts_with("http/2 200"), "{}", statuses[0]);
    assert!(statuses.iter().any(|head| head.starts_with("http/2 429")), "{statuses:?}");
}

#[test]
fn the_websocket_comes_through_and_hears_of_changes() {
    let Some((front, served, mut scribe)) = start() else { return };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(front.house.path("cert.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut request = format!("wss://{NAME}/ws").into_client_request().unwrap();
    request.headers_mut().insert("origin", format!("https://{NAME}").parse().unwrap());
    runtime().block_on(async {
        let stream = TcpStream::connect(&front.https).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (mut socket, _) = client_async(request, stream).await.unwrap();
        let mut requests = Vec::new();
        while requests.last() != Some(&Value::from(8)) {
            let message = timeout(PATIENCE, socket.next()).await.expect("a message in time").unwrap().unwrap();
            let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            let totals =
                if message["type"] == "initial_data" { &message["data"]["totals"] } else { &message["totals"] };
            requests.push(totals["requests"].clone());
            if requests.len() == 1 {
                scribe.append("one", 1);
            }
        }
        assert_eq!(requests[0], 7);
    });
    assert_eq!(served.stop().code(), Some(0));
}
