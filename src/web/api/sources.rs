//! `/api/v1/sources`: where usage is read from, how far each file has been read, and what went wrong there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use utoipa::ToSchema;

use crate::event::UnixMillis;
use crate::route::Request;
use crate::status::{SkipReason, SourceTotals};
use crate::store::{ItemRow, ItemState};
use crate::web::WebState;
use crate::web::api::answer::of_history;
use crate::web::api::endpoint::{Answering, Content, Endpoint};
use crate::web::api::health::Root;
use crate::web::api::rows::{Pagination, rows};
use crate::web::api::scope::{PAGING, SOURCE, instant};
use crate::web::query::{Asked, Kind, Parameter};

static STATE: Parameter = Parameter {
    name: "state",
    about: "Only files in this state: being read, gone since, or not readable at the last try.",
    kind: Kind::Choice(&["all", "ok", "gone", "error"]),
    example: "error",
};

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "Where usage is read from",
    about: "Every source with its counters since the history began, and its files with the position that each has been \
            read to. Paths are those of this machine.",
    parameters: &[&[&SOURCE, &STATE], PAGING],
    ..Endpoint::get(
        "/api/v1/sources",
        "about",
        Content::json::<SourceList>("sources and a page of their files", EXAMPLE),
        answer,
    )
}];

const EXAMPLE: &str = r#"{
    "sources": [{"source": "claude", "roots": [{"path": "/home/me/.claude", "state": "ok", "files": 12}],
        "watch_mode": "native", "poll_reason": null, "files": 12, "missing_files": 0, "io_errors": 0,
        "last_error": null, "lines": 52000, "bytes": 104857600, "claims": 9000, "responses": 4321, "corrections": 2,
        "duplicates": 4679, "api_errors": 3, "estimated_times": 0, "skipped": {"malformed": 1}}],
    "files": [{"source": "claude", "path": "/home/me/.claude/projects/-home-me-shop/5f0c1a52.jsonl", "state": "ok",
        "size_bytes": 4096, "read_bytes": 4096, "lines": 10, "skipped_lines": 0,
        "modified_at": "2026-01-06T12:00:00Z", "gone_at": null, "error": null}],
    "pagination": {"page": 1, "limit": 50, "total": 1, "total_pages": 1}}"#;

/// Sources and their files.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceList {
    pub sources: Vec<SourceRow>,
    /// A page of them, by source and path.
    pub files: Vec<FileRow>,
    pub pagination: Pagination,
}

/// One source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceRow {
    pub source: &'static str,
    pub roots: Vec<Root>,
    /// `native` (file events) or `poll`.
    pub watch_mode: &'static str,
    /// Why files are polled, if they are.
    pub poll_reason: Option<String>,
    pub files: u64,
    /// Files that have been read and are not there any more; what they said stays.
    pub missing_files: u64,
    pub io_errors: u64,
    pub last_error: Option<String>,
    pub lines: u64,
    pub bytes: u64,
    /// Lines that state the usage of a response, repetitions included.
    pub claims: u64,
    pub responses: u64,
    pub corrections: u64,
    /// Claims about responses that were known already.
    pub duplicates: u64,
    /// Notices about requests that failed.
    pub api_errors: u64,
    pub estimated_times: u64,
    /// Lines that were not taken as they stood, by reason; reasons without any are left out.
    pub skipped: BTreeMap<&'static str, u64>,
}

/// One file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileRow {
    pub source: String,
    /// For people: what is not Unicode in it is replaced.
    pub path: String,
    /// `ok`, `gone` or `error`.
    pub state: &'static str,
    pub size_bytes: u64,
    /// How far complete lines are stored.
    pub read_bytes: u64,
    pub lines: u64,
    pub skipped_lines: u64,
    pub modified_at: Option<String>,
    /// When it was found to be gone.
    pub gone_at: Option<String>,
    /// Why it could not be read at the last try.
    pub error: Option<String>,
}

impl FileRow {
    fn of(item: &ItemRow) -> Self {
        let file = &item.checkpoint;
        Self {
            source: item.source.clone(),
            path: String::from_utf8_lossy(&file.path).into_owned(),
            state: match (&file.error, file.gone_at) {
                (_, Some(_)) => "gone",
                (Some(_), None) => "error",
                (None, None) => "ok",
            },
            size_bytes: file.size,
            read_bytes: file.offset,
            lines: file.tally.lines,
            skipped_lines: file.tally.skipped_total(),
            modified_at: instant(UnixMillis(file.mtime_ns.div_euclid(1_000_000))),
            gone_at: file.gone_at.and_then(instant),
            error: file.error.clone(),
        }
    }
}

/// What the running sources show of themselves, and their counters.
fn running(state: &WebState) -> Vec<SourceRow> {
    let snapshot = state.hub.snapshot();
    let row = |(kind, status): (&&'static str, &Arc<crate::status::SourceStatus>)| {
        let words = status.words();
        let SourceTotals { tally, new_responses, corrections, duplicates, .. } =
            snapshot.ingest.by_source.get(*kind).cloned().unwrap_or_default();
        let skipped = SkipReason::ALL.iter().map(|reason| (reason.name(), tally.skipped[*reason as usize]));
        SourceRow {
            source: kind,
            roots: words.roots.iter().map(Root::of).collect(),
            watch_mode: if status.polling.load(Relaxed) { "poll" } else { "native" },
            poll_reason: words.poll_reason,
            files: status.files.load(Relaxed),
            missing_files: status.missing_files.load(Relaxed),
            io_errors: status.io_errors.load(Relaxed),
            last_error: words.last_error,
            lines: tally.lines,
            bytes: tally.bytes,
            claims: tally.claims,
            responses: new_responses,
            corrections,
            duplicates,
            api_errors: tally.api_errors,
            estimated_times: tally.estimated_times,
            skipped: skipped.filter(|(_, count)| *count > 0).collect(),
        }
    };
    state.hub.statuses().iter().map(row).collect()
}

/// How long a list of files is good for: positions move without a change of the history.
const GOOD_FOR_MS: i64 = 2_000;

fn answer(state: WebState, request: Arc<Request>, asked: Asked) -> Answering {
    Box::pin(async move {
        let (wanted, names, page) = (asked.word(&STATE), asked.names(&SOURCE), rows(&asked));
        let sources = running(&state);
        let moment = state.clock.now().0 / GOOD_FOR_MS;
        let question = format!("sources {wanted} {names:?} {page:?} {moment}");
        of_history(&state, &request, question, move |readers| {
            let named = |source: &str| names.is_empty() || names.iter().any(|name| **name == *source);
            let state = match wanted {
                "ok" => ItemState::Ok,
                "gone" => ItemState::Gone,
                "error" => ItemState::Error,
                _ => ItemState::All,
            };
            let (items, total) = readers.items(&names, state, page)?;
            let pagination = Pagination::of(&asked, total);
            let files = items.iter().map(FileRow::of).collect();
            let sources = sources.into_iter().filter(|source| named(source.source)).collect();
            Ok(SourceList { sources, files, pagination })
        })
        .await
    })
}
