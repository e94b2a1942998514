//! Dropping who is too old, a part at a time.

use super::Table;
use super::entry::Tick;
use crate::front_end::Ways;
use crate::ids::InfoHash;
use overlay::Time;

/// How often the sweep goes round within the expiry.
const ROUNDS_PER_EXPIRY: u64 = 8;
/// A swarm costs a sweep as much as so many peers.
const SWARM_WEIGHT: usize = 4;
/// Least that a call of the sweep looks at.
const LEAST_SWEEP: usize = 256;
/// Most, but for one swarm that is larger: some milliseconds, in which nobody is answered.
const MOST_SWEEP: usize = 1 << 16;
/// How long a swarm without peers is kept for the sake of its count of completed downloads, unless
/// swarms take half of the room: one address could fill all of it in a day.
const KEEP_EMPTY_MS: u32 = 24 * 3_600_000;

impl Table {
    /// Looks at a part of the peers, as large as the time since the last call demands, and drops
    /// those that are too old. `changed` hears of each swarm that lost a client of this node.
    pub fn sweep(&mut self, now: Time, mut changed: impl FnMut(InfoHash)) {
        let elapsed_ms = now.since(self.swept_at).as_millis();
        self.swept_at = now;
        let all = (self.peers + SWARM_WEIGHT * self.swarms.len()) as u64;
        let share = all.saturating_mul(elapsed_ms.saturating_mul(ROUNDS_PER_EXPIRY))
            / u64::from(self.expiry_ms.max(1));
        let due = usize::try_from(share.min(all))
            .unwrap_or(usize::MAX)
            .clamp(LEAST_SWEEP, MOST_SWEEP);
        let mut left = due.saturating_sub(self.ahead);
        self.ahead = self.ahead.saturating_sub(due);
        let tick = Tick::of(now);
        if self.swarms.is_empty() {
            self.ways = Ways::default();
        }
        // Once round at most.
        for _ in 0..self.swarms.len() {
            if left == 0 {
                break;
            }
            let at = self.cursor;
            let weight = self.sweep_swarm(at, tick, &mut changed);
            self.cursor = at + 1;
            if self.cursor >= self.swarms.len() {
                self.cursor = 0;
                self.ways = std::mem::take(&mut self.counting);
            }
            self.ahead += weight.saturating_sub(left);
            left = left.saturating_sub(weight);
        }
    }

    /// Gives what it cost.
    fn sweep_swarm(&mut self, at: usize, now: Tick, changed: &mut impl FnMut(InfoHash)) -> usize {
        let (expiry_ms, key) = (self.expiry_ms, self.key);
        let Some(Some(swarm)) = self.swarms.get_mut(at) else {
            return 1;
        };
        let weight = swarm.len() + SWARM_WEIGHT;
        let mut ways = Ways::default();
        let (dropped, own) = swarm.expire(now, expiry_ms, key, &mut ways);
        self.counting.add_swarm(&ways);
        self.peers -= dropped;
        if own {
            changed(swarm.hash);
        }
        let is_crowded = self.places.len() > self.bounds.swarms / 2;
        let keep_ms = match swarm.own_counts().downloaded {
            1.. if !is_crowded => expiry_ms.max(KEEP_EMPTY_MS),
            _ => expiry_ms,
        };
        if swarm.len() == 0 && now.since(swarm.touched) > keep_ms {
            let hash = swarm.hash;
            if swarm.own_counts().downloaded > 0 {
                changed(hash);
            }
            self.remove(&hash);
        }
        weight
    }
}
