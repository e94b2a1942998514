//! Leaf sets: exchanging them, taking nodes in, and what follows when one is dead.
//!
//! Periodic, not reactive (Bamboo, section 4.1): a node exchanges leaf sets with one member at a
//! time, often after a change and seldom while nothing changes. A node takes in only who spoke to
//! it; whom others list is asked first. So a node that is listed is one that lists its neighbours.
//!
//! Deviation: recovery is reactive, too. Who finds a leaf dead tells others, who see for themselves and
//! ask somebody for who follows, and whoever is missing in a neighbour's set is asked, all at once. In
//! Bamboo each finds out by its own timer, because a burst of repairs congests a network in which
//! time-outs are then mistaken for deaths. Here what a death sets off is bounded: a leaf is asked
//! one question at a time, and has to miss all of its tries. In exchange leaf sets are right within half a minute instead
//! of some periods of up to 15 s for each of the steps.

use crate::leaves::Side;
use crate::message::{Leaves, PastryMessage, Standing};
use crate::node::{Pastry, Phase};
use crate::planted::PlantedBug;
use crate::point::Point;
use crate::probe::{Probe, Purpose};
use crate::table::Entry;
use overlay::{Contact, Cx, OpId, RingChange, RouterEvent};

/// How many of the nodes nearest to a dead one are told by somebody farther: the two beside it.
const TOLD_BESIDE: usize = 2;

impl Pastry {
    /// Somebody tells its leaf set and asks for ours.
    pub(crate) fn on_exchange(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
        leaves: &Leaves,
    ) {
        // Taken in before the answer goes out: the answer of a node that lists the asker is what
        // a joining node waits for.
        self.heard(cx, from, leaves.standing);
        let mine = self.my_leaves();
        cx.send(
            from,
            PastryMessage::Exchanged {
                token,
                leaves: mine,
            },
        );
        if leaves.standing.is_listed() {
            self.consider(cx, from, leaves);
        }
        if self.is_cut_off() && leaves.standing == Standing::Active {
            self.back_through(cx, from);
        }
    }

    /// The leaf set that was asked for.
    pub(crate) fn exchanged(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        probe: &Probe,
        leaves: &Leaves,
    ) {
        if probe.purpose == Purpose::Rejoin {
            self.rejoin_answered(cx, from, leaves);
            return;
        }
        let is_joining = matches!(self.phase, Phase::Joining(_));
        if is_joining && leaves.standing.is_listed() && leaves.has_gap() {
            self.leaves.note_gap();
        }
        if probe.purpose == Purpose::Enter {
            self.confirmed_by(from.id);
        }
        self.heard(cx, from, leaves.standing);
        if leaves.standing.is_listed() {
            self.history.answered(&self.leaves, leaves);
            self.consider(cx, from, leaves);
        }
        self.join_progress(cx);
        if probe.purpose == Purpose::Exchange {
            self.slow_down();
        }
    }

    /// A lone sign of life.
    pub(crate) fn ponged(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        probe: &Probe,
        standing: Standing,
    ) {
        self.heard(cx, from, standing);
        match probe.purpose {
            Purpose::Lost if standing == Standing::Active => self.lost_answered(cx, from),
            Purpose::Measure => self.join_progress(cx),
            _ => {}
        }
    }

    /// Takes a node that spoke to us into the leaf set, when it belongs there.
    pub(crate) fn take_in(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) {
        if matches!(self.phase, Phase::Member | Phase::Joining(_))
            && (self.leaves.wants(contact) || self.leaves.would_show_gap(contact))
        {
            self.change(cx, |leaves| leaves.insert(contact));
        }
    }

    /// A node that was heard is no member.
    pub(crate) fn not_listed(&mut self, cx: &mut Cx<'_, Self>, from: Contact, standing: Standing) {
        self.table.remove(from.id);
        if !self.leaves.contains(from.id) {
            return;
        }
        if standing == Standing::CutOff && self.is_active() {
            // It lost us, and we did not lose it: our exchange brings it back.
            self.probe(cx, from, Purpose::Exchange);
            return;
        }
        // A new process that has not joined yet. It may do so through us, or others may: were it the
        // last that we knew and forgotten, being cut off would have no end.
        self.lost.add_if_room(from, cx.now);
        self.lost_leaf(cx, from);
    }

