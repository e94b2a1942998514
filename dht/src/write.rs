//! Writes at their origin: to the root, again when it is silent, and the report.

mod report;

use crate::due::Due;
use crate::message::{Write, WriteResult};
use crate::op::Work;
use crate::read::WRITE_PATIENCE;
use crate::words::Described;
use crate::{Dht, Store, StoreMessage};
use bytes::Bytes;
use overlay::{
    Condition, ConflictReport, Consistency, Contact, Cx, Failure, Hlc, Id, KeyRouter, Reply,
    Request, Slot, WallMs,
};
use report::{Written, undecided};
use smallvec::SmallVec;

/// A write at its origin.
#[derive(Debug)]
pub(crate) struct WriteWork {
    /// Names the write at every root that it is sent to: asked twice, it is still one write.
    pub(crate) number: u64,
    /// The clock value of its version, since it was first sent.
    clock: Option<Hlc>,
    pub(crate) kind: Kind,
    pub(crate) slot: Slot,
    pub(crate) body: Option<Bytes>,
    pub(crate) life_s: Option<u32>,
    /// What a value says of itself.
    pub(crate) text: Option<Bytes>,
    /// The bytes of the key of a holder, when it is to be found by them.
    pub(crate) indexed: Option<Bytes>,
    consistency: Consistency,
    condition: Condition,
    /// Roots that it was sent to, how often, and that have not said that they did not do it.
    open_at: SmallVec<[(Id, u8); 2]>,
    sent: bool,
    /// Times that the present root was silent.
    silences: u32,
    /// Whether the present root has said that it works on it.
    taken: bool,
    /// How far the clock of a root is ahead of ours, once it said that it was too late.
    ahead_ms: Option<(Id, u64)>,
    /// How often it said so.
    late: u32,
    /// How often something newer was there.
    overtaken: u32,
}

/// After how many silences in a row a root is given up: one is a lost message.
const SILENCES: u32 = 2;
/// How often a root may say that a write came too late: once tells how far its clock is ahead.
const MAX_LATE: u32 = 3;
/// How often a write that was overtaken gets a later version from its origin before its root may give
/// it one: once mends a clock that is behind, and a key that so many write at a time must not starve.
const MAX_OVERTAKEN: u32 = 4;

/// Which call it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Insert,
    Delete,
}

impl WriteWork {
    /// The write that a user's call asks for, if it asks for one.
    pub(crate) fn new(request: Request) -> Option<Self> {
        let mut wanted = Condition::Always;
        let (mut about, mut name) = (None, None);
        let (kind, slot, body, life_s, consistency) = match request {
            Request::Put {
                value,
                ttl_s,
                consistency,
                condition,
                text,
                indexed,
                ..
            } => {
                wanted = condition;
                about = Described::of_value(text, indexed, value.len());
                (Kind::Put, Slot::Value, Some(value), ttl_s, consistency)
            }
            Request::Insert {
                holder,
                lease_s,
                text,
                indexed,
                ..
            } => {
                name = indexed;
                (
                    Kind::Insert,
                    Slot::Holder(holder),
                    Some(Bytes::from(text)),
                    Some(lease_s),
                    Consistency::Quorum,
                )
            }
            Request::Delete {
                holder,
                consistency,
                condition,
                ..
            } => {
                wanted = condition;
                let slot = holder.map_or(Slot::Value, Slot::Holder);
                (Kind::Delete, slot, None, None, consistency)
            }
            _ => return None,
        };
        Some(Self {
            condition: wanted,
            text: about,
            indexed: name,
            ..Self::of(kind, slot, body, life_s, consistency)
        })
    }

    fn of(
        kind: Kind,
        slot: Slot,
        body: Option<Bytes>,
        life_s: Option<u32>,
        consistency: Consistency,
    ) -> Self {
        Self {
            number: 0,
            clock: None,
            kind,
            slot,
            body,
            life_s,
            text: None,
            indexed: None,
            consistency,
            condition: Condition::Always,
            open_at: SmallVec::new(),
            sent: false,
            silences: 0,
            taken: false,
            ahead_ms: None,
            late: 0,
            overtaken: 0,
        }
    }

    /// Whether some root may have it.
    pub(crate) const fn was_sent(&self) -> bool {
        self.sent
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Sends a write to the root that was found.
    pub(crate) fn send_write(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Write(write) = &mut op.work else {
            return;
        };
        let Some(root) = op.replicas.first().copied() else {
            return;
        };
        let clock = *write
            .clock
            .get_or_insert_with(|| self.clock.next(cx.wall, None));
        write.sent = true;
        write.taken = false;
        let over = write.overtaken >= MAX_OVERTAKEN && write.open_at.is_empty();
        match write.open_at.iter_mut().find(|(id, _)| *id == root.id) {
            Some((_, sent)) => *sent = sent.saturating_add(1),
            None => write.open_at.push((root.id, 1)),
        }
        // The root reports at once that it works on a write which takes longer, so that a silence
        // of this length means something.
        let patience = self.routing.timeout_for(root.id).0 + WRITE_PATIENCE.0;
        let at = (cx.now + overlay::Duration(patience)).min(op.deadline);
        // The first of two messages may be taken until the second is given up.
        let turns = u64::from(SILENCES.saturating_sub(write.silences));
        let ahead = write.ahead_ms.filter(|(of, _)| *of == root.id);
        let ahead_ms = ahead.map_or(0, |(_, ahead_ms)| ahead_ms);
        let until_ms = (turns * patience / 1_000).saturating_add(ahead_ms);
        let message = Write {
            req: number,
            number: write.number,
            key: op.key,
            slot: write.slot,
            body: write.body.clone(),
            life_s: write.life_s,
            consistency: write.consistency,
            clock,
            condition: write.condition,
            until: WallMs(cx.wall.0.saturating_add(until_ms)),
            text: write.text.clone(),
            over,
        };
        self.deadlines.set(Due::Op(number), at);
        self.post(cx, root, StoreMessage::Write(Box::new(message)));
    }

    /// The root was silent: once is a lost message, twice is a dead root.
    pub(crate) fn write_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Write(write) = &mut op.work else {
            return;
        };
        let Some(root) = op.replicas.first().copied() else {
            return;
        };
        write.silences += 1;
        if write.silences < SILENCES {
            return self.send_write(cx, number);
        }
        (write.silences, write.late) = (0, 0);
        if root.id != self.my().id {
            self.with_routing(cx, |routing, cx| routing.suspect(cx, root));
        }
        self.look_again(cx, number);
    }

