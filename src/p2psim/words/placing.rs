//! An index that is placed directly, as publishers would place it entry by entry.

use super::texts::Texts;
use bytes::Bytes;
use dht::words::{Child, Document, MAX_NODE_ENTRIES, Node, PLACES, Placed, Subject, Tree, placed};
use dht::{MemoryStore, Store};
use overlay::{Hlc, Id, Item, MAX_LEASE_S, OwnedArc, Record, Slot, Version, WallMs};
use sim::Dice;

/// The stores of all nodes, and which nodes have what.
pub(super) struct Stores {
    pub(super) stores: Vec<MemoryStore>,
    /// The arcs of the circle by their ends, each with the nodes that hold it, the root first.
    arcs: Vec<(OwnedArc, Vec<usize>)>,
    wall: WallMs,
    /// Nodes of the index.
    pub(super) nodes: u64,
}

impl Stores {
    /// Empty stores; `arcs` are those of all nodes, and `index_of` tells where a node is.
    pub(super) fn new(
        mut arcs: Vec<OwnedArc>,
        count: usize,
        index_of: &dyn Fn(Id) -> Option<usize>,
        wall: WallMs,
    ) -> Self {
        arcs.sort_unstable_by_key(|owned| owned.arc.to);
        let with_nodes = |owned: OwnedArc| {
            let replicas = owned.replicas.iter();
            let nodes = replicas.filter_map(|peer| index_of(peer.id)).collect();
            (owned, nodes)
        };
        Self {
            stores: vec![MemoryStore::new(); count],
            arcs: arcs.into_iter().map(with_nodes).collect(),
            wall,
            nodes: 0,
        }
    }

    /// The nodes that hold a key, the root first.
    fn holders(&self, key: Id) -> &[usize] {
        let at = self.arcs.partition_point(|(owned, _)| owned.arc.to < key);
        let found = self.arcs.get(at).or_else(|| self.arcs.first());
        found.map_or(&[], |(_, nodes)| nodes)
    }

    fn load(&self, key: Id) -> u64 {
        let root = self.holders(key).first();
        root.and_then(|root| self.stores.get(*root))
            .map_or(0, |store| store.counts().entries)
    }

    fn write(&mut self, key: Id, body: &Bytes) {
        let record = Record {
            version: Version {
                clock: Hlc::at(self.wall),
                writer: Id::ZERO,
            },
            body: Some(body.clone()),
            expires: Some(self.wall.plus_secs(u64::from(MAX_LEASE_S))),
        };
        for node in self.holders(key).to_vec() {
            let slot = Slot::Entry;
            let item = Item {
                key,
                slot,
                record: record.clone(),
            };
            let store = &mut self.stores[node];
            let seq = store.write(item);
            store.durable(seq);
        }
    }

    /// Places all texts: each word's entries, and the dictionary.
    pub(super) fn fill(&mut self, texts: &Texts, dice: &mut Dice) {
        let bodies: Vec<(Document, Bytes)> = (0..texts.words_of.len() as u32)
            .map(|number| {
                let document = document(texts, number, self.wall);
                let body = dht::words::Entry::Document(document.clone()).encode();
                (document, body)
            })
            .collect();
        let mut order: Vec<u32> = (0..texts.with_word.len() as u32).collect();
        dice.shuffle(&mut order);
        for rank in &order {
            let tree = Tree::Word(Texts::word(*rank));
            let entries = texts.with_word[*rank as usize].iter().map(|number| {
                let (document, body) = &bodies[*number as usize];
                placed(&tree, b"", document.identity(), body.clone())
            });
            let entries: Vec<Placed> = entries.collect();
            if !entries.is_empty() {
                self.fill_node(&Node::root(tree), entries);
            }
        }
        let words = order
            .iter()
            .filter(|rank| !texts.with_word[**rank as usize].is_empty());
        let dictionary = words.map(|rank| {
            let word = Texts::word(*rank);
            let body = dht::words::Entry::Word(word.clone()).encode();
            placed(
                &Tree::Dictionary,
                word.as_bytes(),
                Id::of(word.as_bytes()),
                body,
            )
        });
        self.fill_node(&Node::root(Tree::Dictionary), dictionary.collect());
    }

    /// Places entries in a node, or in its children when they are too many.
    fn fill_node(&mut self, node: &Node, entries: Vec<Placed>) {
        self.nodes += 1;
        if entries.len() <= MAX_NODE_ENTRIES {
            for entry in entries {
                self.write(node.place(entry.low), &entry.body);
            }
            return;
        }
        let depth = node.digits.len();
        let mut below: std::collections::BTreeMap<u8, Vec<Placed>> =
            std::collections::BTreeMap::new();
        for entry in entries {
            let digit = entry.digits.get(depth).copied().unwrap_or_default();
            below.entry(digit).or_default().push(entry);
        }
        for (digit, entries) in below {
            let places = (0..PLACES).map(|salt| Child { digit, salt });
            let least = places.min_by_key(|child| self.load(node.child(*child).base()));
            let child = least.unwrap_or(Child { digit, salt: 0 });
            self.write(node.place(child.low()), &Bytes::new());
            self.fill_node(&node.child(child), entries);
        }
    }
}

/// What the index says of a text.
fn document(texts: &Texts, number: u32, wall: WallMs) -> Document {
    Document {
        key: key(number),
        subject: Subject::Value {
            version: Version {
                clock: Hlc::at(wall),
                writer: Id::ZERO,
            },
            size: 100,
        },
        text: texts.text(number),
        indexed: None,
    }
}

/// The key of a text.
pub(super) fn key(number: u32) -> Id {
    Id::of(format!("text {number}").as_bytes())
}
