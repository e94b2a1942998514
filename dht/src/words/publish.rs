//! Bringing entries to the owners of their nodes, in batches.

use super::document::{Described, Document, Subject};
use super::place::base_of;
use super::publisher::{Batch, Held, Job, Moment};
use crate::checks::BATCH_BYTES;
use crate::due::Due;
use crate::message::{IndexItem, IndexMany, IndexResult};
use crate::op::Op;
use crate::read::WRITE_PATIENCE;
use crate::renewals::MAX_RENEWALS;
use crate::write::{Kind, WriteWork};
use crate::{Dht, Store, StoreMessage};
use bytes::Bytes;
use overlay::lookup::{Located, LookupRequest};
use overlay::{Contact, Cx, Duration, Hlc, Id, KeyRouter, Notice, Reply, Slot, WallMs};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Most batches under way: a text of many words goes to that many owners at once, and what is
/// renewed does not stand in the way of users.
const MAX_BATCHES: usize = 32;
/// What an entry takes of a message besides its body.
const ITEM_BYTES: usize = 48;
/// How long the entries of a value last; its root renews them three times in that time.
pub(crate) const VALUE_LEASE_S: u64 = 1_800;

/// When something happens, for the publisher.
pub(super) fn moment<R: KeyRouter, S: Store>(cx: &Cx<'_, Dht<R, S>>) -> Moment {
    let (now, wall) = (cx.now, cx.wall);
    Moment { now, wall }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A write is done: its text is published, and then its user gets the answer. True when the
    /// answer has to wait for that.
    pub(crate) fn publish_written(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        op: &Op,
        write: &WriteWork,
        reply: &Reply,
    ) -> bool {
        let Some((document, until)) = described(op.key, write, reply, cx.wall) else {
            return false;
        };
        let held = Held {
            who: op.who,
            reply: reply.clone(),
            left: 0,
        };
        self.index.publisher.held.insert(number, held);
        let publisher = &mut self.index.publisher;
        let jobs = publisher.publish(moment(cx), &document, until, Some(number));
        // Markers are counted as they are made, the rest here.
        if let Some(held) = publisher.held.get_mut(&number) {
            held.left = jobs;
        }
        if jobs == 0 {
            self.index.publisher.held.remove(&number);
            return false;
        }
        self.deadlines.set(Due::Held(number), op.deadline);
        self.send_entries(cx);
        true
    }

    /// The lease of a holder goes on: so do its entries.
    pub(crate) fn publish_holder(
        &mut self,
        cx: &mut Cx<'_, Self>,
        (key, addr): (Id, SocketAddr),
        (text, indexed): (&Bytes, Option<&Bytes>),
        lease_s: u32,
    ) {
        let document = of_holder((key, addr), text, indexed);
        if !document.is_empty() {
            let until = cx.wall.plus_secs(u64::from(lease_s));
            self.index
                .publisher
                .publish(moment(cx), &document, until, None);
        }
    }

    /// A holder is gone or has another text: the entries that it had end.
    pub(crate) fn withdraw_holder(
        &mut self,
        cx: &mut Cx<'_, Self>,
        place: (Id, SocketAddr),
        (text, indexed): (&Bytes, Option<&Bytes>),
        but: Option<(&Bytes, Option<&Bytes>)>,
    ) {
        let document = of_holder(place, text, indexed);
        let but = but.map(|(text, indexed)| of_holder(place, text, indexed));
        self.withdraw(cx, &document, but.as_ref());
    }

    /// Ends the entries of a document, but for those that another one has too.
    pub(crate) fn withdraw(
        &mut self,
        cx: &mut Cx<'_, Self>,
        document: &Document,
        but: Option<&Document>,
    ) {
        if document.is_empty() {
            return;
        }
        let before = self.clock.latest().max(Hlc::at(cx.wall));
        let publisher = &mut self.index.publisher;
        publisher.withdraw(moment(cx), document, but, before);
        self.send_entries(cx);
    }

    /// Sends what is ready.
    pub(crate) fn send_entries(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.routing.router().is_member() {
            return self.wait_for_entries(cx);
        }
        self.ask_loads(cx);
        while self.index.publisher.batches.len() < MAX_BATCHES {
            let Some(first) = self.index.publisher.take_first() else {
                break;
            };
            let (number, place) = (self.draw_number(cx), first.place());
            let batch = Batch {
                jobs: vec![first],
                asked: None,
            };
            self.index.publisher.batches.insert(number, batch);
            let at = cx.now + self.config.op_timeout;
            self.deadlines.set(Due::IndexBatch(number), at);
            self.look_up(cx, number, LookupRequest::new(place));
        }
        self.wait_for_entries(cx);
    }

    /// Sets the time of the next try.
    fn wait_for_entries(&mut self, cx: &Cx<'_, Self>) {
        let publisher = &self.index.publisher;
        let is_stuck = publisher.is_ready() && !self.routing.router().is_member();
        let stuck = is_stuck.then(|| cx.now + Duration::from_secs(1));
        match publisher.next_try().into_iter().chain(stuck).min() {
            Some(at) => self.deadlines.set(Due::Publisher, at),
            None => {
                self.deadlines.clear(Due::Publisher);
            }
        }
    }

    /// Some entries are to be tried again.
    pub(crate) fn publisher_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.index.publisher.resume(cx.now);
        self.send_entries(cx);
    }

    /// Whether a lookup was for a batch of entries; if so, the batch goes to the owner.
    pub(crate) fn entries_located(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        found: Option<&Located>,
    ) -> bool {
        let Some(mut batch) = self.index.publisher.batches.remove(&number) else {
            return false;
        };
        let Some(found) = found else {
            self.batch_failed(cx, number, batch);
            return true;
        };
        let mut bytes = batch.jobs.iter().map(cost).sum::<usize>();
        let mut count = batch.jobs.len();
        let publisher = &mut self.index.publisher;
        publisher.take_within(found.arc, &mut batch.jobs, |job| {
            count += 1;
            bytes += cost(job);
            count <= MAX_RENEWALS && bytes <= BATCH_BYTES
        });
        let item = |job: &Job| IndexItem {
            place: job.place(),
            until: job.until,
            body: job.body.clone(),
            removes: job.removes,
        };
        let message = IndexMany {
            req: number,
            items: batch.jobs.iter().map(item).collect(),
            seen: self.clock.latest(),
        };
        batch.asked = Some(found.owner);
        self.index.publisher.batches.insert(number, batch);
        let patience = self.routing.timeout_for(found.owner.id).0 + WRITE_PATIENCE.0;
        let until = cx.now + Duration(patience) + self.config.write_timeout;
        self.deadlines.set(Due::IndexBatch(number), until);
        self.post(cx, found.owner, StoreMessage::IndexMany(message));
        true
    }

    /// An owner answers for a batch.
    pub(crate) fn indexed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        number: u64,
        result: IndexResult,
    ) {
        let asked = self.index.publisher.batches.get(&number);
        if asked.and_then(|batch| batch.asked).map(|asked| asked.id) != Some(from.id) {
            return;
        }
        let Some(batch) = self.index.publisher.batches.remove(&number) else {
            return;
        };
        let IndexResult::Done {
            deeper,
            nodes,
            not_mine,
            full,
        } = result
        else {
            if result == IndexResult::NotResponsible {
                self.forget_owner(&batch);
            }
            return self.batch_failed(cx, number, batch);
        };
        self.deadlines.clear(Due::IndexBatch(number));
        // Which nodes have or need children: an owner is believed about those that sent entries down.
        let deeper: BTreeSet<u32> = deeper.into_iter().collect();
        let down = (0_u32..).zip(&batch.jobs);
        let down = down.filter(|(at, _)| deeper.contains(at));
        let down: BTreeSet<Id> = down.map(|(_, job)| base_of(job.place())).collect();
        let mut nodes: BTreeMap<Id, _> = nodes.into_iter().collect();
        nodes.retain(|base, _| down.contains(base));
        for base in down {
            nodes.entry(base).or_default();
        }
        for (base, children) in &nodes {
            self.index.publisher.inner.learn(*base, children, cx.now);
        }
        let mut done: BTreeMap<u64, usize> = BTreeMap::new();
        for (at, mut job) in (0_u32..).zip(batch.jobs) {
            if not_mine.contains(&at) {
                self.routing.forget(job.place());
                self.try_again(cx, job);
            } else if full.contains(&at) {
                self.try_again(cx, job);
            } else if deeper.contains(&at) && !is_at_its_end(&job, &nodes) {
                job.tries = 0;
                self.index.publisher.descend(moment(cx), job);
            } else if let Some(waiter) = job.waiter {
                *done.entry(waiter).or_default() += 1;
            }
        }
        for (waiter, count) in done {
            self.entries_placed(cx, waiter, count);
        }
        self.send_entries(cx);
    }

    /// The owner of a batch was not found, or was silent for as long as an answer may take.
    pub(crate) fn index_batch_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(batch) = self.index.publisher.batches.remove(&number) else {
            return;
        };
        if let Some(silent) = batch.asked {
            self.forget_owner(&batch);
            if silent.id != self.my().id {
                self.with_routing(cx, |routing, cx| routing.suspect(cx, silent));
            }
        }
        self.batch_failed(cx, number, batch);
    }

    fn forget_owner(&mut self, batch: &Batch) {
        if let Some(first) = batch.jobs.first() {
            self.routing.forget(first.place());
        }
    }

    fn batch_failed(&mut self, cx: &mut Cx<'_, Self>, number: u64, batch: Batch) {
        self.deadlines.clear(Due::IndexBatch(number));
        for job in batch.jobs {
            self.try_again(cx, job);
        }
        self.send_entries(cx);
    }

    fn try_again(&mut self, cx: &mut Cx<'_, Self>, job: Job) {
        if let Some(over) = self.index.publisher.again(moment(cx), job) {
            self.index.publisher.give_up(&over);
            if let Some(waiter) = over.waiter {
                self.entries_placed(cx, waiter, 1);
            }
        }
    }

    /// Entries of a call are where they belong.
    fn entries_placed(&mut self, cx: &mut Cx<'_, Self>, waiter: u64, count: usize) {
        let Some(held) = self.index.publisher.held.get_mut(&waiter) else {
            return;
        };
        held.left = held.left.saturating_sub(count);
        if held.left == 0 {
            self.held_due(cx, waiter);
        }
    }

    /// All entries of a call are placed, or its time is over: then the rest goes on without it.
    pub(crate) fn held_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        self.deadlines.clear(Due::Held(number));
        if let Some(Held { who, reply, .. }) = self.index.publisher.held.remove(&number) {
            cx.emit(Notice::Done { op: who, reply });
        }
    }
}

