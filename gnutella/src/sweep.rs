//! Records that have ended are dropped, some each second.

use crate::node::Gnutella;
use overlay::{Cx, Id, Meta, Slot, Store, WallMs};

/// Records that are looked at in one second: a million in 17 minutes, at a cost nobody notices.
const PAGE: usize = 1_000;
/// How long a tombstone is kept: a day. A copy that was away for longer brings a deleted record
/// back.
const GRACE_S: u64 = 24 * 3_600;
/// How long a record is kept after its end, for the clocks of nodes differ.
const ENDED_S: u64 = 120;

fn is_garbage(meta: &Meta, wall: WallMs) -> bool {
    if meta.is_tombstone() {
        return meta.version.clock.wall().plus_secs(GRACE_S) < wall;
    }
    meta.expires
        .is_some_and(|end| end.plus_secs(ENDED_S) < wall)
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn sweep(&mut self, cx: &mut Cx<'_, Self>) {
        let mut ended: Vec<(Id, Slot)> = Vec::new();
        let (mut seen, mut last) = (0, None);
        let whole = overlay::Arc::whole(Id::MAX);
        self.store.range(whole, self.swept, &mut |key, slot, meta| {
            seen += 1;
            last = Some((key, slot));
            if is_garbage(meta, cx.wall) {
                ended.push((key, slot));
            }
            seen < PAGE
        });
        self.swept = if seen < PAGE { None } else { last };
        for (key, slot) in ended {
            self.store.remove(key, slot);
            self.index.remove((key, slot));
            self.copies.remove(&(key, slot));
            self.published.is_stale = true;
        }
    }

    /// The positions of all keys in a query routing table. Deleted ones count, so that a search
    /// hears of the deletion.
    pub(crate) fn add_key_positions(&self, positions: &mut Vec<u32>) {
        let whole = overlay::Arc::whole(Id::MAX);
        self.store.range(whole, None, &mut |key, _, _| {
            positions.push(crate::routes::key_position(key));
            true
        });
    }
}
