//! A node on a slow machine.

use gnutella::{Gnutella, GnutellaTimer, Message};
use overlay::{
    Contact, Cx, Duration, Effect, Id, Input, Machine, MemoryStore, Notice, Outbox, Request,
};
use std::collections::{BTreeSet, VecDeque};

/// A machine that needs time for each message, and drops those for which it has no room.
pub(crate) struct Busy {
    pub(crate) inner: Gnutella<MemoryStore>,
    queue: VecDeque<(Contact, Message)>,
    /// Whom its driver refuses.
    refused: BTreeSet<Id>,
    out: Outbox<Gnutella<MemoryStore>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Alarm {
    Inner,
    Next,
}

/// How long a message takes to handle: about what a real node needs, system calls included.
const SERVICE: Duration = Duration::from_micros(20);
/// Texts that it looks at in a microsecond.
const LOOKS_A_US: u64 = 2;
/// Messages that wait for it: what its sockets hold.
const ROOM: usize = 20_000;

impl Busy {
    pub(crate) fn new(inner: Gnutella<MemoryStore>) -> Self {
        Self {
            inner,
            queue: VecDeque::new(),
            refused: BTreeSet::new(),
            out: Outbox::default(),
        }
    }

    fn run(&mut self, cx: &mut Cx<'_, Self>, input: Input<Gnutella<MemoryStore>>) {
        let mut out = std::mem::take(&mut self.out);
        cx.nested(&mut out, |cx| self.inner.handle(cx, input));
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => cx.send(to, message),
                Effect::Arm { at, .. } => cx.arm(at, Alarm::Inner),
                Effect::Emit(event) => cx.emit(event),
                // A driver drops what is left of a link that it has closed.
                Effect::HangUp { peer, fault } => {
                    self.queue.retain(|(from, _)| from.id != peer.id);
                    self.refused.insert(peer.id);
                    cx.hang_up(peer, fault);
                }
            }
        }
        self.out = out;
    }
}

impl Machine for Busy {
    type Message = Message;
    type Timer = Alarm;
    type Call = Request;
    type Event = Notice;

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        match input {
            Input::Message { from, message } => {
                if self.refused.contains(&from.id) {
                    return;
                }
                if self.queue.is_empty() {
                    cx.arm(cx.now + SERVICE, Alarm::Next);
                }
                if self.queue.len() < ROOM {
                    self.queue.push_back((from, message));
                }
            }
            Input::Timer(Alarm::Next) => {
                let before = self.inner.tally().looked;
                if let Some((from, message)) = self.queue.pop_front() {
                    self.run(cx, Input::Message { from, message });
                }
                let looked = self.inner.tally().looked - before;
                if !self.queue.is_empty() {
                    let looks = Duration::from_micros(looked / LOOKS_A_US);
                    cx.arm(cx.now + SERVICE + looks, Alarm::Next);
                }
            }
            Input::Timer(Alarm::Inner) => self.run(cx, Input::Timer(GnutellaTimer)),
            Input::Call { op, call } => self.run(cx, Input::Call { op, call }),
            Input::PeerDown(peer) => self.run(cx, Input::PeerDown(peer)),
            Input::Durable(seq) => self.run(cx, Input::Durable(seq)),
            Input::Loaded(seq) => self.run(cx, Input::Loaded(seq)),
        }
    }
}
