//! Calls under way at their origin: finding the root, waiting, and the one final answer.

use crate::due::Due;
use crate::planted::PlantedBug;
use crate::read::ReadWork;
use crate::write::WriteWork;
use crate::{Dht, Store};
use overlay::lookup::{Located, LookupError, LookupRequest, RoutingCall};
use overlay::{
    Contact, Cx, Duration, Failure, Id, Input, KeyRouter, Machine, Notice, OpId, Reply, Request,
    Time,
};
use smallvec::SmallVec;

/// Most calls that one node has under way. Each takes about 1 KiB and a value.
pub const MAX_OPERATIONS: usize = 65_536;

/// The first pause before a call starts over; doubled each time up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(1_600);

/// A replica set: the root first.
pub(crate) type Replicas = SmallVec<[Contact; 3]>;

/// One call under way.
#[derive(Debug)]
pub(crate) struct Op {
    /// By which name its user knows it.
    pub(crate) who: OpId,
    pub(crate) key: Id,
    /// When its user gets an answer in any case.
    pub(crate) deadline: Time,
    /// Whether it is waiting for a lookup, for answers, or for a better moment.
    pub(crate) stage: Stage,
    /// When its last lookup began.
    pub(crate) looking_since: Time,
    /// How often it paused.
    pub(crate) pauses: u32,
    /// How often the node taken for the root denied it.
    pub(crate) denials: u32,
    pub(crate) replicas: Replicas,
    pub(crate) work: Work,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The lookup of the root.
    Looking,
    /// Answers.
    Asking,
    /// A better moment.
    Pausing,
}

