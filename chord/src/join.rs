//! Joining: find the member before one's own place, ask it, take its list.
//!
//! "Join(j). Find m with between(m, j, m.succ[0]); query m; then succ := m.succ, prdc := m. No
//! notification. No answer: look up again." A lookup of the own id through a member finds the
//! successor; its predecessor, or the hop before it, is where the search for m begins.

use crate::message::ChordTimer;
use crate::node::{Chord, Phase};
use crate::step::Purpose;
use crate::{Period, Ring};
use overlay::lookup::Located;
use overlay::{Contact, Cx, Duration, Id, LookupPurpose, OpId, RingChange, RouterEvent};

/// How often the place is looked up before joining fails. Our choice: with the pauses between
/// them 3 to 6 seconds, in which a network that lost members lately repairs itself.
pub const MAX_JOIN_LOOKUPS: u32 = 6;
/// How often when no lookup is answered at all: each has tried several times already.
const MAX_UNREACHED_LOOKUPS: u32 = 2;
/// Most members asked after one lookup. Our choice: the walk from the lookup's answer back to the
/// right place passes the nodes that joined there at the same time.
pub const MAX_JOIN_QUERIES: usize = 32;
/// Pause before the second lookup; doubled for each further one.
const PAUSE: Period = Period::new(Duration::from_millis(50), Duration::from_millis(150));
/// Candidates kept as a way out when a better one is dead.
const MAX_CANDIDATES: usize = 8;

/// A join under way.
#[derive(Debug)]
pub(crate) struct Joining {
    /// The call; none when a node that was cut off comes back by itself.
    pub(crate) op: Option<OpId>,
    via: Contact,
    lookups: u32,
    /// The lookup, or the pause before it, that is meant.
    token: u64,
    /// Whom to ask next, the best last.
    candidates: Vec<Contact>,
    /// The owner that the lookup found: what lies between us and it is ahead of us.
    owner: Id,
    /// Whom we asked since the last lookup, at most [`MAX_JOIN_QUERIES`].
    asked: Vec<Id>,
    /// Whether any lookup had an answer so far.
    reached: bool,
    /// Whether the node was cut off, and is again when this fails.
    cut_off: bool,
}

