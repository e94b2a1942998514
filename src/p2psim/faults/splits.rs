//! Under which seeds the network is split for minutes.
//!
//! A usual spell is over before any timer ends that decides: copies expire after three comparisons,
//! then each side takes itself for the network, and after ten minutes what is not heard of counts as
//! lost. Under one seed in [`ONE_IN`] partitions last until before and after each of these, and the
//! safety phase is so much longer; its entropy is its own, so that the other seeds do not notice. Not
//! where the grace period is short: what is apart for longer than that may be lost. Nor where half of
//! the replicas of a dead root know everything that was acknowledged, as with N = W = 3: then each
//! side of a partition can be sure, and both decide about conditions.

use super::disturb::SPELL;
use dht::DhtConfig;
use overlay::Duration;
use sim::Dice;

/// The stream of entropy that this is drawn from.
const SPLITS: u64 = 5;
/// How many seeds come to one with long partitions.
const ONE_IN: u64 = 8;
/// The longest partition: copies expire after up to three minutes, and roots wait for ten.
const LONGEST: [Duration; 3] = [
    Duration::from_secs(100),
    Duration::from_secs(250),
    Duration::from_secs(720),
];

/// How long partitions are under one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongSplits {
    longest: Duration,
}

impl LongSplits {
    /// What the seed says; none for the usual spells.
    pub(super) fn draw(seed: u64, config: &DhtConfig) -> Option<Self> {
        let mut dice = Dice::new(seed, SPLITS);
        let know_everything = config.replicas - config.write_quorum + 1;
        if dice.below(ONE_IN) != 0 || know_everything <= (config.replicas - 1) / 2 {
            return None;
        }
        let longest = *dice.pick(&LONGEST)?;
        Some(Self { longest })
    }

    /// How much longer the safety phase is: a long partition and what follows fit into it.
    pub(super) const fn lengthens(&self) -> Duration {
        Duration(self.longest.0 * 3 / 2)
    }

    /// How long one partition is.
    pub(super) fn length(&self, dice: &mut Dice) -> Duration {
        dice.span(SPELL.1, self.longest)
    }
}
