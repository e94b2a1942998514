//! The environment that a seed chooses.

use super::disturb::Troubles;
use overlay::Duration;
use sim::{Chance, Clock, Config, Dice, Latency};

/// What the network and the disks are like in one run.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Entries in the successor lists.
    pub(super) successors: usize,
    /// Losses all the time.
    pub(super) loss: Chance,
    /// Copies all the time.
    pub(super) duplicate: Chance,
    /// Late messages all the time.
    pub(super) reorder: Chance,
    /// How late.
    pub(super) jitter: Duration,
    /// Mean time between two operations of clients.
    pub(super) operation_every: Duration,
    /// Mean time between two disturbances, once the last one is repaired.
    pub(super) disturb_every: Duration,
    /// Length of the phase with faults.
    pub(super) safety: Duration,
    /// What goes wrong how often.
    pub(super) troubles: Troubles,
    /// Largest drift of a clock, in parts of a million.
    drift_ppm: i32,
    /// Largest error of a wall clock: at most, two differ by a little less than the bound of a minute
    /// beyond which a peer is refused.
    wall_error_ms: i64,
}

impl Profile {
    /// Draws a profile, and sets the parts of the world that cannot change later.
    pub(super) fn draw(dice: &mut Dice, config: &mut Config) -> Self {
        let fastest = Duration::from_millis(1 + dice.below(30));
        config.latency = if dice.below(3) == 0 {
            Latency::Constant(fastest)
        } else {
            let slowest = Duration(fastest.0 + 1_000 * dice.below(120));
            Latency::Uniform {
                low: fastest,
                high: slowest,
            }
        };
        config.detect_down = dice.below(2) == 0;
        config.fsync = (
            Duration::from_micros(200),
            Duration::from_millis(1 + dice.below(30)),
        );
        let sometimes = |dice: &mut Dice, most: u64| match dice.below(2) {
            0 => Chance::default(),
            _ => Chance(dice.below(most) as u32),
        };
        Self {
            successors: 3 + dice.below(6) as usize,
            loss: sometimes(dice, 30_000),
            duplicate: sometimes(dice, 30_000),
            reorder: sometimes(dice, 100_000),
            jitter: Duration::from_millis(dice.below(400)),
            operation_every: Duration::from_millis(150 + dice.below(500)),
            disturb_every: Duration::from_secs(5 + dice.below(15)),
            safety: Duration::from_secs(120 + dice.below(120)),
            troubles: Troubles::draw(dice),
            drift_ppm: 200,
            wall_error_ms: [50, 1_500, 4_000, 25_000][dice.index(4)],
        }
    }

    /// Draws the clocks of one node.
    pub(super) fn clock(&self, dice: &mut Dice) -> Clock {
        let drift =
            dice.below(u64::from(2 * self.drift_ppm.unsigned_abs())) as i32 - self.drift_ppm;
        let ahead = dice.below(2 * self.wall_error_ms.unsigned_abs()) as i64 - self.wall_error_ms;
        Clock {
            drift_ppm: drift,
            wall_ahead_ms: ahead,
        }
    }
}
