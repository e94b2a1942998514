//! The settings of a node.

use crate::message::Role;
use overlay::Duration;

/// What a node is told to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoleChoice {
    /// What uptime, capacity and need make of it.
    #[default]
    Auto,
    /// This.
    Always(Role),
}

/// How a node searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// What the node has learnt to be best.
    #[default]
    Auto,
    /// To every neighbour, by every neighbour, until the TTL is used up.
    Flood,
    /// Floods with growing TTL until enough is found.
    Ring,
    /// Random walkers that check back.
    Walk,
    /// One link after another, with a TTL computed from what is still wanted.
    Dynamic,
}

/// How many copies a value gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// As many as was set, when it is put.
    #[default]
    Fixed,
    /// And more where it is looked for: a get that had to ask many nodes leaves copies in
    /// proportion to their number, for an hour, so that in the long run there are copies in
    /// proportion to the square root of how often something is looked for, which makes searches
    /// shortest (Cohen and Shenker, SIGCOMM 2002).
    SquareRoot,
}

/// Settings. All nodes of a network may differ in them.
#[derive(Clone, Debug)]
pub struct GnutellaConfig {
    /// What it is to be.
    pub role: RoleChoice,
    /// How it searches.
    pub way: Way,
    /// The TTL of a flood: "a TTL of 7" is usual in 0.4. At most [`MAX_TTL`](crate::MAX_TTL).
    pub ttl: u8,
    /// Permanent links that a peer seeks: C = 4 in the lecture.
    pub links: usize,
    /// Links that a peer takes at most: newcomers bring `links` each.
    pub max_links: usize,
    /// Links with other ultrapeers that an ultrapeer seeks; dynamic querying needs 15 and more.
    pub ultrapeer_links: usize,
    /// Ultrapeers that a leaf seeks.
    pub leaf_links: usize,
    /// Leaves that an ultrapeer takes: each costs it a table of at most 64 KiB.
    pub max_leaves: usize,
    /// Walkers of a search: 16 to 64 by Lv et al.
    pub walkers: u8,
    /// Most steps of a walker.
    pub walk_steps: u16,
    /// A walker checks back after so many steps: 4 by Lv et al.
    pub check_every: u16,
    /// Nodes that keep a value or a holder, the one that was asked included.
    pub copies: u8,
    /// How many copies.
    pub replication: Replication,
    /// How long a node waits for each link that a query may still cross. A dead neighbour that
    /// nobody noticed costs a search this time its TTL.
    pub patience_a_hop: Duration,
    /// Whether links are made, tested and mended, and tables exchanged. A simulation with tables
    /// built directly needs none of that.
    pub maintain: bool,
    /// Whether ultrapeers consult query routing tables.
    pub tables: bool,
    /// Uptime before a node with the role `auto` may become an ultrapeer.
    pub promote_after: Duration,
    /// Known hosts from which on a flat network is too large, and `auto` nodes become ultrapeers.
    pub promote_above: usize,
}

impl Default for GnutellaConfig {
    fn default() -> Self {
        Self {
            role: RoleChoice::Auto,
            way: Way::Auto,
            ttl: 7,
            links: 4,
            max_links: 8,
            ultrapeer_links: 16,
            leaf_links: 3,
            max_leaves: 1_000,
            walkers: 16,
            walk_steps: 256,
            check_every: 4,
            copies: 3,
            replication: Replication::Fixed,
            patience_a_hop: Duration::from_secs(1),
            maintain: true,
            tables: true,
            promote_after: Duration::from_secs(600),
            promote_above: 64,
        }
    }
}

impl GnutellaConfig {
    /// These settings within their bounds.
    #[must_use]
    pub fn sane(mut self) -> Self {
        self.ttl = self.ttl.min(crate::MAX_TTL);
        self.links = self.links.clamp(1, MAX_LINKS);
        self.max_links = self.max_links.clamp(self.links, MAX_LINKS);
        self.ultrapeer_links = self.ultrapeer_links.clamp(1, MAX_LINKS / 2);
        self.leaf_links = self.leaf_links.clamp(1, 16);
        self.max_leaves = self.max_leaves.min(MAX_LEAVES);
        self.walkers = self.walkers.clamp(1, 64);
        self.walk_steps = self.walk_steps.clamp(1, 4_096);
        self.check_every = self.check_every.max(1);
        self.copies = self.copies.clamp(1, overlay::MAX_REPLICAS);
        self
    }
}

/// Most links of a node, leaves not counted: twice the 30 that are best for dynamic
/// querying.
pub const MAX_LINKS: usize = 64;
/// Most leaves of a node: their tables take 256 MiB at most, and far less with few records each.
pub const MAX_LEAVES: usize = 4_096;
