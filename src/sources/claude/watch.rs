//! File events as hints: which paths to look at sooner than the next scan would. Events get lost, come late and name too
//! little (notify-rs/notify#412), so nothing here decides what is read.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender};
use notify::event::{CreateKind, Event, EventKind, ModifyKind, RemoveKind};
use notify::{RecursiveMode, Watcher};

use super::scan::is_transcript;
use crate::platform::{self, FileStat};
use crate::sources::roots::Root;
use crate::status::SourceStatus;

/// More different paths than this at once: a scan is cheaper, and the set stays bounded.
const DIRTY_LIMIT: usize = 4096;

/// What events said since somebody last took it.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Transcripts that changed, and names that may be directories that came or went.
    pub(super) paths: HashSet<OsString>,
    /// Something changed, and it is not known what.
    pub(super) scan: bool,
    /// A root or what holds it came, went or was replaced, and perhaps its watch with it.
    pub(super) roots: bool,
    /// The watcher will miss events from now on. Why, in words.
    pub(super) broken: Option<String>,
}

/// Where the watcher's thread leaves hints for the follower.
pub(super) struct HintBox {
    hints: Mutex<Hints>,
    wake: Sender<()>,
    status: Arc<SourceStatus>,
}

impl HintBox {
    /// The box, and a channel that gets a message when it is no longer empty.
    pub(super) fn new(status: Arc<SourceStatus>) -> (Arc<Self>, Receiver<()>) {
        let (wake, woken) = crossbeam_channel::bounded(1);
        (Arc::new(Self { hints: Mutex::default(), wake, status }), woken)
    }

    pub(super) fn take(&self) -> Hints {
        std::mem::take(&mut self.lock())
    }

    /// Whether an event has named the path and nobody has looked yet.
    pub(super) fn names(&self, path: &OsStr) -> bool {
        let hints = self.lock();
        hints.scan || hints.paths.contains(path)
    }

    fn lock(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: notify::Result<Event>, interest: &Interest) {
        let mut hints = self.lock();
        match event {
            Err(error) => {
                count(&self.status.watch_errors);
                hints.scan = true;
                if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) {
                    hints.broken = Some(words(&error));
                }
            }
            Ok(event) if event.need_rescan() => {
                count(&self.status.watch_overflows);
                hints.scan = true;
            }
            Ok(event) => match interest.of(event) {
                Wanted::Nothing => return,
                Wanted::Scan => {
                    count(&self.status.watch_events);
                    hints.scan = true;
                }
                Wanted::Roots => {
                    count(&self.status.watch_events);
                    hints.scan = true;
                    hints.roots = true;
                }
                Wanted::Paths(paths) => {
                    count(&self.status.watch_events);
                    hints.paths.extend(paths.into_iter().map(PathBuf::into_os_string));
                    if hints.paths.len() > DIRTY_LIMIT {
                        count(&self.status.watch_overflows);
                        hints.paths = HashSet::new();
                        hints.scan = true;
                    }
                }
            },
        }
        drop(hints);
        if self.wake.try_send(()).is_err() {
            // It was already woken and has not looked yet.
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Which events matter.
#[derive(Clone, Debug, Default)]
struct Interest {
    /// Directories of transcripts that exist.
    projects: Vec<PathBuf>,
    /// Roots that have none yet.
    missing: Vec<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Scan,
    Roots,
    Paths(Vec<PathBuf>),
}

impl Interest {
    fn of(&self, event: Event) -> Wanted {
        let content_only = match event.kind {
            // Reading raises `Access` as well: a reader that follows it never comes to rest.
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => return Wanted::Nothing,
            EventKind::Modify(ModifyKind::Data(_))
            | EventKind::Create(CreateKind::File)
            | EventKind::Remove(RemoveKind::File) => true,
            _ => false,
        };
        if event.paths.is_empty() {
            return Wanted::Scan;
        }
        let mut paths = Vec::new();
        for path in event.paths {
            if self.projects.iter().any(|projects| path.starts_with(projects) && path != *projects) {
                // What is named otherwise may be a directory with transcripts in it.
                if path.file_name().is_some_and(is_transcript) || !content_only {
                    paths.push(path);
                }
            } else if !content_only && self.is_about_a_root(&path) {
                return Wanted::Roots;
            }
        }
        if paths.is_empty() { Wanted::Nothing } else { Wanted::Paths(paths) }
    }

    /// A root or what holds it came, went or was replaced.
    fn is_about_a_root(&self, path: &Path) -> bool {
        self.projects.iter().chain(&self.missing).any(|dir| dir.starts_with(path))
            || self.missing.iter().any(|root| path.parent() == Some(root))
    }
}

/// Takes each event; called on a thread of the watcher.
pub(super) type Handler = Box<dyn FnMut(notify::Result<Event>) + Send>;
/// Makes the watcher that the system offers, or one for a test.
pub(super) type MakeWatcher = Arc<dyn Fn(Handler) -> notify::Result<Box<dyn Watcher + Send>> + Send + Sync>;

/// The watcher of this operating system.
pub(super) fn native() -> MakeWatcher {
    Arc::new(|handler| {
        let config = notify::Config::default().with_follow_symlinks(false);
        Ok(Box::new(notify::RecommendedWatcher::new(handler, config)?))
    })
}

/// A directory that is to be watched. One that was deleted and made again may have the same inode, but is another.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    path: PathBuf,
    device: u64,
    inode: u64,
    created: Option<SystemTime>,
    recursive: bool,
}

/// The watcher at work, if there is one.
#[derive(Default)]
pub(super) struct Watch {
    /// Held so that it goes on; dropping it ends it.
    watcher: Option<Box<dyn Watcher + Send>>,
    targets: Vec<Target>,
    /// Why events are not enough here, in words; then everything is scanned at a quick pace.
    pub(super) poll_reason: Option<String>,
    /// Another try may succeed.
    pub(super) may_recover: bool,
}

impl Watch {
    /// No events, on purpose.
    pub(super) fn off(reason: &str) -> Self {
        Self { poll_reason: Some(reason.to_owned()), ..Self::default() }
    }

