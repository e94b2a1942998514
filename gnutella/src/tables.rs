//! Query routing tables change hands.
//!
//! A leaf tells its ultrapeers what it has. An ultrapeer tells other ultrapeers what it and its leaves
//! have together, so that a query is not sent on its last hop in vain. Changes go out once a
//! second at most, to all neighbours alike.

use crate::message::{MAX_PATCH, Message, Role, Routes};
use crate::node::Gnutella;
use crate::routes::QueryTable;
use overlay::{Contact, Cx, Id, Store};

/// What this node has told others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub(crate) table: QueryTable,
    /// The number of the last part.
    pub(crate) number: u64,
    /// Whether it may have changed since.
    pub(crate) is_stale: bool,
    /// Leaves that it speaks for.
    leaves: u16,
}

impl<S: Store> Gnutella<S> {
    /// Whether a neighbour of this role is told.
    const fn tells(&self, role: Role) -> bool {
        self.config.tables
            && matches!(role, Role::Ultrapeer)
            && matches!(self.role, Role::Leaf | Role::Ultrapeer)
    }

    /// New neighbours are told at once.
    pub(crate) fn publish_soon(&mut self, cx: &mut Cx<'_, Self>) {
        self.publish(cx);
    }

    /// What this node, and its leaves, have.
    fn gather(&self) -> QueryTable {
        let mut positions = self.index.positions();
        self.add_key_positions(&mut positions);
        if self.role == Role::Ultrapeer {
            let leaves = self.links.values().filter(|link| link.role == Role::Leaf);
            for table in leaves.filter_map(|link| link.table.as_ref()) {
                positions.extend(table.positions());
            }
        }
        QueryTable::of(positions)
    }

    /// Tells whoever has not been told what there is now.
    pub(crate) fn publish(&mut self, cx: &mut Cx<'_, Self>) {
        let told = |node: &Self, link: &crate::link::Link| node.tells(link.role);
        if !self.links.values().any(|link| told(self, link)) {
            return;
        }
        if self.published.is_stale {
            self.published.is_stale = false;
            let now = self.gather();
            let (set, cleared) = self.published.table.difference(&now);
            self.published.table = now;
            self.published.leaves = u16::try_from(self.leaf_count()).unwrap_or(u16::MAX);
            if !set.is_empty() || !cleared.is_empty() {
                self.send_changes(cx, &set, &cleared);
            }
        }
        let is_new = |link: &&crate::link::Link| !link.is_told && told(self, link);
        let new: Vec<Contact> = self
            .links
            .values()
            .filter(is_new)
            .map(|link| link.contact)
            .collect();
        for contact in new {
            self.send_whole(cx, contact);
        }
    }

    fn send_changes(&mut self, cx: &mut Cx<'_, Self>, set: &[u32], cleared: &[u32]) {
        let mut parts: Vec<(&[u32], &[u32])> = Vec::new();
        parts.extend(set.chunks(MAX_PATCH).map(|part| (part, &[][..])));
        parts.extend(cleared.chunks(MAX_PATCH).map(|part| (&[][..], part)));
        for (set, cleared) in parts {
            self.published.number += 1;
            let routes = Routes {
                number: self.published.number,
                reset: false,
                set: QueryTable::to_gaps(set),
                cleared: QueryTable::to_gaps(cleared),
                leaves: self.published.leaves,
            };
            for link in self.links.values() {
                if link.is_told && self.tells(link.role) {
                    cx.send(link.contact, Message::Routes(Box::new(routes.clone())));
                }
            }
        }
    }

    /// Sends all of the table; its last part bears the number that the others are at.
    fn send_whole(&mut self, cx: &mut Cx<'_, Self>, to: Contact) {
        let positions = self.published.table.positions();
        let parts = positions.chunks(MAX_PATCH).len().max(1) as u64;
        // A reader takes a reset under any number.
        let first = (self.published.number + 1).saturating_sub(parts);
        let mut chunks = positions.chunks(MAX_PATCH);
        for part in 0..parts {
            let routes = Routes {
                number: first + part,
                reset: part == 0,
                set: QueryTable::to_gaps(chunks.next().unwrap_or_default()),
                cleared: Vec::new(),
                leaves: self.published.leaves,
            };
            cx.send(to, Message::Routes(Box::new(routes)));
        }
        self.published.number = self.published.number.max(first + parts - 1);
        if let Some(link) = self.links.get_mut(&to.id) {
            link.is_told = true;
        }
    }

