//! How many clients there are, when many announce to several nodes.
//!
//! A node says how many clients it has, and names some of them. Half of those that it names are the
//! ones of the lowest [`rank`], the same at every node: below the rank up to which all of them name
//! everybody, each client is named by every node that it announces to. How often they are named there,
//! on average, is how many times too large the sum of all counts is.
//!
//! That is exact where nodes name everybody, where nobody announces to several, and where all announce
//! to as many; between these it is as good as the sample.

use crate::ids::InfoHash;
use crate::table::{Counts, Heard, Own, rank};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The highest rank: everybody has this one or a lower one.
const EVERYBODY: u64 = u64::MAX;

/// Up to which rank everybody is named: of seeds and others, by IPv4 and IPv6.
#[derive(Clone, Copy, Debug)]
struct Horizon([u64; 4]);

impl Horizon {
    const fn place(peer: &Heard) -> usize {
        (peer.seed as usize) << 1 | peer.addr.is_ipv4() as usize
    }

    fn reaches(&self, named: &Named) -> bool {
        let rank = self.0.get(Self::place(&named.peer));
        rank.is_some_and(|most| named.rank <= *most)
    }

    fn narrow(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = (*own).min(other);
        }
    }
}

/// A client as one node names it.
#[derive(Clone, Copy, Debug)]
struct Named {
    peer: Heard,
    rank: u64,
    /// Whether this node names it: that is what the client said itself.
    own: bool,
}

/// What all nodes say of one swarm.
#[derive(Debug)]
pub(super) struct Distinct {
    hash: InfoHash,
    /// What they count, of the kinds of which they name somebody, and of those of which they do not.
    named: Counts,
    unnamed: Counts,
    horizon: Horizon,
    /// Whom they name, but for those who are overdue.
    peers: Vec<Named>,
    by_hand: BTreeSet<SocketAddr>,
    /// What this node counts.
    own: Counts,
}

impl Distinct {
    pub(super) const fn new(hash: InfoHash) -> Self {
        Self {
            hash,
            named: NOBODY,
            unnamed: NOBODY,
            horizon: Horizon([EVERYBODY; 4]),
            peers: Vec::new(),
            by_hand: BTreeSet::new(),
            own: NOBODY,
        }
    }

    /// What this node has, of which the table says all.
    pub(super) fn add_own(&mut self, own: &Own) {
        self.own = own.counts;
        self.enter(own.counts, &own.peers, u32::MAX, true);
    }

    /// A node counts so many, and names these. Who is overdue has gone, or announces to another node:
    /// of a sample that is not all, as large a part of those that are not named is, too. A node that
    /// died counts its clients for as long as its holder is there.
    pub(super) fn add(&mut self, counts: Counts, peers: &[Heard], overdue_ms: u32) {
        self.unnamed.downloaded = self.unnamed.downloaded.saturating_add(counts.downloaded);
        self.enter(counts, peers, overdue_ms, false);
    }

    fn enter(&mut self, counts: Counts, peers: &[Heard], overdue_ms: u32, own: bool) {
        let ranked = peers.iter().map(|peer| Named {
            peer: *peer,
            rank: rank(&self.hash, peer.addr),
            own,
        });
        let ranked: Vec<Named> = ranked.collect();
        let horizon = horizon_of(&counts, &ranked);
        let is_overdue = |named: &&Named| named.peer.age_ms >= overdue_ms;
        let sample = ranked.iter().filter(|named| horizon.reaches(named));
        let overdue = sum(sample.clone().filter(is_overdue));
        let sample = sum(sample);
        for kind in KINDS {
            let count = lasting(kind.of(&counts), kind.of(&sample), kind.of(&overdue));
            let all = match kind.of(&sample) {
                0 => &mut self.unnamed,
                _ => &mut self.named,
            };
            *kind.of_mut(all) = kind.of(all).saturating_add(count);
        }
        self.horizon.narrow(&horizon);
        let last = ranked.iter().filter(|named| !is_overdue(named));
        self.peers.extend(last);
    }

