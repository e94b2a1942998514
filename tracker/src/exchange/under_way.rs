//! How full the tables of the exchange are.

use super::{Exchange, MAX_LOOKUPS, MAX_PUBLISHED, MAX_WRITES};
use overlay::UnderWay;

impl Exchange {
    /// What it has under way, and what it keeps in the overlay.
    #[must_use]
    pub const fn under_way(&self) -> [UnderWay; 3] {
        [
            UnderWay::of("lookups", self.budget.under_way(), MAX_LOOKUPS),
            UnderWay::of("writes", self.writes, MAX_WRITES),
            UnderWay::of("published", self.listed, MAX_PUBLISHED),
        ]
    }
}
