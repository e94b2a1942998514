//! What happens in one step: delivery to a machine, and the effects that it asks for.

use crate::queue::Due;
use crate::world::{Told, World, index_of};
use crate::{MAX_KINDS, Trace};
use overlay::{Contact, Cx, Effect, Id, Input, Machine, Time};

/// The kinds of events in the trace hash.
mod kind {
    pub(super) const MESSAGE: u64 = 1;
    pub(super) const TIMER: u64 = 2;
    pub(super) const CALL: u64 = 3;
    pub(super) const PEER_DOWN: u64 = 4;
    pub(super) const DURABLE: u64 = 5;
    pub(super) const LOADED: u64 = 6;
    pub(super) const SYNC_FAILED: u64 = 7;
}

impl<M: Machine> World<M> {
    /// Delivers what is due; gives the node that handled it, if one did.
    pub(crate) fn deliver(&mut self, due: Due<M>) -> Option<usize> {
        match due {
            Due::Message {
                from,
                to,
                to_id,
                message,
            } => self.deliver_message(from as usize, to as usize, to_id, message),
            Due::Timer { node, life, timer } => {
                let node = self.same_life(node, life)?;
                self.counters.timers += 1;
                self.fold(kind::TIMER, node, 0);
                self.handle(node, Input::Timer(timer));
                Some(node)
            }
            Due::Call {
                node,
                life,
                op,
                call,
            } => {
                let node = self.same_life(node, life)?;
                self.counters.calls += 1;
                self.fold(kind::CALL, node, op.0);
                self.handle(node, Input::Call { op, call });
                Some(node)
            }
            Due::PeerDown { node, life, peer } => {
                let node = self.same_life(node, life)?;
                self.fold(
                    kind::PEER_DOWN,
                    node,
                    index_of(peer.addr).unwrap_or(0) as u64,
                );
                self.handle(node, Input::PeerDown(*peer));
                Some(node)
            }
            Due::Durable { node, life, seq } => {
                let node = self.same_life(node, life)?;
                if self.slots[node].sync_fails {
                    // The group stays under way for ever, and nothing after it is begun.
                    self.fold(kind::SYNC_FAILED, node, seq.0);
                    self.counters.failed_syncs += 1;
                    self.failed_syncs.push(node);
                    return None;
                }
                self.fold(kind::DURABLE, node, seq.0);
                let slot = &mut self.slots[node];
                slot.durable = seq;
                slot.syncing = false;
                self.handle(node, Input::Durable(seq));
                Some(node)
            }
            Due::Loaded { node, life, seq } => {
                let node = self.same_life(node, life)?;
                self.fold(kind::LOADED, node, seq.0);
                self.handle(node, Input::Loaded(seq));
                Some(node)
            }
        }
    }

    fn same_life(&self, node: u32, life: u32) -> Option<usize> {
        let slot = self.slots.get(node as usize)?;
        (slot.life == life && slot.machine.is_some()).then_some(node as usize)
    }

    fn deliver_message(
        &mut self,
        from: usize,
        to: usize,
        to_id: Id,
        message: M::Message,
    ) -> Option<usize> {
        let slot = &self.slots[to];
        let to_contact = Contact {
            id: to_id,
            addr: slot.contact.addr,
        };
        if slot.machine.is_none() {
            self.counters.to_dead += 1;
            if self.config.detect_down {
                self.tell_down(from, to, to_contact);
            }
            return None;
        }
        if slot.contact.id != to_id {
            // The handshake proves another id: the sender always learns that.
            self.counters.to_stranger += 1;
            self.tell_down(from, to, to_contact);
            return None;
        }
        self.counters.delivered += 1;
        if let Some(label) = self.label_of.and_then(|label_of| label_of(&message)) {
            self.recorded.push((label, to));
        }
        self.fold(kind::MESSAGE, to, from as u64);
        self.slots[from].load.sent += 1;
        self.slots[to].load.received += 1;
        if self.config.trace == Trace::Full {
            self.buffer.clear();
            overlay::wire::encode_into(&message, &mut self.buffer);
            let bytes = self.buffer.len() as u64;
            self.counters.delivered_bytes += bytes;
            self.slots[from].load.sent_bytes += bytes;
            self.slots[to].load.received_bytes += bytes;
            if let Some(kind_of) = self.kind_of {
                let kind = kind_of(&message).min(MAX_KINDS - 1);
                self.counters.delivered_bytes_by_kind[kind] += bytes;
            }
            self.trace.bytes(&self.buffer);
        }
        let from = self.slots[from].contact;
        self.handle(to, Input::Message { from, message });
        Some(to)
    }

    /// Tells `node` that `peer`, at index `at`, is down, as long after now as a message travels.
    fn tell_down(&mut self, node: usize, at: usize, peer: Contact) {
        let Some(slot) = self.slots.get(node) else {
            return;
        };
        let life = slot.life;
        let delay = self.config.latency.sample(at, node, &mut self.dice);
        let due = Due::PeerDown {
            node: node as u32,
            life,
            peer: Box::new(peer),
        };
        self.queue.push(self.now + delay, due);
    }

