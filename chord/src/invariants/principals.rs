//! At least r + 1 members are principals: the second half of Zave's invariant.
//!
//! A principal is a live member that no live member's list skips: for no adjacent pair (a, b) of
//! any list, with its owner in front, does it lie strictly between a and b.

use super::{Member, Violation, place_of};
use overlay::Id;

/// Checks that a network with lists of `length` entries has enough principals. `members` is
/// sorted by id.
///
/// # Errors
/// When there are fewer than `length + 1`.
pub fn check(members: &[Member<'_>], length: usize) -> Result<(), Violation> {
    let count = count(members);
    if count > length {
        return Ok(());
    }
    Err(Violation {
        invariant: "principals",
        text: format!("{count} principals, {} are needed", length + 1),
    })
}

/// Number of principals.
#[must_use]
pub fn count(members: &[Member<'_>]) -> usize {
    // Over places in the snapshot: +1 where a skipped run begins, -1 where it ends.
    let mut steps = vec![0_i32; members.len() + 1];
    for (index, member) in members
        .iter()
        .enumerate()
        .filter(|(_, member)| member.alive)
    {
        let mut from = Ok(index);
        let mut before = member.id;
        for entry in member.successors {
            // By far the most common: the entry is the next one, so nobody is skipped.
            let next = from.map_or_else(|place| place, |place| place + 1);
            let next = if next == members.len() { 0 } else { next };
            if from.is_ok() && members[next].id == *entry && before != *entry {
                (before, from) = (*entry, Ok(next));
                continue;
            }
            let to = place_of(members, *entry, next);
            skip(&mut steps, (before, *entry), (from, to));
            (before, from) = (*entry, to);
        }
    }
    let mut depth = 0;
    let counted = members.iter().zip(&steps).filter(|(member, step)| {
        depth += **step;
        member.alive && depth == 0
    });
    counted.count()
}

/// Marks the places strictly between the ids of a pair.
fn skip(steps: &mut [i32], pair: (Id, Id), places: (Result<usize, usize>, Result<usize, usize>)) {
    let size = steps.len() - 1;
    // The first place after the one id, the first place not before the other.
    let begin = places.0.map_or_else(|place| place, |place| place + 1);
    let end = places.1.unwrap_or_else(|place| place);
    if pair.0 < pair.1 {
        mark(steps, begin, end);
    } else {
        mark(steps, begin, size);
        mark(steps, 0, end);
    }
}

fn mark(steps: &mut [i32], begin: usize, end: usize) {
    if begin < end {
        steps[begin] += 1;
        steps[end] -= 1;
    }
}
