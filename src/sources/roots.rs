//! Where Claude Code's data directories are right now. It looks at directories and never opens a file.

use std::io;
use std::path::{Path, PathBuf};

/// A configured data directory as it was found.
#[derive(Debug)]
pub(super) struct Root {
    /// As the user wrote it.
    pub(super) configured: PathBuf,
    /// The canonical directory of transcripts; `None` while there is none.
    pub(super) projects: io::Result<Option<PathBuf>>,
}

impl Root {
    /// The root is the directory of transcripts itself, rather than what holds it.
    pub(super) fn is_projects(&self) -> bool {
        matches!(&self.projects, Ok(Some(projects)) if self.configured.canonicalize().is_ok_and(|root| root == *projects))
    }

    /// `ok`, `missing`, or why it cannot be read.
    pub(super) fn state(&self) -> String {
        match &self.projects {
            Ok(Some(_)) => "ok".to_owned(),
            Ok(None) => "missing".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        }
    }
}

/// Looks for every root. Two names of one directory give one root, and so does a directory inside another root.
pub(super) fn resolve(configured: &[PathBuf]) -> Vec<Root> {
    let mut roots = Vec::<Root>::new();
    for path in configured {
        let projects = projects_dir(path);
        if let Ok(Some(dir)) = &projects {
            let inside = |outer: &Root| matches!(&outer.projects, Ok(Some(outer)) if dir.starts_with(outer));
            if roots.iter().any(inside) {
                continue;
            }
            roots.retain(|inner| !matches!(&inner.projects, Ok(Some(inner)) if inner.starts_with(dir)));
        } else if roots.iter().any(|root| root.configured == *path) {
            continue;
        }
        roots.push(Root { configured: path.clone(), projects });
    }
    roots
}

/// The canonical `projects` directory of a root, or the root itself if that is a `projects` directory.
fn projects_dir(root: &Path) -> io::Result<Option<PathBuf>> {
    for (dir, is_projects) in [(root.join("projects"), true), (root.to_owned(), is_projects_dir(root))] {
        match dir.metadata() {
            Ok(metadata) if metadata.is_dir() && is_projects => return dir.canonicalize().map(Some),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether a directory holds transcripts itself: it is named so, or, since a container may mount it under any name,
/// some directory in it is named the way Claude Code names projects (`-home-user-code`, `C--code`).
fn is_projects_dir(dir: &Path) -> bool {
    let is_project =
        |name: &[u8]| name.starts_with(b"-") || matches!(name, [b'A'..=b'Z' | b'a'..=b'z', b'-', b'-', ..]);
    let holds_project = || {
        std::fs::read_dir(dir).is_ok_and(|entries| {
            entries.filter_map(Result::ok).any(|entry| {
                is_project(entry.file_name().as_encoded_bytes()) && entry.file_type().is_ok_and(|kind| kind.is_dir())
            })
        })
    };
    dir.file_name().is_some_and(|name| name == "projects") || holds_project()
}

/// There is nothing under this name, or one of its parents is a file.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_holds_projects_or_is_it() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for made in ["home/projects/-a", "mounted/-home-user", "windows/C--code", "empty", "other/todos"] {
            std::fs::create_dir_all(base.join(made)).unwrap();
        }
        std::fs::write(base.join("file"), "").unwrap();
        let check = |root: &str, expected: Option<&str>| {
            let found = projects_dir(&base.join(root)).unwrap();
            assert_eq!(found, expected.map(|path| base.join(path)), "{root}");
        };
        check("home", Some("home/projects"));
        check("home/projects", Some("home/projects"));
        check("mounted", Some("mounted"));
        check("windows", Some("windows"));
        check("empty", None);
        check("other", None);
        check("nothing", None);
        check("file", None);
        check("file/below", None);
    }

    #[cfg(unix)]
    #[test]
    fn one_directory_under_several_names_is_one_root() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/projects/-x/projects/-y")).unwrap();
        std::os::unix::fs::symlink(at("a"), at("b")).unwrap();
        let names = |roots: &[&str]| -> Vec<PathBuf> {
            let roots: Vec<PathBuf> = roots.iter().map(|root| at(root)).collect();
            resolve(&roots).into_iter().map(|root| root.configured).collect()
        };
        assert_eq!(names(&["a", "b", "a/projects"]), [at("a")]);
        assert_eq!(names(&["a/projects/-x", "a"]), [at("a")], "the outer root reads the inner one's files");
        assert_eq!(names(&["none", "none", "a"]), [at("none"), at("a")]);
    }
}
