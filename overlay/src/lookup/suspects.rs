//! Peers that were silent a moment ago.

use crate::{Duration, Id, Time};
use std::collections::BTreeMap;

/// Most suspected peers. When it is full, those whose time is over go, then new ones are not
/// noted: suspicion saves time, it decides nothing.
const MAX_SUSPECTS: usize = 1_024;

/// Who is suspected, and until when.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects {
    until: BTreeMap<Id, Time>,
}

impl Suspects {
    /// Notes that a peer was silent.
    pub(super) fn add(&mut self, peer: Id, now: Time, span: Duration) {
        if span == Duration::ZERO {
            return;
        }
        if self.until.len() >= MAX_SUSPECTS {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() < MAX_SUSPECTS {
            self.until.insert(peer, now + span);
        }
    }

    /// Notes that a peer was heard.
    pub(super) fn clear(&mut self, peer: Id) {
        if !self.until.is_empty() {
            self.until.remove(&peer);
        }
    }

    /// Whether a peer is suspected now.
    pub(super) fn contains(&self, peer: Id, now: Time) -> bool {
        self.until.get(&peer).is_some_and(|until| *until > now)
    }
}
