//! What a node says of deletions that were collected, also after it was restarted.
//!
//! Wherever a node testifies (`horizon`), its store is told to *vouch* for that part up to the
//! horizon: a live record there that is not newer, and that the store lacks, was deleted. It is
//! written before the tombstones are removed that it stands for, in the order of all writes, so that
//! no crash can leave a store with neither.
//!
//! **Why it stays true**, whatever happens to the node. The horizon is older than the grace period
//! when it is written, so that nothing written later can be at or below it: clocks do not differ by
//! as much. What was acknowledged up to it was in the store then, and is removed only when it was
//! itself deleted; or when it is handed over as not belonging here, and before that the store stops
//! vouching for its part. So a node that was restarted vouches at once, and one that was away for
//! long too, though neither holds everything. Only for what is newer does it have to ask others.

use crate::arcs::{intersect, subtract_from};
use crate::clock::MAX_CLOCK_DRIFT_MS;
use crate::horizon::Horizons;
use crate::message::Horizon;
use crate::planted::PlantedBug;
use crate::{Dht, Store};
use overlay::{Arc, Cx, Hlc, Id, KeyRouter, WallMs};

/// The parts of the circle that the store vouches for, as many as there are horizons at most.
#[derive(Debug, Default)]
pub(crate) struct Vouched {
    parts: Horizons,
}

const fn upto(upto: Hlc) -> Horizon {
    Horizon {
        upto,
        bar: WallMs(0),
    }
}

impl Vouched {
    /// What a store was told before.
    pub(crate) fn of(parts: &[(Arc, Hlc)]) -> Self {
        let mut vouched = Self::default();
        for (arc, clock) in parts {
            vouched.parts.lift(*arc, upto(*clock));
        }
        vouched
    }

    /// Up to where the store vouches for a key.
    pub(crate) fn at(&self, key: Id) -> Hlc {
        self.parts.at(key).upto
    }

    /// The parts within an arc. They do not overlap.
    pub(crate) fn within(&self, arc: Arc) -> Vec<(Arc, Hlc)> {
        let parts = self.parts.of(arc).into_iter();
        parts.map(|(part, horizon)| (part, horizon.upto)).collect()
    }

    /// Vouches for an arc up to there; false when it does already.
    fn raise(&mut self, arc: Arc, clock: Hlc) -> bool {
        let mut lower = vec![arc];
        for (part, known) in self.parts.of(arc) {
            if known.upto >= clock {
                lower = subtract_from(&lower, part);
            }
        }
        if !lower.is_empty() {
            self.parts.lift(arc, upto(clock));
        }
        !lower.is_empty()
    }

    /// Vouches for an arc no more; false when it did not.
    fn forsake(&mut self, arc: Arc) -> bool {
        let did = !self.parts.of(arc).is_empty();
        self.parts.set(arc, Horizon::default());
        did
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Lets the store vouch for what this node testifies in an arc.
    pub(crate) fn vouch(&mut self, cx: &Cx<'_, Self>, arc: Arc) {
        let testified = self.testified_in(cx.now, arc);
        self.vouch_for(testified.into_iter());
    }

    /// A comparison with a member is through: this root has what the member had, and lacks nothing
    /// but what the member lacks too or what was deleted. So what the member's store vouched for,
    /// this one can too. Else a root that was away, or is new, would take from somebody else what the
    /// member knows to be deleted.
    pub(crate) fn vouch_as(&mut self, cx: &Cx<'_, Self>, arc: Arc, said: &[(Arc, Hlc)]) {
        let latest = self.latest_horizon(cx.wall);
        self.vouch_for(said.iter().flat_map(|(part, clock)| {
            let shared = intersect(*part, arc).into_iter();
            shared.map(|shared| (shared, latest.min(*clock)))
        }));
    }

    fn vouch_for(&mut self, parts: impl Iterator<Item = (Arc, Hlc)>) {
        if self.config.has_bug(PlantedBug::ForgetVouched) {
            return;
        }
        let mut changed = false;
        for (part, clock) in parts {
            changed |= self.vouched.raise(part, clock);
        }
        if changed {
            self.keep_vouched();
        }
    }

    /// No deletion that was written later than this is collected yet, whoever says so.
    pub(crate) fn latest_horizon(&self, wall: WallMs) -> Hlc {
        let grace_ms = self.config.tombstone_grace_s.saturating_mul(1_000);
        let latest = wall.0.saturating_add(MAX_CLOCK_DRIFT_MS);
        Hlc::at(WallMs(latest.saturating_sub(grace_ms)))
    }

    /// Records in these arcs are about to be dropped though nobody deleted them.
    pub(crate) fn stop_vouching(&mut self, arcs: &[Arc]) {
        let mut changed = false;
        for arc in arcs {
            changed |= self.vouched.forsake(*arc);
        }
        if changed {
            self.keep_vouched();
        }
    }

    fn keep_vouched(&mut self) {
        let parts = self.vouched.within(Arc::whole(Id::MAX));
        self.store.set_vouched(parts);
    }

    /// Up to where deletions at a key were collected, as far as is known.
    pub(crate) fn collected_at(&self, key: Id) -> Hlc {
        self.horizons.at(key).upto.max(self.vouched.at(key))
    }

    /// Up to where what this node does not have in the parts of an arc was deleted, those where
    /// nothing was left out. They do not overlap.
    pub(crate) fn collected_in(&self, cx: &Cx<'_, Self>, arc: Arc) -> Vec<(Arc, Hlc)> {
        let mut all = Vouched::of(&self.vouched.within(arc));
        for (part, clock) in self.testified_in(cx.now, arc) {
            all.raise(part, clock);
        }
        let mut found = all.within(arc);
        found.truncate(crate::horizon::MAX_SENT_PARTS);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arcs::arc_of as arc;

    #[test]
    fn parts_rise_and_are_forsaken() {
        let mut vouched = Vouched::default();
        assert!(vouched.raise(arc(10, 20), Hlc(5)));
        assert!(!vouched.raise(arc(12, 20), Hlc(4)));
        assert!(vouched.raise(arc(15, 30), Hlc(7)));
        assert!(!vouched.raise(arc(10, 30), Hlc(5)));
        let at = |vouched: &Vouched, key| vouched.at(Id::from_u64(key)).0;
        assert_eq!([10, 15, 16, 30].map(|key| at(&vouched, key)), [0, 5, 7, 7]);
        assert!(!vouched.forsake(arc(40, 50)));
        assert!(vouched.forsake(arc(12, 18)));
        assert_eq!([12, 13, 18, 19].map(|key| at(&vouched, key)), [5, 0, 0, 7]);
        let again = Vouched::of(&vouched.within(Arc::whole(Id::MAX)));
        assert_eq!([12, 13, 18, 19].map(|key| at(&again, key)), [5, 0, 0, 7]);
    }
}
