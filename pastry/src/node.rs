//! The machine: its state, and which phase takes which input.

use crate::PastryConfig;
use crate::join::Joining;
use crate::leaves::{LeafSet, Side};
use crate::message::{Leaves, PastryMessage, PastryTimer, Standing};
use crate::nearby::Nearby;
use crate::planted::PlantedBug;
use crate::probe::Probes;
use crate::reunite::Lost;
use crate::solitude::History;
use crate::table::Table;
use crate::ticker::Ticker;
use overlay::failures::{FailureRate, SHORTEST_PERIOD};
use overlay::proximity::Search;
use overlay::{
    Contact, Cx, Duration, Fault, Id, Input, Machine, OpId, RingChange, RouterCall, RouterEvent,
    RttTable,
};

/// Where a node stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// In no network yet.
    Outside,
    /// On its way into one.
    Joining(Box<Joining>),
    /// A member.
    Member,
    /// A member that lost everybody it knew; waits so long between two tries to come back.
    CutOff {
        /// The current wait.
        backoff: Duration,
    },
    /// It has left, and ignores everything.
    Left,
}

/// A Pastry node: leaf set, routing table and neighbourhood set, kept by MSPastry's and Bamboo's
/// rules.
///
/// Memory: about 1 KB, 52 bytes for each leaf, and 88 for each entry of the routing table (58 of
/// them among 100,000 nodes).
#[derive(Debug)]
pub struct Pastry {
    pub(crate) me: Contact,
    pub(crate) config: PastryConfig,
    pub(crate) leaves: LeafSet,
    pub(crate) table: Table,
    pub(crate) nearby: Nearby,
    pub(crate) phase: Phase,
    pub(crate) probes: Probes,
    pub(crate) ticker: Ticker,
    pub(crate) lost: Lost,
    pub(crate) rtt: RttTable,
    pub(crate) history: History,
    pub(crate) failures: FailureRate,
    pub(crate) search: Search,
    pub(crate) tokens: u64,
    pub(crate) generation: u64,
}

impl Pastry {
    /// A node that is in no network yet: give it `RouterCall::Create` or `RouterCall::Join`.
    #[must_use]
    pub fn new(me: Contact, config: PastryConfig) -> Self {
        Self {
            me,
            leaves: LeafSet::new(me, config.half()),
            table: Table::new(me.id, config.bits()),
            nearby: Nearby::default(),
            phase: Phase::Outside,
            probes: Probes::default(),
            ticker: Ticker::new(config.exchange_min),
            lost: Lost::default(),
            rtt: RttTable::default(),
            history: History::default(),
            failures: FailureRate::default(),
            search: Search::new(SHORTEST_PERIOD),
            tokens: 0,
            generation: 0,
            config,
        }
    }

    /// A member with the given tables, for networks that are built and not grown.
    ///
    /// It answers at once, but maintains nothing before it gets [`PastryTimer::Start`]; let the
    /// phases of many nodes differ.
    #[must_use]
    pub fn with_tables(me: Contact, config: PastryConfig, leaves: LeafSet, table: Table) -> Self {
        let mut pastry = Self::new(me, config);
        pastry.leaves = leaves;
        pastry.table = table;
        pastry.phase = Phase::Member;
        pastry
            .history
            .saw(pastry.leaves.members().len(), pastry.config.half());
        pastry
    }

    /// The leaf set.
    #[must_use]
    pub const fn leaves(&self) -> &LeafSet {
        &self.leaves
    }

