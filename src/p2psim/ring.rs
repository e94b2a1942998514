//! Chord nodes in a world: built, started, looked into.

use chord::{Chord, ChordConfig, ChordMessage, ChordTimer, Period};
use overlay::lookup::{LookupConfig, Routing, RoutingMessage, RoutingTimer};
use overlay::{Contact, Duration, Id, Machine, Time};
use sim::{Oracle, World, address_of};

/// A node that only routes.
pub(super) type Node = Routing<Chord>;

/// The kind of messages that maintain the ring, in the world's counters.
pub(super) const CONTROL: usize = 0;
/// The kind of messages that carry lookups.
const LOOKUP: usize = 1;

/// Stabilisation in the paper's experiments: uniformly every 15 to 45 s.
pub(super) const PAPER_PERIOD: (Duration, Duration) =
    (Duration::from_secs(15), Duration::from_secs(45));
/// The stream of entropy that node ids come from.
const IDS: u32 = 100;

/// A machine with a Chord node inside.
pub(super) trait HasChord: Machine {
    fn chord(&self) -> &Chord;
}

impl HasChord for Node {
    fn chord(&self) -> &Chord {
        self.router()
    }
}

/// What the nodes of an experiment have in common.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) successors: usize,
    pub(super) maintain: bool,
    pub(super) lookup: LookupConfig,
}

impl Settings {
    fn chord(&self) -> ChordConfig {
        ChordConfig {
            successors: self.successors,
            stabilize: Period::new(PAPER_PERIOD.0, PAPER_PERIOD.1),
            adaptive: false,
            maintain: self.maintain,
            ..ChordConfig::default()
        }
    }

    /// Fills an empty world with `count` nodes that have correct tables; gives their oracle.
    pub(super) fn build(&self, world: &mut World<Node>, count: usize) -> Oracle {
        let mut dice = world.dice(IDS);
        let mut contacts: Vec<Contact> = (0..count)
            .map(|node| Contact {
                id: dice.id(),
                addr: address_of(node),
            })
            .collect();
        // Node n lives at address n, wherever its id falls: neighbours are far apart as in reality.
        let ids: Vec<Id> = contacts.iter().map(|contact| contact.id).collect();
        contacts.sort_unstable();
        for id in &ids {
            let at = contacts.partition_point(|contact| contact.id < *id);
            world.add(*id, |_| {
                let chord = chord::tables::correct(&contacts, at, self.chord());
                Routing::new(chord, self.lookup.clone())
            });
        }
        Oracle::complete(ids.into_iter().enumerate().map(|(node, id)| (id, node)))
    }

    /// A node that has not joined yet.
    pub(super) fn fresh(&self, me: Contact) -> Node {
        Routing::new(Chord::new(me, self.chord()), self.lookup.clone())
    }
}

/// The kind of a message.
pub(super) const fn kind_of(message: &RoutingMessage<ChordMessage>) -> usize {
    match message {
        RoutingMessage::Router(_) => CONTROL,
        RoutingMessage::Lookup(_) => LOOKUP,
    }
}

/// Lets a node that was built with its tables begin to maintain them.
pub(super) fn start(world: &mut World<Node>, node: usize, at: Time) {
    world.arm(node, at, RoutingTimer::Router(ChordTimer::Start));
}
