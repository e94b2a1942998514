//! What one neighbour may ask for: a token bucket for each kind of message (some kinds share one, see
//! [`Kind`]), and what happens to those that take more.
//!
//! A node of good will keeps to the same rates when it forwards, fairly between the neighbours
//! whose queries it carries: so nobody is punished for what others sent, and one flooding neighbour
//! takes at most its share of each link.

use overlay::{Duration, Time};

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm
/// of ATM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full_at: Time,
}

/// A rate and how much may come at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Tokens a second.
    pub(crate) per_s: u64,
    /// Tokens in a full bucket.
    pub(crate) burst: u64,
}

impl Rate {
    const fn interval(self) -> u64 {
        let rate = if self.per_s == 0 { 1 } else { self.per_s };
        1_000_000 / rate
    }

    /// The same in equal shares.
    pub(crate) const fn shared(self, among: usize) -> Self {
        let among = if among == 0 { 1 } else { among as u64 };
        Self {
            per_s: self.per_s / among + 1,
            burst: self.burst / among + 1,
        }
    }
}

impl Bucket {
    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Time, rate: Rate) -> bool {
        let full_at = self.full_at.max(now);
        let missing = full_at.since(now).0;
        if missing + rate.interval() > rate.burst * rate.interval() {
            return false;
        }
        self.full_at = full_at + Duration(rate.interval());
        true
    }

    /// How many tokens there are.
    pub(crate) fn left(&self, now: Time, rate: Rate) -> u64 {
        let missing = self.full_at.since(now).0.div_ceil(rate.interval());
        rate.burst.saturating_sub(missing)
    }

    /// Takes so many tokens, whether there are as many or not.
    pub(crate) fn spend(&mut self, now: Time, rate: Rate, tokens: u64) {
        let spent = Duration(tokens.saturating_mul(rate.interval()));
        self.full_at = self.full_at.max(now) + spent;
    }

    /// Whether less than half is left.
    pub(crate) fn is_low(&self, now: Time, rate: Rate) -> bool {
        self.full_at.since(now).0 > rate.burst * rate.interval() / 2
    }

    /// Whether nothing was taken for so long that it is full.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        self.full_at <= now
    }
}

/// The kinds of messages that have a bucket each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Queries.
    Query,
    /// Steps of walkers.
    Walk,
    /// Pings and pongs.
    Ping,
    /// Hits and echoes: answers to what this node sent or passed on.
    Answer,
    /// Bodies that are to be pushed.
    Push,
    /// Bodies that are asked for.
    Fetch,
    /// Everything else: copies, tables, links, hand-overs.
    Other,
}

/// How many kinds there are.
const KINDS: usize = 7;

impl Kind {
    /// What one neighbour may send of it.
    ///
    /// Queries: 2,000 a second are what a network of some nodes on one machine can carry at all,
    /// and a fifth of what is called an attack. Answers: each query that this node sends on a link may
    /// bring an echo and some hits. Pings: one each 10 s, and bursts of newcomers. Fetches: one for each
    /// get, which is a query as well. Pushes: one for each get whose dial failed, and a megabyte each.
    pub(crate) const fn rate(self) -> Rate {
        let (per_s, burst) = match self {
            Self::Query => (2_000, 2_000),
            Self::Walk => (4_000, 4_000),
            Self::Ping => (20, 100),
            Self::Push => (100, 200),
            Self::Fetch => (2_000, 2_000),
            Self::Answer => (8_000, 16_000),
            Self::Other => (4_000, 8_000),
        };
        Rate { per_s, burst }
    }
}

/// Messages beyond the rate that are dropped in silence before the link ends: some may be on their
/// way in bursts.
const OVER: Rate = Rate {
    per_s: 50,
    burst: 500,
};
/// Wrong messages before the link ends. A network that copies messages, or a ping that crosses a
/// change of links, makes some.
const WRONG: Rate = Rate {
    per_s: 1,
    burst: 64,
};

/// Texts that are looked at for the queries of one neighbour: a twentieth of a core, where a text takes
/// half a microsecond. Its queries beyond that look at [`FEW_LOOKS`] each, and say so.
const LOOKS: Rate = Rate {
    per_s: 100_000,
    burst: 100_000,
};
/// Walkers of one neighbour whose origins are told what they found: nobody but the first node knows
/// whether a walker comes from whom it names, and so a liar can have no more than that sent to
/// somebody else.
const STRAIGHT: Rate = Rate {
    per_s: 200,
    burst: 1_000,
};
/// Texts that are looked at for any query: as many as a query for one rare word needs.
const FEW_LOOKS: u64 = 32;

