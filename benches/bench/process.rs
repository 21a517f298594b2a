//! Running a program and what it took.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A clean directory for one run of ours: its home and its database.
pub(crate) struct Run {
    dir: tempfile::TempDir,
}

/// Wall time, and the most memory it was seen with, in KiB.
pub(crate) struct Taken {
    pub(crate) time: Duration,
    pub(crate) peak_kib: f64,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir_in(super::corpus::place("")).unwrap() }
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.dir.path().join("monitor.db")
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, toml: &str) {
        let directory = self.dir.path().join(".config/claude-token-monitor");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("config.toml"), toml).unwrap();
    }

    /// Our program over a data directory.
    pub(crate) fn ours(&self, claude: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claude-token-monitor"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.dir.path())
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("RATE_LIMIT_PER_MINUTE", "0");
        command.env("CLAUDE_DATA_DIR", claude).env("DATABASE_PATH", self.database());
        command
    }

    /// The peer's report over the same directory.
    pub(crate) fn peer(&self, program: &Path, claude: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["daily", "--json", "--offline"]).env_clear().env("HOME", self.dir.path());
        command.env("CLAUDE_CONFIG_DIR", claude);
        command
    }

    /// Starts our service; gives it and its address once the first catch-up is done.
    pub(crate) fn serve(&self, claude: &Path) -> (Served, String) {
        let log = self.dir.path().join("log");
        let mut command = self.ours(claude, &["serve"]);
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let served = Served(child);
        let address = loop {
            let text = std::fs::read_to_string(&log).unwrap();
            let rest = text.split_once("listening on http://").map(|(_, rest)| rest.to_owned());
            if let Some((address, _)) = rest.as_deref().and_then(|rest| rest.split_once(['\n', ' ', '"'])) {
                break address.to_owned();
            }
            pause(Duration::from_millis(5));
        };
        while ureq::get(format!("http://{address}/-/ready")).call().is_err() {
            pause(Duration::from_millis(20));
        }
        (served, address)
    }
}

/// The service, ended when dropped.
pub(crate) struct Served(pub(crate) Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs to the end. Memory is the kernel's own high-water mark, read every two milliseconds.
pub(crate) fn run(mut command: Command) -> Taken {
    let since = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak_kib: f64 = 0.0;
    loop {
        if let Some(kib) = memory(&child, "VmHWM:") {
            peak_kib = peak_kib.max(kib);
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?} ended with {status}");
            return Taken { time: since.elapsed(), peak_kib };
        }
        pause(Duration::from_millis(2));
    }
}

/// A figure of `/proc/PID/status`, in KiB.
pub(crate) fn memory(child: &Child, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Processor time used so far, in seconds.
pub(crate) fn processor(child: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // The kernel counts in hundredths of a second.
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark waits for programs that cannot tell it anything")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
