//! A root is asked to write: it knows the write already, refuses it, has to find out whether its
//! condition holds, or gives it a version.
//!
//! A write has a name: its origin, and the origin's number for it. The root remembers names, and
//! replicas do too, so that asking again is still one write when a replica has become the root
//! meanwhile. A root that was held up, stopped by its machine for one, may have been given up since
//! and another one asked, which it knows nothing of: so it begins nothing after the origin's time.
//! That holds as far as clocks differ by less than the origin's patience. Where two roots do a write
//! all the same, because the first cannot be heard, both do it under the version that its origin
//! gave it: it is the same record.

use crate::checks::write_fits;
use crate::clock::MAX_CLOCK_DRIFT_MS;
use crate::coordinate::{Asker, MAX_COORDINATED, Task};
use crate::message::{Write, WriteResult};
use crate::parked::Parked;
use crate::planted::PlantedBug;
use crate::remembered::Known;
use crate::{Dht, Store, StoreMessage};
use overlay::{
    Condition, Contact, Cx, Fault, Hlc, Id, Item, KeyRouter, MAX_HOLDERS_PER_KEY, Record, Slot,
    Version, WallMs,
};

/// For how long the version that an origin gave counts: clocks may differ by a minute, and an origin
/// asks again for eight seconds.
const GIVEN_FOR_MS: u64 = MAX_CLOCK_DRIFT_MS + 10_000;

impl Write {
    /// The version that its origin gave it.
    pub(crate) fn given(&self, origin: Id) -> Version {
        Version::given(self.clock, origin, self.number)
    }

