//! The rounds of a search: a flood, rings that widen, a plan, or walkers.

use crate::config::Way;
use crate::message::{Guid, Header, MAX_WANTED, Query, Reach, Role};
use crate::node::Gnutella;
use crate::seen::Back;
use overlay::{Cx, Store};

/// Most steps of a walker when a flood follows if nothing is found: with 50 ms a link they take four
/// seconds, and a flood one more.
const AUTO_STEPS: u16 = 48;

impl<S: Store> Gnutella<S> {
    /// Sends the search out, once more if it is a ring.
    pub(crate) fn begin_round(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let guid = self.draw_guid(cx);
        let most = self.config.ttl;
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        search.guid = guid;
        let query = Query {
            what: search.what.clone(),
            wanted: search.wanted,
        };
        let way = search.way;
        self.search_of.insert(guid, number);
        match way {
            Way::Walk => self.begin_walk(cx, number, guid),
            Way::Dynamic => {
                self.seen.insert(guid, Back::Me, 0, cx.now);
                self.send_query(cx, number, Header::new(guid, most), query, true);
            }
            Way::Flood | Way::Ring | Way::Auto => {
                let ttl = if way == Way::Ring {
                    (search.ttl + 1).min(most)
                } else {
                    most
                };
                search.ttl = ttl;
                self.seen.insert(guid, Back::Me, 0, cx.now);
                self.send_query(cx, number, Header::new(guid, ttl), query, false);
            }
        }
    }

    pub(crate) fn begin_walk(&mut self, cx: &mut Cx<'_, Self>, number: u64, guid: Guid) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let errand = Self::search_errand(&search.what, search.wanted);
        let count = self.config.walkers;
        let steps = match self.config.way {
            Way::Auto => self.config.walk_steps.min(AUTO_STEPS),
            _ => self.config.walk_steps,
        };
        let left = self.send_walkers(cx, guid, count, steps, &errand);
        let spoken = self.leaves_asked_by_me(cx, guid, number);
        if let Some(search) = self.searches.get_mut(&number) {
            search.walkers = (0..left).collect();
            search.reach.leaves = search.reach.leaves.saturating_add(spoken);
        }
        if left == 0 {
            self.walks_ended(cx, number);
        }
    }

    /// An ultrapeer that sends walkers out asks its own leaves itself.
    pub(crate) fn leaves_asked_by_me(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        number: u64,
    ) -> u32 {
        if self.role != Role::Ultrapeer {
            return 0;
        }
        let Some(what) = self.searches.get(&number).map(|it| it.what.clone()) else {
            return 0;
        };
        let wanted = MAX_WANTED.min(64);
        self.ask_leaves(cx, None, guid, &Query { what, wanted })
    }

    /// A flood, a ring or a plan has ended.
    pub(crate) fn round_ended(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        guid: Guid,
        reach: Reach,
    ) {
        let most = self.config.ttl;
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        if search.guid != guid || search.fetching.is_some() {
            return;
        }
        search.came(reach);
        let is_found = search.finds.live_count() > 0;
        let found = is_found && search.limit().is_none() || search.has_enough();
        if search.way == Way::Ring && !found && search.ttl < most {
            return self.begin_round(cx, number);
        }
        let is_whole = search.way == Way::Flood || search.way == Way::Ring && search.ttl == most;
        if is_whole {
            self.learnt.flooded(reach);
        }
        self.conclude(cx, number);
    }

    /// A walker of a search of this node asks; whether it is to go on.
    pub(crate) fn walker_asks(&mut self, guid: Guid, walker: u8, fresh: Reach) -> bool {
        let search = self.search_of.get(&guid).copied();
        let search = search.and_then(|number| self.searches.get_mut(&number));
        let Some(search) = search.filter(|it| it.guid == guid && it.fetching.is_none()) else {
            return false;
        };
        if !search.walkers.contains(&walker) {
            return false;
        }
        search.walked(fresh);
        true
    }

    pub(crate) fn search_walker_ended(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        walker: u8,
        fresh: Reach,
    ) {
        let Some(number) = self.search_of.get(&guid).copied() else {
            return;
        };
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        if search.guid != guid || !search.walkers.remove(&walker) {
            return;
        }
        search.walked(fresh);
        if search.walkers.is_empty() {
            self.walks_ended(cx, number);
        }
    }

    /// All walkers have ended. A node that chose to walk floods for what they did not find.
    pub(crate) fn walks_ended(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let by_itself = self.config.way == Way::Auto;
        let Some(search) = self.searches.get_mut(&number) else {
            return;
        };
        if search.fetching.is_some() {
            return;
        }
        let found = search.finds.live_count() > 0;
        self.learnt.walked(found);
        self.learnt.walked_to_the_end(search.reach);
        if !found && by_itself {
            search.way = Way::Flood;
            search.has_walked = true;
            return self.begin_round(cx, number);
        }
        self.conclude(cx, number);
    }
}
