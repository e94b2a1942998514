//! A real Prometheus with the project's own settings, but quicker.

use crate::nodes::{Served, fetch};
use crate::support::{SOON, wait_until};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{File, read_dir, read_to_string};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Where the dashboards are, and all that belongs to them.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// Runs a program of Prometheus' package to its end.
pub(crate) fn promtool(arguments: &[&str], input: Option<&str>) -> String {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(folder());
    let missing = "promtool is missing; `cargo xtask test` installs the package `prometheus`";
    assert!(command_is_there("promtool"), "{missing}");
    let ran = crate::support::run(&mut command, input.map(str::as_bytes));
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert_eq!(ran.code, 0, "promtool {arguments:?}: {said}");
    said
}

fn command_is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Dropping it kills it and removes its data.
pub(crate) struct Prometheus {
    child: Child,
    at: SocketAddr,
    own: TempDir,
}

impl Prometheus {
    /// The settings, scraping each second and judging each half second; `quicker` are replacements in
    /// the rules.
    pub(crate) fn start(quicker: &[(&str, &str)]) -> Self {
        Self::start_with(quicker, None)
    }

    /// The same; it brings the token to all nodes, as the lines that ship as a comment say.
    pub(crate) fn start_with(quicker: &[(&str, &str)], token: Option<&str>) -> Self {
        let own = tempfile::tempdir().expect("a directory");
        for name in ["rules", "targets"] {
            std::fs::create_dir(own.path().join(name)).expect("a directory");
        }
        let quick = ("interval: 15s", "interval: 1s");
        let mut settings = vec![quick];
        if let Some(token) = token {
            std::fs::write(own.path().join("token"), token).expect("a token");
            settings.push(("# authorization:", "authorization:"));
            settings.push(("#   credentials_file: token", "  credentials_file: token"));
        }
        copy("prometheus.yml", &own, &settings);
        for entry in read_dir(folder().join("rules")).expect("rules") {
            let name = entry.expect("an entry").file_name();
            let name = format!("rules/{}", name.to_str().expect("a name"));
            copy(&name, &own, quicker);
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let at = free.expect("a free port");
        let log = File::create(own.path().join("log")).expect("a log file");
        assert!(
            command_is_there("prometheus"),
            "prometheus is missing; `cargo xtask test` installs the package"
        );
        let child = Command::new("prometheus")
            .arg(format!("--web.listen-address={at}"))
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .current_dir(own.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let started = Self {
            child: child.expect("prometheus starts"),
            at,
            own,
        };
        wait_until("prometheus is ready", SOON, || {
            let said = fetch(at, "/-/ready").and_then(|said| match said.contains("is Ready") {
                true => Ok(()),
                false => Err(said),
            });
            said.map_err(|why| format!("{why}; log: {}", started.log()))
        });
        started
    }

    fn log(&self) -> String {
        read_to_string(self.own.path().join("log")).unwrap_or_default()
    }

    /// Lets it scrape the network of a node, under this name: `p2pctl` writes the list.
    pub(crate) fn scrape(&self, name: &str, node: &Served) {
        let list = self.own.path().join(format!("targets/{name}.json"));
        let arguments = ["peers", "--prometheus", "--out"].map(std::ffi::OsStr::new);
        let all = arguments.into_iter().chain([list.as_os_str()]);
        node.node.ctl(all).exits(0);
    }

    fn ask(&self, path: &str) -> Result<Value, String> {
        let said = fetch(self.at, path)?;
        let answer: Value = serde_json::from_str(&said).map_err(|why| format!("{why}: {said}"))?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer.to_string()),
        }
    }

    /// The samples of an expression now, those that are no number left out.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>, String> {
        let data = self.ask(&format!("/api/v1/query?query={}", escaped(expression)))?;
        let samples = data["result"].as_array().ok_or("no result")?;
        let number = |sample: &Value| {
            let value = sample["value"][1].as_str()?.parse::<f64>().ok()?;
            value.is_finite().then(|| (sample["metric"].clone(), value))
        };
        Ok(samples.iter().filter_map(number).collect())
    }

    /// All rules with what became of them.
    pub(crate) fn rules(&self) -> Result<Vec<Value>, String> {
        let data = self.ask("/api/v1/rules")?;
        let groups = data["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        Ok(rules.cloned().collect())
    }

    /// The alerts that are there, by name, labels and state.
    pub(crate) fn alerts(&self) -> Result<Vec<Value>, String> {
        let data = self.ask("/api/v1/alerts")?;
        Ok(data["alerts"].as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(name: &str, to: &TempDir, replacements: &[(&str, &str)]) {
    let mut text = read_to_string(folder().join(name)).expect("a file of the dashboards");
    for (old, new) in replacements {
        text = text.replace(old, new);
    }
    std::fs::write(to.path().join(name), text).expect("a copy");
}

/// Text as it stands in a query of a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        let _ = write!(escaped, "%{byte:02x}");
        escaped
    })
}