    const fn fold(&mut self, kind: u64, node: usize, detail: u64) {
        self.trace.word(self.now.0 << 3 | kind);
        self.trace.word((node as u64) << 32 ^ detail);
    }

    fn handle(&mut self, node: usize, input: Input<M>) {
        self.counters.inputs += 1;
        let mut outbox = std::mem::take(&mut self.outbox);
        let now = self.now;
        let slot = &mut self.slots[node];
        let Some(machine) = slot.machine.as_mut() else {
            return;
        };
        let mut cx = Cx {
            now: slot.clock.local(now),
            wall: slot.clock.wall(now),
            rng: &mut slot.rng,
            out: &mut outbox,
        };
        machine.handle(&mut cx, input);
        self.use_disk(node);
        for effect in outbox.drain() {
            self.apply(node, effect);
        }
        self.outbox = outbox;
    }

    /// Starts what the machine asked of its disk: a group of writes, one at a time, and loads, as
    /// long each as a group of writes may take.
    fn use_disk(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        let Some(machine) = &slot.machine else { return };
        let (node, life) = (at as u32, slot.life);
        let (shortest, longest) = self.config.fsync;
        let written = machine.last_write();
        if written > slot.durable && !slot.syncing {
            slot.syncing = true;
            let due = Due::Durable {
                node,
                life,
                seq: written,
            };
            let delay = self.dice.span(shortest, longest);
            let at = self.now + delay + slot.disk_slow_by;
            self.queue.push(at, due);
        }
        let seq = machine.last_load();
        if seq > slot.loading {
            slot.loading = seq;
            let delay = self.dice.span(shortest, longest);
            let at = self.now + delay + slot.disk_slow_by;
            slot.load_free = slot.load_free.max(at);
            let due = Due::Loaded { node, life, seq };
            self.queue.push(slot.load_free, due);
        }
    }

    fn apply(&mut self, node: usize, effect: Effect<M>) {
        match effect {
            Effect::Send { to, message } => self.send(node, to, message),
            Effect::Arm { at, timer } => {
                let slot = &self.slots[node];
                let at = (slot.clock.world(at) + slot.slow_by).max(self.now);
                let due = Due::Timer {
                    node: node as u32,
                    life: slot.life,
                    timer,
                };
                self.queue.push(at, due);
            }
            Effect::Emit(event) => {
                self.counters.events += 1;
                self.told.push(Told {
                    time: self.now,
                    node,
                    event,
                });
            }
            Effect::HangUp { peer, .. } => {
                self.counters.hang_ups += 1;
                // The peer sees its connection break.
                if let Some(index) = index_of(peer.addr)
                    && index < self.slots.len()
                {
                    let me = self.slots[node].contact;
                    self.tell_down(index, node, me);
                }
            }
        }
    }

    /// Sends a message in the name of a node, past its machine: what a hostile program would do.
    pub fn inject(&mut self, from: usize, to: Contact, message: M::Message) {
        self.send(from, to, message);
    }

    fn send(&mut self, from: usize, to: Contact, message: M::Message) {
        self.count_sent(&message);
        let index = index_of(to.addr).filter(|&index| index < self.slots.len());
        let Some(index) = index else {
            // Nobody has this address.
            self.counters.to_stranger += 1;
            self.tell_down(from, from, to);
            return;
        };
        if !self.faults.connects(from, index) {
            self.counters.partitioned += 1;
            return;
        }
        if self.dice.in_a_million(self.faults.loss.0) {
            self.counters.lost += 1;
            return;
        }
        if self.dice.in_a_million(self.faults.duplicate.0) {
            self.counters.duplicated += 1;
            let later = self.arrival(from, index, true);
            self.enqueue(later, from, index, to.id, message.clone());
        }
        let is_late = self.dice.in_a_million(self.faults.reorder.0);
        let at = self.arrival(from, index, is_late);
        self.enqueue(at, from, index, to.id, message);
    }

    /// When a message that leaves now arrives.
    fn arrival(&mut self, from: usize, to: usize, is_late: bool) -> Time {
        let delay = self.config.latency.sample(from, to, &mut self.dice);
        let mut at = self.now + delay + self.slots[to].slow_by;
        if is_late {
            at = at + self.dice.span(overlay::Duration::ZERO, self.faults.jitter);
        }
        at
    }

    fn enqueue(&mut self, at: Time, from: usize, to: usize, to_id: Id, message: M::Message) {
        self.queue.push(
            at,
            Due::Message {
                from: from as u32,
                to: to as u32,
                to_id,
                message,
            },
        );
    }

    fn count_sent(&mut self, message: &M::Message) {
        self.counters.sent += 1;
        if let Some(kind_of) = self.kind_of {
            self.counters.sent_by_kind[kind_of(message).min(MAX_KINDS - 1)] += 1;
        }
    }
}
