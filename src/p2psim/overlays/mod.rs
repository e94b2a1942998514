//! The overlays that can be simulated: what the experiments must know of each, and no more.

mod chord;
mod pastry;

use super::faults::Machines;
use super::invariants::{Coverage, SharedOracle, Standing};
use dht::{Dht, MemoryStore};
use overlay::lookup::{LookupConfig, Routing, RoutingMessage, RoutingTimer};
use overlay::proximity::Distance;
use overlay::{Contact, Duration, Id, KeyRouter, Machine, Time};
use sim::{Latency, Oracle, Ownership, World, address_of};
use std::cell::Cell;
use std::rc::Rc;

/// A node that only routes.
pub(super) type Node<R> = Routing<R>;

/// The kind of messages that maintain the tables, in the world's counters: the routers' own, and
/// those of the lookups that routers make to join and to fill their tables.
pub(super) const CONTROL: usize = 0;
/// The kind of messages that carry the lookups of users.
const LOOKUP: usize = 1;

/// Stabilisation in the Chord paper's experiments: uniformly every 15 to 45 s.
pub(super) const PAPER_PERIOD: (Duration, Duration) =
    (Duration::from_secs(15), Duration::from_secs(45));
/// The stream of entropy that node ids come from.
const IDS: u32 = 100;

/// How far the premises of an overlay's promises can be taken for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The network starts with correct tables and has neither losses nor partitions.
    Strict,
    /// It grows from one node, and live nodes may be taken for dead.
    UnderPremises,
}

/// An overlay that can be simulated.
pub(super) trait Simulated: KeyRouter + Sized + 'static {
    /// Which node a key belongs to.
    const OWNERSHIP: Ownership;

    /// A node that has not joined yet.
    fn fresh(me: Contact, settings: &Settings) -> Self;

    /// A node that has not joined yet, for the hunt for faults; `successors` are Chord's.
    fn with_machines(me: Contact, machines: &Machines, successors: usize) -> Self;

    /// The node `contacts[at]` of a network with correct tables. With `rtt`, which takes indices
    /// of `contacts`, tables are chosen by proximity as far as the overlay does that.
    fn correct(
        contacts: &[Contact],
        at: usize,
        settings: &Settings,
        rtt: Option<Distance<'_>>,
    ) -> Self;

    /// The timer that lets a node with given tables begin to maintain them.
    fn start() -> Self::Timer;

    /// The nearest node before this one and the nearest after it.
    fn beside(&self) -> (Option<Contact>, Option<Contact>);

    /// Whether its neighbours are the true ones, in a network at rest.
    ///
    /// # Errors
    /// In words, what is not as it should be.
    fn neighbours_are_true(&self, oracle: &Oracle) -> Result<(), String>;

    /// Watches a world for what must hold after every event; gives where the events are counted.
    fn watch<M: HasRouter<Router = Self>>(
        world: &mut World<M>,
        oracle: SharedOracle,
        scope: Scope,
    ) -> Rc<Cell<Coverage>>;

    /// Checks tables that nobody maintains.
    ///
    /// # Errors
    /// In words, what does not hold.
    fn fixed<M: HasRouter<Router = Self>>(
        world: &World<M>,
        oracle: &Oracle,
    ) -> Result<Standing, String>;

    /// Checks a whole network at rest.
    ///
    /// # Errors
    /// In words, what does not hold.
    fn whole<M: HasRouter<Router = Self>>(world: &World<M>, oracle: &Oracle) -> Result<(), String>;
}

/// A machine with a router inside.
pub(super) trait HasRouter: Machine + 'static {
    /// Of which overlay.
    type Router: Simulated;

    /// The router.
    fn router(&self) -> &Self::Router;
}

impl<R: Simulated> HasRouter for Node<R> {
    type Router = R;

    fn router(&self) -> &R {
        Self::router(self)
    }
}

impl<R: Simulated> HasRouter for Dht<R, MemoryStore> {
    type Router = R;

    fn router(&self) -> &R {
        self.routing().router()
    }
}

/// How often tables are maintained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Not at all.
    Never,
    /// As in the Chord paper's experiments, for Chord; the others as shipped.
    Paper,
    /// As shipped.
    Shipped,
}

/// What the nodes of an experiment have in common.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Entries in a successor list, for Chord.
    pub(super) successors: usize,
    pub(super) pace: Pace,
    /// Whether tables are chosen by proximity.
    pub(super) proximity: bool,
    /// Whether the nodes of correct tables may be taken for alive, because none will die.
    pub(super) alive: bool,
    pub(super) lookup: LookupConfig,
}

impl Settings {
    /// Fills an empty world with `count` nodes that have correct tables; gives their oracle.
    pub(super) fn build<R: Simulated>(
        &self,
        world: &mut World<Node<R>>,
        count: usize,
        latency: &Latency,
    ) -> Oracle {
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
        let rtt = round_trips(&contacts, latency);
        let rtt: Distance<'_> = &rtt;
        for id in &ids {
            let at = contacts.partition_point(|contact| contact.id < *id);
            world.add(*id, |_| {
                let rtt = self.proximity.then_some(rtt);
                let router = R::correct(&contacts, at, self, rtt);
                Routing::new(router, self.lookup.clone())
            });
        }
        let members = ids.into_iter().enumerate().map(|(node, id)| (id, node));
        Oracle::complete(R::OWNERSHIP, members)
    }

    /// A node that has not joined yet.
    pub(super) fn fresh<R: Simulated>(&self, me: Contact) -> Node<R> {
        Routing::new(R::fresh(me, self), self.lookup.clone())
    }
}

/// The round trips between the nodes `contacts`, by their indices there.
pub(super) fn round_trips(
    contacts: &[Contact],
    latency: &Latency,
) -> impl Fn(usize, usize) -> Duration {
    move |one, other| {
        let node_at = |at: usize| sim::index_of(contacts.get(at)?.addr);
        match (node_at(one), node_at(other)) {
            (Some(one), Some(other)) => latency.mean(one, other).times(2),
            _ => Duration::ZERO,
        }
    }
}

/// The kind of a message.
pub(super) const fn kind_of<P>(message: &RoutingMessage<P>) -> usize {
    match message {
        RoutingMessage::Router(_) => CONTROL,
        RoutingMessage::Lookup(message) if message.is_for_tables() => CONTROL,
        RoutingMessage::Lookup(_) => LOOKUP,
    }
}

/// Lets a node that was built with its tables begin to maintain them.
pub(super) fn start<R: Simulated>(world: &mut World<Node<R>>, node: usize, at: Time) {
    world.arm(node, at, RoutingTimer::Router(R::start()));
}
