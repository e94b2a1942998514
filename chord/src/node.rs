//! The machine: its state, and which phase takes which input.

use crate::bootstrap::History;
use crate::cession::Part;
use crate::fingers::Fingers;
use crate::join::Joining;
use crate::message::{self, ChordMessage, ChordTimer};
use crate::near::Survey;
use crate::planted::PlantedBug;
use crate::reunite::Lost;
use crate::step::{Purpose, Step};
use crate::tend::{SEARCH, Tended};
use crate::ticker::Ticker;
use crate::{ChordConfig, Ring};
use overlay::failures::FailureRate;
use overlay::proximity::Search;
use overlay::{
    Contact, Cx, Duration, Fault, Id, Input, Machine, OpId, RingChange, RouterCall, RouterEvent,
    RttTable, Time,
};

/// How many successors are so close that a change of one of them makes a node stabilise quickly for
/// a while. Our choice: those that are replicas of its keys, and one more. A change farther down the
/// list is passed on, and what is lost of that comes at the next regular stabilisation.
const CLOSE: usize = 3;

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

/// What is thought of the predecessor, beyond its being known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing against it.
    None,
    /// It was given with the tables and never heard of: it may have been dead all along.
    Unheard,
    /// Somebody found it silent; it is to be probed.
    Suspected,
    /// Our own probe had no answer, or it said that it leaves. Only a notification replaces it.
    Dead,
}

/// A Chord node: the ring, kept by Zave's corrected protocol.
///
/// Memory: about 700 bytes, 52 for each successor and 80 for each finger beyond the successor
/// list (16 of them among a million nodes, and [`PARTS`](crate::PARTS) times as many by proximity),
/// and the round-trip estimates of its neighbours.
#[derive(Debug)]
pub struct Chord {
    pub(crate) me: Contact,
    pub(crate) config: ChordConfig,
    pub(crate) ring: Ring,
    pub(crate) phase: Phase,
    pub(crate) step: Option<Box<Step>>,
    pub(crate) tokens: u64,
    pub(crate) ticker: Ticker,
    pub(crate) notified: Vec<Contact>,
    pub(crate) departed: Vec<(Id, Time)>,
    pub(crate) doubt: Doubt,
    pub(crate) part: Part,
    pub(crate) fingers: Fingers,
    pub(crate) survey: Option<Box<Survey>>,
    pub(crate) tended: Option<Tended>,
    pub(crate) search: Search,
    pub(crate) failures: FailureRate,
    pub(crate) lost: Lost,
    pub(crate) rtt: RttTable,
    pub(crate) history: History,
    pub(crate) generation: u64,
}

impl Chord {
    /// A node that is in no network yet: give it `RouterCall::Create` or `RouterCall::Join`.
    #[must_use]
    pub fn new(me: Contact, config: ChordConfig) -> Self {
        Self {
            me,
            ring: Ring::alone(me, config.list_length()),
            phase: Phase::Outside,
            step: None,
            tokens: 0,
            ticker: Ticker::new(config.stabilize.min),
            notified: Vec::new(),
            departed: Vec::new(),
            doubt: Doubt::None,
            part: Part::default(),
            fingers: Fingers::default(),
            survey: None,
            tended: None,
            search: Search::new(SEARCH.0),
            failures: FailureRate::default(),
            lost: Lost::default(),
            rtt: RttTable::default(),
            history: History::default(),
            generation: 0,
            config,
        }
    }

    /// Begins to maintain given tables: the same as handing in [`ChordTimer::Start`].
    pub fn start(&mut self, cx: &mut Cx<'_, Self>) {
        if matches!(self.phase, Phase::Member) && self.config.maintain {
            self.stabilize(cx);
        }
    }

