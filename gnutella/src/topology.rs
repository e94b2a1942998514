//! Networks whose links are given instead of grown, for simulations of any size. Chance comes from the
//! harness: a function that draws a number below another.

use crate::message::Role;
use std::collections::{BTreeSet, VecDeque};

/// Who has links with whom, and what each node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The neighbours of each node, in order.
    pub links: Vec<Vec<usize>>,
    /// The role of each node.
    pub roles: Vec<Role>,
}

impl Topology {
    fn of(edges: &BTreeSet<(usize, usize)>, roles: Vec<Role>) -> Self {
        let mut links = vec![Vec::new(); roles.len()];
        for (one, other) in edges {
            links[*one].push(*other);
            links[*other].push(*one);
        }
        for list in &mut links {
            list.sort_unstable();
        }
        Self { links, roles }
    }

    /// A tree: `degree` links at each inner node, `depth` links from node 0 to its leaves.
    #[must_use]
    pub fn tree(degree: usize, depth: usize) -> Self {
        let mut edges = BTreeSet::new();
        let (mut level, mut count) = (vec![0], 1);
        for _ in 0..depth {
            let mut next = Vec::new();
            for parent in level {
                let children = if parent == 0 { degree } else { degree - 1 };
                for child in count..count + children {
                    edges.insert((parent, child));
                    next.push(child);
                }
                count += children;
            }
            level = next;
        }
        Self::of(&edges, vec![Role::Peer; count])
    }

    /// A random graph: `degree / 2` random rings through all nodes, after Law and Siu (INFOCOM
    /// 2003). It is connected; a few nodes have fewer links, where rings have an edge in common.
    #[must_use]
    pub fn random(nodes: usize, degree: usize, below: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut edges = BTreeSet::new();
        add_rings(&mut edges, nodes, degree, below);
        Self::of(&edges, vec![Role::Peer; nodes])
    }

    /// Super-peers: the first nodes are ultrapeers, linked at random among themselves; each of the
    /// others is a leaf of `leaf_links` of them.
    #[must_use]
    pub fn super_peers(
        ultrapeers: usize,
        degree: usize,
        leaves: usize,
        leaf_links: usize,
        below: &mut dyn FnMut(usize) -> usize,
    ) -> Self {
        let mut edges = BTreeSet::new();
        add_rings(&mut edges, ultrapeers, degree, below);
        for leaf in ultrapeers..ultrapeers + leaves {
            let mut chosen = BTreeSet::new();
            while chosen.len() < leaf_links.min(ultrapeers) {
                chosen.insert(below(ultrapeers));
            }
            edges.extend(chosen.into_iter().map(|ultrapeer| (ultrapeer, leaf)));
        }
        let mut roles = vec![Role::Ultrapeer; ultrapeers];
        roles.resize(ultrapeers + leaves, Role::Leaf);
        Self::of(&edges, roles)
    }

    /// How many links each node is away from one; none where there is no way.
    #[must_use]
    pub fn distances(&self, from: usize) -> Vec<Option<usize>> {
        let mut distances = vec![None; self.links.len()];
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((node, distance)) = queue.pop_front() {
            let Some(slot @ None) = distances.get_mut(node) else {
                continue;
            };
            *slot = Some(distance);
            queue.extend(self.links[node].iter().map(|next| (*next, distance + 1)));
        }
        distances
    }
}

fn add_rings(
    edges: &mut BTreeSet<(usize, usize)>,
    nodes: usize,
    degree: usize,
    below: &mut dyn FnMut(usize) -> usize,
) {
    for _ in 0..degree.div_ceil(2) {
        let mut order: Vec<usize> = (0..nodes).collect();
        for at in (1..nodes).rev() {
            order.swap(at, below(at + 1));
        }
        for (at, one) in order.iter().enumerate() {
            let other = order[(at + 1) % nodes];
            if *one != other {
                edges.insert((*one.min(&other), *one.max(&other)));
            }
        }
    }
}
