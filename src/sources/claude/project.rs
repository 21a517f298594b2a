//! Which project a working directory belongs to: the root of its repository, with all its worktrees as one. Looks at
//! `.git` entries and nothing else, and remembers what it found; never decodes the names of Claude Code's folders.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::line::intern::cut;

/// Characters of a project's path; longer ones are cut.
const LONGEST_PROJECT: usize = 1024;
/// Directories that are looked at above a working directory.
const MOST_ANCESTORS: usize = 32;
/// Bytes of a `.git` file; the real ones are one short line.
const LONGEST_GIT_FILE: u64 = 4096;

/// Folds working directories to projects, each of them once: a directory that becomes a repository later is another
/// project from the next start on.
pub struct ProjectFolder {
    home: Option<PathBuf>,
    last: (Box<str>, Arc<str>),
    known: HashMap<Box<str>, Arc<str>>,
}

impl ProjectFolder {
    /// Transcripts choose the keys, so the memory has a bound.
    const MOST: usize = 1024;

    /// The home directory and what is above it are nobody's repository, even if it is kept under version control.
    pub fn new(home: Option<PathBuf>) -> Self {
        Self { home, last: (Box::from(""), Arc::from("")), known: HashMap::new() }
    }

    /// The project of a working directory, as a path; the directory itself if nothing on disk says more.
    pub fn fold(&mut self, cwd: &str) -> Arc<str> {
        if *self.last.0 != *cwd {
            let project = if let Some(known) = self.known.get(cwd) {
                Arc::clone(known)
            } else {
                let fresh = Arc::from(cut(&project_of(cwd, self.home.as_deref()), LONGEST_PROJECT));
                if self.known.len() == Self::MOST {
                    self.known.clear();
                }
                self.known.insert(Box::from(cwd), Arc::clone(&fresh));
                fresh
            };
            self.last = (Box::from(cwd), project);
        }
        Arc::clone(&self.last.1)
    }
}

/// A short name for each project: the last part of its path, with as many parents as it takes to tell it from others.
pub fn labels<'a>(projects: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut open: BTreeSet<&str> = projects.collect();
    let mut labels = BTreeMap::new();
    for depth in 1.. {
        let mut by_label: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for project in open {
            by_label.entry(last_parts(project, depth)).or_default().push(project);
        }
        open = BTreeSet::new();
        for (label, sharers) in by_label {
            for project in &sharers {
                if sharers.len() == 1 {
                    labels.insert((*project).to_owned(), label.clone());
                } else if parts(project).count() <= depth {
                    labels.insert((*project).to_owned(), (*project).to_owned());
                } else {
                    open.insert(project);
                }
            }
        }
        if open.is_empty() {
            break;
        }
    }
    labels
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['/', '\\']).filter(|part| !part.is_empty())
}

fn last_parts(path: &str, count: usize) -> String {
    let mut last: Vec<&str> = parts(path).rev().take(count).collect();
    last.reverse();
    if last.is_empty() { path.to_owned() } else { last.join("/") }
}

fn project_of(cwd: &str, home: Option<&Path>) -> String {
    let cwd = upper_drive(without_trailing_separators(cwd));
    let folded = fold_claude_worktree(&cwd);
    repository_of(Path::new(folded), home).unwrap_or_else(|| folded.to_owned())
}

fn without_trailing_separators(path: &str) -> &str {
    let trimmed = path.trim_end_matches(['/', '\\']);
    let is_root = trimmed.is_empty() || trimmed.ends_with(':');
    if is_root { path.get(..=trimmed.len()).unwrap_or(path) } else { trimmed }
}

/// Shells on Windows disagree about the case of the drive letter.
fn upper_drive(path: &str) -> Cow<'_, str> {
    match path.as_bytes() {
        [drive @ b'a'..=b'z', b':', b'/' | b'\\', ..] => {
            let rest = path.split_at(1).1;
            Cow::Owned(format!("{}{rest}", char::from(drive.to_ascii_uppercase())))
        }
        _ => Cow::Borrowed(path),
    }
}

/// Claude Code keeps the worktrees it makes in `<repository>/.claude/worktrees/<name>`; they are gone when their work is
/// done, so that the path itself has to say where they belong.
fn fold_claude_worktree(path: &str) -> &str {
    let mut start = 0;
    let starts: Vec<(usize, &str)> = path
        .split(['/', '\\'])
        .map(|part| {
            let here = start;
            start += part.len() + 1;
            (here, part)
        })
        .collect();
    let worktrees = |window: &&[(usize, &str)]| matches!(window, [_, (2.., ".claude"), (_, "worktrees"), (_, name)] if !name.is_empty());
    match starts.windows(4).find(worktrees) {
        Some([_, (dot_claude, _), ..]) => path.split_at(dot_claude - 1).0,
        _ => path,
    }
}

