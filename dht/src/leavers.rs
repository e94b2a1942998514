//! Replicas that mean to leave, as their root sees them.
//!
//! A copy at a node that leaves is a copy less. So the root of it makes one more while that node is
//! still there, and does not count it among those that must hold a write. The node may go once
//! those that stay have been compared with the root after it said so: then they hold what it has
//! acknowledged before, and enough of them what was acknowledged since.
//!
//! A root lets one of them go after another, the one with the lowest id first: were all its replicas
//! to go at once, nobody might be left whom its router knows. Where all mean to leave, the one with
//! the highest id counts as staying.

use crate::coordinate::Coordinated;
use crate::due::Due;
use crate::view::View;
use crate::{Dht, Store, StoreMessage};
use overlay::{Consistency, Contact, Cx, Duration, Id, KeyRouter, OwnedArc, Time};

/// Most replicas at a time that a root knows to mean to leave; others ask again. A root has a few
/// replicas, and a few more during changes.
const MAX_LEAVERS: usize = 64;
/// How long a node counts as leaving after it last said so; it does several times a second.
const REMEMBERED: Duration = Duration::from_secs(30);
/// How long the word of a root counts that it can do without a node: well below that time. Nobody
/// else hears it from this root meanwhile.
pub(crate) const SPARED_FOR: Duration = Duration(REMEMBERED.0 / 10);
/// Most replicas beyond the usual number, in place of those that mean to leave: where more leave at
/// the same time, the rest of them wait for the first.
const MAX_EXTRA: usize = 4;

/// A node that means to leave.
#[derive(Clone, Copy, Debug)]
struct Leaver {
    id: Id,
    /// When it said so first.
    since: Time,
    /// When it did last.
    heard: Time,
    /// Whether nothing but its roots keeps it.
    ready: bool,
}

/// The word that a node can go.
#[derive(Clone, Copy, Debug)]
struct Spared {
    id: Id,
    /// The question that it answers.
    req: u64,
    at: Time,
}

/// Those of one root.
#[derive(Debug, Default)]
pub(crate) struct Leavers {
    list: Vec<Leaver>,
    /// Who was told last that it can go.
    spared: Option<Spared>,
}

impl Leavers {
    pub(crate) fn contains(&self, id: Id) -> bool {
        self.list.iter().any(|leaver| leaver.id == id)
    }

    /// Notes that a node means to leave; says whether that is news, and nothing when there are too
    /// many.
    fn note(&mut self, id: Id, ready: bool, now: Time) -> Option<bool> {
        if let Some(known) = self.list.iter_mut().find(|leaver| leaver.id == id) {
            (known.heard, known.ready) = (now, ready);
            return Some(false);
        }
        if self.list.len() >= MAX_LEAVERS {
            return None;
        }
        self.list.push(Leaver {
            id,
            since: now,
            heard: now,
            ready,
        });
        Some(true)
    }

    /// Since when the last of them has been leaving.
    pub(crate) fn latest(&self) -> Option<Time> {
        self.list.iter().map(|leaver| leaver.since).max()
    }

    fn since(&self, id: Id) -> Option<Time> {
        let known = self.list.iter().find(|leaver| leaver.id == id);
        known.map(|leaver| leaver.since)
    }

    /// Forgets those that say so no more; says whether there were any.
    fn forget(&mut self, now: Time) -> bool {
        let before = self.list.len();
        self.list
            .retain(|leaver| now.since(leaver.heard) < REMEMBERED);
        self.list.len() < before
    }

    /// Whether it is the turn of one: none before it is ready, and no other has just been told.
    fn is_next(&self, id: Id, now: Time, is_here: impl Fn(Id) -> bool + Copy) -> bool {
        let waits = |leaver: &&Leaver| leaver.ready && is_here(leaver.id);
        let first = self.list.iter().filter(waits).map(|leaver| leaver.id).min();
        first == Some(id) && self.just_spared(now, is_here).is_none_or(|told| told == id)
    }

    /// Who was just told that it can go, and has not gone.
    fn just_spared(&self, now: Time, is_here: impl Fn(Id) -> bool) -> Option<Id> {
        let Spared { id, at, .. } = self.spared?;
        (now.since(at) < SPARED_FOR && is_here(id)).then_some(id)
    }

    /// A node asks that does not count on what it was told: when it has asked since, it never will.
    fn gives_back(&mut self, id: Id, req: u64) {
        let is_later = |told: &mut Spared| told.id == id && req.wrapping_sub(told.req) as i64 > 0;
        self.spared.take_if(is_later);
    }

