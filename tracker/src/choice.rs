//! Which peers a client is told of.
//!
//! Never itself. A client that downloads is offered seeds first; one that has everything is offered
//! those that still download, and no seeds, who would be of no use to it. Of a swarm that is larger
//! than what is wanted the offer is drawn at random; where places are known the nearest of many drawn
//! are preferred, but at least a fifth is drawn at random from all, so that no group is cut off.

use crate::place::{Place, Places};
use crate::stride::Stride;
use crate::table::{Address, Entry, Names, PAUSED, REMOTE, Swarm, Tick};
use rand_core::Rng;
use std::net::{IpAddr, SocketAddr};

/// How many candidates are drawn to find near ones among them. In swarms up to this size the nearest
/// of all are found; each costs a look into the table of places.
pub const NEAR_CANDIDATES: usize = 512;
/// One of so many is always drawn at random.
pub const RANDOM_SHARE: usize = 5;

/// A walk looks at so many places for each peer that is wanted: where fewer than one in eight can be
/// offered, fewer are offered than were wanted, and no answer costs a look at a whole swarm.
const LOOKS_PER_PEER: usize = 8;
/// And at so many more, so that of swarms that are little larger than what is wanted nobody is missed.
const MORE_LOOKS: usize = 64;

/// Which address families an answer has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Both: first the asker's, the other one fills up what is left free.
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Families {
    /// The family of an address alone. What a datagram may hold follows the socket that it came
    /// from, whatever address its sender claims to have (BEP 15).
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

/// What is wanted, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Most peers.
    pub count: usize,
    /// Who asks: its address, which it is never told.
    pub addr: SocketAddr,
    /// Who asks, over both address families.
    pub identity: u64,
    /// Whether it has everything.
    pub seed: bool,
    /// Of which address families.
    pub families: Families,
    /// Where addresses are; none when nothing is known.
    pub places: Option<&'a Places>,
    /// Where clients of this node are of whose address nothing is said.
    pub location: Option<&'a Place>,
    /// Where those of other nodes are, as these say.
    pub names: Option<&'a Names>,
}

impl<'a> Wish<'a> {
    /// Where a client of this node is.
    pub(crate) fn place_of_own(&self, ip: IpAddr) -> Option<&'a Place> {
        let said = self.places.and_then(|places| places.of(ip));
        said.or(self.location)
    }

    /// Where somebody is who is listed: by the table of places, or by the node that tells of him.
    pub(crate) fn place_of<A: Address>(&self, entry: &Entry<A>) -> Option<&'a Place> {
        if !entry.has(REMOTE) {
            return self.place_of_own(entry.ip.ip());
        }
        let said = self.places.and_then(|places| places.of(entry.ip.ip()));
        said.or_else(|| self.names?.get(entry.place))
    }
}

/// The peers that are offered, in the compact form. The buffers are used again.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// IPv4: 6 bytes each.
    pub v4: Vec<u8>,
    /// IPv6: 18 bytes each.
    pub v6: Vec<u8>,
    /// Places in the vector of what was taken.
    taken: Vec<usize>,
}

impl Offer {
    /// The peers one by one.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let four = self.v4.chunks_exact(6).filter_map(|peer| {
            let (ip, port) = peer.split_first_chunk::<4>()?;
            Some(SocketAddr::new(
                (*ip).into(),
                u16::from_be_bytes(port.try_into().ok()?),
            ))
        });
        let six = self.v6.chunks_exact(18).filter_map(|peer| {
            let (ip, port) = peer.split_first_chunk::<16>()?;
            Some(SocketAddr::new(
                (*ip).into(),
                u16::from_be_bytes(port.try_into().ok()?),
            ))
        });
        four.chain(six).collect()
    }
}

/// Why a peer was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Everybody who could be was offered.
    Everybody,
    /// Drawn from the seeds, or from those that download.
    Preferred,
    /// The nearest of those that were drawn; so many parts of the place are the same.
    Near(usize),
    /// Drawn from all.
    Random,
}

/// One offered peer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Who.
    pub addr: SocketAddr,
    /// Whether it has everything.
    pub seed: bool,
    /// Where it is, when that is known.
    pub place: Option<Place>,
    /// Why.
    pub reason: Reason,
}

/// Fills the offer; `explain` hears of each peer.
pub(crate) fn choose(
    swarm: &Swarm,
    wish: &Wish<'_>,
    now: Tick,
    expiry_ms: u32,
    rng: &mut dyn Rng,
    offer: &mut Offer,
    mut explain: Option<&mut Vec<Offered>>,
) {
    offer.v4.clear();
    offer.v6.clear();
    let mut left = wish.count;
    let is_v4 = wish.addr.ip().to_canonical().is_ipv4();
    let families: &[bool] = match wish.families {
        Families::Both => &[is_v4, !is_v4],
        Families::V4 => &[true],
        Families::V6 => &[false],
    };
    for v4 in families.iter().copied() {
        if left == 0 {
            break;
        }
        offer.taken.clear();
        let taken = &mut offer.taken;
        if v4 {
            let (entries, seeds) = (swarm.v4.entries(), swarm.v4.seeds());
            let draw = Draw {
                entries,
                seeds,
                wish,
                asker: Address::of(wish.addr.ip()),
                now,
                expiry_ms,
            };
            left -= draw.run(left, taken, rng, &mut offer.v4, explain.as_deref_mut());
        } else if let Some(family) = swarm.v6.as_deref() {
            let (entries, seeds) = (family.entries(), family.seeds());
            let draw = Draw {
                entries,
                seeds,
                wish,
                asker: Address::of(wish.addr.ip()),
                now,
                expiry_ms,
            };
            left -= draw.run(left, taken, rng, &mut offer.v6, explain.as_deref_mut());
        }
    }
}

