//! Peers whose clock is too far ahead: refused, and reported.
//!
//! Whatever brings a version from a peer is checked here before it counts. A message with a version
//! beyond [`MAX_CLOCK_DRIFT_MS`](crate::clock::MAX_CLOCK_DRIFT_MS) is dropped, its sender is hung up
//! on with `Fault::ClockAhead` (the driver logs and counts that), and `status` shows how many there
//! were: on one node they point at a peer, on every peer's at this node's own clock being behind.
//! Only the list of versions in a comparison is not a reason to hang up: what is in it may be
//! older than the repair of a clock, and the rest of it is fine. It is counted all the same.
//!
//! What is within bounds is measured. A version from the future tells of a clock that is ahead. Most
//! versions are old, so that of clocks which are behind only those are known that write: the value
//! which an origin gives to a write is at least what its clock showed when it first sent it.

use crate::checks::items_fit;
use crate::clock::Clock;
use crate::message::Write;
use crate::{Dht, Store};
use overlay::{Contact, Cx, Fault, FurthestClock, Hlc, Item, KeyRouter, Time, WallMs};

/// The furthest clocks of late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    pub(crate) ahead: FurthestClock,
    pub(crate) behind: FurthestClock,
}

impl Clocks {
    /// This clock was told of, and shows the present; none of a clock that is right, or unknown.
    pub(crate) fn compare(&mut self, theirs: WallMs, wall: WallMs, now: Time) {
        self.ahead.observe(theirs.0.saturating_sub(wall.0), now);
        self.behind.observe(wall.0.saturating_sub(theirs.0), now);
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// An origin sends a write that this node has not heard of. One that did not come at its first
    /// try looks older than it is, by the few seconds after which it is sent again.
    pub(crate) fn compare_clocks(&mut self, cx: &Cx<'_, Self>, from: Contact, write: &Write) {
        // What is older comes too late to be written, however right its clock may be.
        if write.is_recent(cx.wall) && from.id != self.my().id {
            self.clocks.compare(write.clock.wall(), cx.wall, cx.now);
        }
    }

    /// Whether a peer's clock value is believed; if not, the peer is refused.
    pub(crate) fn trusts(&mut self, cx: &mut Cx<'_, Self>, from: Contact, clock: Hlc) -> bool {
        let ahead_ms = clock.wall().0.saturating_sub(cx.wall.0);
        self.clocks.ahead.observe(ahead_ms, cx.now);
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
