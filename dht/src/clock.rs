//! The hybrid logical clock of one node, and the versions that it gives.

use crate::{Dht, Store};
use overlay::{Cx, Hlc, KeyRouter, Version, WallMs};

/// How far ahead of our wall clock a version may be. A peer whose clock is further off would push
/// the versions of everybody into its future; it is refused. One minute: far above what time
/// synchronisation leaves, far below what harms.
pub(crate) const MAX_CLOCK_DRIFT_MS: u64 = 60_000;

/// Gives versions that grow, and follows those of peers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Hlc,
}

impl Clock {
    /// A clock that goes on after a value that it gave in an earlier life, even when the wall
    /// clock was set back meanwhile.
    pub(crate) const fn after(last: Hlc) -> Self {
        Self { last }
    }

    /// A clock value after every one given, after `seen`, and not before the wall clock.
    pub(crate) fn next(&mut self, wall: WallMs, seen: Option<Hlc>) -> Hlc {
        self.last = self.last.max(seen.unwrap_or_default()).tick(wall);
        self.last
    }

    /// Follows a clock value that came from elsewhere, so that whatever is written here from now on
    /// is newer than what its writer had seen. One that is not believed is passed over.
    pub(crate) fn observe(&mut self, seen: Hlc, wall: WallMs) {
        if Self::believes(seen, wall) {
            self.last = self.last.max(seen);
        }
    }

    /// The latest clock value given or followed.
    pub(crate) const fn latest(&self) -> Hlc {
        self.last
    }

    /// Whether a peer's clock value is near enough to be believed.
    pub(crate) fn believes(clock: Hlc, wall: WallMs) -> bool {
        clock.wall().0 <= wall.0.saturating_add(MAX_CLOCK_DRIFT_MS)
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The next version of a record that this node writes as its root.
    pub(crate) fn next_version(&mut self, cx: &mut Cx<'_, Self>, after: Option<Hlc>) -> Version {
        let clock = self.clock.next(cx.wall, after);
        self.version(cx, clock)
    }

    /// The version of such a record at a clock value.
    pub(crate) fn version(&mut self, cx: &mut Cx<'_, Self>, clock: Hlc) -> Version {
        let number = self.draw_number(cx);
        Version::given(clock, self.my().id, number)
    }
}
