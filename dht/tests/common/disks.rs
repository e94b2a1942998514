//! Nodes that start, what they hold, and their disks.

use super::ring::Ring;
use super::{Event, Life, World, contact};
use dht::{Dht, MemoryStore, Store};
use overlay::lookup::LookupConfig;
use overlay::{Contact, Duration, Id, LoadSeq, Locate, Machine, WriteSeq};
use std::rc::Rc;

impl World {
    /// An empty disk for a node, with its quota.
    pub(super) fn new_disk(&self, node: Id) -> MemoryStore {
        match self.quotas.get(&node) {
            Some(quota) => MemoryStore::on_disk().with_quota(*quota),
            None => MemoryStore::on_disk(),
        }
    }

    /// Starts node `number`, which asks nobody to join: the ring may list it.
    pub fn start(&mut self, number: u64) -> Contact {
        let contact = contact(number);
        let ring = Ring::new(contact, Rc::clone(&self.oracle));
        let store = self.disks.remove(&contact.id);
        let store = store.unwrap_or_else(|| self.new_disk(contact.id));
        let dht = Dht::new(ring, store, self.config.clone(), LookupConfig::default());
        let life = self.next as u32;
        self.next += 1;
        self.nodes.insert(
            contact.id,
            Life {
                dht,
                number: life,
                flushing: WriteSeq(0),
                loading: LoadSeq(0),
            },
        );
        contact
    }

    /// Starts to load the bodies that a node asked for.
    pub(super) fn load(&mut self, node: Id) {
        let Some(life) = self.nodes.get_mut(&node) else {
            return;
        };
        let (life_number, seq) = (life.number, life.dht.last_load());
        if seq > life.loading {
            life.loading = seq;
            let event = Event::Loaded {
                node,
                life: life_number,
                seq,
            };
            self.push(self.now + Duration::from_millis(1), event);
        }
    }

    /// The live nodes that hold a live value.
    pub fn holding(&self, key: Id) -> Vec<Id> {
        let wall = self.wall();
        let has = |life: &Life| {
            let found = life.dht.store().meta(key, overlay::Slot::Value);
            found.is_some_and(|known| known.is_live(wall))
        };
        self.nodes
            .iter()
            .filter(|(_, life)| has(life))
            .map(|(id, _)| *id)
            .collect()
    }

    pub fn all_settled(&self) -> bool {
        self.nodes.values().all(|life| life.dht.status().settled)
    }
}

impl World {
    /// The store that node `number` will start with.
    pub fn lay_disk(&mut self, number: u64, store: MemoryStore) {
        self.disks.insert(contact(number).id, store);
    }
}
