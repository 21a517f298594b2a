//! Faults that need a privileged user: file systems made for one test, limits of the kernel. Each is undone when it is
//! dropped, and whoever changes something that other processes see holds [`alone`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::parts;
use crate::wait::{PATIENCE, within};

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

    /// A directory in a second place.
    pub(crate) fn bind(from: &Path, at: &Path) -> Option<Self> {
        Self::new([OsStr::new("--bind"), from.as_os_str()], at)
    }

    /// Nothing in it can be changed from now on, at this place.
    pub(crate) fn read_only(self) -> Option<Self> {
        succeeds("mount", [OsStr::new("-o"), OsStr::new("remount,bind,ro"), self.0.as_os_str()]).then_some(self)
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

/// Takes every byte that is left of a file system, in this file.
pub(crate) fn fill(ballast: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    for block in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; block]).is_ok() {}
    }
}

/// A share of the machine for one process and its children, taken back when dropped.
pub(crate) struct Share(Vec<PathBuf>);

impl Share {
    /// So many hundredths of a processor and so many MiB of memory, swap included; beyond them the kernel kills. `None`,
    /// and the test is left out, where control groups (<https://docs.kernel.org/admin-guide/cgroup-v1/>) may not be made.
    pub(crate) fn of(name: &str, percent: u32, mib: u64) -> Option<Self> {
        let name = format!("ctm-{name}-{}", std::process::id());
        let limits =
            [("cpu", "cpu.cfs_quota_us", u64::from(percent) * 1000), ("memory", "memory.limit_in_bytes", mib << 20)];
        let mut share = Self(Vec::new());
        for (controller, limit, value) in limits {
            let dir = Path::new("/sys/fs/cgroup").join(controller).join(&name);
            let made = std::fs::create_dir(&dir).is_ok();
            share.0.extend(made.then_some(dir.clone()));
            if !made || std::fs::write(dir.join(limit), value.to_string()).is_err() {
                parts::lack("the right to make control groups");
                return None;
            }
        }
        Some(share)
    }

    /// What to put before a program so that it has no more than this.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let join = "echo $$ > \"$1\"/cgroup.procs && echo $$ > \"$2\"/cgroup.procs && shift 2 && exec \"$@\"";
        let dirs = self.0.iter().map(|dir| dir.display().to_string());
        ["/bin/sh", "-c", join, "sh"].map(str::to_owned).into_iter().chain(dirs).collect()
    }

    /// How often the processor was taken away because the share was used up.
    pub(crate) fn throttled(&self) -> u64 {
        let stat = std::fs::read_to_string(self.0[0].join("cpu.stat")).unwrap();
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap();
        count.trim().parse().unwrap()
    }

    /// The most memory there ever was, caches of the kernel included, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let bytes = std::fs::read_to_string(self.0[1].join("memory.max_usage_in_bytes")).unwrap();
        bytes.trim().parse::<u64>().unwrap() >> 20
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        for dir in &self.0 {
            // It cannot go before the last process in it has gone.
            let gone = within(PATIENCE, || std::fs::remove_dir(dir).ok());
            assert!(gone.is_some() || std::thread::panicking(), "{} stays behind", dir.display());
        }
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

/// A group of processes that may have so much memory together; gone when dropped, as its processes have to be by then.
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// So many MiB. `None`, and the test is left out, where no group can be made.
    pub(crate) fn memory(mib: u64) -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("ctm-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
            .iter()
            .find_map(|(root, limit)| {
                let group = Self(Path::new(root).join(&name));
                std::fs::create_dir(&group.0).ok()?;
                std::fs::write(group.0.join(limit), (mib << 20).to_string()).ok()?;
                Some(group)
            });
        if made.is_none() {
            parts::lack("the right to limit memory by a control group");
        }
        made
    }

    /// What starts a program inside of it.
    pub(crate) fn prefix(&self) -> [String; 4] {
        let script = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        ["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]
    }

    /// How many processes the system had to end for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let text = ["memory.oom_control", "memory.events"]
            .iter()
            .find_map(|name| std::fs::read_to_string(self.0.join(name)).ok());
        let text = text.unwrap();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A process may still be on its way out; an empty group that is left behind costs nothing.
        std::fs::remove_dir(&self.0).ok();
    }
}
