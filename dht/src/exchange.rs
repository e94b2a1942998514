//! The part of a replica in a comparison with its root.

use crate::durable::Then;
use crate::fingerprint::Fingerprint;
use crate::items::MAX_WANTED;
use crate::message::{SyncDone, SyncRange};
use crate::parked::Parked;
use crate::ranges::MAX_LISTED;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Contact, Cx, Fault, Item, KeyRouter};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A root asks whether a range is the same here.
    pub(crate) fn sync_range_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        range: &SyncRange,
    ) {
        let SyncRange {
            req,
            done,
            witness,
            after,
            upto,
            count,
            print,
        } = range;
        let mut own = Fingerprint::new();
        let mut entries = Vec::new();
        let mut cut = false;
        self.scan(cx, done.arc, (*after, *upto), &mut |(key, slot), record| {
            cut = entries.len() == MAX_LISTED;
            if !cut {
                own.add(key, slot, record.version);
                entries.push((key, slot, record.version));
            }
            !cut
        });
        // What we know was true before this root compares anything.
        let evidence = match after {
            None => {
                let evidence = self.evidence_for(from.id, done.arc, cx.now);
                self.covers.fence(from.id, done.arc);
                evidence
            }
            Some(_) => Vec::new(),
        };
        if !witness {
            self.covers.begin(from.id, done, cx.now);
        }
        let req = *req;
        if !cut && own.finish() == (*count, *print) {
            if upto.is_none() && !witness && self.covers.complete(from.id, done, cx.now) {
                self.strays_changed(cx);
            }
            return self.post(cx, from, StoreMessage::SyncSame { req, evidence });
        }
        let upto = if cut {
            entries.last().map(|(key, slot, _)| (*key, *slot))
        } else {
            None
        };
        self.post(
            cx,
            from,
            StoreMessage::SyncList {
                req,
                entries,
                upto,
                evidence,
            },
        );
    }

    /// A root sends what it has newer, and asks for what we have newer.
    pub(crate) fn sync_items_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        items: Vec<Item>,
        want: &[Position],
    ) {
        if want.len() > MAX_WANTED {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        if !self.takes(cx, from, &items) {
            return;
        }
        let (batch, handled) = self.plan_batch(want);
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::SyncItems {
                req,
                items: items.clone(),
                want: want.to_vec(),
            }),
        };
        if !self.have_bodies(&batch, again) {
            return;
        }
        let mut seq = self.durable;
        for item in items {
            seq = seq.max(self.store.write(item));
        }
        let items = self.batch(&batch);
        let handled = handled as u32;
        let message = StoreMessage::SyncItemsReply {
            req,
            items,
            handled,
        };
        self.when_durable(
            cx,
            seq,
            Then::Send {
                to: from,
                message: Box::new(message),
            },
        );
    }

    /// A root says that this node is a full copy of its arc.
    pub(crate) fn sync_done_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        done: &SyncDone,
    ) {
        if self.covers.complete(from.id, done, cx.now) {
            self.strays_changed(cx);
        }
        self.post(cx, from, StoreMessage::SyncDoneAck { req: done.req });
    }
}
