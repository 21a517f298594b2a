//! [`TestHouse`]: a home, a transcript directory and a database of their own for the real binary, and [`Served`]: that
//! binary while it serves. Children get a cleared environment, so none can reach the home of whoever runs the tests.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::counts::Counts;
use crate::scrape::Scrape;
use crate::wait::{PATIENCE, eventually, within};

const BINARY: &str = env!("CARGO_BIN_EXE_claude-token-monitor");

/// Everything one instance of the program touches, gone when dropped.
pub(crate) struct TestHouse {
    dir: TempDir,
    claude: PathBuf,
    database: PathBuf,
    binary: PathBuf,
    /// What stands before the binary on the command line.
    prefix: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    files: AtomicU64,
}

impl TestHouse {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("ctm-").tempdir().unwrap();
        for name in ["home", "tmp", "claude/projects", "data"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        Self {
            claude: dir.path().join("claude"),
            database: dir.path().join("data/monitor.db"),
            binary: BINARY.into(),
            dir,
            prefix: Vec::new(),
            env: Vec::new(),
            files: AtomicU64::new(0),
        }
    }

    /// Reads transcripts from somewhere else.
    pub(crate) fn reading(mut self, claude: impl Into<PathBuf>) -> Self {
        self.claude = claude.into();
        self
    }

    /// Keeps the history somewhere else.
    pub(crate) fn storing(mut self, database: impl Into<PathBuf>) -> Self {
        self.database = database.into();
        self
    }

    /// Sets a variable for every child.
    pub(crate) fn with_env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Puts a program before the binary: it has to `exec` it, so that the process id stays.
    pub(crate) fn through<S: Into<OsString>>(mut self, prefix: impl IntoIterator<Item = S>) -> Self {
        self.prefix = prefix.into_iter().map(Into::into).collect();
        self
    }

    /// Runs a copy of the binary from inside the house, where users without access to the build directory can reach it.
    pub(crate) fn with_own_binary(mut self) -> Self {
        self.binary = self.path("claude-token-monitor");
        // By another process: a test that forks while this one had the file open for writing would keep it busy.
        let copied = Command::new("cp").arg(BINARY).arg(&self.binary).status().unwrap();
        assert!(copied.success());
        self
    }

    /// Where the binary is, for whoever puts a copy of it elsewhere.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs an example instead of the program, if it was built.
    pub(crate) fn with_example(mut self, name: &str) -> Option<Self> {
        self.binary = Path::new(BINARY).with_file_name("examples").join(name);
        self.binary.is_file().then_some(self)
    }

