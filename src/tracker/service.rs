//! What the tasks of the tracker's thread share: the tracker, and what it exchanges with others.

use super::http::MAX_CONNECTIONS;
use super::lists::Contents;
use super::mainline::{MAX_PUTS, MAX_QUESTIONS};
use super::metrics::TrackerMetrics;
use super::options::{Lists, TrackerOptions};
use super::udp;
use crate::metrics::Level;
use crate::runtime::{Clock, Command};
use overlay::{Contact, Reply, Time, WallMs};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tracker::choice::Offer;
use tracker::exchange;
use tracker::proxy::Proxies;
use tracker::sharing::{About, Call, Clocks, Sharing};
use tracker::table::Counts;
use tracker::{Announce, Answer, Entered, InfoHash, Refusal, Scope, Tracker};

/// Who waits at the front-ends.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Announces and scrapes over UDP that wait for a lookup.
    pub(super) udp: Cell<usize>,
    /// Questions by the DHT that wait for the overlay.
    pub(super) mainline: Cell<usize>,
    /// Items of the DHT that are being stored.
    pub(super) puts: Cell<usize>,
}

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) sharing: Sharing,
    pub(super) rng: ChaCha8Rng,
    /// Of the answer that is being written; used again.
    pub(super) offer: Offer,
    /// Who waits for the end of a lookup.
    waiting: BTreeMap<InfoHash, Rc<Notify>>,
}

/// The tracker of this node. Nobody keeps a borrow of the state while he waits for anything.
#[derive(Debug)]
pub(super) struct Service {
    state: RefCell<State>,
    clock: Clock,
    lists: Lists,
    pub(super) proxies: Proxies,
    pub(super) waiting: Waiting,
    pub(super) metrics: TrackerMetrics,
    pub(super) me: Contact,
    pub(super) commands: mpsc::Sender<Command>,
    /// There may be something to exchange.
    pub(super) roused: Notify,
}

/// An announce that was entered, and the lookup that its answer should wait for.
pub(super) struct Begun {
    pub(super) entered: Entered,
    pub(super) lookup: Option<Rc<Notify>>,
}

