//! The machine: what it keeps, and who handles which input.

use crate::asked::Asked;
use crate::config::{GnutellaConfig, RoleChoice};
use crate::hosts::Hosts;
use crate::index::Index;
use crate::learnt::Learnt;
use crate::leases::Leases;
use crate::leave::Leaving;
use crate::limits::Conduct;
use crate::link::Link;
use crate::message::{Guid, Host, Message, Role};
use crate::parked::{Parked, Then};
use crate::pings::PongCache;
use crate::putting::Putting;
use crate::search::Search;
use crate::seen::Seen;
use crate::stage::Stage;
use crate::tables::Published;
use crate::walk::Waiting;
use overlay::{
    Contact, Cx, Deadlines, FurthestClock, Hlc, Id, Input, LoadSeq, Lookups, Machine, Notice,
    QueryTally, Request, Slot, Store, Time, WallMs, WriteSeq,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A node of the unstructured overlay over a store.
#[derive(Debug)]
pub struct Gnutella<S: Store> {
    pub(crate) me: Contact,
    pub(crate) config: GnutellaConfig,
    pub(crate) store: S,
    /// The latest clock value given or seen.
    pub(crate) clock: Hlc,
    /// The furthest clock of late.
    pub(crate) clock_ahead: FurthestClock,
    /// When it was last looked after links.
    pub(crate) ticked_at: Time,
    /// Records that were refused because their clock was too far ahead.
    pub(crate) clocks_refused: u64,
    pub(crate) role: Role,
    pub(crate) stage: Stage,
    /// When it entered the network.
    pub(crate) since: Time,
    pub(crate) links: BTreeMap<Id, Link>,
    /// Links that were asked for.
    pub(crate) connecting: BTreeSet<Id>,
    pub(crate) hosts: Hosts,
    /// Nodes that broke the rules, until when they are not spoken to.
    pub(crate) banned: BTreeMap<Id, Time>,
    /// What nodes without a link have sent.
    pub(crate) strangers: BTreeMap<Id, Conduct>,
    pub(crate) seen: Seen,
    /// Queries that were passed on, or sent, and have not ended here.
    pub(crate) asked: BTreeMap<Guid, Box<Asked>>,
    /// Searches of this node, by number, and whose GUID is whose.
    pub(crate) searches: BTreeMap<u64, Box<Search>>,
    pub(crate) search_of: BTreeMap<Guid, u64>,
    /// Walkers that wait for the word of their origin.
    pub(crate) walkers: BTreeMap<(Guid, u8), Box<Waiting>>,
    /// Writes of this node that wait for copies.
    pub(crate) puttings: BTreeMap<Guid, Box<Putting>>,
    /// Where the copies of what was written here are.
    pub(crate) copies: BTreeMap<(Id, Slot), Vec<Contact>>,
    pub(crate) leases: Leases,
    pub(crate) index: Index,
    pub(crate) pongs: PongCache,
    pub(crate) published: Published,
    pub(crate) learnt: Learnt,
    /// All writes up to this one are durable, and what waits for later ones.
    pub(crate) durable: WriteSeq,
    pub(crate) waiting: VecDeque<(WriteSeq, Then)>,
    /// What waits for bodies.
    pub(crate) parked: BTreeMap<LoadSeq, Parked>,
    pub(crate) deadlines: Deadlines<Due>,
    /// How far the sweep has come.
    pub(crate) swept: Option<(Id, Slot)>,
    pub(crate) leaving: Option<Leaving>,
    pub(crate) tally: Tally,
    /// Searches of this node.
    pub(crate) lookups: Lookups,
    pub(crate) next: u64,
}

/// What a node has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Queries that came from a neighbour, duplicates included.
    pub queries: u64,
    /// Those that were known already.
    pub duplicates: u64,
    /// Queries sent on their last hop, to a leaf or to an ultrapeer that does not pass them on.
    pub last_hop_sent: u64,
    /// Those that a query routing table made needless.
    pub last_hop_stopped: u64,
    /// Queries that arrived on their last hop, for the first time, where there is nothing to find:
    /// neither here nor, by their tables, at leaves.
    pub last_hop_vain: u64,
    /// Texts that queries by words looked at.
    pub looked: u64,
    /// Queries that were not passed on because a link was short.
    pub held_back: u64,
    /// Messages dropped because their sender sent too many.
    pub dropped: u64,
    /// Messages that broke the rules.
    pub misdeeds: u64,
    /// Nodes that were hung up on.
    pub ended: u64,
    /// What is told of queries and their hits.
    pub told: QueryTally,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// Time to look after links.
    Tick,
    /// A link that was asked for.
    Connecting(Id),
    /// A query that was passed on.
    Asked(Guid),
    /// A search of this node.
    Search(u64),
    /// A walker of a search, or of a write, of this node.
    Out(Guid, u8),
    /// A walker that waits here for the word of its origin.
    Walker(Guid, u8),
    /// A write that waits for copies.
    Putting(Guid),
    /// A lease to renew.
    Lease(Id, std::net::SocketAddr),
    /// Joining takes too long.
    Joining,
    /// The end of the time for leaving, and another try to hand over.
    Leave,
    HandOver,
}

