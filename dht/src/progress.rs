//! What is said of the records that move in the background: how many, whereto, how fast, and what
//! they wait for.
//!
//! A comparison learns bit by bit how much differs. While ranges are divided, what one side has
//! more than the other counts as known; once versions were exchanged, every record does. So the
//! number of records to be moved grows, and is exact when the last range has been looked at.

use crate::member::Member;
use crate::parked::Parked;
use crate::sync::{Stage, Walk};
use crate::view::View;
use crate::{Dht, Store};
use overlay::{KeyRouter, MAX_MOVEMENTS, Movement, Purpose, Time, WaitsFor};

/// How much was moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    records: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) const fn add(&mut self, records: u64, bytes: u64) {
        self.records = self.records.saturating_add(records);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes a second since `began`.
    pub(crate) fn rate(&self, began: Time, now: Time) -> u64 {
        let elapsed_us = u128::from(now.since(began).as_micros().max(1));
        let rate = u128::from(self.bytes) * 1_000_000 / elapsed_us;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

impl Walk {
    /// Records that are to be moved as far as is known, and were not yet.
    fn left(&self) -> u64 {
        let queued = (self.push.len() + self.want.len()) as u64;
        let ranges = self.asked.iter().chain(&self.pending);
        ranges.fold(queued, |sum, range| sum.saturating_add(range.gap))
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// What is being moved, and what is to be.
    pub(crate) fn movements(&self) -> Vec<Movement> {
        let mut all: Vec<Movement> = self.stray_movement().into_iter().collect();
        for view in &self.views {
            let members = view.members.iter();
            all.extend(members.filter_map(|member| self.movement(view, member)));
            let waits = view.has_no_better_source() && !view.is_complete();
            if waits && view.members.iter().all(|member| member.walk.is_none()) {
                all.push(Movement {
                    waits_for: WaitsFor::Testimony,
                    ..self.nothing_yet(view)
                });
            }
        }
        all.extend(self.waits_for_roots());
        all.truncate(MAX_MOVEMENTS);
        all
    }

    /// What moves between this root and one other node.
    fn movement(&self, view: &View, member: &Member) -> Option<Movement> {
        let begun = Movement {
            peer: Some(member.contact),
            ..self.nothing_yet(view)
        };
        let Some(walk) = &member.walk else {
            // A root that waits for others' testimony says so once.
            let waits = member.replica && !member.covered && view.is_complete();
            return (waits || member.no_room.is_some()).then(|| Movement {
                waits_for: member.no_room.unwrap_or(begun.waits_for),
                ..begun
            });
        };
        let (moved, left) = (walk.tally.records, walk.left());
        if moved + left == 0 && member.covered {
            return None;
        }
        let on_disk = |parked: &Parked| matches!(parked, Parked::Walk { with, req } if *req == walk.req && with.id == member.contact.id);
        let waits_for = match walk.stage {
            Stage::Pause => WaitsFor::Pace,
            Stage::Items if self.parked.values().any(on_disk) => WaitsFor::Disk,
            Stage::Ranges | Stage::Items | Stage::Done => WaitsFor::Peer,
        };
        Some(Movement {
            records: moved.saturating_add(left),
            moved,
            bytes: walk.tally.bytes,
            bytes_per_s: walk.tally.rate(walk.began, self.seen),
            waits_for,
            ..begun
        })
    }

    /// A movement in an arc of this root that has not begun.
    fn nothing_yet(&self, view: &View) -> Movement {
        let purpose = match (view.is_complete(), self.leaving.is_some()) {
            (false, _) => Purpose::TakeOver,
            (true, true) => Purpose::HandOver,
            (true, false) => Purpose::Repair,
        };
        Movement {
            purpose,
            peer: None,
            arc: Some(view.arc),
            records: 0,
            moved: 0,
            bytes: 0,
            bytes_per_s: 0,
            waits_for: WaitsFor::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bytes_by_time_and_never_divides_by_nothing() {
        let mut tally = Tally::default();
        tally.add(3, 1_000);
        assert_eq!(tally.rate(Time(0), Time(500_000)), 2_000);
        assert_eq!(tally.rate(Time(7), Time(7)), 1_000_000_000);
        assert_eq!((tally.records(), tally.bytes()), (3, 1_000));
    }
}
