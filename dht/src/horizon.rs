//! Deleted keys stay deleted, though tombstones are collected.
//!
//! **What is collected.** Tombstones and ended values when their grace period is over, and ended
//! leases. Only the root of an arc collects there, only while it is known to hold everything that
//! was acknowledged and all of its replicas are full copies, and, but for leases, only what every
//! replica has: each has been compared with the root since (`collect`). What is in a store counts in
//! comparisons until it is collected, so that no two clocks have to agree on what has ended.
//!
//! **What remains of it** is one number for an arc: the largest clock value among the tombstones
//! collected there, its *horizon*, at the root and at its full copies. It is never later than the
//! grace period before the collection.
//!
//! **The rule.** A node *testifies* for a key when it is a root that holds everything in that part of
//! its arc, or a full copy of one that holds everything. A record of which a testifying node has nothing but an older tombstone, or nothing at
//! all, and whose version is not newer than that node's horizon, is dead: it is dropped by whoever
//! has it, not taken from a hand-over, and not shown to readers. So is a tombstone: brought back, it
//! would take the place of the newer one that was collected, and let in what that had ended. Where nobody testifies yet, what is older than the grace period waits: a
//! root that is not known to have everything takes it from a node that cannot vouch for it, or from a
//! hand-over, only when nobody else is left to ask; a reader believes it only after asking all replicas.
//!
//! **Why no deleted key comes back.** A testifying node has every tombstone above its horizon, since
//! it had all that was acknowledged and what was collected lies at or below. A record that was deleted is
//! older than its tombstone. Either the tombstone is there, and newer; or it was collected, and the
//! record is at or below the horizon. A root that takes over adopts the lowest horizon of those who
//! prove to it that it holds everything: it has been compared with all of them, and has every
//! tombstone above the lowest.
//!
//! **Why no acknowledged write is lost** of which a replica exists, while nobody is away for longer
//! than the grace period. A testifying node has what was acknowledged under its own line of roots,
//! so that only writes acknowledged by a root on the other side of a partition can be live and missing. If
//! such a write is at or below the horizon, it is older than the grace period, and whoever has it
//! was apart from this side since then. A root that takes the past for lost (`presume_lost`) does
//! not have everything: its horizon begins at nothing, and a *bar* keeps it and those after it from
//! collecting for thirty grace periods: whoever comes back within that time is believed, and what
//! the others, who may only have been cut off, acknowledged meanwhile is kept.
//!
//! **After a restart** a node does not testify: it may have missed what was written since. What it
//! testified before that is on its disk (`vouched`).
//!
//! **Limits.** When all who had an arc when its deletions were collected have died for good, what
//! the other disks have is all there is, and is believed, stale records of a node that had been away
//! longer included: losing all data would be worse. The grace period must be longer than
//! clocks differ. A lease that ended is collected without these precautions: an older version of it
//! can be seen again until its own end.

use crate::arcs::{intersect, subtract, subtract_from};
use crate::message::{Evidence, Horizon, Missing};
use crate::view::View;
use crate::{Dht, Meta, Position, Store};
use overlay::{Arc, Cx, Hlc, Id, KeyRouter, Slot, Time, WallMs};

/// Most parts of the circle with a horizon of their own; an arc of its own root is one, and changes
/// of neighbours make a few more. Beyond it the lowest is forgotten.
const MAX_PARTS: usize = 256;
/// Most parts that travel in one message.
pub(crate) const MAX_SENT_PARTS: usize = 64;

/// The horizons that a node knows of.
#[derive(Debug, Default)]
pub(crate) struct Horizons {
    parts: Vec<(Arc, Horizon)>,
}

impl Horizons {
    /// The horizon of a key.
    pub(crate) fn at(&self, key: Id) -> Horizon {
        let part = self.parts.iter().find(|(arc, _)| arc.contains(key));
        part.map_or_else(Horizon::default, |(_, horizon)| *horizon)
    }

    /// Replaces what is known about an arc.
    pub(crate) fn set(&mut self, arc: Arc, horizon: Horizon) {
        let before = std::mem::take(&mut self.parts);
        for (part, known) in before {
            self.parts
                .extend(subtract(part, arc).into_iter().map(|left| (left, known)));
        }
        if horizon != Horizon::default() {
            self.parts.push((arc, horizon));
        }
        if self.parts.len() > MAX_PARTS {
            let lowest = |(_, (_, horizon)): &(usize, &(Arc, Horizon))| (horizon.bar, horizon.upto);
            let lowest = self.parts.iter().enumerate().min_by_key(lowest);
            if let Some((at, _)) = lowest {
                self.parts.swap_remove(at);
            }
        }
    }

