//! Leaving: everything is handed over first, then the router is told.

use crate::machine::Due;
use crate::{Dht, Store};
use overlay::lookup::RoutingCall;
use overlay::{Cx, Failure, Input, KeyRouter, Machine, Notice, OpId, Reply};

/// A node that leaves.
#[derive(Debug)]
pub(crate) struct Leaving {
    op: OpId,
    /// Whether the time for handing over is up.
    late: bool,
    /// Whether the router has been told.
    told: bool,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Begins to leave. Until it is done, the node answers as before; one replica more than usual
    /// is brought up to date for each of its arcs, so that there are enough without it.
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        let refused = if self.leaving.is_some() {
            Some(Failure::Refused("this node is leaving already".to_owned()))
        } else {
            (!self.routing.router().is_member()).then_some(Failure::NotMember)
        };
        if let Some(failure) = refused {
            return cx.emit(Notice::Done {
                op,
                reply: Reply::Failed(failure),
            });
        }
        self.leaving = Some(Leaving {
            op,
            late: false,
            told: false,
        });
        self.deadlines
            .set(Due::Leave, cx.now + self.config.leave_timeout);
        self.generation = None;
        self.refresh_views(cx);
        for member in self.views.iter_mut().flat_map(|view| &mut view.members) {
            member.next_at = cx.now;
        }
        self.strays_changed(cx);
        self.sync_due(cx);
    }

    pub(crate) fn leave_due(&mut self, _cx: &mut Cx<'_, Self>) {
        if let Some(leaving) = &mut self.leaving {
            leaving.late = true;
        }
    }

    /// Tells the router once all is handed over, or the time is up.
    pub(crate) fn leave_if_ready(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(Leaving {
            op,
            late,
            told: false,
        }) = self.leaving
        else {
            return;
        };
        let alone = self.views.iter().all(|view| view.members.is_empty());
        let handed = self.strays.idle
            && self
                .views
                .iter()
                .all(|view| view.replicas().all(|member| member.covered));
        if !(late || alone || handed) {
            return;
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.told = true;
        }
        let input = Input::Call {
            op,
            call: RoutingCall::Leave,
        };
        self.with_routing(cx, |routing, cx| routing.handle(cx, input));
    }
}
