//! The swarm table: who is in which swarm.
//!
//! A swarm is found by its info-hash in one step; its peers are two dense vectors, one for each
//! address family, with indexes once they are longer than a few. An IPv4 peer takes 20 bytes, an
//! IPv6 peer 32, room to grow a quarter of that, the two indexes 10 to 20: 36 to 60 bytes together.
//!
//! Peers expire without a queue: a sweep goes round all peers about eight times within the time
//! after which they expire. Every peer that lives announces in that time, so the sweep costs a
//! constant for each announce; and nobody is offered who is too old, swept or not.

mod counts;
mod departed;
mod entry;
mod family;
mod index;
mod names;
mod rank;
mod sample;
mod swarm;
mod sweep;
#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use names::Names;
pub use rank::rank;
pub use sample::Own;
pub use swarm::{Change, Heard, Presence};

pub(crate) use entry::{Address, Entry, PAUSED, REMOTE, SEED, Tick};
pub(crate) use swarm::Swarm;

use crate::announce::Event;
use crate::front_end::Ways;
use crate::ids::InfoHash;
use crate::place::Place;
use crate::secret::{KeyedBuild, Secret, address_bytes};
use overlay::Time;
use rand_core::Rng;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::SocketAddr;

// Hash order: looked up by info-hash, never iterated.
use std::collections::HashMap;

/// Most peers in one swarm: more than were ever seen in one, and few enough that places fit the
/// indexes.
pub const MAX_PEERS_PER_SWARM: usize = 1 << 23;
/// How much a table may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most swarms. An empty one takes some 200 bytes.
    pub swarms: usize,
    /// Most peers in all swarms, at up to 64 bytes.
    pub peers: usize,
}

impl Default for Bounds {
    /// A million swarms and four million peers: about half a gigabyte.
    fn default() -> Self {
        Self {
            swarms: 1 << 20,
            peers: 4 << 20,
        }
    }
}

/// The table has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tracker is full")]
pub struct Full;

/// All swarms.
#[derive(Clone, Debug)]
pub struct Table {
    places: HashMap<InfoHash, u32, KeyedBuild>,
    /// Where the swarm was that was looked for last: an announce looks several times for one.
    recent: Cell<usize>,
    swarms: Vec<Option<Swarm>>,
    free: Vec<u32>,
    peers: usize,
    bounds: Bounds,
    expiry_ms: u32,
    secret: Secret,
    names: Names,
    /// Mixes endpoints in the indexes.
    key: u64,
    /// The swarm that is swept next.
    cursor: usize,
    /// What the last sweeps did beyond their share: a swarm is swept as a whole, however large.
    ahead: usize,
    swept_at: Time,
    /// What the sweep has counted since its last round, and what it had counted in that.
    counting: Ways,
    ways: Ways,
}

impl Table {
    /// An empty table whose peers expire `expiry_ms` milliseconds after their last announce.
    pub fn new(bounds: Bounds, expiry_ms: u32, rng: &mut dyn Rng) -> Self {
        let secret = Secret::new(rng);
        Self {
            places: HashMap::with_hasher(KeyedBuild::new(secret.clone())),
            recent: Cell::new(0),
            swarms: Vec::new(),
            free: Vec::new(),
            peers: 0,
            bounds,
            expiry_ms,
            secret,
            names: Names::default(),
            key: rng.next_u64() | 1,
            cursor: 0,
            ahead: 0,
            swept_at: Time::ZERO,
            counting: Ways::default(),
            ways: Ways::default(),
        }
    }

    /// Swarms that are known, the empty ones included.
    #[must_use]
    pub fn swarms(&self) -> usize {
        self.places.len()
    }

    /// Peers in all swarms.
    #[must_use]
    pub const fn peers(&self) -> usize {
        self.peers
    }

    /// How many came by which way, as the sweep found them in its last round: a quarter of the expiry
    /// ago at the most, and of a table of some hundred peers just now.
    #[must_use]
    pub const fn ways(&self) -> &Ways {
        &self.ways
    }

