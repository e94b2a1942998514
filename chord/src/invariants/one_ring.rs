//! There is exactly one ring, it is ordered, and every other member is connected to it.
//!
//! The ring of a network is what the first live successors form: members from which one comes
//! back to oneself. All others (appendages) lead into it.

use super::live_successor::first_live;
use super::{Member, Violation};
use overlay::Id;

/// Checks the snapshot, which is sorted by id. Members without a live successor are a violation
/// of another invariant and of this one.
///
/// # Errors
/// When there is no ring, more than one, or one that is out of order.
pub fn check(members: &[Member<'_>]) -> Result<(), Violation> {
    let violation = |text: String| {
        Err(Violation {
            invariant: "one ring",
            text,
        })
    };
    let mut seen = vec![0_usize; members.len()];
    let mut ring = None;
    for start in 0..members.len() {
        if !members[start].alive || seen[start] != 0 {
            continue;
        }
        // Walks until something seen: on this walk it is a new ring, earlier it was connected.
        let mut at = start;
        while seen[at] == 0 {
            seen[at] = start + 1;
            match first_live(members, at) {
                Some(next) => at = next,
                None => return violation(format!("{} leads nowhere", members[at].id)),
            }
        }
        if seen[at] != start + 1 {
            continue;
        }
        if let Some(first) = ring.replace(at) {
            let (one, two): (Id, Id) = (members[first].id, members[at].id);
            return violation(format!("{one} and {two} are in different rings"));
        }
        if let Some(wraps) = times_round(members, at).filter(|wraps| *wraps != 1) {
            return violation(format!(
                "the ring of {} goes round {wraps} times",
                members[at].id
            ));
        }
    }
    match ring {
        None if members.iter().any(|member| member.alive) => violation("there is no ring".into()),
        _ => Ok(()),
    }
}

/// How often the ring through `start` passes the point zero: once, when it is ordered.
fn times_round(members: &[Member<'_>], start: usize) -> Option<usize> {
    let (mut at, mut wraps) = (start, 0);
    loop {
        let next = first_live(members, at)?;
        wraps += usize::from(next <= at);
        at = next;
        if at == start {
            return Some(wraps);
        }
    }
}
