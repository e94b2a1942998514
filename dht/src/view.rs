//! The arcs of which this node is the root: their replicas, and what is proven about them.

use crate::arcs::{intersect, subtract_all, subtract_from};
use crate::due::Due;
use crate::earlier::Earlier;
use crate::former::Former;
use crate::horizon::Horizons;
use crate::member::Member;
use crate::message::{Claim, Evidence, Horizon, Proof};
use crate::proof::{Testimony, unproven_after};
use crate::replica::set_mark;
use crate::{Dht, Store};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Time, WallMs};

/// Most pieces of evidence taken from one peer.
pub(crate) const MAX_EVIDENCE: usize = 64;

/// For how many grace periods a root that has taken the past for lost collects nothing, so that its
/// word makes nobody drop anything: a month by default. Those it took for lost may live in another
/// part of a split network, and have acknowledged writes of which it knows nothing. Beyond a month
/// the space that tombstones take is worth more than that possibility.
const GRACES_BARRED: u64 = 30;

/// An arc at its root, with one set of replicas.
#[derive(Debug)]
pub(crate) struct View {
    /// Drawn anew for each arc and replica set, and when it is in doubt.
    pub(crate) id: u64,
    /// What its id was before, the latest last.
    pub(crate) renumbered: Vec<u64>,
    pub(crate) arc: Arc,
    /// This node, then the others by rank.
    pub(crate) replicas: Vec<Contact>,
    /// The mark of the replica set.
    pub(crate) mark: u64,
    /// The other replicas, and after them, while something is unproven, nodes that may know.
    pub(crate) members: Vec<Member>,
    /// Whether those have been asked for.
    pub(crate) called_witnesses: bool,
    /// Whether this node means to leave, so that only the others count for what it acknowledges.
    pub(crate) root_leaves: bool,
    /// Parts for which this node may lack acknowledged writes.
    pub(crate) unproven: Vec<Unproven>,
    /// What this node's own copies proved when it took over.
    pub(crate) own_evidence: Vec<Evidence>,
    /// Views before this one, whose copies may still testify to others.
    pub(crate) earlier: Vec<Earlier>,
    /// Who has claimed something of it lately, so that it had to be proven again.
    pub(crate) claims: Vec<(Claim, Time)>,
}

/// A part for which a root may lack acknowledged writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unproven {
    pub(crate) arc: Arc,
    /// Since this node took over.
    pub(crate) since: Time,
}

/// What it takes to judge what is proven.
#[derive(Clone, Debug)]
pub(crate) struct Proving {
    me: Id,
    /// Who was a root beside this one.
    rivals: Vec<Id>,
    now: Time,
    presume_lost: Duration,
    /// Until when nothing may be collected where the past is taken for lost now.
    bar: WallMs,
}

