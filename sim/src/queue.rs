//! What is due, in order of time and then of sequence.

use overlay::{Contact, Id, LoadSeq, Machine, OpId, Time, WriteSeq};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that will happen to a node. `life` tells a node from a later one in its slot.
pub(crate) enum Due<M: Machine> {
    Message {
        from: u32,
        to: u32,
        to_id: Id,
        message: M::Message,
    },
    Timer {
        node: u32,
        life: u32,
        timer: M::Timer,
    },
    Call {
        node: u32,
        life: u32,
        op: OpId,
        call: M::Call,
    },
    PeerDown {
        node: u32,
        life: u32,
        peer: Box<Contact>,
    },
    Durable {
        node: u32,
        life: u32,
        seq: WriteSeq,
    },
    Loaded {
        node: u32,
        life: u32,
        seq: LoadSeq,
    },
}

/// A heap of small entries over a slab: messages are not moved while the heap reorders itself.
pub(crate) struct Queue<M: Machine> {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    slab: Vec<Option<Due<M>>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<M: Machine> Default for Queue<M> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slab: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<M: Machine> Queue<M> {
    pub(crate) fn push(&mut self, at: Time, due: Due<M>) {
        let slot = if let Some(slot) = self.free.pop() {
            self.slab[slot as usize] = Some(due);
            slot
        } else {
            self.slab.push(Some(due));
            (self.slab.len() - 1) as u32
        };
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, slot)));
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Due<M>)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        let due = self.slab[slot as usize].take()?;
        self.free.push(slot);
        Some((at, due))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}