    /// Writes the user's configuration file.
    pub(crate) fn with_config(self, toml: &str) -> Self {
        let dir = self.path("home/.config/claude-token-monitor");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), toml).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The directory that holds `projects/`.
    pub(crate) fn claude(&self) -> &Path {
        &self.claude
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// The binary with nothing but this house around it.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_through(&self.prefix, args)
    }

    /// The same behind another program.
    pub(crate) fn command_through<P: AsRef<OsStr>, S: AsRef<OsStr>>(
        &self,
        prefix: &[P],
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut line = prefix.iter().map(AsRef::as_ref).chain([self.binary.as_os_str()]);
        let mut command = Command::new(line.next().unwrap());
        command.args(line).args(args).env_clear().stdin(Stdio::null()).current_dir(self.root());
        for (name, place) in [("HOME", "home"), ("TMPDIR", "tmp")] {
            command.env(name, self.path(place));
        }
        for (name, place) in [("CONFIG", "home/.config"), ("DATA", "home/.local/share"), ("STATE", "home/.local/state")]
        {
            command.env(format!("XDG_{name}_HOME"), self.path(place));
        }
        command
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("TZ", "UTC")
            .env("LISTEN_ADDR", "127.0.0.1:0")
            // Tests ask as often as they like; the limit has tests of its own.
            .env("RATE_LIMIT_PER_MINUTE", "0")
            .env("CLAUDE_DATA_DIR", &self.claude)
            .env("DATABASE_PATH", &self.database)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Finished {
        self.finish(self.command(args))
    }

    /// Runs a prepared command to its end.
    pub(crate) fn finish(&self, command: Command) -> Finished {
        self.finish_within(command, PATIENCE * 3)
    }

    /// Runs a prepared command that may take as long as `limit`.
    pub(crate) fn finish_within(&self, mut command: Command, limit: Duration) -> Finished {
        let (out, err) = (self.fresh("out"), self.fresh("err"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = Owned(command.spawn().unwrap());
        let status = child.wait(&format!("the end of {command:?}"), limit);
        let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Finished { status, stdout: read(out), stderr: read(err) }
    }

    /// One catch-up with everything on disk.
    pub(crate) fn ingest(&self) -> Finished {
        let done = self.run(["ingest"]);
        assert!(done.status.success(), "ingest failed: {done:?}");
        done
    }

    /// What the history holds.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of_database(&self.database)
    }

    /// Starts serving without waiting for anything.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Starting {
        self.spawn_printing(args, Stdio::null())
    }

    fn spawn_printing<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, to: Stdio) -> Starting {
        let mut command = self.command(std::iter::once(OsString::from("serve")));
        command.args(args).stdout(to);
        self.spawn_prepared(command)
    }

    /// Starts a prepared command that logs as the service does.
    pub(crate) fn spawn_prepared(&self, mut command: Command) -> Starting {
        let log = self.fresh("log");
        command.stderr(File::create(&log).unwrap());
        Starting { child: Owned(command.spawn().unwrap()), log }
    }

    /// Serves, with what it prints in a file.
    pub(crate) fn serve_printing(&self) -> (Served, PathBuf) {
        let out = self.fresh("out");
        (self.spawn_printing::<&str>([], File::create(&out).unwrap().into()).ready(), out)
    }

    /// Serves, with the first catch-up done.
    pub(crate) fn serve(&self) -> Served {
        self.spawn::<&str>([]).ready()
    }

    /// A path in the house that no other file has.
    fn fresh(&self, kind: &str) -> PathBuf {
        self.path(&format!("{}.{kind}", self.files.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The exit code; a signal is a failure of the test.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed by signal {:?}: {}", self.status.signal(), self.stderr))
    }
}

/// A child that dies with the test.
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn wait(&mut self, what: &str, limit: Duration) -> ExitStatus {
        eventually(what, limit, || self.0.try_wait().unwrap())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A stopped process takes SIGKILL all the same; one that has ended and was waited for is left alone by `kill`.
        if self.0.kill().is_ok() {
            self.0.wait().unwrap();
        }
    }
}

/// The service before it is known to listen.
pub(crate) struct Starting {
    child: Owned,
    log: PathBuf,
}

impl Starting {
    /// Waits for the address, but not for the first catch-up.
    pub(crate) fn listening(self) -> Served {
        self.listening_unless_gone().unwrap_or_else(|log| panic!("ended before it listened:\n{log}"))
    }

    /// Waits for the address; where it ends instead, gives its log.
    pub(crate) fn listening_unless_gone(mut self) -> Result<Served, String> {
        let address = eventually("the line `listening on http://…`", PATIENCE, || {
            let log = log_of(&self.log);
            if self.child.0.try_wait().unwrap().is_some() {
                return Some(Err(log));
            }
            let (_, rest) = log.split_once("listening on http")?;
            let (_, rest) = rest.split_once("://")?;
            rest.split_once(|c: char| c.is_whitespace() || c == '"').map(|(address, _)| Ok(address.to_owned()))
        })?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            // Well before the server closes an idle connection: a request must not meet its end.
            .max_idle_age(Duration::from_secs(5))
            .build()
            .into();
        Ok(Served { child: self.child, log: self.log, address, agent })
    }

    /// Waits until the first catch-up is stored and served.
    pub(crate) fn ready(self) -> Served {
        let served = self.listening();
        served.wait_ready();
        served
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        log_of(&self.log)
    }

