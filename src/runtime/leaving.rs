//! Leaving: handing everything over takes its time, but not for ever, and how it went is said.

use super::calls::Caller;
use super::driver::{Driver, Due};
use super::handle::Stopped;
use overlay::{Duration, Failure, Input, Locate, OpId, Reply, Request, Time};

/// How long leaving may take before the node ends without having handed everything over. Our
/// choice: within the grace that service managers give before they kill. Unit tests do not wait.
const LEAVE_TIMEOUT: Duration = if cfg!(test) {
    Duration::from_millis(200)
} else {
    Duration::from_secs(15)
};

/// How far the node is with leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// The process is to end as soon as this call to leave is answered.
    Leaving(OpId),
    Done(Stopped),
}

impl<M: Locate + 'static> Driver<M> {
    /// Only the first call to leave ends the node: the answer to another one says at most that
    /// it is leaving already.
    pub(super) fn leave(&mut self, caller: Caller) {
        let (call, now) = (Request::Leave, self.clock.now());
        let op = self.calls.begin(&call, caller, now);
        if self.stage == Stage::Serving {
            self.stage = Stage::Leaving(op);
            self.timers.arm(now + LEAVE_TIMEOUT, Due::GiveUpLeaving);
        }
        self.handle(Input::Call { op, call });
    }

    pub(super) fn give_up_leaving(&mut self, now: Time) {
        if let Stage::Leaving(op) = self.stage {
            let status = self.machine.status();
            let failure = Failure::NotHandedOver {
                values: status.values,
                holders: status.holders,
            };
            self.calls.finish(op, Reply::Failed(failure.clone()), now);
            self.stage = Stage::Done(Stopped::Incomplete(failure));
        }
    }

    /// How a node ends whose call to leave is answered.
    pub(super) fn stopped_by(&self, reply: &Reply) -> Stopped {
        let status = self.machine.status();
        match reply {
            // A node that was cut off could hand nothing over.
            Reply::Failed(_) if status.values + status.holders > 0 => {
                Stopped::Incomplete(Failure::NotHandedOver {
                    values: status.values,
                    holders: status.holders,
                })
            }
            _ => Stopped::Orderly,
        }
    }
}
