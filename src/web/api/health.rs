//! How the house is doing: `/api/v1/health`, `/api/v1/version` and the probes `/-/healthy` and `/-/ready`.
//!
//! The only paths of the user's that are named are the configured roots.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::{HeaderValue, StatusCode, header};

use crate::hub::{Hub, Snapshot};
use crate::plugin::WatchMode;
use crate::route::{Access, Class, Response};
use crate::status::RootStatus;
use crate::version;
use crate::web::WebState;
use crate::web::api::answer::{json, json_with_etag};
use crate::web::api::endpoint::{Content, Endpoint};
use crate::web::error::ApiError;

pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        access: Access::Open,
        summary: "How it is doing",
        about: "Answers 200 for as long as the process lives; `status` says the rest. What needs somebody is in `troubles`.",
        ..Endpoint::get(
            "/api/v1/health",
            "about",
            Content::json::<Health>("the state of every part", HEALTH),
            |state, _, _| Box::pin(std::future::ready(Ok(json(StatusCode::OK, &state.health())))),
        )
    },
    Endpoint {
        access: Access::Open,
        summary: "Which build this is",
        ..Endpoint::get(
            "/api/v1/version",
            "about",
            Content::json::<Version>("version, source revision and target", VERSION),
            |_, request, _| Box::pin(std::future::ready(Ok(json_with_etag(&request, 0, &Version::of_this_build())))),
        )
    },
    Endpoint {
        access: Access::Open,
        class: Class::Probe,
        summary: "Whether the process lives",
        ..Endpoint::get("/-/healthy", "about", Content::text("text/plain", "it lives", "ok"), |_, _, _| {
            Box::pin(std::future::ready(Ok(text("ok\n"))))
        })
    },
    Endpoint {
        access: Access::Open,
        class: Class::Probe,
        summary: "Whether everything on disk is counted",
        about: "200 once what was on disk at the start is stored and served, 503 until then.",
        refusals: &[503],
        ..Endpoint::get("/-/ready", "about", Content::text("text/plain", "it is ready", "ready"), |state, _, _| {
            Box::pin(std::future::ready(ready(&state)))
        })
    },
];

const HEALTH: &str = r#"{
    "status": "ok", "ready": true, "version": "0.1.0", "uptime_seconds": 3600,
    "catchup": {"bytes": 1048576, "done_bytes": 1048576, "ratio": 1.0},
    "watch": {"mode": "native", "reason": null},
    "sources": [{"kind": "claude", "files": 12, "missing_files": 0, "io_errors": 0, "skipped_lines": 0,
        "roots": [{"path": "/home/me/.claude", "state": "ok", "files": 12}]}],
    "database": {"size_bytes": 1048576, "responses": 4321, "busy": 0},
    "troubles": []}"#;

const VERSION: &str = r#"{"version": "0.1.0", "revision": "0123abc", "target": "linux-x86_64"}"#;

/// Which build this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    pub version: &'static str,
    /// The source's, or `unknown`.
    pub revision: &'static str,
    pub target: String,
}

impl Version {
    fn of_this_build() -> Self {
        Self { version: version::VERSION, revision: version::REVISION, target: version::target() }
    }
}

/// One word for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// What was on disk at the start is still being read.
    CatchingUp,
    /// Something needs somebody; [`Health::troubles`] says what.
    Degraded,
}

/// How the house is doing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    pub status: State,
    pub ready: bool,
    pub version: &'static str,
    pub uptime_seconds: u64,
    pub catchup: CatchUp,
    pub watch: Watch,
    pub sources: Vec<SourceHealth>,
    pub database: Database,
    pub troubles: Vec<Trouble>,
}

/// The first read of everything there is.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct CatchUp {
    pub bytes: u64,
    pub done_bytes: u64,
    /// 0 to 1.
    pub ratio: f64,
}

/// How changes in files are noticed.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Watch {
    #[schema(value_type = String, example = "native")]
    pub mode: WatchMode,
    /// Why files are polled, if they are.
    pub reason: Option<String>,
}

/// One source.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceHealth {
    pub kind: &'static str,
    pub files: u64,
    pub missing_files: u64,
    pub io_errors: u64,
    pub skipped_lines: u64,
    pub roots: Vec<Root>,
}

