//! How an answer comes about: for a person who wonders why a client is told of these peers.

use crate::choice::{self, Families, Offer, Offered, Reason, Wish};
use crate::ids::InfoHash;
use crate::table::{Address, Counts, Entry, PAUSED, SEED, Swarm, Tick};
use crate::tracker::Tracker;
use overlay::Time;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Most peers of each family that are looked at one by one: some milliseconds. Of larger swarms it
/// is said how many were looked at.
pub const MAX_LOOKED_AT: usize = 1 << 16;

/// How an answer to a client at an address comes about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether this node knows the swarm.
    pub known: bool,
    /// What an answer says of the swarm, as far as is known: seeders, leechers, completed.
    pub counts: [u64; 3],
    /// What of it this node has seen itself; the rest is what other nodes say.
    pub own: [u64; 3],
    /// Whether the asker is listed, and if so, whether it has everything.
    pub listed_as_seed: Option<bool>,
    /// Where the asker is.
    pub place: Option<Placed>,
    /// Peers that are listed here, of both families.
    pub peers: u64,
    /// Of them those that were looked at one by one for what follows.
    pub looked_at: u64,
    /// Who was not to be offered.
    pub left_out: LeftOut,
    /// Peers that would be offered if this client announced now.
    pub offered: Vec<Given>,
}

/// Where somebody is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The place.
    pub place: String,
    /// The first and the last of the addresses that the table of places has there; none when it says
    /// nothing of the address, and it is the node's own location.
    pub range: Option<(std::net::IpAddr, std::net::IpAddr)>,
}

/// How many were left out, each for the first of these reasons that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The asker itself.
    pub asker: u64,
    /// They have not announced for too long.
    pub expired: u64,
    /// Seeds, where a seed asks.
    pub seeds: u64,
    /// Partial seeds, where a seed asks.
    pub partial_seeds: u64,
    /// Peers of the other address family, which an answer over UDP has no room for, and which over
    /// HTTP fill up what is left.
    pub other_family: u64,
}

/// A peer that would be offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Who.
    pub addr: SocketAddr,
    /// Whether it has everything.
    pub seed: bool,
    /// Where it is, when that is known.
    pub place: Option<String>,
    /// Why.
    pub why: Why,
}

/// Why a peer is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// There were no more than were wanted.
    Everybody,
    /// Drawn from those that are of most use: from seeds for one that downloads.
    Preferred,
    /// The nearest of those that were drawn; so many parts of the place are the same.
    Near(u32),
    /// Drawn from all.
    Random,
}

impl From<Offered> for Given {
    fn from(offered: Offered) -> Self {
        Self {
            addr: offered.addr,
            seed: offered.seed,
            place: offered.place.map(|place| place.to_string()),
            why: match offered.reason {
                Reason::Everybody => Why::Everybody,
                Reason::Preferred => Why::Preferred,
                Reason::Near(shared) => Why::Near(u32::try_from(shared).unwrap_or(u32::MAX)),
                Reason::Random => Why::Random,
            },
        }
    }
}

impl Tracker {
    /// How an answer to a client at `addr` would come about, which asks over HTTP for as many peers
    /// as a client gets that does not say how many. Nothing is changed.
    #[must_use]
    pub fn explain(
        &self,
        now: Time,
        hash: &InfoHash,
        addr: SocketAddr,
        rng: &mut dyn Rng,
    ) -> Explanation {
        let (config, tick) = (self.config(), Tick::of(now));
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let mut wish = Wish {
            count: config.default_numwant as usize,
            addr,
            identity: 0,
            seed: false,
            families: Families::Both,
            places: Some(&self.places).filter(|places| !places.is_empty()),
            location: config.location.as_ref(),
            names: Some(self.table.names()),
        };
        let place = wish.place_of_own(addr.ip()).map(|place| Placed {
            place: place.to_string(),
            range: self.places.around(addr.ip()),
        });
        let Some(swarm) = self.table.swarm(hash) else {
            return Explanation {
                place,
                ..Explanation::default()
            };
        };
        let listed = find(swarm, addr);
        if let Some((identity, seed)) = listed {
            wish = Wish {
                identity,
                seed,
                ..wish
            };
        }
        let (mut offer, mut offered) = (Offer::default(), Vec::new());
        let expiry_ms = config.expiry_ms;
        choice::choose(
            swarm,
            &wish,
            tick,
            expiry_ms,
            rng,
            &mut offer,
            Some(&mut offered),
        );
        let mut left_out = LeftOut::default();
        let (four, six) = (
            swarm.v4.entries(),
            swarm.v6.as_deref().map(|v6| v6.entries()),
        );
        let mut looked_at = count(four, &wish, tick, expiry_ms, &mut left_out);
        looked_at += six.map_or(0, |six| count(six, &wish, tick, expiry_ms, &mut left_out));
        Explanation {
            known: true,
            counts: numbers(swarm.counts()),
            own: numbers(swarm.own_counts()),
            listed_as_seed: listed.map(|(_, seed)| seed),
            place,
            peers: swarm.len() as u64,
            looked_at,
            left_out,
            offered: offered.into_iter().map(Given::from).collect(),
        }
    }
}

const fn numbers(counts: Counts) -> [u64; 3] {
    [counts.complete, counts.incomplete, counts.downloaded]
}

