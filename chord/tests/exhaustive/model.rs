//! Small circles: contacts for the numbers 0..n, and the invariants over a handful of members.

use chord::Ring;
use chord::invariants::{self, Member, Violation};
use overlay::{Contact, Id};

/// Length of the successor list.
pub(crate) const R: usize = 2;

/// The contact of identifier `number`.
pub(crate) fn contact(number: u8) -> Contact {
    let mut bytes = [0; 20];
    bytes[0] = number * 16;
    Contact {
        id: Id(bytes),
        addr: ([127, 0, 0, 1], 4000 + u16::from(number)).into(),
    }
}

/// The identifier of a contact.
pub(crate) fn number(contact: &Contact) -> u8 {
    contact.id.0[0] / 16
}

/// The rings of the live members, by identifier.
pub(crate) type Network = Vec<Option<Ring>>;

/// The ideal ring of the identifiers in `members`, given by bits.
pub(crate) fn ideal(identifiers: u8, members: u8) -> Network {
    let live = |id: u8| members & (1 << id) != 0;
    (0..identifiers)
        .map(|me| {
            let round = |step: u8| (me + step) % identifiers;
            let next: Vec<_> = (1..identifiers).map(round).filter(|id| live(*id)).collect();
            let before = (1..identifiers)
                .rev()
                .map(round)
                .find(|id| live(*id))
                .map(contact);
            let list = next.iter().take(R).map(|id| contact(*id)).collect();
            live(me).then(|| Ring::with(contact(me), R, list, before))
        })
        .collect()
}

/// Checks all invariants.
pub(crate) fn check(network: &Network) -> Result<(), Violation> {
    let lists: Vec<Vec<Id>> = network
        .iter()
        .map(|ring| {
            ring.iter()
                .flat_map(Ring::successors)
                .map(|entry| entry.id)
                .collect()
        })
        .collect();
    let members: Vec<Member<'_>> = (0..network.len())
        .map(|index| Member {
            id: contact(index as u8).id,
            alive: network[index].is_some(),
            successors: &lists[index],
            predecessor: None,
        })
        .collect();
    invariants::check_all(&members, R)
}

/// Whether `dead` may fail: Zave's operating assumption.
pub(crate) fn may_fail(network: &Network, dead: usize) -> bool {
    let mut after = network.clone();
    after[dead] = None;
    let live = after.iter().flatten().all(|ring| {
        ring.successors()
            .iter()
            .any(|entry| after[usize::from(number(entry))].is_some())
    });
    live && check(&after).is_ok()
}
