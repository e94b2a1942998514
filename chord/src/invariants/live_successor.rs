//! Every live member has a live entry in its successor list: the first half of Zave's invariant.

use super::{Member, Violation, place_of};

/// Checks every live member of the snapshot, which is sorted by id.
///
/// # Errors
/// The first member without a live successor.
pub fn check(members: &[Member<'_>]) -> Result<(), Violation> {
    (0..members.len()).try_for_each(|index| check_one(members, index))
}

/// Checks the member at `index`.
///
/// # Errors
/// When it is alive and none of its successors is.
pub fn check_one(members: &[Member<'_>], index: usize) -> Result<(), Violation> {
    let Some(member) = members.get(index) else {
        return Ok(());
    };
    if !member.alive || first_live(members, index).is_some() {
        return Ok(());
    }
    let (owner, entries) = (member.id, member.successors.len());
    Err(Violation {
        invariant: "live successor",
        text: format!("none of the {entries} successors of {owner} is alive"),
    })
}

/// The place of the first live entry in the list of the member at `index`.
pub(crate) fn first_live(members: &[Member<'_>], index: usize) -> Option<usize> {
    let mut guess = index;
    members[index].successors.iter().find_map(|entry| {
        let place = place_of(members, *entry, guess).ok()?;
        guess = place;
        members[place].alive.then_some(place)
    })
}
