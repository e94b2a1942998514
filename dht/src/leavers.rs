//! Nodes that mean to leave, as the roots see them that have had them hold records.
//!
//! Such a node is no replica any more from the moment it says so, and another one takes its place:
//! it does not count among those that must hold a write, nor among those whose copies prove
//! anything later. The root compares itself with it once more, as with a witness, so that nothing
//! is left that the node acknowledged to whoever was the root before. It may go once all replicas
//! have been compared with the root after that.
//!
//! Neighbours hear of it too, and where several mean to leave, they go one after another, the least
//! id first: were all neighbours of a node to go at once, nobody might be left whom its router knows.
//!
//! A root that leaves itself hands over to those that stay. Where nobody it knows does, it hands
//! over to those with greater ids, so that of nodes that all leave the last one has everything.

use crate::due::Due;
use crate::member::Member;
use crate::message::{Intent, MAX_SPARED_ARCS};
use crate::view::View;
use crate::{Dht, Store, StoreMessage};
use overlay::{Contact, Cx, Duration, Id, KeyRouter, OwnedArc, Time};
use std::collections::BTreeSet;

/// Most of them at a time that a root keeps in mind; others ask again. They are neighbours, of which
/// a router knows about as many.
const MAX_LEAVERS: usize = 64;
/// How long a node counts as leaving after it last said so; it does several times a second.
const REMEMBERED: Duration = Duration::from_secs(10);
/// How long the word of a root counts that it can do without a node: well below that time.
pub(crate) const SPARED_FOR: Duration = Duration::from_secs(3);
/// How long a node waits for another one that goes before it, and has said a moment ago that nothing
/// else keeps it. That takes a round trip.
const TURN: Duration = Duration::from_secs(3);

/// A node that means to leave.
#[derive(Clone, Copy, Debug)]
struct Leaver {
    contact: Contact,
    /// Whether it has held records for this root.
    copies: bool,
    /// When it last said so.
    heard: Time,
    /// Since when it has said that nothing else keeps it.
    ready: Option<Time>,
}

/// All of them that a root knows.
#[derive(Debug, Default)]
pub(crate) struct Leavers(Vec<Leaver>);

impl Leavers {
    pub(crate) fn contains(&self, id: Id) -> bool {
        self.0.iter().any(|leaver| leaver.contact.id == id)
    }

    /// Notes that a node means to leave; says whether that is news that there is room for.
    fn note(&mut self, contact: Contact, said: &Intent, now: Time) -> bool {
        let mut known = self.0.iter_mut();
        if let Some(known) = known.find(|leaver| leaver.contact.id == contact.id) {
            let is_news = said.copies && !known.copies;
            known.copies |= said.copies;
            known.heard = now;
            known.ready = said.ready.then(|| known.ready.unwrap_or(now));
            return is_news;
        }
        let has_room = self.0.len() < MAX_LEAVERS;
        if has_room {
            self.0.push(Leaver {
                contact,
                copies: said.copies,
                heard: now,
                ready: said.ready.then_some(now),
            });
        }
        has_room
    }

    /// Those that go before a node.
    fn before(&self, id: Id, now: Time) -> impl Iterator<Item = Id> {
        let is_ready = move |leaver: &&Leaver| {
            let is_due = |since: Time| now.since(since) < TURN;
            leaver.contact.id < id && is_due(leaver.heard) && leaver.ready.is_some_and(is_due)
        };
        self.0
            .iter()
            .filter(is_ready)
            .map(|leaver| leaver.contact.id)
    }

    /// Forgets those that say so no more; says whether there were any.
    fn forget(&mut self, now: Time) -> bool {
        let before = self.0.len();
        self.0.retain(|leaver| now.since(leaver.heard) < REMEMBERED);
        self.0.len() < before
    }

    fn next(&self) -> Option<Time> {
        self.0.iter().map(|leaver| leaver.heard + REMEMBERED).min()
    }
}

