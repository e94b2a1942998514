//! One connection with a peer as the machine's task sees it, and what it hears of it.

use super::lanes::Lanes;
use overlay::{Contact, Id, Machine, Quorums, Time};
use quinn::{Connection, VarInt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tokio::sync::SetOnce;

/// A message that came, and its length with the field before it.
#[derive(Debug)]
pub(crate) struct Received<T> {
    pub(crate) message: T,
    pub(crate) bytes: usize,
}

/// What connections tell the machine's task.
#[derive(Debug)]
pub(crate) enum Inbound<M: Machine> {
    /// Messages from a proven peer, in their order.
    Messages {
        from: Contact,
        messages: Vec<Received<M::Message>>,
    },
    /// A handshake succeeded.
    Up(Arc<Handle>),
    /// A connection ended.
    Down { handle: Arc<Handle>, lost: Lost },
    /// A peer could not be dialled.
    DialFailed {
        to: Contact,
        lanes: Arc<Lanes>,
        wrong_id: bool,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Both sides may go on: it was idle, or another connection took its place.
    Agreed,
    /// The peer is gone or not to be spoken to.
    Suddenly,
}

/// One connection that is up.
#[derive(Debug)]
pub(crate) struct Handle {
    /// Numbers the connections of this process.
    pub(crate) number: u64,
    /// The id that the peer proved.
    pub(crate) id: Id,
    pub(crate) connection: Connection,
    pub(crate) lanes: Arc<Lanes>,
    /// Who the peer says it is, once it said so.
    pub(crate) contact: SetOnce<Contact>,
    /// What the peer has instead of our quorums, once it said so.
    pub(crate) other_quorums: SetOnce<Quorums>,
    last_active: AtomicU64,
    closed_as: AtomicU8,
}

impl Handle {
    pub(crate) fn new(number: u64, id: Id, connection: Connection, lanes: Arc<Lanes>) -> Self {
        Self {
            number,
            id,
            connection,
            lanes,
            contact: SetOnce::new(),
            other_quorums: SetOnce::new(),
            last_active: AtomicU64::new(0),
            closed_as: AtomicU8::new(0),
        }
    }

    /// Something was sent or received.
    pub(crate) fn touch(&self, now: Time) {
        self.last_active.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn idle_since(&self) -> Time {
        Time(self.last_active.load(Ordering::Relaxed))
    }

    /// Closes the connection; its end will be reported as `lost`.
    pub(crate) fn close(&self, code: VarInt, lost: Lost) {
        self.close_saying(code, lost, b"");
    }

    /// As [`close`](Self::close), with something for the peer's user to read.
    pub(crate) fn close_saying(&self, code: VarInt, lost: Lost, reason: &[u8]) {
        self.closed_as
            .store(u8::from(lost == Lost::Suddenly), Ordering::Relaxed);
        self.connection.close(code, reason);
    }

    pub(crate) fn closed_as(&self) -> Lost {
        if self.closed_as.load(Ordering::Relaxed) == 0 {
            Lost::Agreed
        } else {
            Lost::Suddenly
        }
    }
}