impl Chord {
    pub(crate) fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: Contact) {
        let refused = match self.phase {
            _ if via.id == self.me.id => Some(format!(
                "{} is this node itself; name another member",
                via.addr
            )),
            Phase::Outside | Phase::CutOff { .. } => None,
            Phase::Joining(_) => Some("a join is under way already".into()),
            _ => Some("this node is in a network already".into()),
        };
        match refused {
            Some(reason) => cx.emit(RouterEvent::JoinFailed { op, reason }),
            None => self.begin_join(cx, Some(op), via),
        }
    }

    /// Starts to join through `via`.
    pub(crate) fn begin_join(&mut self, cx: &mut Cx<'_, Self>, op: Option<OpId>, via: Contact) {
        let cut_off = self.is_cut_off();
        if !cut_off {
            self.begin_tokens(cx);
        }
        self.step = None;
        self.phase = Phase::Joining(Box::new(Joining {
            op,
            via,
            lookups: 0,
            token: 0,
            candidates: Vec::new(),
            owner: self.me.id,
            asked: Vec::new(),
            reached: false,
            cut_off,
        }));
        self.look_up_place(cx);
    }

    fn look_up_place(&mut self, cx: &mut Cx<'_, Self>) {
        let token = self.token();
        let key = self.me.id;
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        joining.lookups += 1;
        joining.candidates.clear();
        joining.asked.clear();
        joining.token = token;
        let via = Some(joining.via);
        cx.emit(RouterEvent::Lookup {
            token,
            key,
            via,
            purpose: LookupPurpose::Join,
        });
    }

    /// The pause before another lookup is over.
    pub(crate) fn on_join_again(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.token == token) {
            self.look_up_place(cx);
        }
    }

    /// Takes the answer of a lookup; says whether it was this join's.
    pub(crate) fn join_looked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        token: u64,
        found: Option<&Located>,
    ) -> bool {
        let me = self.me;
        let Phase::Joining(joining) = &mut self.phase else {
            return false;
        };
        if joining.token != token {
            return false;
        }
        joining.token = 0;
        let Some(found) = found else {
            self.look_up_again(cx);
            return true;
        };
        joining.reached = true;
        if found.owner.id == me.id && found.owner.addr != me.addr {
            let reason = format!(
                "another node with this id ({}) is in the network, at {}; every node needs a data \
                 directory and key of its own",
                me.id.short(),
                found.owner.addr
            );
            self.join_failed(cx, reason);
            return true;
        }
        // The best last: the owner's answer will put its predecessor on top.
        joining
            .candidates
            .extend(found.previous.filter(|previous| previous.id != me.id));
        let first = found
            .replicas
            .iter()
            .copied()
            .find(|replica| replica.id != me.id);
        let owner = if found.owner.id == me.id {
            first
        } else {
            Some(found.owner)
        };
        joining.owner = owner.map_or(me.id, |owner| owner.id);
        joining.candidates.extend(owner);
        self.ask_next_candidate(cx);
        true
    }

    /// Asks the next candidate, or looks up again when there is none.
    pub(crate) fn ask_next_candidate(&mut self, cx: &mut Cx<'_, Self>) {
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        while let Some(candidate) = joining.candidates.pop() {
            let new = !joining.asked.contains(&candidate.id);
            if new && joining.asked.len() < MAX_JOIN_QUERIES {
                joining.asked.push(candidate.id);
                self.start_step(cx, candidate, Purpose::Join);
                return;
            }
        }
        self.look_up_again(cx);
    }

    /// A candidate told its state: it is the one before us, or knows one that is closer.
    pub(crate) fn candidate_state(
        &mut self,
        cx: &mut Cx<'_, Self>,
        candidate: Contact,
        predecessor: Option<Contact>,
        list: &[Contact],
    ) {
        let me = self.me.id;
        let list = &self.without_the_dead(list, cx.now)[..];
        if let Some(ring) = Ring::join(self.me, self.ring.length(), candidate, list) {
            self.joined(cx, ring, candidate);
            return;
        }
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        let next = if candidate.id.in_arc(me, joining.owner) {
            // It is ahead of us: its predecessor is nearer.
            predecessor.filter(|known| known.id != me)
        } else {
            // It is behind us: the last of its list before us is nearer.
            let before_us = |entry: &&Contact| entry.id.is_between(candidate.id, me);
            list.iter().rfind(before_us).copied()
        };
        if joining.candidates.len() < MAX_CANDIDATES {
            joining.candidates.extend(next);
        }
        self.ask_next_candidate(cx);
    }

    fn joined(&mut self, cx: &mut Cx<'_, Self>, ring: Ring, member: Contact) {
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Member) else {
            return;
        };
        match joining.op {
            Some(op) => cx.emit(RouterEvent::Joined { op }),
            None => cx.emit(RouterEvent::Ring(RingChange::Reunited(member))),
        }
        self.change(cx, |state| *state = ring);
        self.wait_for_part(cx.now);
        self.watch_failures(cx.now);
        self.fingers.fill();
        self.schedule(cx, Duration::ZERO);
        if !self.config.maintain {
            return;
        }
        for notifier in std::mem::take(&mut self.notified) {
            self.on_notify(cx, notifier);
        }
    }

    fn look_up_again(&mut self, cx: &mut Cx<'_, Self>) {
        let token = self.token();
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        let most = if joining.reached {
            MAX_JOIN_LOOKUPS
        } else {
            MAX_UNREACHED_LOOKUPS
        };
        if joining.lookups < most {
            joining.token = token;
            let factor = 1 << joining.lookups.min(8);
            let pause = PAUSE.draw(cx.rng).times(factor / 2);
            cx.arm(cx.now + pause, ChordTimer::JoinAgain { token });
            return;
        }
        let reason = if joining.reached {
            format!(
                "the network of {} answers, but the member before this node's place did not after \
                 {MAX_JOIN_LOOKUPS} attempts; try again in a few seconds",
                joining.via.addr
            )
        } else {
            format!(
                "no member of a network answered through {}; \
                 check that it runs and has itself joined, or name another member",
                joining.via.addr
            )
        };
        self.join_failed(cx, reason);
    }

    fn join_failed(&mut self, cx: &mut Cx<'_, Self>, reason: String) {
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Outside) else {
            return;
        };
        self.step = None;
        if let Some(op) = joining.op {
            cx.emit(RouterEvent::JoinFailed { op, reason });
        }
        if joining.cut_off {
            self.phase = Phase::CutOff {
                backoff: crate::bootstrap::REJOIN_MIN,
            };
            self.rejoin_later(cx);
        }
    }
}
