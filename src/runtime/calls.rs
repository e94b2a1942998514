//! Local calls that wait for their answer.

use crate::control::server::ReplySink;
use crate::control::{ControlReply, ReplyBody};
use crate::event::OperationKind;
use crate::feed::Feed;
use crate::metrics::Metrics;
use overlay::{Id, LookupReport, OpId, Reply, Request, Time};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Caller {
    /// This process.
    Local(oneshot::Sender<Reply>),
    /// The node, which looks at itself. Not counted: when nobody uses a node that is cut off, no
    /// call of a user has failed.
    Itself(oneshot::Sender<Reply>),
    /// A client.
    Client { sink: Arc<ReplySink>, id: u64 },
    /// Nobody.
    Nobody,
}

#[derive(Debug)]
struct Waiting {
    kind: OperationKind,
    key: Option<Id>,
    since: Time,
    caller: Caller,
}

/// The calls under way. Their number is bounded by the machine, which answers at once when it has
/// too many, and by each client's limit.
#[derive(Debug)]
pub(crate) struct Calls {
    metrics: Arc<Metrics>,
    feed: Feed,
    waiting: HashMap<OpId, Waiting>,
    next: u64,
    dirty: Vec<Arc<ReplySink>>,
}

impl Calls {
    pub(crate) fn new(metrics: Arc<Metrics>, feed: Feed) -> Self {
        Self {
            metrics,
            feed,
            waiting: HashMap::new(),
            next: 1,
            dirty: Vec::new(),
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Names a call.
    pub(crate) fn begin(&mut self, request: &Request, caller: Caller, now: Time) -> OpId {
        let op = OpId(self.next);
        self.next += 1;
        let waiting = Waiting {
            kind: request.into(),
            key: request.key(),
            since: now,
            caller,
        };
        self.waiting.insert(op, waiting);
        op
    }

    /// Tells of a lookup that a call needed; not of those of the node that looks at itself.
    pub(crate) fn looked_up(&self, op: OpId, report: LookupReport) {
        if let Some(waiting) = self.waiting.get(&op)
            && !matches!(waiting.caller, Caller::Itself(_))
        {
            self.feed.looked_up(waiting.kind, report);
        }
    }

    /// Answers a call.
    pub(crate) fn finish(&mut self, op: OpId, reply: Reply, now: Time) {
        let Some(waiting) = self.waiting.remove(&op) else {
            return;
        };
        if !matches!(waiting.caller, Caller::Itself(_)) {
            let took = Duration::from_micros(now.since(waiting.since).as_micros());
            self.metrics
                .operation(waiting.kind, &reply, took.as_secs_f64());
            self.feed.answered(waiting.kind, waiting.key, &reply, took);
        }
        match waiting.caller {
            Caller::Local(caller) | Caller::Itself(caller) => {
                // Whoever asked may have stopped waiting.
                let _ = caller.send(reply);
            }
            Caller::Client { sink, id } => {
                let body = match reply {
                    Reply::Left => ReplyBody::Left,
                    reply => ReplyBody::Data(reply),
                };
                self.answer(&sink, ControlReply { id, body });
            }
            Caller::Nobody => {}
        }
    }

    /// Queues an answer to a client.
    pub(crate) fn answer(&mut self, sink: &Arc<ReplySink>, reply: ControlReply) {
        if sink.push(&reply) {
            self.dirty.push(Arc::clone(sink));
        }
    }

    /// Sends all answers.
    pub(crate) fn flush(&mut self) {
        for sink in self.dirty.drain(..) {
            sink.send();
        }
    }
}