    /// Bytes that the table takes, by the capacity of everything that it has reserved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let swarms = self.swarms.iter().flatten().map(Swarm::heap_bytes);
        let cell = size_of::<(InfoHash, u32)>() + 1;
        swarms.sum::<usize>()
            + self.swarms.capacity() * size_of::<Option<Swarm>>()
            + self.free.capacity() * size_of::<u32>()
            + self.places.capacity() * 8 / 7 * cell
    }

    /// How many are in a swarm.
    #[must_use]
    pub fn counts(&self, hash: &InfoHash) -> Counts {
        self.swarm(hash).map_or_else(Counts::default, Swarm::counts)
    }

    /// How many of them announce to this node.
    #[must_use]
    pub fn own_counts(&self, hash: &InfoHash) -> Counts {
        self.swarm(hash)
            .map_or_else(Counts::default, Swarm::own_counts)
    }

    /// Peers of one swarm that are known.
    #[must_use]
    pub fn peers_of(&self, hash: &InfoHash) -> usize {
        self.swarm(hash).map_or(0, Swarm::len)
    }

    /// Whether a swarm is known.
    #[must_use]
    pub fn knows(&self, hash: &InfoHash) -> bool {
        self.place_of(hash).is_some()
    }

    /// Whether a peer is listed in a swarm.
    #[must_use]
    pub fn lists(&self, hash: &InfoHash, addr: SocketAddr) -> bool {
        self.swarm(hash)
            .is_some_and(|swarm| swarm.has(addr, self.key))
    }

    /// Whether a peer announces to this node.
    #[must_use]
    pub fn serves(&self, hash: &InfoHash, addr: SocketAddr) -> bool {
        self.swarm(hash)
            .is_some_and(|swarm| swarm.serves(addr, self.key))
    }

    /// How much it may hold.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Milliseconds after which a peer that does not announce is gone.
    #[must_use]
    pub const fn expiry_ms(&self) -> u32 {
        self.expiry_ms
    }

    /// The number of a place in [`Heard`]; 0 when there are too many, and for none.
    pub fn place_number(&mut self, place: Option<&Place>) -> u8 {
        place.map_or(0, |place| self.names.number(place))
    }

    /// The places that other nodes have told of.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// A client announces to this node.
    ///
    /// # Errors
    /// When there is no room for another swarm or peer; nothing was changed.
    pub fn announce(&mut self, hash: InfoHash, who: &Presence, now: Time) -> Result<Change, Full> {
        if who.event == Event::Stopped && !self.knows(&hash) {
            return Ok(Change::Nothing);
        }
        let tick = Tick::of(now);
        self.enter(hash, who.addr, tick, |swarm, key| {
            swarm.announce(who, tick, key)
        })
    }

    /// Another node tells of a peer. Nothing changes when the peer announces to this node.
    ///
    /// # Errors
    /// When there is no room for another swarm or peer; nothing was changed.
    pub fn hear(&mut self, hash: InfoHash, heard: &Heard, now: Time) -> Result<Change, Full> {
        if heard.age_ms >= self.expiry_ms || heard.addr.port() == 0 {
            return Ok(Change::Nothing);
        }
        let identity = self.identity_of(heard.addr);
        let tick = Tick::of(now);
        self.enter(hash, heard.addr, tick, |swarm, key| {
            swarm.hear(heard, identity, tick, key)
        })
    }

    /// A peer announced to this node before it was started again: as [`Self::hear`], but the peer
    /// counts as this node's own.
    ///
    /// # Errors
    /// When there is no room for another swarm or peer; nothing was changed.
    pub fn adopt(&mut self, hash: InfoHash, heard: &Heard, now: Time) -> Result<Change, Full> {
        if heard.age_ms >= self.expiry_ms || self.lists(&hash, heard.addr) {
            return Ok(Change::Nothing);
        }
        let presence = Presence {
            addr: heard.addr,
            identity: self.identity_of(heard.addr),
            seed: heard.seed,
            by: None,
            event: if heard.paused {
                Event::Paused
            } else {
                Event::Regular
            },
        };
        let tick = Tick::of(now);
        let seen = tick.before(heard.age_ms);
        self.enter(hash, heard.addr, tick, |swarm, key| {
            swarm.announce(&presence, seen, key)
        })
    }

    /// An earlier life of this node counted so many completed downloads. Of no effect when there is no
    /// room for the swarm.
    pub fn recall(&mut self, hash: InfoHash, downloaded: u64, now: Time) {
        let has_room = self.knows(&hash) || self.places.len() < self.bounds.swarms;
        if downloaded > 0
            && has_room
            && let Some(swarm) = self.swarm_mut(hash, Tick::of(now))
        {
            swarm.recall(downloaded);
        }
    }

    /// Drops the peers of other nodes that are not in `listed`: they have left. Only for a list that
    /// is known to be whole, for it costs a look at every peer.
    pub fn forget_unlisted(&mut self, hash: &InfoHash, listed: &BTreeSet<SocketAddr>) {
        let key = self.key;
        let place = self.place_of(hash);
        if let Some(Some(swarm)) = place.and_then(|place| self.swarms.get_mut(place)) {
            let before = swarm.len();
            swarm.forget(listed, key);
            let after = swarm.len();
            self.peers = (self.peers + after).saturating_sub(before);
        }
    }

    /// Takes over what other nodes count in a swarm together.
    pub fn count_elsewhere(&mut self, hash: &InfoHash, counts: Counts, now: Time) {
        let place = self.place_of(hash);
        let swarm = place.and_then(|place| self.swarms.get_mut(place));
        if let Some(Some(swarm)) = swarm {
            swarm.set_elsewhere(counts, Tick::of(now));
        }
    }

    pub(crate) fn swarm(&self, hash: &InfoHash) -> Option<&Swarm> {
        self.swarms.get(self.place_of(hash)?)?.as_ref()
    }

    /// Where a swarm is.
    fn place_of(&self, hash: &InfoHash) -> Option<usize> {
        let recent = self.recent.get();
        let found = self.swarms.get(recent).and_then(Option::as_ref);
        if found.is_some_and(|swarm| swarm.hash == *hash) {
            return Some(recent);
        }
        let place = *self.places.get(hash)? as usize;
        self.recent.set(place);
        Some(place)
    }

    /// What stands for an address whose client is not known.
    fn identity_of(&self, addr: SocketAddr) -> u64 {
        let mut room = [0; 16];
        let octets = address_bytes(addr.ip(), &mut room);
        self.secret.mac(b'a', &[octets, &addr.port().to_be_bytes()])
    }

    fn enter(
        &mut self,
        hash: InfoHash,
        addr: SocketAddr,
        now: Tick,
        act: impl FnOnce(&mut Swarm, u64) -> Change,
    ) -> Result<Change, Full> {
        let key = self.key;
        let found = self.swarm(&hash);
        let full = match found {
            None => self.places.len() >= self.bounds.swarms,
            Some(swarm) => swarm.len() >= MAX_PEERS_PER_SWARM,
        };
        let known = || found.is_some_and(|swarm| swarm.has(addr, key));
        // Whoever is listed already may stay, and leave.
        if (full || self.peers >= self.bounds.peers) && !known() {
            return Err(Full);
        }
        let Some(swarm) = self.swarm_mut(hash, now) else {
            return Err(Full);
        };
        let before = swarm.len();
        let change = act(swarm, key);
        let after = swarm.len();
        self.peers = (self.peers + after).saturating_sub(before);
        Ok(change)
    }

    /// The swarm, made when it is not there.
    fn swarm_mut(&mut self, hash: InfoHash, now: Tick) -> Option<&mut Swarm> {
        let place = match self.place_of(&hash) {
            Some(place) => place,
            None => {
                let place = match self.free.pop() {
                    Some(place) => place,
                    None => {
                        self.swarms.push(None);
                        u32::try_from(self.swarms.len() - 1).ok()?
                    }
                };
                *self.swarms.get_mut(place as usize)? = Some(Swarm::new(hash, now));
                self.places.insert(hash, place);
                place as usize
            }
        };
        self.swarms.get_mut(place)?.as_mut()
    }

    fn remove(&mut self, hash: &InfoHash) {
        if let Some(place) = self.places.remove(hash)
            && let Some(slot) = self.swarms.get_mut(place as usize)
        {
            *slot = None;
            self.free.push(place);
        }
    }
}
