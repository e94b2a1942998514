//! Correct tables built directly: a large network without growing it.

use crate::fingers::start_of;
use crate::{Chord, ChordConfig};
use overlay::{Contact, ID_BITS, Id};

/// The node `ids[index]` of the network `ids`, with correct successors, predecessor and fingers.
///
/// `ids` is sorted by id, without duplicates. The cost is O((r + log N) log N); the memory is that
/// of the tables themselves, see [`Chord`].
///
/// # Panics
/// When `index` is not below the length of `ids`: it is the caller's own number.
#[must_use]
pub fn correct(ids: &[Contact], index: usize, config: ChordConfig) -> Chord {
    let me = ids[index];
    let others = ids.len() - 1;
    let length = config.list_length().min(others);
    let successors: Vec<Contact> = (1..=length)
        .map(|step| ids[(index + step) % ids.len()])
        .collect();
    let predecessor = (others > 0).then(|| ids[(index + others) % ids.len()]);
    let fingers = match successors.last() {
        Some(last) if length < others => fingers_beyond(ids, me, last.id),
        _ => Vec::new(),
    };
    Chord::with_tables(me, config, successors, predecessor, fingers)
}

/// The fingers whose start lies beyond the last successor.
fn fingers_beyond(ids: &[Contact], me: Contact, last: Id) -> Vec<(u8, Contact)> {
    let reach = me.id.distance_to(last);
    let mut fingers = Vec::with_capacity(24);
    for exponent in (0..ID_BITS as u8).rev() {
        if Id::power_of_two(u32::from(exponent)) <= reach {
            break;
        }
        let owner = successor_of(ids, start_of(me.id, exponent));
        if owner.id != me.id {
            fingers.push((exponent, owner));
        }
    }
    fingers
}

/// The first node at or after `key`: what every lookup must find. `ids` is sorted and not empty.
#[must_use]
pub fn successor_of(ids: &[Contact], key: Id) -> Contact {
    let at = ids.partition_point(|contact| contact.id < key);
    ids[at % ids.len()]
}
