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
use overlay::{Contact, Cx, OpId, RouterCall, RouterEvent};

/// Nodes that said they leave and are still in our tables. Our choice: more leavers at once than
/// a list is long change nothing but a few time-outs.
const MAX_DEPARTED: usize = 2 * MAX_SUCCESSORS;

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
        self.departed.retain(|departed| *departed != from.id);
        if self.departed.len() >= MAX_DEPARTED {
            self.departed.remove(0);
        }
        self.departed.push(from.id);
        self.quicken();
        self.hurry(cx);
    }
}
