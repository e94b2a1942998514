//! Correct tables built directly: a large network without growing it.

use crate::cession::Part;
use crate::fingers::{Finger, Fingers};
use crate::node::{Doubt, Phase};
use crate::slots::{may_be_finger, offset_of, slots, start_of};
use crate::{ALTERNATES, Chord, ChordConfig, Ring};
use overlay::proximity::{Distance, Nearest};
use overlay::{Contact, Id, Time};

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
        Some(last) if length < others => fingers_beyond(ids, index, last.id, &config, distance),
        _ => Vec::new(),
    };
    let mut chord = Chord::with_tables(me, config, successors, predecessor, fingers);
    if let Some(distance) = distance {
        for at in (1..=length).map(|step| (index + step) % ids.len()) {
            chord
                .rtt
                .observe(ids[at].id, distance(index, at), Time::ZERO);
        }
    }
    chord
}

impl Chord {
    /// A member with the given tables, for networks that are built and not grown.
    ///
    /// It answers at once, but maintains nothing before it gets [`ChordTimer::Start`](crate::ChordTimer::Start) (or
    /// [`Chord::start`] is called); let the phases of many nodes differ.
    #[must_use]
    pub fn with_tables(
        me: Contact,
        config: ChordConfig,
        successors: Vec<Contact>,
        predecessor: Option<Contact>,
        fingers: Vec<Finger>,
    ) -> Self {
        let mut chord = Self::new(me, config);
        chord.ring = Ring::with(me, chord.config.list_length(), successors, predecessor);
        chord.phase = Phase::Member;
        chord.doubt = Doubt::Unheard;
        chord.part = Part::from(chord.ring.predecessor().map(|known| known.id));
        chord.fingers = Fingers::given(me.id, fingers);
        chord.watch_failures(Time::ZERO);
        chord.history.saw(&chord.ring);
        chord
    }

    /// Says that the nodes of the given tables are alive, as in a network that has run for a while:
    /// a predecessor that is slow is asked, instead of answering in its place.
    pub fn assume_alive(&mut self) {
        self.doubt = Doubt::None;
    }
}

/// The fingers whose start lies beyond the last successor.
fn fingers_beyond(
    ids: &[Contact],
    index: usize,
    last: Id,
    config: &ChordConfig,
    distance: Option<Distance<'_>>,
) -> Vec<Finger> {
    let (me, parts) = (ids[index], config.parts());
    let reach = me.id.distance_to(last);
    let mut fingers = Vec::with_capacity(24);
    for slot in (0..slots(parts)).rev() {
        if offset_of(slot, parts) <= reach {
            break;
        }
        let first = index_of_successor(ids, start_of(me.id, slot, parts));
        let fits = |at: &usize| may_be_finger(me.id, slot, parts, ids[*at].id);
        if config.proximity && !fits(&first) {
            continue;
        }
        let alternates = (0..ALTERNATES).map(|step| (first + step) % ids.len());
        let nearest = distance.and_then(|distance| {
            alternates
                .take_while(fits)
                .map(|at| (distance(index, at), at))
                .min()
                .map(|(rtt, at)| (Some(rtt), at))
        });
        let (rtt, at) = nearest.unwrap_or((None, first));
        let peer = Nearest::new(ids[at], rtt, Time::ZERO);
        if peer.contact.id != me.id {
            fingers.push(Finger { slot, peer });
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
