//! Fingers: shortcuts beyond the successor list.
//!
//! Finger i is the first node at or after me + 2^i (ToN 2003, section 4.4). Chosen by proximity,
//! each octave from 2^i to 2^(i+1) has [`PARTS`] of them, see [`near`](crate::near). Fingers are
//! outside Zave's proof: a wrong one costs hops, never correctness.
//!
//! Deviation: only fingers whose start lies beyond the successor list are kept, since the list
//! answers for everything up to its end: about log2(N / r) instead of 160. In a network that the
//! list covers there are none, and no lookup is made for them.

use crate::copied::Copied;
use crate::near::PARTS;
use crate::node::{Chord, Phase};
use crate::slots::{may_be_finger, offset_of, slots, start_of};
use overlay::lookup::Located;
use overlay::proximity::Nearest;
use overlay::{Contact, Cx, Duration, ID_BITS, Id, LookupPurpose, RouterEvent, Time};

/// One finger.
#[derive(Clone, Copy, Debug)]
pub struct Finger {
    /// Which: its octave times the fingers of an octave, plus its number among them.
    pub slot: u16,
    /// Who it is.
    pub peer: Nearest,
}

/// The table: by distance from this node, nearest first.
#[derive(Debug, Default)]
pub(crate) struct Fingers {
    entries: Vec<Finger>,
    /// Slots whose finger was lost and is to be looked up before the regular turn; at most one for
    /// each slot.
    wanted: Vec<u16>,
    /// The slot whose turn is next, counting down; none: from the top.
    cursor: Option<u16>,
    /// Whether the table is being filled after joining: one lookup right after the other.
    pub(crate) filling: bool,
    /// The lowest slot that was looked up so far; none before the first.
    reached: Option<u16>,
    /// The lookup that is out: its token, slot, and whether it looks for a nearer one.
    asked: Option<(u64, u16, bool)>,
    /// What the successor has told.
    pub(crate) copied: Copied,
}

impl Fingers {
    /// A table from outside.
    pub(crate) fn given(me: Id, mut entries: Vec<Finger>) -> Self {
        entries.retain(|finger| finger.peer.contact.id != me);
        entries.sort_unstable_by_key(|finger| me.distance_to(finger.peer.contact.id));
        entries.truncate(usize::from(slots(PARTS)));
        entries.shrink_to_fit();
        let reached = entries.iter().map(|finger| finger.slot).min();
        Self {
            entries,
            reached,
            ..Self::default()
        }
    }

    /// The fingers by distance, nearest first; one node may be several.
    pub(crate) fn entries(&self) -> &[Finger] {
        &self.entries
    }

    /// The fingers' contacts, nearest first.
    pub(crate) fn contacts(&self) -> impl DoubleEndedIterator<Item = &Contact> {
        self.entries.iter().map(|finger| &finger.peer.contact)
    }

