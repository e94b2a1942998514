//! Every list is in ring order from its owner: no duplicates, never the owner itself.

use super::{Member, Violation};
use overlay::Id;

/// Checks every live member. Holds in the bootstrap phase too.
///
/// # Errors
/// The first member whose list is out of order.
pub fn check(members: &[Member<'_>]) -> Result<(), Violation> {
    members.iter().try_for_each(check_one)
}

/// Checks one member.
///
/// # Errors
/// When its list is out of order.
pub fn check_one(member: &Member<'_>) -> Result<(), Violation> {
    if !member.alive {
        return Ok(());
    }
    let mut before = Id::ZERO;
    for (index, entry) in member.successors.iter().enumerate() {
        let distance = member.id.distance_to(*entry);
        if distance <= before {
            let (owner, entry) = (member.id, entry);
            return Err(Violation {
                invariant: "ordered lists",
                text: format!("entry {index} of {owner} is {entry}, which is not farther on"),
            });
        }
        before = distance;
    }
    Ok(())
}