/// What one neighbour has taken and done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conduct {
    taken: [Bucket; KINDS],
    over: Bucket,
    wrong: Bucket,
    /// Texts that were looked at for its queries.
    looks: Bucket,
    /// Walkers whose origin was told what they found here.
    straight: Bucket,
    /// What its messages took of links that are short.
    shares: [Bucket; KINDS],
    /// What was sent to it.
    sent: [Bucket; KINDS],
    /// Messages that were dropped.
    pub(crate) dropped: u64,
    /// Messages that were wrong.
    pub(crate) misdeeds: u64,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Handle it.
    Take,
    /// Drop it.
    Drop,
    /// End the link.
    End,
}

impl Conduct {
    /// A message of this kind came.
    pub(crate) fn came(&mut self, kind: Kind, now: Time) -> Ruling {
        if self.taken[kind as usize].take(now, kind.rate()) {
            return Ruling::Take;
        }
        self.dropped += 1;
        if self.over.take(now, OVER) {
            Ruling::Drop
        } else {
            Ruling::End
        }
    }

    /// A message was wrong.
    pub(crate) fn was_wrong(&mut self, now: Time) -> Ruling {
        self.misdeeds += 1;
        if self.wrong.take(now, WRONG) {
            Ruling::Drop
        } else {
            Ruling::End
        }
    }

    /// Whether it has taken no more than its share of what so many neighbours may have sent on.
    pub(crate) fn has_share(&mut self, kind: Kind, among: usize, now: Time) -> bool {
        self.shares[kind as usize].take(now, kind.rate().shared(among))
    }

    /// Whether one more may be sent to it: always while there is plenty of room, and within one's
    /// share when there is not.
    pub(crate) fn has_room(&self, kind: Kind, fair: bool, now: Time) -> bool {
        let (sent, rate) = (&self.sent[kind as usize], kind.rate());
        (fair || !sent.is_low(now, rate)) && sent.left(now, rate) > 0
    }

    /// The same, and it is sent.
    pub(crate) fn may_send(&mut self, kind: Kind, fair: bool, now: Time) -> bool {
        self.has_room(kind, fair, now) && self.sent[kind as usize].take(now, kind.rate())
    }

    /// Whether what one more of its walkers found may be told to whom that names as its origin.
    pub(crate) fn may_tell(&mut self, now: Time) -> bool {
        self.straight.take(now, STRAIGHT)
    }

    /// Texts that may be looked at for a query of it.
    pub(crate) fn looks(&self, now: Time) -> usize {
        let most = crate::index::MAX_LOOKED as u64;
        self.looks.left(now, LOOKS).clamp(FEW_LOOKS, most) as usize
    }

    /// So many texts were.
    pub(crate) fn has_looked(&mut self, now: Time, texts: usize) {
        self.looks.spend(now, LOOKS, texts as u64);
    }

    /// Whether nothing is held against it.
    pub(crate) fn is_clean(&self, now: Time) -> bool {
        self.taken.iter().all(|bucket| bucket.is_full(now))
            && self.over.is_full(now)
            && self.wrong.is_full(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate {
            per_s: 10,
            burst: 5,
        };
        let mut bucket = Bucket::default();
        let taken = (0..20).filter(|_| bucket.take(Time(0), rate)).count();
        assert_eq!(taken, 5);
        assert!(bucket.is_low(Time(0), rate));
        let later = Time(1_000_000);
        let taken = (0..20).filter(|_| bucket.take(later, rate)).count();
        assert_eq!(taken, 5, "it is not fuller than full");
        let taken = (0..100)
            .filter(|step| bucket.take(later + Duration(step * 10_000), rate))
            .count();
        assert_eq!(taken, 9, "ten a second");
    }

    #[test]
    fn ten_thousand_a_second_end_the_link_within_a_second() {
        let mut conduct = Conduct::default();
        let ended = (0..10_000_u64)
            .find(|at| conduct.came(Kind::Query, Time(at * 100)) == Ruling::End)
            .expect("an end");
        assert!(ended < 4_000, "only after {ended}");
    }

    #[test]
    fn who_keeps_the_rate_is_never_dropped() {
        let mut conduct = Conduct::default();
        for at in 0..10_000_u64 {
            assert_eq!(conduct.came(Kind::Query, Time(at * 2_000)), Ruling::Take);
        }
    }
}
