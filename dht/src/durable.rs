//! Nothing is acknowledged before it is durable: what waits for the store.

use crate::planted::PlantedBug;
use crate::{Dht, Store, StoreMessage};
use overlay::{Contact, Cx, KeyRouter, WriteSeq};
use smallvec::SmallVec;

/// Acknowledgements for one root: its number, and whether a live record was there before.
type Acks = SmallVec<[(u64, bool); 1]>;

/// Something to do once a write is durable.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) seq: WriteSeq,
    pub(crate) then: Then,
}

/// What.
#[derive(Debug)]
pub(crate) enum Then {
    /// Tell a root that its record is durable here.
    Acknowledge {
        to: Contact,
        req: u64,
        existed: bool,
    },
    /// Count this node for a write that it coordinates.
    Own { number: u64 },
    /// Send a message that was made ready.
    Send {
        to: Contact,
        message: Box<StoreMessage>,
    },
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Does `then` when the write is durable, which may be now.
    pub(crate) fn when_durable(&mut self, cx: &mut Cx<'_, Self>, seq: WriteSeq, then: Then) {
        let early = self.config.has_bug(PlantedBug::AckBeforeCommit);
        let seq = if early { self.durable } else { seq };
        // Writes are numbered in order; a no-op waits for the last write before it.
        self.waiting.push_back(Waiting { seq, then });
        if seq <= self.durable {
            self.release(cx);
        }
    }

    /// The driver has made writes durable.
    pub(crate) fn durable_now(&mut self, cx: &mut Cx<'_, Self>, seq: WriteSeq) {
        if seq > self.durable {
            self.durable = seq;
            self.store.durable(seq);
            self.release(cx);
        }
    }

    /// Does all that waited for what is durable now; acknowledgements to one root share a message.
    fn release(&mut self, cx: &mut Cx<'_, Self>) {
        let mut acks: SmallVec<[(Contact, Acks); 4]> = SmallVec::new();
        while self
            .waiting
            .front()
            .is_some_and(|first| first.seq <= self.durable)
        {
            let Some(Waiting { then, .. }) = self.waiting.pop_front() else {
                break;
            };
            match then {
                Then::Acknowledge { to, req, existed } => {
                    match acks.iter_mut().find(|(root, _)| root.id == to.id) {
                        Some((_, acks)) => acks.push((req, existed)),
                        None => acks.push((to, SmallVec::from_slice(&[(req, existed)]))),
                    }
                }
                Then::Own { number } => self.durable_here(cx, number),
                Then::Send { to, message } => self.post(cx, to, *message),
            }
        }
        for (to, acks) in acks {
            self.post(cx, to, StoreMessage::Replicated { acks });
        }
    }
}
