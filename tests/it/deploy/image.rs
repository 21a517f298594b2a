//! The image without an engine: its files are laid out as the Dockerfile says, and the program runs in there with nothing
//! else, as the user and with the environment of the compose file, on a disk that cannot be written to.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::dockerfile::{Stage, stages};
use super::{read, run, words, yaml};
use crate::house::TestHouse;
use crate::machine::{Mount, alone, may_mount, succeeds};
use crate::parts::{self, checkout};
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

const DOCKERFILES: [&str; 2] = ["docker/Dockerfile", "docker/Dockerfile.dev"];

#[test]
fn hadolint_has_nothing_to_say() {
    let Some(hadolint) = parts::need("hadolint") else { return };
    let done = run(checkout(), hadolint, &DOCKERFILES);
    assert!(done.status.success(), "{}", words(&done));
}

#[test]
fn the_image_is_small_and_its_user_is_nobody() {
    let stages = stages(&read("docker/Dockerfile"));
    let last = stages.last().unwrap();
    assert_eq!(last.image, "scratch", "nothing but what is copied");
    assert_eq!(last.one("USER"), "65532:65532");
    assert!(last.all("RUN").is_empty());
    let named = |name: &str| stages.iter().any(|stage| stage.name.as_deref() == Some(name));
    for copy in last.copies() {
        assert!(copy.from.as_deref().is_some_and(named), "{copy:?} is not from a stage");
    }
    assert!(last.copies().len() == 3, "certificates, directories, the program");
}

#[test]
fn a_build_is_given_all_that_it_compiles_and_nothing_else() {
    let stages = stages(&read("docker/Dockerfile"));
    let compiled = stages.iter().find(|stage| stage.name.as_deref() == Some("compiled")).unwrap();
    let copied: Vec<String> = compiled.copies().into_iter().flat_map(|copy| copy.sources).collect();
    let ignored = read(".dockerignore");
    assert!(ignored.lines().any(|line| line == "*"), "nothing gets in by itself");
    for source in &copied {
        assert!(ignored.lines().any(|line| line.strip_prefix('!') == Some(source)), "{source} is ignored");
    }

    let context = tempfile::tempdir().unwrap();
    for source in &copied {
        let from = checkout().join(source);
        assert!(succeeds("cp", [Path::new("-r"), &from, context.path()]), "{source}");
    }
    // What the code takes in at compile time is in there, too.
    let sources = run(checkout(), "grep", &["-rnE", "include_(str|bytes)!", "src", "examples"]);
    for line in String::from_utf8(sources.stdout).unwrap().lines() {
        let (file, rest) = line.split_once(':').unwrap();
        let taken = rest.split("include_").nth(1).and_then(|call| call.split('"').nth(1));
        let Some(taken) = taken else { continue };
        let path = context.path().join(file).parent().unwrap().join(taken);
        assert!(path.exists() || file.contains("tests"), "{line}");
    }
    let cargo = Command::new("cargo")
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", words(&cargo));
}

/// The image's root directory and what an engine would mount into it.
struct Container {
    root: PathBuf,
    last: Stage,
    env: Vec<(String, String)>,
    // Unmounted from the last to the first.
    _mounts: Vec<Mount>,
}

impl Container {
    /// Lays out the last stage in a house, and mounts what the compose file says.
    fn new(house: &TestHouse, port: u16) -> Self {
        let (root, volume) = (house.path("root"), house.path("volume"));
        let stages = stages(&read("docker/Dockerfile"));
        lay_out(house, &root, &stages);
        let last = stages.into_iter().last().unwrap();

        // A volume begins as a copy of what the image has in its place.
        let mode = std::fs::metadata(root.join("app/data")).unwrap().permissions();
        std::fs::create_dir(&volume).unwrap();
        std::fs::set_permissions(&volume, mode).unwrap();
        std::fs::create_dir(root.join("proc")).unwrap();
        let place = |path: &str| root.join(path);
        let mounts: Option<Vec<Mount>> = [
            Mount::bind(&root, &root).and_then(Mount::read_only),
            Mount::bind(Path::new("/proc"), &place("proc")),
            Mount::bind(&volume, &place("app/data")),
            Mount::bind(&house.claude().join("projects"), &place("data/.claude/projects")).and_then(Mount::read_only),
            Mount::tmpfs(&place("tmp"), 64),
        ]
        .into_iter()
        .collect();
        let mut mounts = mounts.unwrap();
        mounts.reverse();

        let compose = yaml("docker/docker-compose.yml", &BTreeMap::from([("TZ", "Europe/Berlin")]));
        let said = compose["services"]["claude-monitor"]["environment"].as_object().unwrap().clone();
        let mut env: BTreeMap<String, String> = last.env().into_iter().collect();
        env.extend(said.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())));
        // Many of these run on one machine.
        for value in env.values_mut() {
            *value = value.replace("51888", &port.to_string());
        }
        Self { root, last, env: env.into_iter().collect(), _mounts: mounts }
    }

    /// A program of the image, as its user and with its environment.
    fn command(&self, line: &[String]) -> Command {
        let user = format!("--userspec={}", self.last.one("USER"));
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--no-new-privs", "/usr/sbin/chroot", &user]).arg(&self.root).args(line);
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command.stdout(Stdio::null());
        command
    }
}

