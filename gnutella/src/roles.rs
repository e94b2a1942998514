//! What a node with the role `auto` makes of itself.
//!
//! A network begins flat. When more hosts are known than a flood should reach, nodes that have been
//! up for long and are not short of capacity become ultrapeers, if no ultrapeer with room is
//! known; the others become their leaves. An ultrapeer that nobody needs, or that has been short of
//! capacity for half a minute, becomes a leaf again, if another has room.

use crate::config::RoleChoice;
use crate::message::{Message, Role};
use crate::node::Gnutella;
use overlay::{Cx, Duration, Store};

/// How long a role lasts at least: each change costs all links.
const LEAST_STAY: Duration = Duration::from_secs(300);
/// Queries that may have been held back or dropped since the last review, a second ago, for a node to have
/// capacity.
const MAX_SHORT: u64 = 100;
/// Reviews without capacity before an ultrapeer gives up: one hostile neighbour makes it short for a
/// second or two, until it is hung up on.
const SHORT_REVIEWS: u32 = 30;

impl<S: Store> Gnutella<S> {
    /// Whether the network is too large to be flat, or is not flat any more.
    fn has_hierarchy(&self) -> bool {
        let is_ultrapeer = |link: &crate::link::Link| link.role == Role::Ultrapeer;
        self.hosts.has_free_ultrapeer() || self.full_links().any(is_ultrapeer)
    }

    /// Counts how often this node was short of capacity lately.
    fn review_capacity(&mut self) {
        let short = self.tally.held_back + self.tally.dropped;
        let lately = short - self.learnt.short_before;
        self.learnt.short_before = short;
        let reviews = self.learnt.short_reviews;
        self.learnt.short_reviews = if lately > MAX_SHORT {
            (reviews + 1).min(SHORT_REVIEWS)
        } else {
            reviews.saturating_sub(1)
        };
    }

    /// Whether this node has been up for long enough and has capacity to serve leaves.
    fn is_able(&self, cx: &Cx<'_, Self>) -> bool {
        self.since + self.config.promote_after <= cx.now && self.learnt.short_reviews == 0
    }

    pub(crate) fn review_role(&mut self, cx: &mut Cx<'_, Self>) {
        if self.config.role != RoleChoice::Auto || !self.stage.is_member() {
            return;
        }
        self.review_capacity();
        if self.learnt.role_since + LEAST_STAY > cx.now {
            return;
        }
        let overloaded = self.learnt.short_reviews >= SHORT_REVIEWS;
        let able = self.is_able(cx);
        let too_large = self.hosts.alive() > self.config.promote_above;
        let has_place = self.hosts.has_free_ultrapeer();
        let role = match self.role {
            Role::Peer if too_large && able && !has_place => Role::Ultrapeer,
            Role::Peer if has_place && self.has_hierarchy() => Role::Leaf,
            Role::Leaf if self.links.is_empty() && able => Role::Ultrapeer,
            Role::Leaf if self.links.is_empty() && !has_place => Role::Peer,
            Role::Ultrapeer if has_place && (overloaded || self.leaf_count() == 0) => Role::Leaf,
            same => same,
        };
        if role != self.role {
            self.become_role(cx, role);
        }
    }

    /// Takes another role, and tells the neighbours, who end the link if they must.
    pub(crate) fn become_role(&mut self, cx: &mut Cx<'_, Self>, role: Role) {
        self.role = role;
        self.learnt.role_since = cx.now;
        self.published.is_stale = true;
        let links: Vec<_> = self.links.values().map(|link| link.contact).collect();
        for contact in links {
            let hello = self.greeting(cx, contact.id);
            cx.send(contact, Message::Connect(hello));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GnutellaConfig;
    use crate::message::Host;
    use overlay::{Contact, Id, MemoryStore, Outbox, Time, WallMs};
    use rand_pcg::Pcg64Mcg;

    fn contact(number: u64) -> Contact {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000 + number as u16));
        let id = Id::from_u64(number);
        Contact { id, addr }
    }

    /// What an ultrapeer with a leaf is after a minute, in each second of which so many queries were held
    /// back, if another ultrapeer has room.
    fn after_a_minute(held_back: u64) -> Role {
        let mut node = Gnutella::new(
            contact(0),
            MemoryStore::new(),
            GnutellaConfig::default(),
            &[],
        );
        let begin = Time::ZERO + LEAST_STAY;
        node.assume_links(&[(contact(1), Role::Leaf)], Time::ZERO);
        node.role = Role::Ultrapeer;
        let other = Host {
            contact: contact(2),
            role: Role::Ultrapeer,
            room: true,
        };
        node.hosts.learn(other, begin, true);
        let mut rng = Pcg64Mcg::new(1);
        for second in 0..60 {
            node.tally.held_back += held_back;
            let mut out = Outbox::default();
            let mut cx = Cx {
                now: begin + Duration::from_secs(second),
                wall: WallMs(0),
                rng: &mut rng,
                out: &mut out,
            };
            node.review_role(&mut cx);
        }
        node.role
    }

    #[test]
    fn an_ultrapeer_without_capacity_becomes_a_leaf() {
        assert_eq!(after_a_minute(0), Role::Ultrapeer);
        assert_eq!(after_a_minute(MAX_SHORT), Role::Ultrapeer);
        assert_eq!(after_a_minute(MAX_SHORT + 1), Role::Leaf);
    }
}