    /// Successors and predecessor.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &ChordConfig {
        &self.config
    }

    /// Whether the node lost everybody it knew and tries to come back.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        matches!(self.phase, Phase::CutOff { .. })
    }

    /// Whether a query of its own is out, so that it answers others with `Pending`.
    #[must_use]
    pub fn in_step(&self) -> bool {
        self.is_pending()
    }

    /// Changes the ring and tells about whatever changed.
    pub(crate) fn change<R>(
        &mut self,
        cx: &mut Cx<'_, Self>,
        transition: impl FnOnce(&mut Ring) -> R,
    ) -> R {
        let before = self.ring.clone();
        let result = transition(&mut self.ring);
        if self.config.has_bug(PlantedBug::UnorderedList) {
            self.ring.swap_first();
        }
        self.announce(cx, &before);
        result
    }

    fn announce(&mut self, cx: &mut Cx<'_, Self>, before: &Ring) {
        if self.ring == *before {
            return;
        }
        let (was, is) = (before.first(), self.ring.first());
        if was != is {
            cx.emit(RouterEvent::Ring(RingChange::Successor { was, is }));
        }
        let (was, is) = (before.predecessor(), self.ring.predecessor());
        if was != is {
            self.doubt = Doubt::None;
            cx.emit(RouterEvent::Ring(RingChange::Predecessor { was, is }));
            self.predecessor_changed(cx, before);
        }
        if before.successors() != self.ring.successors() && !before.successors().is_empty() {
            self.hint_predecessor(cx);
        }
        self.generation += 1;
        self.history.saw(&self.ring);
        let close = |ring: &Ring| {
            let mut successors = ring.successors().to_vec();
            successors.truncate(CLOSE);
            (ring.predecessor(), successors)
        };
        if close(before) != close(&self.ring) {
            self.quicken();
        }
        cx.emit(RouterEvent::NeighboursChanged);
    }

    /// A neighbour did not answer: say so once, and remember it for a reunion.
    pub(crate) fn declare_dead(&mut self, cx: &mut Cx<'_, Self>, dead: Contact) {
        self.failures.note(cx.now);
        self.fingers.remove(dead.id);
        if self.remember_lost(cx, dead) {
            cx.emit(RouterEvent::Ring(RingChange::Dead(dead)));
        }
    }

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: ChordMessage) {
        if from.id == self.me.id {
            return;
        }
        if self.doubt == Doubt::Unheard
            && self
                .ring
                .predecessor()
                .is_some_and(|known| known.id == from.id)
        {
            self.doubt = Doubt::None;
        }
        self.fingers.heard(from.id, None, cx.now);
        if message != ChordMessage::Leaving {
            self.departed.retain(|(departed, _)| *departed != from.id);
        }
        match message {
            ChordMessage::Query { token } => self.on_query(cx, from, token),
            ChordMessage::State {
                token,
                predecessor,
                successors,
                cut_off,
            } => {
                if message::is_sound(from, predecessor, &successors) {
                    self.on_state(cx, from, token, predecessor, &successors, cut_off);
                } else {
                    cx.hang_up(from, Fault::OutOfBounds);
                }
            }
            ChordMessage::Pending { token } => self.on_pending(cx, from, token),
            ChordMessage::Notify => self.on_notify(cx, from),
            ChordMessage::Ping { token } => match self.phase {
                Phase::Member => cx.send(from, ChordMessage::Pong { token }),
                _ => cx.send(from, ChordMessage::NotMember { token }),
            },
            ChordMessage::Pong { token } => self.on_pong(cx, from, token),
            ChordMessage::NotMember { token } => {
                if let Some(step) = self.answered(cx, from, token) {
                    self.lost.restarted |= step.purpose == Purpose::Rejoin;
                    self.step_failed(cx, &step, false);
                }
            }
            ChordMessage::Leaving => self.on_leaving(cx, from),
            ChordMessage::Ceded { start } => self.on_ceded(cx, from, start),
            ChordMessage::AskList { token } => self.on_ask_list(cx, from, token),
            ChordMessage::AskFingers { token } => self.on_ask_fingers(cx, from, token),
            ChordMessage::Fingers { token, fingers } => self.on_fingers(cx, from, token, fingers),
            ChordMessage::List { token, successors } => {
                if message::is_sound(from, None, &successors) {
                    self.on_list(cx, from, token, &successors);
                } else {
                    cx.hang_up(from, Fault::OutOfBounds);
                }
            }
            ChordMessage::Changed => {
                if self.ring.first().is_some_and(|first| first.id == from.id) {
                    self.hurry(cx);
                }
            }
        }
    }

    /// Somebody asks for our state. Our predecessor need not notify us afterwards: that would change
    /// nothing, and what it says otherwise this says too.
    fn on_query(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let is_before = |known: Contact| known.id == from.id;
        if matches!(self.phase, Phase::Member)
            && !self.is_pending()
            && self.ring.predecessor().is_some_and(is_before)
        {
            self.doubt = Doubt::None;
            self.predecessor_notified(cx, from);
        }
        let reply = match self.phase {
            Phase::Member | Phase::CutOff { .. } if self.is_pending() => {
                ChordMessage::Pending { token }
            }
            Phase::Member | Phase::CutOff { .. } => ChordMessage::State {
                token,
                predecessor: self.ring.predecessor(),
                successors: self.ring.successors().to_vec(),
                cut_off: self.is_cut_off(),
            },
            _ => ChordMessage::NotMember { token },
        };
        cx.send(from, reply);
    }

    fn on_state(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
        predecessor: Option<Contact>,
        successors: &[Contact],
        cut_off: bool,
    ) {
        let Some(step) = self.answered(cx, from, token) else {
            return;
        };
        match step.purpose {
            Purpose::Successor => self.successor_answered(cx, from, predecessor, successors),
            Purpose::Predecessor { reunion } => {
                self.candidate_answered(cx, from, successors, reunion);
            }
            Purpose::Meet => self.met(cx, from, successors),
            Purpose::Rejoin => self.rejoin_answered(cx, from, successors, cut_off),
            Purpose::Join if cut_off => self.ask_next_candidate(cx),
            Purpose::Join => self.candidate_state(cx, from, predecessor, successors),
            // Asked with a ping: a state is no answer to it.
            Purpose::Rectify { .. } | Purpose::Suspicion => self.step = Some(step),
        }
    }

    fn on_pong(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let Some(step) = self.answered(cx, from, token) else {
            if !self.alternate_answered(cx, from, token) && !self.finger_answered(cx, from, token) {
                self.lost_answered(cx, from, token);
            }
            return;
        };
        let before = self.ring.predecessor();
        if before.is_some_and(|known| known.id == from.id) {
            self.doubt = Doubt::None;
        }
        match step.purpose {
            Purpose::Rectify { .. } | Purpose::Suspicion => self.step_done(cx),
            // Asked for the state: a pong is no answer to it.
            _ => self.step = Some(step),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: ChordTimer) {
        match timer {
            ChordTimer::Start => self.start(cx),
            ChordTimer::Stabilize { epoch } if epoch == self.ticker.epoch => self.tick(cx),
            ChordTimer::Stabilize { .. } => {}
            ChordTimer::Timeout { token, attempt } => self.on_timeout(cx, token, attempt),
            ChordTimer::Again { token } => self.on_again(cx, token),
            ChordTimer::JoinAgain { token } => self.on_join_again(cx, token),
            ChordTimer::Survey { token } => self.on_survey_over(cx, token),
            ChordTimer::Finger { token } => self.on_finger_silent(cx, token),
            ChordTimer::Reunite { epoch } => self.on_reunite(cx, epoch),
        }
    }

    fn on_call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: RouterCall) {
        match call {
            RouterCall::Create => self.create(cx, op),
            RouterCall::Join { via } => self.join(cx, op, via),
            RouterCall::Leave => self.leave(cx, op),
            RouterCall::Looked { token, found } => {
                let found = found.as_ref();
                if !self.join_looked(cx, token, found) && !self.reunite_looked(cx, token, found) {
                    self.finger_looked(cx, token, found);
                }
            }
            RouterCall::Silent(peer) => self.on_doubt(cx, peer),
        }
    }
}

impl Machine for Chord {
    type Message = ChordMessage;
    type Timer = ChordTimer;
    type Call = RouterCall;
    type Event = RouterEvent;

    fn kinds() -> Vec<&'static str> {
        ChordMessage::KINDS.to_vec()
    }

    fn kind(message: &ChordMessage) -> usize {
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
            Input::PeerDown(peer) => {
                self.on_doubt(cx, peer);
                let step = self.step.as_ref();
                let is_asked = step.is_some_and(|step| step.peer.id == peer.id);
                if self.config.maintain && is_asked {
                    self.failed_try(cx);
                }
            }
            Input::Durable(_) | Input::Loaded(_) => {}
        }
    }
}
