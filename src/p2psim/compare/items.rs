//! What there is to find: one resource of each node, and two that several nodes have.

use bytes::Bytes;
use overlay::{Hlc, Id, Item, MAX_LEASE_S, Record, Slot, Version, WallMs};
use sim::{Dice, EPOCH, address_of};

/// Of so many nodes, one has the popular resource.
const NODES_A_COPY: usize = 100;
/// Nodes that have the rare resource.
const RARE_COPIES: usize = 3;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Popular,
    Rare,
}

impl Wanted {
    pub(super) const ALL: [Self; 2] = [Self::Popular, Self::Rare];

    pub(super) fn key(self) -> Id {
        Id::of(match self {
            Self::Popular => b"popular",
            Self::Rare => b"rare",
        })
    }
}

/// Who has what.
pub(super) struct Items {
    nodes: usize,
    popular: Vec<usize>,
    rare: Vec<usize>,
}

impl Items {
    /// Chooses who has the two resources.
    pub(super) fn choose(nodes: usize, dice: &mut Dice) -> Self {
        let mut order: Vec<usize> = (0..nodes).collect();
        dice.shuffle(&mut order);
        let popular = order.iter().rev().take((nodes / NODES_A_COPY).max(1));
        Self {
            nodes,
            popular: popular.copied().collect(),
            rare: order.iter().take(RARE_COPIES).copied().collect(),
        }
    }

    /// The nodes that have it.
    pub(super) fn having(&self, wanted: Wanted) -> &[usize] {
        match wanted {
            Wanted::Popular => &self.popular,
            Wanted::Rare => &self.rare,
        }
    }

    /// How many of the two resources a node has.
    pub(super) fn shared_by(&self, node: usize) -> usize {
        let has = |wanted: &Wanted| self.having(*wanted).contains(&node);
        Wanted::ALL.iter().filter(|wanted| has(wanted)).count()
    }

    /// Everything: the key, who has it, and whether it is one of the two resources.
    pub(super) fn all(&self) -> Vec<(Id, usize, bool)> {
        let own = (0..self.nodes).map(|node| (own_key(node), node, false));
        let shared = Wanted::ALL.into_iter().flat_map(|wanted| {
            let having = self.having(wanted).iter();
            having.map(move |node| (wanted.key(), *node, true))
        });
        own.chain(shared).collect()
    }

    /// A random node that does not have it.
    pub(super) fn somebody_without(&self, wanted: Wanted, dice: &mut Dice) -> usize {
        loop {
            let node = dice.index(self.nodes);
            if !self.having(wanted).contains(&node) {
                return node;
            }
        }
    }
}

/// The key of the resource that only this node has.
fn own_key(node: usize) -> Id {
    Id::of(format!("resource of {node}").as_bytes())
}

/// The key of what is inserted in the experiment, by number.
pub(super) fn fresh_key(number: u64) -> Id {
    Id::of(format!("inserted {number}").as_bytes())
}

/// The record that says that a node has something: inserted before the experiment, its lease long.
pub(super) fn record(key: Id, node: usize) -> Item {
    Item {
        key,
        slot: Slot::Holder(address_of(node)),
        record: Record {
            version: Version {
                clock: Hlc::at(WallMs(EPOCH.0 - 1_000)),
                writer: Id::of(b"writer"),
            },
            body: Some(Bytes::new()),
            expires: Some(EPOCH.plus_secs(MAX_LEASE_S.into())),
        },
    }
}
