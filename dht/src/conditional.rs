//! Writes with a condition: the root must know the newest version before it decides.
//!
//! A root whose arc is complete holds everything that was acknowledged there, *if it still is the
//! root*. Another node may have taken it for dead, become the root of its arc, and acknowledged
//! writes of which it knows nothing. So it asks its replicas first, and decides only once W of the
//! N members of its view, itself included, confirm that they are full copies under this view and
//! that nobody else has claimed the key since. That suffices:
//!
//! - Nobody decides without having proven its arc complete (`proof`). Another root than this one
//!   proves that either by the word of this root, which then takes no more writes, or by comparing
//!   its records with N - W + 1 members of this root's view. Each of these has, before it
//!   was compared, noted the claim (`Covers::fence`), and confirms nothing to this root from then on.
//! - N - W + 1 of the members have noted the claim, so at most W - 1 are left that confirm: too few
//!   to decide. And what this root decided before was held by W members, of which one at least is
//!   among those compared: the other root has it.
//! - The same fence holds for the record of a conditional write: a replica takes it only under the
//!   view that it confirms, so that a decision which was overtaken is not acknowledged.
//! - At one root, conditions are judged and versions given in one step, after the confirmations.
//!
//! - Another root may prove its arc by copies under a view that this one had before: see `earlier`.
//!
//! A root that hears of a claim takes its arc for unproven, draws a new view, and proves it again.
//!
//! What this does not give, and the README says so: an ordinary write is not fenced, so one that a
//! root acknowledges while another has claimed its arc may be missed by a condition; once an arc is
//! taken for complete because all who knew are gone (`presume_lost`), so is a condition; and a
//! conditional write that ends without an answer may still appear.

use crate::coordinate::{FIRST_CHECK, LAST_CHECK};
use crate::due::Due;
use crate::message::{Claim, Confirm, Confirmation, Write, WriteResult};
use crate::planted::PlantedBug;
use crate::{Dht, Store, StoreMessage};
use overlay::{Consistency, Contact, Cx, Id, KeyRouter, Slot, Time, Version, WallMs};
use smallvec::SmallVec;

/// A conditional write that this root has not decided about.
#[derive(Debug)]
pub(crate) struct Deciding {
    from: Contact,
    pub(crate) write: Write,
    /// The view under which replicas have confirmed.
    view: u64,
    /// Those that have, this node included.
    confirmed: SmallVec<[Id; 4]>,
    /// The newest version that they know, and whether a reader would see it.
    newest: Option<(Version, bool)>,
    checks: u32,
    deadline: Time,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Begins to find out whether a condition holds.
    pub(crate) fn decide_write(&mut self, cx: &mut Cx<'_, Self>, from: Contact, write: Write) {
        let number = self.draw_number(cx);
        self.remembered.add(from.id, write.number, number, cx.now);
        let deciding = Deciding {
            from,
            write,
            view: 0,
            confirmed: SmallVec::from_slice(&[self.my().id]),
            newest: None,
            checks: 0,
            deadline: cx.now + self.config.write_timeout,
        };
        self.deciding.insert(number, Box::new(deciding));
        self.ask_to_confirm(cx, number);
    }

