//! When the network was in what state: some promises hold in good weather only.

use overlay::{Duration, Time};

/// What has troubled the network, and since when nothing does.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// Times in which a partition made live nodes look dead to each other, from its beginning
    /// until the ring was whole and every replica set complete again.
    splits: Vec<(Time, Option<Time>)>,
    /// Since when the ring is whole, every replica set complete, and nobody comes or goes.
    calm_since: Option<Time>,
    /// When that was last the case.
    whole_at: Option<Time>,
    /// Since when no node or disk is slow and no storm blows; none while one is.
    quiet_since: Option<Time>,
    /// Since when the network was found whole at every look.
    steady_since: Option<Time>,
}

/// After this time of a partition each side takes the other for lost, as shipped.
const PRESUMED_LOST: Duration = Duration::from_secs(600);

impl Weather {
    /// A partition or a block begins.
    pub fn split(&mut self, now: Time) {
        self.troubled();
        if !self.is_split() {
            self.splits.push((now, None));
        }
    }

    /// Somebody comes or goes, or a pointer changed.
    pub const fn troubled(&mut self) {
        self.calm_since = None;
    }

    /// A storm, or trouble of a node or a disk, begins.
    pub const fn spell(&mut self) {
        self.quiet_since = None;
    }

    /// It is over.
    pub fn spell_ended(&mut self, now: Time) {
        self.quiet_since.get_or_insert(now);
    }

    /// What a look has found. When nobody came or went, and yet the network is not whole, somebody is
    /// wrongly taken for dead, or a root proves again that it holds everything.
    pub fn found(&mut self, is_settled: bool, now: Time) {
        if is_settled {
            self.settled(now);
        } else {
            self.steady_since = None;
        }
    }

    /// Whether it was calm, the network whole at every look, and there was no such trouble, from
    /// `began` until now.
    #[must_use]
    pub fn is_quiet_since(&self, began: Time) -> bool {
        let all = [self.quiet_since, self.steady_since];
        self.is_calm_since(began)
            && all
                .iter()
                .all(|since| since.is_some_and(|since| since <= began))
    }

    /// The ring is whole and every replica set complete, and no partition is in force.
    pub fn settled(&mut self, now: Time) {
        if let Some((_, end)) = self.splits.last_mut() {
            end.get_or_insert(now);
        }
        self.calm_since.get_or_insert(now);
        self.whole_at = Some(now);
        self.steady_since.get_or_insert(now);
    }

    /// Whether the ring was whole, and every replica set complete, at some time in `from..=to`.
    #[must_use]
    pub fn was_whole(&self, from: Time, to: Time) -> bool {
        self.whole_at.is_some_and(|at| from <= at && at <= to)
    }

    /// Whether a partition is in force, or not all of its consequences are repaired.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.splits.last().is_some_and(|(_, end)| end.is_none())
    }

    /// Whether it was calm from `began` until now.
    #[must_use]
    pub fn is_calm_since(&self, began: Time) -> bool {
        self.calm_since.is_some_and(|since| since <= began)
    }

    /// Whether at some time in `from..=to` a partition was so old that each side may have taken the
    /// other for lost.
    #[must_use]
    pub fn was_presumed_lost(&self, from: Time, to: Time) -> bool {
        self.splits
            .iter()
            .any(|(start, end)| *start + PRESUMED_LOST <= to && end.is_none_or(|end| from <= end))
    }

    /// Whether a partition, or the time until its repair, overlaps `from..=to`.
    #[must_use]
    pub fn was_split(&self, from: Time, to: Time) -> bool {
        self.splits
            .iter()
            .any(|(start, end)| *start <= to && end.is_none_or(|end| from <= end))
    }
}