impl View {
    /// A comparison has ended that began at some time. What one that means to leave knows must reach
    /// the replicas before it goes, and so must everything before this root leaves.
    pub(crate) fn pass_on(
        &mut self,
        at: usize,
        began: Time,
        (leavers, leaving): (&Leavers, Option<Time>),
        now: Time,
    ) {
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        let is_leaver = !member.replica && leavers.contains(member.contact.id);
        if is_leaver && member.compared && member.taken_in.is_none() {
            member.taken_in = Some(now);
            let replicas = self.members.iter_mut().filter(|member| member.replica);
            replicas.for_each(|replica| replica.next_at = now);
            return;
        }
        let taken_in = self.members.iter().filter_map(|member| member.taken_in);
        let wanted = taken_in.chain(leaving).max();
        let is_behind = wanted.is_some_and(|wanted| began < wanted);
        if let Some(replica) = self.members.get_mut(at)
            && replica.replica
            && is_behind
        {
            replica.next_at = now;
        }
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The arcs of this root, each with its replicas, of which this node is the first: N that stay,
    /// this node included if it does.
    pub(crate) fn replica_sets(&self) -> Vec<OwnedArc> {
        let needed = self.config.replicas + usize::from(self.leaving.is_some());
        let mut owned = self.routing.router().owned(needed + self.leavers.0.len());
        if self.leavers.0.is_empty() {
            return owned;
        }
        for part in &mut owned {
            part.replicas = self.stayers(&part.replicas);
            part.replicas.truncate(needed);
        }
        // The overlay has divided them for more replicas than there are now.
        let set = |part: &OwnedArc| -> BTreeSet<Id> {
            part.replicas.iter().map(|replica| replica.id).collect()
        };
        owned.dedup_by(|next, part| {
            let is_same = part.arc.to == next.arc.from && set(part) == set(next);
            if is_same {
                part.arc.to = next.arc.to;
            }
            is_same
        });
        owned
    }

    /// Of a root and the nodes that follow it: itself, and those to which it can leave its records.
    fn stayers(&self, all: &[Contact]) -> Vec<Contact> {
        let me = self.my().id;
        let only = |stays: &dyn Fn(Id) -> bool| -> Vec<Contact> {
            let counts = |peer: &&Contact| peer.id == me || stays(peer.id);
            all.iter().filter(counts).copied().collect()
        };
        let staying = only(&|id| !self.leavers.contains(id));
        if self.leaving.is_some() && staying.len() == 1 {
            return only(&|id| id > me);
        }
        staying
    }

    /// Those of them that have held records are compared with this root before they go.
    pub(crate) fn call_leavers(&self, cx: &Cx<'_, Self>, view: &mut View) {
        for leaver in self.leavers.0.iter().filter(|leaver| leaver.copies) {
            let is_it = |known: &Member| known.contact.id == leaver.contact.id;
            if !view.members.iter().any(is_it) {
                view.members
                    .push(Member::new(leaver.contact, false, cx.now));
            }
        }
    }

    fn call_leavers_everywhere(&mut self, cx: &mut Cx<'_, Self>) {
        let mut views = std::mem::take(&mut self.views);
        for view in &mut views {
            self.call_leavers(cx, view);
        }
        self.views = views;
        self.sync_due(cx);
    }

    /// The nodes around this one, who must not all go at once.
    pub(crate) fn near(&self) -> BTreeSet<Contact> {
        let router = self.routing.router();
        let sets = router.owned(self.config.replicas + MAX_LEAVERS).into_iter();
        let mut near: BTreeSet<Contact> = sets.flat_map(|part| part.replicas).collect();
        near.extend(router.neighbours().before());
        near.remove(&self.my());
        near
    }

    /// Whether no neighbour goes before this node.
    pub(crate) fn is_my_turn(&self, now: Time) -> bool {
        let contacts = self.routing.router().contacts();
        let mut before = self.leavers.before(self.my().id, now);
        !before.any(|id| contacts.iter().any(|peer| peer.id == id))
    }

    /// A node that has held records for this root, or is near, means to leave.
    pub(crate) fn leave_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, said: &Intent) {
        if self.leavers.note(from, said, cx.now) {
            self.stayers_changed(cx);
        } else {
            // A view that was doubted since has nobody but its replicas any more.
            self.call_leavers_everywhere(cx);
        }
        if let Some(at) = self.leavers.next() {
            self.deadlines.set(Due::Leavers, at);
        }
        let req = said.req;
        let spared = if said.copies && self.can_spare(from.id) {
            let arcs = self.views.iter().map(|view| view.arc);
            Some(arcs.take(MAX_SPARED_ARCS).collect())
        } else {
            None
        };
        self.post(cx, from, StoreMessage::MayLeaveTold { req, spared });
    }

    /// Whether nothing of this root depends on a node.
    fn can_spare(&self, id: Id) -> bool {
        self.views.iter().all(|view| {
            let mut members = view.members.iter();
            let known = members.find(|member| member.contact.id == id && !member.replica);
            let taken_in = known.and_then(|witness| witness.taken_in);
            let has_it = |replica: &Member| replica.covered && replica.since >= taken_in;
            taken_in.is_some() && view.replicas().all(has_it)
        })
    }

    /// Those that may hold records for this root: its replicas, and those that leave.
    pub(crate) fn copies(&self) -> BTreeSet<Contact> {
        let members = self.views.iter().flat_map(|view| &view.members);
        let leavers = self.leavers.0.iter().map(|leaver| leaver.contact);
        members
            .map(|member| member.contact)
            .chain(leavers)
            .collect()
    }

    /// Somebody means to leave, or does not any more: there are other replicas.
    pub(crate) fn stayers_changed(&mut self, cx: &mut Cx<'_, Self>) {
        self.generation = None;
        self.refresh_views(cx);
        for view in &mut self.views {
            view.root_leaves = self.leaving.is_some();
        }
        self.call_leavers_everywhere(cx);
        // Other replicas count for the writes under way.
        let numbers: Vec<u64> = self.coordinated.keys().copied().collect();
        for number in numbers {
            self.answer_if_safe(cx, number);
        }
    }

    /// Some have not said for a while that they mean to leave.
    pub(crate) fn leavers_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leavers.forget(cx.now) {
            self.stayers_changed(cx);
        }
        if let Some(at) = self.leavers.next() {
            self.deadlines.set(Due::Leavers, at);
        }
    }
}
