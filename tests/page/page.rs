//! A network, and the page of its first node in a browser.

use crate::browser::Browser;
use crate::support::{Node, Starting, settle};
use serde_json::Value;
use std::net::SocketAddr;

/// A node that serves the page, and where.
pub(crate) fn served(overlay: &str, more: &[&str]) -> (Node, SocketAddr) {
    let flags: Vec<_> = ["--http", "127.0.0.1:0"]
        .iter()
        .chain(more)
        .copied()
        .collect();
    let (node, line) = Starting::spawn_with(overlay, None, &flags).ready_line();
    let mut fields = line.split_whitespace();
    let http = fields.find_map(|field| field.strip_prefix("http="));
    let at = http.and_then(|text| text.parse().ok());
    (node, at.unwrap_or_else(|| panic!("no http in {line}")))
}

/// A network at rest, its first node's page, and a browser that has drawn it.
pub(crate) struct Shown {
    pub(crate) nodes: Vec<Node>,
    pub(crate) at: SocketAddr,
    pub(crate) browser: Browser,
}

/// Whether the network was drawn once.
pub(crate) const DRAWN: &str = "performance.getEntriesByName('first-drawing').length > 0";

impl Shown {
    pub(crate) fn start(overlay: &str, count: usize) -> Self {
        let (first, at) = served(overlay, &[]);
        let via = Some(first.listen);
        let starting: Vec<_> = (1..count).map(|_| Starting::spawn(overlay, via)).collect();
        let mut nodes = vec![first];
        nodes.extend(starting.into_iter().map(Starting::ready));
        settle(&nodes);
        let mut browser = Browser::start(1_280, 1_000);
        browser.open(&format!("http://{at}/"));
        browser.wait_for(DRAWN);
        Self { nodes, at, browser }
    }

    /// The ids of its nodes, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.nodes.iter().map(|node| node.id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// The ids of what is drawn or listed, in order: elements that a selector finds.
    pub(crate) fn seen(&mut self, selector: &str) -> Vec<String> {
        let script = format!("[...document.querySelectorAll('{selector}')].map(e => e.dataset.id)");
        let mut ids = texts(&self.browser.look(&script));
        ids.sort_unstable();
        ids
    }

    /// Asserts that the page has asked nobody but its node, and that nothing in it went wrong.
    pub(crate) fn is_clean(&mut self) {
        let own = format!("http://{}/", self.at);
        let asked = self.browser.requests();
        assert!(asked.iter().any(|url| url.ends_with("/v1/network")));
        for url in asked {
            assert!(
                url.starts_with(&own) || url.starts_with("data:image/svg+xml,"),
                "{url}"
            );
        }
        let complaints = self.browser.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// The texts in a list.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