/// What is to be done.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a call is boxed as a whole; most are reads"
)]
pub(crate) enum Work {
    Read(ReadWork),
    Write(WriteWork),
    Locate,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A user's call.
    pub(crate) fn call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: Request) {
        match call {
            Request::Create => return self.create(cx, op),
            Request::Join { via } => return self.join(cx, op, via),
            Request::Leave => return self.leave(cx, op, None),
            Request::LeaveWithin { seconds } => return self.leave(cx, op, Some(seconds)),
            _ => {}
        }
        if let Some(failure) = self.reject(&call) {
            return cx.emit(Notice::Done {
                op,
                reply: Reply::Failed(failure),
            });
        }
        let Some(key) = call.key() else {
            // Those of the membership are on their way already.
            return self.start_search(cx, op, &call);
        };
        let work = match call {
            Request::Get {
                consistency,
                at_least,
                ..
            } => Work::Read(ReadWork::value(consistency, at_least)),
            Request::Search {
                limit, consistency, ..
            } => Work::Read(ReadWork::holders(limit, consistency)),
            Request::Locate { iterative, .. } => return self.start_locate(cx, op, key, iterative),
            write => match WriteWork::new(write) {
                Some(work) => Work::Write(work),
                None => return,
            },
        };
        self.start_op(cx, op, key, work);
    }

    fn reject(&self, call: &Request) -> Option<Failure> {
        if let Some(limit) = crate::checks::refuse(call) {
            return Some(Failure::Refused(limit));
        }
        if !self.routing.router().is_member() {
            return Some(Failure::NotMember);
        }
        if self.ops.len() + self.index.publisher.held.len() >= MAX_OPERATIONS {
            return Some(Failure::Busy(MAX_OPERATIONS));
        }
        self.leases.refuse(call).map(Failure::Refused)
    }

    /// Starts a call; its number names it in messages, lookups and deadlines.
    pub(crate) fn start_op(&mut self, cx: &mut Cx<'_, Self>, who: OpId, key: Id, work: Work) {
        let number = self.draw_number(cx);
        self.start_numbered(cx, number, who, key, work);
    }

    /// The same under a number that was drawn for it.
    pub(crate) fn start_numbered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        who: OpId,
        key: Id,
        mut work: Work,
    ) {
        if let Work::Write(write) = &mut work {
            write.number = number;
        }
        self.note_op(cx, number, who, key, work);
        self.resolve(cx, number);
    }

    /// A call is under way; gives when it is answered in any case.
    pub(crate) fn note_op(
        &mut self,
        cx: &Cx<'_, Self>,
        number: u64,
        who: OpId,
        key: Id,
        work: Work,
    ) -> Time {
        let deadline = cx.now + self.config.op_timeout;
        let op = Op {
            who,
            key,
            deadline,
            stage: Stage::Looking,
            looking_since: cx.now,
            pauses: 0,
            denials: 0,
            replicas: Replicas::new(),
            work,
        };
        self.ops.insert(number, Box::new(op));
        deadline
    }

    pub(crate) fn look_up(&mut self, cx: &mut Cx<'_, Self>, number: u64, what: LookupRequest) {
        let input = Input::Call {
            op: OpId(number),
            call: RoutingCall::Lookup(what),
        };
        self.with_routing(cx, |routing, cx| routing.handle(cx, input));
    }

    /// Finds the replica set of a call's key: our own, a remembered one, or by a lookup.
    pub(crate) fn resolve(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let key = op.key;
        let own = self.views.iter().find(|view| view.arc.contains(key));
        let known = own.map(|view| view.replicas.as_slice()).or_else(|| {
            self.routing
                .cached(key)
                .map(|cached| cached.replicas.as_slice())
        });
        if let Some(replicas) = known {
            op.replicas = SmallVec::from_slice(replicas);
            return self.resolved(cx, number);
        }
        op.stage = Stage::Looking;
        op.looking_since = cx.now;
        let deadline = op.deadline;
        self.deadlines.set(Due::Op(number), deadline);
        self.look_up(cx, number, LookupRequest::new(key));
    }

    /// A lookup has ended: for a call, for renewals, for a notice, or for strays.
    pub(crate) fn located(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        result: Result<Located, LookupError>,
    ) {
        let Some(op) = self.ops.get_mut(&number) else {
            let found = result.ok();
            if !self.renewals_located(cx, number, found.as_ref())
                && !self.notice_located(cx, number, found.as_ref())
                && !self.entries_located(cx, number, found.as_ref())
            {
                self.strays_located(cx, number, found);
            }
            return;
        };
        if op.stage != Stage::Looking {
            return;
        }
        op.tell_lookup(cx, result.as_ref().map_err(ToString::to_string));
        match (result, &op.work) {
            (Ok(found), Work::Locate) => self.finish_locate(cx, number, found),
            (Ok(found), _) => {
                op.replicas = SmallVec::from_vec(found.replicas);
                if op.replicas.is_empty() {
                    op.replicas.push(found.owner);
                }
                self.resolved(cx, number);
            }
            (Err(error), _) => self.not_located(cx, number, error),
        }
    }

    fn not_located(&mut self, cx: &mut Cx<'_, Self>, number: u64, error: LookupError) {
        let Some(op) = self.ops.get(&number) else {
            return;
        };
        let key = op.key;
        let failure = match (&error, &op.work) {
            // Whoever was asked before may have done it, or do it still.
            (_, Work::Write(write)) if write.was_sent() => Failure::NoAnswer { key },
            (LookupError::NotMember, _) => Failure::NotMember,
            (LookupError::Busy, _) => Failure::Busy(overlay::lookup::MAX_LOOKUPS),
            (_, Work::Read(_)) => {
                let reason = format!("the root of the key was not found: {error}");
                return self.finish_unknown(cx, number, reason);
            }
            _ => Failure::NoRoute {
                key,
                reason: error.to_string(),
            },
        };
        self.fail(cx, number, failure);
    }

    fn resolved(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        op.stage = Stage::Asking;
        match &op.work {
            Work::Read(_) => self.start_reading(cx, number),
            Work::Write(_) => self.send_write(cx, number),
            Work::Locate => {}
        }
    }

    /// Forgets who was taken for the root, and looks again: at once the first time, later after a
    /// pause.
    pub(crate) fn look_again(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        op.denials += 1;
        let (key, denials) = (op.key, op.denials);
        self.routing.forget(key);
        if denials > 1 {
            self.pause(cx, number);
        } else {
            self.resolve(cx, number);
        }
    }

    /// Waits a little, then starts over.
    pub(crate) fn pause(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        op.stage = Stage::Pausing;
        let pause = FIRST_PAUSE.times(1 << op.pauses.min(8)).min(MAX_PAUSE);
        op.pauses += 1;
        let until = (cx.now + pause).min(op.deadline);
        self.deadlines.set(Due::Op(number), until);
    }

    pub(crate) fn op_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get(&number) else {
            return;
        };
        if cx.now >= op.deadline {
            return self.out_of_time(cx, number);
        }
        match (op.stage, &op.work) {
            (Stage::Pausing, _) => self.resolve(cx, number),
            (Stage::Asking, Work::Read(_)) => self.read_due(cx, number),
            (Stage::Asking, Work::Write(_)) => self.write_due(cx, number),
            _ => {}
        }
    }

    fn out_of_time(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get(&number) else {
            return;
        };
        if self.config.has_bug(PlantedBug::NeverAnswer) {
            return;
        }
        if op.stage == Stage::Looking {
            op.tell_lookup(cx, Err("the time of the call was over".to_owned()));
        }
        let key = op.key;
        match &op.work {
            Work::Read(read) => {
                let reason = format!("out of time: {}", read.progress());
                self.finish_unknown(cx, number, reason);
            }
            Work::Write(write) if write.was_sent() => {
                self.fail(cx, number, Failure::NoAnswer { key });
            }
            _ => {
                let seconds = self.config.op_timeout.as_micros() / 1_000_000;
                let reason = format!("its root was not found within {seconds} s");
                self.fail(cx, number, Failure::NoRoute { key, reason });
            }
        }
    }

    pub(crate) fn fail(&mut self, cx: &mut Cx<'_, Self>, number: u64, failure: Failure) {
        self.finish(cx, number, Reply::Failed(failure));
    }

    /// The final answer of a call.
    pub(crate) fn finish(&mut self, cx: &mut Cx<'_, Self>, number: u64, reply: Reply) {
        let Some(op) = self.ops.remove(&number) else {
            return;
        };
        self.deadlines.clear(Due::Op(number));
        if let Some(choice) = self.index.publisher.choices.of_read(number) {
            return self.load_told(cx, choice, None);
        }
        if let Some(search) = self.index.searches.of_read(number) {
            return self.part_failed(cx, (search, number), &reply);
        }
        if let Work::Write(write) = &op.work {
            self.lease_written(cx, op.key, write, &reply);
            if self.publish_written(cx, number, &op, write, &reply) {
                return;
            }
        }
        if self.config.has_bug(PlantedBug::AnswerTwice) {
            let reply = reply.clone();
            cx.emit(Notice::Done { op: op.who, reply });
        }
        cx.emit(Notice::Done { op: op.who, reply });
    }

    /// A peer is down: whoever waits for it does not wait any longer.
    pub(crate) fn peer_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let waiting: Vec<u64> = self
            .ops
            .iter()
            .filter(|(_, op)| op.stage == Stage::Asking && op.waits_for(peer.id))
            .map(|(number, _)| *number)
            .collect();
        for number in waiting {
            self.op_peer_down(cx, number, peer);
        }
        self.sync_peer_down(cx, peer);
    }

    fn op_peer_down(&mut self, cx: &mut Cx<'_, Self>, number: u64, peer: Contact) {
        match self.ops.get(&number).map(|op| &op.work) {
            Some(Work::Read(_)) => self.read_peer_down(cx, number, peer),
            Some(Work::Write(_)) => self.look_again(cx, number),
            _ => {}
        }
    }
}

impl Op {
    fn waits_for(&self, peer: Id) -> bool {
        match &self.work {
            Work::Read(read) => read.waits_for(peer),
            Work::Write(_) => self.replicas.first().is_some_and(|root| root.id == peer),
            Work::Locate => false,
        }
    }
}