    pub(crate) fn routes(&mut self, cx: &mut Cx<'_, Self>, from: Contact, routes: &Routes) {
        if !routes.fits() {
            return self.out_of_bounds(cx, from);
        }
        let Some(link) = self.links.get_mut(&from.id) else {
            return;
        };
        if self.role != Role::Ultrapeer {
            return;
        }
        if routes.reset {
            link.table = Some(QueryTable::default());
        } else if link.table.is_none() || routes.number != link.table_number + 1 {
            if routes.number > link.table_number {
                link.table = None;
                cx.send(from, Message::RoutesWanted);
            }
            return;
        }
        link.table_number = routes.number;
        if let Some(table) = &mut link.table {
            let set = QueryTable::from_gaps(&routes.set);
            table.change(&set, &QueryTable::from_gaps(&routes.cleared));
        }
        if link.role == Role::Leaf {
            self.published.is_stale = true;
        }
    }

    /// A neighbour says how far its table has come: a part may have been lost.
    pub(crate) fn routes_at(&mut self, cx: &mut Cx<'_, Self>, from: Contact, number: u64) {
        if let Some(link) = self.links.get_mut(&from.id)
            && self.role == Role::Ultrapeer
            && (link.table.is_none() || link.table_number != number)
        {
            link.table = None;
            cx.send(from, Message::RoutesWanted);
        }
    }

    pub(crate) fn routes_wanted(&mut self, cx: &mut Cx<'_, Self>, from: Contact) {
        let role = self.links.get(&from.id).map(|link| link.role);
        if role.is_some_and(|role| self.tells(role)) {
            self.send_whole(cx, from);
        }
    }

    /// Gives a neighbour's table as it would be after an exchange: for simulations whose tables are
    /// built directly.
    pub fn assume_table(&mut self, neighbour: Id, table: QueryTable) {
        if let Some(link) = self.links.get_mut(&neighbour) {
            link.table = Some(table);
        }
    }

