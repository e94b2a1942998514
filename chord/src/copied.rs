//! Fingers by hearsay: what the successor has in a slot fits nearly always here, too.
//!
//! A newly joined node "can ask an immediate neighbor for a copy of its complete finger table"
//! (ToN 2003, section 4.4). One question takes the place of a lookup for each empty slot, of seven
//! messages each among 1,000 nodes. What is told is a place to begin at: the nodes after it are measured, and the
//! nearest is taken, as after a lookup. Slots for which nobody is told are looked up.

use crate::message::{ChordMessage, ChordTimer};
use crate::node::Chord;
use crate::slots::may_be_finger;
use overlay::{Contact, Cx, Duration, Fault, Id};
use std::collections::VecDeque;

/// Most fingers that are told at once. Our choice: four in each of the sixteen octaves that a million
/// nodes with short lists have.
pub const MAX_TOLD_FINGERS: usize = 64;
/// How long an answer is waited for; as for a survey.
const WAIT: Duration = Duration::from_secs(1);
/// Fingers found dead lately, which the successor may still have.
const REMEMBERED_DEAD: usize = 8;

/// What the successor has told, while slots are empty.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    /// Whether it was asked since slots became empty.
    is_tried: bool,
    /// The question that is out, and whom it went to.
    asked: Option<(u64, Id)>,
    told: Vec<Contact>,
    dead: VecDeque<Id>,
}

impl Copied {
    /// Whether an answer is waited for.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// No slot is empty: what was told is forgotten, for the next time it may be wrong.
    pub(crate) fn is_done(&mut self) {
        (self.is_tried, self.asked) = (false, None);
        self.told = Vec::new();
    }

    /// A finger is dead.
    pub(crate) fn died(&mut self, id: Id) {
        if self.dead.len() >= REMEMBERED_DEAD {
            self.dead.pop_front();
        }
        self.dead.push_back(id);
    }

    /// Who was told for a slot.
    pub(crate) fn of_slot(&self, me: Id, slot: u16, parts: u16) -> Option<Contact> {
        let fits = |contact: &&Contact| {
            may_be_finger(me, slot, parts, contact.id) && !self.dead.contains(&contact.id)
        };
        self.told.iter().find(fits).copied()
    }
}

impl Chord {
    /// Asks the successor for its fingers, once for each time that slots are empty; says whether it
    /// was asked now.
    pub(crate) fn ask_for_fingers(&mut self, cx: &mut Cx<'_, Self>) -> bool {
        if !self.config.proximity || self.fingers.copied.is_tried {
            return false;
        }
        let Some(successor) = self.ring.first() else {
            return false;
        };
        let token = self.token();
        self.fingers.copied.is_tried = true;
        self.fingers.copied.asked = Some((token, successor.id));
        cx.send(successor, ChordMessage::AskFingers { token });
        cx.arm(cx.now + WAIT, ChordTimer::Survey { token });
        true
    }

    /// Somebody wants to know our fingers: the farthest first, which are more of the circle.
    pub(crate) fn on_ask_fingers(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let others = |contact: &&Contact| contact.id != from.id;
        let mut fingers: Vec<Contact> = self
            .fingers
            .contacts()
            .rev()
            .filter(others)
            .copied()
            .collect();
        fingers.dedup();
        fingers.truncate(MAX_TOLD_FINGERS);
        cx.send(from, ChordMessage::Fingers { token, fingers });
    }

    /// The successor has told its fingers.
    pub(crate) fn on_fingers(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
        fingers: Vec<Contact>,
    ) {
        if fingers.len() > MAX_TOLD_FINGERS {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let copied = &mut self.fingers.copied;
        if copied
            .asked
            .take_if(|asked| *asked == (token, from.id))
            .is_some()
        {
            copied.told = fingers;
            self.go_on_filling(cx);
        }
    }

    /// The successor has not answered in time.
    pub(crate) fn on_fingers_silent(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        let asked = &mut self.fingers.copied.asked;
        if asked.take_if(|(asked, _)| *asked == token).is_some() {
            self.go_on_filling(cx);
        }
    }
}