    /// Asks the nodes that another lists, when they belong into our leaf set.
    fn consider(&mut self, cx: &mut Cx<'_, Self>, from: Contact, told: &Leaves) {
        let purpose = match &self.phase {
            Phase::Member => Purpose::Candidate,
            Phase::Joining(joining) if joining.is_entering() => Purpose::Enter,
            Phase::Joining(joining) if joining.is_learning() => Purpose::Learn,
            _ => return,
        };
        if !self.config.maintain {
            return;
        }
        let (before, after) = told.beside();
        self.change(cx, |leaves| leaves.note_beside(from.id, before, after));
        // Of all that would fit, only those that stay when all are taken in.
        let mut would = self.leaves.clone();
        for contact in &told.members {
            if contact.id != self.me.id && !self.lost.is_shunned(contact.id, cx.now) {
                would.insert(*contact);
            }
        }
        let shows_gap = would.has_gap() && !self.leaves.has_gap();
        for contact in &told.members {
            let is_of_use = would.contains(contact.id)
                || shows_gap && !self.lost.is_shunned(contact.id, cx.now);
            if contact.id != self.me.id && is_of_use && !self.leaves.contains(contact.id) {
                self.probe(cx, *contact, purpose);
            }
        }
        if self.is_active() && self.leaves.contains(from.id) {
            self.doubt_unlisted(cx, from, told);
        }
    }

    /// Whom a neighbour should list and does not, it may have found dead.
    fn doubt_unlisted(&mut self, cx: &mut Cx<'_, Self>, from: Contact, told: &Leaves) {
        let unlisted = |leaf: &&Contact| {
            told.would_list(from, **leaf) && !told.members.iter().any(|known| known.id == leaf.id)
        };
        let doubtful: Vec<Contact> = self
            .leaves
            .members()
            .iter()
            .filter(unlisted)
            .copied()
            .collect();
        for leaf in doubtful {
            // As often as any other: it may only not be known there yet.
            self.probe(cx, leaf, Purpose::Check { hinted: false });
        }
    }

