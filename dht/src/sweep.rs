//! Removing what has ended: tombstones and ended values past the grace period, ended leases.

use crate::checks::is_garbage;
use crate::machine::Due;
use crate::{Dht, Position, Store};
use overlay::{Arc, Cx, Duration, Id, KeyRouter};

/// The time between two steps of the sweep.
const STEP: Duration = Duration::from_secs(30);
/// Records that one step looks at: a store of a million is swept every eight hours or so, which
/// suits a grace period of a day, and a step takes about a millisecond.
const STEP_RECORDS: usize = 1_000;
/// The time to the next step when the last one found much: ended leases come in crowds.
const STEP_BUSY: Duration = Duration::from_secs(1);

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn start_sweeping(&mut self, cx: &Cx<'_, Self>) {
        if !self.sweeping {
            self.sweeping = true;
            self.deadlines.set(Due::Sweep, cx.now + STEP);
        }
    }

    pub(crate) fn sweep_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.covers.expire(cx.now) {
            self.strays_changed(cx);
        }
        let (wall, grace_s) = (cx.wall, self.config.tombstone_grace_s);
        let (mut ended, mut looked, mut last) = (Vec::new(), 0, None);
        self.store
            .range(Arc::whole(Id::MAX), self.swept, &mut |key, slot, record| {
                looked += 1;
                last = Some((key, slot));
                if is_garbage(slot, record, wall, grace_s) {
                    ended.push((key, slot));
                }
                looked < STEP_RECORDS
            });
        let busy = ended.len() > STEP_RECORDS / 4;
        for position in ended {
            self.remove_ended(position);
        }
        self.swept = if looked < STEP_RECORDS { None } else { last };
        self.deadlines
            .set(Due::Sweep, cx.now + if busy { STEP_BUSY } else { STEP });
    }

    /// A root keeps a tombstone while some replica may have missed it.
    fn remove_ended(&mut self, (key, slot): Position) {
        let view = self.views.iter().find(|view| view.arc.contains(key));
        if view.is_none_or(crate::view::View::is_settled) {
            self.store.remove(key, slot);
        }
    }
}
