//! What clients ask: random operations on a few keys, through random nodes.

use bytes::Bytes;
use overlay::{Condition, Consistency, Id, Request};
use sim::Dice;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Keys for values, and as many for holders: few, so that operations meet.
const KEYS: u64 = 16;
/// A lease that ends within the run when nobody renews it.
const SHORT_LEASE_S: u32 = 60;
/// A lease that outlasts the run.
const LONG_LEASE_S: u32 = 6 * 3600;
/// The addresses of holders: each insert names another port.
const FIRST_PORT: u16 = 1_024;

/// Makes the requests of all clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    written: u64,
    inserted: u16,
    /// Holders that were inserted, not yet removed, with their key and node.
    holders: BTreeMap<SocketAddr, (Id, usize)>,
}

/// The key of values number `number`.
fn value_key(number: u64) -> Id {
    Id::of(format!("value {number}").as_bytes())
}

/// The key of holders number `number`.
fn holder_key(number: u64) -> Id {
    Id::of(format!("resource {number}").as_bytes())
}

impl Clients {
    /// The next request, for a client at `node`, and the node that must make it instead when it
    /// removes a holder: whoever renews a lease ends it.
    pub(super) fn next(&mut self, node: usize, dice: &mut Dice) -> (usize, Request) {
        let key = value_key(dice.below(KEYS));
        let consistency = if dice.below(8) == 0 {
            Consistency::All
        } else {
            Consistency::Quorum
        };
        match dice.below(100) {
            0..=34 => (node, Request::Get { key, consistency }),
            35..=64 => (node, self.put(key, consistency)),
            65..=71 => (
                node,
                Request::Delete {
                    key,
                    holder: None,
                    consistency,
                    condition: Condition::Always,
                },
            ),
            72..=83 => {
                let key = holder_key(dice.below(KEYS));
                (
                    node,
                    Request::Search {
                        key,
                        limit: 1_000,
                        consistency,
                    },
                )
            }
            84..=95 => (node, self.insert(node, dice)),
            _ => self
                .remove(dice)
                .unwrap_or((node, Request::Get { key, consistency })),
        }
    }

    fn put(&mut self, key: Id, consistency: Consistency) -> Request {
        self.written += 1;
        let value = Bytes::from(format!("write {}", self.written));
        Request::Put {
            key,
            value,
            ttl_s: None,
            consistency,
            condition: Condition::Always,
        }
    }

    fn insert(&mut self, node: usize, dice: &mut Dice) -> Request {
        let key = holder_key(dice.below(KEYS));
        let holder = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), FIRST_PORT + self.inserted));
        self.inserted += 1;
        self.holders.insert(holder, (key, node));
        let lease_s = if dice.below(2) == 0 {
            SHORT_LEASE_S
        } else {
            LONG_LEASE_S
        };
        Request::Insert {
            key,
            holder,
            lease_s,
            text: format!("holder {}", self.inserted),
        }
    }

    fn remove(&mut self, dice: &mut Dice) -> Option<(usize, Request)> {
        let at = dice.index(self.holders.len());
        let (&holder, &(key, node)) = self.holders.iter().nth(at)?;
        self.holders.remove(&holder);
        let consistency = Consistency::Quorum;
        Some((
            node,
            Request::Delete {
                key,
                holder: Some(holder),
                consistency,
                condition: Condition::Always,
            },
        ))
    }

    /// Reads that see every key.
    pub(super) fn last_reads() -> impl Iterator<Item = Request> {
        let consistency = Consistency::Quorum;
        (0..KEYS).flat_map(move |number| {
            let (value, holder) = (value_key(number), holder_key(number));
            [
                Request::Get {
                    key: value,
                    consistency,
                },
                Request::Get {
                    key: value,
                    consistency: Consistency::All,
                },
                Request::Search {
                    key: holder,
                    limit: 1_000,
                    consistency,
                },
            ]
        })
    }
}
