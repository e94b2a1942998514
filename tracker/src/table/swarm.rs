//! One swarm: the peers of both address families, and what is counted.

use super::counts::Counts;
use super::departed::{drop_old, unlist};
use super::entry::{Address, COMPLETED, Entry, PAUSED, REMOTE, SEED, TWIN, Tick};
use super::family::Family;
use crate::announce::Event;
use crate::front_end::{FrontEnd, Ways};
use crate::ids::InfoHash;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What an announce, or news of another node, changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that others would notice.
    Nothing,
    /// A peer is new here, or announces here instead of elsewhere.
    Joined,
    /// A peer became a seed, or ceased to be one.
    Became,
    /// A peer has left.
    Left,
}

/// A peer as it announces itself.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    /// Where it takes connections.
    pub addr: SocketAddr,
    /// Recognises the client over both families: a keyed hash.
    pub identity: u64,
    /// Whether it has everything.
    pub seed: bool,
    /// Why it announces.
    pub event: Event,
    /// By which way; none when that is not known.
    pub by: Option<FrontEnd>,
}

/// A peer that another node has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Where it takes connections.
    pub addr: SocketAddr,
    /// Whether it has everything.
    pub seed: bool,
    /// Whether it is a partial seed.
    pub paused: bool,
    /// How long ago it announced, in milliseconds.
    pub age_ms: u32,
    /// Where it is: [`Table::place_number`](super::Table::place_number), or 0.
    pub place: u8,
}

/// What other nodes say that they have.
#[derive(Clone, Copy, Debug)]
struct Elsewhere {
    counts: Counts,
    at: Tick,
}

/// One swarm.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    pub(crate) hash: InfoHash,
    pub(crate) v4: Family<[u8; 4]>,
    /// Most swarms have no IPv6 peer.
    pub(crate) v6: Option<Box<Family<[u8; 16]>>>,
    completed: u32,
    /// When somebody announced last.
    pub(crate) touched: Tick,
    elsewhere: Option<Box<Elsewhere>>,
}

impl Swarm {
    pub(crate) fn new(hash: InfoHash, now: Tick) -> Self {
        Self {
            hash,
            v4: Family::default(),
            v6: None,
            completed: 0,
            touched: now,
            elsewhere: None,
        }
    }

