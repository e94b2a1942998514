//! Writing: the node that is asked keeps a copy, and so do k others that random walks chose.

use crate::message::{Errand, Guid, Message};
use crate::node::{Due, Gnutella};
use crate::parked::Then;
use crate::search::{Find, Purpose};
use bytes::Bytes;
use overlay::{
    Consistency, Contact, Cx, DeleteReport, Duration, Failure, Hlc, Id, InsertReport, Item, Notice,
    OpId, Outcome, PutReport, Record, Reply, Slot, Store, Time, Version, WallMs,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Most writes under way; one more is refused.
pub const MAX_PUTTINGS: usize = 1_024;
/// How long copies may take; what is durable by then is reported.
const COPIES_LIMIT: Duration = Duration::from_secs(2);
/// How long this node's own disk may take after that.
const OWN_LIMIT: Duration = Duration::from_secs(6);
/// Most steps of a walker that places a copy.
const PLACE_STEPS: u16 = 24;
/// Records of which it is remembered where their copies are; the others get new copies when they are
/// written again.
pub const MAX_COPIES_KNOWN: usize = 100_000;

/// What a write is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A value.
    Put,
    /// A holder, with its lease.
    Insert {
        /// Seconds.
        lease_s: u32,
    },
    /// A deletion; whether there was something.
    Delete(Outcome),
    /// Copies of what was written before.
    Copies,
}

/// A write that waits for its copies.
#[derive(Debug)]
pub(crate) struct Putting {
    op: Option<OpId>,
    kind: Kind,
    consistency: Consistency,
    item: Item,
    text: String,
    /// Whether this node's own copy is durable.
    own: bool,
    /// Whether it keeps one.
    has_own: bool,
    /// Who was asked to keep a copy, and whether it is durable there.
    asked: BTreeMap<Id, (Contact, bool)>,
    /// Walkers that look for somebody.
    walkers: BTreeSet<u8>,
    deadline: Time,
}

impl Putting {
    /// Who is answered at its end.
    pub(crate) const fn op(&self) -> Option<OpId> {
        self.op
    }

    fn durable(&self) -> u32 {
        let others = self.asked.values().filter(|(_, durable)| *durable).count();
        others as u32 + u32::from(self.own)
    }

    fn replicas(&self) -> u32 {
        self.asked.len() as u32 + u32::from(self.has_own)
    }

    fn is_done(&self) -> bool {
        let all = self.asked.values().all(|(_, durable)| *durable);
        (self.own || !self.has_own) && all && self.walkers.is_empty()
    }
}

impl<S: Store> Gnutella<S> {
    /// A version after all that were seen.
    fn next_version(&mut self, wall: WallMs, after: Option<Hlc>) -> Version {
        self.clock = self.clock.max(after.unwrap_or_default());
        Version {
            clock: self.tick_clock(wall),
            writer: self.me.id,
        }
    }

