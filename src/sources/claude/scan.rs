//! Finds transcripts: every regular `*.jsonl` file below a directory, at any depth. It reads directories, never files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::FileStat;
use crate::sources::roots::{self, Root, is_absent};
use crate::status::RootStatus;

/// What one walk could not look into.
pub(super) type Unreadable = Vec<(PathBuf, io::Error)>;

/// Whether a file of this name holds a transcript. Not so the journals of workflows and the audit copies of the desktop
/// application, which repeat responses in part (ccusage/ccusage#1200), nor anything compressed or set aside.
pub(super) fn is_transcript(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let ends =
        |suffix: &[u8]| name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix);
    ends(b".jsonl") && !name.eq_ignore_ascii_case(b"journal.jsonl") && !name.eq_ignore_ascii_case(b"audit.jsonl")
}

/// Walks directories. It remembers which links it has warned about.
#[derive(Default)]
pub(super) struct Scanner {
    warned: HashSet<PathBuf>,
}

/// How many links one process warns about.
const WARNINGS: usize = 100;

impl Scanner {
    /// Calls `visit` for each transcript below `dir`, with what the file system says of it now. What cannot be read is
    /// returned and costs only itself; what vanishes meanwhile is passed over.
    ///
    /// Links to directories are not entered: below `root` their target is walked under its own name, which also makes
    /// loops harmless, and what lies outside is not ours.
    pub(super) fn walk(&mut self, root: &Path, dir: &Path, visit: &mut dyn FnMut(PathBuf, FileStat)) -> Unreadable {
        let mut unreadable = Unreadable::new();
        let mut open = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            let listed = std::fs::read_dir(&dir).and_then(|entries| self.list(root, entries, &mut open, visit));
            match listed {
                Err(error) if !is_absent(&error) => unreadable.push((dir, error)),
                _ => {}
            }
        }
        unreadable
    }

    fn list(
        &mut self,
        root: &Path,
        entries: ReadDir,
        open: &mut Vec<PathBuf>,
        visit: &mut dyn FnMut(PathBuf, FileStat),
    ) -> io::Result<()> {
        for entry in entries {
            let entry = entry?;
            // The directory itself tells the kind; only transcripts cost a further call.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_symlink() {
                self.link(root, &entry, visit);
            } else if kind.is_file() && is_transcript(&entry.file_name()) {
                match entry.metadata() {
                    Ok(metadata) => visit(entry.path(), FileStat::from(&metadata)),
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// A link counts only where its target is below the root and would not be found under its own name.
    fn link(&mut self, root: &Path, entry: &DirEntry, visit: &mut dyn FnMut(PathBuf, FileStat)) {
        let Ok(target) = entry.path().canonicalize() else { return };
        let Ok(metadata) = target.metadata() else { return };
        if !target.starts_with(root) {
            let holds_transcripts = metadata.is_dir() || is_transcript(&entry.file_name());
            if holds_transcripts && self.warned.len() < WARNINGS && self.warned.insert(entry.path()) {
                tracing::warn!(
                    link = %entry.path().display(),
                    "not following a link out of the data directory; to count what it points to, add that as a data directory"
                );
            }
        } else if metadata.is_file()
            && is_transcript(&entry.file_name())
            && !target.file_name().is_some_and(is_transcript)
        {
            visit(target, FileStat::from(&metadata));
        }
    }
}

/// Every root with the number of its transcripts.
pub(super) fn probe(roots: &[PathBuf]) -> Vec<RootStatus> {
    let mut scanner = Scanner::default();
    let mut count = |root: &Root| {
        let mut status = RootStatus { path: root.configured.clone(), state: root.state(), files: 0 };
        if let Ok(Some(projects)) = &root.projects {
            let unreadable = scanner.walk(projects, projects, &mut |_, _| status.files += 1);
            if let Some((path, error)) = unreadable.first() {
                status.state = format!("cannot read {}: {error}", path.display());
            }
        }
        status
    };
    roots::resolve(roots).iter().map(&mut count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let unreadable = Scanner::default().walk(root, root, &mut |path, _| {
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        });
        assert!(unreadable.is_empty(), "{unreadable:?}");
        found.sort();
        found
    }

    #[test]
    fn transcripts_are_told_by_name() {
        for (name, expected) in [
            ("a.jsonl", true),
            ("a.JSONL", true),
            ("agent-1.jsonl", true),
            (".jsonl", false),
            ("journal.jsonl", false),
            ("audit.jsonl", false),
            ("a.jsonl.gz", false),
            ("a.jsonl.bak", false),
            ("a.jsonl.tmp", false),
            ("a.json", false),
            ("jsonl", false),
        ] {
            assert_eq!(is_transcript(OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn regular_files_are_found_at_any_depth() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("-p/s/subagents/workflows/w")).unwrap();
        std::fs::create_dir_all(root.join("-p/folder.jsonl")).unwrap();
        for file in
            ["-p/a.jsonl", "-p/s/b.JSONL", "-p/s/subagents/workflows/w/agent-c.jsonl", "-p/s/subagents/journal.jsonl"]
        {
            std::fs::write(root.join(file), "").unwrap();
        }
        assert_eq!(found(&root), ["-p/a.jsonl", "-p/s/b.JSONL", "-p/s/subagents/workflows/w/agent-c.jsonl"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside_and_may_loop() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let root = base.join("projects");
        std::fs::create_dir_all(root.join("-p")).unwrap();
        std::fs::create_dir_all(base.join("outside")).unwrap();
        for file in ["projects/-p/a.jsonl", "projects/-p/data", "outside/x.jsonl"] {
            std::fs::write(base.join(file), "").unwrap();
        }
        symlink(&root, root.join("-p/loop")).unwrap();
        symlink(root.join("-p"), root.join("-q")).unwrap();
        symlink(root.join("-p/a.jsonl"), root.join("again.jsonl")).unwrap();
        symlink(root.join("-p/data"), root.join("named.jsonl")).unwrap();
        symlink(base.join("outside/x.jsonl"), root.join("x.jsonl")).unwrap();
        symlink(base.join("outside"), root.join("-o")).unwrap();
        symlink(root.join("nothing"), root.join("dangling.jsonl")).unwrap();
        assert_eq!(found(&root), ["-p/a.jsonl", "-p/data"]);
    }

    // Other systems refuse such names.
    #[cfg(target_os = "linux")]
    #[test]
    fn names_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let odd = root.join(OsStr::from_bytes(b"-\xff\n\"x"));
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join(OsStr::from_bytes(b"\xfe.jsonl")), "").unwrap();
        let mut paths = Vec::new();
        Scanner::default().walk(&root, &root, &mut |path, _| paths.push(path));
        assert_eq!(paths, [odd.join(OsStr::from_bytes(b"\xfe.jsonl"))]);
    }

    #[test]
    fn what_cannot_be_read_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.jsonl"), "").unwrap();
        let not_a_dir = dir.path().join("a.jsonl");
        let mut scanner = Scanner::default();
        assert!(scanner.walk(dir.path(), &not_a_dir, &mut |_, _| panic!("a file holds nothing")).is_empty());
        assert!(scanner.walk(dir.path(), &dir.path().join("gone"), &mut |_, _| panic!("nothing there")).is_empty());
        // Longer than any system allows: a failure that even a privileged user gets.
        let too_long = dir.path().join("x".repeat(5000));
        let unreadable = scanner.walk(dir.path(), &too_long, &mut |_, _| panic!("nothing there"));
        assert_eq!(unreadable.len(), 1);
    }
}
