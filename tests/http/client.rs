//! A small HTTP client, and nodes that serve HTTP.

use crate::support::{Node, Starting};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take: longer than the node itself takes for any.
const ANSWER: Duration = Duration::from_secs(25);

/// A node, and where it serves HTTP.
pub(crate) struct Served {
    pub(crate) node: Node,
    pub(crate) api: Api,
}

impl Served {
    pub(crate) fn start(overlay: &str, join: Option<SocketAddr>, more: &[&str]) -> Self {
        Self::of(spawn(overlay, join, more))
    }

    fn of(starting: Starting) -> Self {
        let (node, line) = starting.ready_line();
        let mut fields = line.split_whitespace();
        let http = fields.find_map(|field| field.strip_prefix("http="));
        let at = http.and_then(|text| text.parse().ok());
        let api = Api::new(at.unwrap_or_else(|| panic!("no http in {line}")));
        Self { node, api }
    }
}

fn spawn(overlay: &str, join: Option<SocketAddr>, more: &[&str]) -> Starting {
    let flags: Vec<&str> = ["--http", "127.0.0.1:0"]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    Starting::spawn_with(overlay, join, &flags)
}

/// A network at rest, each node of which serves HTTP.
pub(crate) fn network(overlay: &str, count: usize) -> (Vec<Node>, Vec<Api>) {
    let founder = Served::start(overlay, None, &[]);
    let via = Some(founder.node.listen);
    let starting: Vec<_> = (1..count).map(|_| spawn(overlay, via, &[])).collect();
    let others = starting.into_iter().map(Served::of);
    let all = std::iter::once(founder).chain(others);
    let (nodes, apis): (Vec<_>, Vec<_>) = all.map(|served| (served.node, served.api)).unzip();
    crate::support::settle(&nodes);
    (nodes, apis)
}

/// Where a node serves HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) at: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(mut from: impl BufRead, has_body: bool) -> std::io::Result<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head)? == 0 {
                return Err(std::io::Error::other(format!("no whole head: {head:?}")));
            }
        }
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let mut answer = Self {
            status: status.unwrap_or_else(|| panic!("no status in {head:?}")),
            head,
            body: Vec::new(),
        };
        if !has_body {
            return Ok(answer);
        }
        let length = answer.header("content-length").map(str::parse);
        match length.transpose().expect("a length") {
            Some(length) => {
                answer.body.resize(length, 0);
                from.read_exact(&mut answer.body)?;
            }
            None => drop(from.read_to_end(&mut answer.body)?),
        }
        Ok(answer)
    }

    /// A header, by its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut lines = lines.filter_map(|line| line.split_once(':'));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// A header that must be there.
    #[track_caller]
    pub(crate) fn has(&self, name: &str) -> &str {
        let found = self.header(name);
        found.unwrap_or_else(|| panic!("no {name}: {}", self.shown()))
    }

    /// A header that counts.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u32 {
        self.has(name).parse().expect("a number")
    }

    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }

    fn shown(&self) -> String {
        let begin: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(2_000)
            .collect();
        format!("{}{begin}", self.head)
    }

    /// What a problem rests on can be read without its document.
    #[track_caller]
    fn has_evidence_in_headers(&self, problem: &Value) {
        let names = ["key", "outcome", "replicas", "nodes_reached"];
        let counts = ["answered", "asked", "durable", "needed"].map(|it| format!("replicas_{it}"));
        for name in names.map(str::to_owned).iter().chain(&counts) {
            let said = match &problem[name] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let header = format!("p2p-{}", name.replace('_', "-"));
            assert_eq!(self.has(&header), said, "{problem}");
        }
    }

    /// The names of the headers, in lower case.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = String> {
        let lines = self.head.lines().skip(1);
        let named = lines.filter_map(|line| line.split_once(':'));
        named.map(|(name, _)| name.to_ascii_lowercase())
    }

    /// Asserts the status; what is not done is a problem that says what to do.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.shown());
        if status >= 400 {
            let problem = self.json();
            assert_eq!(self.has("content-type"), "application/problem+json");
            assert_eq!(problem["status"], status, "{problem}");
            for name in ["type", "title", "detail", "hint"] {
                assert!(problem[name].is_string(), "no {name} in {problem}");
            }
            self.has_evidence_in_headers(&problem);
        }
        if status == 503 {
            assert!(self.count("retry-after") > 0);
        }
        self
    }
}

impl Api {
    pub(crate) const fn new(at: SocketAddr) -> Self {
        Self { at }
    }

    /// Makes a request with these headers, each a line.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &[&str], body: &[u8]) -> Answer {
        let asked = self.try_ask(method, path, lines, body);
        asked.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn try_ask(
        &self,
        method: &str,
        path: &str,
        lines: &[&str],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.at)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            head += &format!("Host: {}\r\n", self.at);
        }
        for line in lines {
            head += line;
            head += "\r\n";
        }
        if !body.is_empty() || method == "PUT" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        stream.write_all(head.as_bytes())?;
        // A body that is refused may not be read to its end.
        let _ = stream.write_all(body);
        Answer::read(BufReader::new(stream), method != "HEAD")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], &[])
    }

    pub(crate) fn put(&self, path: &str, value: impl AsRef<[u8]>) -> Answer {
        self.ask("PUT", path, &[], value.as_ref())
    }

    pub(crate) fn post(&self, path: &str, document: &Value) -> Answer {
        let text = document.to_string();
        let kind = ["Content-Type: application/json"];
        self.ask("POST", path, &kind, text.as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[], &[])
    }
}
