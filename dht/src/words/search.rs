//! A search by words or by the beginning of keys, at its origin.
//!
//! By words: the first nodes of all words of the query are asked at once, each for the entries that
//! match the whole query. A word whose node has no children is answered by it alone, and then so is
//! the query: one round, whatever the other words are. When all have children, the search goes down
//! one branch of each, in step; whose branch ends first has the shortest list, as branches are
//! equally likely, and only that list is read to its end. Of a query of prefixes alone, the words
//! that begin so are looked up first.

mod steps;

pub(crate) use steps::PartRead;

use super::document::Subject;
use super::place::{Node, Tree, ordered};
use crate::due::Due;
use crate::message::Filter;
use crate::op::Work;
use crate::read::ReadWork;
use crate::{Dht, Store};
use overlay::words::{Query, Term};
use overlay::{
    Consistency, Cx, Failure, Id, KeyRouter, Notice, OpId, Outcome, Reply, Request, TextHit,
    TextReport, Version,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Questions of one search that are under way at first. What is found in the entries of 16 nodes,
/// 2,048 of them, is mostly enough, and the answers do not hold up others.
const FIRST_AT_ONCE: u32 = 16;
/// Most questions of one search under way. Each answer that does not end the search lets two be asked, so
/// that the number doubles with each round trip: a search that has to read [`MAX_ASKED`] nodes
/// takes 20 round trips, which with 50 ms a link and a lookup for each fit the eight seconds of a call.
/// With 16 at all times a search got no further than 300 nodes in them.
const MAX_ASKED_AT_ONCE: u32 = 256;
/// Most nodes that one search asks: half a million entries. What needs more is too common to be
/// listed in the time that a call has.
const MAX_ASKED: u32 = 4_096;
/// Most words that a query of prefixes alone stands for.
pub(crate) const MAX_EXPANDED: usize = 64;
/// Most searches that one node has under way: most have 16 reads or fewer.
pub(crate) const MAX_SEARCHES: usize = 4_096;

/// All searches of a node.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    under_way: BTreeMap<u64, Box<Search>>,
    /// Which search a read belongs to.
    reads: BTreeMap<u64, u64>,
}

/// Why a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To find which word has the shortest list; of this term.
    Probe(usize),
    /// To read a list to its end.
    List,
    /// To find words that begin so.
    Expand,
}

/// One word of a query that competes for the shortest list.
#[derive(Debug, Default)]
struct Contest {
    /// What is left beside the branch that was gone down.
    rest: Vec<Node>,
    /// Why its list may not be whole.
    doubt: Option<String>,
    failed: bool,
}

impl Contest {
    /// Whether nothing is left but the branch that was gone down.
    const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }
}

/// A result and its age.
type Hit = (Version, TextHit);

/// One search.
#[derive(Debug)]
struct Search {
    who: OpId,
    filter: Filter,
    /// What a text must match.
    query: Option<Query>,
    /// Up to which digits of the beginning that is looked for nodes were asked.
    way: BTreeSet<usize>,
    limit: usize,
    consistency: Consistency,
    contest: Vec<Contest>,
    waiting: VecDeque<(Node, Purpose)>,
    asked: BTreeMap<u64, (Node, Purpose)>,
    hits: BTreeMap<(Id, Option<std::net::SocketAddr>), Hit>,
    /// Words that begin as the query says.
    words: BTreeSet<String>,
    parts_asked: u32,
    parts_answered: u32,
    /// Why there may be more than was found.
    doubt: Option<String>,
    /// Why not everything was asked.
    cut: Option<String>,
}

impl Searches {
    /// How many there are.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The search that a read belongs to.
    pub(crate) fn of_read(&mut self, read: u64) -> Option<u64> {
        self.reads.remove(&read)
    }
}

