//! Leaving: handing everything over takes the time that it takes, unless a limit was set, and how
//! it went is said.

use super::calls::Caller;
use super::driver::{Driver, Due};
use super::handle::Stopped;
use overlay::{Duration, Failure, Input, Locate, OpId, Reply, Request, Time};

/// What a node that is told to stop does, by a signal say: within the grace that service managers
/// give before they kill. Who wants to be sure that everything is handed over calls `Leave`. Unit
/// tests do not wait.
pub(super) const STOP: Request = Request::LeaveWithin {
    seconds: if cfg!(test) { 0 } else { 15 },
};

/// How long after its limit a machine that does not come to an end is stopped.
const BACKSTOP: Duration = if cfg!(test) {
    Duration::from_millis(200)
} else {
    Duration::from_secs(2)
};

/// How far the node is with leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// The process is to end when one of these calls to leave says so.
    Leaving(Vec<LeaveCall>),
    Done(Stopped),
}

/// A call to leave that is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeaveCall {
    op: OpId,
    /// When the process ends in any case.
    until: Option<Time>,
}

impl<M: Locate + 'static> Driver<M> {
    /// The machine decides what several calls to leave come to; a limit that was set is kept here
    /// too, in case that it cannot.
    pub(super) fn leave(&mut self, call: Request, caller: Caller) {
        let now = self.clock.now();
        let op = self.calls.begin(&call, caller, now);
        let until = match call {
            Request::LeaveWithin { seconds } => {
                Some(now + Duration::from_secs(seconds.into()) + BACKSTOP)
            }
            _ => None,
        };
        if let Some(until) = until {
            self.timers.arm(until, Due::GiveUpLeaving);
        }
        let call_to_leave = LeaveCall { op, until };
        match &mut self.stage {
            Stage::Leaving(calls) => calls.push(call_to_leave),
            Stage::Serving => self.stage = Stage::Leaving(vec![call_to_leave]),
            Stage::Done(_) => {}
        }
        self.handle(Input::Call { op, call });
    }

    pub(super) fn give_up_leaving(&mut self, now: Time) {
        let Stage::Leaving(calls) = &self.stage else {
            return;
        };
        // A stale timer: the call that set it was refused.
        let is_due = |call: &LeaveCall| call.until.is_some_and(|until| until <= now);
        if !calls.iter().any(is_due) {
            return;
        }
        let failure = self.not_handed_over();
        for call in calls.clone() {
            let reply = Reply::Failed(failure.clone());
            self.calls.finish(call.op, reply, now);
        }
        self.stage = Stage::Done(Stopped::Incomplete(failure));
    }

    /// What the answer to a call to leave, if it is one, means for the process.
    pub(super) fn leave_answered(&mut self, op: OpId, reply: &Reply) {
        let Stage::Leaving(calls) = &mut self.stage else {
            return;
        };
        let Some(at) = calls.iter().position(|call| call.op == op) else {
            return;
        };
        let call = calls.swap_remove(at);
        let is_last = calls.is_empty();
        let status = self.machine.status();
        let is_empty = status.values + status.holders == 0;
        let stopped = match reply {
            Reply::Failed(failure @ Failure::NotHandedOver { .. }) => {
                Some(Stopped::Incomplete(failure.clone()))
            }
            Reply::Failed(Failure::LastNode { .. } | Failure::Refused(_)) => None,
            // A node that is cut off can hand nothing over.
            Reply::Failed(_) if !is_empty => call
                .until
                .map(|_| Stopped::Incomplete(self.not_handed_over())),
            _ => Some(Stopped::Orderly),
        };
        match stopped {
            Some(stopped) => self.stage = Stage::Done(stopped),
            None if is_last => self.stage = Stage::Serving,
            None => {}
        }
    }

    fn not_handed_over(&self) -> Failure {
        let status = self.machine.status();
        Failure::NotHandedOver {
            values: status.values,
            holders: status.holders,
        }
    }
}