    /// The routing table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The neighbourhood set, the nearest first.
    #[must_use]
    pub fn neighbourhood(&self) -> Vec<Contact> {
        self.nearby.contacts().collect()
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &PastryConfig {
        &self.config
    }

    /// Whether the node lost everybody it knew and tries to come back.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        matches!(self.phase, Phase::CutOff { .. })
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Member)
    }

    pub(crate) fn standing(&self) -> Standing {
        match &self.phase {
            Phase::Member => Standing::Active,
            Phase::CutOff { .. } => Standing::CutOff,
            Phase::Joining(joining) if joining.is_entering() => Standing::Entering,
            _ => Standing::Outside,
        }
    }

    /// What this node tells of its leaf set.
    pub(crate) fn my_leaves(&self) -> Leaves {
        Leaves {
            standing: self.standing(),
            gap_at: self.leaves.gap_at(),
            members: self.leaves.members().to_vec(),
        }
    }

    /// The next token: it names a probe or a lookup.
    pub(crate) const fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Draws where tokens begin, so that a late answer to a process that ran here before does not
    /// fit a question of this one.
    pub(crate) fn begin_tokens(&mut self, cx: &mut Cx<'_, Self>) {
        self.tokens = u64::from(cx.rng.next_u32());
    }

    /// Changes the leaf set and tells about whatever changed.
    pub(crate) fn change<T>(
        &mut self,
        cx: &mut Cx<'_, Self>,
        transition: impl FnOnce(&mut LeafSet) -> T,
    ) -> T {
        let before = self.leaves.clone();
        let result = transition(&mut self.leaves);
        if self.leaves == before {
            return result;
        }
        self.history
            .saw(self.leaves.members().len(), self.config.half());
        if !self.is_active() {
            return result;
        }
        let mut nearest_changed = false;
        for side in [Side::Larger, Side::Smaller] {
            let (was, is) = (before.nearest(side), self.leaves.nearest(side));
            if was == is {
                continue;
            }
            nearest_changed = true;
            let change = match side {
                Side::Larger => RingChange::Successor { was, is },
                Side::Smaller => RingChange::Predecessor { was, is },
            };
            cx.emit(RouterEvent::Ring(change));
        }
        self.generation += 1;
        if nearest_changed {
            self.quicken(cx);
        }
        cx.emit(RouterEvent::NeighboursChanged);
        result
    }

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: PastryMessage) {
        if from.id == self.me.id {
            return;
        }
        if !message.is_sound() {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        match message {
            PastryMessage::Exchange { token, leaves } => self.on_exchange(cx, from, token, &leaves),
            PastryMessage::Exchanged { token, leaves } => {
                if let Some(probe) = self.answered(cx, from, token) {
                    self.exchanged(cx, from, &probe, &leaves);
                }
            }
            PastryMessage::Ping { token, standing } => {
                let mine = self.standing();
                cx.send(
                    from,
                    PastryMessage::Pong {
                        token,
                        standing: mine,
                    },
                );
                self.heard(cx, from, standing);
                if self.is_cut_off() && standing == Standing::Active {
                    self.back_through(cx, from);
                }
            }
            PastryMessage::Pong { token, standing } => {
                if let Some(probe) = self.answered(cx, from, token) {
                    self.ponged(cx, from, &probe, standing);
                }
            }
            PastryMessage::AskRows { token, first, last } => {
                let nodes = self.rows_for(from, first, last);
                cx.send(from, PastryMessage::Rows { token, nodes });
            }
            PastryMessage::Rows { token, nodes } => {
                if let Some(probe) = self.answered(cx, from, token) {
                    self.learnt_rows(cx, from, &probe, &nodes);
                }
            }
            PastryMessage::AskNearby { token } => {
                let nodes = self.nearby_for(from);
                cx.send(from, PastryMessage::Nearby { token, nodes });
            }
            PastryMessage::Nearby { token, nodes } => {
                if self.answered(cx, from, token).is_some() {
                    self.learnt_nearby(cx, from, &nodes);
                }
            }
            PastryMessage::Announce { rtt_us } => self.on_announce(cx, from, rtt_us),
            PastryMessage::Gone { contact } => self.on_gone(cx, from, contact),
            PastryMessage::Leaving => self.on_leaving(cx, from),
        }
    }

    /// A peer that is listed, or not, was heard directly.
    pub(crate) fn heard(&mut self, cx: &mut Cx<'_, Self>, from: Contact, standing: Standing) {
        let rtt = self.rtt.get(from.id).map(overlay::RttEstimator::smoothed);
        if !standing.is_listed() {
            self.not_listed(cx, from, standing);
            return;
        }
        if matches!(self.phase, Phase::Member) {
            // Whoever is cut off, or on the way back, may need it once more.
            self.lost.forget(from.id);
        }
        if self.config.maintain {
            let is_first = self.table.lacks(from.id);
            let is_taken = self.table.offer(from, rtt, cx.now);
            if is_taken && !is_first {
                self.search.found();
            }
            if self.config.has_bug(PlantedBug::WrongRow) {
                self.table.misplace_first();
            }
            self.take_in(cx, from);
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: PastryTimer) {
        match timer {
            PastryTimer::Start => self.start(cx),
            PastryTimer::Exchange { epoch } if epoch == self.ticker.epoch => self.tick(cx),
            PastryTimer::Exchange { .. } => {}
            PastryTimer::Upkeep => self.upkeep(cx),
            PastryTimer::Probes => self.probes_due(cx),
            PastryTimer::JoinAgain { token } => self.on_join_again(cx, token),
            PastryTimer::Reunite { epoch } => self.on_reunite(cx, epoch),
        }
    }

    fn on_call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: RouterCall) {
        match call {
            RouterCall::Create => self.create(cx, op),
            RouterCall::Join { via } => self.join(cx, op, via),
            RouterCall::Leave => self.leave(cx, op),
            RouterCall::Looked { token, found } => {
                if !self.join_looked(cx, token, found.as_ref()) {
                    self.reunite_looked(cx, token, found.as_ref());
                }
            }
            RouterCall::Silent(peer) => self.on_doubt(cx, peer, false),
        }
    }

    /// Each call gets its final event, even after leaving.
    fn refuse_after_leaving(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: &RouterCall) {
        match call {
            RouterCall::Leave => cx.emit(RouterEvent::Left { op }),
            RouterCall::Create | RouterCall::Join { .. } => cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "this node has left its network; start it again to join".into(),
            }),
            RouterCall::Looked { .. } | RouterCall::Silent(_) => {}
        }
    }

    /// Takes in a round trip that the lookup measured.
    pub(crate) fn measured(&mut self, peer: Id, rtt: Duration, now: overlay::Time) {
        self.rtt.observe(peer, rtt, now);
        self.table.heard(peer, Some(rtt), now);
    }
}

impl Machine for Pastry {
    type Message = PastryMessage;
    type Timer = PastryTimer;
    type Call = RouterCall;
    type Event = RouterEvent;

    fn kinds() -> Vec<&'static str> {
        PastryMessage::KINDS.to_vec()
    }

    fn kind(message: &PastryMessage) -> usize {
        message.kind()
    }

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        if matches!(self.phase, Phase::Left) {
            if let Input::Call { op, call } = input {
                self.refuse_after_leaving(cx, op, &call);
            }
            return;
        }
        match input {
            Input::Message { from, message } => self.on_message(cx, from, message),
            Input::Timer(timer) => self.on_timer(cx, timer),
            Input::Call { op, call } => self.on_call(cx, op, call),
            Input::PeerDown(peer) => self.on_doubt(cx, peer, true),
            Input::Durable(_) | Input::Loaded(_) => {}
        }
        if let Some(at) = self.probes.deadlines.to_arm() {
            cx.arm(at, PastryTimer::Probes);
        }
    }
}
