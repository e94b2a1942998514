//! Writing: the node that is asked keeps a copy, and so do k others that random walks chose.

use crate::message::{Errand, Guid, Message};
use crate::node::{Due, Gnutella};
use crate::parked::Then;
use bytes::Bytes;
use overlay::{
    Consistency, Contact, Cx, DeleteReport, Duration, Failure, Id, InsertReport, Item, Notice,
    OpId, Outcome, PutReport, Record, Reply, Slot, Store, Time, WallMs,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Most writes under way; one more is refused.
pub const MAX_PUTTINGS: usize = 1_024;
/// How long copies may take; what is durable by then is reported.
pub(crate) const COPIES_LIMIT: Duration = Duration::from_secs(2);
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
    pub(crate) op: Option<OpId>,
    pub(crate) kind: Kind,
    pub(crate) consistency: Consistency,
    pub(crate) item: Item,
    pub(crate) text: String,
    /// Whether this node's own copy is durable.
    pub(crate) own: bool,
    /// Whether it keeps one.
    pub(crate) has_own: bool,
    /// Who was asked to keep a copy, and whether it is durable there.
    pub(crate) asked: BTreeMap<Id, (Contact, bool)>,
    /// Walkers that look for somebody.
    pub(crate) walkers: BTreeSet<u8>,
    pub(crate) deadline: Time,
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
    pub(crate) fn put(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        (key, value, ttl_s): (Id, Bytes, Option<u32>),
        text: String,
        consistency: Consistency,
    ) {
        let known = self.store.meta(key, Slot::Value);
        let version = self.next_version(cx, known.map(|known| known.version.clock));
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
        let version = self.next_version(cx, known.map(|known| known.version.clock));
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
    pub(crate) fn begin_writing(
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

    pub(crate) fn send_placers(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        count: u8,
        errand: &Errand,
    ) {
        let left = self.send_walkers(cx, guid, count, PLACE_STEPS, errand);
        if let Some(putting) = self.puttings.get_mut(&guid) {
            putting.walkers = (0..left).collect();
        }
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

    pub(crate) fn putting_changed(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
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
}
