//! Taking one picture of the network after another.

use crate::control::client::{ClientError, NodeName};
use crate::control::proof;
use crate::crawl::{Crawler, NetworkView};
use crate::ctl::CtlError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// Nodes that are remembered as a way into the network, should the one that was named die.
const MAX_WAYS: usize = 64;

/// A picture, by way of which node, and when it was finished.
pub(super) struct Picture {
    pub(super) through: SocketAddr,
    pub(super) at: Instant,
    pub(super) view: NetworkView,
}

/// Takes pictures by way of a node, and by others when that one is silent.
pub(super) struct Watcher {
    crawler: Crawler,
    ways: Vec<SocketAddr>,
}

impl Watcher {
    pub(super) async fn new(node: &NodeName) -> Result<Self, CtlError> {
        let config = proof::anonymous().map_err(|error| CtlError::Local(error.to_string()))?;
        Ok(Self {
            crawler: Crawler::new(config),
            ways: node.resolve().await?,
        })
    }

    /// The first address that the node may have.
    pub(super) fn first(&self) -> Option<SocketAddr> {
        self.ways.first().copied()
    }

    /// One picture.
    pub(super) async fn picture(&mut self) -> Result<Picture, ClientError> {
        let mut first_error = None;
        for at in 0..self.ways.len() {
            let Some(through) = self.ways.get(at).copied() else {
                break;
            };
            match self.crawler.crawl(through).await {
                Ok(view) => {
                    // Whoever answered is asked first from now on.
                    self.ways.swap(0, at);
                    self.remember(&view);
                    let at = Instant::now();
                    return Ok(Picture { through, at, view });
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| ClientError::Socket("no address".to_owned())))
    }

    fn remember(&mut self, view: &NetworkView) {
        let first = self.first();
        self.ways.clear();
        let others = view.nodes.values().map(|found| found.report.status.me.addr);
        let others = others.filter(|addr| Some(*addr) != first);
        self.ways
            .extend(first.into_iter().chain(others).take(MAX_WAYS));
    }

    /// Takes a picture every `interval`, or as fast as it can, until nobody wants them.
    pub(super) async fn run(
        mut self,
        interval: Duration,
        pictures: mpsc::Sender<Result<Picture, ClientError>>,
    ) {
        let mut pace = tokio::time::interval(interval);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let picture = self.picture().await;
            if pictures.send(picture).await.is_err() {
                return;
            }
        }
    }
}
