//! Where entries are: trees, their nodes, and the places of entries on the circle.
//!
//! A node of a tree is a stretch of the circle: the eight leading bytes are the hash of the tree and
//! of the digits that all entries below the node share, the twelve others tell its entries apart.
//! So one root owns all of a node, but for a chance of 2^-64 for each node of the network.
//!
//! Deviation: a prefix hash tree moves the entries of a full leaf to its children. Here a full node
//! only gets children, whose markers it keeps; its own entries come to the children when they are
//! renewed. Nothing has to be moved at once, nobody coordinates a division, and at every moment each
//! entry is in its node or in one above. The price is that inner nodes have to be asked.

use overlay::{Arc, Id};
use serde::{Deserialize, Serialize};

/// Most entries of a node. As many as the sums of a store keep in one leaf, so that a node costs no
/// memory besides its records, and as an answer of about 20 KB lists.
pub const MAX_NODE_ENTRIES: usize = 128;
/// Bytes of a key that order names; what is equal so far is told apart by hash.
const ORDERED_BYTES: usize = 64;
/// Bytes that choose the node.
const NODE_BYTES: usize = 8;

/// What tells the entries of a node apart: a kind and eleven bytes.
pub type Low = [u8; 12];

/// The kind of markers of children; they come first in a node.
const CHILD: u8 = 0;
/// The kind of all other entries.
const ENTRY: u8 = 0x80;

/// One index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// The texts with this word, in order of a hash, so that they are spread evenly.
    Word(String),
    /// All words, in order of their bytes.
    Dictionary,
    /// All keys that were published as indexed, in order of their bytes.
    Names,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Of which tree.
    pub tree: Tree,
    /// What all entries below it share.
    pub digits: Vec<u8>,
    /// Which of the places that it may have.
    pub salt: u8,
}

/// A child of a node, as its marker says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Child {
    /// The next digit of what is below it.
    pub digit: u8,
    /// Which of its places it has.
    pub salt: u8,
}

impl Child {
    /// Where its marker is in the node above.
    #[must_use]
    pub const fn low(self) -> Low {
        [CHILD, self.digit, self.salt, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    /// The child, if this is the place of a marker.
    #[must_use]
    pub const fn of(low: Low) -> Option<Self> {
        match low {
            [CHILD, digit, salt, 0, 0, 0, 0, 0, 0, 0, 0, 0] => Some(Self { digit, salt }),
            _ => None,
        }
    }
}

/// Whether an entry may stand there.
pub(crate) const fn is_place(low: Low) -> bool {
    low[0] == ENTRY || Child::of(low).is_some()
}

/// The digits of an entry in a tree, and what tells it apart in its node. `identity` is the hash of
/// what it describes; `order` its name or word where the tree is ordered.
pub(crate) fn path(tree: &Tree, order: &[u8], identity: Id) -> (Vec<u8>, Low) {
    let mut low = [ENTRY; 12];
    low[1..].copy_from_slice(&identity.0[..11]);
    let digits = match tree {
        // Four branches: of a node that is divided each child has a quarter, which is enough to
        // ask for.
        Tree::Word(_) => {
            let quarters = |byte: &u8| [byte >> 6, byte >> 4 & 3, byte >> 2 & 3, byte & 3];
            identity.0.iter().flat_map(quarters).collect()
        }
        // A byte, because names share long beginnings.
        Tree::Dictionary | Tree::Names => {
            let mut digits = ordered(order).to_vec();
            // What is equal so far goes on by hash, after what ends here and before what goes on.
            digits.push(0);
            digits.extend_from_slice(&identity.0[..8]);
            digits
        }
    };
    (digits, low)
}

/// The bytes of a name, or of the beginning of names, that are digits.
pub(crate) fn ordered(name: &[u8]) -> &[u8] {
    name.get(..ORDERED_BYTES).unwrap_or(name)
}

impl Node {
    /// The first node of a tree.
    #[must_use]
    pub const fn root(tree: Tree) -> Self {
        Self {
            tree,
            digits: Vec::new(),
            salt: 0,
        }
    }

    /// A child.
    #[must_use]
    pub fn child(&self, child: Child) -> Self {
        let mut digits = self.digits.clone();
        digits.push(child.digit);
        Self {
            tree: self.tree.clone(),
            digits,
            salt: child.salt,
        }
    }

    /// The least point of its stretch.
    #[must_use]
    pub fn base(&self) -> Id {
        let (kind, word) = match &self.tree {
            Tree::Word(word) => (b'w', word.as_str()),
            Tree::Dictionary => (b'd', ""),
            Tree::Names => (b'n', ""),
        };
        let mut bytes = b"p2pnode index ".to_vec();
        bytes.extend_from_slice(&[kind, self.salt]);
        // A word has no zero byte: no two nodes have the same bytes.
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&self.digits);
        base_of(Id::of(&bytes))
    }

    /// Where an entry stands.
    #[must_use]
    pub fn place(&self, low: Low) -> Id {
        let mut place = self.base();
        place.0[NODE_BYTES..].copy_from_slice(&low);
        place
    }
}

/// The least point of the node in which a place is.
pub(crate) fn base_of(mut place: Id) -> Id {
    place.0[NODE_BYTES..].fill(0);
    place
}

/// What tells the entry at a place apart in its node.
pub(crate) fn low_of(place: Id) -> Low {
    let mut low = Low::default();
    low.copy_from_slice(&place.0[NODE_BYTES..]);
    low
}

/// The stretch of a node.
pub(crate) fn stretch(base: Id) -> Arc {
    let mut to = base;
    to.0[NODE_BYTES..].fill(u8::MAX);
    Arc {
        from: base.wrapping_sub(Id::from_u64(1)),
        to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_stretch_of_its_node_and_of_no_other() {
        let root = Node::root(Tree::Word("ubuntu".to_owned()));
        let child = Child { digit: 3, salt: 1 };
        let below = root.child(child);
        let (digits, low) = path(&root.tree, b"", Id::of(b"document"));
        assert_eq!(digits.len(), 80);
        for node in [&root, &below] {
            let place = node.place(low);
            assert_eq!((base_of(place), low_of(place)), (node.base(), low));
            assert!(stretch(node.base()).contains(place));
            assert!(stretch(node.base()).contains(node.base()));
        }
        assert!(!stretch(root.base()).contains(below.place(low)));
        assert_ne!(root.base(), Node::root(Tree::Dictionary).base());
        assert_ne!(below.base(), root.child(Child { digit: 3, salt: 2 }).base());
    }

    #[test]
    fn markers_come_back_and_are_told_from_entries() {
        for child in [
            Child { digit: 0, salt: 0 },
            Child {
                digit: 255,
                salt: 7,
            },
        ] {
            assert_eq!(Child::of(child.low()), Some(child));
        }
        let (_, low) = path(&Tree::Names, b"name", Id::of(b"document"));
        assert_eq!(Child::of(low), None);
        assert!(is_place(low) && !is_place([1; 12]));
    }

    #[test]
    fn digits_of_names_keep_their_order() {
        let digits = |name: &[u8]| path(&Tree::Names, name, Id::of(name)).0;
        let names: [&[u8]; 4] = [b"a", b"ab", b"abc", b"b"];
        assert!(
            names
                .windows(2)
                .all(|pair| digits(pair[0]) < digits(pair[1]))
        );
        assert!(digits(b"abc").starts_with(ordered(b"ab")));
        let (one, other) = ([b'x'; 100], [b'x'; 101]);
        assert_ne!(digits(&one), digits(&other));
    }
}
