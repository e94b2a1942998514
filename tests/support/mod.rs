//! Real processes for the end-to-end tests: nodes, `p2pctl`, and waiting with a deadline.
//!
//! Nothing here sleeps in the hope that something is done by then: [`wait_until`] looks again and
//! again, and says at the end what was still wrong.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

mod again;
mod neighbours;
mod terminal;
#[allow(unused_imports, reason = "not every test looks")]
pub(crate) use neighbours::{check_neighbours, nearest_after};
#[allow(unused_imports, reason = "not every test has one")]
pub(crate) use terminal::Terminal;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a network may take to come to rest on a busy machine.
pub(crate) const SETTLE: Duration = Duration::from_secs(60);
/// How long anything else may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// How often something is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One network at a time: side by side they would only slow each other down.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks until `look` is content, or says what was wrong at the deadline.
pub(crate) fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return value,
            Err(why) if Instant::now() >= deadline => {
                panic!("{what}: not after {} s: {why}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// One running `p2pnode`. Dropping it kills the process and removes its data.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) listen: SocketAddr,
    directory: TempDir,
    pub(crate) child: Child,
    _stdout: BufReader<ChildStdout>,
}

/// A node that was started and has not said `ready` yet.
pub(crate) struct Starting {
    directory: TempDir,
    child: Child,
}

impl Starting {
    pub(crate) fn spawn(overlay: &str, join: Option<SocketAddr>) -> Self {
        Self::spawn_with(overlay, join, &[])
    }

    pub(crate) fn spawn_with(overlay: &str, join: Option<SocketAddr>, more: &[&str]) -> Self {
        Self::spawn_in(overlay, join, more, &[])
    }

    /// As [`Starting::spawn_with`], with more variables in its environment.
    pub(crate) fn spawn_in(
        overlay: &str,
        join: Option<SocketAddr>,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let log = File::create(directory.path().join("log")).expect("a log file");
        let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
        command.args(["--overlay", overlay, "--listen", "127.0.0.1:0"]);
        if !more.contains(&"--http") {
            command.args(["--http", "off"]);
        }
        command.args(more).envs(variables.iter().copied());
        command.arg("--data-dir").arg(directory.path().join("data"));
        if let Some(addr) = join {
            command.arg("--join").arg(addr.to_string());
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let child = command.spawn().expect("p2pnode starts");
        Self { directory, child }
    }

    pub(crate) fn ready(self) -> Node {
        self.ready_line().0
    }

    /// The node, and all that its first line said.
    pub(crate) fn ready_line(mut self) -> (Node, String) {
        let mut stdout = BufReader::new(self.child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .expect("standard output of p2pnode");
        let field = |name: &str| {
            let mut fields = line.split_whitespace();
            let found = fields.find_map(|field| field.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| {
                panic!("no {name} in {line:?}; log: {}", log_of(&self.directory))
            })
        };
        assert!(
            line.starts_with("ready "),
            "{line:?}; log: {}",
            log_of(&self.directory)
        );
        let (id, listen) = (
            field("id").to_owned(),
            field("listen").parse().expect("an address"),
        );
        let node = Node {
            id,
            listen,
            directory: self.directory,
            child: self.child,
            _stdout: stdout,
        };
        (node, line)
    }
}

fn log_of(directory: &TempDir) -> String {
    std::fs::read_to_string(directory.path().join("log")).unwrap_or_default()
}

/// A command that inherits nothing that could change what it does.
pub(crate) fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"P2PNODE_") || bytes.starts_with(b"P2PCTL_") {
            command.env_remove(name);
        }
    }
    command
}

impl Node {
    pub(crate) fn start(overlay: &str, join: Option<SocketAddr>) -> Self {
        Starting::spawn(overlay, join).ready()
    }