    /// Asks the replicas that have not confirmed yet, or decides.
    fn ask_to_confirm(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let me = self.my().id;
        let Some(deciding) = self.deciding.get(&number) else {
            return;
        };
        let (key, known) = (deciding.write.key, deciding.view);
        let Some(view) = self.views.iter().find(|view| view.arc.contains(key)) else {
            return self.undecided(cx, number, WriteResult::NotResponsible);
        };
        let is_changed = known != 0 && known != view.id;
        let number = match is_changed {
            // What was confirmed under the old view must not be taken for an answer under this.
            true => self.renumber_deciding(cx, number),
            false => number,
        };
        let view = self.views.iter().find(|view| view.arc.contains(key));
        let Some((view, deciding)) = view.zip(self.deciding.get_mut(&number)) else {
            return;
        };
        if deciding.view != view.id {
            deciding.view = view.id;
            deciding.confirmed = SmallVec::from_slice(&[me]);
        }
        let silent: SmallVec<[Contact; 3]> = view
            .replicas
            .iter()
            .filter(|peer| !deciding.confirmed.contains(&peer.id))
            .copied()
            .collect();
        let pause = FIRST_CHECK
            .times(1 << deciding.checks.min(4))
            .min(LAST_CHECK);
        let next = (cx.now + pause).min(deciding.deadline);
        let (req, view, complete) = (number, view.id, view.is_complete());
        self.deadlines.set(Due::Deciding(number), next);
        if complete {
            for peer in silent {
                let question = Confirm { req, key, view };
                self.post(cx, peer, StoreMessage::Confirm(question));
            }
        }
        self.decide_if_known(cx, number);
    }

    /// Gives a decision another number; answers to questions with the old one are for nobody.
    fn renumber_deciding(&mut self, cx: &mut Cx<'_, Self>, number: u64) -> u64 {
        let fresh = self.draw_number(cx);
        if let Some(deciding) = self.deciding.remove(&number) {
            let (origin, name) = (deciding.from.id, deciding.write.number);
            self.remembered.add(origin, name, fresh, cx.now);
            self.deciding.insert(fresh, deciding);
        }
        self.deadlines.clear(Due::Deciding(number));
        fresh
    }

