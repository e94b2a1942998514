//! A search of this node: which way it goes, what it finds, and when it has found enough.

use crate::config::Way;
use crate::fetch::Fetching;
use crate::finds::{Find, Finds};
use crate::message::{Guid, Hit, MAX_ANSWERS, MAX_WANTED, Query, QueryHit, Reach, Role, What};
use crate::node::{Due, Gnutella};
use overlay::lookup::LookupError;
use overlay::{
    Consistency, Cx, Duration, Failure, Id, Notice, OpId, Reply, Slot, Store, Time, Version,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most searches of users under way; they cost what they find.
pub const MAX_SEARCHES: usize = 1_024;
/// How long a user waits at most: `p2pctl` gives up after ten seconds.
const LIMIT: Duration = Duration::from_secs(8);
/// How long an ultrapeer searches for a leaf, or a node by a plan.
pub(crate) const FOR_LEAF: Duration = Duration::from_secs(6);
/// How long a search that has found something waits for newer versions.
const SETTLE: Duration = Duration::from_millis(400);

/// What a search is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// The newest version of a value that can be found.
    Get {
        /// What the client has seen.
        at_least: Option<Version>,
    },
    /// Holders of a key.
    Holders {
        /// Most of them.
        limit: u32,
    },
    /// Texts.
    Words {
        /// Most of them.
        limit: u32,
    },
    /// Who keeps something under a key.
    Nodes,
    /// All copies, to delete them.
    Delete {
        /// Of the value, or of one holder.
        slot: Slot,
    },
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) op: OpId,
    pub(crate) purpose: Purpose,
    pub(crate) key: Id,
    pub(crate) what: What,
    pub(crate) consistency: Consistency,
    pub(crate) wanted: u32,
    pub(crate) way: Way,
    pub(crate) guid: Guid,
    /// The TTL of the last flood.
    pub(crate) ttl: u8,
    /// The furthest that one round came.
    pub(crate) reach: Reach,
    pub(crate) finds: Finds,
    /// QueryHits that came, by query and node.
    answers: BTreeMap<(Guid, Id), u32>,
    /// Whether somebody may have more than may be told or kept.
    pub(crate) is_cut: bool,
    pub(crate) walkers: BTreeSet<u8>,
    /// When it began.
    pub(crate) since: Time,
    pub(crate) deadline: Time,
    pub(crate) is_settling: bool,
    /// Whether walkers have looked before this flood.
    pub(crate) has_walked: bool,
    /// The body that is fetched.
    pub(crate) fetching: Option<Fetching>,
}

impl Search {
    /// What a user sees of this record, if it was not deleted.
    pub(crate) fn newest(&self, key: Id, slot: Slot) -> Option<&Find> {
        self.finds.newest(key, slot)
    }

    /// Nodes that are known to have looked: those, and this one.
    pub(crate) fn reached(&self) -> u32 {
        let looked = self.reach.nodes.saturating_add(1);
        looked.max(self.finds.responders())
    }

    /// A round came so far: rounds meet the same nodes, so the one that came furthest counts.
    pub(crate) fn came(&mut self, reach: Reach) {
        self.reach = self.reach.or_further(reach);
        self.is_cut |= reach.is_cut;
    }

    /// A walker was the first to visit so many.
    pub(crate) fn walked(&mut self, fresh: Reach) {
        self.reach = self.reach.and(fresh);
        self.is_cut |= fresh.is_cut;
    }

    pub(crate) fn limit(&self) -> Option<usize> {
        match self.purpose {
            Purpose::Holders { limit } | Purpose::Words { limit } => Some(limit as usize),
            _ => None,
        }
    }

    pub(crate) fn has_enough(&self) -> bool {
        self.limit()
            .is_some_and(|limit| self.finds.live_count() >= limit)
    }
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn start_search(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        purpose: Purpose,
        what: What,
        consistency: Consistency,
    ) {
        if self.searches.len() >= MAX_SEARCHES {
            let reply = Reply::Failed(Failure::Busy(MAX_SEARCHES));
            return cx.emit(Notice::Done { op, reply });
        }
        let number = self.draw_number();
        let equals = self.full_links().count();
        let way = match purpose {
            // Every copy counts.
            Purpose::Delete { .. } => Way::Flood,
            // The newest of all that several ultrapeers find.
            Purpose::Get { .. } | Purpose::Nodes if self.role == Role::Leaf => Way::Flood,
            _ => self.learnt.choose(self.config.way, self.role, equals),
        };
        let wanted = match purpose {
            Purpose::Holders { limit } | Purpose::Words { limit } => limit.clamp(1, MAX_WANTED),
            // Every copy, so that nothing ends it early: each node has one at most.
            Purpose::Delete { .. } => MAX_WANTED,
            Purpose::Get { .. } | Purpose::Nodes => 1,
        };
        let key = match &what {
            What::Value(key) | What::Holders(key) | What::Any(key) | What::Holder(key, _) => *key,
            What::Words(_) => Id::ZERO,
        };
        let deadline = cx.now + LIMIT;
        let search = Search {
            op,
            purpose,
            key,
            what,
            consistency,
            wanted,
            way,
            guid: Guid::default(),
            ttl: 0,
            reach: Reach::default(),
            finds: Finds::default(),
            answers: BTreeMap::new(),
            is_cut: false,
            walkers: BTreeSet::new(),
            since: cx.now,
            deadline,
            is_settling: false,
            has_walked: false,
            fetching: None,
        };
        self.searches.insert(number, Box::new(search));
        self.deadlines.set(Due::Search(number), deadline);
        self.look_here(cx, number);
    }