    /// Peers of both families.
    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.as_ref().map_or(0, |family| family.len())
    }

    /// Whether this address is listed.
    pub(crate) fn has(&self, addr: SocketAddr, key: u64) -> bool {
        self.flags_of(addr, key).is_some()
    }

    /// Whether this address announces to this node.
    pub(crate) fn serves(&self, addr: SocketAddr, key: u64) -> bool {
        self.flags_of(addr, key)
            .is_some_and(|flags| flags & REMOTE == 0)
    }

    fn flags_of(&self, addr: SocketAddr, key: u64) -> Option<u8> {
        let port = addr.port();
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => self.v4.flags_of(ip.octets(), port, key),
            IpAddr::V6(ip) => self.v6.as_deref()?.flags_of(ip.octets(), port, key),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let v6 = self.v6.as_deref().map_or(0, |family| {
            size_of::<Family<[u8; 16]>>() + family.heap_bytes()
        });
        let elsewhere = self
            .elsewhere
            .as_ref()
            .map_or(0, |_| size_of::<Elsewhere>());
        self.v4.heap_bytes() + v6 + elsewhere
    }

    /// Of the clients that announce to this node.
    pub(crate) fn own_counts(&self) -> Counts {
        let v6 = self
            .v6
            .as_deref()
            .map_or_else(Counts::default, |family| Counts::of(family.own()));
        Counts {
            downloaded: self.completed.into(),
            ..Counts::of(self.v4.own()).plus(v6)
        }
    }

    /// Of all clients, as far as is known.
    pub(crate) fn counts(&self) -> Counts {
        let others = match &self.elsewhere {
            Some(elsewhere) => elsewhere.counts,
            None => {
                let v6 = self
                    .v6
                    .as_deref()
                    .map_or_else(Counts::default, |family| Counts::of(family.heard()));
                Counts::of(self.v4.heard()).plus(v6)
            }
        };
        self.own_counts().plus(others)
    }

    /// Takes over what other nodes count.
    pub(crate) fn set_elsewhere(&mut self, counts: Counts, at: Tick) {
        let nothing = counts == Counts::default();
        self.elsewhere = (!nothing).then(|| Box::new(Elsewhere { counts, at }));
    }

    /// So many more were completed before this node was started.
    pub(crate) fn recall(&mut self, downloaded: u64) {
        let downloaded = u32::try_from(downloaded).unwrap_or(u32::MAX);
        self.completed = self.completed.saturating_add(downloaded);
    }

    /// A client announces to this node.
    pub(crate) fn announce(&mut self, presence: &Presence, now: Tick, key: u64) -> Change {
        self.touched = now;
        match presence.addr.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let entered = enter(&mut self.v4, ip.octets(), presence, 0, now, key);
                self.completed = self.completed.saturating_add(entered.completed.into());
                if entered.relisted {
                    self.mark_twin(presence.identity, key);
                }
                entered.change
            }
            IpAddr::V6(ip) => {
                let is_twin = self.v4.find_identity(presence.identity).is_some();
                let twin = if is_twin { TWIN } else { 0 };
                let stops = presence.event == Event::Stopped;
                if self.v6.is_none() && stops {
                    return Change::Nothing;
                }
                let family = self.v6.get_or_insert_default();
                let entered = enter(family, ip.octets(), presence, twin, now, key);
                // A client that announces over both families completes once.
                let counts = entered.completed && !is_twin;
                self.completed = self.completed.saturating_add(counts.into());
                entered.change
            }
        }
    }

    /// The IPv4 presence of a client has changed: its IPv6 one is counted if it is the only one.
    fn mark_twin(&mut self, identity: u64, key: u64) {
        let has_v4 = self.v4.find_identity(identity).is_some();
        let Some(family) = self.v6.as_deref_mut() else {
            return;
        };
        if let Some(at) = family.find_identity(identity)
            && let Some(entry) = family.get(at).copied()
        {
            let flags = if has_v4 {
                entry.flags | TWIN
            } else {
                entry.flags & !TWIN
            };
            family.update(at, flags, entry.seen, key);
        }
    }

    /// Another node tells of a peer. `identity` stands for the address alone.
    pub(crate) fn hear(&mut self, heard: &Heard, identity: u64, now: Tick, key: u64) -> Change {
        match heard.addr.ip().to_canonical() {
            IpAddr::V4(ip) => learn(&mut self.v4, ip.octets(), heard, identity, now, key),
            IpAddr::V6(ip) => {
                let family = self.v6.get_or_insert_default();
                learn(family, ip.octets(), heard, identity, now, key)
            }
        }
    }

    /// Drops those that were heard of from other nodes and that nobody lists any more.
    pub(crate) fn forget(&mut self, listed: &BTreeSet<SocketAddr>, key: u64) {
        let mut gone = Vec::new();
        unlist(&mut self.v4, listed, key, |entry| {
            gone.push(entry.identity())
        });
        for identity in gone {
            self.mark_twin(identity, key);
        }
        if let Some(family) = self.v6.as_deref_mut() {
            unlist(family, listed, key, |_| {});
        }
    }

    /// Drops who has not announced for `expiry_ms`. Gives how many were dropped, and whether one of
    /// them had announced here. Counts the others by their ways.
    pub(crate) fn expire(
        &mut self,
        now: Tick,
        expiry_ms: u32,
        key: u64,
        ways: &mut Ways,
    ) -> (usize, bool) {
        if let Some(elsewhere) = &self.elsewhere
            && now.since(elsewhere.at) > expiry_ms
        {
            self.elsewhere = None;
        }
        let mut gone = Vec::new();
        let (mut dropped, mut own) = drop_old(&mut self.v4, (now, expiry_ms), key, ways, |entry| {
            gone.push(entry.identity());
        });
        for identity in gone {
            self.mark_twin(identity, key);
        }
        if let Some(family) = self.v6.as_deref_mut() {
            let (more, more_own) = drop_old(family, (now, expiry_ms), key, ways, |_| {});
            dropped += more;
            own |= more_own;
            if family.is_empty() {
                self.v6 = None;
            }
        }
        (dropped, own)
    }
}

