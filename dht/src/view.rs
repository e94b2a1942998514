//! The arcs of which this node is the root: their replicas, and what is proven about them.

use crate::arcs::{intersect, subtract_from};
use crate::machine::Due;
use crate::message::{Evidence, Proof};
use crate::proof::{Testimony, unproven_after};
use crate::replica::set_mark;
use crate::sync::Walk;
use crate::{Dht, Store};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Time};

/// Most arcs of which this node remembers that it was their root; each change of the predecessor
/// makes one.
const MAX_FORMER: usize = 64;
/// Most pieces of evidence taken from one peer.
pub(crate) const MAX_EVIDENCE: usize = 64;

/// An arc at its root, with one set of replicas.
#[derive(Debug)]
pub(crate) struct View {
    /// Drawn anew for each arc and replica set.
    pub(crate) id: u64,
    pub(crate) arc: Arc,
    /// This node, then the others by rank.
    pub(crate) replicas: Vec<Contact>,
    /// The mark of the replica set.
    pub(crate) mark: u64,
    /// The other replicas, and after them, while something is unproven, nodes that may know.
    pub(crate) members: Vec<Member>,
    /// Parts for which this node may lack acknowledged writes.
    pub(crate) unproven: Vec<Unproven>,
    /// What this node's own copies proved when it took over.
    pub(crate) own_evidence: Vec<Evidence>,
}

/// A part for which a root may lack acknowledged writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unproven {
    pub(crate) arc: Arc,
    /// Since this node took over.
    pub(crate) since: Time,
}

/// A replica as its root sees it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) contact: Contact,
    /// Whether it is a replica, or only asked for what it knows.
    pub(crate) replica: bool,
    /// Whether it has confirmed that it is a full copy under this view.
    pub(crate) covered: bool,
    /// Whether its records have been compared with ours under this view.
    pub(crate) compared: bool,
    /// What it knew before it was compared.
    pub(crate) evidence: Vec<Evidence>,
    /// The comparison under way.
    pub(crate) walk: Option<Box<Walk>>,
    /// When the next one begins.
    pub(crate) next_at: Time,
    /// Comparisons in a row that ended without success, or without proof.
    pub(crate) failures: u32,
}

/// An arc that this node was the root of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Former {
    arc: Arc,
    since: Time,
    /// Whether everything acknowledged was held here, or only what was while it was ours.
    complete: bool,
    /// Who has claimed it since.
    taken_by: Option<Id>,
    /// Whether somebody else has claimed it after that.
    passed_on: bool,
}

impl Former {
    const fn new(arc: Arc, complete: bool, since: Time) -> Self {
        Self {
            arc,
            since,
            complete,
            taken_by: None,
            passed_on: false,
        }
    }
}

impl View {
    /// The parts of the arc that this node had before, passed on, and has again.
    fn passed_on_before(&self) -> impl Iterator<Item = Arc> {
        self.own_evidence
            .iter()
            .filter_map(|known| match known.proof {
                Proof::Held { next, .. } => next.map(|_| known.arc),
                Proof::Member { .. } => None,
            })
    }

    /// Whether this root holds everything that was acknowledged in the arc.
    pub(crate) const fn is_complete(&self) -> bool {
        self.unproven.is_empty()
    }

