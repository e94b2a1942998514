//! What follows from a search: the report, and for a get the body, fetched from the node that hit, or pushed
//! by it when it cannot be dialled.

use crate::Due;
use crate::finds::Find;
use crate::inbox::Misdeed;
use crate::limits::Kind;
use crate::message::{Guid, Header, MAX_TTL, Message, Push};
use crate::node::Gnutella;
use crate::parked::Parked;
use overlay::{
    Contact, Cx, Duration, Found, GetReport, Id, Outcome, Record, Reply, Slot, Store, Time,
};
use std::collections::VecDeque;

/// How long a body may take: a handshake, a round trip, and a megabyte.
const FETCH_LIMIT: Duration = Duration::from_secs(2);
/// Most nodes that a body is asked of.
const MAX_SOURCES: usize = 4;

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Fetching {
    req: Guid,
    from: Option<Find>,
    is_pushed: bool,
    others: VecDeque<Find>,
}

impl<S: Store> Gnutella<S> {
    /// Gets the body of the newest version.
    pub(crate) fn fetch(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let me = self.me.id;
        let req = self.draw_guid(cx);
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        let Some(version) = search
            .newest(search.key, Slot::Value)
            .map(|find| find.hit.version)
        else {
            return;
        };
        let newest = search.finds.iter().filter(|it| it.hit.version == version);
        let mut sources: Vec<Find> = newest.cloned().collect();
        sources.sort_by_key(|find| (find.from.id != me, find.hops));
        sources.truncate(MAX_SOURCES);
        search.fetching = Some(Fetching {
            req,
            from: None,
            is_pushed: false,
            others: sources.into(),
        });
        self.search_of.insert(req, number);
        self.next_source(cx, number);
    }

    fn next_source(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let me = self.me.id;
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        let key = search.key;
        let Some(fetching) = &mut search.fetching else {
            return;
        };
        let req = fetching.req;
        fetching.is_pushed = false;
        fetching.from = fetching.others.pop_front();
        let Some(find) = fetching.from.clone() else {
            let why = "it was found, but no node that has it sent it";
            if let Some(reply) = self.not_got(number, Some(why)) {
                self.end_search(cx, number, reply);
            }
            return;
        };
        self.deadlines
            .set(Due::Search(number), cx.now + FETCH_LIMIT);
        if find.from.id == me {
            return self.read_body(cx, key, Parked::Own { number });
        }
        cx.send(find.from, Message::Fetch { req, key });
    }