/// The one timer: some deadline may have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnutellaTimer;

impl<S: Store> Gnutella<S> {
    /// A node over a store, which may hold records of an earlier life; `hosts` were known then.
    #[must_use]
    pub fn new(me: Contact, store: S, config: GnutellaConfig, hosts: &[Contact]) -> Self {
        let config = config.sane();
        let role = match config.role {
            RoleChoice::Always(role) => role,
            RoleChoice::Auto => Role::Peer,
        };
        let mut known = Hosts::default();
        for contact in hosts.iter().filter(|contact| contact.id != me.id) {
            let host = Host {
                contact: *contact,
                role: Role::Peer,
                room: true,
            };
            known.learn(host, Time::ZERO, false);
        }
        Self {
            me,
            config,
            clock: store.newest(),
            clock_ahead: FurthestClock::default(),
            ticked_at: Time::ZERO,
            clocks_refused: 0,
            durable: store.last_write(),
            store,
            role,
            stage: Stage::default(),
            since: Time::ZERO,
            links: BTreeMap::new(),
            connecting: BTreeSet::new(),
            hosts: known,
            banned: BTreeMap::new(),
            strangers: BTreeMap::new(),
            seen: Seen::default(),
            asked: BTreeMap::new(),
            searches: BTreeMap::new(),
            search_of: BTreeMap::new(),
            walkers: BTreeMap::new(),
            puttings: BTreeMap::new(),
            copies: BTreeMap::new(),
            leases: Leases::default(),
            index: Index::default(),
            pongs: PongCache::default(),
            published: Published::default(),
            learnt: Learnt::default(),
            waiting: VecDeque::new(),
            parked: BTreeMap::new(),
            deadlines: Deadlines::default(),
            swept: None,
            leaving: None,
            tally: Tally::default(),
            lookups: Lookups::default(),
            next: 0,
        }
    }

    /// What it has counted.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What it is now.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store of a node that has stopped: for a simulated crash and restart.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }

    /// Its neighbours, in order of id.
    pub fn neighbours(&self) -> impl Iterator<Item = (Contact, Role)> {
        self.links.values().map(|link| (link.contact, link.role))
    }

    pub(crate) fn draw_guid(&self, cx: &mut Cx<'_, Self>) -> Guid {
        let (high, low) = (cx.rng.next_u64(), cx.rng.next_u64());
        Guid((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    pub(crate) const fn draw_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A clock value after all that were given or seen.
    pub(crate) fn tick_clock(&mut self, wall: WallMs) -> Hlc {
        self.clock = self.clock.tick(wall);
        self.clock
    }

    fn deadlines_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.deadlines.fired(cx.now);
        while let Some(due) = self.deadlines.pop_due(cx.now) {
            match due {
                Due::Tick => self.tick(cx),
                Due::Connecting(id) => self.connecting_due(cx, id),
                Due::Asked(guid) => self.asked_due(cx, guid),
                Due::Search(number) => self.search_due(cx, number),
                Due::Out(guid, walker) => self.walker_lost(cx, guid, walker),
                Due::Walker(guid, walker) => {
                    self.walkers.remove(&(guid, walker));
                }
                Due::Putting(guid) => self.putting_due(cx, guid),
                Due::Lease(key, addr) => self.lease_due(cx, key, addr),
                Due::Joining => self.joining_due(cx),
                Due::Leave => self.leave_due(cx),
                Due::HandOver => self.hand_over_due(cx),
            }
        }
    }

    fn call(&mut self, cx: &mut Cx<'_, Self>, op: overlay::OpId, call: Request) {
        match call {
            Request::Create => self.create(cx, op),
            Request::Join { via } => self.join(cx, op, via),
            Request::Leave => self.leave(cx, op, None),
            Request::LeaveWithin { seconds } => self.leave(cx, op, Some(seconds)),
            other => self.data_call(cx, op, other),
        }
    }
}

impl<S: Store> Machine for Gnutella<S> {
    type Message = Message;
    type Timer = GnutellaTimer;
    type Call = Request;
    type Event = Notice;

    fn kinds() -> Vec<&'static str> {
        Message::KINDS.to_vec()
    }

    fn kind(message: &Message) -> usize {
        message.kind()
    }

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        match input {
            Input::Message { from, message } => self.message(cx, from, message),
            Input::Timer(GnutellaTimer) => self.deadlines_due(cx),
            Input::Call { op, call } => self.call(cx, op, call),
            Input::PeerDown(peer) => self.peer_down(cx, peer),
            Input::Durable(seq) => self.durable_now(cx, seq),
            Input::Loaded(seq) => self.loaded_now(cx, seq),
        }
        if let Some(at) = self.deadlines.to_arm() {
            cx.arm(at, GnutellaTimer);
        }
    }

    fn last_write(&self) -> WriteSeq {
        self.store.last_write()
    }

    fn last_load(&self) -> LoadSeq {
        self.store.last_load()
    }
}
