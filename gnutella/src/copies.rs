//! What follows from a search: the report, and for a get the body, fetched from the node that hit, or pushed
//! by it when it cannot be dialled.

use crate::Due;
use crate::config::Replication;
use crate::message::{Guid, Header, MAX_TTL, Message, Push};
use crate::node::Gnutella;
use crate::parked::Parked;
use crate::putting::Kind;
use crate::search::{Find, Purpose};
use overlay::{
    Contact, Cx, Duration, Failure, Found, GetReport, HitKind, HolderInfo, Id, Item, LocateReport,
    Outcome, Record, Reply, SearchReport, Slot, Store, TextHit, TextReport,
};
use std::collections::VecDeque;

/// How long a body may take: a handshake, a round trip, and a megabyte.
const FETCH_LIMIT: Duration = Duration::from_secs(2);
/// Most nodes that a body is asked of.
const MAX_SOURCES: usize = 4;
/// Most nodes with an older version that are sent the one that was found.
const MAX_MENDED: usize = 4;
/// With square-root replication: one more copy for so many nodes that had to be asked.
const NODES_A_COPY: u32 = 32;
/// Most copies that one get leaves.
const MAX_COPIES_LEFT: u8 = 4;

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Fetching {
    req: Guid,
    from: Option<Find>,
    is_pushed: bool,
    others: VecDeque<Find>,
}

impl<S: Store> Gnutella<S> {
    /// The search is over: what it comes to.
    pub(crate) fn search_found(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let reply = match search.purpose.clone() {
            Purpose::Get { at_least } => {
                let newest = search.newest(search.key, Slot::Value);
                let version = newest.map(|find| find.hit.version);
                let is_seen = at_least.is_none_or(|seen| version >= Some(seen));
                if is_seen && newest.is_some_and(|find| !find.hit.gone) {
                    return self.fetch(cx, number);
                }
                self.mend(cx, number, None);
                self.not_got(number, None)
            }
            Purpose::Holders { limit } => self.holders_reply(number, limit),
            Purpose::Words { limit } => self.words_reply(number, limit),
            Purpose::Nodes => self.nodes_reply(number),
            Purpose::Delete { slot } => return self.delete_found(cx, number, slot),
        };
        if let Some(reply) = reply {
            self.end_search(cx, number, reply);
        }
    }

    /// Why something is unknown, with how far the search came.
    pub(crate) fn unknown(&self, number: u64, why: Option<&str>) -> String {
        let Some(search) = self.searches.get(&number) else {
            return String::new();
        };
        let nodes = search.reached();
        let nodes = if nodes == 1 {
            "only this node was reached".to_owned()
        } else {
            format!("{nodes} nodes were reached, this one included")
        };
        let leaves = match search.reach.leaves {
            0 => String::new(),
            1 => ", and the table of 1 leaf was consulted".to_owned(),
            many => format!(", and the tables of {many} leaves were consulted"),
        };
        let why = why.map_or_else(String::new, |why| format!("{why}; "));
        format!("{why}{nodes}{leaves}; in an unstructured overlay absence proves nothing")
    }

