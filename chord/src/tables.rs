//! Correct tables built directly: a large network without growing it.

use crate::fingers::start_of;
use crate::near::may_be_finger;
use crate::{ALTERNATES, Chord, ChordConfig};
use overlay::{Contact, Duration, ID_BITS, Id};

/// How far two nodes of a network that is built are from each other, by their indices.
pub type Distance<'a> = &'a dyn Fn(usize, usize) -> Duration;

/// The node `ids[index]` of the network `ids`, with correct successors, predecessor and fingers;
/// by `distance` each finger is the nearest of its [alternates](crate::ALTERNATES).
///
/// `ids` is sorted by id, without duplicates. The cost is O((r + log N) log N); the memory is that
/// of the tables themselves, see [`Chord`].
///
/// # Panics
/// When `index` is not below the length of `ids`: it is the caller's own number.
#[must_use]
pub fn correct(
    ids: &[Contact],
    index: usize,
    config: ChordConfig,
    distance: Option<Distance<'_>>,
) -> Chord {
    let me = ids[index];
    let others = ids.len() - 1;
    let length = config.list_length().min(others);
    let successors: Vec<Contact> = (1..=length)
        .map(|step| ids[(index + step) % ids.len()])
        .collect();
    let predecessor = (others > 0).then(|| ids[(index + others) % ids.len()]);
    let fingers = match successors.last() {
        Some(last) if length < others => fingers_beyond(ids, index, last.id, distance),
        _ => Vec::new(),
    };
    Chord::with_tables(me, config, successors, predecessor, fingers)
}

/// The fingers whose start lies beyond the last successor.
fn fingers_beyond(
    ids: &[Contact],
    index: usize,
    last: Id,
    distance: Option<Distance<'_>>,
) -> Vec<(u8, Contact)> {
    let me = ids[index];
    let reach = me.id.distance_to(last);
    let mut fingers = Vec::with_capacity(24);
    for exponent in (0..ID_BITS as u8).rev() {
        if Id::power_of_two(u32::from(exponent)) <= reach {
            break;
        }
        let first = index_of_successor(ids, start_of(me.id, exponent));
        let fits = |at: &usize| may_be_finger(me.id, exponent, ids[*at].id);
        let alternates = (0..ALTERNATES).map(|step| (first + step) % ids.len());
        let nearest = distance.and_then(|distance| {
            alternates
                .take_while(fits)
                .min_by_key(|at| distance(index, *at))
        });
        let finger = ids[nearest.unwrap_or(first)];
        if finger.id != me.id {
            fingers.push((exponent, finger));
        }
    }
    fingers
}

fn index_of_successor(ids: &[Contact], key: Id) -> usize {
    ids.partition_point(|contact| contact.id < key) % ids.len()
}

/// The first node at or after `key`: what every lookup must find. `ids` is sorted and not empty.
#[must_use]
pub fn successor_of(ids: &[Contact], key: Id) -> Contact {
    ids[index_of_successor(ids, key)]
}
