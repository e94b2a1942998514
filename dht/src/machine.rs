//! The machine: what it keeps, and who handles which input.

use crate::collect::Batch;
use crate::conditional::Deciding;
use crate::coordinate::Coordinated;
use crate::cover::Covers;
use crate::drift::Clocks;
use crate::due::Due;
use crate::durable::Waiting;
use crate::earlier::Earlier;
use crate::excuse::Askers;
use crate::former::Former;
use crate::heard::LastHeard;
use crate::horizon::Horizons;
use crate::kept::Kept;
use crate::leases::Leases;
use crate::leave::Leaving;
use crate::leavers::Leavers;
use crate::message::{DhtMessage, RenewResult, StoreMessage};
use crate::op::Op;
use crate::parked::Parked;
use crate::progress::Tally;
use crate::remembered::Remembered;
use crate::repair::Repairs;
use crate::strays::Strays;
use crate::tenure::Tenures;
use crate::view::View;
use crate::vouched::Vouched;
use crate::{DhtConfig, Position, Store};
use overlay::lookup::{LookupConfig, Routing, RoutingEvent, RoutingMessage, RoutingTimer};
use overlay::{
    Contact, Cx, Deadlines, Effect, Input, KeyRouter, LoadSeq, Machine, Notice, Outbox,
    RepairTally, Request, Time, WriteSeq,
};
use std::collections::{BTreeMap, VecDeque};

/// The replicated store over a router.
#[derive(Debug)]
pub struct Dht<R: KeyRouter, S: Store> {
    pub(crate) routing: Routing<R>,
    pub(crate) routing_out: Outbox<Routing<R>>,
    pub(crate) store: Kept<S>,
    pub(crate) config: DhtConfig,
    pub(crate) clock: crate::clock::Clock,
    /// The next number of a request. Starts at random, so that answers cannot be guessed, and goes
    /// up by one, so that late questions can be told.
    next_number: Option<u64>,
    /// Messages of this node to itself: the same paths serve it and its peers.
    pub(crate) local: VecDeque<StoreMessage>,
    pub(crate) deadlines: Deadlines<Due>,
    /// All writes up to this one are durable.
    pub(crate) durable: WriteSeq,
    /// What is to be done once a write is durable, in order of writes.
    pub(crate) waiting: VecDeque<Waiting>,
    /// What is to be done once bodies are in memory, by request.
    pub(crate) parked: BTreeMap<LoadSeq, Parked>,
    /// Calls under way, by number.
    pub(crate) ops: BTreeMap<u64, Box<Op>>,
    /// Writes that this node coordinates as a root, by number.
    pub(crate) coordinated: BTreeMap<u64, Box<Coordinated>>,
    pub(crate) repairs: Repairs,
    /// Messages that were refused because their clock was too far ahead.
    pub(crate) clocks_refused: u64,
    pub(crate) clocks: Clocks,
    /// What comparisons came to.
    pub(crate) compared: RepairTally,
    /// What to say about batches of renewals that are coordinated, by number.
    pub(crate) renewing: BTreeMap<u64, RenewResult>,
    /// Conditional writes about which it has not decided, by number.
    pub(crate) deciding: BTreeMap<u64, Box<Deciding>>,
    /// Earlier views of arcs that are nobody's here at present.
    pub(crate) homeless: Vec<Earlier>,
    pub(crate) remembered: Remembered,
    /// The arcs of which this node is the root.
    pub(crate) views: Vec<View>,
    /// The generation of the router for which the views were made.
    pub(crate) generation: Option<u64>,
    /// Arcs of which this node was the root a moment ago.
    pub(crate) former: Vec<Former>,
    /// Whether the node has founded its network, and so holds all that is stored in it.
    pub(crate) founding: bool,
    /// The arcs of other roots of which this node is a copy.
    pub(crate) covers: Covers,
    /// What roots asked last under which view.
    pub(crate) heard: LastHeard,
    /// Up to where deletions were collected.
    pub(crate) horizons: Horizons,
    pub(crate) vouched: Vouched,
    /// What is to be collected.
    pub(crate) batches: Vec<Batch>,
    /// Deletions that this node has collected.
    pub(crate) collected: u64,
    pub(crate) strays: Strays,
    pub(crate) tenures: Tenures,
    /// How far the sweep has come.
    pub(crate) swept: Option<Position>,
    pub(crate) leases: Leases,
    /// What is under way about the index.
    pub(crate) index: crate::words::Index,
    pub(crate) leaving: Option<Leaving>,
    /// Nodes that mean to leave, and have asked this root.
    pub(crate) leavers: Leavers,
    /// The roots that have this node hold records.
    pub(crate) askers: Askers,
    /// What was moved in the background.
    pub(crate) moved: Tally,
    /// The time of the last input, for what is said of progress.
    pub(crate) seen: Time,
    /// Whether it has left: then it does not answer about records any more.
    pub(crate) left: bool,
    /// Whether the sweep has begun.
    pub(crate) sweeping: bool,
}

