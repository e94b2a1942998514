//! What a node still knows of arcs that it was the root of.

use crate::arcs::{intersect, subtract_all, subtract_from};
use crate::message::{Evidence, Proof};
use crate::tenure::Notice;
use crate::view::MAX_EVIDENCE;
use crate::{Dht, Store};
use overlay::{Arc, Duration, Id, KeyRouter, Time};

/// Most arcs of which this node remembers that it was their root; each change of the predecessor
/// makes one.
const MAX_FORMER: usize = 64;

/// An arc that this node was the root of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Former {
    pub(crate) arc: Arc,
    pub(crate) since: Time,
    /// Whether everything acknowledged was held here, or only what was while it was ours.
    pub(crate) complete: bool,
    /// Who has claimed it since.
    pub(crate) taken_by: Option<Id>,
    /// Whether somebody else has claimed it after that.
    passed_on: bool,
    /// Whether some of its records were handed over and dropped since.
    handed: bool,
    /// Who had had it since it first came here, if anybody had.
    between: Option<Between>,
    /// When its present root is told, unless that asks.
    pub(crate) notice: Notice,
}

/// Who had a part between two tenures of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// One, so far as known here: to that one, what it held then and our word prove the part together.
    One(Id),
    /// Several, or this is the earlier tenure itself: it proves nothing to anybody.
    Unclear,
}

impl Former {
    fn new(arc: Arc, complete: bool, since: Time) -> Self {
        Self {
            arc,
            since,
            complete,
            taken_by: None,
            passed_on: false,
            handed: false,
            between: None,
            notice: Notice::first(since),
        }
    }

    /// A complete tenure that ended when somebody else claimed the arc.
    pub(crate) fn passed_to(arc: Arc, claimant: Id, since: Time) -> Self {
        Self {
            taken_by: Some(claimant),
            ..Self::new(arc, true, since)
        }
    }

    /// A tenure before the one that ends now, between which others had the arc. What it left here may
    /// have been handed over since.
    fn had_before(arc: Arc, complete: bool, next: Id, now: Time) -> Self {
        Self {
            taken_by: Some(next),
            handed: true,
            between: Some(Between::Unclear),
            ..Self::new(arc, complete, now)
        }
    }

    /// What its end proves to the root after it.
    fn proof_to(&self, claimant: Id, next: Option<Id>) -> Option<Proof> {
        let complete = self.complete;
        match self.between {
            None => Some(Proof::Held { complete, next }),
            Some(Between::One(id)) if id == claimant => Some(Proof::After { next }),
            Some(_) => None,
        }
    }

    /// The arc, while this node still has everything that was acknowledged there in its time.
    pub(crate) fn kept_whole(&self, now: Time, kept_for: Duration) -> Option<Arc> {
        let kept = self.complete && !self.handed && now.since(self.since) <= kept_for;
        kept.then_some(self.arc)
    }

    /// A record of it is dropped.
    pub(crate) fn drops(&mut self, key: Id) {
        self.handed |= self.arc.contains(key);
    }
}

/// Who had a part, of those who had parts between two tenures.
fn between(broken: &[(Arc, bool, Id)], part: Arc) -> Between {
    let shares = |(arc, ..): &&(Arc, bool, Id)| !intersect(*arc, part).is_empty();
    let mut all = broken.iter().filter(shares).map(|(.., next)| *next);
    match all.next() {
        Some(one) if all.all(|next| next == one) => Between::One(one),
        _ => Between::Unclear,
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Remembers the parts that are no longer ours, and whether they were complete.
    /// What was `held` until now is former. Where a tenure is `broken`, others had the part since
    /// the node before said that it went to us: what we do not know to be complete proves nothing
    /// there, but to the only one who had it between and still knows what it held. That they had it is
    /// remembered: who had it before us knows of us alone, and were it ours once more, that one's word
    /// would prove what they acknowledged away.
    pub(crate) fn note_former(
        &mut self,
        now: Time,
        (held, broken): (&[Arc], &[(Arc, bool, Id)]),
        proven: &[Arc],
    ) {
        // What is ours again is no longer former.
        let mut kept = Vec::new();
        for former in self.former.drain(..) {
            let left = subtract_all(vec![former.arc], self.views.iter().map(|view| view.arc));
            kept.extend(left.into_iter().map(|arc| Former { arc, ..former }));
        }
        for arc in held {
            let lost = subtract_all(vec![*arc], self.views.iter().map(|view| view.arc));
            let mut unproven = lost.clone();
            for part in proven {
                unproven = subtract_from(&unproven, *part);
                let complete = lost.iter().flat_map(|lost| intersect(*lost, *part));
                kept.extend(complete.map(|arc| Former::new(arc, true, now)));
            }
            for (arc, complete, next) in broken {
                let shared = unproven.iter().flat_map(|lost| intersect(*lost, *arc));
                let parts = shared.map(|arc| Former::had_before(arc, *complete, *next, now));
                kept.extend(parts.collect::<Vec<_>>());
            }
            for (arc, ..) in broken {
                let shared = unproven.iter().flat_map(|lost| intersect(*lost, *arc));
                kept.extend(shared.map(|arc| Former {
                    between: Some(between(broken, arc)),
                    ..Former::new(arc, false, now)
                }));
                unproven = subtract_from(&unproven, *arc);
            }
            kept.extend(unproven.into_iter().map(|arc| Former::new(arc, false, now)));
        }
        let excess = kept.len().saturating_sub(MAX_FORMER);
        kept.drain(..excess);
        self.former = kept;
        self.schedule_notice(now);
    }

    /// What this node knows about an arc that `claimant` is the root of now, for the proof of
    /// completeness; it also notes the claim.
    pub(crate) fn evidence_for(&mut self, claimant: Id, arc: Arc, now: Time) -> Vec<Evidence> {
        let kept_for = self.config.presume_lost;
        let mut evidence = Vec::new();
        let mut kept = Vec::new();
        for former in self.former.drain(..) {
            let next = former.taken_by.filter(|taken_by| *taken_by != claimant);
            let proof = former.proof_to(claimant, next);
            let taken_by = former.taken_by.or(Some(claimant));
            let passed_on = former.passed_on || taken_by != Some(claimant);
            // To one who took over, lost the part to another, and claims it again, our word is
            // worth nothing: the other may have taken writes since.
            let has_returned = former.passed_on && taken_by == Some(claimant);
            let counts = !has_returned && now.since(former.since) <= kept_for;
            let proof = proof.filter(|_| counts);
            for arc in intersect(former.arc, arc) {
                evidence.extend(proof.map(|proof| Evidence::new(arc, proof)));
                kept.push(Former {
                    arc,
                    taken_by,
                    passed_on,
                    ..former
                });
            }
            let rest = subtract_from(&[former.arc], arc);
            kept.extend(rest.into_iter().map(|arc| Former { arc, ..former }));
        }
        kept.truncate(2 * MAX_FORMER);
        self.former = kept;
        evidence.extend(self.covers.evidence(claimant, arc, now));
        // While this node takes itself for the root of a part, it goes on to accept writes there.
        for view in &self.views {
            evidence = evidence
                .into_iter()
                .flat_map(|evidence| {
                    crate::arcs::subtract(evidence.arc, view.arc)
                        .into_iter()
                        .map(move |arc| Evidence::new(arc, evidence.proof))
                })
                .collect();
        }
        let mut evidence = self.horizons.annotate(evidence);
        evidence.truncate(MAX_EVIDENCE);
        evidence
    }
}
