//! Peers whose clock is too far ahead: refused, and reported.
//!
//! Whatever brings a version from a peer is checked here before it counts. A message with a version
//! beyond [`MAX_CLOCK_DRIFT_MS`](crate::clock::MAX_CLOCK_DRIFT_MS) is dropped, its sender is hung up
//! on with `Fault::ClockAhead` (the driver logs and counts that), and `status` shows how many there
//! were: on one node they point at a peer, on every peer's at this node's own clock being behind.
//! Only the list of versions in a comparison is not a reason to hang up: what is in it may be
//! older than the repair of a clock, and the rest of it is fine. It is counted all the same.

use crate::checks::items_fit;
use crate::clock::Clock;
use crate::{Dht, Store};
use overlay::{Contact, Cx, Fault, Hlc, Item, KeyRouter};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Whether a peer's clock value is believed; if not, the peer is refused.
    pub(crate) fn trusts(&mut self, cx: &mut Cx<'_, Self>, from: Contact, clock: Hlc) -> bool {
        let ahead_ms = clock.wall().0.saturating_sub(cx.wall.0);
        self.clock_ahead.observe(ahead_ms, cx.now);
        let trusted = Clock::believes(clock, cx.wall) || from.id == self.my().id;
        if !trusted {
            self.clocks_refused += 1;
            cx.hang_up(from, Fault::ClockAhead);
        }
        trusted
    }

    /// Whether a peer's records are within all bounds; if not, the peer is refused.
    pub(crate) fn takes(&mut self, cx: &mut Cx<'_, Self>, from: Contact, items: &[Item]) -> bool {
        let latest = items.iter().map(|item| item.record.version.clock).max();
        if !self.trusts(cx, from, latest.unwrap_or_default()) {
            return false;
        }
        let fits = items_fit(items, cx.wall);
        if !fits {
            cx.hang_up(from, Fault::OutOfBounds);
        }
        fits
    }
}