/// Timers: those of the routing and one for all deadlines of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DhtTimer<T> {
    /// Of the router or the lookup.
    Routing(RoutingTimer<T>),
    /// Some deadline of the store may have come.
    Due,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A node over a router and a store, which may hold records of an earlier life.
    #[must_use]
    pub fn new(router: R, store: S, config: DhtConfig, lookup: LookupConfig) -> Self {
        let config = config.sane();
        let lookup = LookupConfig {
            replicas: config.replicas,
            ..lookup
        };
        let durable = store.last_write();
        let vouched = Vouched::of(store.vouched());
        Self {
            routing: Routing::new(router, lookup),
            routing_out: Outbox::default(),
            config,
            clock: crate::clock::Clock::after(store.newest()),
            store: Kept::new(store),
            next_number: None,
            local: VecDeque::new(),
            deadlines: Deadlines::default(),
            durable,
            waiting: VecDeque::new(),
            parked: BTreeMap::new(),
            ops: BTreeMap::new(),
            coordinated: BTreeMap::new(),
            deciding: BTreeMap::new(),
            renewing: BTreeMap::new(),
            repairs: Repairs::default(),
            clocks_refused: 0,
            clocks: Clocks::default(),
            compared: RepairTally::default(),
            homeless: Vec::new(),
            remembered: Remembered::default(),
            views: Vec::new(),
            generation: None,
            former: Vec::new(),
            founding: false,
            covers: Covers::default(),
            heard: LastHeard::default(),
            horizons: Horizons::default(),
            vouched,
            batches: Vec::new(),
            collected: 0,
            strays: Strays::default(),
            tenures: Tenures::default(),
            swept: None,
            leases: Leases::default(),
            index: crate::words::Index::default(),
            leaving: None,
            leavers: Leavers::default(),
            askers: Askers::default(),
            moved: Tally::default(),
            seen: Time::ZERO,
            left: false,
            sweeping: false,
        }
    }

    pub(crate) fn my(&self) -> Contact {
        self.routing.router().me()
    }

    pub(crate) fn draw_number(&mut self, cx: &mut Cx<'_, Self>) -> u64 {
        let number = self.next_number.unwrap_or_else(|| cx.rng.next_u64());
        self.next_number = Some(number.wrapping_add(1));
        number
    }

    /// Sends a message, to this node itself too.
    pub(crate) fn post(&mut self, cx: &mut Cx<'_, Self>, to: Contact, message: StoreMessage) {
        if to.id == self.my().id {
            self.local.push_back(message);
        } else {
            cx.send(to, DhtMessage::Store(message));
        }
    }

    /// Lets the routing run and handles what comes out.
    pub(crate) fn with_routing(
        &mut self,
        cx: &mut Cx<'_, Self>,
        run: impl FnOnce(&mut Routing<R>, &mut Cx<'_, Routing<R>>),
    ) {
        let mut out = std::mem::take(&mut self.routing_out);
        cx.nested(&mut out, |cx| run(&mut self.routing, cx));
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => cx.send(to, DhtMessage::Routing(message)),
                Effect::Arm { at, timer } => cx.arm(at, DhtTimer::Routing(timer)),
                Effect::HangUp { peer, fault } => cx.hang_up(peer, fault),
                Effect::Emit(RoutingEvent::Located { op, result }) => {
                    self.located(cx, op.0, result);
                }
                Effect::Emit(RoutingEvent::Router(event)) => self.router_event(cx, event),
            }
        }
        self.routing_out = out;
    }

    pub(crate) fn store_message(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        message: StoreMessage,
    ) {
        match message {
            StoreMessage::Read(read) => self.read_asked(cx, from, &read),
            StoreMessage::ReadReply(reply) => self.read_answered(cx, from, reply),
            StoreMessage::Write(write) => self.write_asked(cx, from, *write),
            StoreMessage::WriteReply { req, result } => self.write_answered(cx, from, req, result),
            StoreMessage::Replicate(replicate) => self.replicate_asked(cx, from, replicate),
            StoreMessage::Replicated { acks } => self.replicated(cx, from, &acks),
            StoreMessage::NotReplicated { req, why } => self.not_replicated(cx, from, req, &why),
            StoreMessage::SyncAsk(ask) => self.sync_asked(cx, from, &ask),
            StoreMessage::SyncTold(told) => self.sync_told(cx, from, *told),
            StoreMessage::SyncCollect(collect) => self.collect_asked(cx, from, &collect),
            StoreMessage::SyncItems {
                req,
                items,
                want,
                dead,
            } => {
                self.sync_items_asked(cx, from, req, items, (&want, dead));
            }
            StoreMessage::SyncItemsReply {
                req,
                items,
                handled,
                left_out,
            } => {
                self.sync_items_answered(cx, (from, req), items, handled, left_out);
            }
            StoreMessage::SyncDone(done) => self.sync_done_asked(cx, from, &done),
            StoreMessage::SyncDoneAck { req } => self.sync_done_answered(cx, from, req),
            StoreMessage::HandOff { req, items } => self.hand_off_asked(cx, from, req, items),
            StoreMessage::HandedOff { req, result } => {
                self.hand_off_answered(cx, from, req, result);
            }
            StoreMessage::Confirm(asked) => self.confirm_asked(cx, from, asked),
            StoreMessage::Confirmed {
                req,
                standing,
                found,
            } => self.confirmed(cx, from, req, standing, found),
            StoreMessage::Retire(asked) => self.retire_asked(cx, from, asked),
            StoreMessage::Retired(answer) => self.retired(cx, from, answer),
            StoreMessage::Tenure { arc } => self.tenure_told(cx, from, arc),
            StoreMessage::Repair { key } => self.repair_asked(cx, from, key),
            StoreMessage::RenewMany(asked) => self.renew_asked(cx, from, asked),
            StoreMessage::Renewed { req, result } => self.renewed(cx, from, req, result),
            StoreMessage::IndexMany(asked) => self.index_asked(cx, from, asked),
            StoreMessage::Indexed { req, result } => self.indexed(cx, from, req, result),
            StoreMessage::NoCopy { key, replica } => self.no_copy_told(cx, key, replica),
            StoreMessage::MayLeave(said) => self.leave_asked(cx, from, &said),
            StoreMessage::MayLeaveTold { req, spared } => self.excused(from, req, spared),
            StoreMessage::Gone => self.root_gone(cx, from.id),
        }
    }

    fn deadlines_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.deadlines.fired(cx.now);
        while let Some(due) = self.deadlines.pop_due(cx.now) {
            match due {
                Due::Op(number) => self.op_due(cx, number),
                Due::Coordinated(number) => self.coordinated_due(cx, number),
                Due::Deciding(number) => self.deciding_due(cx, number),
                Due::Sync => self.sync_due(cx),
                Due::Strays => self.strays_due(cx),
                Due::Notice => self.notice_due(cx),
                Due::Retire => self.retire_due(cx),
                Due::Sweep => self.sweep_due(cx),
                Due::Leases => self.leases_due(cx),
                Due::Renewals(number) => self.renewals_due(cx, number),
                Due::Leave => self.leave_due(cx),
                Due::Excuse => self.excuse_due(cx),
                Due::Leavers => self.leavers_due(cx),
                Due::Search(number) => self.search_due(cx, number),
                Due::Publisher => self.publisher_due(cx),
                Due::IndexBatch(number) => self.index_batch_due(cx, number),
                Due::Held(number) => self.held_due(cx, number),
                Due::Keeper => self.keeper_due(cx),
            }
        }
    }

    /// What follows from an input: messages to this node itself, and new arcs.
    fn settle(&mut self, cx: &mut Cx<'_, Self>) {
        loop {
            if let Some(message) = self.local.pop_front() {
                let me = self.my();
                self.store_message(cx, me, message);
            } else if !self.refresh_views(cx) {
                break;
            }
        }
        self.leave_if_ready(cx);
        if let Some(at) = self.deadlines.to_arm() {
            cx.arm(at, DhtTimer::Due);
        }
    }
}