    /// The node that was asked for a body is silent, or cannot be reached.
    pub(crate) fn fetch_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let me = self.me;
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        let key = search.key;
        let Some(fetching) = &mut search.fetching else {
            return;
        };
        if let (false, Some(find)) = (fetching.is_pushed, &fetching.from)
            && let Some((way, guid)) = self.seen.take_way(find.guid, find.from.id)
            // Who tells of itself was asked already.
            && way.id != find.from.id
        {
            fetching.is_pushed = true;
            let push = Push {
                header: Header::new(guid, find.hops.saturating_add(2).min(MAX_TTL)),
                servent: find.from.id,
                key,
                req: fetching.req,
                to: me,
            };
            self.deadlines
                .set(Due::Search(number), cx.now + FETCH_LIMIT);
            if self.may_push_to(way.id, cx.now) {
                return cx.send(way, Message::Push(push));
            }
        }
        self.next_source(cx, number);
    }

    /// Whether somebody, a neighbour or not, can take one more push of this node.
    fn may_push_to(&mut self, to: Id, now: Time) -> bool {
        !self.links.contains_key(&to) || self.may_send(Kind::Push, to, true, now)
    }

    /// A node that hit is down: a body may be pushed nevertheless, if only the dial failed.
    pub(crate) fn holder_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let waits = |fetching: &Fetching| {
            let from = fetching.from.as_ref();
            !fetching.is_pushed && from.is_some_and(|find| find.from.id == peer.id)
        };
        let numbers: Vec<u64> = self
            .searches
            .iter()
            .filter(|(_, search)| search.fetching.as_ref().is_some_and(waits))
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.fetch_due(cx, number);
        }
        self.copy_holder_down(cx, peer);
    }

    pub(crate) fn push(&mut self, cx: &mut Cx<'_, Self>, from: Contact, mut push: Push) {
        if !push.header.is_sane() {
            return self.misdeed(cx, from, Misdeed::Hops);
        }
        if push.servent == self.me.id {
            // What was told to nobody under this name is sent to nobody, and what was told once only
            // once: else anybody could have it sent to whom he likes.
            if !self.seen.take_hit(push.header.guid) {
                return self.misdeed(cx, from, Misdeed::Forged);
            }
            let then = Parked::Body {
                to: push.to,
                req: push.req,
                key: push.key,
            };
            return self.read_body(cx, push.key, then);
        }
        let Some((way, guid)) = self.seen.take_way(push.header.guid, push.servent) else {
            return;
        };
        let next = self.links.get(&way.id).map(|link| link.contact);
        let fair = self.has_share(Kind::Push, Some(from.id), cx.now);
        if let (Some(next), Some(header)) = (next, push.header.forwarded())
            && self.may_send(Kind::Push, next.id, fair, cx.now)
        {
            push.header = Header { guid, ..header };
            cx.send(next, Message::Push(push));
        }
    }

    pub(crate) fn fetch_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, req: Guid, key: Id) {
        self.read_body(cx, key, Parked::Body { to: from, req, key });
    }

    /// Reads a value, from the disk if need be, and then does with it what is to be done.
    fn read_body(&mut self, cx: &mut Cx<'_, Self>, key: Id, then: Parked) {
        match self.store.read(key, Slot::Value) {
            Found::OnDisk => self.park(vec![(key, Slot::Value)], then),
            Found::Here(record) => self.body_read(cx, Some(record), &then),
            Found::Absent => self.body_read(cx, None, &then),
        }
    }

    pub(crate) fn body_read(
        &mut self,
        cx: &mut Cx<'_, Self>,
        record: Option<Record>,
        then: &Parked,
    ) {
        let record = record.filter(|record| record.is_live(cx.wall));
        match then {
            Parked::Own { number } => self.body_came(cx, *number, record),
            Parked::Body { to, req, .. } => {
                let req = *req;
                cx.send(*to, Message::Body { req, record });
            }
            Parked::HandOver { .. } | Parked::Index { .. } => {}
        }
    }

    pub(crate) fn body(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        record: Option<Record>,
    ) {
        let Some(number) = self.search_of.get(&req).copied() else {
            return;
        };
        let expected = self
            .searches
            .get(&number)
            .and_then(|it| it.fetching.as_ref());
        let is_from = |find: &Find| find.from.id == from.id;
        if !expected.is_some_and(|it| it.req == req && it.from.as_ref().is_some_and(is_from)) {
            return;
        }
        if let Some(record) = &record {
            self.hear_clock(cx, record.version);
            if !crate::checks::value_fits(record, cx.wall) {
                self.out_of_bounds(cx, from);
                return self.next_source(cx, number);
            }
        }
        self.body_came(cx, number, record);
    }

    fn body_came(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Option<Record>) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let wanted = search.newest(search.key, Slot::Value);
        let wanted = wanted.map(|find| find.hit.version);
        let Some((record, body)) = record
            .filter(|record| Some(record.version) >= wanted)
            .and_then(|record| record.body.clone().map(|body| (record, body)))
        else {
            return self.next_source(cx, number);
        };
        let report = GetReport {
            key: search.key,
            outcome: Outcome::Found,
            value: Some(body),
            version: Some(record.version),
            replicas_answered: search.finds.responders(),
            replicas_asked: search.reached(),
            reason: None,
            reached: Some(search.reached()),
        };
        self.mend(cx, number, Some(&record));
        self.leave_copies(cx, number, record);
        self.end_search(cx, number, Reply::Got(report));
    }
}
