//! Nodes that store, in a network that starts with correct tables.

use super::overlays::{Pace, Settings, Simulated, round_trips};
use dht::{Dht, DhtConfig, DhtMessage, DhtTimer, MemoryStore, StoreMessage};
use overlay::lookup::{LookupConfig, RoutingTimer};
use overlay::proximity::Distance;
use overlay::{Contact, Duration, Time};
use sim::{Latency, World, address_of};

/// A node that stores.
pub(super) type Storing<R> = Dht<R, MemoryStore>;

/// Entries in a successor list, for Chord: as shipped.
pub(super) const SUCCESSORS: usize = 8;
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

/// Fills an empty world with `count` nodes that have correct tables, chosen by `latency` if it is
/// given, and begin to maintain them.
pub(super) fn build<R: Simulated>(
    world: &mut World<Storing<R>>,
    count: usize,
    config: &DhtConfig,
    latency: Option<&Latency>,
) {
    let (mut ids, mut phases) = (world.dice(IDS), world.dice(PHASES));
    let contacts: Vec<Contact> = (0..count)
        .map(|node| Contact {
            id: ids.id(),
            addr: address_of(node),
        })
        .collect();
    let settings = Settings {
        successors: SUCCESSORS,
        pace: Pace::Shipped,
        proximity: latency.is_some(),
        alive: latency.is_some(),
        lookup: LookupConfig::default(),
    };
    let mut sorted = contacts.clone();
    sorted.sort_unstable();
    let rtt = latency.map(|latency| round_trips(&sorted, latency));
    let rtt: Option<Distance<'_>> = rtt.as_ref().map(|rtt| rtt as Distance<'_>);
    for contact in contacts {
        let at = sorted.partition_point(|other| other.id < contact.id);
        let node = world.add(contact.id, |_| {
            let router = R::correct(&sorted, at, &settings, rtt);
            let (store, lookup) = (MemoryStore::on_disk(), settings.lookup.clone());
            let mut node = Dht::new(router, store, config.clone(), lookup);
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
