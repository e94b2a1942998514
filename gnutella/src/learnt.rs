//! What a node has learnt of its network, and how it searches by that.

use crate::config::Way;
use crate::message::{Reach, Role};
use overlay::Time;

/// Nodes up to which a flood is the best search: it is complete, and costs little more than walkers.
const SMALL: u32 = 64;
/// Walks of 16 that found nothing, after which rare things are flooded for at once. Kept in
/// sixteenths.
const HOPELESS: u32 = 2;
/// Different nodes that 16 walkers visit when a flood follows in vain: 48 steps each, of which a third
/// lead to where one has been. What one node in so many has, they find more often than not.
const WALKED: u32 = 512;

/// What has been learnt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Learnt {
    /// Nodes that the last flood reached.
    flooded: Option<u32>,
    /// How many of 16 walks found something, lately.
    walks_of_16: u32,
    /// When the node took the role that it has.
    pub(crate) role_since: Time,
    /// Queries held back and dropped at the last review.
    pub(crate) short_before: u64,
    /// Reviews that found the node short of capacity, less those that did not.
    pub(crate) short_reviews: u32,
}

impl Default for Learnt {
    fn default() -> Self {
        Self {
            flooded: None,
            walks_of_16: 16,
            role_since: Time::ZERO,
            short_before: 0,
            short_reviews: 0,
        }
    }
}

impl Learnt {
    /// The way to search now.
    pub(crate) const fn choose(&self, way: Way, role: Role, links: usize) -> Way {
        match way {
            Way::Auto => match role {
                Role::Leaf => Way::Dynamic,
                Role::Ultrapeer if links >= MANY_LINKS => Way::Dynamic,
                _ => match self.flooded {
                    // Nothing is known yet: the first flood tells.
                    None => Way::Flood,
                    Some(nodes) if nodes <= SMALL => Way::Flood,
                    _ if self.walks_of_16 < HOPELESS => Way::Ring,
                    _ => Way::Walk,
                },
            },
            // Its ultrapeers search for a leaf: one, or the next.
            Way::Ring | Way::Walk if matches!(role, Role::Leaf) => Way::Dynamic,
            other => other,
        }
    }

    /// A flood has ended.
    pub(crate) const fn flooded(&mut self, reach: Reach) {
        self.flooded = Some(reach.nodes);
    }

    /// A flood or a ring has found so much among so many nodes: walkers would have found it, or not. So a
    /// node that does not walk learns when it should.
    pub(crate) fn came(&mut self, results: u32, nodes: u32) {
        self.walked(results > 0 && nodes / results.max(1) <= WALKED);
    }

    /// All walkers have come to their end: where they went round among few nodes, there are no more.
    pub(crate) const fn walked_to_the_end(&mut self, reach: Reach) {
        if reach.nodes <= SMALL {
            self.flooded = Some(reach.nodes);
        }
    }

    /// Walkers have come back.
    pub(crate) const fn walked(&mut self, found: bool) {
        let gain = if found { 16 } else { 0 };
        self.walks_of_16 = (self.walks_of_16 * 7 + gain) / 8;
    }
}

/// Links from which on dynamic querying pays: with fewer there is no choice among them.
const MANY_LINKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(nodes: u32) -> Reach {
        Reach {
            nodes,
            ..Reach::NONE
        }
    }

    #[test]
    fn a_small_network_is_flooded_and_a_large_one_walked() {
        let mut learnt = Learnt::default();
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Flood);
        learnt.flooded(reach(16));
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Flood);
        learnt.flooded(reach(5_000));
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Walk);
        assert_eq!(learnt.choose(Way::Auto, Role::Ultrapeer, 16), Way::Dynamic);
        assert_eq!(learnt.choose(Way::Walk, Role::Leaf, 3), Way::Dynamic);
        assert_eq!(learnt.choose(Way::Flood, Role::Leaf, 3), Way::Flood);
    }

    #[test]
    fn walks_that_find_nothing_give_way_to_rings() {
        let mut learnt = Learnt::default();
        learnt.flooded(reach(5_000));
        let mut walks = 0;
        while learnt.choose(Way::Auto, Role::Peer, 4) == Way::Walk {
            learnt.walked(false);
            walks += 1;
            assert!(walks < 100, "never");
        }
        // Rings find what is rare for a while, and then what walkers would find.
        for _ in 0..20 {
            learnt.came(1, 4_000);
            learnt.came(0, 5_000);
            assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Ring);
        }
        for _ in 0..8 {
            learnt.came(2, 300);
        }
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Walk);
    }

    #[test]
    fn a_network_that_has_shrunk_is_flooded_again() {
        let mut learnt = Learnt::default();
        learnt.flooded(reach(5_000));
        learnt.walked_to_the_end(reach(600));
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Walk);
        learnt.walked_to_the_end(reach(30));
        assert_eq!(learnt.choose(Way::Auto, Role::Peer, 4), Way::Flood);
    }
}
