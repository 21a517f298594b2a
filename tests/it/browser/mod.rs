//! A real browser for tests: headless Chromium, told what to do over its debugging protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>). It reaches this machine and nothing else, keeps its profile in
//! a directory of its own, and is gone when dropped.

mod devtools;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::parts;
use crate::wait::{PATIENCE, eventually};
use devtools::DevTools;

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
        let session = self.tools.new_tab();
        let mut page = Page { tools: &mut self.tools, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.call("Page.navigate", json!({ "url": url }));
        page.tools.wait_for(&page.session, "Page.loadEventFired");
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

/// A tab.
pub(crate) struct Page<'b> {
    tools: &'b mut DevTools,
    session: String,
}

impl Page<'_> {
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.tools.call(Some(&self.session), method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The value of a script, awaited if it is a promise. It runs as a script of the page itself, under its origin and
    /// its policies.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text that a person reads.
    pub(crate) fn text(&mut self) -> String {
        self.eval("document.documentElement.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Everything that went wrong in the page so far: exceptions, errors and warnings on its console (a violated
    /// content security policy is one), and dialogs that it opened.
    pub(crate) fn trouble(&mut self) -> Vec<String> {
        // Whatever the page was about to say is said before this is answered.
        self.eval("new Promise(done => setTimeout(done, 50))");
        let said = self.tools.events.iter().filter(|event| event["sessionId"] == *self.session);
        said.filter_map(|event| {
            let params = &event["params"];
            let bad = match event["method"].as_str()? {
                "Runtime.exceptionThrown" => &params["exceptionDetails"],
                "Page.javascriptDialogOpening" => params,
                "Log.entryAdded" if is_bad(&params["entry"]["level"]) => &params["entry"],
                "Runtime.consoleAPICalled" if is_bad(&params["type"]) => &params["args"],
                _ => return None,
            };
            Some(bad.to_string())
        })
        .collect()
    }

    /// Keeps what it looks like in `target/pictures/`, for whoever wants to see.
    pub(crate) fn picture(&mut self, name: &str) {
        let answer = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        let picture = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        let dir = parts::checkout().join("target/pictures");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name).with_extension("png"), picture).unwrap();
    }
}

fn is_bad(level: &Value) -> bool {
    matches!(level.as_str(), Some("error" | "warning" | "assert"))
}
