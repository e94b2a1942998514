//! The table of links: which peers are connected, and what is sent over which connection.
//!
//! It belongs to the machine's task, which never waits for a peer: it encodes a message into the
//! queue of a connection and goes on. Two nodes that dial each other at the same time end up with
//! two connections; both are read, and the newer one is written to.

use super::lanes::{Lane, Lanes};
use super::peer::{Handle, Lost};
use super::queue::Pushed;
use super::transport::CloseCode;
use super::{Shared, dial};
use crate::metrics::{Crowd, Traffic};
use overlay::{Contact, Duration, Fault, Id, Machine, Time};
use quinn::VarInt;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Connections that are kept with one peer: one from each side. The oldest makes room.
pub const MAX_CONNECTIONS_PER_PEER: usize = 2;
/// How long a peer that broke the rules is not spoken to.
pub const REFUSE_FOR: Duration = Duration::from_secs(30);
/// How long an address at which another id was found is not dialled again for that id: each try
/// costs a handshake.
pub const DIAL_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Most peers that are refused, and most addresses that are not dialled again, at a time.
pub const MAX_REFUSED: usize = 1_024;
/// Most dials under way; beyond it a peer counts as down.
pub const MAX_DIALS: usize = 512;
/// How often links are looked over for idle and silent ones, while there are any.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// A link on which nothing was said for this long is closed. Redialling costs both sides a
/// millisecond and some five kilobytes, so that links to fingers are kept between refreshes.
pub const IDLE_CLOSE: Duration = Duration::from_secs(300);
/// After this many sweeps in which packets were sent and none came back, a connection is given up.
pub const SILENT_SWEEPS: u32 = 2;

/// A connection with what the last sweep saw of it.
#[derive(Debug)]
struct Line {
    handle: Arc<Handle>,
    received: u64,
    sent: u64,
    silent: u32,
}

#[derive(Debug)]
struct Link {
    /// What is being sent: over the newest connection, or that of the dial under way.
    lanes: Arc<Lanes>,
    /// Oldest first.
    lines: SmallVec<[Line; MAX_CONNECTIONS_PER_PEER]>,
    /// Those of the dial under way.
    dialling: Option<Arc<Lanes>>,
}

/// All links, by the peer's id.
#[derive(Debug)]
pub(crate) struct Links<M: Machine> {
    shared: Arc<Shared<M>>,
    /// Messages that were queued, by kind.
    sent: Traffic,
    table: BTreeMap<Id, Link>,
    /// Lanes that got something.
    dirty: Vec<Arc<Lanes>>,
    refused: BTreeMap<Id, Time>,
    held_off: BTreeMap<Contact, Time>,
    dials: usize,
}

