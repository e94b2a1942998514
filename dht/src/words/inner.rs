//! What a publisher remembers of the index: which nodes have children, and which markers and words
//! it has seen to itself.
//!
//! Remembering saves questions, forgetting costs some: whatever is forgotten here is learnt again
//! from the owners.

use super::place::{Child, Low};
use overlay::{Duration, Id, Time, WallMs};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes with children that are remembered: those of the most popular words of ten million
/// texts. About 10 MB.
const MAX_INNER: usize = 65_536;
/// Most words whose entry in the dictionary is known to last: about 4 MB.
const MAX_WORDS: usize = 65_536;
/// How long it is believed that a node has children: as long as a lease usually lasts.
const BELIEVED: Duration = Duration::from_secs(1_800);

/// The nodes with children.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    nodes: BTreeMap<Id, Known>,
    by_age: BTreeSet<(Time, Id)>,
    /// Until when words are in the dictionary, by what tells their entries apart.
    words: BTreeMap<Low, WallMs>,
}

/// A node is not known to have children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf;

#[derive(Debug)]
struct Known {
    children: BTreeSet<Child>,
    until: Time,
    /// Until when markers last that were written from here.
    marks: BTreeMap<Child, WallMs>,
}

impl Inner {
    /// An owner said that a node has these children, maybe none yet.
    pub(crate) fn learn(&mut self, base: Id, children: &[Child], now: Time) {
        let until = now + BELIEVED;
        let known = self.nodes.entry(base).or_insert_with(|| Known {
            children: BTreeSet::new(),
            until,
            marks: BTreeMap::new(),
        });
        self.by_age.remove(&(known.until, base));
        known.until = until;
        known.children.extend(children);
        self.by_age.insert((until, base));
        while self.nodes.len() > MAX_INNER {
            let Some((_, oldest)) = self.by_age.pop_first() else {
                return;
            };
            self.nodes.remove(&oldest);
        }
    }

    /// The child of a node for what goes on with this digit: none when the node has no such child,
    /// an error when it is not known to have children.
    pub(crate) fn child(&self, base: Id, digit: u8, now: Time) -> Result<Option<Child>, Leaf> {
        let known = self.nodes.get(&base).ok_or(Leaf)?;
        if known.until < now {
            return Err(Leaf);
        }
        let from = Child { digit, salt: 0 };
        let there = known.children.range(from..).next().copied();
        Ok(there.filter(|child| child.digit == digit))
    }

    /// Whether the marker of a child must be written so that it lasts until then; if so, it counts
    /// as written until `lasting`.
    pub(crate) fn mark(&mut self, base: Id, child: Child, until: WallMs, lasting: WallMs) -> bool {
        let Some(known) = self.nodes.get_mut(&base) else {
            return true;
        };
        let mark = known.marks.entry(child).or_default();
        let is_short = *mark < until;
        if is_short {
            *mark = lasting;
        }
        is_short
    }

    /// The same for the entry of a word in the dictionary.
    pub(crate) fn add_word(
        &mut self,
        low: Low,
        (until, lasting): (WallMs, WallMs),
        wall: WallMs,
    ) -> bool {
        if self.words.get(&low).is_some_and(|known| *known >= until) {
            return false;
        }
        if self.words.len() >= MAX_WORDS {
            self.words.retain(|_, end| *end > wall);
        }
        if self.words.len() < MAX_WORDS {
            self.words.insert(low, lasting);
        }
        true
    }

    /// A marker or the entry of a word was not written after all.
    pub(crate) fn unwritten(&mut self, base: Id, low: Low) {
        match (Child::of(low), self.nodes.get_mut(&base)) {
            (Some(child), Some(known)) => {
                known.marks.remove(&child);
            }
            (None, _) => {
                self.words.remove(&low);
            }
            _ => {}
        }
    }
}
