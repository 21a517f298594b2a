//! Faults that need a privileged user: file systems made for one test, limits of the kernel. Each is undone when it is
//! dropped, and whoever changes something that other processes see holds [`alone`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::parts;

/// One at a time: tests that change the whole machine.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether file systems can be mounted here; the test is left out where they cannot.
pub(crate) fn may_mount() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let may = rustix::process::geteuid().is_root() && Mount::tmpfs(dir.path(), 1).is_some();
    if !may {
        parts::lack("the right to mount file systems");
    }
    may
}

/// Whether this is the superuser, for whom file modes mean nothing.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a program and says whether it succeeded.
pub(crate) fn succeeds<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> bool {
    Command::new(program).args(args).output().is_ok_and(|done| done.status.success())
}

/// A mounted file system, unmounted when dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// A file system in memory of so many MiB.
    pub(crate) fn tmpfs(at: &Path, mib: u32) -> Option<Self> {
        Self::new(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"], at)
    }

    /// The ext4 file system inside an image file.
    pub(crate) fn image(image: &Path, at: &Path, options: &str) -> Option<Self> {
        Self::new([OsStr::new("-o"), OsStr::new(&format!("loop,{options}")), image.as_os_str()], at)
    }

    fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).chain([at.as_os_str().to_owned()]);
        succeeds("mount", args).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process that is still on its way out must not leave the mount behind.
        assert!(succeeds("umount", [OsStr::new("-l"), self.0.as_os_str()]), "cannot unmount {}", self.0.display());
    }
}

/// A limit of the kernel, set back when dropped.
pub(crate) struct Limit {
    path: &'static str,
    before: String,
}

impl Limit {
    /// `None`, and the test is left out, where it may not be set.
    pub(crate) fn set(path: &'static str, value: u64) -> Option<Self> {
        let before = std::fs::read_to_string(path).ok()?;
        if std::fs::write(path, value.to_string()).is_err() {
            parts::lack(&format!("the right to write {path}"));
            return None;
        }
        Some(Self { path, before })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        std::fs::write(self.path, &self.before).unwrap();
    }
}