    /// Takes over what a root says about its arc. A message that was late does not lower what is
    /// known, but a bar does.
    pub(crate) fn adopt(&mut self, arc: Arc, said: &[(Arc, Horizon)]) {
        for (part, horizon) in said.iter().take(MAX_SENT_PARTS) {
            for shared in intersect(*part, arc) {
                if horizon.bar == WallMs::default() {
                    self.lift(shared, *horizon);
                } else {
                    self.set(shared, *horizon);
                }
            }
        }
    }

    /// Sets an arc to a horizon, but for the parts where a later one is known.
    pub(crate) fn lift(&mut self, arc: Arc, horizon: Horizon) {
        let later = |(_, known): &(Arc, Horizon)| known.upto > horizon.upto;
        let mut kept = self.of(arc);
        kept.retain(later);
        self.set(arc, horizon);
        for (part, known) in kept {
            self.set(part, known);
        }
    }

    /// The parts of an arc, those without a horizon left out.
    pub(crate) fn of(&self, arc: Arc) -> Vec<(Arc, Horizon)> {
        let mut found = Vec::new();
        for (part, horizon) in &self.parts {
            let shared = intersect(*part, arc).into_iter();
            found.extend(shared.map(|shared| (shared, *horizon)));
        }
        found
    }

    /// Whether nothing in an arc may be collected yet.
    pub(crate) fn is_barred(&self, arc: Arc, wall: WallMs) -> bool {
        self.of(arc).iter().any(|(_, horizon)| wall < horizon.bar)
    }

    /// Deletions of an arc have been collected up to here.
    pub(crate) fn raise(&mut self, arc: Arc, upto: Hlc) {
        let known = self.of(arc).into_iter().map(|(_, horizon)| horizon.upto);
        let upto = known.fold(upto, Hlc::max);
        let bar = WallMs::default();
        self.set(arc, Horizon { upto, bar });
    }

    /// Says for each piece of evidence what was collected there.
    pub(crate) fn annotate(&self, evidence: Vec<Evidence>) -> Vec<Evidence> {
        let mut found = Vec::new();
        for evidence in evidence {
            let mut rest = vec![evidence.arc];
            for (arc, horizon) in self.of(evidence.arc) {
                rest = subtract_from(&rest, arc);
                let proof = evidence.proof;
                found.push(Evidence {
                    arc,
                    proof,
                    horizon,
                });
            }
            found.extend(rest.into_iter().map(|arc| Evidence {
                arc,
                proof: evidence.proof,
                horizon: Horizon::default(),
            }));
        }
        found
    }

    /// For the parts that evidence now proves: the lowest horizon, the latest bar.
    pub(crate) fn merge<'all>(
        parts: &[Arc],
        evidence: impl Iterator<Item = &'all Evidence>,
    ) -> Vec<(Arc, Horizon)> {
        let mut merged: Vec<(Arc, Option<Horizon>)> =
            parts.iter().map(|part| (*part, None)).collect();
        let proves = |evidence: &&Evidence| evidence.proof.is_of_everything();
        for Evidence { arc, horizon, .. } in evidence.filter(proves) {
            let before = std::mem::take(&mut merged);
            for (part, known) in before {
                let rest = subtract(part, *arc).into_iter();
                merged.extend(rest.map(|rest| (rest, known)));
                let both = known.map_or(*horizon, |known| Horizon {
                    upto: known.upto.min(horizon.upto),
                    bar: known.bar.max(horizon.bar),
                });
                let shared = intersect(part, *arc).into_iter();
                merged.extend(shared.map(|shared| (shared, Some(both))));
            }
        }
        merged
            .into_iter()
            .map(|(arc, horizon)| (arc, horizon.unwrap_or_default()))
            .collect()
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The parts of the circle for which this node testifies; they may overlap.
    fn testified(&self, now: Time) -> impl Iterator<Item = Arc> {
        let kept_for = self.config.presume_lost;
        let mine = self.views.iter().flat_map(View::proven);
        let kept = self.former.iter();
        let kept = kept.filter_map(move |former| former.kept_whole(now, kept_for));
        mine.chain(kept).chain(self.covers.testified(now))
    }

    /// What this node says of what it does not have at a key.
    pub(crate) fn of_missing(&self, cx: &Cx<'_, Self>, key: Id) -> Missing {
        let is_whole = self.testified(cx.now).any(|arc| arc.contains(key));
        let vouched = self.vouched.at(key);
        let collected = match is_whole {
            true => vouched.max(self.horizons.at(key).upto),
            false => vouched,
        };
        Missing {
            is_whole,
            collected,
        }
    }

    /// Whether what this node has in a place shows that a newer record there is not dead, however
    /// old: it is live, so that nothing was deleted after it.
    pub(crate) fn spares(&self, (key, slot): Position, wall: WallMs) -> bool {
        let known = self.store.meta(key, slot);
        known.is_some_and(|known| !hides_others(slot, &known, wall))
    }

    /// The parts of an arc for which this node testifies, with their horizons, those where nothing
    /// was collected left out.
    pub(crate) fn testified_in(&self, now: Time, arc: Arc) -> Vec<(Arc, Hlc)> {
        let mut found = Vec::new();
        for (part, horizon) in self.horizons.of(arc) {
            if horizon.upto == Hlc::default() {
                continue;
            }
            let mut rest = vec![part];
            for testified in self.testified(now) {
                for piece in std::mem::take(&mut rest) {
                    let shared = intersect(piece, testified).into_iter();
                    found.extend(shared.map(|shared| (shared, horizon.upto)));
                    rest.extend(subtract(piece, testified));
                }
            }
        }
        found
    }
}

