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