impl Service {
    pub(super) fn new(
        options: TrackerOptions,
        contents: Contents,
        (me, commands): (Contact, mpsc::Sender<Command>),
        metrics: TrackerMetrics,
    ) -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut tracker = Tracker::new(options.config, &mut rng);
        tracker.rules = contents.rules;
        tracker.places = contents.places;
        let clock = Clock::start();
        Ok(Self {
            clock,
            state: RefCell::new(State {
                sharing: Sharing::new(tracker, me.addr, clock.wall()),
                rng,
                offer: Offer::default(),
                waiting: BTreeMap::new(),
            }),
            lists: options.lists,
            proxies: options.proxies,
            waiting: Waiting::default(),
            metrics,
            me,
            commands,
            roused: Notify::new(),
        })
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) fn wall(&self) -> WallMs {
        self.clock.wall()
    }

    pub(super) fn clocks(&self) -> Clocks {
        Clocks {
            now: self.now(),
            wall: self.wall(),
        }
    }

    pub(super) const fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Gives the old ones: a million entries take a while to drop.
    pub(super) fn replace_lists(&self, contents: Contents) -> Contents {
        let tracker = &mut self.state().sharing.tracker;
        Contents {
            rules: std::mem::replace(&mut tracker.rules, contents.rules),
            places: std::mem::replace(&mut tracker.places, contents.places),
        }
    }

    /// Drops a part of what is too old.
    pub(super) fn sweep(&self) {
        let now = self.now();
        let sharing = &mut self.state().sharing;
        let roused = sharing.sweep(now);
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let table = &sharing.tracker.table;
        self.metrics.swarms.set(gauge(table.swarms()));
        self.metrics.peers.set(gauge(table.peers()));
        self.metrics.show_ways(table.ways());
        self.show_queues(sharing);
        self.rouse(roused);
    }

    fn show_queues(&self, sharing: &Sharing) {
        let table = &sharing.tracker.table;
        let bounds = table.bounds();
        let [lookups, writes, published] = sharing.exchange().under_way().map(|one| Level {
            waiting: one.count,
            most: one.most.unwrap_or_default(),
        });
        let level = |waiting, most| Level { waiting, most };
        let waiting = &self.waiting;
        let connections = usize::try_from(self.metrics.connections.get()).unwrap_or_default();
        self.metrics.show_queues([
            ("tracker_lookups", lookups),
            ("tracker_writes", writes),
            ("tracker_published", published),
            ("tracker_swarms", level(table.swarms(), bounds.swarms)),
            ("tracker_peers", level(table.peers(), bounds.peers)),
            ("tracker_connections", level(connections, MAX_CONNECTIONS)),
            ("tracker_udp", level(waiting.udp.get(), udp::MAX_WAITING)),
            ("mainline", level(waiting.mainline.get(), MAX_QUESTIONS)),
            ("mainline_puts", level(waiting.puts.get(), MAX_PUTS)),
        ]);
    }

    /// There may be a call to make.
    fn rouse(&self, roused: bool) {
        if roused {
            self.roused.notify_one();
        }
    }

    /// Admits and enters an announce, and begins to look the swarm up when too little is known.
    pub(super) fn begin(
        &self,
        now: Time,
        ip: IpAddr,
        passkey: Option<&[u8]>,
        announce: &Announce,
    ) -> Result<Begun, Refusal> {
        let state = &mut *self.state();
        let begun = state.sharing.begin(now, ip, passkey, announce);
        self.metrics
            .announced(announce.by, begun.as_ref().err().copied());
        let begun = begun?;
        self.rouse(begun.roused);
        let entered = begun.entered;
        let lookup = begun.waits.then(|| state.lookup(entered.hash));
        Ok(Begun { entered, lookup })
    }

    /// Answers; the offer stays in the state for `write`.
    pub(super) fn answer<T>(
        &self,
        now: Time,
        entered: &Entered,
        scope: Scope,
        write: impl FnOnce(&Answer, &Offer) -> T,
    ) -> T {
        let state = &mut *self.state();
        let (rng, offer) = (&mut state.rng, &mut state.offer);
        let tracker = &state.sharing.tracker;
        let answer = tracker.answer(now, entered, scope, rng, offer, None);
        write(&answer, offer)
    }

    pub(super) fn scrape(
        &self,
        hash: &InfoHash,
        passkey: Option<&[u8]>,
    ) -> Result<Counts, Refusal> {
        self.state().sharing.tracker.scrape(hash, passkey)
    }

    /// Somebody asks without announcing: begins to look up those swarms of which too little is known,
    /// and gives what to wait for. What is not served, or not with this passkey, is not looked for.
    pub(super) fn inquire(&self, hashes: &[InfoHash], passkey: Option<&[u8]>) -> Vec<Rc<Notify>> {
        let now = self.now();
        let state = &mut *self.state();
        let mut lookups = Vec::new();
        for hash in hashes {
            let inquired = state.sharing.inquire(now, *hash, passkey);
            self.rouse(inquired.roused);
            if inquired.waits {
                lookups.push(state.lookup(*hash));
            }
        }
        lookups
    }

    /// The next call to the overlay, if there is one to make now.
    pub(super) fn next_call(&self, clocks: Clocks) -> Option<Call> {
        let state = &mut *self.state();
        state.sharing.next_call(clocks)
    }

    /// A call has ended: whoever waits for it goes on, and there may be another to make.
    pub(super) fn ended(&self, about: About, reply: &Reply) {
        let clocks = self.clocks();
        let state = &mut *self.state();
        let looked_up = state.sharing.ended(about, reply, clocks);
        let waiting = looked_up.and_then(|hash| state.waiting.remove(&hash));
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
        self.rouse(true);
    }
}

impl State {
    /// Tells of the end of a lookup that is to be made, or under way.
    fn lookup(&mut self, hash: InfoHash) -> Rc<Notify> {
        Rc::clone(self.waiting.entry(hash).or_default())
    }
}

/// Waits for lookups, but not for long.
pub(super) async fn patiently(lookups: impl IntoIterator<Item = Rc<Notify>>) {
    let lookups: Vec<_> = lookups.into_iter().collect();
    if lookups.is_empty() {
        return;
    }
    let patience = Duration::from_micros(exchange::PATIENCE.as_micros());
    // All are listened to from the start, so that none ends unheard while another is waited for.
    let ends: Vec<_> = lookups.iter().map(|lookup| lookup.notified()).collect();
    let all = async {
        for end in ends {
            end.await;
        }
    };
    // Late is no failure: the answer is made from what is known.
    let _ = tokio::time::timeout(patience, all).await;
}
