//! Headless Chromium, driven by its DevTools protocol over a pipe: messages of JSON, each with a zero
//! byte at its end. That needs no library and no port.

use crate::support::{SOON, bare, wait_until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the browser may take for an answer: it starts on a busy machine, too.
const ANSWER: Duration = Duration::from_secs(30);

/// The shell puts the pipes of standard input and output where the browser looks for them.
const IN_SHELL: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null";

/// Without a sandbox, because the browser has none for root; without what would call its maker.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--force-device-scale-factor=1",
];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    events: Vec<Value>,
    session: Option<String>,
    /// What is answered in place of the node, in base64.
    canned: Option<String>,
    last_id: u64,
    _profile: TempDir,
}

impl Browser {
    /// A browser with an empty page of this size.
    pub(crate) fn start(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let mut command = bare("sh");
        command.args(["-c", IN_SHELL, "sh", "chromium"]).args(FLAGS);
        let data = format!("--user-data-dir={}", profile.path().display());
        command.arg(data).arg("about:blank");
        command.env("HOME", profile.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.stderr(Stdio::null()).spawn();
        let mut child = started.expect("sh starts");
        let (sender, from) = mpsc::channel();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output
                .read_until(0, &mut message)
                .is_ok_and(|read| read > 0)
            {
                message.pop();
                let told = serde_json::from_slice(&message).expect("JSON of the browser");
                message.clear();
                if sender.send(told).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            to: child.stdin.take().expect("a pipe"),
            child,
            from,
            events: Vec::new(),
            session: None,
            canned: None,
            last_id: 0,
            _profile: profile,
        };
        browser.prepare(width, height);
        browser
    }

    fn prepare(&mut self, width: u32, height: u32) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let id = &target["targetId"];
        let attached = self.call(
            "Target.attachToTarget",
            json!({ "targetId": id, "flatten": true }),
        );
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    fn send(&mut self, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let mut asked = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            asked["sessionId"] = session.as_str().into();
        }
        let mut bytes = asked.to_string().into_bytes();
        bytes.push(0);
        let sent = self.to.write_all(&bytes);
        sent.expect("chromium runs; `cargo xtask test` installs it");
        self.last_id
    }

    /// Asks the browser for something, and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, parameters);
        let deadline = Instant::now() + ANSWER;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let told = self.from.recv_timeout(left);
            let told = told.unwrap_or_else(|_| {
                panic!("{method}: no answer of chromium; `cargo xtask test` installs it")
            });
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.take(told);
        }
    }

    fn take(&mut self, told: Value) {
        if told["method"] == "Fetch.requestPaused"
            && let Some(body) = self.canned.clone()
        {
            let answer = json!({ "requestId": told["params"]["requestId"], "responseCode": 200, "body": body });
            self.send("Fetch.fulfillRequest", answer);
        }
        self.events.push(told);
    }

    /// Answers the page with this document wherever it asks for the network.
    pub(crate) fn show_network(&mut self, network: &Value) {
        self.canned = Some(STANDARD.encode(network.to_string()));
        let pattern = json!({ "patterns": [{ "urlPattern": "*/v1/network" }] });
        self.call("Fetch.enable", pattern);
    }

    /// What has happened in the page since it was opened, by the name of the event.
    fn happened(&mut self, name: &str) -> Vec<Value> {
        while let Ok(told) = self.from.try_recv() {
            self.take(told);
        }
        let named = self.events.iter().filter(|event| event["method"] == name);
        named.map(|event| event["params"].clone()).collect()
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// The value of an expression in the page; a promise is waited for.
    #[track_caller]
    pub(crate) fn look(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let seen = self.call("Runtime.evaluate", asked);
        assert!(seen["exceptionDetails"].is_null(), "{expression}: {seen}");
        seen["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        self.wait_within(SOON, expression);
    }

    pub(crate) fn wait_within(&mut self, limit: Duration, expression: &str) {
        wait_until(expression, limit, || match self.look(expression) {
            Value::Bool(true) => Ok(()),
            other => {
                let shown = self.look("document.body.innerText.slice(0, 600)");
                Err(format!("{other}; the page says {shown}"))
            }
        });
    }

    /// Puts the focus on an element, and types there as a person would, with Enter at the end.
    pub(crate) fn enter(&mut self, element: &str, text: &str) {
        self.look(&format!("document.querySelector('{element}').focus(), document.querySelector('{element}').select?.()"));
        self.call("Input.insertText", json!({ "text": text }));
        self.press("Enter", "\r");
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, text: &str) {
        let code = if key == "Enter" { 13 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let mut pressed = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                pressed["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", pressed);
        }
    }

    /// Where the page has sent requests to.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        let sent = self.happened("Network.requestWillBeSent");
        let url = |event: &Value| event["request"]["url"].as_str().map(str::to_owned);
        sent.iter().filter_map(url).collect()
    }

    /// Errors of the page's script, and what the browser complained of in its console.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let mut found: Vec<_> = self.happened("Runtime.exceptionThrown");
        found.extend(self.happened("Runtime.consoleAPICalled"));
        found.extend(self.happened("Log.entryAdded"));
        found.iter().map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its other processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
