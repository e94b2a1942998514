//! Joining and having left, and what the router reports.

use crate::due::Due;
use crate::op::Work;
use crate::{Dht, Store};
use overlay::lookup::RoutingCall;
use overlay::{
    Contact, Cx, Deadlines, Failure, Input, KeyRouter, Machine, Notice, OpId, Reply, RouterEvent,
};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Founds a network: whatever is stored in it is what this node has. A store that was part
    /// of an earlier network is another matter: its other members may come back with records of
    /// their own, and what this node does not have is unknown at first, not absent.
    pub(crate) fn create(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.founding = !self.store.is_shared();
        self.enter(cx, op, RoutingCall::Create);
    }

    pub(crate) fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: Contact) {
        self.enter(cx, op, RoutingCall::Join { via });
    }

    fn enter(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: RoutingCall) {
        if self.routing.router().is_member() {
            let why = "this node is in a network already; let it leave first";
            let reply = Reply::Failed(Failure::Refused(why.to_owned()));
            return cx.emit(Notice::Done { op, reply });
        }
        self.left = false;
        let input = Input::Call { op, call };
        self.with_routing(cx, |routing, cx| routing.handle(cx, input));
    }

    pub(crate) fn router_event(&mut self, cx: &mut Cx<'_, Self>, event: RouterEvent) {
        match event {
            RouterEvent::Joined { op } => {
                if !self.founding && !self.store.is_shared() {
                    self.store.set_shared();
                }
                self.deadlines.set(Due::Sync, cx.now);
                self.strays_changed(cx);
                cx.emit(Notice::Done {
                    op,
                    reply: Reply::Joined,
                });
            }
            RouterEvent::JoinFailed { op, reason } => {
                let reply = Reply::Failed(Failure::JoinFailed(reason));
                cx.emit(Notice::Done { op, reply });
            }
            RouterEvent::Left { op } => {
                let (ops, reply) = self.left_with(op);
                self.gone(cx);
                for op in ops {
                    let reply = reply.clone();
                    cx.emit(Notice::Done { op, reply });
                }
            }
            RouterEvent::Ring(change) => cx.emit(Notice::Ring(change)),
            // Views follow the router's generation after each input.
            RouterEvent::NeighboursChanged | RouterEvent::Lookup { .. } => {}
        }
    }

    /// The node has left: calls under way end, and everything about the network is forgotten.
    fn gone(&mut self, cx: &mut Cx<'_, Self>) {
        let numbers: Vec<u64> = self.ops.keys().copied().collect();
        for number in numbers {
            let Some(op) = self.ops.get(&number) else {
                continue;
            };
            let failure = match &op.work {
                Work::Write(write) if write.was_sent() => Failure::NoAnswer { key: op.key },
                _ => Failure::NotMember,
            };
            self.fail(cx, number, failure);
        }
        self.left = true;
        self.leaving = None;
        self.leavers = crate::leavers::Leavers::default();
        self.askers = crate::excuse::Askers::default();
        self.founding = false;
        self.views.clear();
        self.former.clear();
        self.covers = crate::cover::Covers::default();
        self.horizons = crate::horizon::Horizons::default();
        self.batches.clear();
        self.strays = crate::strays::Strays::default();
        self.leases = crate::leases::Leases::default();
        self.coordinated.clear();
        self.deciding.clear();
        self.renewing.clear();
        self.repairs = crate::repair::Repairs::default();
        self.waiting.clear();
        self.local.clear();
        self.deadlines = Deadlines::default();
        self.sweeping = false;
    }
}
