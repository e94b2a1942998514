//! The part of a root: replicating, and answering when enough replicas are safe.

use crate::due::Due;
use crate::durable::Then;
use crate::message::{HandOffResult, IndexResult, RenewResult, Replicate, WriteResult};
use crate::planted::PlantedBug;
use crate::{Dht, DhtConfig, Store, StoreMessage};
use overlay::{Consistency, Contact, Cx, Duration, Id, Item, KeyRouter, Time, Version};
use smallvec::SmallVec;

/// Most writes that one root coordinates at a time; the origin tries again later.
pub const MAX_COORDINATED: usize = 65_536;

/// After this time the root tells an origin that its write takes longer, and asks silent replicas
/// again; doubled each time up to [`LAST_CHECK`]. Longer than a flush to disk takes, shorter than
/// an origin waits.
pub(crate) const FIRST_CHECK: Duration = Duration::from_millis(200);
/// The longest time between two such checks.
pub(crate) const LAST_CHECK: Duration = Duration::from_millis(1_600);
/// How often a replica is asked for a write that is answered already; after that the next
/// comparison brings it up to date.
const MAX_CHECKS_AFTERWARDS: u32 = 3;

/// A write under way at the root.
#[derive(Debug)]
pub(crate) struct Coordinated {
    pub(crate) asker: Asker,
    /// The version to report; an item may be newer, when the write was overtaken.
    pub(crate) version: Version,
    pub(crate) items: Vec<Item>,
    /// Whether it depends on what was there before: then only replicas that take this node for
    /// their root may count.
    pub(crate) conditional: bool,
    pub(crate) consistency: Consistency,
    /// Members of the replica set.
    pub(crate) total: usize,
    /// Those that hold it durably.
    pub(crate) durable: SmallVec<[Id; 4]>,
    /// Those that have not answered.
    pub(crate) waiting: SmallVec<[Contact; 3]>,
    /// Whether somebody had a live record there; none when the root cannot tell.
    pub(crate) existed: Option<bool>,
    pub(crate) answered: bool,
    pub(crate) checks: u32,
    pub(crate) deadline: Time,
}

/// A write to coordinate.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) asker: Asker,
    pub(crate) version: Version,
    pub(crate) items: Vec<Item>,
    pub(crate) consistency: Consistency,
    pub(crate) existed: Option<bool>,
    pub(crate) conditional: bool,
}

/// Who waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// The origin of a write.
    Write {
        origin: Contact,
        req: u64,
        number: u64,
    },
    /// A node that hands records over.
    HandOff { from: Contact, req: u64 },
    /// A reader that saw a replica which lacks the record; nothing is said to it.
    Repair { key: Id },
    /// A node that renews leases; what is to be said to it is in `Dht::renewing`.
    Renewals { from: Contact, req: u64 },
    /// A publisher; what is to be said to it is in `Dht::index`.
    Index { from: Contact, req: u64 },
}

impl Coordinated {
    /// How many replicas of those that stay hold it durably, and how many stay. A root that leaves
    /// does not count itself, unless it is alone.
    pub(crate) fn staying(&self, leaver: Option<Id>) -> (usize, usize) {
        let Some(leaver) = leaver.filter(|_| self.total > 1) else {
            return (self.durable.len(), self.total);
        };
        let durable = self.durable.iter().filter(|id| **id != leaver).count();
        (durable, self.total - 1)
    }

    /// How many replicas of so many must hold it. A replica set may be smaller than W because the
    /// network is that small, as its root knows when it knows that it holds everything. A root that does not
    /// know may be the last one that is up of a larger network, and to acknowledge alone would be
    /// to promise what the others, when they are back, may outvote.
    pub(crate) fn needed(&self, write_quorum: usize, total: usize, is_complete: bool) -> usize {
        let quorum = if is_complete {
            write_quorum.min(total)
        } else {
            write_quorum
        };
        match self.consistency {
            Consistency::One => 1,
            Consistency::Quorum => quorum,
            Consistency::All => total.max(quorum),
        }
    }

    fn key(&self) -> Option<Id> {
        self.items.first().map(|item| item.key)
    }

    /// What to send to a replica; `view` is the present one of its keys.
    fn message(&self, number: u64, view: Option<u64>) -> Replicate {
        let name = match self.asker {
            Asker::Write { origin, number, .. } => Some((origin.id, number)),
            _ => None,
        };
        Replicate {
            req: number,
            items: self.items.clone(),
            under: if self.conditional { view } else { None },
            name,
        }
    }

