//! What a transcript knows beside its lines: names taken from its path, and what earlier lines said. No I/O.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{GroupId, UnixMillis};

/// Fills in what a line leaves out. Carried from line to line; what only earlier lines know is carried as JSON from one
/// read of the file to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileContext {
    /// The file's name without its extension: the session it is named after.
    #[serde(skip)]
    pub stem: Arc<str>,
    /// The session of lines that name none.
    #[serde(skip)]
    pub session_fallback: Arc<str>,
    /// The project folder's name. It cannot be turned back into a path, so it stands for the project only as long as
    /// no line of the file has named a working directory.
    #[serde(skip)]
    pub slug: Arc<str>,
    /// The sub-agent that the file is named after.
    #[serde(skip)]
    pub agent: Option<Arc<str>>,
    /// When the file was last written: the time of lines without one, if no earlier line has any.
    #[serde(skip)]
    pub modified_at: UnixMillis,
    /// The nearest earlier time that could be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<UnixMillis>,
    /// The project of the nearest earlier working directory: this is stored, and where in a project somebody works is
    /// not. Positions of earlier versions have the directory itself, which is folded when it is used.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "last_cwd")]
    pub last_project: Option<Arc<str>>,
}

impl FileContext {
    /// Of the transcript at `path`, which lies somewhere below `projects`.
    pub fn new(projects: &Path, path: &Path, modified_at: UnixMillis) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let below = path.strip_prefix(projects).unwrap_or(path);
        let folders: Vec<_> = below.parent().into_iter().flatten().map(OsStr::to_string_lossy).collect();
        let session_fallback = std::iter::once(&stem)
            .chain(folders.iter().rev())
            .find(|name| is_uuid(name))
            .map_or_else(|| unknown_session(path), |name| Arc::from(&**name));
        Self {
            agent: stem.strip_prefix("agent-").filter(|id| !id.is_empty()).map(Arc::from),
            stem: Arc::from(&*stem),
            session_fallback,
            slug: Arc::from(folders.first().map_or("unknown", |slug| slug)),
            modified_at,
            last_at: None,
            last_project: None,
        }
    }

    /// Goes on where an earlier read of the same content left off.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        Self { last_at: earlier.last_at, last_project: earlier.last_project.clone(), ..self }
    }
}

/// A stable name for the session of a file that nothing names.
fn unknown_session(path: &Path) -> Arc<str> {
    let GroupId(hash) = GroupId::of(&[path.as_os_str().as_encoded_bytes()]);
    let start = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
    Arc::from(format!("unknown:{start:016x}"))
}

fn is_uuid(name: &str) -> bool {
    name.len() == 36
        && name.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "5f0c1a52-0000-4000-8000-000000000002";

    fn check(path: &str, stem: &str, session: &str, agent: Option<&str>) {
        let projects = Path::new("/data/projects");
        let context = FileContext::new(projects, &projects.join(path), UnixMillis(1));
        let found = (&*context.stem, &*context.session_fallback, &*context.slug, context.agent.as_deref());
        assert_eq!(found, (stem, session, "-home-ana-shop", agent), "{path}");
    }

    #[test]
    fn every_layout_names_its_session() {
        check(&format!("-home-ana-shop/{SESSION}.jsonl"), SESSION, SESSION, None);
        check(&format!("-home-ana-shop/{SESSION}/part.jsonl"), "part", SESSION, None);
        check(&format!("-home-ana-shop/{SESSION}/subagents/agent-a1.jsonl"), "agent-a1", SESSION, Some("a1"));
        check(
            &format!("-home-ana-shop/{SESSION}/subagents/workflows/w/agent-a1.jsonl"),
            "agent-a1",
            SESSION,
            Some("a1"),
        );
    }

    #[test]
    fn a_file_without_a_folder_or_an_agent_s_name_has_neither() {
        let context = FileContext::new(Path::new("/p"), Path::new("/p/agent-.jsonl"), UnixMillis(1));
        assert_eq!((&*context.slug, context.agent), ("unknown", None));
    }

    #[test]
    fn an_unnamed_session_is_the_same_after_every_restart() {
        let context = |path: &str| FileContext::new(Path::new("/p"), Path::new(path), UnixMillis(1)).session_fallback;
        assert!(context("/p/slug/agent-a1.jsonl").starts_with("unknown:"));
        assert_eq!(context("/p/slug/agent-a1.jsonl"), context("/p/slug/agent-a1.jsonl"));
        assert_ne!(context("/p/slug/agent-a1.jsonl"), context("/p/slug/agent-a2.jsonl"));
    }

    #[test]
    fn a_later_read_keeps_what_earlier_lines_said() {
        let fresh = FileContext::new(Path::new("/p"), Path::new("/p/slug/new.jsonl"), UnixMillis(9));
        let stored = FileContext {
            stem: Arc::from("old"),
            last_at: Some(UnixMillis(5)),
            last_project: Some(Arc::from("/home/ana")),
            ..fresh.clone()
        };
        let stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        let resumed = fresh.clone().after(&stored);
        assert_eq!((resumed.last_at, resumed.last_project.as_deref()), (Some(UnixMillis(5)), Some("/home/ana")));
        assert_eq!((resumed.stem, resumed.modified_at), (fresh.stem, UnixMillis(9)));
    }
}
