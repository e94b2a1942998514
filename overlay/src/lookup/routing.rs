//! A [`KeyRouter`] and the common lookup as one machine.

use super::cache::{ArcCache, CachedArc};
use super::iterative::Walk;
use super::message::FOR_TABLES;
use super::origin::{Asker, Origin};
use super::relay::Relay;
use super::suspects::Suspects;

use super::{
    Located, LookupConfig, LookupError, LookupMessage, LookupRequest, MAX_LOOKUPS, MAX_RELAYED,
};
use crate::{
    Arc, Claim, Contact, Cx, Deadlines, Duration, Effect, Id, Input, KeyRouter, LookupPurpose,
    LookupTally, Machine, OpId, Outbox, RouterCall, RouterEvent, RttEstimator, RttTable, Time,
    UnderWay,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What peers send each other: the router's own messages and those of the lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoutingMessage<P> {
    /// Of the router.
    Router(P),
    /// Of the lookup.
    Lookup(LookupMessage),
}

/// Timers: the router's own and one for all time-outs of the lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutingTimer<T> {
    /// Of the router.
    Router(T),
    /// Some hop or lookup may have waited long enough.
    Lookup,
}

/// What the layer above asks.
#[derive(Clone, Debug)]
pub enum RoutingCall {
    /// Found a network of one.
    Create,
    /// Join the network of a member.
    Join {
        /// The member.
        via: Contact,
    },
    /// Stop taking part.
    Leave,
    /// Find the root of a key.
    Lookup(LookupRequest),
}

/// What the layer above is told.
#[derive(Clone, Debug)]
pub enum RoutingEvent {
    /// The final event of a lookup.
    Located {
        /// The call.
        op: OpId,
        /// The answer.
        result: Result<Located, LookupError>,
    },
    /// News of the router; never [`RouterEvent::Lookup`].
    Router(RouterEvent),
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A hop that was asked to forward, or to tell the next step, by its number.
    Hop(u64),
    /// A lookup of this node, by its id.
    Lookup(u64),
}

/// A [`KeyRouter`] with the common lookup over its tables.
#[derive(Debug)]
pub struct Routing<R: KeyRouter> {
    pub(super) router: R,
    pub(super) config: LookupConfig,
    pub(super) cache: ArcCache,
    pub(super) rtts: RttTable,
    pub(super) suspects: Suspects,
    /// Requests passed to a hop that has not acknowledged yet, by hop number.
    pub(super) relays: BTreeMap<u64, Relay>,
    /// Questions of iterative lookups under way: hop number to lookup.
    pub(super) walks: BTreeMap<u64, Walk>,
    /// Lookups of this node.
    pub(super) origins: BTreeMap<u64, Origin>,
    pub(super) deadlines: Deadlines<Due>,
    pub(super) tally: LookupTally,
    /// The next hop number or lookup id. Starts at random, so that answers cannot be guessed.
    next_number: Option<u64>,
    router_out: Outbox<R>,
}

impl<R: KeyRouter> Routing<R> {
    /// What is under way here; each is zero when nobody looks anything up.
    #[must_use]
    pub fn under_way(&self) -> [UnderWay; 4] {
        let (walks, deadlines) = (self.walks.len(), self.deadlines.len());
        [
            UnderWay::of("lookups", self.origins.len(), MAX_LOOKUPS),
            UnderWay::of("requests passed on", self.relays.len(), MAX_RELAYED),
            UnderWay::bounded_elsewhere("questions of iterative lookups", walks),
            UnderWay::bounded_elsewhere("deadlines of lookups", deadlines),
        ]
    }