    fn not_got(&self, number: u64, why: Option<&str>) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let newest = search.newest(search.key, Slot::Value);
        let why = why.or(match newest {
            Some(find) if find.hit.gone => Some("it was deleted"),
            Some(_) => Some("only older versions than the client has seen were found"),
            None => None,
        });
        Some(Reply::Got(GetReport {
            key: search.key,
            outcome: Outcome::Unknown,
            value: None,
            version: newest.map(|find| find.hit.version),
            replicas_answered: search.responders().len() as u32,
            replicas_asked: search.reached(),
            reason: Some(self.unknown(number, why)),
            reached: Some(search.reached()),
        }))
    }

    fn holders_reply(&self, number: u64, limit: u32) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut holders: Vec<HolderInfo> = search.live().into_iter().filter_map(holder).collect();
        holders.sort_by_key(|holder| holder.addr);
        holders.truncate(limit as usize);
        let found = !holders.is_empty();
        Some(Reply::Searched(SearchReport {
            key: search.key,
            outcome: if found {
                Outcome::Found
            } else {
                Outcome::Unknown
            },
            holders,
            replicas_answered: search.responders().len() as u32,
            replicas_asked: search.reached(),
            reason: (!found).then(|| self.unknown(number, None)),
            reached: Some(search.reached()),
        }))
    }

    fn words_reply(&self, number: u64, limit: u32) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut results: Vec<TextHit> = search.live().into_iter().map(text_hit).collect();
        results.sort_unstable();
        results.truncate(limit as usize);
        let found = !results.is_empty();
        Some(Reply::TextSearched(TextReport {
            outcome: if found {
                Outcome::Found
            } else {
                Outcome::Unknown
            },
            results,
            complete: false,
            answered: search.responders().len() as u32,
            asked: search.reached(),
            reason: Some(self.unknown(number, None)),
        }))
    }

    /// What `locate` means here: the nodes that hit, the nearest first. There is no root, and the way
    /// between is known to the nodes on it only.
    fn nodes_reply(&self, number: u64) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut finds: Vec<&Find> = search.finds.iter().filter(|it| !it.hit.gone).collect();
        finds.sort_by_key(|find| (find.from.id != self.me.id, find.hops, find.from.id));
        let mut replicas: Vec<Contact> = Vec::new();
        for find in &finds {
            if !replicas.iter().any(|known| known.id == find.from.id) {
                replicas.push(find.from);
            }
        }
        let Some(nearest) = replicas.first().copied() else {
            return Some(Reply::Failed(Failure::NoRoute {
                key: search.key,
                reason: format!("no node hit, {}", self.unknown(number, None)),
            }));
        };
        let mut path = vec![self.me];
        let is_here = nearest.id == self.me.id;
        path.extend((!is_here).then_some(nearest));
        let hops = finds.first().map_or(0, |find| u32::from(find.hops) + 1);
        Some(Reply::Located(LocateReport {
            key: search.key,
            replicas,
            path,
            hops: if is_here { 0 } else { hops },
            timeouts: 0,
        }))
    }

    /// Gets the body of the newest version.
    fn fetch(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
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
            && let Some(way) = self.seen.way(find.guid, find.from.id)
            && let Some(link) = self.links.get(&way)
        {
            fetching.is_pushed = true;
            let push = Push {
                header: Header::new(find.guid, find.hops.saturating_add(2).min(MAX_TTL)),
                servent: find.from.id,
                key,
                req: fetching.req,
                to: me,
            };
            cx.send(link.contact, Message::Push(push));
            self.deadlines
                .set(Due::Search(number), cx.now + FETCH_LIMIT);
            return;
        }
        self.next_source(cx, number);
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
            return self.misdeed(cx, from);
        }
        if push.servent == self.me.id {
            let then = Parked::Body {
                to: push.to,
                req: push.req,
                key: push.key,
            };
            return self.read_body(cx, push.key, then);
        }
        let way = self.seen.way(push.header.guid, push.servent);
        let next = way.or(Some(push.servent));
        if let (Some(link), Some(header)) = (
            next.and_then(|id| self.links.get(&id)),
            push.header.forwarded(),
        ) {
            push.header = header;
            cx.send(link.contact, Message::Push(push));
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
        if let Some(record) = &record
            && !crate::checks::value_fits(record, cx.wall)
        {
            self.out_of_bounds(cx, from);
            return self.next_source(cx, number);
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
            replicas_answered: search.responders().len() as u32,
            replicas_asked: search.reached(),
            reason: None,
            reached: Some(search.reached()),
        };
        self.mend(cx, number, Some(&record));
        self.leave_copies(cx, number, record);
        self.end_search(cx, number, Reply::Got(report));
    }

    /// Sends what was found to nodes that were found to have an older version.
    fn mend(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Option<&Record>) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let key = search.key;
        let newest = search.newest(key, Slot::Value);
        let Some(newest) = newest.filter(|find| record.is_some() || find.hit.gone) else {
            return;
        };
        let version = newest.hit.version;
        let record = record.cloned().unwrap_or(Record {
            version,
            body: None,
            expires: None,
        });
        let text = newest.hit.text.clone();
        let old = |find: &&Find| find.hit.version < version && find.hit.slot == Slot::Value;
        let old: Vec<Contact> = search
            .finds
            .iter()
            .filter(old)
            .map(|find| find.from)
            .take(MAX_MENDED)
            .collect();
        for contact in old {
            let item = Item {
                key,
                slot: Slot::Value,
                record: record.clone(),
            };
            if contact.id == self.me.id {
                self.keep(item, &text);
                continue;
            }
            let req = self.draw_guid(cx);
            let text = text.clone();
            cx.send(contact, Message::Replicate { req, item, text });
        }
    }

    /// Square-root replication: the harder a value was to find, the more copies are left.
    fn leave_copies(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Record) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let copies = search.reach.nodes / NODES_A_COPY;
        let copies = u8::try_from(copies).unwrap_or(u8::MAX).min(MAX_COPIES_LEFT);
        if self.config.replication != Replication::SquareRoot || copies == 0 {
            return;
        }
        let newest = search.newest(search.key, Slot::Value);
        let text = newest.map_or_else(String::new, |find| find.hit.text.clone());
        let item = Item {
            key: search.key,
            slot: Slot::Value,
            record,
        };
        self.place_copies(cx, None, Kind::Copies, item, (text, copies));
    }
}

fn holder(find: &Find) -> Option<HolderInfo> {
    let Slot::Holder(addr) = find.hit.slot else {
        return None;
    };
    Some(HolderInfo {
        addr,
        text: find.hit.text.clone(),
        expires_in_s: find.hit.life_s.unwrap_or(0).into(),
    })
}

fn text_hit(find: &Find) -> TextHit {
    let hit = &find.hit;
    let kind = match hit.slot {
        Slot::Holder(addr) => HitKind::Holder {
            addr,
            expires_in_s: hit.life_s.unwrap_or(0).into(),
        },
        _ => HitKind::Value {
            version: hit.version,
            size: hit.bytes,
        },
    };
    TextHit {
        key: hit.key,
        kind,
        text: hit.text.clone(),
        indexed: None,
    }
}
