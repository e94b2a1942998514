//! Fingers: shortcuts beyond the successor list.
//!
//! Finger i is the first node at or after me + 2^i (ToN 2003, section 4.4). Fingers are outside
//! Zave's proof: a wrong one costs hops, never correctness.
//!
//! Deviation: only fingers whose start lies beyond the successor list are kept, since the list
//! answers for everything up to its end: about log2(N / r) instead of 160. In a network that the
//! list covers there are none, and no lookup is made for them.

use crate::node::{Chord, Phase};
use overlay::lookup::Located;
use overlay::{Contact, Cx, ID_BITS, Id, LookupPurpose, RouterEvent};

/// The table: by distance from this node, nearest first.
#[derive(Debug, Default)]
pub(crate) struct Fingers {
    entries: Vec<(u8, Contact)>,
    /// Exponents whose finger was lost and is to be looked up before the regular turn; at most
    /// one for each exponent.
    wanted: Vec<u8>,
    /// The exponent whose turn is next, counting down; none: from the top.
    cursor: Option<u8>,
    /// Whether the table is being filled after joining: one lookup right after the other.
    filling: bool,
    /// The lookup that is out: its token and exponent.
    asked: Option<(u64, u8)>,
}

/// The exponent of the longest finger.
const TOP: u8 = (ID_BITS - 1) as u8;

/// Where finger `exponent` of `me` starts.
pub(crate) fn start_of(me: Id, exponent: u8) -> Id {
    me.wrapping_add(Id::power_of_two(u32::from(exponent)))
}

impl Fingers {
    /// A table from outside.
    pub(crate) fn given(me: Id, mut entries: Vec<(u8, Contact)>) -> Self {
        entries.retain(|(_, contact)| contact.id != me);
        entries.sort_unstable_by_key(|(_, contact)| me.distance_to(contact.id));
        entries.truncate(ID_BITS as usize);
        entries.shrink_to_fit();
        Self {
            entries,
            ..Self::default()
        }
    }

    /// The fingers by distance, nearest first; one node may be several.
    pub(crate) fn entries(&self) -> &[(u8, Contact)] {
        &self.entries
    }

    /// Starts filling the table from the top.
    pub(crate) const fn fill(&mut self) {
        self.filling = true;
        self.cursor = None;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops a node that is gone.
    pub(crate) fn remove(&mut self, id: Id) {
        let _ = self.suspect(id);
    }

    /// Drops a node that was silent; its exponents are looked up again. Says whether it was there.
    pub(crate) fn suspect(&mut self, id: Id) -> bool {
        let before = self.entries.len();
        for (exponent, contact) in &self.entries {
            if contact.id == id && !self.wanted.contains(exponent) {
                self.wanted.push(*exponent);
            }
        }
        self.entries.retain(|(_, contact)| contact.id != id);
        self.entries.len() != before
    }

    pub(crate) fn set(&mut self, me: Id, exponent: u8, finger: Option<Contact>) {
        self.entries.retain(|(known, _)| *known != exponent);
        self.wanted.retain(|wanted| *wanted != exponent);
        let Some(contact) = finger.filter(|contact| contact.id != me) else {
            return;
        };
        let distance = me.distance_to(contact.id);
        let place = self
            .entries
            .partition_point(|(_, known)| me.distance_to(known.id) < distance);
        self.entries.insert(place, (exponent, contact));
    }

    /// The exponent to look up next, of those from `lowest` up.
    fn next(&mut self, lowest: u8) -> Option<u8> {
        self.wanted.retain(|wanted| *wanted >= lowest);
        if let Some(wanted) = self.wanted.pop() {
            return Some(wanted);
        }
        let exponent = self.cursor.unwrap_or(TOP);
        if exponent < lowest {
            self.filling = false;
            self.cursor = None;
            return None;
        }
        self.cursor = Some(exponent.saturating_sub(1));
        Some(exponent)
    }
}

impl Chord {
    /// The lowest exponent whose start lies beyond the successor list; none when the list covers
    /// the network.
    fn lowest_finger(&self) -> Option<u8> {
        let last = self.ring.successors().last()?;
        if !self.ring.is_full() {
            return None;
        }
        // 2^i > distance holds from the distance's bit length on.
        let distance = self.me.id.distance_to(last.id);
        let bits = ID_BITS - distance.shared_prefix_bits(Id::ZERO);
        u8::try_from(bits).ok().filter(|lowest| *lowest <= TOP)
    }