    /// This node is asked first.
    fn look_here(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let query = Query {
            what: search.what.clone(),
            wanted: search.wanted.max(crate::message::MAX_HITS as u32),
        };
        let (me, guid) = (self.me, search.guid);
        let (hits, is_cut) = self.matches(cx, None, &query);
        if let Some(search) = self.searches.get_mut(&number) {
            let find = |hit| Find {
                from: me,
                guid,
                hops: 0,
                hit,
            };
            for hit in hits {
                search.finds.add(find(hit));
            }
            search.is_cut = is_cut;
        }
        let one = self.searches.get(&number).is_some_and(|search| {
            let own =
                matches!(search.purpose, Purpose::Get { .. }) && search.finds.live_count() > 0;
            own && search.consistency == Consistency::One || search.has_enough()
        });
        if one {
            return self.conclude(cx, number);
        }
        self.begin_round(cx, number);
    }

    /// A hit for a search of this node.
    pub(crate) fn hit_for_me(&mut self, cx: &mut Cx<'_, Self>, hit: QueryHit) {
        self.tally.told.hits_received += 1;
        let guid = hit.header.guid;
        let Some(number) = self.search_of.get(&guid).copied() else {
            return;
        };
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        if search.fetching.is_some() {
            return;
        }
        let answers = search.answers.entry((guid, hit.from.id)).or_default();
        *answers += 1;
        search.is_cut |= *answers >= MAX_ANSWERS || search.finds.is_full();
        for one in hit.hits {
            let is_new = !search.finds.is_full() && !search.finds.knows(hit.from.id, &one);
            if is_new && is_asked(&search.what, &one) {
                search.finds.add(Find {
                    from: hit.from,
                    guid,
                    hops: hit.header.hops,
                    hit: one,
                });
            }
        }
        if let Some(asked) = self.asked.get_mut(&guid) {
            asked.hits += 1;
            asked.results = search.finds.live_count() as u32;
        }
        self.search_changed(cx, number);
    }

    /// More was found: enough, or a reason to wait only a little longer.
    fn search_changed(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        let first_is_enough = search.consistency == Consistency::One;
        let found = search.finds.live_count() > 0;
        if search.has_enough() || found && first_is_enough && search.limit().is_none() {
            return self.conclude(cx, number);
        }
        let settles = matches!(search.purpose, Purpose::Get { .. } | Purpose::Nodes);
        if settles && found && !search.is_settling {
            search.is_settling = true;
            let at = search.deadline.min(cx.now + SETTLE);
            self.deadlines.set(Due::Search(number), at);
        }
    }

    pub(crate) fn search_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let is_fetching = |it: &Search| it.fetching.is_some();
        if self.searches.get(&number).is_some_and(|it| is_fetching(it)) {
            return self.fetch_due(cx, number);
        }
        self.conclude(cx, number);
    }

    /// Nothing more is waited for: what was found is the answer, or leads to it.
    pub(crate) fn conclude(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let (guid, way, results) = (search.guid, search.way, search.finds.live_count() as u32);
        let (by_walkers, is_here) = (search.has_walked, guid == Guid::default());
        if way == Way::Walk && !search.walkers.is_empty() {
            self.learnt.walked(results > 0);
        }
        let reach = match way {
            Way::Flood => self.stop_flood(guid),
            _ => self.stop_query(guid),
        };
        if let Some(search) = self.searches.get_mut(&number) {
            search.came(reach);
            for walker in std::mem::take(&mut search.walkers) {
                self.deadlines.clear(Due::Out(guid, walker));
            }
        }
        if let Some(search) = self.searches.get(&number)
            && matches!(way, Way::Flood | Way::Ring)
            // What is here was not looked for elsewhere, and walkers have taught before a flood.
            && !(is_here || by_walkers)
        {
            self.learnt.came(results, search.reached());
        }
        self.deadlines.clear(Due::Search(number));
        self.search_found(cx, number);
    }

    /// The search is over.
    pub(crate) fn end_search(&mut self, cx: &mut Cx<'_, Self>, number: u64, reply: Reply) {
        self.deadlines.clear(Due::Search(number));
        self.search_of.retain(|_, of| *of != number);
        if let Some(search) = self.searches.remove(&number) {
            let op = search.op;
            let finds = search.finds.iter().filter(|find| !find.hit.gone);
            let hops = |find: &Find| match find.from.id == self.me.id {
                true => 0,
                false => u32::from(find.hops) + 1,
            };
            let nearest = finds.map(hops).min();
            let missed = Err(LookupError::NoAnswer { attempts: 1 });
            self.lookups
                .ended(nearest.map_or(missed, Ok), cx.now.since(search.since));
            cx.emit(Notice::Done { op, reply });
        }
    }
}

/// Whether a hit is about what was asked; a peer may send anything.
fn is_asked(what: &What, hit: &Hit) -> bool {
    match what {
        What::Value(key) => hit.key == *key && hit.slot == Slot::Value,
        What::Holders(key) => hit.key == *key && hit.slot != Slot::Value,
        What::Holder(key, addr) => hit.key == *key && hit.slot == Slot::Holder(*addr),
        What::Any(key) => hit.key == *key,
        What::Words(text) => overlay::words::Query::parse(text)
            .is_ok_and(|query| !hit.gone && query.matches_text(&hit.text)),
    }
}
