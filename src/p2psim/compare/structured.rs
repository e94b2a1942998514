//! Networks of the crate `dht` over a router: Chord or Pastry.

use super::items::{Items, record};
use super::network::Network;
use crate::p2psim::RunError;
use crate::p2psim::overlays::{Pace, Settings, Simulated};
use crate::p2psim::storing::{self, Storing};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{Arc, Contact, Id, Store};
use sim::{Config, Dice, Trace, World, address_of, index_of};

/// Entries in a successor list, for Chord: as shipped.
const SUCCESSORS: usize = 8;
/// The stream of entropy that makes a network.
const MAKING: u32 = 100;
/// The stream of entropy that chooses who inserts.
const INSERTING: u32 = 103;

/// The network. Nobody maintains tables, and no answer is remembered: each search finds its way.
pub(super) struct Structured<R: Simulated> {
    world: World<Storing<R>>,
    items: Items,
    stored: Vec<u64>,
    dice: Dice,
}

impl<R: Simulated> Structured<R> {
    pub(super) fn build(seed: u64, nodes: usize) -> Self {
        let mut world = World::new(Config {
            trace: Trace::Outline,
            ..Config::new(seed)
        });
        world.classify(storing::kind_of);
        let mut dice = world.dice(MAKING);
        let items = Items::choose(nodes, &mut dice);
        let settings = Settings {
            successors: SUCCESSORS,
            pace: Pace::Never,
            proximity: false,
            alive: true,
            lookup: LookupConfig {
                cache: false,
                ..LookupConfig::default()
            },
        };
        let routers: Vec<R> = routers(nodes, &settings, &mut dice);
        let config = DhtConfig::default();
        let (stores, stored) = fill(&routers, &items, config.replicas);
        for (router, store) in routers.into_iter().zip(stores) {
            world.add(router.me().id, |_| {
                let mut node = Dht::new(router, store, config.clone(), settings.lookup.clone());
                node.assume_complete();
                node
            });
        }
        let inserting = world.dice(INSERTING);
        Self {
            world,
            items,
            stored,
            dice: inserting,
        }
    }
}

impl<R: Simulated> Network for Structured<R> {
    type Node = Storing<R>;

    fn world(&mut self) -> &mut World<Self::Node> {
        &mut self.world
    }

    fn items(&self) -> &Items {
        &self.items
    }

    fn inserter(&mut self) -> usize {
        self.dice.index(self.world.node_count())
    }

    fn prepare(&mut self, _node: usize) -> Result<(), RunError> {
        Ok(())
    }

    fn stored(&self) -> Vec<u64> {
        self.stored.clone()
    }
}

/// Routers with correct tables, that of node n at place n.
fn routers<R: Simulated>(nodes: usize, settings: &Settings, dice: &mut Dice) -> Vec<R> {
    let contact = |node: usize, id: Id| Contact {
        id,
        addr: address_of(node),
    };
    let contacts: Vec<Contact> = (0..nodes).map(|node| contact(node, dice.id())).collect();
    let mut sorted = contacts.clone();
    sorted.sort_unstable();
    let place = |id: Id| sorted.partition_point(|other| other.id < id);
    contacts
        .iter()
        .map(|contact| R::correct(&sorted, place(contact.id), settings, None))
        .collect()
}

/// Stores with all records at the replicas that the routers name, and how many of them each has,
/// those of the resources that many nodes have left out.
fn fill<R: Simulated>(
    routers: &[R],
    items: &Items,
    replicas: usize,
) -> (Vec<MemoryStore>, Vec<u64>) {
    let mut all = items.all();
    all.sort_unstable();
    let mut stores: Vec<MemoryStore> = routers.iter().map(|_| MemoryStore::new()).collect();
    let mut counts = vec![0_u64; routers.len()];
    for owned in routers.iter().flat_map(|router| router.owned(replicas)) {
        let nodes = owned.replicas.iter();
        let nodes: Vec<usize> = nodes.filter_map(|it| index_of(it.addr)).collect();
        for (key, holder, is_shared) in within(&all, owned.arc) {
            for node in &nodes {
                stores[*node].write(record(*key, *holder));
                counts[*node] += u64::from(!is_shared);
            }
        }
    }
    (stores, counts)
}

/// What lies in an arc of a sorted list; an arc may go round the end of it.
fn within(all: &[(Id, usize, bool)], arc: Arc) -> impl Iterator<Item = &(Id, usize, bool)> {
    let after = |id: Id| all.partition_point(|(key, _, _)| *key <= id);
    let (from, to) = (after(arc.from), after(arc.to));
    let (first, second) = if arc.from < arc.to {
        (&all[from..to], &all[..0])
    } else {
        (&all[from..], &all[..to])
    };
    first.iter().chain(second)
}
