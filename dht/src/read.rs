//! Reads at their origin: whom to ask, how long to wait, and the report.

use crate::due::Due;
use crate::message::{Body, Read, ReadData, ReadReply, Standing, Wanted};
use crate::op::Work;
use crate::planted::PlantedBug;
pub(crate) use crate::reading::ReadWork;
use crate::reading::{Asked, State, Verdict};
use crate::replica::set_mark;
use crate::{Dht, Store, StoreMessage};
use overlay::{
    Contact, Cx, Duration, Fault, GetReport, Hlc, HolderInfo, Id, KeyRouter, Outcome, Reply,
    SearchReport, WallMs,
};

/// Most replicas that a read asks beyond those that must answer. Our choice: with the default of
/// three replicas all are asked when none was measured, and with more of them never many more.
const MAX_UNMEASURED: usize = 2;
/// How often a read starts over, after pauses that double, before it says that it does not know:
/// about three seconds, in which a new root usually completes its arc.
const MAX_ROUNDS: u32 = 6;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Asks the root and as many other replicas as must answer, the nearest first.
    pub(crate) fn start_reading(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let quorum = self.config.read_quorum;
        let forgets = self.config.has_bug(PlantedBug::IgnoreSession);
        let Some((op, read)) = self.read_of(number) else {
            return;
        };
        read.at_least = read.at_least.filter(|_| !forgets);
        read.asked.clear();
        let needed = read.needed(quorum, op.len());
        let total = needed + self.unmeasured(number, needed);
        self.ask_replicas(cx, number, total);
        self.wake(cx, number);
    }

    /// How many replicas a read asks besides, because nobody knows which is the nearest: those whose
    /// distance was never measured. So the nearest is reached first all the same, and the answers
    /// tell how far each is, for the next read.
    fn unmeasured(&self, number: u64, needed: usize) -> usize {
        let me = self.my().id;
        let Some((root, others)) = self
            .ops
            .get(&number)
            .and_then(|op| op.replicas.split_first())
        else {
            return 0;
        };
        let here = root.id == me || others.iter().any(|peer| peer.id == me);
        if here || needed < 2 {
            return 0;
        }
        let unmeasured = others
            .iter()
            .filter(|peer| self.routing.rtt(peer.id).is_none());
        unmeasured.count().min(MAX_UNMEASURED)
    }

    /// The replica set and the state of a read.
    fn read_of(&mut self, number: u64) -> Option<(&[Contact], &mut ReadWork)> {
        let op = self.ops.get_mut(&number)?;
        match &mut op.work {
            Work::Read(read) => Some((&op.replicas, read)),
            _ => None,
        }
    }

    /// Asks replicas until `total` are asked: the root first, then this node itself if it is one,
    /// then the nearest by round-trip time, those last that were silent a moment ago.
    fn ask_replicas(&mut self, cx: &mut Cx<'_, Self>, number: u64, total: usize) {
        let me = self.my().id;
        loop {
            let Some(op) = self.ops.get(&number) else {
                return;
            };
            let Work::Read(read) = &op.work else { return };
            if read.asked.len() >= total {
                return;
            }
            let cost = |peer: &Contact| match op.replicas.first() {
                Some(root) if root.id == peer.id => (0, None),
                _ if peer.id == me => (1, None),
                _ if self.routing.is_suspect(peer.id, cx.now) => (4, None),
                _ => match self.routing.rtt(peer.id) {
                    Some(rtt) => (2, Some(rtt)),
                    None => (3, None),
                },
            };
            let unasked = op.replicas.iter().filter(|peer| !read.was_asked(peer.id));
            let Some(peer) = unasked.min_by_key(|peer| cost(peer)).copied() else {
                return;
            };
            self.ask(cx, number, peer, false);
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_, Self>, number: u64, peer: Contact, full: bool) {
        let patience = self.routing.timeout_for(peer.id);
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let Work::Read(read) = &mut op.work else {
            return;
        };
        let is_root = op.replicas.first().is_some_and(|root| root.id == peer.id);
        let again = matches!(
            read.asked.iter().find(|asked| asked.peer.id == peer.id),
            Some(Asked {
                state: State::Waiting { .. },
                ..
            })
        );
        let patience = if again { patience.times(2) } else { patience };
        read.asked.retain(|asked| asked.peer.id != peer.id);
        // The root sends the body at once; the others only say which version they have, unless it
        // is short.
        let full = full || is_root;
        read.asked.push(Asked {
            peer,
            sent: cx.now,
            until: cx.now + patience,
            full,
            version: None,
            state: State::Waiting { again },
        });
        let set = set_mark(&op.replicas);
        let message = Read {
            req: number,
            key: op.key,
            what: read.what.clone(),
            full,
            set,
        };
        self.post(cx, peer, StoreMessage::Read(message));
    }

    /// Sets the deadline of a read to the first moment at which something is due.
    fn wake(&mut self, _cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.get(&number) else {
            return;
        };
        let Work::Read(read) = &op.work else { return };
        let waiting = |asked: &&Asked| matches!(asked.state, State::Waiting { .. });
        let first = read
            .asked
            .iter()
            .filter(waiting)
            .map(|asked| asked.until)
            .min();
        let at = first.map_or(op.deadline, |first| first.min(op.deadline));
        self.deadlines.set(Due::Op(number), at);
    }

    pub(crate) fn read_answered(&mut self, cx: &mut Cx<'_, Self>, from: Contact, reply: ReadReply) {
        let ReadReply {
            req,
            standing,
            data,
            mut missing,
        } = reply;
        // A version from the future would win over everything that is written until then.
        if !self.trusts(cx, from, data.newest()) {
            return;
        }
        let (now, me, latest) = (cx.now, self.my().id, self.latest_horizon(cx.wall));
        let Some(op) = self.ops.get_mut(&req) else {
            return;
        };
        let Work::Read(read) = &mut op.work else {
            return;
        };
        let Some(asked) = read.asked.iter_mut().find(|asked| asked.peer.id == from.id) else {
            return;
        };
        let measured = match asked.state {
            State::Waiting { again: false } if from.id != me => Some(now.since(asked.sent)),
            _ => None,
        };
        asked.state = State::from(&standing);
        if let ReadData::Value(Some(seen)) = &data {
            asked.version = Some(seen.version);
            self.clock.observe(seen.version.clock, cx.wall);
        }
        if self.config.has_bug(PlantedBug::OlderValue) {
            read.value = None;
        }
        missing.collected = missing.collected.min(latest);
        read.merge(from, data, missing, cx.wall);
        let is_root = op.replicas.first().is_some_and(|root| root.id == from.id);
        let key = op.key;
        let mut forget = false;
        match standing {
            Standing::Root {
                news: Some(news), ..
            } if is_root => {
                let known = news.replicas.first().is_some_and(|root| root.id == from.id);
                if !known || !news.arc.contains(key) || news.replicas.len() > 16 {
                    return cx.hang_up(from, Fault::Protocol);
                }
                op.replicas = news.replicas.as_slice().into();
                self.routing.learn(news.arc, news.replicas);
            }
            Standing::Other { .. } => forget = is_root,
            Standing::Root { .. } => {}
        }
        if forget {
            self.routing.forget(key);
        }
        if let Some(sample) = measured {
            self.routing.observe_rtt(from.id, sample, now);
        }
        self.judge(cx, req);
    }

    /// Does what the answers so far call for.
    fn judge(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let quorum = self.config.read_quorum;
        let Some(op) = self.ops.get(&number) else {
            return;
        };
        if op.stage != crate::op::Stage::Asking {
            return;
        }
        let Work::Read(read) = &op.work else { return };
        let is_silent = |peer: Id| self.routing.is_suspect(peer, cx.now);
        let grace_ms = self.config.tombstone_grace_s.saturating_mul(1_000);
        let horizon = Hlc::at(WallMs(cx.wall.0.saturating_sub(grace_ms)));
        if self.config.has_bug(PlantedBug::AbsentWithoutProof) && read.found_nothing(cx.wall) {
            return self.finish_read(cx, number, Outcome::Absent, None);
        }
        match read.verdict(&op.replicas, quorum, (cx.wall, horizon), &is_silent) {
            Verdict::Found => self.finish_read(cx, number, Outcome::Found, None),
            Verdict::Absent if self.config.has_bug(PlantedBug::UnknownOfAbsent) => {
                self.finish_read(cx, number, Outcome::Unknown, None);
            }
            Verdict::Absent => self.finish_read(cx, number, Outcome::Absent, None),
            Verdict::Wait => self.wake(cx, number),
            Verdict::Fetch(peer) => {
                self.ask(cx, number, peer, true);
                self.wake(cx, number);
            }
            Verdict::AskMore => {
                self.ask_replicas(cx, number, usize::MAX);
                self.wake(cx, number);
            }
            Verdict::LookAgain => self.look_again(cx, number),
            Verdict::Pause if op.pauses >= MAX_ROUNDS => {
                let reason = read.progress();
                self.finish_unknown(cx, number, reason);
            }
            Verdict::Pause => {
                let (key, missed) = (op.key, read.replicas_that_are_no_copies());
                self.tell_root_of(cx, key, missed);
                self.pause(cx, number);
            }
        }
    }

    /// Somebody was silent for as long as an answer may take: ask again and ask others too; the
    /// second time give up on it.
    pub(crate) fn read_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some((_, read)) = self.read_of(number) else {
            return;
        };
        let now = cx.now;
        let mut again: smallvec::SmallVec<[(Contact, bool); 3]> = smallvec::SmallVec::new();
        let mut silent: smallvec::SmallVec<[Contact; 3]> = smallvec::SmallVec::new();
        for asked in read.asked.iter_mut().filter(|asked| asked.until <= now) {
            match asked.state {
                State::Waiting { again: false } => again.push((asked.peer, asked.full)),
                State::Waiting { again: true } => {
                    asked.state = State::Silent;
                    silent.push(asked.peer);
                }
                _ => {}
            }
        }
        // A holder of the newest bytes that fell silent: another round finds them elsewhere.
        if let Some((seen, at)) = &read.value
            && seen.body == Body::Withheld
            && silent.iter().any(|peer| peer.id == at.id)
        {
            read.value = None;
        }
        let hedge = !again.is_empty();
        for (peer, full) in again {
            self.ask(cx, number, peer, full);
        }
        if hedge {
            self.ask_replicas(cx, number, usize::MAX);
        }
        for peer in silent {
            self.with_routing(cx, |routing, cx| routing.suspect(cx, peer));
        }
        self.judge(cx, number);
    }

    pub(crate) fn read_peer_down(&mut self, cx: &mut Cx<'_, Self>, number: u64, peer: Contact) {
        let Some((_, read)) = self.read_of(number) else {
            return;
        };
        for asked in &mut read.asked {
            if asked.peer.id == peer.id && matches!(asked.state, State::Waiting { .. }) {
                asked.state = State::Silent;
            }
        }
        self.judge(cx, number);
    }

    /// Has what replicas lack sent to them.
    fn repair_read(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(op) = self.ops.remove(&number) else {
            return;
        };
        if let (Work::Read(read), Some(root)) = (&op.work, op.replicas.first()) {
            self.repair_after(cx, op.key, *root, read);
        }
        self.ops.insert(number, op);
    }

    pub(crate) fn finish_unknown(&mut self, cx: &mut Cx<'_, Self>, number: u64, reason: String) {
        self.finish_read(cx, number, Outcome::Unknown, Some(reason));
    }

    fn finish_read(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        outcome: Outcome,
        reason: Option<String>,
    ) {
        let wall = cx.wall;
        self.repair_read(cx, number);
        let Some(op) = self.ops.get_mut(&number) else {
            return;
        };
        let key = op.key;
        let Work::Read(read) = &mut op.work else {
            return;
        };
        let (answered, asked) = (read.answered() as u32, read.asked.len() as u32);
        let found = outcome == Outcome::Found;
        let first = usize::from(self.config.has_bug(PlantedBug::MadeUpValue));
        let reply = match read.what {
            Wanted::Entries { .. } => return self.finish_part(cx, number, outcome, reason),
            Wanted::Value => {
                let seen = read.value.take().map(|(seen, _)| seen);
                let seen = seen.filter(|_| outcome != Outcome::Unknown);
                let version = seen.as_ref().map(|seen| seen.version);
                let value = seen.filter(|_| found).and_then(|seen| match seen.body {
                    Body::Bytes(bytes) => Some(bytes.slice(first.min(bytes.len())..)),
                    Body::Tombstone | Body::Withheld => None,
                });
                Reply::Got(GetReport {
                    key,
                    outcome,
                    value,
                    version,
                    replicas_answered: answered,
                    replicas_asked: asked,
                    reason,
                    reached: None,
                })
            }
            Wanted::Holders { limit } => Reply::Searched(SearchReport {
                key,
                outcome,
                holders: if found {
                    read.live_holders(limit, wall)
                } else {
                    Vec::new()
                },
                replicas_answered: answered,
                replicas_asked: asked,
                reason,
                reached: None,
            }),
        };
        self.finish(cx, number, reply);
    }
}

impl ReadWork {
    fn live_holders(&self, limit: u32, wall: WallMs) -> Vec<HolderInfo> {
        let live = self.holders.values().filter(|seen| seen.is_live(wall));
        live.take(limit as usize)
            .map(|seen| HolderInfo {
                addr: seen.addr,
                text: String::from_utf8_lossy(seen.text.as_deref().unwrap_or_default())
                    .into_owned(),
                expires_in_s: seen.expires.map_or(0, |end| end.secs_after(wall)),
            })
            .collect()
    }
}

/// A patience that no measurement shortens below; kept here for writes.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_millis(300);