    pub(crate) fn write_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        number: u64,
        result: WriteResult,
    ) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Write(write) = &mut op.work else {
            return;
        };
        // An answer of an earlier root counts only when it says that the write is done.
        let is_root = op.replicas.first().is_some_and(|root| root.id == from.id);
        let is_done = matches!(result, WriteResult::Written { .. });
        let is_late =
            matches!(result, WriteResult::Overtaken { given, .. } if write.clock != Some(given));
        let is_awaited = is_root && op.stage == crate::op::Stage::Asking && !is_late;
        if !is_done && !is_awaited {
            return;
        }
        match result {
            WriteResult::Taken => {
                write.taken = true;
                let patience = self.config.write_timeout.0 + WRITE_PATIENCE.0;
                let at = (cx.now + overlay::Duration(patience)).min(op.deadline);
                self.deadlines.set(Due::Op(number), at);
            }
            WriteResult::Written {
                version,
                expires,
                durable,
                replicas,
                existed,
            } => {
                let written = Written {
                    version,
                    expires,
                    durable,
                    replicas,
                    existed,
                };
                let reply = written.report(op.key, write, cx.wall);
                let key = op.key;
                if !self.trusts(cx, from, version.clock) {
                    // It was done, with a version that replicas refuse.
                    return self.fail(cx, number, Failure::NoAnswer { key });
                }
                self.clock.observe(version.clock, cx.wall);
                self.finish(cx, number, reply);
            }
            WriteResult::TooFew {
                durable,
                replicas,
                needed,
            } => {
                let failure = Failure::TooFewReplicas {
                    durable,
                    replicas,
                    needed,
                };
                self.fail(cx, number, failure);
            }
            not_done => {
                // Asked once, it has not done it; asked twice, it may have forgotten that it did.
                write
                    .open_at
                    .retain(|(root, sent)| *root != from.id || *sent > 1);
                let is_open = !write.open_at.is_empty();
                self.not_written(cx, number, is_open, not_done);
            }
        }
    }

    /// The root has not done a write. `is_open` says that it, or an earlier one, may have done so
    /// when it was asked before.
    fn not_written(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        is_open: bool,
        result: WriteResult,
    ) {
        let Some(key) = self.ops.get(&number).map(|op| op.key) else {
            return;
        };
        let failure = match result {
            WriteResult::NotResponsible => return self.look_again(cx, number),
            // It may have been done before, and overwritten since.
            WriteResult::Overtaken { .. } if is_open => Failure::NoAnswer { key },
            WriteResult::Overtaken { by, .. } => return self.was_overtaken(cx, number, by),
            WriteResult::TooLate { wall } => return self.was_late(cx, number, wall),
            WriteResult::Busy => return self.pause(cx, number),
            // What it found may be this very write.
            WriteResult::Conflict { .. } | WriteResult::Undecided { .. } if is_open => {
                Failure::NoAnswer { key }
            }
            WriteResult::Conflict {
                found,
                answered,
                replicas,
            } => {
                let report = ConflictReport {
                    key,
                    found,
                    replicas_answered: answered,
                    replicas,
                };
                return self.finish(cx, number, Reply::Conflict(report));
            }
            WriteResult::Undecided {
                complete,
                answered,
                needed,
                promises,
            } => {
                let reason = undecided(complete, (answered, needed), promises);
                Failure::Undecided { key, reason }
            }
            WriteResult::Refused(why) => Failure::Refused(why.chars().take(512).collect()),
            WriteResult::Full(why) => Failure::Full(why.chars().take(512).collect()),
            WriteResult::Taken | WriteResult::Written { .. } | WriteResult::TooFew { .. } => return,
        };
        self.fail(cx, number, failure);
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The root said that it got a write after its time: its clock is ahead of ours, or it was held
    /// up for a moment.
    fn was_late(&mut self, cx: &mut Cx<'_, Self>, number: u64, wall: WallMs) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Write(write) = &mut op.work else {
            return;
        };
        let root = op.replicas.first().map(|root| root.id);
        write.ahead_ms = root.map(|root| (root, wall.0.saturating_sub(cx.wall.0)));
        write.late += 1;
        if root.is_some_and(|root| root != self.routing.router().me().id) {
            self.clocks.compare(wall, cx.wall, cx.now);
        }
        if write.late > MAX_LATE {
            return self.pause(cx, number);
        }
        self.send_write(cx, number);
    }

    /// Something newer is at the root, and no root has begun: the write gets a later version.
    fn was_overtaken(&mut self, cx: &mut Cx<'_, Self>, number: u64, by: Hlc) {
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Write(write) = &mut op.work else {
            return;
        };
        write.clock = None;
        write.overtaken += 1;
        let (key, root) = (op.key, op.replicas.first().copied());
        if root.is_some_and(|root| !self.trusts(cx, root, by)) {
            return self.fail(cx, number, Failure::NoAnswer { key });
        }
        self.clock.observe(by, cx.wall);
        self.send_write(cx, number);
    }
}