/// Drawing from one family.
struct Draw<'a, A> {
    entries: &'a [Entry<A>],
    seeds: usize,
    wish: &'a Wish<'a>,
    /// The asker's address, if it is of this family.
    asker: Option<A>,
    now: Tick,
    expiry_ms: u32,
}

impl<A: Address> Draw<'_, A> {
    /// Gives how many were offered.
    fn run(
        &self,
        count: usize,
        taken: &mut Vec<usize>,
        rng: &mut dyn Rng,
        out: &mut Vec<u8>,
        mut explain: Option<&mut Vec<Offered>>,
    ) -> usize {
        let all = self.entries.len();
        let first = if self.wish.seed { self.seeds } else { 0 };
        let mut take = |taken: &mut Vec<usize>, at: usize, reason| {
            if let Some(entry) = self.entries.get(at) {
                taken.push(at);
                entry.write(out);
                if let Some(list) = explain.as_deref_mut() {
                    list.push(self.describe(entry, reason));
                }
            }
        };
        if all - first <= count {
            for at in (first..all).filter(|at| self.is_offered(*at)) {
                take(taken, at, Reason::Everybody);
            }
            return taken.len();
        }
        let chosen = count - count.div_ceil(RANDOM_SHARE);
        // Seeds first for those that download; the others when seeds are not enough.
        for (from, to) in [(first, self.seeds.max(first)), (self.seeds.max(first), all)] {
            let wanted = chosen.saturating_sub(taken.len());
            self.prefer(from, to, wanted, rng, &mut |at, reason| {
                take(taken, at, reason)
            });
        }
        for at in Stride::below(all - first, rng).take(looks(count)) {
            if taken.len() >= count {
                break;
            }
            let at = first + at;
            if self.is_offered(at) && !taken.contains(&at) {
                take(taken, at, Reason::Random);
            }
        }
        taken.len()
    }

    /// Takes `wanted` of the places from `from` to before `to`: the nearest, if that is known.
    fn prefer(
        &self,
        from: usize,
        to: usize,
        wanted: usize,
        rng: &mut dyn Rng,
        take: &mut dyn FnMut(usize, Reason),
    ) {
        if wanted == 0 {
            return;
        }
        let walk = Stride::below(to - from, rng).map(|at| from + at);
        let drawn = |count: usize| {
            let looked_at = walk.take(looks(count));
            looked_at.filter(|at| self.is_offered(*at)).take(count)
        };
        let Some(here) = self.wish.place_of_own(self.wish.addr.ip()) else {
            drawn(wanted).for_each(|at| take(at, Reason::Preferred));
            return;
        };
        let near = |at: &usize| {
            let place = self.entries.get(*at).and_then(|entry| self.place_of(entry));
            place.map_or(0, |place| place.shared(here))
        };
        let mut candidates: Vec<(usize, usize)> = drawn(NEAR_CANDIDATES.max(wanted))
            .map(|at| (near(&at), at))
            .collect();
        // Stable: those that are equally near stay in random order.
        candidates.sort_by(|(one, _), (two, _)| two.cmp(one));
        for (shared, at) in candidates.into_iter().take(wanted) {
            take(at, Reason::Near(shared));
        }
    }

    fn is_offered(&self, at: usize) -> bool {
        self.entries.get(at).is_some_and(|entry| {
            let lives = self.now.since(entry.seen) <= self.expiry_ms;
            let is_there = entry.port == self.wish.addr.port() && Some(entry.ip) == self.asker;
            let is_asker = is_there || entry.identity() == self.wish.identity;
            // A partial seed downloads nothing either.
            let useless = self.wish.seed && entry.has(PAUSED);
            lives && !is_asker && !useless
        })
    }

    fn describe(&self, entry: &Entry<A>, reason: Reason) -> Offered {
        Offered {
            addr: entry.addr(),
            seed: entry.has(crate::table::SEED),
            place: self.place_of(entry).cloned(),
            reason,
        }
    }

    fn place_of(&self, entry: &Entry<A>) -> Option<&Place> {
        self.wish.place_of(entry)
    }
}

/// How many places are looked at to find so many.
const fn looks(count: usize) -> usize {
    count
        .saturating_mul(LOOKS_PER_PEER)
        .saturating_add(MORE_LOOKS)
}

#[cfg(test)]
mod tests;