    /// Starts filling the table from the top.
    pub(crate) const fn fill(&mut self) {
        self.filling = true;
        self.cursor = None;
        self.reached = None;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a lookup has to be made before the regular turn.
    pub(crate) const fn is_in_want(&self) -> bool {
        self.filling || !self.wanted.is_empty()
    }

    /// Whether a lookup is out.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Drops a node that is gone.
    pub(crate) fn remove(&mut self, id: Id) {
        let _ = self.suspect(id);
    }

    /// Drops a node that was silent; its slots are looked up again. Says whether it was there.
    pub(crate) fn suspect(&mut self, id: Id) -> bool {
        let before = self.entries.len();
        for finger in &self.entries {
            if finger.peer.contact.id == id && !self.wanted.contains(&finger.slot) {
                self.wanted.push(finger.slot);
            }
        }
        self.entries.retain(|finger| finger.peer.contact.id != id);
        if self.entries.len() == before {
            return false;
        }
        self.copied.died(id);
        true
    }

    /// A node that was told for an empty slot does not answer: the slot is still wanted.
    pub(crate) fn was_told_dead(&mut self, slot: u16, id: Id) {
        self.copied.died(id);
        if !self.wanted.contains(&slot) {
            self.wanted.push(slot);
        }
    }

    /// Notes a sign of life, and a round trip when one was measured.
    pub(crate) fn heard(&mut self, id: Id, rtt: Option<Duration>, now: Time) {
        for finger in &mut self.entries {
            if finger.peer.contact.id == id {
                finger.peer.heard(rtt, now);
            }
        }
    }

    /// The finger that has been silent for longest.
    pub(crate) fn stalest(&self) -> Option<&Nearest> {
        let peers = self.entries.iter().map(|finger| &finger.peer);
        peers.min_by_key(|peer| peer.heard)
    }

    /// Whether a slot has a finger.
    pub(crate) fn has(&self, slot: u16) -> bool {
        self.entries.iter().any(|finger| finger.slot == slot)
    }

    /// Puts a node into a slot, or nobody.
    pub(crate) fn set(&mut self, me: Id, slot: u16, finger: Option<Nearest>) {
        self.entries.retain(|known| known.slot != slot);
        self.wanted.retain(|wanted| *wanted != slot);
        let Some(peer) = finger.filter(|peer| peer.contact.id != me) else {
            return;
        };
        let distance = me.distance_to(peer.contact.id);
        let place = self
            .entries
            .partition_point(|known| me.distance_to(known.peer.contact.id) < distance);
        self.entries.insert(place, Finger { slot, peer });
    }

    /// Offers a measured node for a slot; says whether it took the place of another.
    pub(crate) fn offer(&mut self, me: Id, slot: u16, offered: Nearest) -> bool {
        let old = self.entries.iter_mut().find(|known| known.slot == slot);
        let Some(old) = old else {
            self.set(me, slot, Some(offered));
            return false;
        };
        let mut peer = old.peer;
        let is_taken = peer.offer(offered.contact, offered.rtt, offered.heard);
        old.peer = peer;
        if is_taken {
            self.set(me, slot, Some(peer));
        }
        is_taken
    }

    /// The slot to look up next, of those from `lowest` up to `top`.
    pub(crate) fn next(&mut self, lowest: u16, top: u16) -> Option<u16> {
        self.wanted.retain(|wanted| *wanted >= lowest);
        if let Some(wanted) = self.wanted.pop() {
            return Some(wanted);
        }
        let slot = self.cursor.unwrap_or(top);
        if slot < lowest {
            self.filling = false;
            self.cursor = None;
            return None;
        }
        self.went_on(slot);
        Some(slot)
    }

    /// A slot has had its turn.
    fn went_on(&mut self, slot: u16) {
        self.cursor = Some(slot.saturating_sub(1));
        self.reached = Some(self.reached.map_or(slot, |reached| reached.min(slot)));
    }
}

impl Chord {
    /// Fingers of an octave.
    pub(crate) const fn parts(&self) -> u16 {
        self.config.parts()
    }

    /// The lowest slot whose start lies beyond the successor list; none when the list covers the
    /// network.
    pub(crate) fn lowest_finger(&self) -> Option<u16> {
        let last = self.ring.successors().last()?;
        if !self.ring.is_full() {
            return None;
        }
        let (distance, parts) = (self.me.id.distance_to(last.id), self.parts());
        // The octave in which the list ends, and then the next.
        let bits = ID_BITS - distance.shared_prefix_bits(Id::ZERO);
        let from = (bits as u16).saturating_sub(1) * parts;
        (from..slots(parts)).find(|slot| offset_of(*slot, parts) > distance)
    }

    /// Once for each stabilisation: looks after one finger if it is time to.
    pub(crate) fn fix_fingers(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.config.maintain || !matches!(self.phase, Phase::Member) {
            return;
        }
        if !self.ring.is_full() && self.is_quiet() {
            self.fingers.clear();
            return;
        }
        if self.fingers.is_in_want() {
            return self.look_up_finger(cx);
        }
        self.fingers.copied.is_done();
        if self.config.proximity && self.config.adaptive {
            return self.tend_fingers(cx);
        }
        self.ticker.since_finger += 1;
        if self.ticker.since_finger >= self.config.fix_fingers_every.max(1) {
            self.look_up_finger(cx);
        }
    }

    /// The list covers less of the circle than before: there are slots that nobody looked up.
    pub(crate) fn has_new_slots(&self) -> bool {
        let lowest = self.lowest_finger();
        lowest.is_some_and(|lowest| self.fingers.reached.is_none_or(|reached| lowest < reached))
    }

    /// Fills the slots from `reached` down.
    pub(crate) fn fill_new_slots(&mut self, cx: &mut Cx<'_, Self>) {
        self.fingers.filling = true;
        self.fingers.cursor = self
            .fingers
            .reached
            .map(|reached| reached.saturating_sub(1));
        self.look_up_finger(cx);
    }

    /// Looks up the first node of the slot whose turn it is.
    pub(crate) fn look_up_finger(&mut self, cx: &mut Cx<'_, Self>) {
        if self.fingers.is_asking() || self.fingers.copied.is_asking() || self.survey.is_some() {
            return;
        }
        let top = slots(self.parts()) - 1;
        let Some(lowest) = self.lowest_finger() else {
            return;
        };
        if self.fingers.is_in_want() && self.ask_for_fingers(cx) {
            return;
        }
        let Some(slot) = self.fingers.next(lowest, top) else {
            return;
        };
        if let Some(told) = self.fingers.copied.of_slot(self.me.id, slot, self.parts()) {
            return self.survey_told(cx, slot, told);
        }
        let key = start_of(self.me.id, slot, self.parts());
        self.look_up_slot(cx, slot, key, false);
    }

