//! The one place that knows the overlays by name: a node of any of them is started here.

use super::Node;
use crate::config::{OverlayName, Settings};
use crate::runtime::{self, NodeHandle, Site, StartError};
use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig};
use gnutella::Gnutella;
use overlay::lookup::LookupConfig;
use overlay::{Contact, KeyRouter};
use pastry::{Pastry, PastryConfig};
use std::io;
use tempfile::TempDir;
use tokio::sync::oneshot;

impl Node {
    /// Starts a node as these settings say, and waits until it has joined or founded its network.
    ///
    /// # Errors
    /// When anything that it needs is not there; nothing keeps running then.
    #[doc(hidden)]
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        start(settings, None).await
    }
}

/// The same, with a directory that goes with the node.
pub(super) async fn start(
    settings: Settings,
    temporary: Option<TempDir>,
) -> Result<Node, StartError> {
    let overlay = settings.overlay;
    let (told, started) = oneshot::channel();
    // Names are looked up and files are read: not on a thread that has other work.
    std::thread::Builder::new()
        .name("start".to_owned())
        .spawn(move || {
            let handle = choose(&settings);
            // Who gave up waiting gets no node: it ends here, and then its directory.
            let _ = told.send(handle.map(|handle| (handle, temporary)));
        })?;
    let ended = |_| io::Error::other("the thread that starts the node ended");
    let (handle, temporary) = started.await.map_err(ended)??;
    Ok(Node::new(handle, overlay, temporary))
}

fn choose(settings: &Settings) -> Result<NodeHandle, StartError> {
    if let Some(warning) = settings.node.quorums.warning() {
        tracing::warn!("{warning}");
    }
    match settings.overlay {
        OverlayName::Chord => replicated(settings, |me| Chord::new(me, ChordConfig::default())),
        OverlayName::Pastry => replicated(settings, |me| Pastry::new(me, PastryConfig::default())),
        OverlayName::Gnutella => unstructured(settings),
    }
}

/// A node that stores on disk, over the router that `route` makes.
fn replicated<R>(
    settings: &Settings,
    route: impl FnOnce(Contact) -> R + Send + 'static,
) -> Result<NodeHandle, StartError>
where
    R: KeyRouter + Send + 'static,
    R::Message: Sync,
    R::Timer: Sync,
{
    let max_store = settings.node.max_store;
    let mut config = DhtConfig::default().with_quorums(settings.node.quorums);
    if let Some(rate) = settings.node.repair_rate {
        config = config.with_repair_rate(rate);
    }
    runtime::Node::start(&settings.node, move |site: Site| {
        let store = site.open_store(max_store)?;
        let router = route(site.me);
        Ok(Dht::new(router, store, config, LookupConfig::default()))
    })
}

/// A node of the unstructured overlay, which keeps its records itself.
fn unstructured(settings: &Settings) -> Result<NodeHandle, StartError> {
    let (max_store, config) = (settings.node.max_store, settings.gnutella.clone());
    runtime::Node::start(&settings.node, move |site: Site| {
        let store = site.open_store(max_store)?;
        Ok(Gnutella::new(site.me, store, config, &site.hosts))
    })
}
