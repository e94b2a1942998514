//! Samples of the table for other nodes: peers of a swarm, and info-hashes.

use super::entry::{Address, Entry, PAUSED, REMOTE, SEED, TWIN, Tick};
use super::{Counts, Heard, Table, rank};
use crate::ids::InfoHash;
use crate::stride::Stride;
use overlay::Time;
use rand_core::Rng;
use std::collections::{BTreeSet, BinaryHeap};

/// Peers of a swarm that announce to this node.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// How many clients they are, but for those that are too old.
    pub counts: Counts,
    /// Some of them, with their age: seeds first.
    pub peers: Vec<Heard>,
}

impl Table {
    /// Peers of a swarm that announce to this node, at most `most` of each group. Of a group that has
    /// more, in turn who has the lowest [`rank`] and who announced last: of the first `n` of a group,
    /// at least half are those of the lowest rank of all, by which other nodes tell who announces to
    /// several; and whoever is new is among them.
    ///
    /// It looks at every peer of the swarm, as the sweep does: a million take ten milliseconds, and a
    /// large swarm is published every five seconds and looked up every ten at most.
    #[must_use]
    pub fn own_peers(&self, hash: &InfoHash, most: usize, now: Time) -> Own {
        let Some(swarm) = self.swarm(hash) else {
            return Own::default();
        };
        let six = swarm.v6.as_deref().map(|family| family.groups());
        let (seeds6, others6) = six.unwrap_or_default();
        let (seeds, others) = swarm.v4.groups();
        let choose = Choose {
            hash,
            most,
            now: Tick::of(now),
            expiry_ms: self.expiry_ms,
        };
        let mut own = Own::default();
        choose.from(seeds, &mut own);
        choose.from(seeds6, &mut own);
        choose.from(others, &mut own);
        choose.from(others6, &mut own);
        own.counts.downloaded = swarm.own_counts().downloaded;
        own
    }

    /// At most `most` info-hashes, at random, of swarms that have peers.
    pub fn sample_hashes(&self, most: usize, rng: &mut dyn Rng) -> Vec<InfoHash> {
        // Places may be empty; a few times as many are looked at.
        let walk = Stride::below(self.swarms.len(), rng).take(most.saturating_mul(8));
        let found = walk.filter_map(|at| self.swarms.get(at)?.as_ref());
        let alive = found.filter(|swarm| swarm.len() > 0);
        alive.map(|swarm| swarm.hash).take(most).collect()
    }
}

/// How to choose from a group.
struct Choose<'a> {
    hash: &'a InfoHash,
    most: usize,
    now: Tick,
    expiry_ms: u32,
}

impl Choose<'_> {
    fn from<A: Address>(&self, group: &[Entry<A>], own: &mut Own) {
        let mut lowest = Least::of(self.most);
        let mut newest = Least::of(self.most);
        for (at, entry) in group.iter().enumerate() {
            let age_ms = self.now.since(entry.seen);
            if entry.has(REMOTE) || age_ms >= self.expiry_ms {
                continue;
            }
            own.counts = own.counts.plus(one(entry));
            let rank = rank(self.hash, entry.addr());
            lowest.offer((rank, at));
            newest.offer((u64::from(age_ms), at));
        }
        let in_turn = lowest.sorted().zip(newest.sorted());
        let mut chosen = BTreeSet::new();
        let order = in_turn
            .flat_map(|(low, new)| [low, new])
            .filter(|at| chosen.insert(*at));
        let entries = order.take(self.most).filter_map(|at| group.get(at));
        own.peers.extend(entries.map(|entry| Heard {
            addr: entry.addr(),
            seed: entry.has(SEED),
            paused: entry.has(PAUSED),
            age_ms: self.now.since(entry.seen),
            place: 0,
        }));
    }
}

