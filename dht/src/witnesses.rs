//! Nodes that are no replicas, and are asked while something is unproven.

use crate::arcs::intersect;
use crate::leavers::Leavers;
use crate::member::Member;
use crate::view::View;
use crate::{Dht, Store};
use overlay::{Contact, Cx, KeyRouter, Time};

/// Most nodes beyond the replicas that are asked for what they know of an arc: its next neighbours,
/// among whom is the former root even when several nodes have joined at the same time.
pub(crate) const MAX_WITNESSES: usize = 8;

impl View {
    /// A complete view needs nobody's word any more: a witness that is dead would be asked for ever.
    /// Only those that mean to leave are compared with it once.
    pub(crate) fn dismiss_witnesses(&mut self, is_new: bool, leavers: &Leavers, now: Time) {
        self.members
            .retain(|member| member.replica || leavers.contains(member.contact.id));
        if !is_new {
            return;
        }
        // The copies must learn that they count, and what came from the others.
        for member in &mut self.members {
            member.covered = false;
            member.next_at = now;
            member.failures = 0;
        }
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Where the replicas have said what they know and some part is still unproven, others are
    /// asked too.
    pub(crate) fn call_witnesses(&mut self, cx: &Cx<'_, Self>) {
        let is_no_witness =
            |member: &Member| member.replica || self.leavers.contains(member.contact.id);
        let open = |view: &View| {
            !view.is_complete()
                && view.replicas().all(|member| member.compared)
                && view.members.iter().all(is_no_witness)
        };
        if !self.views.iter().any(open) {
            return;
        }
        let owned = self
            .routing
            .router()
            .owned(self.config.replicas + MAX_WITNESSES);
        for view in self.views.iter_mut().filter(|view| open(view)) {
            // An overlay may divide its arcs at other points for so many neighbours.
            let parts = owned
                .iter()
                .filter(|part| !intersect(part.arc, view.arc).is_empty());
            let mut near: Vec<(usize, Contact)> = parts
                .flat_map(|part| part.replicas.iter().copied().enumerate())
                .filter(|(_, peer)| !view.replicas.iter().any(|known| known.id == peer.id))
                .collect();
            near.sort_unstable();
            for (_, peer) in near {
                let witnesses = view.members.len() + 1 - view.replicas.len();
                let is_known = view.members.iter().any(|known| known.contact.id == peer.id);
                if witnesses < MAX_WITNESSES && !is_known {
                    view.members.push(Member::new(peer, false, cx.now));
                }
            }
            view.called_witnesses = true;
        }
    }
}
