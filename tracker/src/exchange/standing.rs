//! What is known of one swarm.

use overlay::{Duration, Time};

/// What is known of one swarm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// When a lookup ended last.
    pub(super) looked_at: Option<Time>,
    pub(super) looking: bool,
    /// It is among those that are to be looked for before they are written.
    pub(super) waits: bool,
    /// The holder may be there: from the first write, whatever became of it, until it was removed.
    pub(super) listed: bool,
    /// When it may be written again.
    pub(super) not_before: Time,
    /// Writes that failed since one did not, up to a bound.
    pub(super) failures: u8,
    pub(super) writing: bool,
    /// Clients came or went since the last write began.
    pub(super) changed: bool,
    /// Clients came back since the last write began.
    pub(super) renewed: bool,
    /// When it is to be written; the same time is in the queue.
    pub(super) due: Option<Time>,
    /// It had [`LARGE`](super::LARGE) peers or more when somebody asked last.
    pub(super) large: bool,
    /// Nodes that had published at the last lookup.
    pub(super) publishers: usize,
}

impl Standing {
    pub(super) const NEW: Self = Self {
        looked_at: None,
        looking: false,
        waits: false,
        listed: false,
        not_before: Time::ZERO,
        failures: 0,
        writing: false,
        changed: false,
        renewed: false,
        due: None,
        large: false,
        publishers: 0,
    };

    /// Whether it is of use: it is published or is to be, or was looked for less than `keep` ago.
    pub(super) fn is_kept(&self, now: Time, keep: Duration) -> bool {
        let busy = self.looking || self.waits || self.writing || self.due.is_some();
        let recent = self.looked_at.is_some_and(|at| now.since(at) < keep);
        busy || recent || self.listed
    }
}
