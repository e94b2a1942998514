//! What a node with the role `auto` makes of itself.
//!
//! A network begins flat. When more hosts are known than a flood should reach, nodes that have been
//! up for long and are not short of capacity become ultrapeers, if no ultrapeer with room is
//! known; the others become their leaves. An ultrapeer that nobody needs becomes a leaf again.

use crate::config::RoleChoice;
use crate::message::{Message, Role};
use crate::node::Gnutella;
use overlay::{Cx, Duration, Store};

/// How long a role lasts at least: each change costs all links.
const LEAST_STAY: Duration = Duration::from_secs(300);
/// Queries that may have been held back or dropped in the last review for a node to have capacity.
const MAX_SHORT: u64 = 100;

impl<S: Store> Gnutella<S> {
    /// Whether the network is too large to be flat, or is not flat any more.
    fn has_hierarchy(&self) -> bool {
        let is_ultrapeer = |link: &crate::link::Link| link.role == Role::Ultrapeer;
        self.hosts.has_free_ultrapeer() || self.full_links().any(is_ultrapeer)
    }

    /// Whether this node has been up for long enough and has capacity to serve leaves.
    fn is_able(&mut self, cx: &Cx<'_, Self>) -> bool {
        let short = self.tally.held_back + self.tally.dropped;
        let lately = short - self.learnt.short_before;
        self.learnt.short_before = short;
        self.since + self.config.promote_after <= cx.now && lately <= MAX_SHORT
    }

    pub(crate) fn review_role(&mut self, cx: &mut Cx<'_, Self>) {
        if self.config.role != RoleChoice::Auto || !self.stage.is_member() {
            return;
        }
        if self.learnt.role_since + LEAST_STAY > cx.now {
            return;
        }
        let able = self.is_able(cx);
        let too_large = self.hosts.alive() > self.config.promote_above;
        let has_place = self.hosts.has_free_ultrapeer();
        let role = match self.role {
            Role::Peer if too_large && able && !has_place => Role::Ultrapeer,
            Role::Peer if has_place && self.has_hierarchy() => Role::Leaf,
            Role::Leaf if self.links.is_empty() && able => Role::Ultrapeer,
            Role::Leaf if self.links.is_empty() && !has_place => Role::Peer,
            Role::Ultrapeer if self.leaf_count() == 0 && has_place => Role::Leaf,
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
