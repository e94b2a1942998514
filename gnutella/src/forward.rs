//! Where a query goes from here: whom the tables rule out, and what a link can still carry.

use crate::asked::{Child, Parent};
use crate::limits::Kind;
use crate::link::Link;
use crate::message::{Guid, Header, MAX_TTL, Message, Role, What};
use crate::node::Gnutella;
use crate::routes::{self, key_position};
use overlay::words::Query as WordQuery;
use overlay::{Contact, Cx, Id, Store, Time};

/// How a query goes on from here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Onward {
    /// The TTL that equals get; none when it goes to leaves only.
    ttl: Option<u8>,
    /// The hops that everybody gets, leaves too: by them they know how long the way back is.
    hops: u8,
}

impl Onward {
    /// A query begins here.
    pub(crate) const fn first(ttl: u8) -> Self {
        Self {
            ttl: Some(ttl),
            hops: 0,
        }
    }

    /// A query has come with this header.
    pub(crate) fn after(header: Header) -> Self {
        Self {
            ttl: header.ttl.checked_sub(1),
            hops: header.hops.saturating_add(1).min(MAX_TTL),
        }
    }
}

/// Where a query is to go.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Neighbours, with the TTL that they get.
    pub(crate) to: Vec<(Contact, u8)>,
    /// Leaves that need not be asked.
    pub(crate) leaves: u32,
}

/// What a query looks up in tables; none when only the node itself can tell.
fn looked_up(what: &What) -> Vec<u32> {
    match what {
        What::Value(key) | What::Holders(key) | What::Any(key) | What::Holder(key, _) => {
            vec![key_position(*key)]
        }
        What::Words(text) => {
            WordQuery::parse(text).map_or_else(|_| Vec::new(), |query| routes::positions(&query))
        }
    }
}

impl<S: Store> Gnutella<S> {
    /// Where a query goes from here: to leaves that may have it, and to equals while it may be
    /// passed on; of those only to some, if they are named.
    pub(crate) fn targets(
        &mut self,
        except: Option<Id>,
        next: Option<u8>,
        what: &What,
        only: Option<&[Id]>,
    ) -> Targets {
        let mut targets = Targets::default();
        if self.role == Role::Leaf && except.is_some() {
            return targets;
        }
        let looked_up = looked_up(what);
        let is_ultrapeer = self.role == Role::Ultrapeer;
        for link in self.links.values() {
            let id = link.contact.id;
            if Some(id) == except || only.is_some_and(|only| !only.contains(&id)) {
                continue;
            }
            let table = link
                .table
                .as_ref()
                .filter(|_| self.config.tables && is_ultrapeer);
            let excluded = table.is_some_and(|table| !table.has_all(&looked_up));
            if link.role == Role::Leaf {
                if excluded {
                    self.tally.last_hop_stopped += 1;
                    targets.leaves += 1;
                } else {
                    self.tally.last_hop_sent += 1;
                    targets.to.push((link.contact, 0));
                }
                continue;
            }
            match next {
                None => {}
                Some(0) if is_ultrapeer && excluded => self.tally.last_hop_stopped += 1,
                Some(ttl) => {
                    self.tally.last_hop_sent += u64::from(ttl == 0);
                    targets.to.push((link.contact, ttl));
                }
            }
        }
        targets
    }

    /// The leaves that a query is for, and how many tables say that theirs need not be asked.
    pub(crate) fn leaves_by_tables(&mut self, what: &What, asker: Option<Id>) -> (Vec<Id>, u32) {
        let looked_up = looked_up(what);
        let has_tables = self.config.tables && self.role == Role::Ultrapeer;
        let is_leaf = |link: &&Link| link.role == Role::Leaf && Some(link.contact.id) != asker;
        let (mut leaves, mut ruled_out) = (Vec::new(), 0);
        for link in self.links.values().filter(is_leaf) {
            let table = link.table.as_ref().filter(|_| has_tables);
            if table.is_some_and(|table| !table.has_all(&looked_up)) {
                ruled_out += 1;
            } else {
                leaves.push(link.contact.id);
            }
        }
        self.tally.last_hop_stopped += u64::from(ruled_out);
        (leaves, ruled_out)
    }

    /// Of these neighbours, those whose tables say that they, or leaves of theirs, may have it. None
    /// when tables cannot tell.
    pub(crate) fn likely(&self, what: &What, among: &[Id]) -> Vec<Id> {
        let looked_up = looked_up(what);
        if looked_up.is_empty() || !self.config.tables || self.role != Role::Ultrapeer {
            return Vec::new();
        }
        let may_have = |id: &&Id| {
            let table = self.links.get(*id).and_then(|link| link.table.as_ref());
            table.is_some_and(|table| table.has_all(&looked_up))
        };
        among.iter().filter(may_have).copied().collect()
    }

    /// Sends a query on, to all neighbours or to some only.
    pub(crate) fn pass_on(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        from: Option<Id>,
        next: Onward,
        only: Option<&[Id]>,
    ) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        let (query, parent) = (asked.query.clone(), asked.parent);
        let is_own = matches!(parent, Parent::Me(_) | Parent::Nobody);
        let targets = self.targets(from, next.ttl, &query.what, only);
        let hops = next.hops;
        let fair = self.has_share(Kind::Query, from, cx.now);
        for (contact, ttl) in targets.to {
            if !self.may_send(Kind::Query, contact.id, fair, cx.now) {
                self.tally.held_back += 1;
                self.tally.told.dropped_link_full += 1;
                continue;
            }
            if let Some(asked) = self.asked.get_mut(&guid) {
                asked.waiting.insert(contact.id, Child::default());
            }
            let header = Header { guid, ttl, hops };
            let query = query.clone();
            self.tally.told.forwarded += u64::from(!is_own);
            cx.send(contact, Message::Query { header, query });
        }
        if let Some(asked) = self.asked.get_mut(&guid) {
            asked.reach.leaves = asked.reach.leaves.saturating_add(targets.leaves);
        }
    }

    /// Whether a neighbour has taken no more than its share of what all of them may send on. What
    /// this node itself sends always is within it.
    pub(crate) fn has_share(&mut self, kind: Kind, from: Option<Id>, now: Time) -> bool {
        let among = self.links.len();
        let link = from.and_then(|id| self.links.get_mut(&id));
        link.is_none_or(|link| link.conduct.has_share(kind, among, now))
    }

    /// Whether a message may be sent on over a link: always while there is plenty of room, and within
    /// one's share when there is not.
    pub(crate) fn may_send(&mut self, kind: Kind, to: Id, fair: bool, now: Time) -> bool {
        let link = self.links.get_mut(&to);
        link.is_some_and(|link| link.conduct.may_send(kind, fair, now))
    }
}
