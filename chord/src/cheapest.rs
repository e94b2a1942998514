//! Which of the nodes before a key is next: the one from which the whole way is expected to be the
//! shortest in time.
//!
//! The closest to the key needs the fewest hops. But what is close to the key is far from this node
//! more often than not, and fingers by proximity help least in the last octaves, where there are few
//! nodes to choose from. So a hop costs its round trip and what is still to come, as in CFS (Dabek et
//! al., SOSP 2001, on server selection): the usual round trip for each hop that is expected after it.
//! From a node whose list has the root one is left, whichever it is, and it counts for nothing.

use crate::node::Chord;
use overlay::{Contact, Duration, Id};

/// What is to come from just outside of the successor list, and what more from each octave beyond, in
/// parts of the usual round trip: hops that are chosen by proximity are shorter than that.
const FIRST: u64 = 6;
const OCTAVE: u64 = 5;
const PARTS_OF_USUAL: u64 = 16;

impl Chord {
    /// The next hop before the key at this distance; none when no round trips are known.
    pub(crate) fn cheapest_before(
        &self,
        distance: Id,
        skip: &dyn Fn(Id) -> bool,
    ) -> Option<Contact> {
        let far = |contact: &Contact| self.me.id.distance_to(contact.id);
        let successors = self.ring.successors();
        // That far the list of another node reaches, most probably.
        let reach = far(successors.get(successors.len() * 3 / 4)?);
        let rtt_of = |contact: &Contact| self.rtt.get(contact.id).map(|it| it.smoothed());
        let usual = usual(successors.iter().filter_map(rtt_of))?;
        let fingers = self.fingers.entries().iter().map(|finger| &finger.peer);
        let fingers = fingers.map(|peer| (&peer.contact, peer.rtt));
        let listed = successors.iter().map(|contact| (contact, rtt_of(contact)));
        let before = fingers
            .chain(listed)
            .filter(|(contact, _)| far(contact) < distance && !skip(contact.id));
        let costs = before.filter_map(|(contact, rtt)| {
            let rest = far(contact).distance_to(distance);
            Some((rtt?.0 + to_come(rest, reach, usual), contact))
        });
        costs.min().map(|(_, contact)| *contact)
    }
}

/// The mean round trip to nodes that nobody chose; none when none is known.
fn usual(round_trips: impl Iterator<Item = Duration>) -> Option<u64> {
    let (mut sum, mut count) = (0, 0);
    for round_trip in round_trips {
        sum += round_trip.0;
        count += 1;
    }
    (count > 0).then(|| sum / count)
}

/// What the way from a node is expected to take, but for its last hop, in microseconds.
fn to_come(rest: Id, reach: Id, usual: u64) -> u64 {
    if rest <= reach {
        return 0;
    }
    let zeros = |id: Id| u64::from(id.shared_prefix_bits(Id::ZERO));
    let octaves = zeros(reach).saturating_sub(zeros(rest));
    usual * (FIRST + OCTAVE * octaves) / PARTS_OF_USUAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChordConfig, Finger};
    use overlay::Time;
    use overlay::proximity::Nearest;

    fn contact(number: u64) -> Contact {
        Contact {
            id: Id::from_u64(number),
            addr: ([127, 0, 0, 1], 1).into(),
        }
    }

    /// Node 0 with the successors 1 to 8, 100 ms away, and these fingers.
    fn chord(fingers: &[(u64, u64)]) -> Chord {
        let successors: Vec<Contact> = (1..=8).map(contact).collect();
        let finger = |(number, ms): &(u64, u64)| {
            let rtt = Some(Duration::from_millis(*ms));
            let peer = Nearest::new(contact(*number), rtt, Time::ZERO);
            Finger { slot: 0, peer }
        };
        let fingers = fingers.iter().map(finger).collect();
        let config = ChordConfig::default();
        let mut chord = Chord::with_tables(contact(0), config, successors, None, fingers);
        for number in 1..=8 {
            let id = contact(number).id;
            chord
                .rtt
                .observe(id, Duration::from_millis(100), Time::ZERO);
        }
        chord
    }

    fn next(chord: &Chord, key: u64) -> Option<u64> {
        let next = chord.cheapest_before(Id::from_u64(key), &|_| false);
        (0..2_000).find(|number| next == Some(contact(*number)))
    }

    #[test]
    fn of_nodes_whose_lists_have_the_root_the_nearest_is_next() {
        let chord = chord(&[(20, 90), (22, 10), (24, 200)]);
        assert_eq!(next(&chord, 26), Some(22));
    }

    #[test]
    fn a_near_node_is_no_reason_for_many_more_hops() {
        let chord = chord(&[(20, 1), (1_000, 150)]);
        assert_eq!(next(&chord, 1_004), Some(1_000));
        assert_eq!(next(&chord, 30), Some(20));
    }

    #[test]
    fn without_round_trips_nothing_is_cheaper() {
        let successors: Vec<Contact> = (1..=8).map(contact).collect();
        let config = ChordConfig::default();
        let chord = Chord::with_tables(contact(0), config, successors, None, Vec::new());
        assert_eq!(next(&chord, 30), None);
    }
}