    /// Watches every root: its directory of transcripts with all below, and what holds that directory, which tells when
    /// it comes, goes or is replaced.
    pub(super) fn start(make: &MakeWatcher, roots: &[Root], hints: &Arc<HintBox>) -> Self {
        let mut watch = Self { targets: targets(roots), ..Self::default() };
        let mut interest = Interest::default();
        let mut remote = None;
        for root in roots {
            match &root.projects {
                Ok(Some(projects)) => {
                    interest.projects.push(projects.clone());
                    let file_system = platform::file_system(projects);
                    if file_system.network {
                        remote = Some(format!("{} announces no changes of {}", file_system.name, projects.display()));
                    }
                }
                _ => interest.missing.push(expected(&root.configured)),
            }
        }
        match watch.watch_targets(make, interest, hints) {
            Ok(watcher) => {
                watch.watcher = Some(watcher);
                watch.poll_reason = remote;
            }
            Err(error) => {
                // Part of the tree may be watched already. Given up as a whole, it leaves room for other programs.
                watch.poll_reason = Some(words(&error));
                watch.may_recover = true;
            }
        }
        watch
    }

    /// The directories to watch are no longer those that are watched.
    pub(super) fn is_outdated(&self, roots: &[Root]) -> bool {
        self.targets != targets(roots)
    }

    /// Gives up events for the time being.
    pub(super) fn break_down(&mut self, reason: String) {
        self.watcher = None;
        self.poll_reason = Some(reason);
        self.may_recover = true;
    }

