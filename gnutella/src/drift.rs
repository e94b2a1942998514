//! Clocks of others, as far as records say something of them.
//!
//! A version has the clock of whoever wrote the record, and it may be of any age: one from the future
//! tells of a clock that is ahead, none of one that is behind. What is too far ahead is out of bounds
//! (`checks`), and counted.

use crate::checks::MAX_CLOCK_DRIFT_MS;
use crate::node::Gnutella;
use overlay::{Cx, Item, Store, Version};

impl<S: Store> Gnutella<S> {
    /// A peer tells of a record with this version.
    pub(crate) fn hear_clock(&mut self, cx: &Cx<'_, Self>, version: Version) {
        let ahead_ms = version.clock.wall().0.saturating_sub(cx.wall.0);
        self.clock_ahead.observe(ahead_ms, cx.now);
        self.clocks_refused += u64::from(ahead_ms > MAX_CLOCK_DRIFT_MS);
    }

    /// A peer brings records.
    pub(crate) fn hear_clocks(&mut self, cx: &Cx<'_, Self>, items: &[Item]) {
        let versions = items.iter().map(|item| item.record.version);
        if let Some(latest) = versions.max_by_key(|version| version.clock) {
            self.hear_clock(cx, latest);
        }
    }
}
