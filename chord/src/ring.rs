//! The state of one member and its transitions, without messages: the part that Zave's proof
//! is about.
//!
//! Each transition is one atomic event of the model. The machine around it only decides when an
//! event happens and carries the answers; `tests/exhaustive.rs` drives these same functions
//! through every reachable state of small rings.
//!
//! Deviation: the model pads a list that lost its head with the identifier after its last entry,
//! so that it always has r entries. Such a pad stands for nobody; here the list is one shorter
//! until the next stabilisation fills it. Cutting the pad off again (`butLast`) and keeping the
//! r entries from the front come to the same list.

use overlay::{Contact, Id};

/// Successors and predecessor of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ring {
    me: Contact,
    length: usize,
    successors: Vec<Contact>,
    predecessor: Option<Contact>,
}

/// What follows when the successor has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSuccessor {
    /// Its predecessor lies between: go on to stabilise from that one.
    AskPredecessor(Contact),
    /// Tell the successor that it is the successor.
    Notify(Contact),
    /// It is not the successor any more; nothing was changed.
    Stale,
}

/// What follows from a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterNotify {
    /// The notifying node is the predecessor now, or was already.
    Settled,
    /// Probe this predecessor; replace it only if it is dead.
    Probe(Contact),
}

impl Ring {
    /// A node that knows nobody, with room for `length` successors.
    #[must_use]
    pub fn alone(me: Contact, length: usize) -> Self {
        Self {
            me,
            length: length.max(1),
            successors: Vec::new(),
            predecessor: None,
        }
    }

    /// The given state. What does not fit (oneself, a duplicate, an entry out of ring order, more
    /// than `length` entries) is cut off.
    #[must_use]
    pub fn with(
        me: Contact,
        length: usize,
        successors: Vec<Contact>,
        predecessor: Option<Contact>,
    ) -> Self {
        let mut ring = Self::alone(me, length);
        ring.successors = successors;
        let (kept, mut last) = (ring.ordered_prefix(&ring.successors), ring.length);
        last = last.min(kept);
        ring.successors.truncate(last);
        ring.predecessor = predecessor.filter(|contact| contact.id != me.id);
        ring
    }

    /// **Join(j).** The state of `me` that joins right after `member`, whose successors are
    /// `list`: succ := m.succ, prdc := m. `None` when `me` does not belong there:
    /// `between(m, j, m.succ[0])` must hold.
    ///
    /// An old entry of `me` in the list (it crashed and comes back) is passed over. A member that
    /// is alone, or whose only successor is `me`, is the only successor itself.
    #[must_use]
    pub fn join(me: Contact, length: usize, member: Contact, list: &[Contact]) -> Option<Self> {
        let mut others: Vec<Contact> = list.iter().filter(|c| c.id != me.id).copied().collect();
        match others.first() {
            Some(first) if !me.id.is_between(member.id, first.id) => return None,
            Some(_) => {}
            None => others.push(member),
        }
        (member.id != me.id).then(|| Self::with(me, length, others, Some(member)))
    }

    /// **Stabilize from successor**, live: `successor` answered with its predecessor and list.
    /// `succ := [s] + s.succ` without its last. If between(n, s.prdc, s): stabilise from s.prdc
    /// next; else notify s.
    ///
    /// A successor with an empty list is in no ring yet (alone, or cut off): it is told about us
    /// and our list stays, so that it can find its place in it.
    pub fn from_successor(
        &mut self,
        successor: Contact,
        predecessor: Option<Contact>,
        list: &[Contact],
    ) -> AfterSuccessor {
        if self.first().map(|first| first.id) != Some(successor.id) {
            return AfterSuccessor::Stale;
        }
        if !list.is_empty() {
            self.successors = self.merged(successor, list);
        }
        match predecessor {
            Some(between) if between.id.is_between(self.me.id, successor.id) => {
                AfterSuccessor::AskPredecessor(between)
            }
            _ => AfterSuccessor::Notify(successor),
        }
    }

    /// **Stabilize from successor**, dead: drop it. Returns the new first successor, to notify.
    pub fn successor_dead(&mut self, dead: Id) -> Option<Contact> {
        if self.first().is_some_and(|first| first.id == dead) {
            self.successors.remove(0);
        }
        self.first()
    }