    /// Waits for an end that is expected.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait("the end of a service that cannot start", PATIENCE * 3);
        (status, log_of(&self.log))
    }

    /// SIGKILL, and what it had logged.
    pub(crate) fn kill(mut self) -> String {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
        log_of(&self.log)
    }
}

fn log_of(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// The running service.
pub(crate) struct Served {
    child: Owned,
    log: PathBuf,
    address: String,
    agent: ureq::Agent,
}

impl Served {
    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> Pid {
        self.child.pid()
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        log_of(&self.log)
    }

    /// Status and body of a GET; `None` when there is no answer.
    pub(crate) fn ask(&self, path: &str) -> Option<(u16, String)> {
        let mut answer = self.agent.get(format!("http://{}{path}", self.address)).call().ok()?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string().ok()?;
        Some((answer.status().as_u16(), body))
    }

    /// The body of a GET that must succeed.
    pub(crate) fn text(&self, path: &str) -> String {
        let (status, body) = self.ask(path).unwrap_or_else(|| panic!("no answer to {path}:\n{}", self.log()));
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap()
    }

    pub(crate) fn scrape(&self) -> Scrape {
        Scrape::parse(&self.text("/metrics"))
    }

    /// What the API says the history holds.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of_row(&self.json("/api/v1/stats/current")["totals"])
    }

    /// The same, if there is an answer.
    fn try_counts(&self) -> Option<Counts> {
        let (_, body) = self.ask("/api/v1/stats/current").filter(|(status, _)| *status == 200)?;
        Some(Counts::of_row(&serde_json::from_str::<Value>(&body).ok()?["totals"]))
    }

    pub(crate) fn wait_ready(&self) {
        eventually("readiness", PATIENCE * 2, || (self.ask("/-/ready")?.0 == 200).then_some(()));
    }

    /// Waits until the API shows what is expected or the process is gone, whichever comes first.
    pub(crate) fn wait_counts_or_end(&mut self, expected: Counts) {
        let reached = within(PATIENCE, || {
            let gone = self.child.0.try_wait().unwrap().is_some();
            (gone || self.try_counts() == Some(expected)).then_some(())
        });
        assert!(reached.is_some(), "neither an end nor {expected:?}, but {:?}\n{}", self.try_counts(), self.log());
    }

    /// Waits until the API shows what is expected, and says what it shows instead if it never does.
    pub(crate) fn wait_counts(&self, expected: Counts, limit: Duration) {
        let mut last = None;
        let reached = within(limit, || {
            let now = self.try_counts()?;
            last = Some(now);
            (now == expected).then_some(())
        });
        assert!(reached.is_some(), "expected {expected:?}, but {last:?} after {limit:?}\n{}", self.log());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL, and nothing of it left.
    pub(crate) fn kill(mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// How it ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait("the end of the service", PATIENCE * 3)
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.0.try_wait().unwrap()
    }

    /// It has not ended, and has not said that something panicked.
    pub(crate) fn assert_alive(&mut self) {
        let ended = self.child.0.try_wait().unwrap();
        let log = self.log();
        assert!(ended.is_none(), "ended with {ended:?}:\n{log}");
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Clock ticks (1/100 s) of processor time used so far.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// The most memory it ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    /// The memory it has now, in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How many sockets it has open: what clients cost it. Its files are no part of it: readers of the history are
    /// opened when several are needed at once, and kept.
    pub(crate) fn sockets(&self) -> usize {
        let open = std::fs::read_dir(self.proc("fd")).unwrap().filter_map(Result::ok);
        let is_socket = |to: PathBuf| to.to_string_lossy().starts_with("socket:");
        open.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(is_socket)).count()
    }

    /// Somebody traces every thread of it.
    pub(crate) fn is_traced(&self) -> bool {
        let threads = std::fs::read_dir(self.proc("task")).unwrap();
        threads.filter_map(Result::ok).all(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            !status.lines().any(|line| line == "TracerPid:\t0")
        })
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid().as_raw_nonzero())
    }
}
