//! Leaving: everything is handed over first, then the router is told.
//!
//! Until then the node answers as before, and one replica more than usual is brought up to date for
//! each of its arcs, so that there are enough without it. Of records that it has as a copy, the root
//! is asked to make another one first (`excuse`, `leavers`). How long all that takes depends on how
//! much there is and on the pace of repairs, and so there is no limit but the one that the user
//! sets: at its end the node leaves in any case, and says that it did not hand everything over.
//!
//! The last node of a network has nobody to hand over to. It stays, unless a limit was set or it
//! has no records: then it ends, and whatever it has stays on its disk.

use crate::due::Due;
use crate::member::Member;
use crate::view::View;
use crate::{Dht, Store, StoreMessage};
use overlay::lookup::RoutingCall;
use overlay::{Cx, Duration, Failure, Id, Input, KeyRouter, Machine, Notice, OpId, Reply, Time};

/// Most calls to leave that wait for the end together: users who ask again.
const MAX_LEAVE_CALLS: usize = 64;

/// A node that leaves.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Who asked; all are answered at the end.
    ops: Vec<OpId>,
    /// When the first of them did.
    since: Time,
    /// When it leaves in any case.
    until: Option<Time>,
    /// Whether that time is over.
    late: bool,
    /// Whether the router has been told.
    told: bool,
    /// Whether everything was handed over by then.
    handed: bool,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Begins to leave, or sets another end to it.
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId, within_s: Option<u32>) {
        let until = within_s.map(|seconds| cx.now + Duration::from_secs(seconds.into()));
        let refused = if !self.routing.router().is_member() {
            Some(Failure::NotMember)
        } else if let Some(leaving) = &mut self.leaving {
            leaving.until = until.or(leaving.until);
            (leaving.ops.len() >= MAX_LEAVE_CALLS)
                .then(|| Failure::Refused("this node is leaving already".to_owned()))
        } else {
            None
        };
        if let Some(at) = until {
            self.deadlines.set(Due::Leave, at);
        }
        if let Some(failure) = refused {
            let reply = Reply::Failed(failure);
            return cx.emit(Notice::Done { op, reply });
        }
        if let Some(leaving) = &mut self.leaving {
            return leaving.ops.push(op);
        }
        self.leaving = Some(Leaving {
            ops: vec![op],
            since: cx.now,
            until,
            late: false,
            told: false,
            handed: false,
        });
        self.askers.begin();
        self.stayers_changed(cx);
        for member in self.views.iter_mut().flat_map(|view| &mut view.members) {
            member.next_at = cx.now;
        }
        self.sync_due(cx);
        self.strays_changed(cx);
        self.excuse_due(cx);
    }

    /// Since when this node has been leaving.
    pub(crate) fn leaving_since(&self) -> Option<Time> {
        self.leaving.as_ref().map(|leaving| leaving.since)
    }

    pub(crate) fn leave_due(&mut self, cx: &mut Cx<'_, Self>) {
        if let Some(leaving) = &mut self.leaving {
            leaving.late = leaving.until.is_some_and(|until| until <= cx.now);
        }
    }

    /// Tells the router once all is handed over, or the time is up; gives up when nobody is left.
    pub(crate) fn leave_if_ready(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(Leaving {
            ops,
            until,
            late,
            told: false,
            ..
        }) = &self.leaving
        else {
            return;
        };
        let (is_limited, late) = (until.is_some(), *late);
        let Some(op) = ops.first().copied() else {
            return;
        };
        let alone = self.is_alone();
        let counts = self.store.counts();
        let empty = counts.values == 0 && counts.holders == 0;
        if alone && !is_limited && !empty {
            return self.stay(cx);
        }
        // A newcomer may have no arc yet; with nothing to hand over it need not wait for one.
        let handed = alone
            || counts.is_empty() && self.views.is_empty()
            || self.has_handed_over() && self.is_excused(cx.now) && self.is_my_turn(cx.now);
        if !(late || handed) {
            return;
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.told = true;
            leaving.handed = handed;
        }
        if handed {
            for peer in self.copies() {
                self.post(cx, peer, StoreMessage::Gone);
            }
        }
        let input = Input::Call {
            op,
            call: RoutingCall::Leave,
        };
        self.with_routing(cx, |routing, cx| routing.handle(cx, input));
    }

    /// Whether the router knows nobody else.
    fn is_alone(&self) -> bool {
        let alone = |view: &View| view.replicas().next().is_none();
        !self.views.is_empty()
            && self.views.iter().all(alone)
            && self.routing.router().contacts().is_empty()
    }

    /// Whether somebody else has everything that belongs to this root, and nothing is here that
    /// belongs elsewhere. An arc without replicas is handed to nobody.
    pub(crate) fn has_handed_over(&self) -> bool {
        let Some(since) = self.leaving_since() else {
            return false;
        };
        let is_copy = |member: &Member| member.covered && member.since >= Some(since);
        let copied = |view: &View| view.replicas().next().is_some() && view.replicas().all(is_copy);
        self.strays.idle && self.views.iter().all(copied)
    }

    /// This node, while it means to leave: it does not count itself then.
    pub(crate) fn leaver(&self) -> Option<Id> {
        self.leaving.is_some().then(|| self.my().id)
    }

    /// Nobody is left to take anything: the node stays.
    fn stay(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(Leaving { ops, .. }) = self.leaving.take() else {
            return;
        };
        self.deadlines.clear(Due::Leave);
        self.stayers_changed(cx);
        let counts = self.store.counts();
        let failure = Failure::LastNode {
            values: counts.values,
            holders: counts.holders,
        };
        for op in ops {
            let reply = Reply::Failed(failure.clone());
            cx.emit(Notice::Done { op, reply });
        }
    }

    /// The router has left: who is to be told, and what.
    pub(crate) fn left_with(&mut self, op: OpId) -> (Vec<OpId>, Reply) {
        let Some(Leaving { ops, handed, .. }) = self.leaving.take() else {
            return (vec![op], Reply::Left);
        };
        let counts = self.store.counts();
        let reply = if handed || counts.is_empty() {
            Reply::Left
        } else {
            Reply::Failed(Failure::NotHandedOver {
                values: counts.values,
                holders: counts.holders,
            })
        };
        (ops, reply)
    }
}
