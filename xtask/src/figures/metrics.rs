//! What a node says of itself over HTTP, and numbers in JSON documents.

use super::network::Node;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The metrics of some nodes at one moment, summed.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<String, f64>);

impl Sums {
    /// Those of these nodes now.
    pub(super) fn of<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Result<Self, String> {
        let mut sums = Self::default();
        for node in nodes {
            let text = get(node.http, "/metrics")?;
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let Some((name, value)) = line.rsplit_once(' ') else {
                    continue;
                };
                let value: f64 = value.parse().unwrap_or_default();
                *sums.0.entry(name.to_owned()).or_default() += value;
                if let Some((family, _)) = name.split_once('{') {
                    *sums.0.entry(family.to_owned()).or_default() += value;
                }
            }
        }
        Ok(sums)
    }

    /// One metric; without labels, the sum over all that it has.
    pub(super) fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// By how much it has grown since.
    pub(super) fn since(&self, before: &Self, name: &str) -> f64 {
        self.get(name) - before.get(name)
    }
}

/// The body of a page.
pub(super) fn get(http: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || {
        let mut stream = TcpStream::connect(http)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = ask().map_err(|why| format!("{http} does not answer: {why}"))?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    Ok(body.unwrap_or_default().to_owned())
}

/// The first number under a name in a JSON document.
pub(super) fn number_in(document: &str, name: &str) -> Result<f64, String> {
    let after = document.split_once(&format!("\"{name}\":"));
    let number = after.map(|(_, rest)| {
        let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
        rest[..end].trim().parse()
    });
    match number {
        Some(Ok(number)) => Ok(number),
        _ => Err(format!("no number `{name}` in {document}")),
    }
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_number_is_found_by_its_name() {
        let document = r#"{"a":{"p50_us":12.5,"b":3},"p50_us":7}"#;
        assert_eq!(number_in(document, "p50_us"), Ok(12.5));
        assert_eq!(number_in(document, "b"), Ok(3.0));
        assert!(number_in(document, "c").is_err());
    }
}
