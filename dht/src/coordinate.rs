//! The part of a root: giving versions, replicating, and answering when enough replicas are safe.

use crate::checks::write_fits;
use crate::durable::Then;
use crate::machine::Due;
use crate::message::{HandOffResult, Replicate, Write, WriteResult};
use crate::remembered::Known;
use crate::{Dht, Store, StoreMessage};
use overlay::{
    Consistency, Contact, Cx, Duration, Fault, Id, Item, KeyRouter, MAX_HOLDERS_PER_KEY, Record,
    Slot, Time, Version, WallMs,
};
use smallvec::SmallVec;

/// Most writes that one root coordinates at a time; the origin tries again later.
pub const MAX_COORDINATED: usize = 65_536;

/// After this time the root tells an origin that its write takes longer, and asks silent replicas
/// again; doubled each time up to [`LAST_CHECK`]. Longer than a flush to disk takes, shorter than
/// an origin waits.
const FIRST_CHECK: Duration = Duration::from_millis(200);
/// The longest time between two such checks.
const LAST_CHECK: Duration = Duration::from_millis(1_600);
/// How often a replica is asked for a write that is answered already; after that the next
/// comparison brings it up to date.
const MAX_CHECKS_AFTERWARDS: u32 = 3;

/// A write under way at the root.
#[derive(Debug)]
pub(crate) struct Coordinated {
    pub(crate) asker: Asker,
    pub(crate) items: Vec<Item>,
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
}

impl Coordinated {
    fn needed(&self, write_quorum: usize) -> usize {
        match self.consistency {
            Consistency::One => 1,
            Consistency::Quorum => write_quorum.min(self.total),
            Consistency::All => self.total,
        }
    }

    pub(crate) fn is_in(&self, arc: overlay::Arc) -> bool {
        self.items
            .first()
            .is_some_and(|item| arc.contains(item.key))
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// An origin asks this node, as the root, to write.
    pub(crate) fn write_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, write: Write) {
        let req = write.req;
        if !write_fits(write.slot, write.body.as_deref(), write.life_s) {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let answer = match self.remembered.get(from.id, write.number) {
            Some(Known::Done(result)) => Some(result.clone()),
            Some(Known::UnderWay(number)) => {
                let number = *number;
                if let Some(under_way) = self.coordinated.get_mut(&number) {
                    let asker = Asker::Write {
                        origin: from,
                        req,
                        number: write.number,
                    };
                    under_way.asker = asker;
                }
                Some(WriteResult::Taken)
            }
            None => self.refuse_write(cx, &write),
        };
        if let Some(result) = answer {
            return self.post(cx, from, StoreMessage::WriteReply { req, result });
        }
        self.accept_write(cx, from, write);
    }

    /// Why a write is not taken on.
    fn refuse_write(&self, cx: &Cx<'_, Self>, write: &Write) -> Option<WriteResult> {
        if !self.views.iter().any(|view| view.arc.contains(write.key)) {
            return Some(WriteResult::NotResponsible);
        }
        if self.coordinated.len() >= MAX_COORDINATED {
            return Some(WriteResult::Busy);
        }
        let Slot::Holder(_) = write.slot else {
            return None;
        };
        let known = self.store.meta(write.key, write.slot);
        if write.renewal && known.is_some_and(|known| known.is_tombstone()) {
            return Some(WriteResult::Removed);
        }
        let is_new = known.is_none_or(|known| !known.is_live(cx.wall));
        if write.body.is_some() && is_new && self.has_most_holders(write.key, cx.wall) {
            return Some(WriteResult::Refused(format!(
                "a key has at most {MAX_HOLDERS_PER_KEY} holders, and this one has that many; remove one, or wait until a lease ends"
            )));
        }
        None
    }

    fn has_most_holders(&self, key: Id, wall: WallMs) -> bool {
        let mut live = 0;
        self.store.holders(key, &mut |_, known| {
            live += usize::from(known.is_live(wall));
            live < MAX_HOLDERS_PER_KEY
        });
        live >= MAX_HOLDERS_PER_KEY
    }

    fn accept_write(&mut self, cx: &mut Cx<'_, Self>, from: Contact, write: Write) {
        let Write {
            req,
            number,
            key,
            slot,
            body,
            life_s,
            consistency,
            seen: before,
            ..
        } = write;
        self.clock.observe(before, cx.wall);
        let known = self.store.meta(key, slot);
        let seen = known.map(|known| known.version.clock);
        let version = Version {
            clock: self.clock.next(cx.wall, seen),
            writer: self.my().id,
        };
        let expires = life_s.map(|life| cx.wall.plus_secs(u64::from(life)));
        let complete = self.is_complete_for(key);
        let existed = match known {
            Some(known) if known.is_live(cx.wall) => Some(true),
            _ => complete.then_some(false),
        };
        let item = Item {
            key,
            slot,
            record: Record {
                version,
                body,
                expires,
            },
        };
        let asker = Asker::Write {
            origin: from,
            req,
            number,
        };
        let coordinated = self.coordinate(cx, asker, vec![item], consistency, existed);
        self.remembered.add(from.id, number, coordinated, cx.now);
        // A network of one, with a store that is durable at once, has answered already.
        if let Some(done) = self
            .coordinated
            .get(&coordinated)
            .filter(|done| done.answered)
        {
            let result = done.written();
            self.remembered.done(from.id, number, &result);
        }
    }

    fn is_complete_for(&self, key: Id) -> bool {
        self.views
            .iter()
            .any(|view| view.arc.contains(key) && view.is_complete())
    }

    /// Writes records here and at the other replicas of their arc.
    pub(crate) fn coordinate(
        &mut self,
        cx: &mut Cx<'_, Self>,
        asker: Asker,
        items: Vec<Item>,
        consistency: Consistency,
        existed: Option<bool>,
    ) -> u64 {
        let number = self.draw_number(cx);
        let mut seq = overlay::WriteSeq(0);
        for item in &items {
            seq = seq.max(self.store.write(item.clone()));
        }
        let key = items.first().map_or(Id::ZERO, |item| item.key);
        let replicas = self.views.iter().find(|view| view.arc.contains(key));
        let waiting: SmallVec<[Contact; 3]> = replicas
            .and_then(|view| view.replicas.get(1..))
            .map(SmallVec::from_slice)
            .unwrap_or_default();
        for to in waiting.clone() {
            let message = Replicate {
                req: number,
                items: items.clone(),
            };
            self.post(cx, to, StoreMessage::Replicate(message));
        }
        let coordinated = Coordinated {
            asker,
            items,
            consistency,
            total: waiting.len() + 1,
            durable: SmallVec::new(),
            waiting,
            existed,
            answered: false,
            checks: 0,
            deadline: cx.now + self.config.write_timeout,
        };
        self.coordinated.insert(number, Box::new(coordinated));
        self.deadlines
            .set(Due::Coordinated(number), cx.now + FIRST_CHECK);
        self.when_durable(cx, seq, Then::Own { number });
        number
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
        let Some(write) = self.coordinated.get_mut(&number) else {
            return;
        };
        if !write.answered && write.durable.len() >= write.needed(quorum) {
            write.answered = true;
            let (asker, result) = (write.asker, write.written());
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
            }
        }
        let Some(write) = self.coordinated.get(&number) else {
            return;
        };
        if write.answered && write.waiting.is_empty() && write.durable.contains(&me) {
            self.forget_coordinated(number);
        }
    }

