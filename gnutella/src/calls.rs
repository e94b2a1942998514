//! What users ask: checked, and begun.

use crate::message::What;
use crate::node::Gnutella;
use crate::putting::MAX_PUTTINGS;
use crate::search::Purpose;
use overlay::{Cx, Failure, Notice, OpId, Reply, Request, Store};

impl<S: Store> Gnutella<S> {
    fn reject(&self, call: &Request) -> Option<Failure> {
        if let Some(why) = crate::checks::refuse(call) {
            return Some(Failure::Refused(why));
        }
        if !self.stage.is_member() {
            return Some(Failure::NotMember);
        }
        let writes = matches!(call, Request::Put { .. } | Request::Insert { .. });
        if writes && self.puttings.len() >= MAX_PUTTINGS {
            return Some(Failure::Busy(MAX_PUTTINGS));
        }
        if let Request::Insert { key, holder, .. } = call
            && self.leases.is_full_for(*key, *holder)
        {
            let most = crate::leases::MAX_RENEWED_LEASES;
            return Some(Failure::Refused(format!(
                "this node renews {most} leases, its limit; insert at another node"
            )));
        }
        if writes && let Err(full) = self.store.room() {
            return Some(Failure::Full(full.to_string()));
        }
        None
    }

    pub(crate) fn data_call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: Request) {
        if let Some(failure) = self.reject(&call) {
            let reply = Reply::Failed(failure);
            return cx.emit(Notice::Done { op, reply });
        }
        match call {
            Request::Put {
                key,
                value,
                ttl_s,
                consistency,
                text,
                ..
            } => self.put(cx, op, (key, value, ttl_s), text, consistency),
            Request::Get {
                key,
                consistency,
                at_least,
            } => {
                let purpose = Purpose::Get { at_least };
                self.start_search(cx, op, purpose, What::Value(key), consistency);
            }
            Request::Insert {
                key,
                holder,
                lease_s,
                text,
                ..
            } => self.insert(cx, Some(op), (key, holder, lease_s), text),
            Request::Search {
                key,
                limit,
                consistency,
            } => {
                let purpose = Purpose::Holders { limit };
                self.start_search(cx, op, purpose, What::Holders(key), consistency);
            }
            Request::SearchText {
                text,
                limit,
                consistency,
            } => {
                let purpose = Purpose::Words { limit };
                self.start_search(cx, op, purpose, What::Words(text), consistency);
            }
            Request::Delete {
                key,
                holder,
                consistency,
                ..
            } => self.delete(cx, op, key, holder, consistency),
            Request::Locate { key, .. } => {
                let how = overlay::Consistency::Quorum;
                self.start_search(cx, op, Purpose::Nodes, What::Any(key), how);
            }
            // Refused above, or of the membership.
            _ => {}
        }
    }
}
