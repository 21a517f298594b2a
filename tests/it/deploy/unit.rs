//! The files for systemd and launchd, as their own programs read them.

use std::process::Command;

use super::{read, words};
use crate::house::TestHouse;
use crate::parts::{self, checkout};

/// What `systemd-analyze` says of a user unit in a file, and whether it is content.
fn analyze(house: &TestHouse, args: &[&str]) -> Option<(bool, String)> {
    let program = parts::need("systemd-analyze")?;
    let mut command = Command::new(program);
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("HOME", house.path("home")).env("XDG_RUNTIME_DIR", house.path("tmp")).env("SYSTEMD_COLORS", "0");
    let done = command.output().unwrap();
    Some((done.status.success(), words(&done)))
}

/// The unit as `service install` would write it, in a file.
fn rendered(house: &TestHouse, args: &[&str]) -> String {
    let args: Vec<&str> = ["service", "install", "--dry-run"].iter().chain(args).copied().collect();
    let done = house.run(args);
    assert_eq!(done.code(), 0, "{done:?}");
    done.stdout
}

#[test]
fn systemd_understands_the_unit_and_finds_it_well_fenced() {
    let house = TestHouse::new();
    let bin = house.path("home/.local/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(house.binary(), bin.join("claude-token-monitor")).unwrap();
    let units = [("example", read("examples/claude-token-monitor.service")), ("rendered", rendered(&house, &[]))];
    for (name, text) in units {
        std::fs::create_dir(house.path(name)).unwrap();
        let file = house.path(name).join("claude-token-monitor.service");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let Some((content, said)) = analyze(&house, &["verify", "--user", "--man=no", file]) else { return };
        assert!(content && said.is_empty(), "{name}: {said}");
        // Of 10 points of exposure, in tenths. Most units have 90 and more.
        let (content, said) =
            analyze(&house, &["security", "--user", "--offline=true", "--threshold=20", "--no-pager", file]).unwrap();
        assert!(content, "{name}: {said}");
    }
}

#[test]
fn odd_paths_and_values_arrive_as_they_are() {
    let odd = r#"a b%h$HOME"q"\back"#;
    let house = TestHouse::new().with_env("TZ", "Europe/Berlin");
    let (database, data) = (house.path(&format!("{odd}/monitor.db")), house.path(&format!("{odd}2")));
    let args = ["--database", database.to_str().unwrap(), "--data-dir", data.to_str().unwrap(), "--log-level", "debug"];
    let text = rendered(&house, &args);
    let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let escaped = |path: &std::path::Path| {
        let text =
            path.to_str().unwrap().replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
        format!("\"{text}\"")
    };
    assert!(start.contains(&format!("--database {}", escaped(&database))), "{start}");
    assert!(start.contains(&format!("--data-dir {}", escaped(&data))), "{start}");
    assert!(start.ends_with("--log-level debug"), "{start}");
    assert!(text.contains("\nEnvironment=TZ=Europe/Berlin\n"), "{text}");
    let file = house.path("claude-token-monitor.service");
    std::fs::write(&file, &text).unwrap();
    let Some((content, said)) = analyze(&house, &["verify", "--user", "--man=no", file.to_str().unwrap()]) else {
        return;
    };
    assert!(content && said.is_empty(), "{said}");
}

#[test]
fn settings_are_looked_at_and_secrets_are_not_copied() {
    let house = TestHouse::new();
    let done = house.run(["service", "install", "--dry-run", "--listen", "0.0.0.0:1", "--log-level", "loud"]);
    assert_eq!(done.code(), 2, "{done:?}");
    let house = house.with_env("MONITOR_SCRAPE_TOKEN", "0123456789abcdef-secret");
    let done = house.run(["service", "install", "--dry-run"]);
    assert_eq!(done.code(), 1, "{done:?}");
    assert!(done.stderr.contains("MONITOR_SCRAPE_TOKEN") && !done.stderr.contains("0123"), "{done:?}");
}

#[test]
fn without_a_service_manager_nothing_is_written() {
    let house = TestHouse::new();
    let done = house.run(["service", "install"]);
    assert_eq!(done.code(), 1, "{done:?}");
    assert!(done.stderr.contains("systemctl"), "{done:?}");
    assert!(!house.path("home/.config/systemd").exists());
    let done = house.run(["service", "status"]);
    assert_eq!(done.code(), 3, "{done:?}");
    assert!(done.stdout.contains("not installed"), "{done:?}");
    assert_eq!(house.run(["service", "uninstall"]).code(), 1);
}

#[test]
fn the_agent_for_launchd_is_a_property_list() {
    let Some(python) = parts::need("python3") else { return };
    let script = "import plistlib, json, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let file = checkout().join("examples/claude-token-monitor.plist");
    let done = Command::new(python).args(["-c", script]).arg(file).output().unwrap();
    assert!(done.status.success(), "{}", words(&done));
    let agent: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(agent["Label"], "claude-token-monitor");
    assert_eq!(agent["ProgramArguments"], serde_json::json!(["/usr/local/bin/claude-token-monitor", "serve"]));
    assert_eq!((&agent["RunAtLoad"], &agent["KeepAlive"]["SuccessfulExit"]), (&true.into(), &false.into()));
    assert_eq!(agent["Umask"], 0o077);
}
