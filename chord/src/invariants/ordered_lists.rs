//! Every list is in ring order from its owner: no duplicates, never the owner itself.

use super::incremental::Lists;
use super::{Member, Violation};
use overlay::Id;
use std::collections::BTreeSet;

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
    check_list(member.id, member.successors)
}

fn check_list(owner: Id, successors: &[Id]) -> Result<(), Violation> {
    let mut before = Id::ZERO;
    for (index, entry) in successors.iter().enumerate() {
        let distance = owner.distance_to(*entry);
        if distance <= before {
            return Err(Violation {
                invariant: "ordered lists",
                text: format!("entry {index} of {owner} is {entry}, which is not farther on"),
            });
        }
        before = distance;
    }
    Ok(())
}

/// The members whose lists are out of order, kept up to date from change to change.
#[derive(Clone, Debug, Default)]
pub(super) struct Disordered(BTreeSet<Id>);

impl Disordered {
    /// The list of `owner` is this now.
    pub(super) fn changed(&mut self, owner: Id, list: &[Id]) {
        if check_list(owner, list).is_ok() {
            self.0.remove(&owner);
        } else {
            self.0.insert(owner);
        }
    }

    /// `id` is no member any more.
    pub(super) fn gone(&mut self, id: Id) {
        self.0.remove(&id);
    }

    /// As [`check`].
    pub(super) fn check(&self, lists: &Lists) -> Result<(), Violation> {
        let list = self.0.first().and_then(|owner| lists.get_key_value(owner));
        list.map_or(Ok(()), |(owner, list)| check_list(*owner, list))
    }
}
