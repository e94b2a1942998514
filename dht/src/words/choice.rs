//! Where a new child of a node is to be: of two places the one whose owner holds less.
//!
//! Parts of a ring differ: the largest of a thousand is seven times the mean. In a model of a
//! thousand nodes on a ring, three copies of each entry and a million texts, the busiest node holds
//! 1.6 times the mean when each child has two places to choose from, and 3.4 times when it has one
//! (after Byers, Considine and Mitzenmacher, "Simple Load Balancing for Distributed Hash Tables",
//! 2003). Only the children of full nodes choose, since their markers say where they are: the first
//! node of a word is found without a question.

use super::place::Child;
use super::publish::moment;
use super::publisher::Job;
use crate::message::Filter;
use crate::op::Work;
use crate::read::ReadWork;
use crate::{Dht, Store};
use overlay::{Consistency, Cx, Id, KeyRouter, OpId};
use std::collections::BTreeMap;

/// Places that a child may have.
pub const PLACES: u8 = 2;

/// The children that are to be made, by node and digit.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    open: BTreeMap<(Id, u8), Choice>,
    /// Which question is about which place.
    reads: BTreeMap<u64, (Id, Child)>,
}

/// A child to be made.
#[derive(Debug, Default)]
struct Choice {
    /// What waits for it.
    jobs: Vec<Job>,
    asked: bool,
    answers: u8,
    /// The least load so far, and where.
    best: Option<(u64, u8)>,
}

impl Choices {
    /// An entry waits until its child has a place.
    pub(crate) fn wait(&mut self, base: Id, digit: u8, job: Job) {
        self.open.entry((base, digit)).or_default().jobs.push(job);
    }

    /// How many entries wait.
    pub(crate) fn waiting(&self) -> usize {
        self.open.values().map(|choice| choice.jobs.len()).sum()
    }

    /// Whether this read was for a choice; if so, for which.
    pub(crate) fn of_read(&mut self, read: u64) -> Option<(Id, Child)> {
        self.reads.remove(&read)
    }

    /// Takes the questions that are to be asked now: for each a child and where it would be.
    fn open_questions(&mut self) -> Vec<(Id, Child, Id)> {
        let mut questions = Vec::new();
        for ((base, digit), choice) in &mut self.open {
            let Some(first) = choice.jobs.first().filter(|_| !choice.asked) else {
                continue;
            };
            for salt in 0..PLACES {
                let child = Child {
                    digit: *digit,
                    salt,
                };
                questions.push((*base, child, first.node.child(child).base()));
            }
            choice.asked = true;
        }
        questions
    }

    /// An owner holds so much, or did not say; with the last answer the choice is made.
    fn told(&mut self, base: Id, child: Child, load: Option<u64>) -> Option<(Child, Vec<Job>)> {
        let at = (base, child.digit);
        let choice = self.open.get_mut(&at)?;
        choice.answers += 1;
        let told = load.map(|load| (load, child.salt));
        choice.best = choice.best.into_iter().chain(told).min();
        if choice.answers < PLACES {
            return None;
        }
        let choice = self.open.remove(&at)?;
        let salt = choice.best.map_or(0, |(_, salt)| salt);
        let child = Child { salt, ..child };
        Some((child, choice.jobs))
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Asks the owners of the places that new children may have.
    pub(crate) fn ask_loads(&mut self, cx: &mut Cx<'_, Self>) {
        for (base, child, place) in self.index.publisher.choices.open_questions() {
            let nothing = Filter::Words(String::new());
            let work = ReadWork::entries(nothing, 0, Consistency::One);
            let read = self.draw_number(cx);
            let reads = &mut self.index.publisher.choices.reads;
            reads.insert(read, (base, child));
            self.start_numbered(cx, read, OpId(read), place, Work::Read(work));
        }
    }

    /// An owner has said how much it holds, or has not.
    pub(crate) fn load_told(
        &mut self,
        cx: &mut Cx<'_, Self>,
        (base, child): (Id, Child),
        load: Option<u64>,
    ) {
        let publisher = &mut self.index.publisher;
        let Some((child, jobs)) = publisher.choices.told(base, child, load) else {
            return;
        };
        publisher.inner.learn(base, &[child], cx.now);
        for job in jobs {
            publisher.descend(moment(cx), job);
        }
        self.send_entries(cx);
    }
}
