//! Whether the nodes of the demo form the ring that they should.

use super::DemoError;
use super::network::{Network, Node};
use crate::control::client::{Connector, ask};
use crate::control::{ControlBody, ReplyBody};
use overlay::{Id, Neighbours, Status};
use std::time::Duration;
use tokio::time::Instant;

/// How often the nodes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one node may take to answer.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// Links that a node of an overlay without structure has at least, if there are so many others.
const LINKS: usize = 4;

/// What the network has to reach.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Every node has its right neighbours.
    Neighbours,
    /// All copies are complete as well. When most replicas of a key die at once, the last one
    /// has the key, but cannot prove that nothing else is missing: do not wait for it then.
    Copies,
}

/// Waits until the network is at rest; says how long it took.
pub(super) async fn settle(
    connector: &mut Connector,
    network: &Network,
    rest: Rest,
    limit: Duration,
) -> Result<Duration, DemoError> {
    let started = Instant::now();
    let mut ids: Vec<_> = network.nodes.iter().map(|node| node.id).collect();
    ids.sort_unstable();
    let mut at = 0;
    // Nodes that were right once are looked at again at the end: a change may pass through later.
    let mut right_in_a_row = 0;
    while right_in_a_row < network.nodes.len() {
        let Some(node) = network.nodes.get(at % network.nodes.len()) else {
            break;
        };
        match look(connector, node, &ids, rest).await {
            Ok(()) => {
                right_in_a_row += 1;
                at += 1;
            }
            Err(why) if started.elapsed() > limit => {
                return Err(DemoError(format!(
                    "the node at {} is not settled after {} s: {why}",
                    node.addr,
                    limit.as_secs()
                )));
            }
            Err(_) => {
                right_in_a_row = 0;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
    Ok(started.elapsed())
}

async fn look(
    connector: &mut Connector,
    node: &Node,
    ids: &[Id],
    rest: Rest,
) -> Result<(), String> {
    match ask(connector, node.addr, ControlBody::Status, ASK_LIMIT).await {
        Ok(ReplyBody::Status(report)) => check(&report.status, ids, rest),
        Ok(_) => Err("it answers something else than its status".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a node among `ids`, which are in order, has its right neighbours.
fn check(status: &Status, ids: &[Id], rest: Rest) -> Result<(), String> {
    if !status.member {
        return Err("it is in no network".to_owned());
    }
    let count = ids.len();
    if count > 1 {
        let mine = ids
            .binary_search(&status.me.id)
            .map_err(|_| "it has another id".to_owned())?;
        let neighbours = &status.neighbours;
        let is_gone = |peer: &overlay::Contact| ids.binary_search(&peer.id).is_err();
        if neighbours.around().any(is_gone) {
            return Err("it lists a node that is gone".to_owned());
        }
        if let Neighbours::Links { equals, leaves, .. } = neighbours {
            let links = equals.len() + leaves.len();
            return if links < LINKS.min(count - 1) {
                Err("it has too few links".to_owned())
            } else {
                Ok(())
            };
        }
        let after = ids.get((mine + 1) % count);
        let before = ids.get((mine + count - 1) % count);
        if neighbours.after().map(|peer| peer.id).as_ref() != after {
            return Err("the node after it is another than it should be".to_owned());
        }
        if neighbours.before().map(|peer| peer.id).as_ref() != before {
            return Err("the node before it is another than it should be".to_owned());
        }
    }
    if rest == Rest::Copies && !status.settled {
        return Err("copies are still under way".to_owned());
    }
    Ok(())
}
