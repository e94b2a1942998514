//! What clients ask: sessions, each at one node at a time, on a few keys of unequal popularity.
//!
//! A client stays with its node until that is no member any more, and changes at times without
//! need. It remembers the versions that it was told, and uses them, new and outdated, as
//! conditions. Some keys are written with conditions only: what they hold can be judged exactly.

use super::history::{History, Operation};
use bytes::Bytes;
use overlay::{Condition, Consistency, Id, Reply, Request, Time, Version};
use sim::Dice;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

/// Keys for values, and as many for holders: few, so that operations meet.
const KEYS: u64 = 16;
/// Further keys that are written with conditions only.
const GUARDED_KEYS: u64 = 6;
/// A lease that ends within the run when nobody renews it. It is renewed when a third of it is over:
/// so it goes on where clocks differ by less than the rest.
const SHORT_LEASE_S: u32 = 150;
/// A lease that outlasts the run.
const LONG_LEASE_S: u32 = 6 * 3600;
/// The addresses of holders: each insert names another port.
const FIRST_PORT: u16 = 1_024;
/// Fewest and most clients of a run.
const CLIENTS: (u64, u64) = (4, 24);
/// One in so many requests, a client changes its node though it could stay.
const MOVES_ONE_IN: u64 = 25;
/// Versions of a key that a client remembers: the last, and outdated ones.
const REMEMBERED: usize = 3;

/// One request, who makes it, and where.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) client: u32,
    pub(super) node: usize,
    pub(super) request: Request,
}

impl Asked {
    /// The same as a client asks that carries along what it has seen, as one in two does: the
    /// answer must not be older.
    pub(super) fn in_session(mut self, history: &History, now: Time) -> Self {
        if let Request::Get { key, at_least, .. } = &mut self.request
            && self.client.is_multiple_of(2)
        {
            *at_least = history.newest_seen(self.client, *key, now);
        }
        self
    }
}

/// One client.
#[derive(Debug, Default)]
struct Session {
    /// The node that it talks to.
    node: Option<usize>,
    /// The versions that it was told of each key, the newest last.
    seen: BTreeMap<Id, VecDeque<Version>>,
}

impl Session {
    /// The node to ask: the same one as long as it is a member, mostly.
    fn settle(&mut self, members: &[usize], dice: &mut Dice) -> Option<usize> {
        let stays = self.node.is_some_and(|node| members.contains(&node));
        if !stays || dice.below(MOVES_ONE_IN) == 0 {
            self.node = dice.pick(members).copied();
        }
        self.node
    }

    /// A version of a key that this client was told: mostly the last one.
    fn version(&self, key: Id, dice: &mut Dice) -> Option<Version> {
        let seen = self.seen.get(&key)?;
        let back = if dice.below(3) == 0 {
            dice.index(seen.len())
        } else {
            0
        };
        seen.iter().rev().nth(back).copied()
    }
}

/// Makes the requests of all clients.
#[derive(Debug)]
pub(super) struct Clients {
    sessions: Vec<Session>,
    written: u64,
    inserted: u16,
    /// Holders that were inserted, not yet removed, with their key, client and node.
    holders: BTreeMap<SocketAddr, (Id, u32, usize)>,
}

/// The key of values number `number`.
fn value_key(number: u64) -> Id {
    Id::of(format!("value {number}").as_bytes())
}

/// The key number `number` of those that are written with conditions only.
fn guarded_key(number: u64) -> Id {
    Id::of(format!("guarded {number}").as_bytes())
}

/// The key of holders number `number`.
fn holder_key(number: u64) -> Id {
    Id::of(format!("resource {number}").as_bytes())
}

