//! A node alone, the survivor of a pair, and members that lost everybody.
//!
//! - A node alone answers for the whole circle and arms no timer.
//! - When the last leaf said that it leaves, and so did everyone lost since a leaf last answered,
//!   and no node was left out of the leaf set, the node is alone now.
//! - The survivor of a pair cannot know whether the other crashed or the network between them. If
//!   the network never was larger, it asks for [`LAST_LEAF_ROUNDS`] times the usual tries, carries on
//!   alone, and goes on trying the other. A pair prefers to serve.
//! - Otherwise it is *cut off*: others are probably alive without it, and answering for keys would
//!   split the network. It tries the contacts that it lost, waiting longer and longer. When a member answers, it joins
//!   through it as any newcomer does; two that are cut off make a network of two, which
//!   [reunion](crate::reunite) brings together with others. When all were tried, none was in a network and
//!   some are up again without one, there is none to come back to: the node is the network now, and they join
//!   it.

use crate::leaves::LeafSet;
use crate::message::{Leaves, Standing};
use crate::node::{Pastry, Phase};
use crate::probe::Purpose;
use crate::table::Entry;
use crate::ticker::between;
use overlay::{Contact, Cx, Duration, OpId, RingChange, RouterEvent};

/// How many times the usual number of tries the last leaf gets. Our choice, as for Chord: with the
/// defaults a few seconds on one machine. Giving a live pair up costs more than these.
pub const LAST_LEAF_ROUNDS: u32 = 3;
/// First wait of a node that is cut off.
pub const REJOIN_MIN: Duration = Duration::from_millis(500);
/// Longest wait of a node that is cut off: so long after an outage ends it is back.
pub const REJOIN_MAX: Duration = Duration::from_secs(30);

/// What the node has seen of the network's size, to judge the loss of its last leaf.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The network had more members than one side of a leaf set.
    outgrown: bool,
    /// At the last answer of a leaf the network had two members.
    pair: bool,
    /// At the last answer of a leaf all members were known.
    covered: bool,
    /// Somebody was lost without a word since a leaf last answered.
    crashed: bool,
}

impl History {
    pub(crate) const fn saw(&mut self, members: usize, half: usize) {
        self.outgrown |= members >= half && half > 1;
        self.pair &= members <= 1;
    }

    /// A leaf answered with its leaf set.
    pub(crate) fn answered(&mut self, mine: &LeafSet, told: &Leaves) {
        self.crashed = false;
        self.covered = !mine.has_gap() && !told.has_gap();
        self.pair = mine.members().len() == 1 && told.members.len() <= 1;
    }

    pub(crate) const fn lost_one(&mut self) {
        self.crashed = true;
    }

    const fn carries_on_alone(&self) -> bool {
        (self.covered && !self.crashed) || (self.pair && !self.outgrown)
    }
}

impl Pastry {
    /// Founds a network of one.
    pub(crate) fn create(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        match self.phase {
            Phase::Outside => {
                self.begin_tokens(cx);
                self.phase = Phase::Member;
                self.generation += 1;
                self.failures.begin(cx.now);
                cx.emit(RouterEvent::Joined { op });
                cx.emit(RouterEvent::NeighboursChanged);
            }
            Phase::Member => cx.emit(RouterEvent::Joined { op }),
            _ => cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "this node is joining a network, or trying to come back to one".into(),
            }),
        }
    }

    /// The leaf set is empty.
    pub(crate) fn lost_everybody(&mut self, cx: &mut Cx<'_, Self>) {
        let known: Vec<Contact> = self.table.entries().iter().map(Entry::contact).collect();
        let alone = self.history.carries_on_alone();
        self.leaves.clear();
        self.table.clear();
        if alone {
            self.history = History::default();
            return;
        }
        for contact in known {
            self.lost.add_if_room(contact, cx.now);
        }
        self.probes.clear();
        self.phase = Phase::CutOff {
            backoff: REJOIN_MIN,
        };
        self.generation += 1;
        self.lost.begin_tries();
        cx.emit(RouterEvent::Ring(RingChange::CutOff));
        self.arm_reunite(cx, REJOIN_MIN);
    }

    /// Asks a lost contact whether it is back.
    pub(crate) fn try_to_rejoin(&mut self, cx: &mut Cx<'_, Self>) {
        if self.lost.all_restarted() {
            return self.be_the_network(cx);
        }
        match self.lost.next_to_try() {
            Some(contact) => self.probe(cx, contact, Purpose::Rejoin),
            None => self.rejoin_later(cx),
        }
    }

    /// There is no network any more but this node, which answers for the whole circle.
    fn be_the_network(&mut self, cx: &mut Cx<'_, Self>) {
        self.phase = Phase::Member;
        self.history = History::default();
        self.lost.begin_tries();
        self.generation += 1;
        self.failures.begin(cx.now);
        cx.emit(RouterEvent::Ring(RingChange::LastOfItsRing));
        cx.emit(RouterEvent::NeighboursChanged);
        self.arm_reunite(cx, REJOIN_MIN);
    }

    /// A lost contact answered a node that was cut off when it asked.
    pub(crate) fn rejoin_answered(&mut self, cx: &mut Cx<'_, Self>, from: Contact, told: &Leaves) {
        if !self.is_cut_off() {
            return;
        }
        match told.standing {
            Standing::Active | Standing::Entering => self.begin_join(cx, None, from),
            Standing::CutOff => self.meet(cx, from),
            Standing::Outside => {
                self.lost.has_restarted();
                self.rejoin_later(cx);
            }
        }
    }

    /// A member asks us, who are cut off: the network is there.
    pub(crate) fn back_through(&mut self, cx: &mut Cx<'_, Self>, member: Contact) {
        self.begin_join(cx, None, member);
    }

    /// Two that are cut off make a network.
    fn meet(&mut self, cx: &mut Cx<'_, Self>, other: Contact) {
        self.phase = Phase::Member;
        self.lost.begin_tries();
        self.failures.begin(cx.now);
        cx.emit(RouterEvent::Ring(RingChange::Reunited(other)));
        self.lost.forget(other.id);
        self.change(cx, |leaves| leaves.insert(other));
        // It hears that there is a member now, and joins.
        self.probe(cx, other, Purpose::Candidate);
        self.arm_upkeep(cx);
        self.arm_reunite(cx, REJOIN_MIN);
    }

    /// Nobody was there, or the way back failed: wait longer.
    pub(crate) fn rejoin_later(&mut self, cx: &mut Cx<'_, Self>) {
        if let Phase::CutOff { backoff } = &mut self.phase {
            *backoff = backoff.times(2).min(REJOIN_MAX);
            let wait = *backoff;
            let delay = between(cx.rng, Duration(wait.as_micros() / 2), wait);
            self.arm_reunite(cx, delay);
        }
    }
}
