//! Leaving: the node says so and stops answering.
//!
//! "No leave, no separate update" in Zave's protocol: a leaver stops answering, and stabilisation
//! does the rest. Its data has been handed over by the layer above before this is called.
//!
//! Deviation: it says `Leaving` to the neighbours that it knows. To them this is the proof of
//! death that a time-out would give them a second later; no transition is added.

use crate::MAX_SUCCESSORS;
use crate::message::ChordMessage;
use crate::node::{Chord, Doubt, Phase};
use overlay::{Contact, Cx, Duration, Id, OpId, RouterCall, RouterEvent, Time};

/// Nodes that said they leave and are still in our tables. Our choice: more leavers at once than
/// a list is long change nothing but a few time-outs.
const MAX_DEPARTED: usize = 2 * MAX_SUCCESSORS;
/// How long they are remembered. Our choice: others have dropped them by then; and one that comes
/// back under its id is where a neighbour says it is, though it has not spoken to us yet.
const DEPARTED_FOR: Duration = Duration::from_secs(10);

impl Chord {
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        if let Phase::Joining(joining) = &self.phase
            && let Some(op) = joining.op
        {
            cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "told to leave while joining".into(),
            });
        }
        let mut told: Vec<_> = self.ring.successors().to_vec();
        told.extend(self.ring.predecessor());
        told.sort_unstable();
        told.dedup_by_key(|contact| contact.id);
        for neighbour in told {
            cx.send(neighbour, ChordMessage::Leaving);
        }
        self.phase = Phase::Left;
        self.step = None;
        self.notified.clear();
        cx.emit(RouterEvent::Left { op });
    }

    /// Each call gets its final event, even now.
    pub(crate) fn refuse_after_leaving(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        call: &RouterCall,
    ) {
        match call {
            RouterCall::Leave => cx.emit(RouterEvent::Left { op }),
            RouterCall::Create | RouterCall::Join { .. } => cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "this node has left its network; start it again to join".into(),
            }),
            RouterCall::Looked { .. } | RouterCall::Silent(_) => {}
        }
    }

    /// A peer leaves: it counts as dead without being asked.
    pub(crate) fn on_leaving(&mut self, cx: &mut Cx<'_, Self>, from: Contact) {
        self.fingers.remove(from.id);
        self.lost.forget(from.id);
        if let Some(step) = self.step.take_if(|step| step.peer.id == from.id) {
            self.step_failed(cx, &step, true);
        }
        if !self.ring.knows(from.id) || !matches!(self.phase, Phase::Member) {
            return;
        }
        if self
            .ring
            .predecessor()
            .is_some_and(|known| known.id == from.id)
        {
            self.doubt = Doubt::Dead;
        }
        self.departed.retain(|(departed, _)| *departed != from.id);
        if self.departed.len() >= MAX_DEPARTED {
            self.departed.remove(0);
        }
        self.departed.push((from.id, cx.now));
        self.quicken();
        self.hurry(cx);
    }

    /// Whether a node said a moment ago that it leaves, and nothing since.
    pub(crate) fn has_departed(&self, id: Id, now: Time) -> bool {
        let mut departed = self.departed.iter();
        departed.any(|(departed, at)| *departed == id && now.since(*at) < DEPARTED_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChordConfig;
    use std::net::SocketAddr;

    #[test]
    fn one_that_left_may_be_back_though_it_has_not_said_so_here() {
        let contact = |number: u64| Contact {
            id: Id::from_u64(number),
            addr: SocketAddr::from(([127, 0, 0, 1], 4000 + number as u16)),
        };
        let mut node = Chord::new(contact(1), ChordConfig::default());
        let left = Time::ZERO + DEPARTED_FOR;
        node.departed.push((contact(2).id, left));
        assert!(node.has_departed(contact(2).id, left + Duration::from_secs(1)));
        assert!(!node.has_departed(contact(3).id, left));
        assert!(!node.has_departed(contact(2).id, left + DEPARTED_FOR));
    }
}