    /// The table that this node would tell others.
    #[must_use]
    pub fn whole_table(&self) -> QueryTable {
        self.gather()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{GnutellaConfig, RoleChoice};
    use crate::routes::{key_position, word_position};
    use overlay::{
        Effect, Hlc, Input, Item, Machine, MemoryStore, Outbox, Record, Slot, Time, Version, WallMs,
    };
    use rand_pcg::Pcg64Mcg;
    use std::collections::VecDeque;

    const WALL: WallMs = WallMs(1_000_000);

    fn contact(number: usize) -> Contact {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000 + number as u16));
        let id = Id::from_u64(number as u64);
        Contact { id, addr }
    }

    /// A leaf, its ultrapeer, and another ultrapeer, in a row.
    struct Row {
        nodes: Vec<Gnutella<MemoryStore>>,
        rng: Pcg64Mcg,
        /// Parts of tables that went to each node.
        parts: [usize; 3],
    }

    impl Row {
        fn new() -> Self {
            let roles = [Role::Leaf, Role::Ultrapeer, Role::Ultrapeer];
            let node = |at: usize| {
                let config = GnutellaConfig {
                    role: RoleChoice::Always(roles[at]),
                    ..GnutellaConfig::default()
                };
                let mut node = Gnutella::new(contact(at), MemoryStore::new(), config, &[]);
                let beside = [at.checked_sub(1), Some(at + 1).filter(|next| *next < 3)];
                let links = beside.into_iter().flatten();
                let links: Vec<_> = links.map(|next| (contact(next), roles[next])).collect();
                node.assume_links(&links, Time::ZERO);
                node
            };
            Self {
                nodes: (0..3).map(node).collect(),
                rng: Pcg64Mcg::new(1),
                parts: [0; 3],
            }
        }

        /// What a node does, and then what all do who hear of it, but those to whom all is lost.
        fn act(
            &mut self,
            at: usize,
            lost_to: Option<usize>,
            act: impl FnOnce(&mut Gnutella<MemoryStore>, &mut Cx<'_, Gnutella<MemoryStore>>),
        ) {
            let mut queue = VecDeque::new();
            self.step(at, &mut queue, act);
            while let Some((from, to, message)) = queue.pop_front() {
                if lost_to == Some(to) {
                    continue;
                }
                self.parts[to] += usize::from(matches!(message, Message::Routes(_)));
                let from = contact(from);
                self.step(to, &mut queue, |node, cx| {
                    node.handle(cx, Input::Message { from, message });
                });
            }
        }

        fn step(
            &mut self,
            at: usize,
            queue: &mut VecDeque<(usize, usize, Message)>,
            act: impl FnOnce(&mut Gnutella<MemoryStore>, &mut Cx<'_, Gnutella<MemoryStore>>),
        ) {
            let mut out = Outbox::default();
            let mut cx = Cx {
                now: Time(1),
                wall: WALL,
                rng: &mut self.rng,
                out: &mut out,
            };
            act(&mut self.nodes[at], &mut cx);
            for effect in out.drain() {
                if let Effect::Send { to, message } = effect {
                    let to = (0..3).find(|other| contact(*other).id == to.id);
                    queue.extend(to.map(|to| (at, to, message)));
                }
            }
        }

        /// The leaf keeps values with this text, or deletes them.
        fn keep(&mut self, keys: std::ops::Range<u64>, text: Option<&str>, clock: u64) {
            for number in keys {
                let version = Version {
                    clock: Hlc::at(WallMs(clock)),
                    writer: Id::ZERO,
                };
                let record = Record {
                    version,
                    body: text.map(|_| bytes::Bytes::from_static(b"x")),
                    expires: None,
                };
                let item = Item {
                    key: Id::of(&number.to_be_bytes()),
                    slot: Slot::Value,
                    record,
                };
                self.nodes[0].keep(item, text.unwrap_or_default());
            }
        }

        /// Both tell what they have.
        fn publish(&mut self, lost_to: Option<usize>) {
            self.act(0, lost_to, |node, cx| node.publish(cx));
            self.act(1, lost_to, |node, cx| node.publish(cx));
        }

        /// What the far ultrapeer knows of the one between.
        fn known(&self) -> QueryTable {
            let link = self.nodes[2].links.get(&contact(1).id);
            link.and_then(|link| link.table.clone()).unwrap_or_default()
        }
    }

    fn key(number: u64) -> u32 {
        key_position(Id::of(&number.to_be_bytes()))
    }

    #[test]
    fn an_ultrapeer_tells_others_what_its_leaves_have() {
        let mut row = Row::new();
        row.publish(None);
        row.keep(0..3, Some("red roses"), 1);
        row.publish(None);
        let known = row.known();
        assert!(known.has_all(&[key(0), key(2), word_position("roses")]));
        assert!(!known.has(word_position("violets")));
        assert_eq!(known, row.nodes[1].whole_table());
        // Only what has changed is told.
        let before = row.parts;
        row.keep(0..3, None, 2);
        row.keep(3..4, Some("red violets"), 2);
        row.publish(None);
        assert!(row.known().has(word_position("violets")));
        assert!(!row.known().has(word_position("roses")), "all were deleted");
        assert!(row.known().has(word_position("red")));
        let parts = row.parts[2] - before[2];
        assert_eq!(parts, 2, "positions set, and positions cleared");
        row.publish(None);
        assert_eq!(row.parts[2] - before[2], 2, "nothing has changed");
    }

    #[test]
    fn a_part_that_was_lost_is_asked_for() {
        let mut row = Row::new();
        row.publish(None);
        row.keep(0..1, Some("lost"), 1);
        row.publish(Some(2));
        assert!(!row.known().has(word_position("lost")));
        row.keep(1..2, Some("later"), 2);
        row.publish(None);
        let words = [word_position("lost"), word_position("later")];
        assert!(row.known().has_all(&words));
        // A last part that was lost is noticed by the number that comes with pings.
        row.keep(2..3, Some("last"), 3);
        row.publish(Some(2));
        row.act(1, None, |node, cx| node.ping_link(cx, contact(2)));
        assert!(row.known().has(word_position("last")));
    }

    #[test]
    fn a_large_table_travels_in_parts() {
        let mut row = Row::new();
        let many = MAX_PATCH as u64 + 1_000;
        row.keep(0..many, Some(""), 1);
        row.publish(None);
        let positions: Vec<u32> = (0..many).map(key).collect();
        assert!(row.known().has_all(&positions));
        assert!(row.parts[2] >= 2, "{:?}", row.parts);
        assert_eq!(row.known(), row.nodes[0].whole_table());
    }
}
