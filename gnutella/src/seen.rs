//! The table of GUIDs: what has been seen, and the way back of what answers it.

use crate::message::{Guid, MAX_HOSTS};
use overlay::{Contact, Duration, Id, Time};
use std::collections::{BTreeMap, VecDeque};

/// Most GUIDs that are remembered, the oldest forgotten first: half a minute of the most that eight
/// neighbours may send, in about 8 MiB.
pub const MAX_GUIDS: usize = 65_536;
/// How long a GUID is remembered: longer than any search lasts.
pub const GUID_LIFE: Duration = Duration::from_secs(60);
/// Most ways to nodes that hit, for Push.
pub const MAX_PUSH_ROUTES: usize = 16_384;
/// Neighbours that are remembered to have got a walker of one search.
const MAX_WALKED: usize = 32;

/// Where answers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// To this node's own search.
    Me,
    /// To this neighbour.
    Link(Id),
    /// To whom the query goes of whose plan it is a round.
    Round(Guid),
    /// Straight to who sent a walker out.
    Straight(Contact),
}

/// One GUID.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where answers go.
    pub(crate) back: Back,
    /// TTL and hops together when it was first seen.
    pub(crate) sum: u8,
    /// Pongs that may still be returned for it.
    pub(crate) pongs_left: u8,
    /// Whether this node has offered to keep a copy.
    pub(crate) offered: bool,
    /// Neighbours that walkers of it were sent to.
    pub(crate) walked: Vec<Id>,
}

/// The way to a node that hit: a neighbour, and the GUID under which that knows it.
pub(crate) type Way = (Id, Guid);

/// What has been seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    entries: BTreeMap<Guid, Entry>,
    order: VecDeque<(Time, Guid)>,
    /// Which way a node that hit is.
    push: BTreeMap<(Guid, Id), Way>,
    push_order: VecDeque<(Time, (Guid, Id))>,
}

impl Seen {
    /// What is known of a GUID.
    pub(crate) fn get(&self, guid: Guid) -> Option<&Entry> {
        self.entries.get(&guid)
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, guid: Guid) -> Option<&mut Entry> {
        self.entries.get_mut(&guid)
    }

    /// Remembers a GUID; false when it is known already.
    pub(crate) fn insert(&mut self, guid: Guid, back: Back, sum: u8, now: Time) -> bool {
        self.forget_old(now);
        if self.entries.contains_key(&guid) {
            return false;
        }
        while self.entries.len() >= MAX_GUIDS {
            let Some((_, oldest)) = self.order.pop_front() else {
                break;
            };
            self.entries.remove(&oldest);
        }
        let entry = Entry {
            back,
            sum,
            pongs_left: MAX_HOSTS as u8,
            offered: false,
            walked: Vec::new(),
        };
        self.entries.insert(guid, entry);
        self.order.push_back((now, guid));
        true
    }

    /// A node that hit is reached by way of a neighbour.
    pub(crate) fn note_way(&mut self, guid: Guid, node: Id, way: Way, now: Time) {
        let place = (guid, node);
        if self.push.insert(place, way).is_none() {
            self.push_order.push_back((now, place));
        }
        while self.push_order.len() > MAX_PUSH_ROUTES {
            if let Some((_, oldest)) = self.push_order.pop_front() {
                self.push.remove(&oldest);
            }
        }
    }

    /// The way to a node that hit.
    pub(crate) fn way(&self, guid: Guid, node: Id) -> Option<Way> {
        self.push.get(&(guid, node)).copied()
    }

    /// Forgets what is too old.
    pub(crate) fn forget_old(&mut self, now: Time) {
        let is_old = |at: Time| at + GUID_LIFE <= now;
        while self.order.front().is_some_and(|(at, _)| is_old(*at)) {
            if let Some((_, guid)) = self.order.pop_front() {
                self.entries.remove(&guid);
            }
        }
        while self.push_order.front().is_some_and(|(at, _)| is_old(*at)) {
            if let Some((_, place)) = self.push_order.pop_front() {
                self.push.remove(&place);
            }
        }
    }

    /// How many GUIDs and ways are remembered.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.push.len()
    }
}

impl Entry {
    /// A walker was sent to a neighbour.
    pub(crate) fn note_walked(&mut self, link: Id) {
        if self.walked.len() < MAX_WALKED && !self.walked.contains(&link) {
            self.walked.push(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guid(number: u32) -> Guid {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Guid(bytes)
    }

    #[test]
    fn a_guid_is_known_once_and_forgotten_in_time() {
        let mut seen = Seen::default();
        assert!(seen.insert(guid(1), Back::Me, 7, Time(0)));
        assert!(!seen.insert(guid(1), Back::Me, 7, Time(1)));
        let way = (Id::from_u64(2), guid(2));
        seen.note_way(guid(1), Id::from_u64(1), way, Time(1));
        assert_eq!(seen.way(guid(1), Id::from_u64(1)), Some(way));
        assert_eq!(seen.len(), 2);
        seen.forget_old(Time(1) + GUID_LIFE);
        assert_eq!(seen.len(), 0);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..MAX_GUIDS as u32 + 10 {
            seen.insert(guid(number), Back::Me, 7, Time(0));
            seen.note_way(guid(number), Id::ZERO, (Id::ZERO, guid(number)), Time(0));
        }
        assert_eq!(seen.len(), MAX_GUIDS + MAX_PUSH_ROUTES);
        assert!(seen.get(guid(0)).is_none());
    }
}
