//! Looking after fingers: which are alive, and when to look for nearer ones.
//!
//! As Pastry looks after its routing table (MSPastry, DSN 2004, section 4.1): a finger that gave no
//! sign of life for as long as the measured rate of failures allows is probed, one at each
//! stabilisation; every acknowledged hop of a lookup is a sign of life. Nearer ones are looked for
//! often while some are found, and seldom while none are.

use crate::message::{ChordMessage, ChordTimer};
use crate::node::Chord;
use crate::slots::{slots, start_of, width_of};
use overlay::{Contact, Cx, Duration, Id, Time};

/// Share of the lookups that may meet a dead finger. Our choice: MSPastry (section 4.1) uses 5 %;
/// with 15 % a thousand nodes with sessions of an hour send a quarter of a message a second less
/// each, and a dead finger costs a lookup one time-out, after which it is gone.
const TARGET_LOSS: f64 = 0.15;
/// Shortest and longest pause between two searches for a nearer finger; the longest is as for
/// Pastry. Our choice: a search costs 25 messages; with 30 s instead of 60 fingers are 2 % nearer among
/// a thousand nodes with sessions of an hour.
pub(crate) const SEARCH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(960));
/// How often a finger is probed before it is dropped: a wrong verdict costs a lookup, no more.
const TRIES: u32 = 2;

/// A finger that was asked whether it is alive.
#[derive(Debug)]
pub(crate) struct Tended {
    token: u64,
    peer: Contact,
    tries: u32,
    sent: Time,
}

impl Chord {
    /// Begins to measure how often peers fail. A node that has seen nothing yet expects a failure.
    pub(crate) fn watch_failures(&mut self, now: Time) {
        self.failures.begin(now);
        self.failures.note(now);
    }

    /// Once for each stabilisation, while nothing is wanted.
    pub(crate) fn tend_fingers(&mut self, cx: &mut Cx<'_, Self>) {
        if self.fingers.is_asking() || self.survey.is_some() || self.tended.is_some() {
            return;
        }
        if self.has_new_slots() {
            return self.fill_new_slots(cx);
        }
        if self.search.is_due(cx.now, SEARCH) {
            return self.look_for_nearer(cx);
        }
        let period = self.finger_period(cx.now);
        let stalest = self.fingers.stalest();
        if let Some(stalest) = stalest.filter(|peer| cx.now.since(peer.heard) >= period) {
            let peer = stalest.contact;
            self.ask_finger(cx, peer, 0);
        }
    }

    /// Looks for a nearer node of the slot whose turn it is, from a random point of it on.
    pub(crate) fn look_for_nearer(&mut self, cx: &mut Cx<'_, Self>) {
        let top = slots(self.parts()) - 1;
        let Some(lowest) = self.lowest_finger() else {
            return;
        };
        let slot = self.fingers.next(lowest, top);
        let Some(slot) = slot.or_else(|| self.fingers.next(lowest, top)) else {
            return;
        };
        let width = width_of(slot, self.parts());
        let (high, low) = width.wrapping_sub(Id::from_u64(1)).parts();
        let mut draw = || u128::from(cx.rng.next_u64()) << 64 | u128::from(cx.rng.next_u64());
        let offset = Id::from_parts(draw() as u32 & high, draw() & low);
        let key = start_of(self.me.id, slot, self.parts()).wrapping_add(offset);
        self.look_up_slot(cx, slot, key, self.fingers.has(slot));
    }

    /// How long a finger may stay silent before it is probed.
    fn finger_period(&self, now: Time) -> Duration {
        let count = self.fingers.entries().len();
        // Half of the octaves take a hop each.
        let hops = count as f64 / (2.0 * f64::from(self.parts()));
        // The first successor and the predecessor are watched too.
        self.failures.period(hops, TARGET_LOSS, count + 2, now)
    }

    fn ask_finger(&mut self, cx: &mut Cx<'_, Self>, peer: Contact, tries: u32) {
        let token = self.token();
        self.tended = Some(Tended {
            token,
            peer,
            tries,
            sent: cx.now,
        });
        cx.send(peer, ChordMessage::Ping { token });
        let wait = self.rtt.timeout(peer.id).max(self.config.min_timeout);
        cx.arm(cx.now + wait, ChordTimer::Finger { token });
    }

    /// Says whether this was the answer of a finger that was asked.
    pub(crate) fn finger_answered(&mut self, cx: &Cx<'_, Self>, from: Contact, token: u64) -> bool {
        let asked = |tended: &mut Tended| tended.token == token && tended.peer.id == from.id;
        let Some(tended) = self.tended.take_if(asked) else {
            return false;
        };
        self.measured(from.id, cx.now.since(tended.sent), cx.now);
        true
    }

    /// A finger did not answer in time.
    pub(crate) fn on_finger_silent(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        let Some(tended) = self.tended.take_if(|tended| tended.token == token) else {
            return;
        };
        if tended.tries + 1 < TRIES {
            return self.ask_finger(cx, tended.peer, tended.tries + 1);
        }
        self.failures.note(cx.now);
        self.fingers.remove(tended.peer.id);
        self.go_on_filling(cx);
    }

    /// Takes in a round trip.
    pub(crate) fn measured(&mut self, peer: Id, rtt: Duration, now: Time) {
        self.rtt.observe(peer, rtt, now);
        self.fingers.heard(peer, Some(rtt), now);
    }
}