    pub(crate) fn look_up_slot(&mut self, cx: &mut Cx<'_, Self>, slot: u16, key: Id, nearer: bool) {
        self.ticker.since_finger = 0;
        let token = self.token();
        self.fingers.asked = Some((token, slot, nearer));
        cx.emit(RouterEvent::Lookup {
            token,
            key,
            via: None,
            purpose: LookupPurpose::Tables,
        });
    }

    /// Takes the answer of a finger's lookup.
    pub(crate) fn finger_looked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        token: u64,
        found: Option<&Located>,
    ) {
        let asked = self.fingers.asked.take_if(|(asked, ..)| *asked == token);
        let Some((_, slot, nearer)) = asked else {
            return;
        };
        let Some(found) = found else {
            // Tried again in its regular turn.
            return;
        };
        let parts = self.parts();
        if !nearer {
            self.first_of_slot(cx, slot, found.owner);
            let Some(lowest) = self.lowest_finger() else {
                return;
            };
            // The owner's arc often holds the starts of the next lower slots too.
            while let Some(next) = self.fingers.cursor
                && next >= lowest
                && next < slot
                && start_of(self.me.id, next, parts).in_arc(found.arc.from, found.arc.to)
            {
                self.first_of_slot(cx, next, found.owner);
                self.fingers.went_on(next);
            }
        }
        self.begin_survey(cx, slot, found.owner, nearer);
        self.go_on_filling(cx);
    }

    /// The first node at or after the start of a slot was found. Where fingers are chosen by
    /// proximity, an empty part of the circle has none.
    fn first_of_slot(&mut self, cx: &mut Cx<'_, Self>, slot: u16, owner: Contact) {
        let me = self.me.id;
        let fits = !self.config.proximity || may_be_finger(me, slot, self.parts(), owner.id);
        let finger = fits.then(|| Nearest::new(owner, None, cx.now));
        self.fingers.set(me, slot, finger);
    }

    /// Looks the next finger up at once while the table is being filled.
    pub(crate) fn go_on_filling(&mut self, cx: &mut Cx<'_, Self>) {
        if self.fingers.is_in_want() {
            self.look_up_finger(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn peer(number: u64, rtt_ms: Option<u64>) -> Nearest {
        let contact = Contact {
            id: Id::from_u64(number),
            addr: ([127, 0, 0, 1], 4000).into(),
        };
        Nearest::new(contact, rtt_ms.map(Duration::from_millis), Time::ZERO)
    }

    fn slots_of(fingers: &Fingers) -> Vec<u16> {
        fingers.entries().iter().map(|finger| finger.slot).collect()
    }

    #[test]
    fn fingers_stay_in_order_of_distance_and_are_replaced_by_slot() {
        let me = Id::from_u64(100);
        let mut fingers = Fingers::default();
        fingers.set(me, 7, Some(peer(300, None)));
        fingers.set(me, 5, Some(peer(140, None)));
        fingers.set(me, 6, Some(peer(90, None)));
        assert_eq!(
            slots_of(&fingers),
            [5, 7, 6],
            "90 is the farthest from 100, all the way round"
        );
        fingers.set(me, 6, Some(peer(170, None)));
        assert_eq!(slots_of(&fingers), [5, 6, 7]);
    }

    #[test]
    fn a_nearer_node_takes_a_slot_over() {
        let me = Id::ZERO;
        let mut fingers = Fingers::default();
        assert!(!fingers.offer(me, 5, peer(40, Some(50))), "it was empty");
        assert!(!fingers.offer(me, 5, peer(50, Some(49))), "hardly nearer");
        assert!(fingers.offer(me, 5, peer(60, Some(20))));
        let ids: Vec<Id> = fingers.contacts().map(|contact| contact.id).collect();
        assert_eq!(ids, [Id::from_u64(60)]);
    }

    #[test]
    fn a_silent_finger_is_dropped_and_wanted_again_first() {
        let (me, top) = (Id::from_u64(0), 159);
        let mut fingers = Fingers::default();
        fingers.set(me, 9, Some(peer(600, None)));
        fingers.set(me, 8, Some(peer(600, None)));
        assert!(fingers.suspect(Id::from_u64(600)));
        assert!(fingers.entries().is_empty());
        let wanted: BTreeSet<_> = [fingers.next(3, top), fingers.next(3, top)].into();
        assert_eq!(wanted, [Some(8), Some(9)].into());
        assert_eq!(fingers.next(3, top), Some(top), "then the regular turn");
    }
}
