//! What must hold after every event of every experiment: one file for each.
//!
//! Of Chord, Zave's invariant; of Pastry, what [`leaves`] says.
//!
//! Zave's invariant is checked after every event of every simulation, in networks of any size, as
//! long as the premises of her theorem hold; [`premises`] says exactly when that is. Where nobody
//! maintains the tables no event can change them, and [`fixed`] checks before and after. The order
//! of each list is checked after every event, premises or not. That there is one ordered ring
//! follows, and is checked in full less often; see [`ring`].

mod fixed;
mod leaves;
mod premises;
pub(super) mod ring;
mod track;

pub(super) use fixed::{Standing, fixed};
pub(super) use leaves::LeafInvariants;
pub(super) use ring::{Coverage, RingInvariants};
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