/// What an entry takes of a message.
fn cost(job: &Job) -> usize {
    ITEM_BYTES + job.body.len()
}

/// Whether nothing is further down: what goes ends there, and what has no more digits cannot.
fn is_at_its_end(job: &Job, nodes: &BTreeMap<Id, Vec<super::Child>>) -> bool {
    let Some(digit) = job.digits.get(job.node.digits.len()) else {
        return true;
    };
    let children = nodes.get(&base_of(job.place()));
    let goes_on = children.is_some_and(|all| all.iter().any(|child| child.digit == *digit));
    job.removes.is_some() && !goes_on
}

/// What a write that is done says of what it wrote, and when that ends.
fn described(
    key: Id,
    write: &WriteWork,
    reply: &Reply,
    wall: WallMs,
) -> Option<(Document, WallMs)> {
    let (document, until) = match (write.kind, reply, write.slot) {
        (Kind::Insert, Reply::Inserted(report), Slot::Holder(addr)) => {
            let text = write.body.clone().unwrap_or_default();
            let document = of_holder((key, addr), &text, write.indexed.as_ref());
            (document, wall.plus_secs(report.expires_in_s))
        }
        (Kind::Put, Reply::Put(report), Slot::Value) => {
            let described = Described::decode(write.text.as_ref()?)?;
            let lease_s = write.life_s.map_or(VALUE_LEASE_S, u64::from);
            let until = wall.plus_secs(lease_s.min(VALUE_LEASE_S));
            (described.document(key, report.version), until)
        }
        _ => return None,
    };
    (!document.is_empty()).then_some((document, until))
}

/// What the index says of a holder.
fn of_holder((key, addr): (Id, SocketAddr), text: &Bytes, indexed: Option<&Bytes>) -> Document {
    Document {
        key,
        subject: Subject::Holder(addr),
        text: String::from_utf8_lossy(text).into_owned(),
        indexed: indexed.cloned(),
    }
}
