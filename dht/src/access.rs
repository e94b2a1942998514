//! What drivers and simulations reach inside of the machine.

use crate::{Dht, Store};
use overlay::KeyRouter;
use overlay::lookup::Routing;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The router and the lookup.
    #[must_use]
    pub const fn routing(&self) -> &Routing<R> {
        &self.routing
    }

    /// The router, for its own settings; it must not be fed inputs past this machine.
    pub const fn router_mut(&mut self) -> &mut R {
        self.routing.router_mut()
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        self.store.inner()
    }

    /// The store, for a simulation that fills its disk; records must not change past this machine.
    pub const fn store_mut(&mut self) -> &mut S {
        self.store.inner_mut()
    }

    /// The store of a node that has stopped: for a simulated crash and restart.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store.into_inner()
    }

    /// Takes for granted that nothing is stored in the network yet but what its nodes were given:
    /// for a simulation that starts with tables built directly. To be called before the first
    /// input.
    pub const fn assume_complete(&mut self) {
        self.founding = true;
    }
}