/// What is listed at an address: who it is, and whether it has everything.
fn find(swarm: &Swarm, addr: SocketAddr) -> Option<(u64, bool)> {
    fn among<A: Address>(entries: &[Entry<A>], addr: SocketAddr) -> Option<(u64, bool)> {
        let mut looked_at = entries.iter().take(MAX_LOOKED_AT);
        let found = looked_at.find(|entry| entry.addr() == addr)?;
        Some((found.identity(), found.has(SEED)))
    }
    let six = || among(swarm.v6.as_deref()?.entries(), addr);
    among(swarm.v4.entries(), addr).or_else(six)
}

/// Counts who is left out; gives how many were looked at.
fn count<A: Address>(
    entries: &[Entry<A>],
    wish: &Wish<'_>,
    now: Tick,
    expiry_ms: u32,
    out: &mut LeftOut,
) -> u64 {
    let mut looked_at = 0;
    for entry in entries.iter().take(MAX_LOOKED_AT) {
        looked_at += 1;
        let addr = entry.addr();
        if addr == wish.addr || entry.identity() == wish.identity {
            out.asker += 1;
        } else if now.since(entry.seen) > expiry_ms {
            out.expired += 1;
        } else if wish.seed && entry.has(SEED) {
            out.seeds += 1;
        } else if wish.seed && entry.has(PAUSED) {
            out.partial_seeds += 1;
        } else if addr.is_ipv4() != wish.addr.is_ipv4() {
            out.other_family += 1;
        }
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::Event;
    use crate::place::Places;
    use crate::table::Presence;
    use crate::tracker::Config;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    const HASH: InfoHash = InfoHash([7; 20]);

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn tracker(clients: &[(&str, bool, u64)]) -> Tracker {
        let rng = &mut Pcg64Mcg::seed_from_u64(1);
        let config = Config {
            expiry_ms: 10_000,
            location: "dc9".parse().ok(),
            ..Config::default()
        };
        let mut tracker = Tracker::new(config, rng);
        tracker.places = Places::parse("10.0.7.0/24 dc1/rack7").unwrap();
        for (number, (at, seed, ms)) in clients.iter().enumerate() {
            let presence = Presence {
                by: None,
                addr: addr(at),
                identity: 1 + number as u64,
                seed: *seed,
                event: Event::Started,
            };
            let entered = tracker.table.announce(HASH, &presence, Time(ms * 1_000));
            assert!(entered.is_ok());
        }
        tracker
    }

    fn explain(tracker: &Tracker, at: &str) -> Explanation {
        let rng = &mut Pcg64Mcg::seed_from_u64(2);
        tracker.explain(Time(10_001_000), &HASH, addr(at), rng)
    }

    #[test]
    fn everybody_who_is_left_out_is_counted_with_the_reason() {
        let tracker = tracker(&[
            ("10.0.7.1:1", true, 5_000),
            ("10.0.7.2:1", true, 5_000),
            ("10.0.7.3:1", false, 5_000),
            ("10.0.7.4:1", false, 0),
            ("[2001:db8::1]:1", false, 5_000),
        ]);
        let seed = explain(&tracker, "10.0.7.1:1");
        assert_eq!(seed.listed_as_seed, Some(true));
        let expected = LeftOut {
            asker: 1,
            expired: 1,
            seeds: 1,
            partial_seeds: 0,
            other_family: 1,
        };
        assert_eq!(
            (seed.left_out, seed.peers, seed.looked_at),
            (expected, 5, 5)
        );
        let of = |given: &Explanation| -> Vec<_> {
            given.offered.iter().map(|peer| peer.addr).collect()
        };
        assert_eq!(of(&seed), [addr("10.0.7.3:1"), addr("[2001:db8::1]:1")]);
        // Who is not listed is answered as one that downloads.
        let stranger = explain(&tracker, "192.0.2.1:9");
        assert_eq!(stranger.listed_as_seed, None);
        assert_eq!((stranger.left_out.seeds, stranger.offered.len()), (0, 4));
        assert_eq!((stranger.counts, stranger.own), ([2, 3, 0], [2, 3, 0]));
    }

    #[test]
    fn the_place_comes_with_the_rule_that_gave_it() {
        let tracker = tracker(&[]);
        let of = |at: &str| {
            let place = explain(&tracker, at).place.expect("a place");
            let range = place.range.map(|(first, last)| format!("{first} {last}"));
            (place.place, range)
        };
        let rack = (
            "dc1/rack7".to_owned(),
            Some("10.0.7.0 10.0.7.255".to_owned()),
        );
        assert_eq!(of("10.0.7.9:1"), rack);
        assert_eq!(of("192.0.2.1:1"), ("dc9".to_owned(), None), "the location");
        assert!(!explain(&tracker, "10.0.7.9:1").known, "no such swarm");
    }

    #[test]
    fn of_a_large_swarm_a_fifth_is_by_chance() {
        let clients: Vec<_> = (0..300)
            .map(|port| format!("10.0.7.1:{}", 1 + port))
            .collect();
        let clients: Vec<_> = clients.iter().map(|at| (&**at, false, 5_000)).collect();
        let given = explain(&tracker(&clients), "10.0.7.200:1").offered;
        let near = given.iter().filter(|peer| peer.why == Why::Near(2)).count();
        let random = given.iter().filter(|peer| peer.why == Why::Random).count();
        assert_eq!((near, random), (40, 10));
    }
}
