//! Real nodes on this machine: started, measured from outside, ended.

use super::metrics::{Sums, get};
use super::{Place, pause};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a network may take to come to rest.
const REST_WITHIN: Duration = Duration::from_secs(300);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) listen: SocketAddr,
    pub(super) http: SocketAddr,
    /// Where its tracker is, by UDP, if it has one.
    pub(super) tracker: Option<SocketAddr>,
    child: Child,
    /// Kept open: a node that writes to a closed pipe would fail.
    _stdout: BufReader<ChildStdout>,
}

/// All nodes. Dropping it kills them and removes their data.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) nodes: Vec<Node>,
    bin: PathBuf,
    directory: PathBuf,
    /// More words for each node.
    words: Vec<String>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask is a driver: it measures real processes"
)]
pub(super) fn clock() -> Instant {
    Instant::now()
}

impl Network {
    /// Starts some nodes and waits until the network is at rest.
    pub(super) fn start(place: Place, count: usize) -> Result<Self, String> {
        Self::start_with(place, count, &[])
    }

    /// The same, with more words on the command line of each.
    pub(super) fn start_with(place: Place, count: usize, words: &[&str]) -> Result<Self, String> {
        let Place { bin, data } = place;
        let directory = data.join(format!("p2p-figures-{}", std::process::id()));
        std::fs::create_dir_all(&directory)
            .map_err(|why| format!("cannot make {}: {why}", directory.display()))?;
        let mut network = Self {
            nodes: Vec::new(),
            bin,
            directory,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        for number in 0..count {
            let node = network.spawn(number)?;
            network.nodes.push(node);
        }
        network.wait("the network is at rest", |network| {
            for node in &network.nodes {
                let status = get(node.http, "/v1/status")?;
                if !status.contains("\"settled\":true") {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        eprintln!("{count} nodes of {} are at rest", network.bin.display());
        Ok(network)
    }

    fn spawn(&self, number: usize) -> Result<Node, String> {
        let wrong = |why: std::io::Error| format!("cannot start a node: {why}");
        let log = self.directory.join(format!("{number}.log"));
        let mut command = Command::new(self.bin.join("p2pnode"));
        command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.args(&self.words);
        command
            .arg("--data-dir")
            .arg(self.directory.join(number.to_string()));
        if let Some(first) = self.nodes.first() {
            command.arg("--join").arg(first.listen.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&log).map_err(wrong)?);
        let mut child = command.spawn().map_err(wrong)?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a node without output")?);
        let mut line = String::new();
        stdout.read_line(&mut line).map_err(wrong)?;
        let field = |name: &str| {
            let mut fields = line.split_whitespace();
            let found = fields.find_map(|field| field.strip_prefix(name));
            found
                .and_then(|address| address.parse().ok())
                .ok_or_else(|| format!("a node did not start: {}", log.display()))
        };
        Ok(Node {
            listen: field("listen=")?,
            http: field("http=")?,
            tracker: field("tracker_udp=").ok(),
            child,
            _stdout: stdout,
        })
    }

    /// Looks until it is so.
    pub(super) fn wait(
        &self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<bool, String>,
    ) -> Result<(), String> {
        let began = clock();
        while !look(self)? {
            if began.elapsed() > REST_WITHIN {
                return Err(format!("not after {} s: {what}", REST_WITHIN.as_secs()));
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// The metrics of all nodes.
    pub(super) fn sums(&self) -> Result<Sums, String> {
        Sums::of(&self.nodes)
    }

    /// Addresses of the first nodes, as `p2pctl bench --nodes` takes them.
    pub(super) fn addresses(&self, count: usize) -> String {
        let all = self.nodes.iter().take(count);
        let all: Vec<String> = all.map(|node| node.listen.to_string()).collect();
        all.join(",")
    }

    /// Runs `p2pctl` at the first node; gives its output.
    pub(super) fn ctl(&self, words: &[&str]) -> Result<String, String> {
        let first = self.nodes.first().ok_or("no node")?;
        let mut command = Command::new(self.bin.join("p2pctl"));
        command.args(["--node", &first.listen.to_string()]);
        command.args(words).stdin(Stdio::null());
        let output = command.output();
        let output = output.map_err(|why| format!("cannot run p2pctl: {why}"))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let last = stderr.lines().last().unwrap_or_default();
            return Err(format!("p2pctl {}: {last}", words.join(" ")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Kills a node with SIGKILL, for good.
    pub(super) fn kill(&mut self, at: usize) -> Result<(), String> {
        let mut node = self.nodes.remove(at);
        let killed = node.child.kill().and_then(|()| node.child.wait());
        killed
            .map(|_| ())
            .map_err(|why| format!("cannot kill a node: {why}"))
    }

    /// Kills a node with SIGKILL and starts it again on its data; gives the time until it serves.
    pub(super) fn restart(&mut self, number: usize) -> Result<Duration, String> {
        self.kill(number)?;
        let began = clock();
        let node = self.spawn(number)?;
        let took = began.elapsed();
        self.nodes.insert(number, node);
        Ok(took)
    }

    /// A file in the network's directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Node {
    /// Seconds of CPU that the process has used, as Linux counts them.
    pub(super) fn cpu_s(&self) -> Result<f64, String> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let wrong = |why: std::io::Error| format!("cannot read {tasks}: {why}");
        let mut nanos = 0;
        for task in std::fs::read_dir(&tasks).map_err(wrong)? {
            let path = task.map_err(wrong)?.path().join("schedstat");
            let text = std::fs::read_to_string(path).map_err(wrong)?;
            let first = text.split_whitespace().next();
            nanos += first.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(nanos as f64 / 1e9)
    }

    /// Resident memory in MiB.
    pub(super) fn memory_mib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // It may have ended already.
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
