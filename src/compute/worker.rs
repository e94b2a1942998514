//! Saying what one worker does.

use super::block::{Block, Work};
use super::link::Link;
use super::{ComputeError, Name, blocks_of, within};
use crate::control::client::NodeName;
use crate::runtime::wall;
use overlay::{Condition, Consistency, Reply, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Length of a lease, which the node renews: when the node dies, what its workers have said ends
/// after this time.
const LEASE_S: u32 = 120;

/// One worker of a swarm.
#[derive(Debug)]
pub struct Worker {
    link: Link,
    name: Name,
    me: SocketAddr,
    said: BTreeMap<u32, Block>,
}

impl Worker {
    /// A worker that others reach at `me`, and that tells `node`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the name is empty or too long.
    pub fn new(
        node: NodeName,
        name: &[u8],
        me: SocketAddr,
        timeout: Duration,
    ) -> Result<Self, ComputeError> {
        Ok(Self {
            link: Link::new(node, timeout),
            name: Name::new(name)?,
            me,
            said: BTreeMap::new(),
        })
    }

    /// Says what it does with pieces, many at once; `None` for what it has given up. It is written
    /// for each block of [`PIECES_PER_BLOCK`](super::PIECES_PER_BLOCK) once, all blocks side by side,
    /// and durable when this returns.
    ///
    /// # Errors
    /// When not everything could be written; said again, it is.
    pub async fn announce(
        &mut self,
        pieces: &[(Range<u32>, Option<Work>)],
    ) -> Result<(), ComputeError> {
        let mut changed = BTreeSet::new();
        for (range, work) in pieces {
            for block in blocks_of(range)? {
                let said = self.said.entry(block).or_default();
                said.set(within(block, range), *work);
                changed.insert(block);
            }
        }
        let requests = changed.iter().map(|block| self.request(*block)).collect();
        for reply in self.link.ask(requests).await? {
            if !matches!(reply, Reply::Inserted(_) | Reply::Deleted(_)) {
                return Err(ComputeError::Nonsense);
            }
        }
        for block in changed {
            if self.said.get(&block).is_some_and(Block::is_empty) {
                self.said.remove(&block);
            }
        }
        Ok(())
    }

    /// Takes back all that it has said. A worker that is dropped is not taken back.
    ///
    /// # Errors
    /// When not everything could be taken back.
    pub async fn leave(mut self) -> Result<(), ComputeError> {
        let blocks = std::mem::take(&mut self.said);
        let requests = blocks.keys().map(|block| self.request(*block)).collect();
        self.link.ask(requests).await.map(drop)
    }

    fn request(&self, block: u32) -> Request {
        let key = self.name.key(block);
        match self.said.get(&block).filter(|said| !said.is_empty()) {
            Some(said) => Request::Insert {
                key,
                holder: self.me,
                lease_s: LEASE_S,
                text: said.encode(wall()),
                indexed: None,
            },
            None => Request::Delete {
                key,
                holder: Some(self.me),
                consistency: Consistency::Quorum,
                condition: Condition::Always,
            },
        }
    }
}
