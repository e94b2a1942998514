//! The contract between a protocol and whoever drives it.
//!
//! The whole world of a protocol is one method: [`Machine::handle`]. It is called by the daemon's
//! runtime and by the simulator in the same way, so what is simulated is what ships.

use crate::{Contact, Time, WallMs};
use rand_core::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Names one local call; its caller chooses it, and exactly one final event answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId(pub u64);

/// Position in the sequence of writes to a machine's store. Writes become durable in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteSeq(pub u64);

/// Names a request of a machine to its store for bodies that are not in memory. They are answered
/// in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadSeq(pub u64);

/// A protocol as a plain state machine.
///
/// It opens no socket, reads no clock, draws no entropy but from [`Cx::rng`], spawns nothing,
/// awaits nothing, and never depends on the order of a hash map. Timers cannot be cancelled: a
/// machine recognises a stale one when it fires.
pub trait Machine: Sized {
    /// What peers send each other.
    type Message: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    /// What a timer carries back when it fires.
    type Timer: Clone + Debug + Send + 'static;
    /// What the local user asks.
    type Call: Debug + Send + 'static;
    /// What the local user is told.
    type Event: Debug + Send + 'static;

    /// Takes one input, changes the state, and pushes effects into `cx.out`.
    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>);

    /// Whether a message must not wait behind others to the same peer: it keeps the network whole,
    /// as the question whether a neighbour is alive does. Such messages must be few and small.
    fn is_urgent(message: &Self::Message) -> bool {
        let _ = message;
        false
    }

    /// The names of the kinds of messages, in the order of their numbers: for counting.
    #[must_use]
    fn kinds() -> Vec<&'static str> {
        vec!["message"]
    }

    /// The number of a message's kind: its place in [`kinds`](Self::kinds).
    fn kind(message: &Self::Message) -> usize {
        let _ = message;
        0
    }

    /// The latest write that the machine made to its store. The driver makes all writes up to it
    /// durable together and says so with [`Input::Durable`]. A machine without a store never
    /// writes.
    fn last_write(&self) -> WriteSeq {
        WriteSeq(0)
    }

    /// The latest bodies that the machine asked its store for. The driver says with
    /// [`Input::Loaded`] when they are in memory: a machine never waits for a disk.
    fn last_load(&self) -> LoadSeq {
        LoadSeq(0)
    }
}

/// One input to a machine.
#[derive(Debug)]
pub enum Input<M: Machine> {
    /// A peer that proved its id sent a message.
    Message {
        /// Who sent it.
        from: Contact,
        /// What it said.
        message: M::Message,
    },
    /// A timer that the machine armed is due; it may be stale.
    Timer(M::Timer),
    /// The local user asks for something.
    Call {
        /// The name under which the final event answers.
        op: OpId,
        /// What is asked.
        call: M::Call,
    },
    /// A peer cannot be reached: it could not be dialled, its connection broke, or it proved
    /// another id than the one listed. Messages sent to it lately may be lost.
    PeerDown(Contact),
    /// All writes up to this one are on stable storage.
    Durable(WriteSeq),
    /// All bodies asked for up to this request are in memory.
    Loaded(LoadSeq),
}

/// What a machine may see and use while it handles one input.
pub struct Cx<'a, M: Machine> {
    /// The driver's time.
    pub now: Time,
    /// The wall clock, for versions and leases.
    pub wall: WallMs,
    /// The driver's random generator: seeded in the simulator, from the system in production.
    pub rng: &'a mut dyn Rng,
    /// Where effects go.
    pub out: &'a mut Outbox<M>,
}

impl<M: Machine> Cx<'_, M> {
    /// Sends a message to a peer. It may arrive late, twice, or never; messages to one peer may
    /// overtake each other.
    pub fn send(&mut self, to: Contact, message: M::Message) {
        self.out.effects.push(Effect::Send { to, message });
    }

    /// Asks to be called with `timer` at `at`.
    pub fn arm(&mut self, at: Time, timer: M::Timer) {
        self.out.effects.push(Effect::Arm { at, timer });
    }

    /// Tells the local user something.
    pub fn emit(&mut self, event: M::Event) {
        self.out.effects.push(Effect::Emit(event));
    }

    /// Breaks with a peer that misbehaved.
    pub fn hang_up(&mut self, peer: Contact, fault: Fault) {
        self.out.effects.push(Effect::HangUp { peer, fault });
    }

    /// Runs an inner machine with this context's time and entropy, and its own outbox.
    pub fn nested<N: Machine>(&mut self, out: &mut Outbox<N>, run: impl FnOnce(&mut Cx<'_, N>)) {
        run(&mut Cx {
            now: self.now,
            wall: self.wall,
            rng: &mut *self.rng,
            out,
        });
    }
}

/// One effect that a machine asks its driver for.
#[derive(Debug)]
pub enum Effect<M: Machine> {
    /// Send a message to a peer; the driver connects when there is no connection.
    Send {
        /// To whom.
        to: Contact,
        /// What.
        message: M::Message,
    },
    /// Call [`Machine::handle`] with [`Input::Timer`] at this time.
    Arm {
        /// When; a time in the past means at once.
        at: Time,
        /// What the timer carries.
        timer: M::Timer,
    },
    /// Tell the local user.
    Emit(M::Event),
    /// Close the connection to a peer, and count why.
    HangUp {
        /// With whom.
        peer: Contact,
        /// Why.
        fault: Fault,
    },
}

/// Why a machine breaks with a peer. Appended only: the number travels as the close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fault {
    /// A message that no correct peer would send in this state.
    Protocol,
    /// A field beyond its named bound.
    OutOfBounds,
    /// More requests than the peer's share.
    Flood,
    /// A version from further in the future than clocks may differ: the peer's clock is ahead, or
    /// ours is behind.
    ClockAhead,
}

/// The effects of one or more inputs, in the order in which they were asked for. The caller owns
/// it, drains it and may use it again.
#[derive(Debug)]
pub struct Outbox<M: Machine> {
    effects: Vec<Effect<M>>,
}

impl<M: Machine> Default for Outbox<M> {
    fn default() -> Self {
        Self {
            effects: Vec::new(),
        }
    }
}

impl<M: Machine> Outbox<M> {
    /// Takes all effects out, oldest first; the room is kept.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect<M>> {
        self.effects.drain(..)
    }

    /// The effects that wait.
    #[must_use]
    pub fn effects(&self) -> &[Effect<M>] {
        &self.effects
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}
