//! `service` with a real user manager of systemd, in a namespace where the machine looks as if systemd had started it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::words;
use crate::auth::free_address;
use crate::house::{Owned, TestHouse};
use crate::machine::{alone, may_mount, succeeds};
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually, within};

const SYSTEMD: &str = "/lib/systemd/systemd";

/// Somebody who is nobody in particular.
const USER: &str = "65532";

/// A user's manager, and the groups that it keeps its services in.
struct UserManager {
    manager: Owned,
    groups: Vec<PathBuf>,
}

impl UserManager {
    /// For the user whose home the house is. `None`, and the test is left out, where that cannot be.
    fn start(house: &TestHouse) -> Option<Self> {
        if !Path::new(SYSTEMD).exists() {
            parts::lack(SYSTEMD);
            return None;
        }
        // The hierarchy of systemd, in the old layout and in the new one.
        let roots = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let roots = roots.iter().filter(|root| Path::new(root).join("cgroup.procs").exists());
        let groups: Vec<PathBuf> =
            roots.map(|root| Path::new(root).join(format!("ctm-user-{}", std::process::id()))).collect();
        let made = groups.iter().all(|group| {
            std::fs::create_dir(group).is_ok() && succeeds("chown", ["-R".as_ref(), USER.as_ref(), group.as_os_str()])
        });
        if groups.is_empty() || !made {
            parts::lack("the right to make control groups");
            return None;
        }
        let join: Vec<String> =
            groups.iter().map(|group| format!("echo $$ >{}/cgroup.procs\n", group.display())).collect();
        let join = join.concat();
        let script = format!(
            "set -e\n{join}mount -t tmpfs tmpfs /run\n\
             mkdir -p /run/systemd/system /run/systemd/unit-root /run/user/{USER}\n\
             chown {USER} /run/user/{USER}\nchmod 700 /run/user/{USER}\n\
             mount -t tmpfs tmpfs /home\nmkdir /home/me\nmount --bind '{}' /home/me\nshift\nexec \"$@\"",
            house.root().display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script, "sh", "--"]);
        command.args(as_user()).args([SYSTEMD, "--user"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let manager = Self { manager: Owned(command.spawn().unwrap()), groups };
        let up = within(PATIENCE, || {
            manager.run(&["systemctl", "--user", "show-environment"]).status.success().then_some(())
        });
        if up.is_none() {
            parts::lack("a user manager of systemd that starts");
            return None;
        }
        Some(manager)
    }

    /// Runs something as the user, where the user's manager is.
    fn run(&self, line: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.manager.0.id().to_string(), "--"]);
        command.args(as_user()).args(line).stdin(Stdio::null()).output().unwrap()
    }

    fn service(&self, args: &[&str]) -> Output {
        self.run(&[&["/home/me/claude-token-monitor", "service"], args].concat())
    }

    /// The process of the service.
    fn pid(&self) -> Option<Pid> {
        let done = self.run(&["systemctl", "--user", "show", "-P", "MainPID", "claude-token-monitor"]);
        Pid::from_raw(String::from_utf8_lossy(&done.stdout).trim().parse().ok()?)
    }
}

fn as_user() -> Vec<String> {
    let line = format!(
        "setpriv --reuid {USER} --regid {USER} --clear-groups env -i HOME=/home/me XDG_RUNTIME_DIR=/run/user/{USER} \
         PATH=/usr/bin:/bin SHELL=/bin/sh TZ=Europe/Berlin"
    );
    line.split(' ').map(str::to_owned).collect()
}

impl Drop for UserManager {
    fn drop(&mut self) {
        // What it has started outlives it, so everything in its groups is ended.
        let emptied = within(PATIENCE, || self.groups.iter().all(|group| empty(group)).then_some(()));
        assert!(emptied.is_some() || std::thread::panicking(), "{:?} stay behind", self.groups);
    }
}

/// Ends what is in a group and below, and removes it. Whether it is gone.
fn empty(group: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(group) else { return true };
    for inner in entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir()) {
        empty(&inner.path());
    }
    let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        kill_process(pid, Signal::KILL).ok();
    }
    std::fs::remove_dir(group).is_ok()
}

fn get(address: &str, path: &str) -> Option<String> {
    ureq::get(format!("http://{address}{path}")).call().ok()?.body_mut().read_to_string().ok()
}

#[test]
fn systemd_starts_it_fenced_starts_it_again_and_lets_it_go() {
    let _alone = alone();
    if !may_mount() {
        return;
    }
    let house = TestHouse::new().with_own_binary();
    let mut scribe = Scribe::new(&house.path(".claude"));
    scribe.append("one", 9);
    assert!(succeeds("chown", ["-R".as_ref(), USER.as_ref(), house.root().as_os_str()]));
    let Some(manager) = UserManager::start(&house) else { return };

    let (first, second) = (free_address(), free_address());
    let dry = manager.service(&["install", "--dry-run", "--listen", &first]);
    assert!(dry.status.success() && words(&dry).contains("\n[Service]\n"), "{}", words(&dry));
    assert_eq!(manager.service(&["status"]).status.code(), Some(3), "a dry run installs nothing");

    let done = manager.service(&["install", "--listen", &first, "--allow-write", "/home/me/sink"]);
    assert!(done.status.success(), "{}", words(&done));
    let done = manager.service(&["status"]);
    assert!(done.status.success() && words(&done).contains("enabled, active"), "{}", words(&done));
    let counted = |address: &str, requests: i64| {
        eventually("what was written to be counted", PATIENCE, || {
            let current: serde_json::Value = serde_json::from_str(&get(address, "/api/v1/stats/current")?).unwrap();
            (current["totals"]["requests"] == requests).then_some(())
        });
    };
    counted(&first, scribe.written.requests);

    // The fences are there: no new rights, few system calls, and a disk that can be written to in two places.
    let pid = manager.pid().unwrap();
    let proc = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_nonzero())).unwrap();
    let status = proc("status");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let mounts = proc("mountinfo");
    let mode = |at: &str| {
        let found = mounts.lines().rev().find(|line| line.split(' ').nth(4) == Some(at));
        found.map(|line| line.split(' ').nth(5).unwrap().split(',').next().unwrap().to_owned())
    };
    for (at, expected) in
        [("/", "ro"), ("/home/me", "ro"), ("/home/me/.local/share/claude-token-monitor", "rw"), ("/home/me/sink", "rw")]
    {
        assert_eq!(mode(at).as_deref(), Some(expected), "{at} in {mounts}");
    }

    // What dies is started again.
    kill_process(pid, Signal::KILL).unwrap();
    eventually("another process", PATIENCE, || manager.pid().filter(|new| *new != pid));
    counted(&first, scribe.written.requests);

    // To install again is to change what it is told.
    let done = manager.service(&["install", "--listen", &second]);
    assert!(done.status.success(), "{}", words(&done));
    counted(&second, scribe.written.requests);
    assert!(get(&first, "/-/healthy").is_none());

    let done = manager.service(&["uninstall", "--dry-run"]);
    assert!(done.status.success() && get(&second, "/-/healthy").is_some(), "{}", words(&done));
    let done = manager.service(&["uninstall"]);
    assert!(done.status.success(), "{}", words(&done));
    assert!(get(&second, "/-/healthy").is_none() && manager.pid().is_none());
    assert!(!house.path(".config/systemd/user/claude-token-monitor.service").exists());
    assert!(house.path(".local/share/claude-token-monitor/monitor.db").exists(), "the history stays");
    assert_eq!(manager.service(&["status"]).status.code(), Some(3));
}
