//! Under which seeds the network has other quorums than the ones that ship.
//!
//! Under one seed in [`ONE_IN`]; its entropy is its own, so that the other seeds do not notice. All
//! of them keep the promise that a read in calm sees the newest write, R + W > N. W is at least 2,
//! since a disk that is lost may be the only one with what one node alone acknowledged; so is R, since
//! a root that takes others for dead is believed alone with R = 1; and N at least 3, since two nodes
//! and the next two may both be all that there is, as far as they know.

use dht::DhtConfig;
use sim::Dice;

/// The stream of entropy that this is drawn from.
const QUORUMS: u64 = 4;
/// How many seeds come to one with other quorums.
const ONE_IN: u64 = 4;
/// Replicas, and how many of them must hold a write, and answer a read.
const CHOICE: [(usize, usize, usize); 6] = [
    (3, 3, 2),
    (3, 2, 3),
    (4, 2, 3),
    (4, 3, 2),
    (5, 3, 3),
    (5, 2, 4),
];

/// Sets what the seed says, unless a test asks for other settings than those that ship.
pub(super) fn draw(seed: u64, config: &mut DhtConfig) {
    let usual = DhtConfig::default();
    let are_usual = config.replicas == usual.replicas
        && config.write_quorum == usual.write_quorum
        && config.read_quorum == usual.read_quorum;
    let mut dice = Dice::new(seed, QUORUMS);
    if !are_usual || dice.below(ONE_IN) != 0 {
        return;
    }
    if let Some(&(replicas, write, read)) = dice.pick(&CHOICE) {
        config.replicas = replicas;
        config.write_quorum = write;
        config.read_quorum = read;
    }
}