    /// Whether **stabilize from predecessor** may still run with `candidate`:
    /// `between(n, p, succ[0])` holds. A node without successors may take anybody.
    #[must_use]
    pub fn may_adopt(&self, candidate: Id) -> bool {
        let end = self.first().map_or(self.me.id, |first| first.id);
        candidate.is_between(self.me.id, end)
    }

    /// **Stabilize from predecessor**, live: `candidate` answered with its list.
    /// `succ := [p] + p.succ` without its last. Returns whom to notify.
    ///
    /// A candidate with an empty list is in no ring yet: it is notified, so that it joins, but
    /// not adopted, which would lose our list.
    pub fn from_predecessor(&mut self, candidate: Contact, list: &[Contact]) -> Option<Contact> {
        if !self.may_adopt(candidate.id) {
            return self.first();
        }
        if !list.is_empty() || self.successors.is_empty() {
            self.successors = self.merged(candidate, list);
        }
        Some(candidate)
    }

    /// **Rectify(n, q)**: `notifier` says that we are its successor. If between(prdc, q, n):
    /// prdc := q. Else prdc is to be probed.
    pub fn rectify(&mut self, notifier: Contact) -> AfterNotify {
        match self.predecessor {
            Some(known) if known.id == notifier.id => {
                self.predecessor = Some(notifier);
                AfterNotify::Settled
            }
            Some(known) if !notifier.id.is_between(known.id, self.me.id) => {
                AfterNotify::Probe(known)
            }
            _ if notifier.id == self.me.id => AfterNotify::Settled,
            _ => {
                self.predecessor = Some(notifier);
                AfterNotify::Settled
            }
        }
    }

    /// **Rectify(n, q)**, when the probed predecessor `dead` is dead: prdc := q.
    pub fn predecessor_dead(&mut self, dead: Id, notifier: Contact) {
        if self.predecessor.is_some_and(|known| known.id == dead) && notifier.id != self.me.id {
            self.predecessor = Some(notifier);
        }
    }

    /// A node without successors was notified by `notifier`, which then answered with `list`: it
    /// takes its place right after it, or else takes it for its successor.
    pub fn meet(&mut self, notifier: Contact, list: &[Contact]) {
        if !self.successors.is_empty() || notifier.id == self.me.id {
            return;
        }
        match Self::join(self.me, self.length, notifier, list) {
            Some(joined) => *self = joined,
            None => {
                self.successors = self.merged(notifier, list);
                self.predecessor = Some(notifier);
            }
        }
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.successors.clear();
        self.predecessor = None;
    }

    /// Spoils the order of the list: only a planted bug does that.
    pub(crate) fn swap_first(&mut self) {
        if self.successors.len() > 1 {
            self.successors.swap(0, 1);
        }
    }

    /// This node.
    #[must_use]
    pub const fn me(&self) -> Contact {
        self.me
    }

    /// The length r of a full successor list.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The successors, nearest first.
    #[must_use]
    pub fn successors(&self) -> &[Contact] {
        &self.successors
    }

    /// The direct successor.
    #[must_use]
    pub fn first(&self) -> Option<Contact> {
        self.successors.first().copied()
    }

    /// The predecessor, when known.
    #[must_use]
    pub const fn predecessor(&self) -> Option<Contact> {
        self.predecessor
    }

    /// Whether the list has all its r entries.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.successors.len() >= self.length
    }

    /// Whether `id` is the predecessor or among the successors.
    #[must_use]
    pub fn knows(&self, id: Id) -> bool {
        self.predecessor.is_some_and(|known| known.id == id)
            || self.successors.iter().any(|known| known.id == id)
    }

    /// `[head] + list`, cut to r entries, and cut where it comes round to this node: a list in a
    /// ring of at most r members ends there. Within the theorem nothing is cut but the last.
    fn merged(&self, head: Contact, list: &[Contact]) -> Vec<Contact> {
        let mut merged = Vec::with_capacity(self.length.min(1 + list.len()));
        merged.push(head);
        merged.extend(list.iter().take(self.length.saturating_sub(1)).copied());
        let kept = self.ordered_prefix(&merged);
        merged.truncate(kept);
        merged
    }

    /// How many entries from the front lie each farther clockwise than the one before.
    fn ordered_prefix(&self, list: &[Contact]) -> usize {
        let mut before = Id::ZERO;
        list.iter()
            .take_while(|contact| {
                let distance = self.me.id.distance_to(contact.id);
                let farther = distance > before;
                before = distance;
                farther
            })
            .count()
    }
}
