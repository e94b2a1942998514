//! Joining: find somebody near, take the rows of the nodes on the way to one's own place, and ask
//! the neighbours there to be listed.
//!
//! After Rowstron and Druschel, section 2.4, with MSPastry's rule for the end (section 3.1): a node
//! answers for keys only when every member of its leaf set has confirmed that it lists the node.
//! So two nodes never take themselves for the closest to one key, unless a live one is taken for
//! dead.
//!
//! 1. *Seeking*: of the nodes near the one that was named, the nearest to us starts the lookup.
//! 2. *Looking*: the common lookup for our own id, with its path.
//! 3. *Learning*: the rows of each node on the path, and the leaf set of the root; whoever it lists
//!    near our place is asked for its own, until nobody is new.
//! 4. *Entering*: all of them are asked to list us. From the first that does, our part is nobody's
//!    until the last one has confirmed: one round trip, as nobody is asked who did not just answer.
//!
//! Deviation: who has joined tells the others that it is there and how far it is, not its whole state;
//! whoever wants its rows asks for them.
//!
//! Deviation: the rows are asked for along the path that the lookup reports, instead of being sent
//! by each hop. So the lookup is the one that all overlays share, and rows that are lost on the
//! way are asked for again.

use crate::MAX_LEAVES;
use crate::leaves::Side;
use crate::message::PastryTimer;
use crate::node::{Pastry, Phase};
use crate::probe::Purpose;
use crate::ticker::between;
use overlay::lookup::Located;
use overlay::{Contact, Cx, Duration, Id, LookupPurpose, OpId, RingChange, RouterEvent};

/// How often the place is looked up before joining fails; as for Chord.
pub const MAX_JOIN_LOOKUPS: u32 = 6;
/// How often when no lookup is answered at all: each has tried several times already.
const MAX_UNREACHED_LOOKUPS: u32 = 2;
/// How often a nearer node is sought. Our choice: each round costs two round trips, and the third
/// seldom finds a nearer one.
const MAX_SEEKS: u32 = 3;
/// Pause before the second lookup; doubled for each further one.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(150));

/// How far a join is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Seeking,
    Looking,
    Learning,
    Entering,
}

/// A join under way.
#[derive(Debug)]
pub(crate) struct Joining {
    /// The call; none when a node that was cut off comes back by itself.
    pub(crate) op: Option<OpId>,
    /// The member that was named.
    via: Contact,
    /// The nearest member found.
    near: Contact,
    stage: Stage,
    seeks: u32,
    lookups: u32,
    /// The lookup, or the pause before it, that is meant.
    token: u64,
    /// The nodes that have heard that we enter, [`MAX_LEAVES`] at most.
    confirmed: Vec<Id>,
    /// Whether any lookup had an answer so far.
    reached: bool,
    /// Whether the node was cut off, and is again when this fails.
    cut_off: bool,
}

impl Joining {
    pub(crate) fn is_entering(&self) -> bool {
        self.stage == Stage::Entering
    }

    pub(crate) fn is_learning(&self) -> bool {
        self.stage == Stage::Learning
    }
}