impl<M: Machine + 'static> Links<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>) -> Self {
        Self {
            sent: shared.metrics.sent(&M::kinds()),
            shared,
            table: BTreeMap::new(),
            dirty: Vec::new(),
            refused: BTreeMap::new(),
            held_off: BTreeMap::new(),
            dials: 0,
        }
    }

    /// Number of peers that are connected.
    pub(crate) fn connected(&self) -> usize {
        self.table
            .values()
            .filter(|link| !link.lines.is_empty())
            .count()
    }

    /// Hands over what was counted.
    pub(crate) fn flush_counts(&self) {
        self.sent.flush();
    }

    /// Dials under way.
    pub(crate) const fn dials(&self) -> usize {
        self.dials
    }

    /// Peers that are refused, and addresses that are not dialled again for a while.
    pub(crate) fn avoided(&self) -> (usize, usize) {
        (self.refused.len(), self.held_off.len())
    }

    /// What waits to be sent, of all peers.
    pub(crate) fn waiting(&self) -> Crowd {
        let mut all = Crowd::default();
        for link in self.table.values() {
            all.add(link.lanes.waiting());
        }
        all
    }

    /// Whether there is nothing to sweep.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Queues a message, and dials when there is no connection. False when the peer counts as
    /// down at once.
    pub(crate) fn send(&mut self, to: Contact, message: &M::Message, now: Time) -> bool {
        if !self.table.contains_key(&to.id) && !self.dial(to, now) {
            return false;
        }
        let Some(link) = self.table.get(&to.id) else {
            return false;
        };
        let (pushed, bytes) = link.lanes.push(message, Lane::of(M::is_urgent(message)));
        match pushed {
            Pushed::First => {
                self.dirty.push(Arc::clone(&link.lanes));
                if let Some(line) = link.lines.last() {
                    line.handle.touch(now);
                }
            }
            Pushed::Behind => {}
            Pushed::Full => {
                self.shared.metrics.drop_one("queue_full");
                return true;
            }
            Pushed::TooLong => {
                self.shared.metrics.drop_one("own_message_too_long");
                return true;
            }
        }
        self.sent.count(M::kind(message), bytes);
        true
    }

    fn dial(&mut self, to: Contact, now: Time) -> bool {
        if still(&mut self.refused, &to.id, now)
            || still(&mut self.held_off, &to, now)
            || self.dials >= MAX_DIALS
        {
            self.shared.metrics.drop_one("not_dialled");
            return false;
        }
        let lanes = Arc::new(Lanes::new());
        let dialling = Some(Arc::clone(&lanes));
        let link = Link {
            lanes: Arc::clone(&lanes),
            lines: SmallVec::new(),
            dialling,
        };
        self.table.insert(to.id, link);
        self.dials += 1;
        self.shared
            .spawn(dial::dial(Arc::clone(&self.shared), to, lanes));
        true
    }

    /// Sends what was queued, to each peer all of it together.
    pub(crate) fn flush(&mut self) {
        for lanes in self.dirty.drain(..) {
            lanes.send();
        }
    }

    /// A handshake succeeded.
    pub(crate) fn up(&mut self, handle: Arc<Handle>, now: Time) {
        if still(&mut self.refused, &handle.id, now) {
            let refused = &self.shared.metrics.refused;
            refused.with_label_values(&["refused_peer"]).inc();
            handle.close(CloseCode::Refused.into(), Lost::Agreed);
            return;
        }
        handle.touch(now);
        let lanes = Arc::clone(&handle.lanes);
        let line = Line {
            handle,
            received: 0,
            sent: 0,
            silent: 0,
        };
        let id = line.handle.id;
        let Some(link) = self.table.get_mut(&id) else {
            let link = Link {
                lanes,
                lines: SmallVec::from_iter([line]),
                dialling: None,
            };
            self.table.insert(id, link);
            return;
        };
        if link
            .dialling
            .as_ref()
            .is_some_and(|dialled| Arc::ptr_eq(dialled, &lanes))
        {
            link.dialling = None;
            self.dials = self.dials.saturating_sub(1);
        } else if link.lines.is_empty() {
            // It came in while we were dialling: what waits for our dial need not wait.
            link.lanes.move_to(&lanes);
        }
        link.lanes = lanes;
        if link.lines.len() >= MAX_CONNECTIONS_PER_PEER {
            let oldest = link.lines.remove(0);
            oldest
                .handle
                .close(CloseCode::Replaced.into(), Lost::Agreed);
        }
        link.lines.push(line);
    }

    /// A connection ended. Says whom the machine must take for down.
    pub(crate) fn down(&mut self, handle: &Arc<Handle>, lost: Lost) -> Option<Contact> {
        let link = self.table.get_mut(&handle.id)?;
        link.lines
            .retain(|line| line.handle.number != handle.number);
        if let Some(line) = link.lines.last() {
            link.lanes = Arc::clone(&line.handle.lanes);
            return None;
        }
        if link.dialling.is_some() {
            return None;
        }
        self.table.remove(&handle.id);
        handle
            .contact
            .get()
            .copied()
            .filter(|_| lost == Lost::Suddenly)
    }

    /// A dial failed. Says whether the machine must take the peer for down.
    pub(crate) fn dial_failed(
        &mut self,
        to: Contact,
        lanes: &Arc<Lanes>,
        wrong_id: bool,
        now: Time,
    ) -> bool {
        self.dials = self.dials.saturating_sub(1);
        lanes.close();
        if wrong_id {
            remember(&mut self.held_off, to, now + DIAL_AGAIN_AFTER, now);
        }
        let Some(link) = self.table.get_mut(&to.id) else {
            return true;
        };
        link.dialling = None;
        if link.lines.is_empty() {
            self.table.remove(&to.id);
            return true;
        }
        false
    }

    /// Breaks with a peer, and refuses it for a while.
    pub(crate) fn hang_up(&mut self, peer: Contact, fault: Fault, now: Time) {
        let (number, label) = match fault {
            Fault::Protocol => (0, "protocol"),
            Fault::OutOfBounds => (1, "out_of_bounds"),
            Fault::Flood => (2, "flood"),
            Fault::ClockAhead => (3, "clock_ahead"),
            _ => (15, "other"),
        };
        self.shared.metrics.faults.with_label_values(&[label]).inc();
        if fault == Fault::ClockAhead {
            tracing::warn!(%peer, "refused a peer whose clock is more than a minute ahead; check its clock and this machine's");
        } else {
            tracing::warn!(%peer, ?fault, "hung up on a peer that broke the rules");
        }
        remember(&mut self.refused, peer.id, now + REFUSE_FOR, now);
        let code = VarInt::from_u32(CloseCode::Fault as u32 + number);
        if let Some(link) = self.table.get(&peer.id) {
            for line in &link.lines {
                line.handle.close(code, Lost::Agreed);
            }
        }
    }

    /// Closes what was idle for long, and gives up what has been silent.
    pub(crate) fn sweep(&mut self, now: Time) {
        for link in self.table.values_mut() {
            for line in &mut link.lines {
                line.sweep(now);
            }
        }
    }

    /// Whether every queue has been taken by its writer.
    pub(crate) fn is_drained(&self) -> bool {
        self.table
            .values()
            .all(|link| link.lines.is_empty() || link.lanes.is_empty())
    }

    /// Closes every connection: this node leaves.
    pub(crate) fn close_all(&mut self) {
        for link in self.table.values() {
            for line in &link.lines {
                line.handle.close(CloseCode::Leaving.into(), Lost::Agreed);
            }
        }
    }
}