/// The repository that a directory lies in, as far as the disk still knows.
fn repository_of(directory: &Path, home: Option<&Path>) -> Option<String> {
    // A path from a transcript must not make us call a file server, nor leave the directories that it names.
    let shared = directory.as_os_str().as_encoded_bytes().starts_with(b"//");
    let local = directory.components().all(|part| match part {
        Component::Prefix(prefix) => matches!(prefix.kind(), std::path::Prefix::Disk(_)),
        Component::ParentDir => false,
        _ => true,
    });
    if !directory.is_absolute() || shared || !local {
        return None;
    }
    for directory in directory.ancestors().take(MOST_ANCESTORS) {
        if directory.parent().is_none() || home.is_some_and(|home| home.starts_with(directory)) {
            return None;
        }
        let git = directory.join(".git");
        let Ok(entry) = git.symlink_metadata() else { continue };
        if entry.is_dir() || entry.is_symlink() && git.is_dir() {
            return directory.to_str().map(str::to_owned);
        }
        if entry.is_file()
            && let Some(repository) = main_repository(&git, directory)
        {
            return Some(repository);
        }
    }
    None
}

/// The repository that a worktree was made from, by its `.git` file (git-scm.com/docs/gitrepository-layout). The `.git`
/// files of submodules name something else: they belong to the repository around them.
fn main_repository(git_file: &Path, worktree: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(git_file).ok()?.take(LONGEST_GIT_FILE).read_to_string(&mut text).ok()?;
    let target = text.lines().next()?.strip_prefix("gitdir:")?.trim();
    let target = normalized(&worktree.join(target));
    let worktrees = target.parent()?;
    let shared = worktrees.parent()?;
    if worktrees.file_name()? != "worktrees" {
        return None;
    }
    // `<repository>/.git`, or a bare repository that either is the project or hides in it as `.bare`.
    let hidden = shared.file_name()?.as_encoded_bytes().starts_with(b".");
    let repository = if hidden { shared.parent()? } else { shared };
    Some(upper_drive(repository.to_str()?).into_owned())
}