impl View {
    /// The parts of the arc that this node had before and has again, whether it held everything
    /// then, and to whom they went.
    fn passed_on_before(&self) -> impl Iterator<Item = (Arc, bool, Id)> {
        self.own_evidence
            .iter()
            .filter_map(|known| match known.proof {
                Proof::Held { complete, next } => Some((known.arc, complete, next?)),
                Proof::After { .. } | Proof::Member { .. } => None,
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

    /// The parts in which this root holds everything that was acknowledged.
    pub(crate) fn proven(&self) -> Vec<Arc> {
        subtract_all(vec![self.arc], self.unproven.iter().map(|hole| hole.arc))
    }

    /// Whether nobody who was not asked yet could help this root to everything: it has it, or all
    /// replicas and witnesses were asked in vain.
    pub(crate) fn has_no_better_source(&self) -> bool {
        let asked = |member: &Member| member.compared || member.failures > 0;
        self.is_complete() || self.called_witnesses && self.members.iter().all(asked)
    }

    /// The other replicas.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.replica)
    }

    /// How many members apart from the root together hold every acknowledged write.
    pub(crate) fn copies_needed(&self, write_quorum: usize) -> u8 {
        let root_leaves = usize::from(self.root_leaves && self.replicas.len() > 1);
        let members = self.replicas.len() - root_leaves;
        (members - write_quorum.min(members) + 1) as u8
    }

    /// Takes parts of the arc for unproven, under a new id that the caller draws; of what was proven
    /// there before, only this evidence counts.
    pub(crate) fn reopen(&mut self, parts: &[Arc], evidence: Vec<Evidence>, now: Time) {
        for part in parts {
            let known = std::mem::take(&mut self.own_evidence).into_iter();
            let left = known.flat_map(|known| {
                let left = crate::arcs::subtract(known.arc, *part).into_iter();
                left.map(move |arc| Evidence {
                    arc,
                    ..known.clone()
                })
            });
            self.own_evidence = left.collect();
            let holes = std::mem::take(&mut self.unproven).into_iter();
            let left = holes.flat_map(|hole| {
                let left = crate::arcs::subtract(hole.arc, *part).into_iter();
                left.map(move |arc| Unproven { arc, ..hole })
            });
            self.unproven = left.collect();
            self.unproven.push(Unproven {
                arc: *part,
                since: now,
            });
        }
        self.own_evidence.extend(evidence);
    }

    /// Judges again what is proven, after a comparison; returns what is new, with its horizon.
    pub(crate) fn prove(&mut self, proving: &Proving) -> Vec<(Arc, Horizon)> {
        let Proving {
            me,
            now,
            presume_lost,
            bar,
            ..
        } = *proving;
        // A rival that is alive is heard first.
        let waits = |member: &Member| {
            let is_open = !member.compared && member.failures == 0;
            is_open && proving.rivals.contains(&member.contact.id)
        };
        if self.unproven.is_empty() || self.members.iter().any(waits) {
            return Vec::new();
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
        let rivals = self.rivals_heard(&proving.rivals);
        testimonies.extend(rivals.iter().map(|(witness, evidence)| Testimony {
            witness: *witness,
            evidence,
        }));
        let all_compared = self.replicas().all(|member| member.compared);
        let (mut left, mut proven) = (Vec::new(), Vec::new());
        for Unproven { arc, since } in &self.unproven {
            if all_compared && now.since(*since) >= presume_lost {
                // What is taken for lost may still come back, and must then be believed.
                let upto = overlay::Hlc::default();
                proven.push((*arc, Horizon { upto, bar }));
                continue;
            }
            let arcs = unproven_after((me, &self.renumbered), &[*arc], &testimonies);
            let new = subtract_all(vec![*arc], arcs.iter().copied());
            if !new.is_empty() {
                let all = testimonies.iter().flat_map(|witness| witness.evidence);
                proven.extend(Horizons::merge(&new, all));
            }
            left.extend(arcs.into_iter().map(|arc| Unproven { arc, since: *since }));
        }
        self.unproven = left;
        proven
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn proving(&self, cx: &Cx<'_, Self>) -> Proving {
        Proving {
            me: self.my().id,
            rivals: self.tenures.rivals().map(|rival| rival.id).collect(),
            now: cx.now,
            presume_lost: self.config.presume_lost,
            bar: cx
                .wall
                .plus_secs(self.config.tombstone_grace_s.saturating_mul(GRACES_BARRED)),
        }
    }

    /// Makes views for the present arcs, when the router's neighbours have changed; says whether
    /// they had.
    pub(crate) fn refresh_views(&mut self, cx: &mut Cx<'_, Self>) -> bool {
        let generation = self.routing.router().generation();
        if self.generation == Some(generation) {
            return false;
        }
        self.generation = Some(generation);
        let owned = self.replica_sets();
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
        self.keep_homeless(&before, cx.now);
        let broken: Vec<_> = before.iter().flat_map(View::passed_on_before).collect();
        self.note_former(cx.now, (&held, &broken), &proven);
        self.after_refresh(cx, &changed);
        true
    }

    /// What this node may still take for complete: of its arcs, and of those that were its own a
    /// moment ago and that nobody has claimed since.
    fn proven_parts(&self, before: &[View]) -> Vec<Arc> {
        let mut proven: Vec<Arc> = before.iter().flat_map(View::proven).collect();
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
        let unproven = if self.founding { Vec::new() } else { vec![arc] };
        let mut unproven = subtract_all(unproven, proven.iter().copied());
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
        for former in &self.former {
            let proof = Proof::Held {
                complete: former.complete,
                next: former.taken_by,
            };
            let shared = intersect(former.arc, arc);
            own_evidence.extend(shared.into_iter().map(|arc| Evidence::new(arc, proof)));
        }
        let mut own_evidence = self.horizons.annotate(own_evidence);
        for old in before {
            own_evidence.extend(old.own_evidence.iter().filter_map(|evidence| {
                let shared = intersect(evidence.arc, arc);
                shared.first().map(|shared| Evidence {
                    arc: *shared,
                    ..evidence.clone()
                })
            }));
        }
        own_evidence.sort_by_key(|evidence| (evidence.arc, evidence.proof));
        own_evidence.dedup();
        own_evidence.truncate(MAX_EVIDENCE);
        let members = replicas
            .iter()
            .skip(1)
            .map(|contact| Member::new(*contact, true, cx.now));
        let mut view = View {
            id: cx.rng.next_u64(),
            renumbered: Vec::new(),
            arc,
            mark: set_mark(&replicas),
            members: members.collect(),
            called_witnesses: false,
            root_leaves: self.leaving.is_some(),
            replicas,
            unproven: parts,
            own_evidence,
            earlier: self.earlier_views(before, arc, cx.now),
            claims: Vec::new(),
        };
        let shares = |old: &&View| !intersect(old.arc, arc).is_empty();
        for old in before.iter().filter(shares) {
            view.inherit_claims(old, cx.now);
        }
        self.call_rivals(cx, &mut view);
        self.call_leavers(cx, &mut view);
        for (arc, horizon) in view.prove(&self.proving(cx)) {
            self.horizons.set(arc, horizon);
            self.covers.outlived(arc);
        }
        view
    }

    fn after_refresh(&mut self, cx: &mut Cx<'_, Self>, changed: &[Arc]) {
        for arc in changed {
            self.recoordinate(cx, *arc);
        }
        self.deadlines.set(Due::Sync, cx.now);
        self.strays_changed(cx);
        self.start_sweeping(cx);
        self.start_keeping(cx);
    }
}