/// A number below `limit`, the smaller ones more often: the first of 16 in 3 of 10 draws, about
/// as by Zipf's law.
fn popular(limit: u64, dice: &mut Dice) -> u64 {
    // The reciprocals of 1, 2, … in parts of a large number whose share of each is exact enough.
    const PARTS: u64 = 720_720;
    let weight = |rank: u64| PARTS / (rank + 1);
    let total: u64 = (0..limit).map(weight).sum();
    let mut left = dice.below(total);
    for rank in 0..limit {
        let Some(rest) = left.checked_sub(weight(rank)) else {
            return rank;
        };
        left = rest;
    }
    0
}

fn quorum_mostly(dice: &mut Dice) -> Consistency {
    match dice.below(8) {
        0 => Consistency::All,
        1 => Consistency::One,
        _ => Consistency::Quorum,
    }
}

impl Clients {
    /// As many clients as the dice say.
    pub(super) fn new(dice: &mut Dice) -> Self {
        let count = CLIENTS.0 + dice.below(CLIENTS.1 - CLIENTS.0 + 1);
        Self {
            sessions: (0..count).map(|_| Session::default()).collect(),
            written: 0,
            inserted: 0,
            holders: BTreeMap::new(),
        }
    }

    /// The next requests, at one of these nodes each; those of one call are made at the same
    /// instant. None when nobody can be asked.
    pub(super) fn next(&mut self, members: &[usize], dice: &mut Dice) -> Vec<Asked> {
        if members.is_empty() {
            return Vec::new();
        }
        match dice.below(100) {
            0..=13 => self.race(members, dice),
            14..=24 => vec![self.ask(members, dice, |clients, _, _, dice| clients.insert(dice))],
            25..=28 => self.remove(members, dice).into_iter().collect(),
            29..=40 => vec![self.ask(members, dice, |_, _, _, dice| Request::Search {
                key: holder_key(popular(KEYS, dice)),
                limit: 1_000,
                consistency: quorum_mostly(dice),
            })],
            _ => vec![self.ask(members, dice, Self::plain)],
        }
    }

    /// One request of a random client.
    fn ask(
        &mut self,
        members: &[usize],
        dice: &mut Dice,
        make: impl FnOnce(&mut Self, u32, usize, &mut Dice) -> Request,
    ) -> Asked {
        let client = dice.index(self.sessions.len());
        let session = self.sessions.get_mut(client);
        let node = session.and_then(|session| session.settle(members, dice));
        let (client, node) = (client as u32, node.unwrap_or_default());
        let request = make(self, client, node, dice);
        if let Request::Insert { holder, key, .. } = request {
            self.holders.insert(holder, (key, client, node));
        }
        Asked {
            client,
            node,
            request,
        }
    }

    /// A get, put or delete, the writes with a condition at times.
    fn plain(&mut self, client: u32, _node: usize, dice: &mut Dice) -> Request {
        let key = value_key(popular(KEYS, dice));
        let consistency = quorum_mostly(dice);
        let condition = match dice.below(6) {
            0 => self.condition(client, key, dice),
            _ => Condition::Always,
        };
        match dice.below(100) {
            0..=44 => Request::Get {
                key,
                consistency,
                at_least: None,
            },
            45..=88 => self.put(key, consistency, condition),
            _ => Request::Delete {
                key,
                holder: None,
                consistency,
                condition,
            },
        }
    }

    /// What a client expects there: what it was told last, mostly, or nothing.
    fn condition(&self, client: u32, key: Id, dice: &mut Dice) -> Condition {
        let session = self.sessions.get(client as usize);
        let version = session.and_then(|session| session.version(key, dice));
        match version {
            Some(version) if dice.below(3) > 0 => Condition::Version(version),
            _ => Condition::Absent,
        }
    }