/// A configured directory.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Root {
    /// For people: what is not Unicode in it is replaced.
    pub path: String,
    /// `ok`, `missing`, or why it cannot be read.
    pub state: String,
    pub files: u64,
}

impl Root {
    pub fn of(root: &RootStatus) -> Self {
        Self { path: root.path.display().to_string(), state: root.state.clone(), files: root.files }
    }

    /// It is there and can be read.
    pub fn is_ok(&self) -> bool {
        self.state == "ok"
    }

    /// It is there and cannot be read. One that is missing is no trouble, since not every root has to exist.
    pub fn is_broken(&self) -> bool {
        !self.is_ok() && self.state != "missing"
    }
}

/// The history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Database {
    pub size_bytes: u64,
    pub responses: u64,
    pub busy: u64,
}

/// What needs somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Trouble {
    pub subject: String,
    pub message: String,
}

impl Health {
    pub fn of(hub: &Hub, snapshot: &Snapshot, uptime_seconds: u64) -> Self {
        let (mut catchup, mut watch, mut sources) = (CatchUp::default(), Watch::default(), Vec::new());
        let mut troubles: Vec<Trouble> = snapshot
            .troubles
            .iter()
            .map(|(subject, message)| Trouble { subject: (*subject).to_owned(), message: message.clone() })
            .collect();
        for (kind, status) in hub.statuses().iter() {
            let words = status.words();
            catchup.bytes += status.catchup_bytes.load(Relaxed);
            catchup.done_bytes += status.catchup_done_bytes.load(Relaxed);
            if status.polling.load(Relaxed) {
                watch = Watch { mode: WatchMode::Poll, reason: watch.reason.or(words.poll_reason) };
            }
            let roots: Vec<Root> = words.roots.iter().map(Root::of).collect();
            troubles.extend(roots.iter().filter(|root| root.is_broken()).map(unreadable));
            let skipped = snapshot.ingest.by_source.get(*kind).map_or(0, |totals| totals.tally.skipped_total());
            sources.push(SourceHealth {
                kind,
                files: status.files.load(Relaxed),
                missing_files: status.missing_files.load(Relaxed),
                io_errors: status.io_errors.load(Relaxed),
                skipped_lines: skipped,
                roots,
            });
        }
        let now = hub.calendar().clock.now().0;
        for sink in hub.house().sinks(snapshot.revision, now) {
            if let Some(message) = sink.trouble(now) {
                troubles.push(Trouble { subject: format!("sink {}", sink.id), message });
            }
        }
        catchup.ratio = ratio(catchup.done_bytes, catchup.bytes, snapshot.ready);
        let status = match (troubles.is_empty(), snapshot.ready) {
            (false, _) => State::Degraded,
            (true, false) => State::CatchingUp,
            (true, true) => State::Ok,
        };
        let database = Database {
            size_bytes: snapshot.store.size_bytes,
            responses: snapshot.store.responses,
            busy: snapshot.store.busy,
        };
        let ready = snapshot.ready;
        let version = version::VERSION;
        Self { status, ready, version, uptime_seconds, catchup, watch, sources, database, troubles }
    }

    /// Every root that is configured, of all sources.
    pub fn roots(&self) -> impl Iterator<Item = &Root> {
        self.sources.iter().flat_map(|source| &source.roots)
    }
}

fn unreadable(root: &Root) -> Trouble {
    let message = format!("{} cannot be read: {}", root.path, root.state);
    Trouble { subject: "directory".to_owned(), message }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
fn ratio(done: u64, all: u64, ready: bool) -> f64 {
    match all {
        0 => f64::from(u8::from(ready)),
        // Files grow while they are read.
        _ => (done as f64 / all as f64).min(1.0),
    }
}

/// `GET /-/ready`: 200 once what was on disk at the start is stored and served.
fn ready(state: &WebState) -> Result<Response, ApiError> {
    let health = state.health();
    if health.ready {
        return Ok(text("ready\n"));
    }
    let error = ApiError::unavailable("catching_up", "still reading what was on disk at the start");
    Err(error.with("ratio", health.catchup.ratio))
}

fn text(body: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
