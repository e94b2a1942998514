//! Whose keys: how the part of a member passes to the one that joins before it.
//!
//! The ring says who is whose neighbour; it does not say since when. Many nodes can join after the
//! same member at once, and each of them has that member as its predecessor at first: if each
//! answered for everything since its predecessor, their parts would overlap, and a value stored
//! with one would be called absent by another. So a part has exactly one owner, who cedes it:
//!
//! - A node that has joined answers for nothing yet.
//! - A member that takes a nearer predecessor (rectify) cedes the part up to it and says so with
//!   `Ceded`. From then on, and not before, the joined node answers for that part.
//! - When a predecessor died, its part falls to the node after it, by the next notification.
//! - When the word is lost, or its sender died, the node that waits begins to answer after
//!   [`CESSION_GRACE`], once its predecessor has notified it: by then the ring is in order.
//!
//! This is outside the theorem, which is about the ring only.

use crate::message::ChordMessage;
use crate::node::Chord;
use crate::ring::Ring;
use overlay::{Contact, Cx, Duration, Id, RouterEvent, Time};

/// How long a node waits for a part that nobody ceded to it. Our choice: many times what a busy
/// ring needs to come into order, and less than a call may take.
pub const CESSION_GRACE: Duration = Duration::from_secs(5);
/// How often the word is repeated, each time the new owner notifies.
const MAX_REPEATS: u8 = 4;

/// What a node answers for.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Where it begins (the point itself is not in it); none before it was ceded.
    start: Option<Id>,
    /// Since when it does not begin at the predecessor.
    short_since: Time,
    /// The latest cession: to whom, from where, and how often it is still repeated.
    ceded: Option<(Id, Id, u8)>,
}

impl Part {
    /// The part that begins at `start`.
    pub(crate) fn from(start: Option<Id>) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }
}

impl Chord {
    /// Where the part of this node begins; none while it answers for nothing.
    pub(crate) fn part_start(&self) -> Option<Id> {
        let start = self.part.start?;
        let nearer = |known: &Contact| known.id.is_between(start, self.me.id);
        Some(
            self.ring
                .predecessor()
                .filter(nearer)
                .map_or(start, |known| known.id),
        )
    }

    /// The node has just joined: nothing is ceded to it yet.
    pub(crate) fn wait_for_part(&mut self, now: Time) {
        self.part = Part {
            short_since: now,
            ..Part::default()
        };
    }

    /// The predecessor is another one now.
    pub(crate) fn predecessor_changed(&mut self, cx: &mut Cx<'_, Self>, before: &Ring) {
        let Some(start) = self.part.start else { return };
        let Some(predecessor) = self.ring.predecessor() else {
            // Alone, or cut off, which answers for nothing whatever its part.
            self.part = Part::from(Some(self.me.id));
            return;
        };
        if predecessor.id.is_between(start, self.me.id) {
            self.cede(cx, predecessor, start);
        } else if before.predecessor().is_none_or(|was| {
            // Farther away than the one before: that one is dead, and its part falls to us.
            !predecessor.id.is_between(was.id, self.me.id)
        }) {
            self.part.start = Some(predecessor.id);
        } else {
            self.part.short_since = cx.now;
        }
    }

    fn cede(&mut self, cx: &mut Cx<'_, Self>, to: Contact, start: Id) {
        self.part.start = Some(to.id);
        self.part.ceded = Some((to.id, start, MAX_REPEATS));
        cx.send(to, ChordMessage::Ceded { start });
    }

    /// The predecessor has notified: it may have missed the word, and we may have waited enough.
    pub(crate) fn predecessor_notified(&mut self, cx: &mut Cx<'_, Self>, predecessor: Contact) {
        if let Some((to, start, repeats)) = self.part.ceded
            && to == predecessor.id
        {
            self.part.ceded = (repeats > 1).then_some((to, start, repeats - 1));
            cx.send(predecessor, ChordMessage::Ceded { start });
        }
        let short = self.part.start != Some(predecessor.id);
        if short && cx.now.since(self.part.short_since) >= CESSION_GRACE {
            self.part.start = Some(predecessor.id);
            self.part_changed(cx);
        }
    }

    /// A successor has ceded the part from `start` up to us.
    pub(crate) fn on_ceded(&mut self, cx: &mut Cx<'_, Self>, from: Contact, start: Id) {
        let known = self
            .ring
            .successors()
            .iter()
            .any(|successor| successor.id == from.id);
        if !known || self.part.start.is_some() {
            return;
        }
        self.part.start = Some(start);
        self.part.short_since = cx.now;
        if let Some(predecessor) = self.ring.predecessor()
            && predecessor.id.is_between(start, self.me.id)
        {
            self.cede(cx, predecessor, start);
        }
        self.part_changed(cx);
    }

    fn part_changed(&mut self, cx: &mut Cx<'_, Self>) {
        self.generation += 1;
        cx.emit(RouterEvent::NeighboursChanged);
    }
}