    /// One to three clients want the same guarded key at the same time.
    fn race(&mut self, members: &[usize], dice: &mut Dice) -> Vec<Asked> {
        let key = guarded_key(popular(GUARDED_KEYS, dice));
        let count = 1 + dice.below(3);
        let guarded = |clients: &mut Self, client, _node, dice: &mut Dice| {
            let consistency = quorum_mostly(dice);
            let condition = clients.condition(client, key, dice);
            match (dice.below(10), condition) {
                (0..=3, _) => Request::Get {
                    key,
                    consistency,
                    at_least: None,
                },
                (4 | 5, Condition::Version(_)) => Request::Delete {
                    key,
                    holder: None,
                    consistency,
                    condition,
                },
                _ => clients.put(key, consistency, condition),
            }
        };
        (0..count)
            .map(|_| self.ask(members, dice, guarded))
            .collect()
    }

    fn put(&mut self, key: Id, consistency: Consistency, condition: Condition) -> Request {
        self.written += 1;
        Request::Put {
            key,
            value: Bytes::from(format!("write {}", self.written)),
            ttl_s: None,
            consistency,
            condition,
            text: String::new(),
            indexed: None,
        }
    }

    fn insert(&mut self, dice: &mut Dice) -> Request {
        let holder = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), FIRST_PORT + self.inserted));
        self.inserted += 1;
        let lease_s = match dice.below(2) {
            0 => SHORT_LEASE_S,
            _ => LONG_LEASE_S,
        };
        Request::Insert {
            key: holder_key(popular(KEYS, dice)),
            holder,
            lease_s,
            text: format!("holder {}", self.inserted),
            indexed: None,
        }
    }

    /// A client removes a holder: at the node where it inserted it, or at any other, of which the one
    /// that renews the lease hears when it does so.
    fn remove(&mut self, members: &[usize], dice: &mut Dice) -> Option<Asked> {
        let at = dice.index(self.holders.len());
        let (&holder, &(key, client, node)) = self.holders.iter().nth(at)?;
        if !members.contains(&node) {
            return None;
        }
        let node = match dice.below(2) {
            0 => node,
            _ => *dice.pick(members)?,
        };
        self.holders.remove(&holder);
        self.sessions.get_mut(client as usize)?.node = Some(node);
        let request = Request::Delete {
            key,
            holder: Some(holder),
            consistency: Consistency::Quorum,
            condition: Condition::Always,
        };
        Some(Asked {
            client,
            node,
            request,
        })
    }

    /// A client takes note of the version that it was told.
    pub(super) fn told(&mut self, operation: &Operation) {
        let Some((key, (_, reply))) = operation.key().zip(operation.answer.as_ref()) else {
            return;
        };
        let version = match reply {
            Reply::Got(report) => report.version,
            Reply::Put(report) => Some(report.version),
            Reply::Conflict(report) => report.found,
            _ => None,
        };
        let session = self.sessions.get_mut(operation.client as usize);
        let Some((session, version)) = session.zip(version) else {
            return;
        };
        let seen = session.seen.entry(key).or_default();
        if seen.back() != Some(&version) {
            seen.push_back(version);
        }
        if seen.len() > REMEMBERED {
            seen.pop_front();
        }
    }

    /// Reads that see every key, each by some client at one of these nodes.
    pub(super) fn last_reads() -> impl Iterator<Item = Request> {
        let consistency = Consistency::Quorum;
        let values = (0..KEYS).map(value_key);
        let values = values.chain((0..GUARDED_KEYS).map(guarded_key));
        let gets = values.flat_map(|key| {
            [Consistency::Quorum, Consistency::All].map(|consistency| Request::Get {
                key,
                consistency,
                at_least: None,
            })
        });
        let searches = (0..KEYS).map(move |number| Request::Search {
            key: holder_key(number),
            limit: 1_000,
            consistency,
        });
        gets.chain(searches)
    }

    /// A random client and its node, for the last reads.
    pub(super) fn somebody(&mut self, members: &[usize], dice: &mut Dice) -> Option<(u32, usize)> {
        let client = dice.index(self.sessions.len());
        let node = self.sessions.get_mut(client)?.settle(members, dice)?;
        Some((client as u32, node))
    }
}
