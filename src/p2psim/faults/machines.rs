//! What all machines of a run are set to; a seed chooses the rest.

use crate::p2psim::overlays::Simulated;
use chord::ChordConfig;
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::Contact;
use overlay::lookup::LookupConfig;
use pastry::PastryConfig;

/// The settings of the overlays and of the store.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    /// Chord's; how long its lists are, the seed says.
    pub chord: ChordConfig,
    /// Pastry's.
    pub pastry: PastryConfig,
    /// The store.
    pub dht: DhtConfig,
}

impl Machines {
    /// What makes a node over a store.
    pub(super) fn node<R: Simulated>(
        &self,
        successors: usize,
        store: MemoryStore,
    ) -> impl FnOnce(Contact) -> Dht<R, MemoryStore> + use<R> {
        let machines = self.clone();
        move |me| {
            let router = R::with_machines(me, &machines, successors);
            Dht::new(router, store, machines.dht, LookupConfig::default())
        }
    }
}