/// Whether a record that somebody lacks who testifies up to `collected` is dead.
pub(crate) fn is_dead(known: &Meta, collected: Hlc) -> bool {
    known.version.clock <= collected
}

/// Whether a record is what keeps older versions from being seen: a tombstone, or an ended value.
pub(crate) fn hides_others(slot: Slot, known: &Meta, wall: WallMs) -> bool {
    known.is_tombstone() || matches!(slot, Slot::Value | Slot::Text) && !known.is_live(wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arcs::arc_of as arc;
    use crate::message::Proof;

    const fn horizon(upto: u64, bar: u64) -> Horizon {
        Horizon {
            upto: Hlc(upto),
            bar: WallMs(bar),
        }
    }

    #[test]
    fn parts_replace_each_other() {
        let mut horizons = Horizons::default();
        horizons.set(arc(10, 20), horizon(5, 0));
        horizons.set(arc(15, 30), horizon(7, 0));
        let upto = |horizons: &Horizons, key| horizons.at(Id::from_u64(key)).upto.0;
        assert_eq!(upto(&horizons, 10), 0);
        assert_eq!(upto(&horizons, 15), 5);
        assert_eq!(upto(&horizons, 16), 7);
        horizons.raise(arc(10, 30), Hlc(6));
        assert_eq!(upto(&horizons, 12), 7);
        assert_eq!(horizons.parts.len(), 1);
        horizons.adopt(arc(12, 14), &[(arc(0, 13), horizon(9, 0))]);
        let of_some = |horizons: &Horizons| [12, 13, 14, 15].map(|key| upto(horizons, key));
        assert_eq!(of_some(&horizons), [7, 9, 7, 7]);
        horizons.adopt(arc(10, 14), &[(arc(0, 40), horizon(2, 0))]);
        assert_eq!(of_some(&horizons), [7, 9, 7, 7]);
        horizons.adopt(arc(10, 14), &[(arc(0, 40), horizon(8, 0))]);
        assert_eq!(of_some(&horizons), [8, 9, 8, 7]);
        horizons.adopt(arc(10, 14), &[(arc(0, 40), horizon(0, 99))]);
        assert_eq!(of_some(&horizons), [0, 0, 0, 7]);
        assert!(horizons.is_barred(arc(0, 50), WallMs(98)));
    }

    #[test]
    fn the_lowest_horizon_and_the_latest_bar_count() {
        let evidence = |arc, horizon| Evidence {
            arc,
            proof: Proof::Held {
                complete: true,
                next: None,
            },
            horizon,
        };
        let all = [
            evidence(arc(0, 15), horizon(5, 1)),
            evidence(arc(10, 30), horizon(3, 9)),
        ];
        let mut merged = Horizons::merge(&[arc(5, 20)], all.iter());
        merged.sort_unstable_by_key(|(arc, _)| arc.from);
        let expected = [
            (arc(5, 10), horizon(5, 1)),
            (arc(10, 15), horizon(3, 9)),
            (arc(15, 20), horizon(3, 9)),
        ];
        assert_eq!(merged, expected);
    }
}