    /// The lookup over a router.
    #[must_use]
    pub fn new(router: R, config: LookupConfig) -> Self {
        Self {
            router,
            config,
            cache: ArcCache::default(),
            rtts: RttTable::default(),
            suspects: Suspects::default(),
            relays: BTreeMap::new(),
            walks: BTreeMap::new(),
            origins: BTreeMap::new(),
            deadlines: Deadlines::default(),
            tally: LookupTally::default(),
            next_number: None,
            router_out: Outbox::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn tally(&self) -> &LookupTally {
        &self.tally
    }

    /// The router.
    #[must_use]
    pub const fn router(&self) -> &R {
        &self.router
    }

    /// The router, for its own settings; it must not be fed inputs past this machine.
    pub const fn router_mut(&mut self) -> &mut R {
        &mut self.router
    }

    /// What is remembered about the arc around a key.
    #[must_use]
    pub fn cached(&self, key: Id) -> Option<&CachedArc> {
        self.cache.get(key)
    }

    /// Forgets the arc around a key: its owner said that it is not responsible.
    pub fn forget(&mut self, key: Id) {
        self.cache.forget(key);
    }

    /// Remembers what an owner said about its arc.
    pub fn learn(&mut self, arc: Arc, replicas: Vec<Contact>) {
        if self.config.cache
            && replicas
                .first()
                .is_some_and(|root| root.id != self.router.me().id)
        {
            self.cache.learn(arc, replicas);
        }
    }

    /// Notes that the layer above waited in vain for a peer: lookups go round it for a while, its
    /// arcs are forgotten, and the router is told.
    pub fn suspect(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        self.suspects.add(peer.id, cx.now, self.config.suspect_for);
        self.cache.forget_root(peer.id);
        // No call of the user stands behind this, so its number answers nothing.
        let input = Input::Call {
            op: OpId(0),
            call: RouterCall::Silent(peer),
        };
        self.drive_router(cx, input);
    }

    /// Whether a peer was silent a moment ago.
    #[must_use]
    pub fn is_suspect(&self, peer: Id, now: Time) -> bool {
        self.suspects.contains(peer, now)
    }

    /// How long to wait for an answer of a peer.
    #[must_use]
    pub fn timeout_for(&self, peer: Id) -> Duration {
        self.rtts.timeout(peer)
    }

    /// Takes in a round trip that the lookup, or the layer above, measured.
    pub fn observe_rtt(&mut self, peer: Id, sample: Duration, now: Time) {
        self.rtts.observe(peer, sample, now);
        self.router.observe_rtt(peer, sample, now);
    }

    /// The smoothed round trip to a peer, when measured lately.
    #[must_use]
    pub fn rtt(&self, peer: Id) -> Option<Duration> {
        self.rtts.get(peer).map(RttEstimator::smoothed)
    }

    /// Lookups of this node that are under way.
    #[must_use]
    pub fn lookups_under_way(&self) -> usize {
        self.origins.len()
    }

    /// Requests of others that wait for the next hop's acknowledgement.
    #[must_use]
    pub fn relays_under_way(&self) -> usize {
        self.relays.len()
    }

    /// A new number for a lookup, or for a hop of one. Its lowest bit says whether the lookup is
    /// for a router's own tables: see [`LookupMessage::is_for_tables`].
    pub(super) fn draw_number(&mut self, cx: &mut Cx<'_, Self>, for_tables: bool) -> u64 {
        let number = self.next_number.unwrap_or_else(|| cx.rng.next_u64());
        self.next_number = Some(number.wrapping_add(2));
        number & !FOR_TABLES | u64::from(for_tables)
    }

    pub(super) fn send(&self, cx: &mut Cx<'_, Self>, to: Contact, message: LookupMessage) {
        cx.send(to, RoutingMessage::Lookup(message));
    }

    /// The arc and replica set with which this node answers for a key. When it answers although
    /// none of its arcs contains the key (those nearer are dead), it answers for that key only.
    pub(super) fn own_answer(&self, key: Id) -> (Arc, Vec<Contact>) {
        let mut owned = self.router.owned(self.config.replicas);
        let at = owned.iter().position(|part| part.arc.contains(key));
        if let Some(part) = at.map(|at| owned.swap_remove(at)) {
            return (part.arc, part.replicas);
        }
        let me = self.router.me();
        let replicas = owned.pop().map_or_else(|| vec![me], |part| part.replicas);
        (that_only(key), replicas)
    }

    /// Feeds the router and passes its effects on.
    pub(super) fn drive_router(&mut self, cx: &mut Cx<'_, Self>, input: Input<R>) {
        let mut out = std::mem::take(&mut self.router_out);
        cx.nested(&mut out, |cx| self.router.handle(cx, input));
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => cx.send(to, RoutingMessage::Router(message)),
                Effect::Arm { at, timer } => cx.arm(at, RoutingTimer::Router(timer)),
                Effect::HangUp { peer, fault } => cx.hang_up(peer, fault),
                Effect::Emit(event) => self.router_event(cx, event),
            }
        }
        // An event may have driven the router again and left an outbox of its own: keep either.
        self.router_out = out;
    }

