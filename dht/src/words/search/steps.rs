//! What an answer about a node leads to.

use super::{Contest, MAX_EXPANDED, Purpose, Search, addr_of};
use crate::message::{EntrySeen, Filter};
use crate::words::document::{Document, Entry};
use crate::words::part::Parts;
use crate::words::place::{Child, Node, Tree};
use overlay::WallMs;

/// What a read of a node came to.
#[derive(Debug)]
pub(crate) struct PartRead {
    pub(crate) parts: Parts,
    /// Why there may be more entries of the node.
    pub(crate) doubt: Option<String>,
}

impl Search {
    /// Takes an answer in, and says which questions are not needed any more.
    pub(super) fn take_in(
        &mut self,
        wall: WallMs,
        (node, purpose): (&Node, Purpose),
        result: Result<PartRead, String>,
    ) -> Vec<u64> {
        let part = match result {
            Ok(part) => part,
            Err(why) => return self.failed(purpose, why),
        };
        self.parts_answered += 1;
        if let Some(why) = part.doubt {
            self.doubt_of(purpose, why);
        }
        let has_more = part.parts.more && purpose != Purpose::Expand;
        let (children, entries) = (part.parts.children, part.parts.entries);
        let is_something = !children.is_empty() || !entries.is_empty();
        for entry in entries.into_values() {
            self.add(wall, entry);
        }
        let children: Vec<Node> = children
            .into_iter()
            .filter(|child| self.is_wanted(node, *child, purpose))
            .map(|child| node.child(child))
            .collect();
        let is_last = children.is_empty()
            && match purpose {
                Purpose::Probe(term) => self.contest.get(term).is_none_or(Contest::is_over),
                Purpose::List => self.is_settled(),
                Purpose::Expand => false,
            };
        let count = self.hits.len();
        if has_more || count > self.limit || count == self.limit && !is_last {
            let limit = self.limit;
            self.cut = Some(format!(
                "there may be more than the {limit} results that were asked for"
            ));
            return self.stop();
        }
        if self.words.len() > MAX_EXPANDED {
            self.waiting.clear();
            return std::mem::take(&mut self.asked).into_keys().collect();
        }
        if let Purpose::Probe(term) = purpose {
            return self.probed(term, children);
        }
        if is_something && self.is_on_the_way(node, purpose) {
            for depth in 0..node.digits.len() {
                self.ask_way(purpose, depth);
            }
        }
        let next = children.into_iter().map(|child| (child, purpose));
        self.waiting.extend(next);
        Vec::new()
    }

    /// Asks no more, and needs no answers.
    fn stop(&mut self) -> Vec<u64> {
        self.waiting.clear();
        self.words.clear();
        self.contest.clear();
        std::mem::take(&mut self.asked).into_keys().collect()
    }

    /// Whether nothing is under way or waits.
    fn is_settled(&self) -> bool {
        self.asked.is_empty() && self.waiting.is_empty()
    }

    /// A branch of a word has ended, or goes on.
    fn probed(&mut self, term: usize, mut children: Vec<Node>) -> Vec<u64> {
        let Some(contest) = self.contest.get_mut(term) else {
            return Vec::new();
        };
        let Some(next) = children.pop() else {
            return self.won(term);
        };
        contest.rest.extend(children);
        self.waiting.push_back((next, Purpose::Probe(term)));
        Vec::new()
    }

    /// A word has the shortest list: the rest of it is read, and none of the others.
    fn won(&mut self, term: usize) -> Vec<u64> {
        self.waiting.clear();
        let asked = std::mem::take(&mut self.asked);
        let mut contest = std::mem::take(&mut self.contest);
        if term < contest.len() {
            let winner = contest.swap_remove(term);
            self.doubt = winner.doubt;
            let rest = winner.rest.into_iter();
            self.waiting.extend(rest.map(|node| (node, Purpose::List)));
        }
        asked.into_keys().collect()
    }

    fn failed(&mut self, purpose: Purpose, why: String) -> Vec<u64> {
        self.doubt_of(purpose, why);
        if let Purpose::Probe(term) = purpose
            && let Some(contest) = self.contest.get_mut(term)
        {
            contest.failed = true;
            if let Some(all) = self.contest.iter().all(|it| it.failed).then_some(term) {
                return self.won(all);
            }
        }
        Vec::new()
    }

    fn doubt_of(&mut self, purpose: Purpose, why: String) {
        let doubt = match purpose {
            Purpose::Probe(term) => self.contest.get_mut(term).map(|it| &mut it.doubt),
            Purpose::List | Purpose::Expand => Some(&mut self.doubt),
        };
        if let Some(doubt) = doubt {
            doubt.get_or_insert(why);
        }
    }

    /// Whether a node is one of those that lead to the beginning that is looked for.
    fn is_on_the_way(&self, node: &Node, purpose: Purpose) -> bool {
        let (tree, begin) = self.way_of(purpose);
        node.tree == tree && node.salt == 0 && begin.starts_with(&node.digits)
    }

    /// Whether something that is wanted may be below a child, which is not asked for already.
    fn is_wanted(&self, node: &Node, child: Child, purpose: Purpose) -> bool {
        let (tree, begin) = self.way_of(purpose);
        if node.tree != tree {
            return true;
        }
        let depth = node.digits.len();
        let is_asked = child.salt == 0 && self.way.contains(&(depth + 1));
        begin
            .get(depth)
            .is_none_or(|digit| *digit == child.digit && !is_asked)
    }

    /// Takes in one entry.
    fn add(&mut self, wall: WallMs, entry: EntrySeen) {
        if entry.expires <= wall {
            return;
        }
        match Entry::decode(&entry.body) {
            Some(Entry::Document(document)) if self.matches(&document) => {
                let key = (document.key, addr_of(document.subject));
                let known = self.hits.get(&key);
                if known.is_none_or(|(version, _)| *version < entry.version) {
                    let hit = document.hit(entry.expires, wall);
                    self.hits.insert(key, (entry.version, hit));
                }
            }
            Some(Entry::Word(word)) => {
                self.words.insert(word);
            }
            _ => {}
        }
    }

    /// A peer may send what was not asked for.
    fn matches(&self, document: &Document) -> bool {
        match &self.filter {
            Filter::Query(_) => {
                let query = self.query.as_ref();
                query.is_some_and(|query| query.matches_text(&document.text))
            }
            Filter::Names(begin) => document
                .indexed
                .as_ref()
                .is_some_and(|name| name.starts_with(begin)),
            Filter::Words(_) => false,
        }
    }

    /// Once nothing is under way: goes on with the words that were found, if there are any.
    pub(super) fn go_on(&mut self) -> bool {
        let mut words = std::mem::take(&mut self.words);
        if words.is_empty() {
            return false;
        }
        if words.len() > MAX_EXPANDED {
            self.cut = Some(format!(
                "more than {MAX_EXPANDED} words begin so; give more letters"
            ));
            words = words.into_iter().take(MAX_EXPANDED).collect();
        }
        let nodes = words.into_iter().map(|word| Node::root(Tree::Word(word)));
        self.waiting.extend(nodes.map(|node| (node, Purpose::List)));
        true
    }
}