impl Line {
    fn sweep(&mut self, now: Time) {
        let stats = self.handle.connection.stats();
        let heard = stats.udp_rx.datagrams > self.received;
        let spoke = stats.udp_tx.datagrams > self.sent;
        (self.received, self.sent) = (stats.udp_rx.datagrams, stats.udp_tx.datagrams);
        if heard {
            self.silent = 0;
        } else if spoke {
            self.silent += 1;
        }
        if self.silent >= SILENT_SWEEPS {
            self.handle.close(CloseCode::Silent.into(), Lost::Suddenly);
        } else if now.since(self.handle.idle_since()) >= IDLE_CLOSE {
            self.handle.close(CloseCode::Idle.into(), Lost::Agreed);
        }
    }
}

/// Whether the entry has not ended yet; one that has is removed.
fn still<K: Ord>(until: &mut BTreeMap<K, Time>, key: &K, now: Time) -> bool {
    match until.get(key) {
        Some(end) if *end > now => true,
        Some(_) => {
            until.remove(key);
            false
        }
        None => false,
    }
}

/// Adds an entry; when there are too many, the ended ones go, and then the first.
fn remember<K: Ord>(until: &mut BTreeMap<K, Time>, key: K, end: Time, now: Time) {
    if until.len() >= MAX_REFUSED {
        until.retain(|_, end| *end > now);
    }
    if until.len() >= MAX_REFUSED {
        until.pop_first();
    }
    until.insert(key, end);
}
