//! A real browser for tests: headless Chromium, told what to do over its debugging protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>). It reaches this machine and nothing else, keeps its profile in
//! a directory of its own, and is gone when dropped. The tests beside it look at our pages as people do.

mod axe;
mod basics;
mod devtools;
mod everywhere;
mod keyboard;
mod live;
mod login;
mod media;
mod panels;
mod tab;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use crate::parts;
use crate::wait::{PATIENCE, eventually};
use devtools::DevTools;
pub(crate) use tab::Page;

/// A running browser.
pub(crate) struct Browser {
    child: Child,
    tools: DevTools,
    _profile: TempDir,
}

impl Browser {
    /// `None`, and the test is left out, where there is no Chromium.
    pub(crate) fn start() -> Option<Self> {
        Self::resolving("")
    }

    /// The same with names of its own: `rules` are Chromium's host resolver rules, such as `MAP evil.test 127.0.0.1`.
    pub(crate) fn resolving(rules: &str) -> Option<Self> {
        let program = parts::need("chromium")?;
        let profile = tempfile::Builder::new().prefix("ctm-browser-").tempdir().unwrap();
        let rules = format!("{rules}, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.*");
        let child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"])
            .args(["--disable-extensions", "--disable-breakpad", "--remote-debugging-port=0"])
            .arg(format!("--host-resolver-rules={}", rules.trim_start_matches(", ")))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env_clear()
            .env("HOME", profile.path())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its helpers end with it.
            .process_group(0)
            .spawn()
            .unwrap();
        let place = profile.path().join("DevToolsActivePort");
        let (port, path) = eventually("Chromium's DevTools", PATIENCE, || {
            let text = std::fs::read_to_string(&place).ok()?;
            let (port, path) = text.split_once('\n')?;
            path.starts_with("/devtools/").then(|| (port.parse().unwrap(), path.trim().to_owned()))
        });
        Some(Self { child, tools: DevTools::connect(port, &path), _profile: profile })
    }

    /// Keeps what pages download in a directory, under the names that the answers give.
    pub(crate) fn downloads_to(&mut self, dir: &Path) {
        let params = json!({ "behavior": "allow", "downloadPath": dir });
        self.tools.call(None, "Browser.setDownloadBehavior", params).unwrap();
    }

    /// A new tab that has loaded `url`, whatever the answer's status.
    pub(crate) fn open(&mut self, url: &str) -> Page<'_> {
        let mut page = Page::new(&mut self.tools);
        page.go(url);
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        self.child.wait().unwrap();
    }
}