    pub(crate) fn is_in(&self, arc: overlay::Arc) -> bool {
        self.items
            .first()
            .is_some_and(|item| arc.contains(item.key))
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Writes records here and at the other replicas of their arc.
    pub(crate) fn coordinate(&mut self, cx: &mut Cx<'_, Self>, task: Task) -> u64 {
        let number = self.draw_number(cx);
        self.coordinate_as(cx, number, task);
        number
    }

    /// As [`coordinate`](Self::coordinate), under a number that was drawn for it.
    pub(crate) fn coordinate_as(&mut self, cx: &mut Cx<'_, Self>, number: u64, task: Task) {
        let Task {
            asker,
            version,
            items,
            consistency,
            existed,
            conditional,
        } = task;
        let mut seq = overlay::WriteSeq(0);
        for item in &items {
            seq = seq.max(self.store.write(item.clone()));
        }
        let key = items.first().map_or(Id::ZERO, |item| item.key);
        let replicas = self.views.iter().find(|view| view.arc.contains(key));
        let waiting: SmallVec<[Contact; 3]> = replicas
            .and_then(|view| view.replicas.get(1..))
            .filter(|_| !self.config.has_bug(PlantedBug::AckAlone))
            .map(SmallVec::from_slice)
            .unwrap_or_default();
        let coordinated = Coordinated {
            asker,
            version,
            items,
            conditional,
            consistency,
            total: waiting.len() + 1,
            durable: SmallVec::new(),
            waiting: waiting.clone(),
            existed,
            answered: false,
            checks: 0,
            deadline: cx.now + self.config.write_timeout,
        };
        self.coordinated.insert(number, Box::new(coordinated));
        self.send_replicas(cx, number, &waiting);
        self.deadlines
            .set(Due::Coordinated(number), cx.now + FIRST_CHECK);
        self.when_durable(cx, seq, Then::Own { number });
    }

    /// Sends a coordinated write to some replicas.
    pub(crate) fn send_replicas(&mut self, cx: &mut Cx<'_, Self>, number: u64, to: &[Contact]) {
        let Some(write) = self.coordinated.get(&number) else {
            return;
        };
        let key = write.items.first().map_or(Id::ZERO, |item| item.key);
        let view = self.views.iter().find(|view| view.arc.contains(key));
        if write.conditional && view.is_none() {
            // Whoever is the root now decides about conditions.
            return;
        }
        let message = write.message(number, view.map(|view| view.id));
        for peer in to {
            self.post(cx, *peer, StoreMessage::Replicate(message.clone()));
        }
    }

    /// A coordinated write is durable in the store of the root itself.
    pub(crate) fn durable_here(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let me = self.my().id;
        if let Some(write) = self.coordinated.get_mut(&number) {
            write.durable.push(me);
            self.answer_if_safe(cx, number);
        }
    }

    /// A replica says which writes are durable at its side.
    pub(crate) fn replicated(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        acks: &[(u64, bool)],
    ) {
        for (number, existed) in acks {
            let Some(write) = self.coordinated.get_mut(number) else {
                continue;
            };
            let Some(at) = write.waiting.iter().position(|peer| peer.id == from.id) else {
                continue;
            };
            write.waiting.swap_remove(at);
            write.durable.push(from.id);
            if *existed {
                write.existed = Some(true);
            }
            self.answer_if_safe(cx, *number);
        }
    }

    /// Answers a write once enough replicas hold it durably, and forgets it once all do.
    pub(crate) fn answer_if_safe(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let quorum = self.config.write_quorum;
        let me = self.my().id;
        let key = self.coordinated.get(&number).and_then(|write| write.key());
        let is_complete = key.is_some_and(|key| self.is_complete_for(key));
        let is_seated = key.is_some_and(|key| self.is_seated(key, cx.now));
        let leaver = self.leaver();
        let Some(write) = self.coordinated.get_mut(&number) else {
            return;
        };
        let (durable, total) = write.staying(leaver);
        let is_safe = durable >= write.needed(quorum, total, is_complete);
        // The view may have changed since the condition was judged.
        let is_decided = !write.conditional || is_seated;
        if !write.answered && is_decided && is_safe {
            write.answered = true;
            let (asker, result) = (write.asker, write.written(&self.config));
            match asker {
                Asker::Write {
                    origin,
                    req,
                    number,
                } => {
                    self.remembered.done(origin.id, number, &result);
                    self.post(cx, origin, StoreMessage::WriteReply { req, result });
                }
                Asker::HandOff { from, req } => {
                    let result = HandOffResult::Stored;
                    self.post(cx, from, StoreMessage::HandedOff { req, result });
                }
                Asker::Repair { .. } => {}
                Asker::Renewals { from, req } => {
                    let result = self.renewing.remove(&number).unwrap_or(RenewResult::Busy);
                    self.post(cx, from, StoreMessage::Renewed { req, result });
                }
                Asker::Index { from, req } => {
                    let result = self.index.answers.remove(&number);
                    let result = result.unwrap_or(IndexResult::Busy);
                    self.post(cx, from, StoreMessage::Indexed { req, result });
                }
            }
        }
        let Some(write) = self.coordinated.get(&number) else {
            return;
        };
        if write.answered && write.waiting.is_empty() && write.durable.contains(&me) {
            self.forget_coordinated(number);
        }
    }

    pub(crate) fn forget_coordinated(&mut self, number: u64) {
        if self.config.has_bug(PlantedBug::KeepFinished) {
            return;
        }
        let done = self.coordinated.remove(&number);
        if let Some(Asker::Repair { key }) = done.map(|done| done.asker) {
            self.repairs.under_way.remove(&key);
        }
        if !self.config.has_bug(PlantedBug::KeepTimer) {
            self.deadlines.clear(Due::Coordinated(number));
        }
    }

    /// Some replica has not answered for a while.
    pub(crate) fn coordinated_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(write) = self.coordinated.get_mut(&number) else {
            if self.config.has_bug(PlantedBug::KeepTimer) {
                let again = cx.now + LAST_CHECK;
                self.deadlines.set(Due::Coordinated(number), again);
            }
            return;
        };
        write.checks += 1;
        let (checks, answered, late) = (write.checks, write.answered, cx.now >= write.deadline);
        let waiting = write.waiting.clone();
        let conditional = write.key().filter(|_| write.conditional && !answered);
        if late || answered && checks > MAX_CHECKS_AFTERWARDS {
            for peer in &waiting {
                self.resync_soon(cx, peer.id);
            }
            return if answered {
                self.forget_coordinated(number)
            } else {
                self.too_few(cx, number)
            };
        }
        if let Asker::Write { origin, req, .. } = write.asker
            && !answered
            && checks == 1
        {
            let result = WriteResult::Taken;
            self.post(cx, origin, StoreMessage::WriteReply { req, result });
        }
        self.send_replicas(cx, number, &waiting);
        if let Some(key) = conditional {
            self.ask_to_retire(cx, number, key);
        }
        let next = FIRST_CHECK.times(1 << checks.min(4)).min(LAST_CHECK);
        self.deadlines.set(Due::Coordinated(number), cx.now + next);
        if checks >= 2 {
            for peer in waiting {
                self.with_routing(cx, |routing, cx| routing.suspect(cx, peer));
            }
        }
    }

