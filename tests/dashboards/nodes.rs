//! Nodes that serve metrics, load on them, and a page of them as numbers.

use crate::support::{Node, Starting, settle};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node, and where it serves.
pub(crate) struct Served {
    pub(crate) node: Node,
    pub(crate) http: SocketAddr,
    /// Its tracker, if it is one.
    pub(crate) tracker: Option<SocketAddr>,
}

impl Served {
    pub(crate) fn of(starting: Starting) -> Self {
        let (node, line) = starting.ready_line();
        let field = |name: &str| {
            let mut fields = line.split_whitespace();
            fields.find_map(|field| field.strip_prefix(name)?.parse().ok())
        };
        Self {
            node,
            http: field("http=").expect("an address for the metrics"),
            tracker: field("tracker_http="),
        }
    }

    /// The samples of the node's page, by name and labels.
    pub(crate) fn samples(&self) -> BTreeMap<String, f64> {
        let page = fetch(self.http, "/metrics").expect("metrics");
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').expect("a sample");
                (name.to_owned(), value.parse().expect("a number"))
            })
            .collect()
    }

    /// One sample, or the sum of all of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let named = |sample: &str| {
            let rest = sample.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        let samples = self.samples();
        let all: Vec<f64> = samples
            .iter()
            .filter(|(sample, _)| named(sample))
            .map(|(_, value)| *value)
            .collect();
        assert!(!all.is_empty(), "no {name} in {samples:#?}");
        all.iter().sum()
    }
}

pub(crate) fn spawn(overlay: &str, join: Option<SocketAddr>, more: &[&str]) -> Starting {
    let flags: Vec<&str> = ["--http", "127.0.0.1:0"]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    Starting::spawn_with(overlay, join, &flags)
}

/// A network at rest; only the first node has the flags of `first`.
pub(crate) fn network(overlay: &str, count: usize, all: &[&str], first: &[&str]) -> Vec<Served> {
    let founder = Served::of(spawn(overlay, None, &[all, first].concat()));
    let via = Some(founder.node.listen);
    let starting: Vec<_> = (1..count).map(|_| spawn(overlay, via, all)).collect();
    let (mut nodes, mut served) = (Vec::new(), Vec::new());
    for one in std::iter::once(founder).chain(starting.into_iter().map(Served::of)) {
        nodes.push(one.node);
        served.push((one.http, one.tracker));
    }
    settle(&nodes);
    let both = nodes.into_iter().zip(served);
    both.map(|(node, (http, tracker))| Served {
        node,
        http,
        tracker,
    })
    .collect()
}

/// Stores so many values of this length at a node.
pub(crate) fn store(node: &Node, round: usize, count: usize, bytes: usize) {
    let value = "x".repeat(bytes);
    let line = |at: usize| {
        format!(
            "{{\"key\":\"key {round} {at}\",\"value\":\"{value}\",\"text\":\"word{at} all\"}}\n"
        )
    };
    let lines: String = (0..count).map(line).collect();
    let address = node.listen.to_string();
    crate::support::ctl_fed(&address, ["put", "--batch", "-"], lines.as_bytes()).exits(0);
}

/// The body of a page, asked in a version of HTTP that has no chunks.
pub(crate) fn fetch(at: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {at}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask().map_err(|why| format!("{at} does not answer: {why}"))?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    body.map(str::to_owned).ok_or(answer)
}