    fn forget_coordinated(&mut self, number: u64) {
        self.coordinated.remove(&number);
        self.deadlines.clear(Due::Coordinated(number));
    }

    /// Some replica has not answered for a while.
    pub(crate) fn coordinated_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(write) = self.coordinated.get_mut(&number) else {
            return;
        };
        write.checks += 1;
        let (checks, answered, late) = (write.checks, write.answered, cx.now >= write.deadline);
        let waiting = write.waiting.clone();
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
        let items = write.items.clone();
        if let Asker::Write { origin, req, .. } = write.asker
            && !answered
            && checks == 1
        {
            let result = WriteResult::Taken;
            self.post(cx, origin, StoreMessage::WriteReply { req, result });
        }
        for to in &waiting {
            let message = Replicate {
                req: number,
                items: items.clone(),
            };
            self.post(cx, *to, StoreMessage::Replicate(message));
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
        let needed = write.needed(self.config.write_quorum) as u32;
        let (durable, replicas) = (write.durable.len() as u32, write.total as u32);
        let asker = write.asker;
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
                self.remembered.forget(origin.id, number);
                self.post(cx, origin, StoreMessage::WriteReply { req, result });
            }
            Asker::HandOff { from, req } => {
                let result = HandOffResult::Busy;
                self.post(cx, from, StoreMessage::HandedOff { req, result });
            }
        }
    }
}

impl Coordinated {
    /// What to tell the origin.
    fn written(&self) -> WriteResult {
        let record = self.items.first().map(|item| &item.record);
        WriteResult::Written {
            version: record.map_or_else(Version::default, |record| record.version),
            expires: record.and_then(|record| record.expires),
            durable: self.durable.len() as u32,
            replicas: self.total as u32,
            existed: self.existed,
        }
    }
}
