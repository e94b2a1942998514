//! Peers chosen by how near they are: what every table does that may choose among many.
//!
//! A slot of a routing table (Pastry) or a part of the circle (a finger of Chord) may hold any of
//! many nodes; the nearest by round-trip time is taken (Rowstron and Druschel, Middleware 2001,
//! section 2.5; Dabek et al., NSDI 2004). Nobody measures them all. A slot holds the nearest of
//! those that were met so far, and better ones are looked for often while some are found, and
//! seldom while none are.

use crate::{Contact, Duration, Time};

/// A candidate takes a slot over only when it is nearer by this many hundredths: round trips vary,
/// and each exchange costs the others probes.
pub const NEARER_PERCENT: u64 = 10;

/// Of a measurement above what is known, this part of the difference is believed: a queue on the way
/// is soon over, a longer way is not. After eight measurements nine tenths of a change are learnt.
const BELIEVED_OF_WORSE: u64 = 4;

/// How far two nodes of a network that is built are from each other, by their indices.
pub type Distance<'a> = &'a dyn Fn(usize, usize) -> Duration;

/// Whoever holds a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Who.
    pub contact: Contact,
    /// The round trip, by [`following`]; none when it was never measured.
    pub rtt: Option<Duration>,
    /// When it gave the last sign of life.
    pub heard: Time,
}

impl Nearest {
    /// The first that was met for a slot.
    #[must_use]
    pub const fn new(contact: Contact, rtt: Option<Duration>, heard: Time) -> Self {
        Self {
            contact,
            rtt,
            heard,
        }
    }

    /// Offers a node that was heard at `now`. It takes the slot when it is nearer. Says whether
    /// another node has the slot now.
    pub fn offer(&mut self, contact: Contact, rtt: Option<Duration>, now: Time) -> bool {
        if self.contact.id == contact.id {
            self.contact = contact;
            self.heard(rtt, now);
            return false;
        }
        let is_taken = is_nearer(rtt, self.rtt);
        if is_taken {
            *self = Self::new(contact, rtt, now);
        }
        is_taken
    }

    /// Notes a sign of life, and its round trip.
    pub fn heard(&mut self, rtt: Option<Duration>, now: Time) {
        self.heard = now;
        self.rtt = match (self.rtt, rtt) {
            (Some(known), Some(new)) => Some(following(known, new)),
            (known, new) => known.or(new),
        };
    }
}

/// What a round trip is taken for that was `known` and now is measured as `new`: a shorter one is
/// believed at once, a longer one by and by, so that a way that has become longer is noticed.
#[must_use]
pub const fn following(known: Duration, new: Duration) -> Duration {
    match new.0.checked_sub(known.0) {
        Some(more) => Duration(known.0 + more.div_ceil(BELIEVED_OF_WORSE)),
        None => new,
    }
}

/// Whether somebody is nearer by enough to be exchanged for.
fn is_nearer(new: Option<Duration>, old: Option<Duration>) -> bool {
    match (new, old) {
        (Some(_), None) => true,
        (Some(new), Some(old)) => new.0 * 100 < old.0 * (100 - NEARER_PERCENT),
        (None, _) => false,
    }
}

/// When to look for nearer peers: sooner after some were found, later after none were.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    last: Time,
    pause: Duration,
    found: bool,
}

impl Search {
    /// The first search is due `pause` after the driver's start.
    #[must_use]
    pub const fn new(pause: Duration) -> Self {
        Self {
            last: Time::ZERO,
            pause,
            found: false,
        }
    }

    /// Notes that a slot has a nearer peer now.
    pub const fn found(&mut self) {
        self.found = true;
    }

    /// Whether a search is due; then it counts as begun, and the pause until the next one is half as
    /// long when something was found since the last one, and twice as long when not.
    pub fn is_due(&mut self, now: Time, (shortest, longest): (Duration, Duration)) -> bool {
        if now.since(self.last) < self.pause {
            return false;
        }
        let pause = if std::mem::take(&mut self.found) {
            Duration(self.pause.0 / 2)
        } else {
            self.pause.times(2)
        };
        self.pause = pause.clamp(shortest, longest);
        self.last = now;
        true
    }
}

/// `most` of the `count` nodes that fit a slot, evenly spread from the one at `start`: the
/// alternates that a node of a network that is built has met.
pub fn spread(start: usize, count: usize, most: usize) -> impl Iterator<Item = usize> {
    let tried = most.min(count);
    let stride = count.checked_div(tried).unwrap_or(1).max(1);
    (0..tried).map(move |step| (start + step * stride) % count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;

    fn contact(number: u64) -> Contact {
        Contact {
            id: Id::from_u64(number),
            addr: ([127, 0, 0, 1], 1).into(),
        }
    }

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn the_nearer_node_takes_the_slot() {
        let mut slot = Nearest::new(contact(1), None, Time(1));
        assert!(
            !slot.offer(contact(2), None, Time(2)),
            "nothing says that it is nearer"
        );
        assert!(slot.offer(contact(2), ms(50), Time(3)));
        assert!(!slot.offer(contact(3), ms(48), Time(4)), "hardly nearer");
        assert!(slot.offer(contact(3), ms(20), Time(5)));
        assert!(!slot.offer(contact(3), ms(20), Time(6)), "the same");
        assert_eq!(slot, Nearest::new(contact(3), ms(20), Time(6)));
    }

    #[test]
    fn a_way_that_becomes_longer_is_noticed() {
        let mut slot = Nearest::new(contact(1), ms(20), Time(0));
        slot.heard(ms(120), Time(1));
        assert_eq!(slot.rtt, ms(45), "once may be a queue");
        assert!(!slot.offer(contact(2), ms(60), Time(2)));
        for step in 2..10 {
            slot.heard(ms(120), Time(step));
        }
        assert!(slot.offer(contact(2), ms(60), Time(10)), "{slot:?}");
        slot.heard(ms(50), Time(11));
        assert_eq!(slot.rtt, ms(50), "a shorter one is believed at once");
    }

    #[test]
    fn a_search_that_finds_nothing_is_repeated_later() {
        let second = Duration::from_secs(1);
        let bounds = (second, second.times(4));
        let mut search = Search::new(second);
        let mut due = |now: u64, found: bool| {
            if found {
                search.found();
            }
            search.is_due(Time(now * 1_000_000), bounds)
        };
        assert!(due(1, false));
        assert!(!due(2, false) && due(3, false), "two seconds later");
        assert!(
            !due(6, false) && due(7, true),
            "four, but something was found"
        );
        assert!(due(9, false), "so two again");
        assert!(
            !due(12, false) && due(13, false) && due(17, false),
            "at most four"
        );
    }

    #[test]
    fn alternates_are_spread_over_all_that_fit() {
        assert_eq!(spread(3, 8, 4).collect::<Vec<_>>(), [3, 5, 7, 1]);
        assert_eq!(spread(0, 2, 4).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(spread(0, 0, 4).count(), 0);
    }
}