    /// The timer of the regular exchange fired.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticker.at = None;
        if !self.is_active() {
            return;
        }
        if let Some(partner) = self.next_partner(cx) {
            self.probe(cx, partner, Purpose::Exchange);
            self.schedule_period(cx);
        }
    }

    /// Whom to exchange leaf sets with: whoever can fill a side that is short; else the nearest
    /// two in turn, and every fourth time any member.
    fn next_partner(&mut self, cx: &mut Cx<'_, Self>) -> Option<Contact> {
        self.ticker.turn = self.ticker.turn.wrapping_add(1);
        let turn = self.ticker.turn;
        for side in [Side::Larger, Side::Smaller] {
            if self.leaves.is_broken(side) {
                return self.known_towards(side);
            }
            if self.leaves.is_short(side) && turn.is_multiple_of(2) {
                return self.leaves.farthest(side);
            }
        }
        let members = self.leaves.members();
        let count = members.len() as u64;
        match turn % 4 {
            0 if count > 0 => members.get((cx.rng.next_u64() % count) as usize).copied(),
            2 => self.leaves.nearest(Side::Smaller),
            _ => self.leaves.nearest(Side::Larger),
        }
    }

    /// The node of all tables that comes first on one side.
    fn known_towards(&self, side: Side) -> Option<Contact> {
        let me = Point::of(self.me.id);
        let distance = |contact: &Contact| match side {
            Side::Larger => me.clockwise_to(Point::of(contact.id)),
            Side::Smaller => Point::of(contact.id).clockwise_to(me),
        };
        let entries = self.table.entries().iter().map(Entry::contact);
        let leaves = self.leaves.members().iter().copied();
        entries.chain(leaves).min_by_key(distance)
    }

    /// A peer was silent, or cannot be reached.
    pub(crate) fn on_doubt(&mut self, cx: &mut Cx<'_, Self>, peer: Contact, is_down: bool) {
        if !self.config.maintain {
            return;
        }
        if is_down {
            self.probes_down(cx, peer);
        }
        if !self.is_active() {
            return;
        }
        if self.leaves.contains(peer.id) {
            self.probe(cx, peer, Purpose::Check { hinted: false });
        } else if self.table.entry_of(peer.id).is_some() {
            self.probe(cx, peer, Purpose::CheckEntry);
        }
    }

    /// A neighbour found a leaf dead.
    pub(crate) fn on_gone(&mut self, cx: &mut Cx<'_, Self>, from: Contact, gone: Contact) {
        if self.is_active() && self.leaves.contains(from.id) && self.leaves.contains(gone.id) {
            self.probe(cx, gone, Purpose::Check { hinted: true });
        }
    }

    /// A leaf did not answer its probes. The first of its nearest neighbours to find that out tells
    /// all its leaves, the second the one leaf that the first does not list; whoever else finds
    /// it dead tells the two.
    pub(crate) fn declare_dead(&mut self, cx: &mut Cx<'_, Self>, dead: Contact, hinted: bool) {
        self.failures.note(cx.now);
        self.history.lost_one();
        if self.remember_lost(cx, dead) {
            cx.emit(RouterEvent::Ring(RingChange::Dead(dead)));
        }
        if self.config.has_bug(PlantedBug::KeepDead) {
            return;
        }
        let told = self.whom_to_tell(dead, hinted);
        self.lost_leaf(cx, dead);
        if self.is_active() {
            for leaf in told {
                cx.send(leaf, PastryMessage::Gone { contact: dead });
            }
        }
    }

    fn whom_to_tell(&self, dead: Contact, hinted: bool) -> Vec<Contact> {
        let members = self.leaves.members();
        let others = || members.iter().copied().filter(|leaf| leaf.id != dead.id);
        for side in [Side::Larger, Side::Smaller] {
            if self
                .leaves
                .nearest(side)
                .is_none_or(|leaf| leaf.id != dead.id)
            {
                continue;
            }
            if !hinted {
                return others().collect();
            }
            // Of those that list the dead one, who is farthest from the other side of it.
            let at = self.config.half().checked_sub(2);
            let far = at.and_then(|at| self.leaves.side(side.opposite()).nth(at));
            return far.into_iter().copied().collect();
        }
        let mut beside: Vec<Contact> = if hinted {
            Vec::new()
        } else {
            others().collect()
        };
        beside.sort_by_key(|leaf| Point::of(leaf.id).closeness_to(Point::of(dead.id)));
        beside.truncate(TOLD_BESIDE);
        beside
    }

    /// A leaf is gone: takes it out, and asks whoever may know who follows.
    pub(crate) fn lost_leaf(&mut self, cx: &mut Cx<'_, Self>, gone: Contact) {
        self.table.remove(gone.id);
        self.nearby.remove(gone.id);
        let was_leaf = self.change(cx, |leaves| leaves.remove(gone.id));
        if !was_leaf || !self.is_active() {
            return;
        }
        if self.leaves.is_empty() {
            return self.lost_everybody(cx);
        }
        for side in [Side::Larger, Side::Smaller] {
            let helper = if self.leaves.is_broken(side) {
                self.quicken(cx);
                self.known_towards(side)
            } else {
                self.leaves
                    .farthest(side)
                    .filter(|_| self.leaves.is_short(side))
            };
            if let Some(helper) = helper {
                self.probe(cx, helper, Purpose::Exchange);
            }
        }
    }

    /// A peer leaves: it counts as dead without being asked.
    pub(crate) fn on_leaving(&mut self, cx: &mut Cx<'_, Self>, from: Contact) {
        self.lost.forget(from.id);
        self.lost.shun(from.id, cx.now);
        self.lost_leaf(cx, from);
        self.join_progress(cx);
    }

    /// Stops taking part, and says so.
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        if let Phase::Joining(joining) = &self.phase
            && let Some(op) = joining.op
        {
            cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "told to leave while joining".into(),
            });
        }
        for neighbour in self.leaves.members() {
            cx.send(*neighbour, PastryMessage::Leaving);
        }
        self.phase = Phase::Left;
        self.probes.clear();
        cx.emit(RouterEvent::Left { op });
    }
}