    /// Keeps a record here, if it is newer than what is here.
    pub(crate) fn keep(&mut self, item: Item, text: &str) -> overlay::WriteSeq {
        let place = (item.key, item.slot);
        self.clock = self.clock.max(item.record.version.clock);
        let known = self.store.meta(item.key, item.slot);
        if known.is_some_and(|known| known.version >= item.record.version) {
            return self.store.last_write();
        }
        match (&item.slot, &item.record.body) {
            (Slot::Value, body) => self.keep_text(&item, body.as_ref().map(|_| text)),
            (Slot::Text, Some(body)) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                self.index.set((item.key, Slot::Value), text);
            }
            (_, None) => self.index.remove(place),
            (_, Some(body)) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                self.index.set(place, text);
            }
        }
        self.published.is_stale = true;
        self.store.write(item)
    }

    /// The words of a value live as long as it does, in a record of their own.
    fn keep_text(&mut self, value: &Item, text: Option<&str>) {
        let key = value.key;
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            self.index.remove((key, Slot::Value));
            self.store.remove(key, Slot::Text);
            return;
        };
        self.index.set((key, Slot::Value), text);
        let body = Bytes::copy_from_slice(text.as_bytes());
        self.store.write(Item {
            key,
            slot: Slot::Text,
            record: Record {
                body: Some(body),
                ..value.record
            },
        });
    }

    pub(crate) fn put(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        (key, value, ttl_s): (Id, Bytes, Option<u32>),
        text: String,
        consistency: Consistency,
    ) {
        let known = self.store.meta(key, Slot::Value);
        let version = self.next_version(cx.wall, known.map(|known| known.version.clock));
        let item = Item {
            key,
            slot: Slot::Value,
            record: Record {
                version,
                body: Some(value),
                expires: ttl_s.map(|ttl_s| cx.wall.plus_secs(ttl_s.into())),
            },
        };
        self.write_with_copies(cx, Some(op), Kind::Put, item, (text, consistency));
    }

    pub(crate) fn insert(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: Option<OpId>,
        (key, holder, lease_s): (Id, SocketAddr, u32),
        text: String,
    ) {
        let slot = Slot::Holder(holder);
        let known = self.store.meta(key, slot);
        let version = self.next_version(cx.wall, known.map(|known| known.version.clock));
        let item = Item {
            key,
            slot,
            record: Record {
                version,
                body: Some(Bytes::from(text)),
                expires: Some(cx.wall.plus_secs(lease_s.into())),
            },
        };
        let how = (String::new(), Consistency::Quorum);
        self.write_with_copies(cx, op, Kind::Insert { lease_s }, item, how);
    }

    /// Everything that a search for something to delete has found: a deletion is newer than all.
    pub(crate) fn delete_found(&mut self, cx: &mut Cx<'_, Self>, number: u64, slot: Slot) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let (op, key, consistency) = (search.op, search.key, search.consistency);
        let finds: Vec<Find> = search
            .finds
            .iter()
            .filter(|find| find.hit.slot == slot)
            .cloned()
            .collect();
        let found = search.newest(key, slot).is_some_and(|it| !it.hit.gone);
        let newest = finds.iter().map(|find| find.hit.version.clock).max();
        let version = self.next_version(cx.wall, newest);
        let item = Item {
            key,
            slot,
            record: Record {
                version,
                body: None,
                expires: None,
            },
        };
        let outcome = if found {
            Outcome::Found
        } else {
            Outcome::Unknown
        };
        self.deadlines.clear(Due::Search(number));
        self.search_of.retain(|_, of| *of != number);
        self.searches.remove(&number);
        let holders = finds.iter().map(|find| find.from).collect();
        self.begin_writing(
            cx,
            Some(op),
            Kind::Delete(outcome),
            item,
            (String::new(), consistency, holders),
        );
    }

    fn write_with_copies(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: Option<OpId>,
        kind: Kind,
        item: Item,
        (text, consistency): (String, Consistency),
    ) {
        let place = (item.key, item.slot);
        let holders = self.copies.get(&place).cloned().unwrap_or_default();
        self.begin_writing(cx, op, kind, item, (text, consistency, holders));
    }

    /// Writes here, tells those that have a copy, and looks for as many more as are wanted.
    fn begin_writing(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: Option<OpId>,
        kind: Kind,
        item: Item,
        (text, consistency, holders): (String, Consistency, Vec<Contact>),
    ) {
        let guid = self.draw_guid(cx);
        let is_delete = matches!(kind, Kind::Delete(_));
        let seq = self.keep(item.clone(), &text);
        let deadline = cx.now + COPIES_LIMIT;
        let me = self.me.id;
        let others: BTreeMap<Id, (Contact, bool)> = holders
            .into_iter()
            .filter(|contact| contact.id != me)
            .map(|contact| (contact.id, (contact, false)))
            .collect();
        let wanted = usize::from(self.config.copies.saturating_sub(1));
        let missing = wanted.saturating_sub(others.len());
        for (contact, _) in others.values() {
            let (req, item, text) = (guid, item.clone(), text.clone());
            cx.send(*contact, Message::Replicate { req, item, text });
        }
        let errand = Errand::Place {
            key: item.key,
            version: item.record.version,
            slot: item.slot,
        };
        let putting = Putting {
            op,
            kind,
            consistency,
            item,
            text,
            own: false,
            has_own: true,
            asked: others,
            walkers: BTreeSet::new(),
            deadline,
        };
        self.puttings.insert(guid, Box::new(putting));
        self.deadlines.set(Due::Putting(guid), deadline);
        if !is_delete {
            let count = u8::try_from(missing).unwrap_or(u8::MAX);
            self.send_placers(cx, guid, count, &errand);
        }
        self.when_durable(cx, seq, Then::Own(guid));
    }

    fn send_placers(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, count: u8, errand: &Errand) {
        let left = self.send_walkers(cx, guid, count, PLACE_STEPS, errand);
        if let Some(putting) = self.puttings.get_mut(&guid) {
            putting.walkers = (0..left).collect();
        }
    }

    /// Leaves copies of a record elsewhere, without one here.
    pub(crate) fn place_copies(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: Option<OpId>,
        kind: Kind,
        item: Item,
        (text, count): (String, u8),
    ) {
        if self.puttings.len() >= MAX_PUTTINGS {
            return;
        }
        let guid = self.draw_guid(cx);
        let errand = Errand::Place {
            key: item.key,
            version: item.record.version,
            slot: item.slot,
        };
        let putting = Putting {
            op,
            kind,
            consistency: Consistency::One,
            item,
            text,
            own: false,
            has_own: false,
            asked: BTreeMap::new(),
            walkers: BTreeSet::new(),
            deadline: cx.now + COPIES_LIMIT,
        };
        self.deadlines.set(Due::Putting(guid), putting.deadline);
        self.puttings.insert(guid, Box::new(putting));
        self.send_placers(cx, guid, count, &errand);
        self.putting_changed(cx, guid);
    }

    /// A node that a walker found would keep a copy.
    pub(crate) fn offer(&mut self, cx: &mut Cx<'_, Self>, from: Contact, guid: Guid, walker: u8) {
        let Some(putting) = self.puttings.get_mut(&guid) else {
            return;
        };
        if !putting.walkers.remove(&walker) {
            return;
        }
        self.deadlines.clear(Due::Out(guid, walker));
        putting.asked.entry(from.id).or_insert((from, false));
        let (item, text) = (putting.item.clone(), putting.text.clone());
        let req = guid;
        cx.send(from, Message::Replicate { req, item, text });
    }

    pub(crate) fn placer_ended(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, walker: u8) {
        if let Some(putting) = self.puttings.get_mut(&guid) {
            putting.walkers.remove(&walker);
        }
        self.putting_changed(cx, guid);
    }

    pub(crate) fn replicated(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        kept: bool,
    ) {
        let Some(putting) = self.puttings.get_mut(&req) else {
            return;
        };
        if kept {
            if let Some((_, durable)) = putting.asked.get_mut(&from.id) {
                *durable = true;
            }
        } else {
            putting.asked.remove(&from.id);
        }
        self.putting_changed(cx, req);
    }

    pub(crate) fn own_copy_durable(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        if let Some(putting) = self.puttings.get_mut(&guid) {
            putting.own = true;
        }
        self.putting_changed(cx, guid);
    }

    /// Somebody who was asked to keep a copy is down.
    pub(crate) fn copy_holder_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let asked = |putting: &Putting| {
            let known = putting.asked.get(&peer.id);
            known.is_some_and(|(_, durable)| !durable)
        };
        let guids: Vec<Guid> = self
            .puttings
            .iter()
            .filter(|(_, putting)| asked(putting))
            .map(|(guid, _)| *guid)
            .collect();
        for guid in guids {
            if let Some(putting) = self.puttings.get_mut(&guid) {
                putting.asked.remove(&peer.id);
            }
            self.putting_changed(cx, guid);
        }
    }

    fn putting_changed(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        if self.puttings.get(&guid).is_some_and(|it| it.is_done()) {
            self.end_putting(cx, guid);
        }
    }

    /// Copies took too long: what there is counts, once this node's own copy is durable.
    pub(crate) fn putting_due(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        let Some(putting) = self.puttings.get_mut(&guid) else {
            return;
        };
        let is_late = putting.deadline + OWN_LIMIT <= cx.now;
        if putting.own || !putting.has_own || is_late {
            return self.end_putting(cx, guid);
        }
        let at = putting.deadline + OWN_LIMIT;
        self.deadlines.set(Due::Putting(guid), at);
    }

    fn end_putting(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        self.deadlines.clear(Due::Putting(guid));
        let Some(putting) = self.puttings.remove(&guid) else {
            return;
        };
        for walker in &putting.walkers {
            self.deadlines.clear(Due::Out(guid, *walker));
        }
        let reply = self.reply_to(&putting, cx.wall);
        self.remember_copies(&putting);
        if let (Kind::Insert { lease_s }, Some(_)) = (&putting.kind, putting.op)
            && putting.own
        {
            self.begin_lease(cx, &putting.item, *lease_s);
        }
        if let Some(op) = putting.op {
            cx.emit(Notice::Done { op, reply });
        }
    }

    fn remember_copies(&mut self, putting: &Putting) {
        let place = (putting.item.key, putting.item.slot);
        match putting.kind {
            Kind::Delete(_) => {
                self.copies.remove(&place);
            }
            Kind::Put | Kind::Insert { .. } => {
                let has_room = self.copies.len() < MAX_COPIES_KNOWN;
                if has_room || self.copies.contains_key(&place) {
                    let durable = putting.asked.values().filter(|(_, durable)| *durable);
                    let contacts = durable.map(|(contact, _)| *contact).collect();
                    self.copies.insert(place, contacts);
                }
            }
            Kind::Copies => {}
        }
    }

    fn reply_to(&self, putting: &Putting, wall: WallMs) -> Reply {
        let (replicas_durable, replicas) = (putting.durable(), putting.replicas());
        let needed = match putting.consistency {
            Consistency::All => u32::from(self.config.copies),
            Consistency::One | Consistency::Quorum => 1,
        };
        let needed = match putting.kind {
            Kind::Delete(_) => 1,
            _ => needed,
        };
        if replicas_durable < needed || !putting.own && putting.has_own {
            return Reply::Failed(Failure::TooFewReplicas {
                durable: replicas_durable,
                replicas,
                needed,
            });
        }
        let (key, version) = (putting.item.key, putting.item.record.version);
        match (&putting.kind, putting.item.slot) {
            (Kind::Insert { .. }, Slot::Holder(holder)) => {
                let end = putting.item.record.expires;
                Reply::Inserted(InsertReport {
                    key,
                    holder,
                    version,
                    expires_in_s: end.map_or(0, |end| end.secs_after(wall)),
                    replicas_durable,
                    replicas,
                })
            }
            (Kind::Delete(outcome), _) => Reply::Deleted(DeleteReport {
                key,
                outcome: *outcome,
                version,
                replicas_durable,
                replicas,
            }),
            _ => Reply::Put(PutReport {
                key,
                version,
                replicas_durable,
                replicas,
            }),
        }
    }

    /// Somebody asks this node to keep a copy: one that it offered to keep, or a newer version of
    /// what it has.
    pub(crate) fn replicate_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        item: Item,
        text: String,
    ) {
        if !crate::checks::item_fits(&item, cx.wall) || text.len() > overlay::MAX_TEXT_BYTES {
            return self.out_of_bounds(cx, from);
        }
        let offered = self.seen.get(req).is_some_and(|entry| entry.offered);
        let has = self.store.meta(item.key, item.slot).is_some();
        let is_tombstone = item.record.body.is_none();
        let room = is_tombstone || self.store.room().is_ok();
        if !(offered || has) || !room {
            return cx.send(from, Message::Replicated { req, kept: false });
        }
        let seq = self.keep(item, &text);
        self.when_durable(cx, seq, Then::Kept(from, req));
    }

    /// Begins the search for what a user wants to delete.
    pub(crate) fn delete(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        key: Id,
        holder: Option<SocketAddr>,
        consistency: Consistency,
    ) {
        let (slot, what) = match holder {
            Some(addr) => (Slot::Holder(addr), crate::What::Holders(key)),
            None => (Slot::Value, crate::What::Value(key)),
        };
        if let Slot::Holder(addr) = slot {
            self.leases.forget(key, addr);
            self.deadlines.clear(Due::Lease(key, addr));
        }
        self.start_search(cx, op, Purpose::Delete { slot }, what, consistency);
    }
}
