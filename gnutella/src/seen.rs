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
/// Walkers of one search that are remembered: as many as a node may send out.
const MAX_WALKERS: usize = 64;

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
    /// Whether this node has answered it with hits, of which none was pushed yet.
    has_hit: bool,
    /// Neighbours that walkers of it were sent to.
    pub(crate) walked: Vec<Id>,
    /// The walkers of it that were here.
    walkers: Vec<Walked>,
}

/// A walker that was here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Walked {
    walker: u8,
    /// Steps that it had left when it came last, or when it went on.
    ttl: u16,
    /// The neighbour that it came from last.
    from: Option<Id>,
    /// The one that it was sent to then.
    to: Option<Id>,
}

/// What is known of a walker that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// It has fewer steps left than before, or was never here.
    Fewer,
    /// It has more than before: somebody on its way has given it some, or it is a copy.
    More,
    /// It has more than before on the same link.
    MoreOnLink,
}

/// The way to a node that hit: who told of it, itself maybe, and the GUID under which that knows it.
pub(crate) type Way = (Contact, Guid);

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
            has_hit: false,
            walked: Vec::new(),
            walkers: Vec::new(),
        };
        self.entries.insert(guid, entry);
        self.order.push_back((now, guid));
        true
    }

    /// This node has answered with hits.
    pub(crate) fn note_hit(&mut self, guid: Guid) {
        if let Some(entry) = self.entries.get_mut(&guid) {
            entry.has_hit = true;
        }
    }

    /// Whether this node has answered with hits, of which none was pushed yet. Asked once.
    pub(crate) fn take_hit(&mut self, guid: Guid) -> bool {
        let entry = self.entries.get_mut(&guid);
        entry.is_some_and(|entry| std::mem::take(&mut entry.has_hit))
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

    /// The way to a node that hit. It is gone once: who hits is asked to push once.
    pub(crate) fn take_way(&mut self, guid: Guid, node: Id) -> Option<Way> {
        self.push.remove(&(guid, node))
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
    /// A walker has come, with so many steps left. Each node takes one, so it never has as many
    /// again.
    pub(crate) fn walker_came(&mut self, walker: u8, ttl: u16, from: Id) -> Steps {
        let known = self.walkers.iter().find(|it| it.walker == walker);
        if let Some(known) = known.filter(|known| ttl > known.ttl) {
            // A copy of a message has as many as the message had.
            let is_copy = ttl == known.ttl.saturating_add(1);
            let again = known.from == Some(from) && !is_copy;
            return if again || known.to == Some(from) {
                Steps::MoreOnLink
            } else {
                Steps::More
            };
        }
        self.note_walker(Walked {
            walker,
            ttl,
            from: Some(from),
            to: None,
        });
        Steps::Fewer
    }

    /// A walker goes to a neighbour, with so many steps left.
    pub(crate) fn walker_goes(&mut self, walker: u8, ttl: u16, to: Id) {
        let known = self.walkers.iter().find(|it| it.walker == walker);
        let from = known.and_then(|known| known.from);
        let to = Some(to);
        self.note_walker(Walked {
            walker,
            ttl,
            from,
            to,
        });
    }

    fn note_walker(&mut self, note: Walked) {
        let mut all = self.walkers.iter_mut();
        if let Some(known) = all.find(|it| it.walker == note.walker) {
            *known = note;
        } else if self.walkers.len() < MAX_WALKERS {
            self.walkers.push(note);
        }
    }

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

    fn contact(number: u64) -> Contact {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000));
        let id = Id::from_u64(number);
        Contact { id, addr }
    }

    #[test]
    fn a_walker_never_has_more_steps_left_than_before() {
        let mut seen = Seen::default();
        seen.insert(guid(1), Back::Me, 0, Time(0));
        let entry = seen.get_mut(guid(1)).expect("an entry");
        let (one, other) = (Id::from_u64(1), Id::from_u64(2));
        assert_eq!(entry.walker_came(0, 9, one), Steps::Fewer);
        entry.walker_goes(0, 8, other);
        assert_eq!(entry.walker_came(1, 20, one), Steps::Fewer, "another one");
        assert_eq!(entry.walker_came(0, 9, one), Steps::More, "a copy");
        assert_eq!(entry.walker_came(0, 10, one), Steps::MoreOnLink);
        assert_eq!(entry.walker_came(0, 9, other), Steps::MoreOnLink);
        assert_eq!(entry.walker_came(0, 30, Id::from_u64(3)), Steps::More);
        assert_eq!(entry.walker_came(0, 7, other), Steps::Fewer);
        for walker in 0..200 {
            entry.walker_goes(walker, 1, one);
        }
        assert_eq!(entry.walkers.len(), MAX_WALKERS);
    }

    #[test]
    fn a_guid_is_known_once_and_forgotten_in_time() {
        let mut seen = Seen::default();
        assert!(seen.insert(guid(1), Back::Me, 7, Time(0)));
        assert!(!seen.insert(guid(1), Back::Me, 7, Time(1)));
        let way = (contact(2), guid(2));
        seen.note_way(guid(1), Id::from_u64(1), way, Time(1));
        assert_eq!(seen.len(), 2);
        assert_eq!(seen.take_way(guid(1), Id::from_u64(1)), Some(way));
        assert_eq!(seen.take_way(guid(1), Id::from_u64(1)), None);
        seen.note_way(guid(1), Id::from_u64(1), way, Time(1));
        seen.forget_old(Time(1) + GUID_LIFE);
        assert_eq!(seen.len(), 0);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..MAX_GUIDS as u32 + 10 {
            seen.insert(guid(number), Back::Me, 7, Time(0));
            seen.note_way(guid(number), Id::ZERO, (contact(0), guid(number)), Time(0));
        }
        assert_eq!(seen.len(), MAX_GUIDS + MAX_PUSH_ROUTES);
        assert!(seen.get(guid(0)).is_none());
    }
}