    fn watch_targets(
        &self,
        make: &MakeWatcher,
        interest: Interest,
        hints: &Arc<HintBox>,
    ) -> notify::Result<Box<dyn Watcher + Send>> {
        let hints = Arc::clone(hints);
        let mut watcher = make(Box::new(move |event| hints.note(event, &interest)))?;
        for target in &self.targets {
            let mode = if target.recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match watcher.watch(&target.path, mode) {
                // The timer notices what happens to what holds a root.
                Err(error) if !target.recursive => {
                    tracing::debug!(path = %target.path.display(), %error, "cannot watch a directory that holds a root");
                }
                other => other?,
            }
        }
        Ok(watcher)
    }
}

fn targets(roots: &[Root]) -> Vec<Target> {
    let mut dirs = BTreeMap::<PathBuf, bool>::new();
    for root in roots {
        let holder = match &root.projects {
            Ok(Some(projects)) => {
                dirs.insert(projects.clone(), true);
                projects.parent().map(Path::to_owned)
            }
            _ => root.configured.ancestors().find_map(|parent| parent.canonicalize().ok().filter(|dir| dir.is_dir())),
        };
        if let Some(holder) = holder {
            dirs.entry(holder).or_insert(false);
        }
    }
    let target = |(path, recursive): (PathBuf, bool)| {
        let metadata = path.metadata().ok()?;
        let FileStat { device, inode, .. } = FileStat::from(&metadata);
        Some(Target { path, device, inode, created: metadata.created().ok(), recursive })
    };
    dirs.into_iter().filter_map(target).collect()
}

/// A missing root's path as events will name it: canonical as far as it exists.
fn expected(configured: &Path) -> PathBuf {
    let canonical = configured.ancestors().find_map(|parent| {
        let rest = configured.strip_prefix(parent).ok()?;
        Some(parent.canonicalize().ok()?.join(rest))
    });
    canonical.unwrap_or_else(|| configured.to_owned())
}

fn words(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system's limit of watched directories is reached (fs.inotify.max_user_watches)".to_owned()
        }
        notify::ErrorKind::Io(cause) if cause.raw_os_error() == Some(24) => {
            "the system's limit of watchers or open files is reached (fs.inotify.max_user_instances, ulimit -n)"
                .to_owned()
        }
        _ => format!("watching failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, DataChange, MetadataKind, RenameMode};

    use super::*;

    #[test]
    fn only_events_that_may_mean_new_lines_matter() {
        let interest =
            Interest { projects: vec!["/h/.claude/projects".into()], missing: vec!["/h/.config/claude".into()] };
        let check = |kind: EventKind, path: &str, expected: Wanted| {
            let event = if path.is_empty() { Event::new(kind) } else { Event::new(kind).add_path(path.into()) };
            assert_eq!(interest.of(event), expected, "{kind:?} {path}");
        };
        let paths = |path: &str| Wanted::Paths(vec![path.into()]);
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let (folder, file) = (EventKind::Create(CreateKind::Folder), EventKind::Create(CreateKind::File));
        let transcript = "/h/.claude/projects/-p/s.jsonl";

        check(data, transcript, paths(transcript));
        check(file, transcript, paths(transcript));
        check(renamed, transcript, paths(transcript));
        check(EventKind::Any, transcript, paths(transcript));
        check(EventKind::Remove(RemoveKind::File), transcript, paths(transcript));
        check(EventKind::Access(AccessKind::Any), transcript, Wanted::Nothing);
        check(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), transcript, Wanted::Nothing);

        check(data, "/h/.claude/projects/-p/tool-results/x.txt", Wanted::Nothing);
        check(file, "/h/.claude/projects/-p/journal.jsonl", Wanted::Nothing);
        check(folder, "/h/.claude/projects/-p/s/subagents", paths("/h/.claude/projects/-p/s/subagents"));
        check(renamed, "/h/.claude/projects/-q", paths("/h/.claude/projects/-q"));
        check(EventKind::Remove(RemoveKind::Folder), "/h/.claude/projects/-q", paths("/h/.claude/projects/-q"));

        check(data, "/h/.claude/history.jsonl", Wanted::Nothing);
        check(folder, "/h/.claude/todos", Wanted::Nothing);
        check(renamed, "/h/.claude/projects", Wanted::Roots);
        check(EventKind::Remove(RemoveKind::Folder), "/h/.claude", Wanted::Roots);
        check(folder, "/h/.config/claude", Wanted::Roots);
        check(folder, "/h/.config/claude/projects", Wanted::Roots);
        check(folder, "/h/.config/other", Wanted::Nothing);

        check(EventKind::Any, "", Wanted::Scan);
        check(EventKind::Access(AccessKind::Any), "", Wanted::Nothing);
    }

    #[test]
    fn a_missing_root_is_expected_under_its_canonical_name() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        assert_eq!(expected(&dir.path().join("a/b")), base.join("a/b"));
        assert_eq!(expected(&base.join("x/../a")), base.join("x/../a"), "what does not exist is left as it is written");
    }
}
