//! Under which seeds deletions are collected.
//!
//! A grace period of a day outlasts every run. Under one seed in [`ONE_IN`] it is some minutes, and the
//! safety phase so much longer; its entropy is its own, so that the other seeds do not notice.
//!
//! It cannot be shorter than it takes until what one side of a partition wrote has been handed over,
//! to a root that may have to wait until it presumes the rest lost: what is kept from the others for
//! longer than the grace period may be lost. So that wait is scaled with it.

use super::disturb::{HAND_OVER_WITHIN, SPELL};
use overlay::Duration;
use sim::Dice;

/// The stream of entropy that all this is drawn from.
const GRACE: u64 = 3;
/// How many seeds come to one with a short grace period.
const ONE_IN: u64 = 4;
/// How long a root waits for those who know more: all are back in a quarter of it, as with the ten
/// minutes that ship, but for one that is away for long.
pub(super) const PRESUME_LOST: Duration = Duration::from_secs(100);
/// How much longer than a partition and what follows from it the grace period is, at least and at
/// most: clocks differ by up to 50 s.
const LONGER_BY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(100));
/// Time for the sweep to find what is old, and for the comparison after that.
const COLLECTED_WITHIN: Duration = Duration::from_secs(150);
/// How long beyond the grace period a node is away, at least and at most: what is deleted at first
/// is collected before it comes back.
const AWAY_LONGER_BY: (Duration, Duration) = (Duration::from_secs(70), Duration::from_secs(250));
/// One crash in so many keeps a node away for longer than the grace period, where any does.
const AWAY_ONE_IN: u64 = 2;

/// A short grace period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    /// How long it is.
    pub(super) period_s: u64,
    /// Whether nodes are away for longer.
    pub(super) is_outstayed: bool,
}

impl Grace {
    /// What the seed says; none for the grace period that ships.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut dice = Dice::new(seed, GRACE);
        if dice.below(ONE_IN) != 0 {
            return None;
        }
        let apart = HAND_OVER_WITHIN.0 + SPELL.1.0 + PRESUME_LOST.0;
        let period = apart + dice.span(LONGER_BY.0, LONGER_BY.1).0;
        Some(Self {
            period_s: period.div_ceil(1_000_000),
            is_outstayed: dice.below(3) != 0,
        })
    }

    /// How much longer the safety phase is.
    pub(super) const fn lengthens(&self) -> Duration {
        Duration(self.period_s * 1_000_000 + COLLECTED_WITHIN.0)
    }

    /// How long a node that crashed with its disk stays away; none for the usual time.
    pub(super) fn away(&self, dice: &mut Dice) -> Option<Duration> {
        if !self.is_outstayed || dice.below(AWAY_ONE_IN) != 0 {
            return None;
        }
        let more = dice.span(AWAY_LONGER_BY.0, AWAY_LONGER_BY.1);
        Some(Duration(self.period_s * 1_000_000 + more.0))
    }
}
