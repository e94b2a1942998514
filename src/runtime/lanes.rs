//! The two lanes of a connection.
//!
//! What routers say to each other, above all "are you alive?", must not wait behind what users
//! move: a neighbour whose answer stands behind thousands of reads looks dead. So each connection
//! has two queues, each with a stream and a writer of its own, and QUIC sends what waits on the
//! urgent one first; the receiver has an inbox for each, too. Neither lane can starve the other:
//! routers say little and their queue is short, and the machine's task takes from both in turns.

use super::queue::{FrameQueue, Limits, Pushed};
use serde::Serialize;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What keeps the network whole.
    Urgent,
    /// Everything else.
    Data,
}

impl Lane {
    /// The lane of a message that is urgent, or not.
    pub(crate) const fn of(is_urgent: bool) -> Self {
        if is_urgent { Self::Urgent } else { Self::Data }
    }
}

/// What waits to be sent to one peer.
#[derive(Debug)]
pub(crate) struct Lanes {
    urgent: FrameQueue,
    data: FrameQueue,
}

impl Lanes {
    /// Most messages that wait in both.
    pub(crate) const MESSAGES: usize = Limits::URGENT.messages + Limits::PEER.messages;
    /// Most bytes that wait in both.
    pub(crate) const BYTES: usize = Limits::URGENT.bytes + Limits::PEER.bytes;

    pub(crate) fn new() -> Self {
        Self {
            urgent: FrameQueue::new(Limits::URGENT),
            data: FrameQueue::new(Limits::PEER),
        }
    }

    /// The queue of one lane.
    pub(crate) const fn queue(&self, lane: Lane) -> &FrameQueue {
        match lane {
            Lane::Urgent => &self.urgent,
            Lane::Data => &self.data,
        }
    }

    /// Encodes a message straight into its queue; says how many bytes that are.
    pub(crate) fn push<T: Serialize>(&self, message: &T, lane: Lane) -> (Pushed, usize) {
        self.queue(lane).push_sized(message)
    }

    /// Messages that wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let (urgent, data) = (self.urgent.waiting(), self.data.waiting());
        (urgent.0 + data.0, urgent.1 + data.1)
    }

    /// Sends what waits, as [`FrameQueue::send`] does.
    pub(crate) fn send(&self) {
        self.urgent.send();
        self.data.send();
    }

    /// Nothing more will be taken: the connection is gone.
    pub(crate) fn close(&self) {
        self.urgent.close();
        self.data.close();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.data.is_empty()
    }

    /// Moves everything that waits to the lanes of another connection, which came up first.
    pub(crate) fn move_to(&self, other: &Self) {
        self.urgent.move_to(&other.urgent);
        self.data.move_to(&other.data);
    }
}