/// One client; it counts by IPv4 if it is there, too.
fn one<A: Address>(entry: &Entry<A>) -> Counts {
    if entry.has(TWIN) {
        return Counts::default();
    }
    let is_seed = entry.has(SEED);
    Counts {
        complete: u64::from(is_seed),
        incomplete: u64::from(!is_seed),
        downloaders: u64::from(!is_seed && !entry.has(PAUSED)),
        downloaded: 0,
    }
}

/// The least of what is offered, up to a bound.
struct Least {
    heap: BinaryHeap<(u64, usize)>,
    most: usize,
}

impl Least {
    fn of(most: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            most,
        }
    }

    fn offer(&mut self, one: (u64, usize)) {
        if self.heap.len() < self.most {
            self.heap.push(one);
        } else if let Some(mut greatest) = self.heap.peek_mut()
            && one < *greatest
        {
            *greatest = one;
        }
    }

    /// The places, the least first.
    fn sorted(self) -> impl Iterator<Item = usize> {
        self.heap.into_sorted_vec().into_iter().map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::Event;
    use crate::table::{Bounds, Presence};
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;
    use std::net::SocketAddr;

    const HASH: InfoHash = InfoHash([1; 20]);
    const EXPIRY_MS: u32 = 1_000_000;

    fn addr(number: u32) -> SocketAddr {
        SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0a00_0000 + number), 6881))
    }

    /// So many clients of this node, one each millisecond, and so many more of others.
    fn table(own: u32, heard: u32) -> Table {
        let mut table = Table::new(
            Bounds::default(),
            EXPIRY_MS,
            &mut Pcg64Mcg::seed_from_u64(7),
        );
        for number in 0..heard {
            let heard = Heard {
                addr: addr(1 << 20 | number),
                seed: false,
                paused: false,
                age_ms: 0,
                place: 0,
            };
            table.hear(HASH, &heard, Time(0)).unwrap();
        }
        for number in 0..own {
            let presence = Presence {
                addr: addr(number),
                identity: number.into(),
                seed: false,
                event: Event::Started,
                by: None,
            };
            let at = Time(u64::from(number) * 1_000);
            table.announce(HASH, &presence, at).unwrap();
        }
        table
    }

    #[test]
    fn nobody_who_announces_here_is_missed_among_those_of_other_nodes() {
        let table = table(50, 2_000);
        let peers = table.own_peers(&HASH, 87, Time(50_000)).peers;
        let found: BTreeSet<SocketAddr> = peers.iter().map(|peer| peer.addr).collect();
        assert_eq!(found, (0..50).map(addr).collect());
    }

    #[test]
    fn who_is_too_old_is_neither_counted_nor_named() {
        let table = table(10, 0);
        let own = table.own_peers(&HASH, 87, Time(u64::from(EXPIRY_MS + 4) * 1_000));
        assert_eq!((own.counts.incomplete, own.peers.len()), (5, 5));
        assert_eq!(table.own_counts(&HASH).incomplete, 10, "it is not swept");
    }

    #[test]
    fn of_many_the_newest_are_there_and_those_of_the_lowest_rank() {
        let table = table(3_000, 1_000);
        let Own { counts, peers } = table.own_peers(&HASH, 80, Time(3_000_000));
        assert_eq!(counts, table.own_counts(&HASH));
        assert_eq!(peers.len(), 80);
        let has = |number: u32| peers.iter().any(|peer| peer.addr == addr(number));
        assert!((2_970..3_000).all(has), "{peers:?}");
        let mut ranks: Vec<u64> = (0..3_000).map(|number| rank(&HASH, addr(number))).collect();
        ranks.sort_unstable();
        // Of whatever beginning fits a text, half are those of the lowest rank.
        for count in [1, 2, 3, 40, 79, 80] {
            let begin = peers.iter().take(count);
            let lowest = ranks.iter().take(count.div_ceil(2));
            let begin: BTreeSet<u64> = begin.map(|peer| rank(&HASH, peer.addr)).collect();
            assert!(
                lowest.into_iter().all(|rank| begin.contains(rank)),
                "{count}"
            );
        }
    }
}