impl Pastry {
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
        self.probes.clear();
        self.leaves.clear();
        self.phase = Phase::Joining(Box::new(Joining {
            op,
            via,
            near: via,
            stage: Stage::Seeking,
            seeks: 0,
            lookups: 0,
            token: 0,
            confirmed: Vec::new(),
            reached: false,
            cut_off,
        }));
        if self.config.proximity {
            self.seek(cx);
        } else {
            self.look_up_place(cx);
        }
    }

    /// Asks the nearest member found so far whom it has near it.
    fn seek(&mut self, cx: &mut Cx<'_, Self>) {
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        joining.seeks += 1;
        let near = joining.near;
        self.probe(cx, near, Purpose::Nearby);
    }

    /// A member told whom it has near it.
    pub(crate) fn learnt_nearby(
        &mut self,
        cx: &mut Cx<'_, Self>,
        _from: Contact,
        nodes: &[Contact],
    ) {
        if matches!(&self.phase, Phase::Joining(joining) if joining.stage == Stage::Seeking) {
            for contact in nodes {
                self.probe(cx, *contact, Purpose::Measure);
            }
            self.join_progress(cx);
        }
    }

    /// A node has heard that this one enters.
    pub(crate) fn confirmed_by(&mut self, id: Id) {
        if let Phase::Joining(joining) = &mut self.phase
            && joining.is_entering()
            && !joining.confirmed.contains(&id)
        {
            if joining.confirmed.len() >= MAX_LEAVES {
                joining.confirmed.remove(0);
            }
            joining.confirmed.push(id);
        }
    }

    /// An answer came, or was waited for in vain: goes on when none is left to wait for.
    pub(crate) fn join_progress(&mut self, cx: &mut Cx<'_, Self>) {
        let Phase::Joining(joining) = &self.phase else {
            return;
        };
        let waits = |purpose: Purpose| match joining.stage {
            Stage::Seeking => matches!(purpose, Purpose::Nearby | Purpose::Measure),
            Stage::Looking => true,
            // Rows and measurements only make the table better: they may come later.
            Stage::Learning => purpose == Purpose::Learn,
            Stage::Entering => purpose == Purpose::Enter,
        };
        if joining.stage == Stage::Looking || self.probes.count(waits) > 0 {
            return;
        }
        match joining.stage {
            Stage::Seeking => self.sought(cx),
            Stage::Learning if self.leaves.is_empty() => self.look_up_again(cx),
            Stage::Learning => self.enter(cx),
            Stage::Entering => self.entered(cx),
            Stage::Looking => {}
        }
    }

    /// Everybody near the nearest node found so far is measured.
    fn sought(&mut self, cx: &mut Cx<'_, Self>) {
        let nearest = self.nearby.contacts().next();
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        let nearer = nearest.filter(|found| found.id != joining.near.id);
        if let Some(found) = nearer
            && joining.seeks < MAX_SEEKS
        {
            joining.near = found;
            return self.seek(cx);
        }
        joining.near = nearest.unwrap_or(joining.via);
        self.look_up_place(cx);
    }

    fn look_up_place(&mut self, cx: &mut Cx<'_, Self>) {
        let token = self.token();
        let key = self.me.id;
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        joining.stage = Stage::Looking;
        joining.lookups += 1;
        joining.token = token;
        // The near one may not be a member after all: then the one that was named.
        let first = joining.lookups == 1;
        let via = Some(if first { joining.near } else { joining.via });
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
        joining.confirmed.clear();
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
        joining.stage = Stage::Learning;
        let mut before = 0;
        for hop in found.path.iter().filter(|hop| hop.id != me.id) {
            let (first, last) = self.rows_of_hop(before, *hop);
            before = last.saturating_add(1);
            self.probe(cx, *hop, Purpose::Rows { first, last });
        }
        let around = found
            .replicas
            .iter()
            .chain([&found.owner])
            .chain(found.path.last());
        for contact in around {
            self.probe(cx, *contact, Purpose::Learn);
        }
        self.join_progress(cx);
        true
    }

    /// Everybody around the place is known: asks them to list this node.
    fn enter(&mut self, cx: &mut Cx<'_, Self>) {
        if let Phase::Joining(joining) = &mut self.phase {
            joining.stage = Stage::Entering;
        }
        for contact in self.leaves.members().to_vec() {
            self.probe(cx, contact, Purpose::Enter);
        }
        self.join_progress(cx);
    }

    /// Everybody in the leaf set lists this node.
    fn entered(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leaves.is_empty() {
            return self.look_up_again(cx);
        }
        let Phase::Joining(joining) = &self.phase else {
            return;
        };
        let confirmed = |leaf: &Contact| joining.confirmed.contains(&leaf.id);
        let members = self.leaves.members().iter();
        let unaware: Vec<Contact> = members.filter(|leaf| !confirmed(leaf)).copied().collect();
        if !unaware.is_empty() {
            for leaf in unaware {
                self.probe(cx, leaf, Purpose::Enter);
            }
            return;
        }
        let Phase::Joining(joining) = std::mem::replace(&mut self.phase, Phase::Member) else {
            return;
        };
        match joining.op {
            Some(op) => cx.emit(RouterEvent::Joined { op }),
            None => cx.emit(RouterEvent::Ring(RingChange::Reunited(joining.near))),
        }
        for side in [Side::Larger, Side::Smaller] {
            let is = self.leaves.nearest(side);
            let change = match side {
                Side::Larger => RingChange::Successor { was: None, is },
                Side::Smaller => RingChange::Predecessor { was: None, is },
            };
            cx.emit(RouterEvent::Ring(change));
        }
        self.generation += 1;
        self.failures.begin(cx.now);
        cx.emit(RouterEvent::NeighboursChanged);
        if !self.config.maintain {
            return;
        }
        self.announce(cx);
        self.quicken(cx);
        self.arm_upkeep(cx);
    }

    fn look_up_again(&mut self, cx: &mut Cx<'_, Self>) {
        let token = self.token();
        let Phase::Joining(joining) = &mut self.phase else {
            return;
        };
        joining.stage = Stage::Looking;
        let most = if joining.reached {
            MAX_JOIN_LOOKUPS
        } else {
            MAX_UNREACHED_LOOKUPS
        };
        if joining.lookups < most {
            joining.token = token;
            let factor = 1 << joining.lookups.min(8);
            let pause = between(cx.rng, PAUSE.0, PAUSE.1).times(factor / 2);
            cx.arm(cx.now + pause, PastryTimer::JoinAgain { token });
            return;
        }
        let reason = if joining.reached {
            format!(
                "the network of {} answers, but the members around this node's place did not after \
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
        self.probes.clear();
        self.leaves.clear();
        if let Some(op) = joining.op {
            cx.emit(RouterEvent::JoinFailed { op, reason });
        }
        if joining.cut_off {
            self.phase = Phase::CutOff {
                backoff: crate::solitude::REJOIN_MIN,
            };
            self.rejoin_later(cx);
        }
    }
}