    fn router_event(&mut self, cx: &mut Cx<'_, Self>, event: RouterEvent) {
        match event {
            RouterEvent::Lookup {
                token,
                key,
                via,
                purpose,
            } => {
                let request = LookupRequest {
                    fresh: true,
                    // Whoever joins may want what the nodes on the way know.
                    trace: purpose == LookupPurpose::Join,
                    ..LookupRequest::new(key)
                };
                self.start_lookup(cx, Asker::Router(token), request, via);
            }
            RouterEvent::Left { .. } => {
                self.cache.clear();
                cx.emit(RoutingEvent::Router(event));
            }
            other => cx.emit(RoutingEvent::Router(other)),
        }
    }

    fn call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: RoutingCall) {
        let call = match call {
            RoutingCall::Create => RouterCall::Create,
            RoutingCall::Join { via } => RouterCall::Join { via },
            RoutingCall::Leave => RouterCall::Leave,
            RoutingCall::Lookup(request) => {
                if self.router.claim(request.key) == Claim::NotMember {
                    let result = Err(LookupError::NotMember);
                    self.count_end(Asker::User(op), &result, Duration(0));
                    return cx.emit(RoutingEvent::Located { op, result });
                }
                return self.start_lookup(cx, Asker::User(op), request, None);
            }
        };
        self.drive_router(cx, Input::Call { op, call });
    }

    fn lookup_message(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: LookupMessage) {
        match message {
            LookupMessage::Forward(forward) => self.forwarded(cx, from, *forward),
            LookupMessage::Taken { hop } => self.taken(cx, from, hop),
            LookupMessage::Refused { hop } => self.refused(cx, from, hop),
            LookupMessage::DeadEnd {
                lookup,
                timeouts,
                avoid,
            } => {
                self.dead_end(cx, lookup, timeouts, avoid);
            }
            LookupMessage::Answer(answer) => self.answered(cx, from, *answer, Vec::new()),
            LookupMessage::Ask {
                hop,
                key,
                last,
                avoid,
            } => {
                self.asked(cx, from, hop, key, last, &avoid);
            }
            LookupMessage::Told { hop, step } => self.told(cx, from, hop, step),
        }
    }

    fn peer_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        self.cache.forget_root(peer.id);
        self.hops_down(cx, peer);
        self.walks_down(cx, peer);
        self.drive_router(cx, Input::PeerDown(peer));
    }

    fn deadlines_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.deadlines.fired(cx.now);
        while let Some(due) = self.deadlines.pop_due(cx.now) {
            match due {
                Due::Hop(hop) if self.relays.contains_key(&hop) => self.hop_silent(cx, hop),
                Due::Hop(hop) => self.walk_silent(cx, hop),
                Due::Lookup(lookup) => self.attempt_over(cx, lookup),
            }
        }
    }
}

impl<R: KeyRouter> Machine for Routing<R> {
    type Message = RoutingMessage<R::Message>;
    type Timer = RoutingTimer<R::Timer>;
    type Call = RoutingCall;
    type Event = RoutingEvent;

    fn kinds() -> Vec<&'static str> {
        let mut all = LookupMessage::KINDS.to_vec();
        all.extend(R::kinds());
        all
    }

    fn kind(message: &Self::Message) -> usize {
        match message {
            RoutingMessage::Lookup(message) => message.kind(),
            RoutingMessage::Router(message) => LookupMessage::KINDS.len() + R::kind(message),
        }
    }

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        match input {
            Input::Message { from, message } => {
                self.suspects.clear(from.id);
                match message {
                    RoutingMessage::Router(message) => {
                        self.drive_router(cx, Input::Message { from, message });
                    }
                    RoutingMessage::Lookup(message) => self.lookup_message(cx, from, message),
                }
            }
            Input::Timer(RoutingTimer::Router(timer)) => {
                self.drive_router(cx, Input::Timer(timer));
            }
            Input::Timer(RoutingTimer::Lookup) => self.deadlines_due(cx),
            Input::Call { op, call } => self.call(cx, op, call),
            Input::PeerDown(peer) => self.peer_down(cx, peer),
            Input::Durable(seq) => self.drive_router(cx, Input::Durable(seq)),
            Input::Loaded(seq) => self.drive_router(cx, Input::Loaded(seq)),
        }
        if let Some(at) = self.deadlines.to_arm() {
            cx.arm(at, RoutingTimer::Lookup);
        }
    }
}

/// The arc of one key: see [`Routing::own_answer`].
pub(super) fn that_only(key: Id) -> Arc {
    Arc {
        from: key.wrapping_sub(Id::from_u64(1)),
        to: key,
    }
}
