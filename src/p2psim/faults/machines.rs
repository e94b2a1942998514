//! What all machines of a run are set to; a seed chooses the rest.

use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::Contact;
use overlay::lookup::LookupConfig;

/// The settings of the ring and of the store.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    /// The ring; how long its lists are, the seed says.
    pub chord: ChordConfig,
    /// The store.
    pub dht: DhtConfig,
}

impl Machines {
    /// What makes a node over a store.
    pub(super) fn node(
        &self,
        successors: usize,
        store: MemoryStore,
    ) -> impl FnOnce(Contact) -> Dht<Chord, MemoryStore> + use<> {
        let Self { chord, dht } = self.clone();
        move |me| {
            let chord = Chord::new(
                me,
                ChordConfig {
                    successors,
                    ..chord
                },
            );
            Dht::new(chord, store, dht, LookupConfig::default())
        }
    }
}
