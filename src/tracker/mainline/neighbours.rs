//! The other nodes of this network that serve the DHT.
//!
//! Each is a holder under one key that all know; the text has its id, in the signs of summaries, so
//! that it is no word in the index.

use super::{Mainline, NodeId};
use crate::tracker::sharing::call;
use overlay::{Consistency, Id, Reply, Request};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tracker::exchange::{signs_of, unsigned};
use tracker::krpc::Nodes;

/// Names the key.
const PLACE: &[u8] = b"p2pnode mainline 1";
/// How long a node is listed after it died.
const LEASE_S: u32 = 60;
/// How often the list is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Most nodes that are listed: a client is told of eight at a time.
const MAX_NEIGHBOURS: u32 = 64;

/// The other nodes.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Nodes);

impl Neighbours {
    /// Those of one address family that are nearest to a key, the nearest first.
    pub(super) fn near(&self, target: &NodeId, v4: bool, most: usize) -> Nodes {
        let family = self.0.iter().filter(|(_, addr)| addr.is_ipv4() == v4);
        let mut near: Nodes = family.copied().collect();
        near.sort_by_key(|(id, _)| distance(id, target));
        near.truncate(most);
        near
    }
}

/// How far two ids are from each other in Kademlia.
fn distance(one: &NodeId, two: &NodeId) -> NodeId {
    let mut distance = *one;
    for (byte, other) in distance.iter_mut().zip(two) {
        *byte ^= other;
    }
    distance
}

/// Lists this node, and looks for the others, again and again.
pub(in crate::tracker) async fn keep_company(node: Rc<Mainline>) {
    let key = Id::of(PLACE);
    let mut listed = false;
    loop {
        if !listed {
            // The overlay renews the lease from then on.
            let request = Request::Insert {
                key,
                holder: node.addr,
                lease_s: LEASE_S,
                text: signs_of(&node.id),
                indexed: None,
            };
            listed = matches!(call(&node.service, request).await, Reply::Inserted(_));
        }
        let request = Request::Search {
            key,
            limit: MAX_NEIGHBOURS,
            consistency: Consistency::One,
        };
        if let Reply::Searched(report) = call(&node.service, request).await {
            let each = report
                .holders
                .iter()
                .filter(|holder| holder.addr != node.addr);
            let known = each.filter_map(|holder| Some((id_of(&holder.text)?, holder.addr)));
            let known: Vec<(NodeId, SocketAddr)> = known.collect();
            *node.neighbours.borrow_mut() = Neighbours(known);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn id_of(text: &str) -> Option<NodeId> {
    unsigned(text)?.try_into().ok()
}