/// The path without `.` and `..`, in the system's own separators.
fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cwd: &str, expected: &str) {
        assert_eq!(*ProjectFolder::new(None).fold(cwd), *expected, "{cwd}");
    }

    #[test]
    fn what_is_not_on_disk_stays_as_written() {
        check("/nowhere/ana/shop", "/nowhere/ana/shop");
        check("/nowhere/ana/shop//", "/nowhere/ana/shop");
        check("/", "/");
        check("C:\\", "C:\\");
        check("c:\\Users\\ana\\shop\\", "C:\\Users\\ana\\shop");
        check("d:/work", "D:/work");
        check("/mnt/c/nowhere", "/mnt/c/nowhere");
        check("\\\\server\\share\\shop", "\\\\server\\share\\shop");
        check("", "");
        check("shop", "shop");
        check("/nowhere/\u{1f600}\n\"x\"", "/nowhere/\u{1f600}\n\"x\"");
    }

    #[test]
    fn worktrees_of_claude_code_fold_by_their_name() {
        check("/nowhere/shop/.claude/worktrees/fix", "/nowhere/shop");
        check("/nowhere/shop/.claude/worktrees/fix/src/deep", "/nowhere/shop");
        check("c:\\shop\\.claude\\worktrees\\fix", "C:\\shop");
        check("/nowhere/shop/.claude/worktrees/a/.claude/worktrees/b", "/nowhere/shop");
        check("/nowhere/shop/.claude/worktrees", "/nowhere/shop/.claude/worktrees");
        check("/nowhere/shop/.claude/agents/fix", "/nowhere/shop/.claude/agents/fix");
        check("/.claude/worktrees/fix", "/.claude/worktrees/fix");
    }

    /// A directory with what git would have made in it: `(path, None)` is a directory, `(path, Some(text))` a file.
    fn disk(entries: &[(&str, Option<&str>)]) -> tempfile::TempDir {
        let disk = tempfile::tempdir().unwrap();
        for (path, text) in entries {
            let path = disk.path().join(path);
            match text {
                None => std::fs::create_dir_all(path).unwrap(),
                Some(text) => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, text.replace("DISK", disk.path().to_str().unwrap())).unwrap();
                }
            }
        }
        disk
    }

    #[track_caller]
    fn check_disk(entries: &[(&str, Option<&str>)], cwd: &str, expected: &str) {
        let disk = disk(entries);
        let path = |below: &str| disk.path().join(below).to_str().unwrap().to_owned();
        assert_eq!(*ProjectFolder::new(Some(disk.path().to_owned())).fold(&path(cwd)), *path(expected));
    }

    #[test]
    fn a_directory_folds_to_its_repository() {
        check_disk(&[("shop/.git", None), ("shop/src/deep", None)], "shop", "shop");
        check_disk(&[("shop/.git", None), ("shop/src/deep", None)], "shop/src/deep", "shop");
        // The directory itself need not exist any more.
        check_disk(&[("shop/.git", None)], "shop/gone/deep", "shop");
        check_disk(&[("shop/src", None)], "shop/src", "shop/src");
        check_disk(&[("shop/.git", None), ("shop/.claude/worktrees/fix", None)], "shop/.claude/worktrees/fix", "shop");
    }

    #[test]
    fn a_worktree_folds_to_the_repository_it_was_made_from() {
        let file = |text| [("fix/.git", Some(text)), ("shop/.git/worktrees/fix", None)];
        check_disk(&file("gitdir: DISK/shop/.git/worktrees/fix\n"), "fix", "shop");
        check_disk(&file("gitdir: DISK/shop/.git/worktrees/fix\n"), "fix/src", "shop");
        check_disk(&file("gitdir: ../shop/.git/worktrees/fix"), "fix", "shop");
        check_disk(&file("gitdir: DISK/shop.git/worktrees/fix\n"), "fix", "shop.git");
        check_disk(&file("gitdir: DISK/shop/.bare/worktrees/fix\n"), "fix", "shop");
        for text in ["", "gitdir:", "gitdir: /", "nonsense", "gitdir: DISK/shop/.git/modules/fix\n", "\0\u{1}"] {
            check_disk(&file(text), "fix/src", "fix/src");
        }
        check_disk(&file(&format!("gitdir: DISK/{}/.git/worktrees/fix", "x/".repeat(5000))), "fix", "fix");
    }

    #[test]
    fn a_submodule_belongs_to_the_repository_around_it() {
        let entries = [("shop/.git", None), ("shop/lib/.git", Some("gitdir: ../.git/modules/lib\n"))];
        check_disk(&entries, "shop/lib/src", "shop");
    }

    #[test]
    fn only_plain_local_paths_are_looked_up() {
        let disk = disk(&[("shop/.git", None), ("shop/src", None)]);
        let path = disk.path().to_str().unwrap();
        for path in [format!("/{path}/shop/src"), format!("{path}/shop/../shop/src")] {
            check(&path, &path);
        }
        check(&format!("{path}/shop{}", "/deep".repeat(40)), &format!("{path}/shop{}", "/deep".repeat(40)));
    }

    #[test]
    fn the_home_directory_is_nobodys_repository() {
        check_disk(&[(".git", None), ("shop/src", None)], "shop/src", "shop/src");
        let disk = disk(&[(".git", None)]);
        let (home, path) = (disk.path().to_owned(), disk.path().to_str().unwrap());
        assert_eq!(*ProjectFolder::new(Some(home)).fold(path), *path);
    }

    #[cfg(unix)]
    #[test]
    fn a_git_entry_that_is_no_file_is_passed_over() {
        let disk = disk(&[("shop/.git", None), ("shop/pipe", None), ("shop/link", None)]);
        rustix::fs::mkfifoat(rustix::fs::CWD, disk.path().join("shop/pipe/.git"), 0o600.into()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", disk.path().join("shop/link/.git")).unwrap();
        let mut folder = ProjectFolder::new(None);
        for name in ["pipe", "link"] {
            let cwd = disk.path().join("shop").join(name);
            assert_eq!(*folder.fold(cwd.to_str().unwrap()), *disk.path().join("shop").to_str().unwrap());
        }
    }

    #[test]
    fn what_was_found_is_remembered_within_bounds() {
        let disk = disk(&[("shop/.git", None)]);
        let cwd = disk.path().join("shop/src").to_str().unwrap().to_owned();
        let mut folder = ProjectFolder::new(None);
        let first = folder.fold(&cwd);
        folder.fold("/elsewhere");
        std::fs::remove_dir(disk.path().join("shop/.git")).unwrap();
        assert!(Arc::ptr_eq(&first, &folder.fold(&cwd)));
        for i in 0..3000 {
            folder.fold(&format!("C:\\{i}"));
        }
        assert!(folder.known.len() <= ProjectFolder::MOST);
    }

    #[test]
    fn labels_are_as_short_as_they_can_be() {
        let check = |projects: &[&str], expected: &[&str]| {
            let labels = labels(projects.iter().copied());
            let found: Vec<&str> = projects.iter().map(|project| labels[*project].as_str()).collect();
            assert_eq!(found, expected);
        };
        check(&["/home/ana/shop", "/home/ana/api"], &["shop", "api"]);
        check(&["/home/ana/shop", "/home/bob/shop", "/srv/api"], &["ana/shop", "bob/shop", "api"]);
        check(&["/a/x/web", "/b/x/web"], &["a/x/web", "b/x/web"]);
        check(&["C:\\work\\shop", "/work/shop"], &["C:/work/shop", "/work/shop"]);
        check(&["/shop", "shop"], &["/shop", "shop"]);
        check(&["/", ""], &["/", ""]);
        check(&["/shop", "/shop"], &["shop", "shop"]);
    }
}
