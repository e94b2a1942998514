//! What must hold after every event of every experiment: one file for each.
//!
//! Zave's theorem presupposes correct failure detection and at least r + 1 members. In a
//! bootstrap phase, and while a partition makes live nodes look dead, only what holds for every
//! single node is checked; the ring as a whole is checked when the network has fallen quiet.

mod ring;
mod track;

pub(super) use ring::{RingInvariants, whole};
pub(super) use track::Track;

use sim::Oracle;
use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

/// The oracle, kept up to date by [`Track`] and asked by an experiment.
#[derive(Clone, Debug)]
pub(super) struct SharedOracle(Rc<RefCell<Oracle>>);

impl SharedOracle {
    pub(super) fn new(oracle: Oracle) -> Self {
        Self(Rc::new(RefCell::new(oracle)))
    }

    pub(super) fn borrow(&self) -> Ref<'_, Oracle> {
        self.0.borrow()
    }

    pub(super) fn borrow_mut(&self) -> RefMut<'_, Oracle> {
        self.0.borrow_mut()
    }
}
