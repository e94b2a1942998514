//! Nodes that store, in a network that starts with correct tables.

use chord::{Chord, ChordConfig, ChordTimer};
use dht::{Dht, DhtConfig, DhtMessage, DhtTimer, MemoryStore, StoreMessage};
use overlay::lookup::{LookupConfig, RoutingTimer};
use overlay::{Contact, Duration, KeyRouter, Time};
use sim::{World, address_of};

/// A node that stores.
pub(super) type Storing<R> = Dht<R, MemoryStore>;

/// The kind of messages that repair: comparisons of replicas, and the records that they move.
pub(super) const REPAIR: usize = 1;
/// The kind of all other messages.
const OTHER: usize = 0;
/// The stream of entropy that node ids come from.
const IDS: u32 = 100;
/// The stream of entropy that the nodes' first maintenance comes from.
const PHASES: u32 = 101;
/// The first maintenance of all nodes falls into this span.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// A router whose tables can be built directly.
pub(super) trait Prepared: KeyRouter + Sized {
    /// The node at an index of a network, which is sorted by id.
    fn prepared(contacts: &[Contact], at: usize) -> Self;
    /// The timer with which its maintenance begins.
    fn start() -> Self::Timer;
}

impl Prepared for Chord {
    fn prepared(contacts: &[Contact], at: usize) -> Self {
        chord::tables::correct(contacts, at, ChordConfig::default())
    }

    fn start() -> ChordTimer {
        ChordTimer::Start
    }
}

/// Fills an empty world with `count` nodes that have correct tables and begin to maintain them.
pub(super) fn build<R: Prepared>(world: &mut World<Storing<R>>, count: usize, config: &DhtConfig) {
    let (mut ids, mut phases) = (world.dice(IDS), world.dice(PHASES));
    let contacts: Vec<Contact> = (0..count)
        .map(|node| Contact {
            id: ids.id(),
            addr: address_of(node),
        })
        .collect();
    let mut sorted = contacts.clone();
    sorted.sort_unstable();
    for contact in contacts {
        let at = sorted.partition_point(|other| other.id < contact.id);
        let node = world.add(contact.id, |_| {
            let router = R::prepared(&sorted, at);
            let lookup = LookupConfig::default();
            let mut node = Dht::new(router, MemoryStore::on_disk(), config.clone(), lookup);
            node.assume_complete();
            node
        });
        let first = Time::ZERO + phases.span(Duration::ZERO, FIRST_WITHIN);
        let timer = DhtTimer::Routing(RoutingTimer::Router(R::start()));
        world.arm(node, first, timer);
    }
}

/// The kind of a message.
pub(super) const fn kind_of<P>(message: &DhtMessage<P>) -> usize {
    match message {
        DhtMessage::Store(
            StoreMessage::SyncAsk(_)
            | StoreMessage::SyncTold(_)
            | StoreMessage::SyncCollect(_)
            | StoreMessage::SyncItems { .. }
            | StoreMessage::SyncItemsReply { .. }
            | StoreMessage::SyncDone(_)
            | StoreMessage::SyncDoneAck { .. }
            | StoreMessage::HandOff { .. }
            | StoreMessage::HandedOff { .. }
            | StoreMessage::Repair { .. },
        ) => REPAIR,
        _ => OTHER,
    }
}