    /// A root asks whether it still is one to this node.
    pub(crate) fn confirm_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, asked: Confirm) {
        let Confirm { req, key, view } = asked;
        let standing = match self.own_claim(key) {
            Some(claim) => Confirmation::Claimed(claim),
            None => self.covers.confirmation(from.id, view, key, cx.now),
        };
        let found = self.version_here(key, cx.wall);
        let answer = StoreMessage::Confirmed {
            req,
            standing,
            found,
        };
        self.post(cx, from, answer);
    }

    /// The version of the value here, and whether a reader would see it.
    fn version_here(&self, key: Id, wall: WallMs) -> Option<(Version, bool)> {
        let known = self.store.meta(key, Slot::Value)?;
        Some((known.version, known.is_live(wall)))
    }

    pub(crate) fn confirmed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        number: u64,
        standing: Confirmation,
        found: Option<(Version, bool)>,
    ) {
        let clock = found.map_or(overlay::Hlc(0), |(version, _)| version.clock);
        if !self.trusts(cx, from, clock) {
            return;
        }
        let Some(deciding) = self.deciding.get_mut(&number) else {
            return;
        };
        let key = deciding.write.key;
        let view = self.views.iter().find(|view| view.arc.contains(key));
        let is_awaited = view.is_some_and(|view| {
            view.id == deciding.view && view.replicas.iter().any(|peer| peer.id == from.id)
        });
        if !is_awaited || deciding.confirmed.contains(&from.id) {
            return;
        }
        match standing {
            Confirmation::Copy => {
                deciding.newest = deciding.newest.max(found);
                deciding.confirmed.push(from.id);
                self.decide_if_known(cx, number);
            }
            Confirmation::NoCopy => {}
            Confirmation::Claimed(claim) => self.deposed(cx, key, claim),
        }
    }

    /// How many of a replica set must confirm their root: more than half in any case, so that two
    /// roots of one set cannot both have them.
    fn needed_to_decide(&self, write: &Write, replicas: usize) -> usize {
        match write.consistency {
            Consistency::All => replicas,
            Consistency::One | Consistency::Quorum => {
                self.config.write_quorum.max(replicas / 2 + 1).min(replicas)
            }
        }
    }

    /// Judges the condition as soon as that can be done, and in the same step writes.
    pub(crate) fn decide_if_known(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(deciding) = self.deciding.get(&number) else {
            return;
        };
        let write = &deciding.write;
        let Some(view) = self.views.iter().find(|view| view.arc.contains(write.key)) else {
            return;
        };
        let replicas = view.replicas.len();
        let answered = deciding.confirmed.len();
        if view.id != deciding.view
            || !view.is_complete()
            || answered < self.needed_to_decide(write, replicas)
        {
            return;
        }
        let key = write.key;
        if view.promises_missing(key, cx.now) > 0 {
            return self.ask_to_retire(cx, number, key);
        }
        let newest = self.version_here(write.key, cx.wall).max(deciding.newest);
        let live = newest.and_then(|(version, live)| live.then_some(version));
        let Some(deciding) = self.deciding.remove(&number) else {
            return;
        };
        self.deadlines.clear(Due::Deciding(number));
        let Deciding { from, write, .. } = *deciding;
        let newer = newest.map(|(version, _)| version);
        // What is there may be this very write, which another root has done.
        let is_done = newer == Some(write.given(from.id));
        let holds = is_done || write.condition.holds(live);
        if holds || self.config.has_bug(PlantedBug::IgnoreCondition) {
            return self.accept_write(cx, from, write, newer);
        }
        let result = WriteResult::Conflict {
            found: live,
            answered: answered as u32,
            replicas: replicas as u32,
        };
        self.remembered.done(from.id, write.number, &result);
        let req = write.req;
        self.post(cx, from, StoreMessage::WriteReply { req, result });
    }

    /// Some replica has not confirmed for a while.
    pub(crate) fn deciding_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(deciding) = self.deciding.get_mut(&number) else {
            return;
        };
        deciding.checks += 1;
        let (from, req, checks) = (deciding.from, deciding.write.req, deciding.checks);
        if cx.now >= deciding.deadline {
            let write = &deciding.write;
            let answered = deciding.confirmed.len() as u32;
            let key = write.key;
            let view = self.views.iter().find(|view| view.arc.contains(key));
            let promises = view.map_or(0, |view| view.promises_missing(key, cx.now));
            let replicas = view.map_or(0, |view| view.replicas.len());
            let needed = self
                .deciding
                .get(&number)
                .map_or(0, |it| self.needed_to_decide(&it.write, replicas));
            let result = WriteResult::Undecided {
                complete: self.is_complete_for(key),
                answered,
                needed: needed as u32,
                promises: promises as u32,
            };
            return self.undecided(cx, number, result);
        }
        if checks == 1 {
            let result = WriteResult::Taken;
            self.post(cx, from, StoreMessage::WriteReply { req, result });
        }
        self.ask_to_confirm(cx, number);
    }

    /// Gives up on a decision; nothing was written.
    fn undecided(&mut self, cx: &mut Cx<'_, Self>, number: u64, result: WriteResult) {
        let Some(deciding) = self.deciding.remove(&number) else {
            return;
        };
        self.deadlines.clear(Due::Deciding(number));
        let Deciding { from, write, .. } = *deciding;
        self.remembered.forget(from.id, write.number);
        let req = write.req;
        self.post(cx, from, StoreMessage::WriteReply { req, result });
    }

    /// What this node itself claims around a key.
    pub(crate) fn own_claim(&self, key: Id) -> Option<Claim> {
        let view = self.views.iter().find(|view| view.arc.contains(key))?;
        let by = self.my().id;
        Some(Claim { by, arc: view.arc })
    }

    /// Another node has claimed what this one takes for its own: it may have acknowledged writes
    /// there, so that these keys have to be proven complete again, under a new view. Only these: of
    /// others it never was the root, and could never testify what became of them in its time.
    pub(crate) fn deposed(&mut self, cx: &mut Cx<'_, Self>, key: Id, claim: Claim) {
        let Some(at) = self.views.iter().position(|view| view.arc.contains(key)) else {
            return;
        };
        let view = self.views.get_mut(at);
        if claim.arc.contains(key) && view.is_some_and(|view| view.note_claim(claim, cx.now)) {
            self.doubt(cx, at, &[claim.arc], claim.by);
        }
    }
}