    /// Where the node keeps what it has.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.directory.path().join("data/node.key")
    }

    pub(crate) fn log(&self) -> String {
        log_of(&self.directory)
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Sends a signal by name, such as `TERM` or `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(status.expect("kill").success(), "kill -{name} failed");
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        wait_until("the node ends", SOON, || {
            match self.child.try_wait().expect("wait") {
                Some(status) => Ok(status),
                None => Err("it still runs".to_owned()),
            }
        })
    }

    /// `p2pctl` at this node.
    pub(crate) fn ctl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        ctl_at(&self.listen.to_string(), args)
    }

    /// `p2pctl --json` at this node.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let all = std::iter::once("--json".into())
            .chain(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.ctl(all.collect::<Vec<std::ffi::OsString>>())
    }

    pub(crate) fn status(&self) -> Result<Value, String> {
        let ran = self.json(["status"]);
        if ran.code == 0 {
            Ok(ran.document())
        } else {
            Err(ran.stderr)
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `p2pctl` that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one document on standard output.
    pub(crate) fn document(&self) -> Value {
        let text = String::from_utf8_lossy(&self.stdout);
        assert_eq!(text.trim_end().lines().count(), 1, "not one line: {self:?}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }

    /// Asserts how it ended.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "stdout: {stdout}\nstderr: {}", self.stderr);
        self
    }

    /// Asserts that it said exactly one line on standard error, which holds `words`.
    #[track_caller]
    pub(crate) fn complains(self, words: &str) -> Self {
        assert_eq!(
            self.stderr.trim_end().lines().count(),
            1,
            "not one line: {}",
            self.stderr
        );
        assert!(
            self.stderr.contains(words),
            "no {words:?} in {:?}",
            self.stderr
        );
        self
    }
}

/// `p2pctl --node NODE ARGS`.
pub(crate) fn ctl_at<S: AsRef<OsStr>>(node: &str, args: impl IntoIterator<Item = S>) -> Ran {
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    run(command.args(["--node", node]).args(args), None)
}

/// `p2pctl --node NODE ARGS` with something on standard input.
pub(crate) fn ctl_fed<S: AsRef<OsStr>>(
    node: &str,
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Ran {
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    run(command.args(["--node", node]).args(args), Some(input))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, input: Option<&[u8]>) -> Ran {
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    if let (Some(bytes), Some(mut pipe)) = (input, child.stdin.take()) {
        // A command that refuses its input closes the pipe.
        let _ = pipe.write_all(bytes);
    }
    let output = child.wait_with_output().expect("the command ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts `count` nodes: the first founds the network, the others join it, all at once.
pub(crate) fn network(overlay: &str, count: usize) -> Vec<Node> {
    let mut nodes = vec![Node::start(overlay, None)];
    let via = nodes[0].listen;
    let starting: Vec<_> = (1..count)
        .map(|_| Starting::spawn(overlay, Some(via)))
        .collect();
    nodes.extend(starting.into_iter().map(Starting::ready));
    nodes
}

/// Waits until every node has its right neighbours.
pub(crate) fn wait_for_ring(nodes: &[Node]) {
    wait_for(nodes, |_| Ok(()));
}

/// Waits until every node has its right neighbours and all copies are complete.
pub(crate) fn settle(nodes: &[Node]) {
    wait_for(nodes, |status| match status["settled"].as_bool() {
        Some(true) => Ok(()),
        _ => Err("copies are under way".to_owned()),
    });
}

fn wait_for(nodes: &[Node], more: impl Fn(&Value) -> Result<(), String>) {
    let mut ids: Vec<_> = nodes.iter().map(|node| node.id.as_str()).collect();
    ids.sort_unstable();
    wait_until("the network is at rest", SETTLE, || {
        nodes.iter().try_for_each(|node| {
            let status = node.status()?;
            check_neighbours(&status, &ids)
                .and_then(|()| more(&status))
                .map_err(|why| format!("{}: {why}", node.listen))
        })
    });
}

/// The addresses in a list of contacts.
pub(crate) fn addrs(contacts: &Value) -> Vec<SocketAddr> {
    let contacts = contacts.as_array().into_iter().flatten();
    contacts
        .map(|contact| {
            contact["addr"]
                .as_str()
                .expect("addr")
                .parse()
                .expect("an address")
        })
        .collect()
}

/// Whether `text` is an id as the contract writes it.
pub(crate) fn is_id(text: &Value) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.as_str()
        .is_some_and(|id| id.len() == 40 && id.bytes().all(hex))
}

/// A file with some content, in a directory of a test.
pub(crate) fn file_in(directory: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}