/// Does what the Dockerfile does, with the binary under test in place of one that is built without libraries.
fn lay_out(house: &TestHouse, root: &Path, stages: &[Stage]) {
    std::fs::create_dir(root).unwrap();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let layout = stages.iter().find(|stage| stage.name.as_deref() == Some("layout")).unwrap();
    let prefix = house.path("layout");
    for step in layout.one("RUN").split("&&").map(str::trim).filter(|step| !step.starts_with("apk ")) {
        let step = step.replace("/layout", prefix.to_str().unwrap());
        assert!(succeeds("sh", ["-c", &format!("umask 022; {step}")]), "{step}");
    }
    for copy in stages.last().unwrap().copies() {
        let [source] = copy.sources.as_slice() else { panic!("{copy:?}") };
        let target = root.join(copy.target.trim_start_matches('/'));
        match (copy.from.as_deref(), source.as_str()) {
            (Some("layout"), "/layout") => assert!(succeeds("cp", [Path::new("-a"), &prefix.join("."), &target])),
            (Some("binary"), _) => put(house.binary(), &target),
            (Some("layout"), certificates) if Path::new(certificates).exists() => put(Path::new(certificates), &target),
            (Some("layout"), _) => {}
            other => panic!("{other:?}"),
        }
    }
    // A build for tests is not static; what it needs is put beside it.
    let ldd = Command::new("ldd").arg(house.binary()).output().unwrap();
    for library in String::from_utf8_lossy(&ldd.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
        put(Path::new(library), &root.join(library.trim_start_matches('/')));
    }
}

fn put(file: &Path, at: &Path) {
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    // By another process: one that forks meanwhile must not keep a program open for writing.
    assert!(succeeds("cp", [Path::new("-L"), file, at]), "{}", file.display());
}

fn ask(port: u16, path: &str) -> Option<(u16, String)> {
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(10)));
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.get(format!("http://localhost:{port}{path}")).call().ok()?;
    Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
}

#[test]
fn the_program_runs_in_the_image_alone_and_writes_to_its_volume_only() {
    let _alone = alone();
    if !may_mount() {
        return;
    }
    let house = TestHouse::new();
    std::fs::set_permissions(house.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 20);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let container = Container::new(&house, port);

    let mut line = container.last.command("ENTRYPOINT");
    line.extend(container.last.command("CMD"));
    let mut served = house.spawn_prepared(container.command(&line)).listening();
    eventually("readiness", PATIENCE * 2, || (ask(port, "/-/ready")?.0 == 200).then_some(()));
    let (_, check) = container.last.health();
    let checked = house.finish(container.command(&check));
    assert_eq!(checked.code(), 0, "{checked:?}");

    // It notices what is written outside, through the mount.
    scribe.append("one", 5);
    let total = |body: &str| serde_json::from_str::<Value>(body).unwrap()["totals"]["requests"].as_i64();
    eventually("25 responses", PATIENCE, || {
        (total(&ask(port, "/api/v1/stats/current")?.1) == Some(scribe.written.requests)).then_some(())
    });
    // Time zones are built in; there is no /usr/share/zoneinfo in here.
    let trends = ask(port, "/api/v1/stats/trends?period=daily&days=7&tz=Asia/Shanghai").unwrap();
    assert_eq!(trends.0, 200, "{}", trends.1);
    assert!(ask(port, "/").unwrap().1.contains("data-testid=\"total-tokens\""));

    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid().as_raw_nonzero())).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(line("Uid:"), "65532\t65532\t65532\t65532");
    assert_eq!((line("CapEff:"), line("NoNewPrivs:")), ("0000000000000000".to_owned(), "1".to_owned()));
    for path in ["x", "etc/x", "data/.claude/projects/x"] {
        let error = std::fs::write(container.root.join(path), "").expect_err(path);
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "{path}");
    }
    let database = std::fs::metadata(house.path("volume/monitor.db")).unwrap();
    assert_eq!((database.uid(), database.mode() & 0o777), (65532, 0o600));

    served.assert_alive();
    assert_eq!(served.stop().code(), Some(0));
    let after = house.finish(container.command(&check));
    assert_eq!(after.code(), 3, "{after:?}");
}
