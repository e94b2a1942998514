//! What is counted in a swarm.

use super::family::Tally;

/// How many there are in a swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients that have everything.
    pub complete: u64,
    /// Clients that have not.
    pub incomplete: u64,
    /// Those of them that want more (BEP 21).
    pub downloaders: u64,
    /// How often somebody became complete.
    pub downloaded: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            complete: self.complete.saturating_add(other.complete),
            incomplete: self.incomplete.saturating_add(other.incomplete),
            downloaders: self.downloaders.saturating_add(other.downloaders),
            downloaded: self.downloaded.saturating_add(other.downloaded),
        }
    }

    /// These without those of `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            complete: self.complete.saturating_sub(other.complete),
            incomplete: self.incomplete.saturating_sub(other.incomplete),
            downloaders: self.downloaders.saturating_sub(other.downloaders),
            downloaded: self.downloaded.saturating_sub(other.downloaded),
        }
    }

    /// At most so many clients of each kind, and no more that want more than have not everything.
    #[must_use]
    pub fn at_most(self, clients: u64) -> Self {
        let incomplete = self.incomplete.min(clients);
        Self {
            complete: self.complete.min(clients),
            incomplete,
            downloaders: self.downloaders.min(incomplete),
            downloaded: self.downloaded,
        }
    }

    pub(super) const fn of(tally: Tally) -> Self {
        Self {
            complete: tally.seeds as u64,
            incomplete: tally.others as u64,
            downloaders: tally.others.saturating_sub(tally.paused) as u64,
            downloaded: 0,
        }
    }
}
