//! By which way clients come, and how many came by each.

use crate::table::{Entry, REMOTE};

/// By which way a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEnd {
    /// HTTP.
    Http,
    /// UDP.
    Udp,
    /// BitTorrent's DHT.
    Mainline,
}

impl FrontEnd {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Http, Self::Udp, Self::Mainline];

    /// Its name, in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Udp => "udp",
            Self::Mainline => "mainline",
        }
    }

    /// As two bits of a byte of flags; without any nobody knows.
    pub(crate) const fn flags(self) -> u8 {
        (self as u8 + 1) << SHIFT
    }
}

/// Where the bits are.
const SHIFT: u8 = 5;
const MASK: u8 = 0b11 << SHIFT;

/// The ways of peers: the front-ends, and the overlay for those of other nodes.
pub const WAYS: [&str; 4] = [
    FrontEnd::Http.word(),
    FrontEnd::Udp.word(),
    FrontEnd::Mainline.word(),
    "overlay",
];
/// The last of them.
const OVERLAY: usize = WAYS.len() - 1;

/// The way of a peer with these flags, by its place in [`WAYS`].
const fn way_of(flags: u8) -> usize {
    let bits = (flags & MASK) >> SHIFT;
    // Whoever announced to an earlier life of this node was told of by the overlay, too.
    if flags & REMOTE != 0 || bits == 0 {
        OVERLAY
    } else {
        bits as usize - 1
    }
}

/// How many there are, by way: places as in [`WAYS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Peers, each at the way of its last announce.
    pub peers: [usize; WAYS.len()],
    /// Swarms that have a peer that came so: one may be at several ways.
    pub swarms: [usize; WAYS.len()],
}

impl Ways {
    /// One more peer of the swarm that is being counted.
    pub(crate) fn count<A>(&mut self, entry: &Entry<A>) {
        if let Some(count) = self.peers.get_mut(way_of(entry.flags)) {
            *count += 1;
        }
    }

    /// Adds the peers of one swarm.
    pub(crate) fn add_swarm(&mut self, of: &Self) {
        let all = self.peers.iter_mut().zip(&mut self.swarms);
        for ((peers, swarms), count) in all.zip(of.peers) {
            *peers += count;
            *swarms += usize::from(count > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::Event;
    use crate::ids::InfoHash;
    use crate::table::{Bounds, Heard, Presence, Table};
    use overlay::Time;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;
    use std::net::{IpAddr, SocketAddr};

    const EXPIRY_MS: u32 = 10_000;

    fn hash(number: u8) -> InfoHash {
        InfoHash([number; 20])
    }

    fn four(number: u8) -> SocketAddr {
        SocketAddr::new(IpAddr::from([10, 0, 0, number]), 6881)
    }

    fn who(number: u8, by: Option<FrontEnd>, event: Event) -> Presence {
        Presence {
            by,
            addr: four(number),
            identity: number.into(),
            seed: number.is_multiple_of(2),
            event,
        }
    }

    fn ms(at: u64) -> Time {
        Time(at * 1_000)
    }

    /// The way of the last announce counts; what other nodes tell of came by the overlay.
    #[test]
    fn the_sweep_counts_peers_and_swarms_by_their_ways() {
        let mut rng = Pcg64Mcg::seed_from_u64(7);
        let mut table = Table::new(Bounds::default(), EXPIRY_MS, &mut rng);
        let come = |table: &mut Table, swarm, number, by| {
            let presence = who(number, by, Event::Regular);
            table.announce(hash(swarm), &presence, ms(0)).unwrap();
        };
        let (http, udp) = (Some(FrontEnd::Http), Some(FrontEnd::Udp));
        for (swarm, number, by) in [(1, 1, http), (1, 2, http), (1, 3, udp), (2, 4, http)] {
            come(&mut table, swarm, number, by);
        }
        come(&mut table, 2, 5, Some(FrontEnd::Mainline));
        let heard = Heard {
            addr: four(6),
            seed: true,
            paused: false,
            age_ms: 0,
            place: 0,
        };
        table.hear(hash(3), &heard, ms(0)).unwrap();
        table
            .adopt(
                hash(3),
                &Heard {
                    addr: four(7),
                    ..heard
                },
                ms(0),
            )
            .unwrap();
        table.sweep(ms(100), |_| {});
        let ways = *table.ways();
        assert_eq!((ways.peers, ways.swarms), ([3, 1, 1, 2], [2, 1, 1, 1]));
        assert_eq!(ways.peers.iter().sum::<usize>(), table.peers());
        // One comes by another way now, one becomes a seed, one has left, and one is known better.
        come(&mut table, 1, 1, udp);
        table
            .announce(hash(2), &who(5, None, Event::Stopped), ms(0))
            .unwrap();
        come(&mut table, 3, 6, Some(FrontEnd::Mainline));
        table.sweep(ms(200), |_| {});
        let ways = *table.ways();
        assert_eq!((ways.peers, ways.swarms), ([2, 2, 1, 1], [2, 1, 1, 1]));
        table.sweep(ms(u64::from(EXPIRY_MS) + 200), |_| {});
        assert_eq!(table.ways().peers, [0; 4], "all have expired");
    }
}
