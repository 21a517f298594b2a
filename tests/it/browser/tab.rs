//! A tab: what a person can do with one, and what can be seen of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::devtools::DevTools;
use crate::parts;
use crate::wait::{PATIENCE, eventually, pause, within};

/// A tab.
pub(crate) struct Page<'b> {
    tools: &'b mut DevTools,
    session: String,
    /// Where in the events the present page begins.
    began: usize,
}

impl<'b> Page<'b> {
    /// An empty one.
    pub(super) fn new(tools: &'b mut DevTools) -> Self {
        let session = tools.new_tab();
        let mut page = Page { tools, session, began: 0 };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.tools.call(Some(&self.session), method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Loads `url`, whatever the answer's status.
    pub(super) fn go(&mut self, url: &str) {
        self.began = self.tools.events.len();
        self.call("Page.navigate", json!({ "url": url }));
        self.loaded();
    }

    /// Waits for the page that a click or a key leads to.
    pub(super) fn loaded(&mut self) {
        self.tools.wait_for(&self.session, "Page.loadEventFired", self.began);
    }

    /// Does what leads to another page, and waits for that.
    pub(super) fn leave_by(&mut self, work: impl FnOnce(&mut Self)) {
        self.began = self.tools.events.len();
        work(self);
        self.loaded();
    }

    /// The value of a script, awaited if it is a promise. It runs as a script of the page itself, under its origin and
    /// its policies.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// A script's value as text.
    pub(super) fn string(&mut self, script: &str) -> String {
        self.eval(script).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script says yes.
    pub(super) fn until(&mut self, script: &str) {
        let done = within(PATIENCE, || (self.eval(script) == true).then_some(()));
        assert!(done.is_some(), "never: {script}\n{}\n{:?}", self.text(), self.trouble());
    }

    /// The text that a person reads.
    pub(crate) fn text(&mut self) -> String {
        self.string("document.documentElement.innerText")
    }

    /// The text of what a test finds by its hook.
    pub(super) fn hook(&mut self, name: &str) -> String {
        self.string(&format!("document.querySelector('[data-testid=\"{name}\"]')?.innerText"))
    }

    /// A window of this size.
    pub(super) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Another medium than the screen, and what somebody prefers.
    pub(super) fn medium(&mut self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.call("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
    }

    /// Whether scripts of pages run.
    pub(super) fn scripts(&mut self, run: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !run }));
    }

    /// What somebody has chosen before.
    pub(super) fn cookie(&mut self, url: &str, name: &str, value: &str) {
        self.call("Network.setCookie", json!({ "url": url, "name": name, "value": value }));
    }

    /// Presses a key and lets it go: a name such as `ArrowLeft`, or a letter.
    pub(super) fn press(&mut self, key: &str) {
        const NAMED: [(&str, u32); 9] = [
            ("Tab", 9),
            ("Enter", 13),
            ("Escape", 27),
            ("End", 35),
            ("Home", 36),
            ("ArrowLeft", 37),
            ("ArrowUp", 38),
            ("ArrowRight", 39),
            ("ArrowDown", 40),
        ];
        let code = NAMED.iter().find(|(name, _)| *name == key).map_or(0, |(_, code)| *code);
        let text = match key {
            "Enter" => Some("\r"),
            letter if code == 0 => Some(letter),
            _ => None,
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if let Some(text) = text {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Types into whatever has the focus.
    pub(super) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Pastes into whatever has the focus.
    pub(super) fn paste(&mut self) {
        let event = json!({ "type": "keyDown", "key": "v", "modifiers": 2, "commands": ["paste"] });
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Moves the pointer to the middle of an element.
    pub(super) fn point(&mut self, selector: &str) -> (f64, f64) {
        let script = format!(
            "{{ const found = document.querySelector({selector:?}); found.scrollIntoView({{ block: 'center' }});
            const {{ x, y, width, height }} = found.getBoundingClientRect(); [x + width / 2, y + height / 2]; }}"
        );
        let place = self.eval(&script);
        assert!(place[0].as_f64() > Some(0.0), "{selector} cannot be seen");
        let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
        self.call("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y }));
        (x, y)
    }

    /// Clicks the middle of an element.
    pub(super) fn click(&mut self, selector: &str) {
        let (x, y) = self.point(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Opens another tab in front of this one.
    pub(super) fn cover(&mut self) {
        let front = self.tools.new_tab();
        self.tools.call(Some(&front), "Page.bringToFront", json!({})).unwrap();
        eventually("a hidden page", PATIENCE, || (self.eval("document.hidden") == true).then_some(()));
    }

    /// Comes back to this tab.
    pub(super) fn uncover(&mut self) {
        self.call("Page.bringToFront", json!({}));
        eventually("a page in front", PATIENCE, || (self.eval("document.hidden") == false).then_some(()));
    }

    /// The addresses that were asked since the page began to load.
    pub(super) fn requests(&mut self) -> Vec<String> {
        self.said(|event| match event["method"].as_str()? {
            "Network.requestWillBeSent" => event["params"]["request"]["url"].as_str().map(str::to_owned),
            "Network.webSocketCreated" => event["params"]["url"].as_str().map(str::to_owned),
            _ => None,
        })
    }

    /// Everything that went wrong in the page so far: exceptions, errors and warnings on its console (a violated
    /// content security policy is one), and dialogs that it opened.
    pub(crate) fn trouble(&mut self) -> Vec<String> {
        self.said(|event| {
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
    }

    fn said(&mut self, pick: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        // Whatever the page was about to say is said before this is answered.
        pause(Duration::from_millis(50));
        self.eval("0");
        let events = self.tools.events.iter().skip(self.began);
        events.filter(|event| event["sessionId"] == *self.session).filter_map(pick).collect()
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