impl Search {
    fn new(who: OpId, request: &Request) -> Option<Self> {
        let mut query = None;
        let (filter, limit, consistency) = match request {
            Request::SearchText {
                text,
                limit,
                consistency,
            } => {
                let parsed = Query::parse(text).ok()?;
                let filter = Filter::Query(parsed.to_string());
                query = Some(parsed);
                (filter, *limit, *consistency)
            }
            Request::SearchPrefix {
                prefix,
                limit,
                consistency,
            } => (Filter::Names(prefix.clone()), *limit, *consistency),
            _ => return None,
        };
        let mut search = Self {
            who,
            filter,
            query,
            way: BTreeSet::new(),
            limit: limit as usize,
            consistency,
            contest: Vec::new(),
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            hits: BTreeMap::new(),
            words: BTreeSet::new(),
            parts_asked: 0,
            parts_answered: 0,
            doubt: None,
            cut: None,
        };
        search.begin();
        Some(search)
    }

    /// Which nodes are asked first.
    fn begin(&mut self) {
        let Some(query) = self.query.clone() else {
            return self.begin_way(Purpose::List);
        };
        let words = query.terms().iter().filter_map(|term| match term {
            Term::Word(word) => Some(word.clone()),
            Term::Prefix(_) => None,
        });
        for (at, word) in words.enumerate() {
            let node = Node::root(Tree::Word(word));
            self.waiting.push_back((node, Purpose::Probe(at)));
            self.contest.push(Contest::default());
        }
        if self.contest.is_empty() {
            self.begin_way(Purpose::Expand);
        }
    }

    /// Asks nodes on the way to a beginning: the first, and others ever further down. Where one of
    /// them has something, those before it are asked too; else its way is followed by markers.
    fn begin_way(&mut self, purpose: Purpose) {
        let (_, begin) = self.way_of(purpose);
        let mut depth = 1;
        self.ask_way(purpose, 0);
        while depth < begin.len() {
            self.ask_way(purpose, depth);
            depth = 2 * depth + 1;
        }
        self.ask_way(purpose, begin.len());
    }

    /// Asks the node after so many digits of the beginning, once.
    fn ask_way(&mut self, purpose: Purpose, depth: usize) {
        let (tree, begin) = self.way_of(purpose);
        let Some(digits) = begin.get(..depth) else {
            return;
        };
        let node = Node {
            tree,
            digits: digits.to_vec(),
            salt: 0,
        };
        if self.way.insert(depth) {
            self.waiting.push_back((node, purpose));
        }
    }

    /// The tree that is gone down, and the digits with which what is wanted begins.
    fn way_of(&self, purpose: Purpose) -> (Tree, Vec<u8>) {
        match self.filter_for(purpose) {
            Filter::Names(begin) => (Tree::Names, ordered(&begin).to_vec()),
            Filter::Words(begin) => (Tree::Dictionary, ordered(begin.as_bytes()).to_vec()),
            Filter::Query(_) => (Tree::Dictionary, Vec::new()),
        }
    }

    /// What to ask a node for.
    fn filter_for(&self, purpose: Purpose) -> Filter {
        match (&self.query, purpose) {
            (Some(query), Purpose::Expand) => {
                let letters = query.terms().iter().map(Term::letters);
                let longest = letters.max_by_key(|letters| letters.len());
                Filter::Words(longest.unwrap_or_default().to_owned())
            }
            _ => self.filter.clone(),
        }
    }

    fn report(self) -> TextReport {
        let mut results: Vec<TextHit> = self.hits.into_values().map(|(_, hit)| hit).collect();
        results.sort_by(|one, other| {
            let by = |hit: &TextHit| (hit.indexed.clone(), hit.key);
            by(one).cmp(&by(other))
        });
        results.truncate(self.limit);
        let is_complete = self.doubt.is_none() && self.cut.is_none();
        let outcome = if !results.is_empty() {
            Outcome::Found
        } else if is_complete {
            Outcome::Absent
        } else {
            Outcome::Unknown
        };
        TextReport {
            outcome,
            results,
            complete: is_complete,
            answered: self.parts_answered,
            asked: self.parts_asked,
            reason: self.doubt.or(self.cut),
        }
    }
}

/// Why a search does not ask everything.
fn too_many() -> String {
    format!("more than {MAX_ASKED} parts of the index would have to be asked; add a rarer word")
}