    /// Once for each stabilisation: looks up one finger if it is time to.
    pub(crate) fn fix_fingers(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.config.maintain || !matches!(self.phase, Phase::Member) {
            return;
        }
        if !self.ring.is_full() && self.is_quiet() {
            self.fingers.clear();
            return;
        }
        self.ticker.since_finger += 1;
        let due = self.ticker.since_finger >= self.config.fix_fingers_every.max(1);
        if due || self.fingers.filling || !self.fingers.wanted.is_empty() {
            self.look_up_finger(cx);
        }
    }

    fn look_up_finger(&mut self, cx: &mut Cx<'_, Self>) {
        if self.fingers.asked.is_some() || self.survey.is_some() {
            return;
        }
        let Some(exponent) = self
            .lowest_finger()
            .and_then(|lowest| self.fingers.next(lowest))
        else {
            return;
        };
        self.ticker.since_finger = 0;
        let token = self.token();
        self.fingers.asked = Some((token, exponent));
        let key = start_of(self.me.id, exponent);
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
        let Some((_, exponent)) = self.fingers.asked.take_if(|(asked, _)| *asked == token) else {
            return;
        };
        let Some(found) = found else {
            // Tried again in its regular turn.
            return;
        };
        let me = self.me.id;
        self.fingers.set(me, exponent, Some(found.owner));
        let Some(lowest) = self.lowest_finger() else {
            return;
        };
        // The owner's arc often holds the starts of the next lower fingers too.
        while let Some(next) = self.fingers.cursor
            && next >= lowest
            && next < exponent
            && start_of(me, next).in_arc(found.arc.from, found.arc.to)
        {
            self.fingers.set(me, next, Some(found.owner));
            self.fingers.cursor = next.checked_sub(1);
        }
        self.begin_survey(cx, exponent, found.owner);
        self.go_on_filling(cx);
    }

    /// Looks the next finger up at once while the table is being filled.
    pub(crate) fn go_on_filling(&mut self, cx: &mut Cx<'_, Self>) {
        if self.fingers.filling || !self.fingers.wanted.is_empty() {
            self.look_up_finger(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn contact(number: u64) -> Contact {
        Contact {
            id: Id::from_u64(number),
            addr: ([127, 0, 0, 1], 4000).into(),
        }
    }

    #[test]
    fn fingers_stay_in_order_of_distance_and_are_replaced_by_exponent() {
        let me = Id::from_u64(100);
        let mut fingers = Fingers::default();
        fingers.set(me, 7, Some(contact(300)));
        fingers.set(me, 5, Some(contact(140)));
        fingers.set(me, 6, Some(contact(90)));
        let order: Vec<u8> = fingers
            .entries()
            .iter()
            .map(|(exponent, _)| *exponent)
            .collect();
        assert_eq!(
            order,
            [5, 7, 6],
            "90 is the farthest from 100, all the way round"
        );
        fingers.set(me, 6, Some(contact(170)));
        let order: Vec<u8> = fingers
            .entries()
            .iter()
            .map(|(exponent, _)| *exponent)
            .collect();
        assert_eq!(order, [5, 6, 7]);
    }

    #[test]
    fn a_silent_finger_is_dropped_and_wanted_again_first() {
        let me = Id::from_u64(0);
        let mut fingers = Fingers::default();
        fingers.set(me, 9, Some(contact(600)));
        fingers.set(me, 8, Some(contact(600)));
        assert!(fingers.suspect(Id::from_u64(600)));
        assert!(fingers.entries().is_empty());
        let wanted: BTreeSet<_> = [fingers.next(3), fingers.next(3)].into();
        assert_eq!(wanted, [Some(8), Some(9)].into());
        assert_eq!(fingers.next(3), Some(TOP), "then the regular turn");
    }
}
