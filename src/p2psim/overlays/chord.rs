//! Chord, simulated.

use super::{HasRouter, PAPER_PERIOD, Pace, Scope, Settings, Simulated};
use crate::p2psim::faults::Machines;
use crate::p2psim::invariants::{Coverage, RingInvariants, SharedOracle, Standing, ring};
use chord::{Chord, ChordConfig, ChordTimer, Period};
use overlay::proximity::Distance;
use overlay::{Contact, Id};
use sim::{Oracle, Ownership, World};
use std::cell::Cell;
use std::rc::Rc;

fn config(settings: &Settings) -> ChordConfig {
    let shipped = ChordConfig {
        successors: settings.successors,
        maintain: settings.pace != Pace::Never,
        proximity: settings.proximity,
        ..ChordConfig::default()
    };
    match settings.pace {
        Pace::Shipped => shipped,
        Pace::Never | Pace::Paper => ChordConfig {
            stabilize: Period::new(PAPER_PERIOD.0, PAPER_PERIOD.1),
            adaptive: false,
            ..shipped
        },
    }
}

impl Simulated for Chord {
    const OWNERSHIP: Ownership = Ownership::FirstAtOrAfter;

    fn fresh(me: Contact, settings: &Settings) -> Self {
        Self::new(me, config(settings))
    }

    fn with_machines(me: Contact, machines: &Machines, successors: usize) -> Self {
        let config = ChordConfig {
            successors,
            ..machines.chord.clone()
        };
        Self::new(me, config)
    }

    fn correct(
        contacts: &[Contact],
        at: usize,
        settings: &Settings,
        rtt: Option<Distance<'_>>,
    ) -> Self {
        let mut chord = chord::tables::correct(contacts, at, config(settings), rtt);
        if settings.alive {
            chord.assume_alive();
        }
        chord
    }

    fn start() -> ChordTimer {
        ChordTimer::Start
    }

    fn beside(&self) -> (Option<Contact>, Option<Contact>) {
        (self.ring().predecessor(), self.ring().first())
    }

    fn neighbours_are_true(&self, oracle: &Oracle) -> Result<(), String> {
        let me = self.ring().me().id;
        let others = oracle.members().len().saturating_sub(1);
        let length = self.config().list_length().min(others);
        let expected = successors(oracle, me, length);
        let known: Vec<Id> = self
            .ring()
            .successors()
            .iter()
            .map(|next| next.id)
            .collect();
        if known != expected {
            return Err(format!("its successors are {known:?}, not {expected:?}"));
        }
        let before = oracle.predecessor(me).filter(|_| others > 0);
        if self.ring().predecessor().map(|contact| contact.id) != before {
            return Err(format!("its predecessor is not {before:?}"));
        }
        Ok(())
    }

    fn watch<M: HasRouter<Router = Self>>(
        world: &mut World<M>,
        oracle: SharedOracle,
        scope: Scope,
    ) -> Rc<Cell<Coverage>> {
        let ring = match scope {
            Scope::Strict => RingInvariants::strict(world, oracle),
            Scope::UnderPremises => RingInvariants::under_premises(oracle),
        };
        let coverage = ring.coverage();
        world.watch(Box::new(ring));
        coverage
    }

    fn fixed<M: HasRouter<Router = Self>>(
        world: &World<M>,
        oracle: &Oracle,
    ) -> Result<Standing, String> {
        crate::p2psim::invariants::fixed(world, oracle)
    }

    fn whole<M: HasRouter<Router = Self>>(world: &World<M>, oracle: &Oracle) -> Result<(), String> {
        ring::whole(world, oracle)
    }
}

fn successors(oracle: &Oracle, me: Id, count: usize) -> Vec<Id> {
    let next = |id: &Id| oracle.successor(*id);
    std::iter::successors(oracle.successor(me), next)
        .take(count)
        .collect()
}