/// The one subject of a key that a hit is about.
const fn addr_of(subject: Subject) -> Option<std::net::SocketAddr> {
    match subject {
        Subject::Holder(addr) => Some(addr),
        Subject::Value { .. } => None,
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A user searches by words or by the beginning of keys.
    pub(crate) fn start_search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, request: &Request) {
        let deadline = cx.now + self.config.op_timeout;
        let search = Search::new(op, request);
        let has_room = self.index.searches.under_way.len() < MAX_SEARCHES;
        let (Some(search), true) = (search, has_room) else {
            let reply = Reply::Failed(Failure::Busy(MAX_SEARCHES));
            return cx.emit(Notice::Done { op, reply });
        };
        let number = self.draw_number(cx);
        self.index
            .searches
            .under_way
            .insert(number, Box::new(search));
        self.deadlines.set(Due::Search(number), deadline);
        self.ask_parts(cx, number);
    }

    /// Asks what waits, as far as may be, and ends a search that has nothing left to ask.
    fn ask_parts(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        loop {
            let Some(search) = self.index.searches.under_way.get_mut(&number) else {
                return;
            };
            if search.asked.is_empty() && search.waiting.is_empty() && !search.go_on() {
                return self.finish_search(cx, number);
            }
            let at_once = FIRST_AT_ONCE.saturating_add(search.parts_answered);
            if search.asked.len() >= at_once.min(MAX_ASKED_AT_ONCE) as usize {
                return;
            }
            let Some((node, purpose)) = search.waiting.pop_front() else {
                if search.asked.is_empty() {
                    continue;
                }
                return;
            };
            if search.parts_asked >= MAX_ASKED {
                search.cut = Some(too_many());
                search.waiting.clear();
                continue;
            }
            search.parts_asked += 1;
            let (filter, base) = (search.filter_for(purpose), node.base());
            let limit = match purpose {
                Purpose::Expand => MAX_EXPANDED + 1,
                Purpose::Probe(_) | Purpose::List => search.limit,
            };
            let (who, work) = (
                search.who,
                ReadWork::entries(filter, limit as u32, search.consistency),
            );
            let read = self.draw_number(cx);
            if let Some(search) = self.index.searches.under_way.get_mut(&number) {
                search.asked.insert(read, (node, purpose));
            }
            self.index.searches.reads.insert(read, number);
            self.start_numbered(cx, read, who, base, Work::Read(work));
        }
    }

    /// The time of a search is over.
    pub(crate) fn search_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        if let Some(search) = self.index.searches.under_way.get_mut(&number) {
            let asked = search.parts_asked;
            let answered = search.parts_answered;
            search.doubt.get_or_insert_with(|| {
                format!("out of time: {answered} of {asked} parts of the index have answered")
            });
        }
        self.finish_search(cx, number);
    }

    fn finish_search(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        self.deadlines.clear(Due::Search(number));
        let Some(search) = self.index.searches.under_way.remove(&number) else {
            return;
        };
        for read in search.asked.keys() {
            self.drop_read(*read);
        }
        let (op, reply) = (search.who, Reply::TextSearched(search.report()));
        cx.emit(Notice::Done { op, reply });
    }

    /// Nobody needs the answer of a read any more.
    fn drop_read(&mut self, read: u64) {
        self.index.searches.reads.remove(&read);
        self.ops.remove(&read);
        self.deadlines.clear(Due::Op(read));
    }

    /// A node of the index has answered, or has not.
    pub(crate) fn part_read(
        &mut self,
        cx: &mut Cx<'_, Self>,
        (number, read): (u64, u64),
        result: Result<PartRead, String>,
    ) {
        let Some(search) = self.index.searches.under_way.get_mut(&number) else {
            return;
        };
        let Some((node, purpose)) = search.asked.remove(&read) else {
            return;
        };
        let dropped = search.take_in(cx.wall, (&node, purpose), result);
        for read in dropped {
            self.drop_read(read);
        }
        self.ask_parts(cx, number);
    }
}
