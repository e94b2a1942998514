//! The tracker of one node, as its process has it: the machine that ships, and what waits for it.

use overlay::{Duration, OpId, Reply, Request, Time};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sim::{Clock, Dice};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use tracker::choice::Offer;
use tracker::limits::Rate;
use tracker::sharing::{About, Begun, Clocks, Sharing};
use tracker::table::Bounds;
use tracker::{Announce, Answer, Config, Entered, Families, Refusal, Scope, Tracker};

/// A mistake that trackers are given, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// They list clients for twice as long as they should.
    ListsTooLong,
    /// They look for a swarm once, and never again.
    LooksOnce,
    /// They take whoever has just completed for somebody who only comes back.
    CountsNoDownloads,
    /// They publish nothing.
    PublishesNothing,
}

impl Bug {
    /// Whether a call is not made.
    pub(super) fn swallows(self, request: &Request) -> bool {
        self == Self::PublishesNothing && matches!(request, Request::Insert { .. })
    }
}

/// Who waits for an answer: a client, or the judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Client(u32),
    /// A client that waits for what another node answers.
    ClientElsewhere(u32),
    Judge(u32),
}

/// A question that waits for the end of a lookup.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    asker: Asker,
    entered: Entered,
}

/// What somebody is told.
pub(super) struct Told {
    pub(super) asker: Asker,
    pub(super) answer: Answer,
    pub(super) peers: Vec<SocketAddr>,
}

/// A tracker.
pub(super) struct Desk {
    sharing: Sharing,
    rng: ChaCha8Rng,
    clock: Clock,
    calls: BTreeMap<OpId, About>,
    waiting: BTreeMap<u64, Waiting>,
    last_waiting: u64,
    /// When it is to be asked for calls next, as far as that is planned.
    pub(super) planned: Option<Time>,
    offer: Offer,
}

impl Desk {
    pub(super) fn new(
        config: Config,
        me: SocketAddr,
        clock: Clock,
        now: Time,
        dice: &mut Dice,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(dice.word());
        let tracker = Tracker::new(config, &mut rng);
        Self {
            sharing: Sharing::new(tracker, me, clock.wall(now)),
            rng,
            clock,
            calls: BTreeMap::new(),
            waiting: BTreeMap::new(),
            last_waiting: 0,
            planned: None,
            offer: Offer::default(),
        }
    }

    /// Clients that it may have, without limits of single addresses.
    pub(super) fn config(interval: Duration, clients: usize) -> Config {
        let interval_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        Config {
            interval_ms,
            expiry_ms: interval_ms.saturating_add(interval_ms / 2),
            bounds: Bounds {
                swarms: 1 << 20,
                peers: 8 * clients + 1_000_000,
            },
            announces: Rate::UNLIMITED,
            new_swarms: Rate::UNLIMITED,
            new_peers: Rate::UNLIMITED,
            ..Config::default()
        }
    }

    fn clocks(&self, now: Time) -> Clocks {
        Clocks {
            now: self.clock.local(now),
            wall: self.clock.wall(now),
        }
    }

    pub(super) fn set_company(&mut self, company: bool) {
        self.sharing.set_company(company);
    }

    pub(super) fn sweep(&mut self, now: Time) {
        let now = self.clock.local(now);
        self.sharing.sweep(now);
    }

    /// An announce: what it is told at once, or the number of its place among those who wait.
    pub(super) fn announce(
        &mut self,
        now: Time,
        asker: Asker,
        ip: IpAddr,
        announce: &Announce,
    ) -> Result<Result<Told, u64>, Refusal> {
        let local = self.clock.local(now);
        let Begun { entered, waits, .. } = self.sharing.begin(local, ip, None, announce)?;
        if !waits {
            return Ok(Ok(self.tell(now, asker, &entered)));
        }
        self.last_waiting += 1;
        let waiting = Waiting { asker, entered };
        self.waiting.insert(self.last_waiting, waiting);
        Ok(Err(self.last_waiting))
    }

    /// Somebody has waited long enough, unless he was answered before.
    pub(super) fn patience_ends(&mut self, now: Time, place: u64) -> Option<Told> {
        let waiting = self.waiting.remove(&place)?;
        Some(self.tell(now, waiting.asker, &waiting.entered))
    }

    fn tell(&mut self, now: Time, asker: Asker, entered: &Entered) -> Told {
        let scope = Scope {
            most: usize::MAX,
            families: Families::Both,
        };
        let local = self.clock.local(now);
        let (rng, offer) = (&mut self.rng, &mut self.offer);
        let tracker = &self.sharing.tracker;
        let answer = tracker.answer(local, entered, scope, rng, offer, None);
        Told {
            asker,
            answer,
            peers: offer.addresses(),
        }
    }

    /// The next call to make now; whoever makes it says under which number.
    pub(super) fn next_call(&mut self, now: Time) -> Option<(Request, About)> {
        let clocks = self.clocks(now);
        let call = self.sharing.next_call(clocks)?;
        Some((call.request, call.about))
    }

    pub(super) fn called(&mut self, op: OpId, about: About) {
        self.calls.insert(op, about);
    }

    /// When it is to be asked again, by the clock of the world.
    pub(super) fn next_time(&self) -> Option<Time> {
        Some(self.clock.world(self.sharing.next_time()?))
    }

    /// A call is not made, and taken for failed.
    pub(super) fn swallowed(&mut self, now: Time, about: About) {
        let clocks = self.clocks(now);
        let reply = Reply::Failed(overlay::Failure::NotMember);
        let looked_up = self.sharing.ended(about, &reply, clocks);
        debug_assert!(looked_up.is_none(), "lookups are always made");
    }

    /// A call has ended; gives who is answered.
    pub(super) fn ended(&mut self, now: Time, op: OpId, reply: &Reply) -> Vec<Told> {
        let Some(about) = self.calls.remove(&op) else {
            return Vec::new();
        };
        let clocks = self.clocks(now);
        let Some(hash) = self.sharing.ended(about, reply, clocks) else {
            return Vec::new();
        };
        let of = |waiting: &Waiting| waiting.entered.hash == hash;
        let places = self.waiting.iter().filter(|(_, waiting)| of(waiting));
        let places: Vec<u64> = places.map(|(place, _)| *place).collect();
        let told = places
            .into_iter()
            .filter_map(|place| self.patience_ends(now, place));
        told.collect()
    }
}