impl<R: KeyRouter, S: Store> Machine for Dht<R, S> {
    type Message = DhtMessage<R::Message>;
    type Timer = DhtTimer<R::Timer>;
    type Call = Request;
    type Event = Notice;

    /// What routers say to each other is; lookups are as many as their users want.
    fn is_urgent(message: &Self::Message) -> bool {
        matches!(message, DhtMessage::Routing(RoutingMessage::Router(_)))
    }

    fn kinds() -> Vec<&'static str> {
        let mut all = StoreMessage::KINDS.to_vec();
        all.extend(Routing::<R>::kinds());
        all
    }

    fn kind(message: &Self::Message) -> usize {
        match message {
            DhtMessage::Store(message) => message.kind(),
            DhtMessage::Routing(message) => StoreMessage::KINDS.len() + Routing::<R>::kind(message),
        }
    }

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        self.seen = cx.now;
        match input {
            Input::Message {
                from,
                message: DhtMessage::Routing(message),
            } => {
                let input = Input::Message { from, message };
                self.with_routing(cx, |routing, cx| routing.handle(cx, input));
            }
            Input::Message {
                from,
                message: DhtMessage::Store(message),
            } => {
                if !self.left {
                    self.store_message(cx, from, message);
                }
            }
            Input::Timer(DhtTimer::Routing(timer)) => {
                self.with_routing(cx, |routing, cx| routing.handle(cx, Input::Timer(timer)));
            }
            Input::Timer(DhtTimer::Due) => self.deadlines_due(cx),
            Input::Call { op, call } => self.call(cx, op, call),
            Input::PeerDown(peer) => {
                self.with_routing(cx, |routing, cx| routing.handle(cx, Input::PeerDown(peer)));
                self.peer_down(cx, peer);
            }
            Input::Durable(seq) => self.durable_now(cx, seq),
            Input::Loaded(seq) => self.loaded_now(cx, seq),
        }
        self.settle(cx);
    }

    fn last_write(&self) -> WriteSeq {
        self.store.last_write()
    }

    fn last_load(&self) -> LoadSeq {
        self.store.last_load()
    }
}
