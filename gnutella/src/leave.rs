//! Leaving: what this node has is handed over to its neighbours, and then they are told.
//!
//! Whether somebody else has a copy of a record is not known here, and so all of them are handed
//! over; a neighbour that has one already loses nothing by it.

use crate::message::{ByeCode, Guid, Message};
use crate::node::{Due, Gnutella};
use crate::parked::{Parked, Then};
use crate::stage::Stage;
use overlay::{
    Contact, Cx, Duration, Failure, Found, Id, Item, Notice, OpId, Reply, Slot, Store, Time,
};

/// Bytes of bodies in one message of a hand-over, if it has more than one record.
const PAGE_BYTES: usize = 256 << 10;
/// How long an answer to a part of a hand-over may take before another neighbour is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// Most calls to leave that wait for the end together.
const MAX_LEAVE_CALLS: usize = 64;

/// A node that leaves.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    ops: Vec<OpId>,
    until: Option<Time>,
    /// How far it has come.
    after: Option<(Id, Slot)>,
    /// Who was asked for an answer.
    asked: Option<(Guid, Id)>,
    /// How far it will have come with that.
    upto: Option<(Id, Slot)>,
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId, within_s: Option<u32>) {
        let until = within_s.map(|seconds| cx.now + Duration::from_secs(seconds.into()));
        if !self.stage.is_member() {
            let reply = Reply::Failed(Failure::NotMember);
            return cx.emit(Notice::Done { op, reply });
        }
        if let Some(at) = until {
            self.deadlines.set(Due::Leave, at);
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.until = until.or(leaving.until);
            if leaving.ops.len() < MAX_LEAVE_CALLS {
                leaving.ops.push(op);
                return;
            }
            let why = "this node is leaving already".to_owned();
            let reply = Reply::Failed(Failure::Refused(why));
            return cx.emit(Notice::Done { op, reply });
        }
        let counts = self.store.counts();
        let is_empty = counts.values + counts.holders == 0;
        if self.links.is_empty() && !is_empty && until.is_none() {
            let reply = Reply::Failed(Failure::LastNode {
                values: counts.values,
                holders: counts.holders,
            });
            return cx.emit(Notice::Done { op, reply });
        }
        self.leaving = Some(Leaving {
            ops: vec![op],
            until,
            ..Leaving::default()
        });
        self.stage = Stage::Leaving;
        self.hand_over_next(cx);
    }

    /// The time for leaving is up.
    pub(crate) fn leave_due(&mut self, cx: &mut Cx<'_, Self>) {
        let is_due = |leaving: &Leaving| leaving.until.is_some_and(|at| at <= cx.now);
        if self.leaving.as_ref().is_some_and(is_due) {
            let alone = self.links.is_empty();
            self.gone(cx, alone);
        }
    }

    /// A neighbour did not answer: another is asked for the same part.
    pub(crate) fn hand_over_due(&mut self, cx: &mut Cx<'_, Self>) {
        if let Some(leaving) = &mut self.leaving {
            leaving.asked = None;
            self.hand_over_next(cx);
        }
    }

    /// The next records, a page of them.
    fn hand_over_next(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(leaving) = &self.leaving else {
            return;
        };
        let (mut places, mut bytes) = (Vec::new(), 0);
        let whole = overlay::Arc::whole(Id::MAX);
        let wall = cx.wall;
        self.store
            .range(whole, leaving.after, &mut |key, slot, meta| {
                let length = meta.length.unwrap_or(0) as usize;
                let fits = places.is_empty() || bytes + length <= PAGE_BYTES;
                if fits && (meta.is_live(wall) || meta.is_tombstone()) {
                    bytes += length;
                    places.push((key, slot));
                }
                fits && places.len() < crate::message::MAX_ITEMS
            });
        if places.is_empty() {
            return self.gone(cx, true);
        }
        if self.links.is_empty() {
            // Nobody is left. With a limit it ends then, and says what was left behind.
            let limited = self.leaving.as_ref().is_some_and(|it| it.until.is_some());
            return if limited {
                self.gone(cx, true)
            } else {
                self.stay(cx)
            };
        }
        let on_disk =
            |(key, slot): &(Id, Slot)| matches!(self.store.read(*key, *slot), Found::OnDisk);
        if places.iter().any(on_disk) {
            return self.park(places.clone(), Parked::HandOver { places });
        }
        self.hand_over_these(cx, &places);
    }

    pub(crate) fn hand_over_these(&mut self, cx: &mut Cx<'_, Self>, places: &[(Id, Slot)]) {
        let item = |(key, slot): &(Id, Slot)| {
            let record = self.read_now(*key, *slot)?;
            let (key, slot) = (*key, *slot);
            Some(Item { key, slot, record })
        };
        let items: Vec<Item> = places.iter().filter_map(item).collect();
        let lasting: Vec<Contact> = self.full_links().map(|link| link.contact).collect();
        let all: Vec<Contact> = self.links.values().map(|link| link.contact).collect();
        let list = if lasting.is_empty() { &all } else { &lasting };
        let to = crate::hosts::pick(list, cx.rng).copied();
        let (Some(to), Some(last)) = (to, places.last()) else {
            return;
        };
        let req = self.draw_guid(cx);
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        leaving.asked = Some((req, to.id));
        leaving.upto = Some(*last);
        self.deadlines.set(Due::HandOver, cx.now + ANSWER_LIMIT);
        cx.send(to, Message::HandOver { req, items });
    }

    pub(crate) fn handed_over(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        kept: bool,
    ) {
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        if leaving.asked != Some((req, from.id)) || !kept {
            return;
        }
        leaving.asked = None;
        leaving.after = leaving.upto;
        self.deadlines.clear(Due::HandOver);
        self.hand_over_next(cx);
    }

    /// A neighbour leaves, and hands over what it has.
    pub(crate) fn hand_over_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        items: Vec<Item>,
    ) {
        self.hear_clocks(cx, &items);
        let fit = items
            .iter()
            .all(|item| crate::checks::item_fits(item, cx.wall));
        if items.len() > crate::message::MAX_ITEMS || !fit {
            return self.out_of_bounds(cx, from);
        }
        if matches!(self.stage, Stage::Leaving) {
            return;
        }
        let mut seq = self.store.last_write();
        for item in items {
            seq = self.keep(item, "");
        }
        self.when_durable(cx, seq, Then::Taken(from, req));
    }

    /// Nobody is left to take anything: the node stays.
    fn stay(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(leaving) = self.leaving.take() else {
            return;
        };
        self.stage = Stage::Member;
        let counts = self.store.counts();
        for op in leaving.ops {
            let reply = Reply::Failed(Failure::LastNode {
                values: counts.values,
                holders: counts.holders,
            });
            cx.emit(Notice::Done { op, reply });
        }
    }

    /// The node leaves: neighbours are told whom else to try, and calls under way end.
    fn gone(&mut self, cx: &mut Cx<'_, Self>, handed: bool) {
        let links: Vec<Contact> = self.links.values().map(|link| link.contact).collect();
        for contact in links {
            let hosts = self.some_hosts(cx, contact.id);
            let code = ByeCode::Leaving;
            cx.send(contact, Message::Bye { code, hosts });
        }
        self.end_calls(cx);
        let counts = self.store.counts();
        let is_empty = counts.values + counts.holders == 0;
        let ops = self.leaving.take().map(|it| it.ops).unwrap_or_default();
        for op in ops {
            let reply = if handed || is_empty {
                Reply::Left
            } else {
                Reply::Failed(Failure::NotHandedOver {
                    values: counts.values,
                    holders: counts.holders,
                })
            };
            cx.emit(Notice::Done { op, reply });
        }
        self.outside_again();
    }

    /// Every call under way is answered.
    fn end_calls(&mut self, cx: &mut Cx<'_, Self>) {
        let searches = std::mem::take(&mut self.searches);
        self.search_of.clear();
        for search in searches.into_values() {
            let reply = Reply::Failed(Failure::NotMember);
            cx.emit(Notice::Done {
                op: search.op,
                reply,
            });
        }
        let puttings = std::mem::take(&mut self.puttings);
        for op in puttings.into_values().filter_map(|putting| putting.op()) {
            let reply = Reply::Failed(Failure::NotMember);
            cx.emit(Notice::Done { op, reply });
        }
    }
}