    fn next(&self) -> Option<Time> {
        let ends = self.list.iter().map(|leaver| leaver.heard + REMEMBERED);
        ends.min()
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Whether a node is known to mean to leave, this one included.
    fn leaves(&self, id: Id) -> bool {
        self.leavers.contains(id) || self.leaving.is_some() && id == self.my().id
    }

    /// Whether anybody is.
    fn somebody_leaves(&self) -> bool {
        self.leavers.latest().is_some() || self.leaving.is_some()
    }

    /// Which of these replicas count as staying: never none.
    fn stayers(&self, replicas: &[Contact]) -> Vec<Id> {
        let ids = replicas.iter().map(|replica| replica.id);
        let staying: Vec<Id> = ids.clone().filter(|id| !self.leaves(*id)).collect();
        if staying.is_empty() {
            return ids.max().into_iter().collect();
        }
        staying
    }

    /// The arcs of this root, each with enough replicas that N stay, where there are so many nodes.
    pub(crate) fn replica_sets(&self) -> Vec<OwnedArc> {
        let usual = self.config.replicas;
        let mut extra = 0;
        loop {
            let owned = self.routing.router().owned(usual + extra);
            let is_short = |part: &OwnedArc| {
                let staying = part.replicas.iter().filter(|peer| !self.leaves(peer.id));
                part.replicas.len() == usual + extra && staying.count() < usual
            };
            if extra == MAX_EXTRA || !owned.iter().any(is_short) {
                return owned;
            }
            extra += 1;
        }
    }

    /// Whether a replica can go, or this root itself: those that stay have been compared with this
    /// root since a time, and it is none that has to stay.
    pub(crate) fn is_spared(&self, view: &View, leaver: Id, since: Time) -> bool {
        let staying = self.stayers(&view.replicas);
        let mut others = view
            .replicas()
            .filter(|member| staying.contains(&member.contact.id));
        !staying.contains(&leaver)
            && others.all(|member| member.covered && member.since >= Some(since))
    }

    /// A node that holds records for this root means to leave.
    pub(crate) fn leave_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        (ready, holds): (bool, bool),
    ) {
        if !holds {
            self.leavers.gives_back(from.id, req);
        }
        let news = self.leavers.note(from.id, ready, cx.now);
        if news == Some(true) {
            self.replicas_leave(cx);
        }
        if let Some(at) = self.leavers.next() {
            self.deadlines.set(Due::Leavers, at);
        }
        let is_free = |since| {
            let spares = |view: &View| view.is_complete() && self.is_spared(view, from.id, since);
            self.views.iter().all(spares)
        };
        let is_here = |id| self.is_replica(id);
        let goes_before = self.my().id < from.id && self.has_handed_over();
        let is_next =
            !is_here(from.id) || self.leavers.is_next(from.id, cx.now, is_here) && !goes_before;
        let spared = is_next && self.leavers.since(from.id).is_some_and(is_free);
        if spared {
            self.leavers.spared = Some(Spared {
                id: from.id,
                req,
                at: cx.now,
            });
        }
        self.post(cx, from, StoreMessage::MayLeaveTold { req, spared });
    }

    /// Whether a node is among the replicas of this root.
    fn is_replica(&self, id: Id) -> bool {
        let mut replicas = self.views.iter().flat_map(|view| &view.replicas);
        replicas.any(|peer| peer.id == id)
    }

    /// Whether a replica of this root was just told that it can go. Whoever takes over from this root
    /// needs the word of those that it has now, so that it must see that one go before it goes.
    pub(crate) fn has_just_spared(&self, now: Time) -> bool {
        let told = self.leavers.just_spared(now, |id| self.is_replica(id));
        told.is_some()
    }

    /// More replicas are needed, and all are compared once more.
    pub(crate) fn replicas_leave(&mut self, cx: &mut Cx<'_, Self>) {
        self.generation = None;
        self.refresh_views(cx);
        for member in self.views.iter_mut().flat_map(|view| &mut view.members) {
            member.next_at = cx.now;
        }
        self.sync_due(cx);
    }

    /// Some have not said for a while that they mean to leave.
    pub(crate) fn leavers_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leavers.forget(cx.now) {
            self.generation = None;
            // What they hold counts again.
            let numbers: Vec<u64> = self.coordinated.keys().copied().collect();
            for number in numbers {
                self.answer_if_safe(cx, number);
            }
        }
        if let Some(at) = self.leavers.next() {
            self.deadlines.set(Due::Leavers, at);
        }
    }

    /// How many of the replicas that stay hold a write of this root durably, and how many stay; none
    /// when nobody leaves.
    pub(crate) fn durable_at_stayers(&self, write: &Coordinated) -> Option<(usize, usize)> {
        if !self.somebody_leaves() {
            return None;
        }
        let view = self.views.iter().find(|view| write.is_in(view.arc))?;
        let staying = self.stayers(&view.replicas);
        let durable = write.durable.iter().filter(|id| staying.contains(id));
        Some((durable.count(), staying.len()))
    }

    /// Whether enough replicas that stay hold a write of this root durably.
    pub(crate) fn is_safe_without_leavers(&self, write: &Coordinated) -> bool {
        let needed = match write.consistency {
            Consistency::One => 1,
            Consistency::Quorum => self.config.write_quorum,
            Consistency::All => usize::MAX,
        };
        let at_stayers = self.durable_at_stayers(write);
        at_stayers.is_none_or(|(durable, staying)| durable >= needed.min(staying))
    }
}