/// What an announce came to.
struct Listed {
    change: Change,
    /// Whether it has just completed.
    completed: bool,
    /// Whether an entry came or went, though it be one in place of another.
    relisted: bool,
}

/// A client announces itself to this node.
fn enter<A: Address>(
    family: &mut Family<A>,
    ip: A,
    presence: &Presence,
    twin: u8,
    now: Tick,
    key: u64,
) -> Listed {
    let port = presence.addr.port();
    let found = family
        .find_endpoint(ip, port, key)
        .or_else(|| family.find_identity(presence.identity));
    let before = found.and_then(|at| family.get(at).copied());
    if presence.event == Event::Stopped {
        let left = found.is_some_and(|at| family.remove(at, key).is_some());
        return Listed {
            change: if left { Change::Left } else { Change::Nothing },
            completed: false,
            relisted: left,
        };
    }
    let known = before.map_or(0, |entry| entry.flags);
    let completes = presence.event == Event::Completed && known & COMPLETED == 0;
    let way = presence.by.map_or(0, FrontEnd::flags);
    let mut flags = way | twin | (known & COMPLETED);
    if completes {
        flags |= COMPLETED;
    }
    if presence.seed {
        flags |= SEED;
    } else if presence.event == Event::Paused {
        flags |= PAUSED;
    }
    // Whoever answers at an address is one client to others: aria2 has a new key whenever it announces.
    let stays = before.filter(|entry| entry.ip == ip && entry.port == port && !entry.has(REMOTE));
    let change = match stays {
        Some(entry) if (entry.flags ^ flags) & (SEED | PAUSED) == 0 => Change::Nothing,
        Some(_) => Change::Became,
        None => Change::Joined,
    };
    let same = stays.filter(|entry| entry.identity() == presence.identity);
    if let (Some(at), Some(_)) = (found, same) {
        family.update(at, flags, now, key);
    } else {
        if let Some(at) = found {
            family.remove(at, key);
        }
        // Both its old address and this one may have been listed.
        if let Some(at) = family.find_identity(presence.identity) {
            family.remove(at, key);
        }
        family.insert(Entry::new(ip, port, flags, now, presence.identity), key);
    }
    Listed {
        change,
        completed: completes,
        relisted: same.is_none(),
    }
}

/// Another node tells of a peer. Whoever has heard of it later knows it better, and who hears from
/// itself knows best: anybody may publish, and must not be able to take a client from its node.
fn learn<A: Address>(
    family: &mut Family<A>,
    ip: A,
    heard: &Heard,
    identity: u64,
    now: Tick,
    key: u64,
) -> Change {
    let seen = now.before(heard.age_ms);
    let mut flags = REMOTE;
    if heard.seed {
        flags |= SEED;
    } else if heard.paused {
        flags |= PAUSED;
    }
    let Some(at) = family.find_endpoint(ip, heard.addr.port(), key) else {
        let mut entry = Entry::new(ip, heard.addr.port(), flags, seen, identity);
        entry.place = heard.place;
        family.insert(entry, key);
        return Change::Joined;
    };
    let Some(entry) = family.get(at).copied() else {
        return Change::Nothing;
    };
    // A client that announces here is what it says itself.
    if !entry.has(REMOTE) || now.since(entry.seen) <= heard.age_ms {
        return Change::Nothing;
    }
    family.set_place(at, heard.place);
    family.update(at, flags | (entry.flags & (COMPLETED | TWIN)), seen, key);
    Change::Nothing
}