    /// Somebody was listed by hand, or by a program that uses holders for itself: a client that has not
    /// everything.
    pub(super) fn add_by_hand(&mut self, addr: SocketAddr) {
        if self.by_hand.insert(addr) {
            let peer = Heard {
                addr,
                seed: false,
                paused: false,
                age_ms: 0,
                place: 0,
            };
            let named = Named {
                peer,
                rank: rank(&self.hash, addr),
                own: false,
            };
            self.named = self.named.plus(one(&peer));
            self.peers.push(named);
        }
    }

    /// How many there are besides those of this node.
    pub(super) fn elsewhere(&self) -> Counts {
        // Who is named by several is what he said last.
        let mut last: BTreeMap<SocketAddr, (bool, u32, usize)> = BTreeMap::new();
        for (at, named) in self.peers.iter().enumerate() {
            let this = (!named.own, named.peer.age_ms, at);
            let known = last.entry(named.peer.addr).or_insert(this);
            *known = this.min(*known);
        }
        let (mut times, mut once) = (NOBODY, NOBODY);
        let within = |(_, named): &(usize, &Named)| self.horizon.reaches(named);
        for (at, named) in self.peers.iter().enumerate().filter(within) {
            let counts = one(&named.peer);
            times = times.plus(counts);
            let known = last.get(&named.peer.addr);
            if known.is_some_and(|(_, _, last)| *last == at) {
                once = once.plus(counts);
            }
        }
        let mut all = self.unnamed;
        for kind in KINDS {
            let (named, times) = (kind.of(&self.named), kind.of(&times));
            let count = match times {
                0 => named,
                _ => (named.saturating_mul(kind.of(&once)) + times / 2) / times,
            };
            *kind.of_mut(&mut all) = kind.of(&all).saturating_add(count);
        }
        Counts {
            downloaded: all.downloaded,
            ..all.minus(self.own)
        }
    }
}

const NOBODY: Counts = Counts {
    complete: 0,
    incomplete: 0,
    downloaders: 0,
    downloaded: 0,
};

/// What is counted of clients.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Complete,
    Incomplete,
    Downloaders,
}

const KINDS: [Kind; 3] = [Kind::Complete, Kind::Incomplete, Kind::Downloaders];

impl Kind {
    const fn of(self, counts: &Counts) -> u64 {
        match self {
            Self::Complete => counts.complete,
            Self::Incomplete => counts.incomplete,
            Self::Downloaders => counts.downloaders,
        }
    }

    const fn of_mut(self, counts: &mut Counts) -> &mut u64 {
        match self {
            Self::Complete => &mut counts.complete,
            Self::Incomplete => &mut counts.incomplete,
            Self::Downloaders => &mut counts.downloaders,
        }
    }
}

/// Up to which rank a node names everybody: it names all, or of those of each kind that it names at
/// least half are the ones of the lowest ranks.
fn horizon_of(counts: &Counts, named: &[Named]) -> Horizon {
    let all = sum(named.iter());
    let mut horizon = Horizon([EVERYBODY; 4]);
    for (place, most) in horizon.0.iter_mut().enumerate() {
        let is_whole = match place >> 1 {
            0 => counts.incomplete <= all.incomplete,
            _ => counts.complete <= all.complete,
        };
        let of_kind = named
            .iter()
            .filter(|named| Horizon::place(&named.peer) == place);
        let mut ranks: Vec<u64> = of_kind.map(|named| named.rank).collect();
        ranks.sort_unstable();
        if let Some(last) = ranks.len().div_ceil(2).checked_sub(1).filter(|_| !is_whole) {
            *most = ranks.get(last).copied().unwrap_or(EVERYBODY);
        }
    }
    horizon
}

/// Those of so many who are not overdue, by a sample.
fn lasting(count: u64, sample: u64, overdue: u64) -> u64 {
    let all = count.max(sample);
    count.saturating_sub(all.saturating_mul(overdue) / sample.max(1))
}

fn sum<'a>(named: impl Iterator<Item = &'a Named>) -> Counts {
    named.fold(NOBODY, |all, named| all.plus(one(&named.peer)))
}

/// One client.
fn one(peer: &Heard) -> Counts {
    Counts {
        complete: u64::from(peer.seed),
        incomplete: u64::from(!peer.seed),
        downloaders: u64::from(!peer.seed && !peer.paused),
        downloaded: 0,
    }
}

#[cfg(test)]
mod tests;
