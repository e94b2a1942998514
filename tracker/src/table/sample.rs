//! Samples of the table for other nodes: peers of a swarm, and info-hashes.

use super::entry::{Address, Entry, PAUSED, REMOTE, SEED, Tick};
use super::{Heard, Table};
use crate::ids::InfoHash;
use crate::stride::Stride;
use overlay::Time;
use rand_core::Rng;

impl Table {
    /// Peers of a swarm that announce to this node, at most `most` of each group, with their age:
    /// seeds first. The younger half of a group is not preferred.
    pub fn own_peers(
        &self,
        hash: &InfoHash,
        most: usize,
        now: Time,
        rng: &mut dyn Rng,
    ) -> Vec<Heard> {
        let Some(swarm) = self.swarm(hash) else {
            return Vec::new();
        };
        let tick = Tick::of(now);
        let mut found = Vec::new();
        let (seeds, others) = swarm.v4.groups();
        let six = swarm.v6.as_deref().map(|family| family.groups());
        let (seeds6, others6) = six.unwrap_or_default();
        sample(seeds, most, tick, self.expiry_ms, rng, &mut found);
        sample(seeds6, most, tick, self.expiry_ms, rng, &mut found);
        sample(others, most, tick, self.expiry_ms, rng, &mut found);
        sample(others6, most, tick, self.expiry_ms, rng, &mut found);
        found
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

/// Up to `most` of a group, at random, of those that announced here.
fn sample<A: Address>(
    group: &[Entry<A>],
    most: usize,
    now: Tick,
    expiry_ms: u32,
    rng: &mut dyn Rng,
    found: &mut Vec<Heard>,
) {
    let wanted = found.len() + most;
    // A few times as many are looked at as are wanted: most of a large swarm may be of other nodes.
    let walk = Stride::below(group.len(), rng).take(most.saturating_mul(8));
    for entry in walk.filter_map(|at| group.get(at)) {
        let age_ms = now.since(entry.seen);
        if found.len() >= wanted {
            break;
        }
        if !entry.has(REMOTE) && age_ms < expiry_ms {
            found.push(Heard {
                addr: entry.addr(),
                seed: entry.has(SEED),
                paused: entry.has(PAUSED),
                age_ms,
                place: 0,
            });
        }
    }
}