    /// Whether that version still counts.
    pub(crate) const fn is_recent(&self, wall: WallMs) -> bool {
        wall.0 <= self.clock.wall().0.saturating_add(GIVEN_FOR_MS)
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// An origin asks this node, as the root, to write.
    pub(crate) fn write_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, write: Write) {
        let req = write.req;
        if !write_fits(&write) {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        if !self.trusts(cx, from, write.clock) {
            return;
        }
        if self.config.has_bug(PlantedBug::ForgetWrites) {
            self.remembered.forget(from.id, write.number);
        }
        let answer = match self.remembered.get(from.id, write.number) {
            Some(Known::Done(result)) => Some(result.clone()),
            Some(Known::UnderWay(number)) => {
                let number = *number;
                self.asked_again(number, from, &write);
                Some(WriteResult::Taken)
            }
            Some(Known::Replicated(version)) => {
                let version = *version;
                let refused = self.refuse_write(cx, &write);
                if refused.is_none() && self.take_up(cx, from, &write, version) {
                    return;
                }
                refused
            }
            None => {
                self.compare_clocks(cx, from, &write);
                self.refuse_write(cx, &write)
            }
        };
        if let Some(result) = answer {
            return self.post(cx, from, StoreMessage::WriteReply { req, result });
        }
        // What is overwritten says which entries of the index end.
        let places = Self::texts_before(write.key, write.slot);
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::Write(Box::new(write.clone()))),
        };
        if !self.have_bodies(&places, again) {
            return;
        }
        if write.condition == Condition::Always {
            self.accept_write(cx, from, write, None);
        } else {
            self.decide_write(cx, from, write);
        }
    }

    /// The origin of a write under way has lost patience, or an answer was lost.
    fn asked_again(&mut self, number: u64, from: Contact, write: &Write) {
        if let Some(under_way) = self.coordinated.get_mut(&number) {
            under_way.asker = Asker::Write {
                origin: from,
                req: write.req,
                number: write.number,
            };
        } else if let Some(deciding) = self.deciding.get_mut(&number) {
            deciding.write.req = write.req;
        }
    }

    /// Why a write is not taken on.
    fn refuse_write(&self, cx: &Cx<'_, Self>, write: &Write) -> Option<WriteResult> {
        if cx.wall > write.until {
            return Some(WriteResult::TooLate { wall: cx.wall });
        }
        if !self.views.iter().any(|view| view.arc.contains(write.key)) {
            return Some(WriteResult::NotResponsible);
        }
        if self.coordinated.len() + self.deciding.len() >= MAX_COORDINATED {
            return Some(WriteResult::Busy);
        }
        if write.body.is_some()
            && let Err(full) = self.store.room()
        {
            return Some(WriteResult::Full(full.to_string()));
        }
        let Slot::Holder(_) = write.slot else {
            return None;
        };
        let known = self.store.meta(write.key, write.slot);
        let is_new = known.is_none_or(|known| !known.is_live(cx.wall));
        if write.body.is_some() && is_new && self.has_most_holders(write.key, cx.wall) {
            return Some(WriteResult::Refused(format!(
                "a key has at most {MAX_HOLDERS_PER_KEY} holders, and this one has that many; remove one, or wait until a lease ends"
            )));
        }
        None
    }

    pub(crate) fn has_most_holders(&self, key: Id, wall: WallMs) -> bool {
        let mut live = 0;
        self.store.holders(key, &mut |_, known| {
            live += usize::from(known.is_live(wall));
            live < MAX_HOLDERS_PER_KEY
        });
        live >= MAX_HOLDERS_PER_KEY
    }

    /// Gives a write its version, after what is here and after `newer`, and replicates it.
    pub(crate) fn accept_write(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        write: Write,
        newer: Option<Version>,
    ) {
        let given = write.given(from.id);
        let version = match self.version_for(cx, given, &write, newer) {
            Ok(version) => version,
            Err(by) => {
                self.remembered.forget(from.id, write.number);
                let (req, given) = (write.req, given.clock);
                let result = WriteResult::Overtaken { given, by };
                return self.post(cx, from, StoreMessage::WriteReply { req, result });
            }
        };
        let Write {
            req,
            number,
            key,
            slot,
            body,
            life_s,
            consistency,
            condition,
            text,
            ..
        } = write;
        let known = self.store.meta(key, slot);
        let longer_s = u64::from(self.config.has_bug(PlantedBug::EndlessLease)) * 24 * 3_600;
        // Equal versions end at the same time, whichever root wrote them.
        let from_when = match slot {
            Slot::Holder(_) => cx.wall,
            _ => version.clock.wall(),
        };
        let expires = life_s.map(|life| from_when.plus_secs(u64::from(life) + longer_s));
        let complete = self.is_complete_for(key);
        let existed = match known {
            // Another root has done it before.
            Some(known) if known.version == version => None,
            Some(known) if known.is_live(cx.wall) => Some(true),
            _ => complete.then_some(false),
        };
        let record = Record {
            version,
            body,
            expires,
        };
        let mut items = vec![Item { key, slot, record }];
        items.extend(self.text_beside(&items[0], text));
        self.withdraw_before(cx, &items);
        let task = Task {
            asker: Asker::Write {
                origin: from,
                req,
                number,
            },
            version,
            items,
            consistency,
            existed,
            conditional: condition != Condition::Always,
        };
        self.take_on(cx, from, number, task);
    }

    /// The version of a write: the one that its origin gave it. When something newer is here, that is
    /// said instead, since it cannot be told which of the two is the later write; unless the origin
    /// was told so often enough. What is so old that its tombstone might be collected already gets a
    /// version of this root. Leases are renewed, and always newer.
    fn version_for(
        &mut self,
        cx: &mut Cx<'_, Self>,
        given: Version,
        write: &Write,
        newer: Option<Version>,
    ) -> Result<Version, Hlc> {
        self.clock.observe(given.clock, cx.wall);
        let known = self.store.meta(write.key, write.slot);
        let known = known.map(|known| known.version).max(newer);
        let overtaken_by = known.filter(|known| *known > given);
        let counts = self.collected_at(write.key) < given.clock && write.is_recent(cx.wall);
        let counts = counts && !self.config.has_bug(PlantedBug::ForgetWrites);
        match overtaken_by {
            None if write.slot == Slot::Value && counts => return Ok(given),
            Some(by) if write.slot == Slot::Value && !write.over => return Err(by.clock),
            _ => {}
        }
        Ok(self.next_version(cx, known.map(|known| known.clock)))
    }

    /// A write that another root gave a version and had replicated here goes on under this one.
    /// False when its record is not here after all; a record on disk is waited for.
    fn take_up(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        write: &Write,
        version: Version,
    ) -> bool {
        let (key, slot) = (write.key, write.slot);
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::Write(Box::new(write.clone()))),
        };
        if !self.have_bodies(&[(key, slot)], again) {
            return true;
        }
        let known = self.record_here((key, slot));
        let Some(record) = known.filter(|known| known.version >= version) else {
            return false;
        };
        let task = Task {
            asker: Asker::Write {
                origin: from,
                req: write.req,
                number: write.number,
            },
            version,
            items: vec![Item { key, slot, record }],
            consistency: write.consistency,
            existed: None,
            conditional: write.condition != Condition::Always,
        };
        self.take_on(cx, from, write.number, task);
        true
    }

    fn take_on(&mut self, cx: &mut Cx<'_, Self>, from: Contact, number: u64, task: Task) {
        // Known before it begins: a network of one, with a store that is durable at once, answers
        // within the next line.
        self.remembered.add(from.id, number, 0, cx.now);
        let coordinated = self.coordinate(cx, task);
        let under_way = self.coordinated.get(&coordinated);
        if under_way.is_some_and(|write| !write.answered) {
            self.remembered.add(from.id, number, coordinated, cx.now);
        }
    }

    pub(crate) fn is_complete_for(&self, key: Id) -> bool {
        self.views
            .iter()
            .any(|view| view.arc.contains(key) && view.is_complete())
    }
}
