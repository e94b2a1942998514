//! Once quiet: leaf sets are the true neighbours.

use crate::{Pastry, Side};
use overlay::{Contact, Id};

/// Checks one node of the network whose members are `members`, sorted by id.
///
/// # Errors
/// In words, what the set is and what it should be.
pub fn leaf_sets_are_the_neighbours(node: &Pastry, members: &[Id]) -> Result<(), String> {
    let me = node.me.id;
    let Ok(at) = members.binary_search(&me) else {
        return Err(format!("{} is no member", node.me));
    };
    let count = members.len();
    let length = node.config().half().min(count - 1);
    for side in [Side::Larger, Side::Smaller] {
        let nth = |step: usize| match side {
            Side::Larger => members[(at + step) % count],
            Side::Smaller => members[(at + count - step) % count],
        };
        let expected: Vec<Id> = (1..=length).map(nth).collect();
        let known: Vec<Id> = node
            .leaves()
            .side(side)
            .map(|leaf: &Contact| leaf.id)
            .collect();
        if known != expected {
            return Err(format!(
                "the {side:?} side of {} is {known:?}, not {expected:?}",
                node.me
            ));
        }
    }
    Ok(())
}