    /// Whether all replicas are full copies too.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_complete() && self.replicas().all(|member| member.covered)
    }

    /// The other replicas.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.replica)
    }

    /// How many members apart from the root together hold every acknowledged write.
    pub(crate) fn copies_needed(&self, write_quorum: usize) -> u8 {
        let members = self.replicas.len();
        (members - write_quorum.min(members) + 1) as u8
    }

    /// Judges again what is proven, after a comparison.
    pub(crate) fn prove(&mut self, me: Id, now: Time, presume_lost: Duration) {
        if self.unproven.is_empty() {
            return;
        }
        let compared = self.members.iter().filter(|member| member.compared);
        let mut testimonies: Vec<Testimony<'_>> = compared
            .map(|member| Testimony {
                witness: member.contact.id,
                evidence: &member.evidence,
            })
            .collect();
        testimonies.push(Testimony {
            witness: me,
            evidence: &self.own_evidence,
        });
        let all_compared = self.replicas().all(|member| member.compared);
        let mut left = Vec::new();
        for Unproven { arc, since } in &self.unproven {
            if !(all_compared && now.since(*since) >= presume_lost) {
                let arcs = unproven_after(me, &[*arc], &testimonies);
                left.extend(arcs.into_iter().map(|arc| Unproven { arc, since: *since }));
            }
        }
        self.unproven = left;
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Makes views for the present arcs, when the router's neighbours have changed; says whether
    /// they had.
    pub(crate) fn refresh_views(&mut self, cx: &mut Cx<'_, Self>) -> bool {
        let generation = self.routing.router().generation();
        if self.generation == Some(generation) {
            return false;
        }
        self.generation = Some(generation);
        // A node that leaves brings one more replica up to date: after it there are N again.
        let extra = usize::from(self.leaving.is_some());
        let owned = self.routing.router().owned(self.config.replicas + extra);
        let unchanged = owned.len() == self.views.len()
            && owned
                .iter()
                .zip(&self.views)
                .all(|(new, old)| new.arc == old.arc && new.replicas == old.replicas);
        if unchanged {
            return true;
        }
        let kept_for = self.config.presume_lost;
        self.former
            .retain(|former| cx.now.since(former.since) <= kept_for);
        let mut before = std::mem::take(&mut self.views);
        let proven = self.proven_parts(&before);
        let held: Vec<Arc> = before.iter().map(|view| view.arc).collect();
        let mut changed = Vec::new();
        for part in owned {
            let same = before
                .iter()
                .position(|old| old.arc == part.arc && old.replicas == part.replicas);
            let view = match same {
                Some(at) => before.swap_remove(at),
                None => {
                    changed.push(part.arc);
                    self.new_view(cx, &before, &proven, part)
                }
            };
            self.views.push(view);
        }
        if !self.views.is_empty() {
            self.founding = false;
        }
        let has_company = self.views.iter().any(|view| view.replicas.len() > 1);
        if has_company && !self.store.is_shared() {
            self.store.set_shared();
        }
        let broken: Vec<Arc> = before.iter().flat_map(View::passed_on_before).collect();
        self.note_former(cx.now, (&held, &broken), &proven);
        self.after_refresh(cx, &changed);
        true
    }

    /// What this node may still take for complete: of its arcs, and of those that were its own a
    /// moment ago and that nobody has claimed since.
    fn proven_parts(&self, before: &[View]) -> Vec<Arc> {
        let mut proven = Vec::new();
        for view in before {
            let mut parts = vec![view.arc];
            for hole in &view.unproven {
                parts = subtract_from(&parts, hole.arc);
            }
            proven.extend(parts);
        }
        let free = |former: &&Former| former.complete && former.taken_by.is_none();
        let free = self.former.iter().filter(free);
        proven.extend(free.map(|former| former.arc));
        proven
    }

    fn new_view(
        &mut self,
        cx: &mut Cx<'_, Self>,
        before: &[View],
        proven: &[Arc],
        part: overlay::OwnedArc,
    ) -> View {
        let overlay::OwnedArc { arc, replicas } = part;
        let mut unproven = if self.founding { Vec::new() } else { vec![arc] };
        for known in proven {
            unproven = subtract_from(&unproven, *known);
        }
        // Time already spent without proof counts on.
        let mut parts = Vec::new();
        for old in before.iter().flat_map(|old| &old.unproven) {
            let shared = unproven.iter().flat_map(|arc| intersect(*arc, old.arc));
            parts.extend(shared.map(|arc| Unproven { arc, ..*old }));
            unproven = subtract_from(&unproven, old.arc);
        }
        parts.extend(
            unproven
                .into_iter()
                .map(|arc| Unproven { arc, since: cx.now }),
        );
        let mut own_evidence = self.covers.evidence(self.my().id, arc, cx.now);
        self.covers.fence(self.my().id, arc);
        for old in before {
            own_evidence.extend(old.own_evidence.iter().filter_map(|evidence| {
                let shared = intersect(evidence.arc, arc);
                shared.first().map(|shared| Evidence {
                    arc: *shared,
                    ..evidence.clone()
                })
            }));
        }
        for former in &self.former {
            let proof = Proof::Held {
                complete: former.complete,
                next: former.taken_by,
            };
            let shared = intersect(former.arc, arc);
            own_evidence.extend(shared.into_iter().map(|arc| Evidence { arc, proof }));
        }
        own_evidence.truncate(MAX_EVIDENCE);
        let members = replicas
            .iter()
            .skip(1)
            .map(|contact| Member::new(*contact, true, cx.now));
        let mut view = View {
            id: cx.rng.next_u64(),
            arc,
            mark: set_mark(&replicas),
            members: members.collect(),
            replicas,
            unproven: parts,
            own_evidence,
        };
        view.prove(self.my().id, cx.now, self.config.presume_lost);
        view
    }

    /// Remembers the parts that are no longer ours, and whether they were complete.
    /// What was `held` until now is former. Where a tenure is `broken`, others had the part since
    /// the node before said that it went to us: what we do not know to be complete proves nothing
    /// there.
    fn note_former(&mut self, now: Time, (held, broken): (&[Arc], &[Arc]), proven: &[Arc]) {
        // What is ours again is no longer former.
        let mut kept = Vec::new();
        for former in self.former.drain(..) {
            let mut left = vec![former.arc];
            for view in &self.views {
                left = subtract_from(&left, view.arc);
            }
            kept.extend(left.into_iter().map(|arc| Former { arc, ..former }));
        }
        for arc in held {
            let mut lost = vec![*arc];
            for present in &self.views {
                lost = subtract_from(&lost, present.arc);
            }
            let mut unproven = lost.clone();
            for part in proven {
                unproven = subtract_from(&unproven, *part);
                let complete = lost.iter().flat_map(|lost| intersect(*lost, *part));
                kept.extend(complete.map(|arc| Former::new(arc, true, now)));
            }
            for arc in broken {
                unproven = subtract_from(&unproven, *arc);
            }
            kept.extend(unproven.into_iter().map(|arc| Former::new(arc, false, now)));
        }
        let excess = kept.len().saturating_sub(MAX_FORMER);
        kept.drain(..excess);
        self.former = kept;
    }

    fn after_refresh(&mut self, cx: &mut Cx<'_, Self>, changed: &[Arc]) {
        for arc in changed {
            self.recoordinate(cx, *arc);
        }
        self.deadlines.set(Due::Sync, cx.now);
        self.strays_changed(cx);
        self.start_sweeping(cx);
    }

    /// What this node knows about an arc that `claimant` is the root of now, for the proof of
    /// completeness; it also notes the claim.
    pub(crate) fn evidence_for(&mut self, claimant: Id, arc: Arc, now: Time) -> Vec<Evidence> {
        let kept_for = self.config.presume_lost;
        let mut evidence = Vec::new();
        let mut kept = Vec::new();
        for former in self.former.drain(..) {
            let next = former.taken_by.filter(|taken_by| *taken_by != claimant);
            let proof = Proof::Held {
                complete: former.complete,
                next,
            };
            let taken_by = former.taken_by.or(Some(claimant));
            let passed_on = former.passed_on || taken_by != Some(claimant);
            // To one who took over, lost the part to another, and claims it again, our word is
            // worth nothing: the other may have taken writes since.
            let counts = !(former.passed_on && taken_by == Some(claimant));
            for arc in intersect(former.arc, arc) {
                if counts && now.since(former.since) <= kept_for {
                    evidence.push(Evidence { arc, proof });
                }
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
                        .map(move |arc| Evidence {
                            arc,
                            proof: evidence.proof,
                        })
                })
                .collect();
        }
        evidence.truncate(MAX_EVIDENCE);
        evidence
    }
}

impl Member {
    pub(crate) const fn new(contact: Contact, replica: bool, now: Time) -> Self {
        Self {
            contact,
            replica,
            covered: false,
            compared: false,
            evidence: Vec::new(),
            walk: None,
            next_at: now,
            failures: 0,
        }
    }
}
