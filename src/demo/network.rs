//! The processes of the demo: started, killed without warning, ended with it.

use super::DemoError;
use super::corpus::Item;
use overlay::Id;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long a node may take until it serves.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Longest line of a node that is shown.
const SHOWN_BYTES: usize = 300;

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: Id,
    pub(super) addr: SocketAddr,
    /// Where it serves the web page; only the first does.
    http: Option<SocketAddr>,
    child: Child,
    /// Kept open: a node that writes to a closed pipe would fail.
    _stdout: BufReader<ChildStdout>,
}

/// All nodes that are up. Dropping it kills their processes and removes their data.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) nodes: Vec<Node>,
    directory: TempDir,
}

impl Network {
    /// Starts `count` nodes, all but the first joining through the first.
    pub(super) async fn start(overlay: &str, count: u16) -> Result<Self, DemoError> {
        let directory = TempDir::with_prefix("p2pnode-demo-")
            .map_err(|error| DemoError(format!("cannot make a temporary directory: {error}")))?;
        let first = Starting::spawn(overlay, 0, None, directory.path())?
            .ready()
            .await?;
        let via = first.addr;
        let mut network = Self {
            nodes: vec![first],
            directory,
        };
        let mut others = Vec::new();
        for number in 1..count {
            others.push(Starting::spawn(
                overlay,
                number,
                Some(via),
                network.directory.path(),
            )?);
        }
        for starting in others {
            network.nodes.push(starting.ready().await?);
        }
        Ok(network)
    }

    /// Kills some nodes with SIGKILL, spread over the order in which they started and never the
    /// first; returns their addresses.
    pub(super) async fn kill(&mut self, count: u16) -> Result<Vec<SocketAddr>, DemoError> {
        let mut killed = Vec::new();
        for turn in 1..=usize::from(count) {
            let at = (turn * self.nodes.len() / (usize::from(count) + 1)).max(1);
            if at >= self.nodes.len() {
                break;
            }
            let mut node = self.nodes.remove(at);
            node.child.kill().await.map_err(|error| {
                DemoError(format!("cannot kill the node at {}: {error}", node.addr))
            })?;
            killed.push(node.addr);
        }
        Ok(killed)
    }

    /// Ends all nodes; their data goes with them.
    pub(super) async fn stop(self) {
        for mut node in self.nodes {
            // A node that has ended already is as good.
            let _ = node.child.kill().await;
        }
    }

    /// Commands that a person can try on the running network.
    pub(super) fn what_to_try(&self, items: &[Item]) -> String {
        let addr_at = |at: usize| {
            self.nodes
                .get(at)
                .or(self.nodes.first())
                .map(|node| node.addr)
        };
        let texts = items
            .iter()
            .filter_map(|item| std::str::from_utf8(&item.key).ok());
        let key = texts
            .into_iter()
            .next()
            .map_or_else(|| "hello".to_owned(), quoted);
        let commands = [
            (0, "status".to_owned()),
            (1, "peers".to_owned()),
            (1, format!("locate {key}")),
            (2, format!("get {key}")),
            (2, "put hello world".to_owned()),
            (3, "get hello".to_owned()),
            (0, "bench".to_owned()),
        ];
        let lines = commands.iter().filter_map(|(at, command)| {
            Some(format!("  p2pctl --node {} {command}", addr_at(*at)?))
        });
        let page = self.nodes.iter().find_map(|node| node.http);
        let page = page.map(|http| format!("  http://{http}/ in a browser"));
        let joining = self.nodes.first().map(|node| {
            format!(
                "  p2pnode --listen 127.0.0.1:0 --http off --join {}",
                node.addr
            )
        });
        let all: Vec<_> = std::iter::once("try:".to_owned())
            .chain(page)
            .chain(lines)
            .chain(joining)
            .collect();
        all.join("\n")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !word.starts_with('-') && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("-- '{}'", word.replace('\'', r"'\''"))
    }
}

/// A node that does not serve yet.
struct Starting {
    child: Child,
    log: std::path::PathBuf,
}

impl Starting {
    fn spawn(
        overlay: &str,
        number: u16,
        join: Option<SocketAddr>,
        directory: &Path,
    ) -> Result<Self, DemoError> {
        let wrong = |error: std::io::Error| DemoError(format!("cannot start a node: {error}"));
        let data = directory.join(format!("node-{number}"));
        let log = directory.join(format!("node-{number}.log"));
        let mut command = Command::new(std::env::current_exe().map_err(wrong)?);
        command.args([
            "--overlay",
            overlay,
            "--listen",
            "127.0.0.1:0",
            "--http",
            // The first is never killed.
            if number == 0 { "127.0.0.1:0" } else { "off" },
        ]);
        command.arg("--data-dir").arg(data);
        if let Some(addr) = join {
            command.arg("--join").arg(addr.to_string());
        }
        // The nodes of a demo depend on nothing in its surroundings.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"P2PNODE_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&log).map_err(wrong)?);
        let child = command.kill_on_drop(true).spawn().map_err(wrong)?;
        Ok(Self { child, log })
    }

    async fn ready(mut self) -> Result<Node, DemoError> {
        let stdout = self
            .child
            .stdout
            .take()
            .ok_or_else(|| self.failed("it has no output"))?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        match tokio::time::timeout(READY_LIMIT, stdout.read_line(&mut line)).await {
            Err(_) => return Err(self.failed("it does not serve after 30 s")),
            Ok(Err(error)) => return Err(self.failed(&error.to_string())),
            Ok(Ok(0)) => return Err(self.failed("it ended")),
            Ok(Ok(_)) => {}
        }
        let (id, addr, http) = parse_ready(&line).ok_or_else(|| self.failed(line.trim_end()))?;
        Ok(Node {
            id,
            addr,
            http,
            child: self.child,
            _stdout: stdout,
        })
    }

    fn failed(&self, why: &str) -> DemoError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: String = log
            .lines()
            .last()
            .unwrap_or_default()
            .chars()
            .take(SHOWN_BYTES)
            .collect();
        DemoError(format!("a node did not start: {why} {last}"))
    }
}

/// The id and the addresses, of peers and of HTTP, in a node's `ready` line.
fn parse_ready(line: &str) -> Option<(Id, SocketAddr, Option<SocketAddr>)> {
    let fields = line.strip_prefix("ready ")?;
    let field = |name: &str| {
        let found = fields
            .split_whitespace()
            .find_map(|field| field.strip_prefix(name));
        found.and_then(|rest| rest.strip_prefix('='))
    };
    let http = field("http").and_then(|text| text.parse().ok());
    Some((
        field("id")?.parse().ok()?,
        field("listen")?.parse().ok()?,
        http,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_read() {
        let id = Id::of(b"node");
        let line = format!("ready id={id} overlay=chord listen=127.0.0.1:4000 http=off\n");
        let addr = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(parse_ready(&line), Some((id, addr, None)));
        let serving = line.replace("off", "127.0.0.1:4080");
        let http = Some("127.0.0.1:4080".parse().unwrap());
        assert_eq!(parse_ready(&serving), Some((id, addr, http)));
        assert_eq!(parse_ready("ready"), None);
        assert_eq!(parse_ready("error: port in use"), None);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("src/lib.rs"), "src/lib.rs");
        assert_eq!(quoted("a b's"), r"-- 'a b'\''s'");
    }
}