    /// The time for a write is over.
    fn too_few(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(write) = self.coordinated.get(&number) else {
            return;
        };
        let is_complete = write.key().is_some_and(|key| self.is_complete_for(key));
        let (durable, total) = write.staying(self.leaver());
        let needed = write.needed(self.config.write_quorum, total, is_complete) as u32;
        let (durable, replicas) = (durable as u32, total as u32);
        let (asker, version) = (write.asker, write.version);
        self.forget_coordinated(number);
        match asker {
            Asker::Write {
                origin,
                req,
                number,
            } => {
                let result = WriteResult::TooFew {
                    durable,
                    replicas,
                    needed,
                };
                self.remembered.given_up(origin.id, number, version);
                self.post(cx, origin, StoreMessage::WriteReply { req, result });
            }
            Asker::HandOff { from, req } => {
                let result = HandOffResult::Busy;
                self.post(cx, from, StoreMessage::HandedOff { req, result });
            }
            Asker::Repair { .. } => {}
            Asker::Renewals { from, req } => {
                self.renewing.remove(&number);
                let result = RenewResult::Busy;
                self.post(cx, from, StoreMessage::Renewed { req, result });
            }
            Asker::Index { from, req } => {
                self.index.answers.remove(&number);
                let result = IndexResult::Busy;
                self.post(cx, from, StoreMessage::Indexed { req, result });
            }
        }
    }
}

impl Coordinated {
    /// What to tell the origin.
    fn written(&self, config: &DhtConfig) -> WriteResult {
        let existed = if config.has_bug(PlantedBug::DeniesDeleted) {
            Some(false)
        } else if config.has_bug(PlantedBug::ClaimsDeleted) {
            Some(true)
        } else {
            self.existed
        };
        WriteResult::Written {
            version: self.version,
            expires: self.items.first().and_then(|item| item.record.expires),
            durable: self.durable.len() as u32,
            replicas: self.total as u32,
            existed,
        }
    }
}
