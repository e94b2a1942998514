//! Entries on their way: the queue of a publisher.

use super::choice::Choices;
use super::document::{Document, ToPlace, dictionary_entry};
use super::inner::Inner;
use super::place::{Child, Low, Node, Tree, base_of};
use bytes::Bytes;
use overlay::words::Words;
use overlay::{Arc, Contact, Duration, Hlc, Id, MAX_LEASE_S, OpId, Reply, Time, WallMs};
use std::collections::BTreeMap;

/// Most entries that wait for their owner to be asked; more are left out and come with the next
/// renewal. About 30 MB with short texts.
pub(crate) const MAX_JOBS: usize = 65_536;
/// How much longer than needed markers and words of the dictionary last, so that they are not
/// written again for every text.
const LONGER_S: u64 = 3_600;
/// The first pause before an entry is tried again; doubled each time up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// An entry on its way.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The node where it is thought to belong.
    pub(crate) node: Node,
    /// The digits that lead further down.
    pub(crate) digits: Vec<u8>,
    pub(crate) low: Low,
    pub(crate) body: Bytes,
    pub(crate) until: WallMs,
    pub(crate) removes: Option<Hlc>,
    /// The call that is answered when it is there.
    pub(crate) waiter: Option<u64>,
    pub(crate) tries: u32,
}

impl Job {
    pub(crate) fn place(&self) -> Id {
        self.node.place(self.low)
    }
}

/// A call that is done but for its entries.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) who: OpId,
    pub(crate) reply: Reply,
    pub(crate) left: usize,
}

/// Entries that go to one owner together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Job>,
    /// Who was asked; none while the owner is looked for.
    pub(crate) asked: Option<Contact>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    /// Ready, by place.
    queued: BTreeMap<(Id, u64), Job>,
    /// To be tried again.
    later: BTreeMap<(Time, u64), Job>,
    pub(crate) batches: BTreeMap<u64, Batch>,
    pub(crate) held: BTreeMap<u64, Held>,
    pub(crate) inner: Inner,
    pub(crate) choices: Choices,
    next: u64,
}

/// When something is to be published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Time,
    pub(crate) wall: WallMs,
}

impl Publisher {
    /// How many entries wait or are on their way.
    pub(crate) fn under_way(&self) -> usize {
        let sent: usize = self.batches.values().map(|batch| batch.jobs.len()).sum();
        self.queued.len() + self.later.len() + self.choices.waiting() + sent
    }

    /// Whether there is room for the entries of many more texts.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way() < MAX_JOBS / 2
    }

    /// Queues all entries of a document, to last until then; says how many `waiter` has to wait for.
    pub(crate) fn publish(
        &mut self,
        at: Moment,
        document: &Document,
        until: WallMs,
        waiter: Option<u64>,
    ) -> usize {
        if self.under_way() >= MAX_JOBS {
            return 0;
        }
        let before = self.queued.len() + self.choices.waiting();
        for word in Words::of(&document.text).iter() {
            let entry = dictionary_entry(word);
            let lasting = lasting(until, at.wall);
            if self.inner.add_word(entry.low, (until, lasting), at.wall) {
                self.add(at, entry, lasting, waiter);
            }
        }
        for entry in document.entries() {
            self.add(at, entry, until, waiter);
        }
        self.queued.len() + self.choices.waiting() - before
    }

    /// Queues the end of the entries of a document, but for those that another one has too.
    pub(crate) fn withdraw(
        &mut self,
        at: Moment,
        document: &Document,
        but: Option<&Document>,
        before: Hlc,
    ) {
        let kept: Vec<Tree> = but.map_or_else(Vec::new, |but| {
            but.entries().into_iter().map(|entry| entry.tree).collect()
        });
        let until = at.wall.plus_secs(LONGER_S);
        let gone = document.entries().into_iter();
        for entry in gone.filter(|entry| !kept.contains(&entry.tree)) {
            if self.under_way() >= MAX_JOBS {
                return;
            }
            // It may be in any node on its way; the first sends it further down.
            self.queue(Job {
                node: Node::root(entry.tree),
                digits: entry.digits,
                low: entry.low,
                body: Bytes::new(),
                until,
                removes: Some(before),
                waiter: None,
                tries: 0,
            });
        }
    }

    fn add(&mut self, at: Moment, entry: ToPlace, until: WallMs, waiter: Option<u64>) {
        let job = Job {
            node: Node::root(entry.tree),
            digits: entry.digits,
            low: entry.low,
            body: entry.body,
            until,
            removes: None,
            waiter,
            tries: 0,
        };
        self.descend(at, job);
    }

    /// Queues an entry for the lowest node that is known on its way, and sees to the markers there.
    /// Where a child has to be made, its place is chosen first.
    pub(crate) fn descend(&mut self, at: Moment, mut job: Job) {
        while let Some(digit) = job.digits.get(job.node.digits.len()).copied() {
            let base = job.node.base();
            let child = match self.inner.child(base, digit, at.now) {
                Err(_) => break,
                Ok(Some(child)) => child,
                // What goes is not there either.
                Ok(None) if job.removes.is_some() => break,
                Ok(None) => return self.choices.wait(base, digit, job),
            };
            let lasting = lasting(job.until, at.wall);
            let is_short = self.inner.mark(base, child, job.until, lasting);
            if is_short && job.removes.is_none() {
                self.mark(&job, child, lasting);
            }
            job.node = job.node.child(child);
        }
        self.queue(job);
    }

    /// The marker goes with the entry: who waits for one waits for both.
    fn mark(&mut self, job: &Job, child: Child, until: WallMs) {
        if let Some(held) = job.waiter.and_then(|waiter| self.held.get_mut(&waiter)) {
            held.left += 1;
        }
        self.queue(Job {
            node: job.node.clone(),
            digits: Vec::new(),
            low: child.low(),
            body: Bytes::new(),
            until,
            removes: None,
            waiter: job.waiter,
            tries: 0,
        });
    }

    fn queue(&mut self, job: Job) {
        self.next += 1;
        self.queued.insert((job.place(), self.next), job);
    }

    /// Takes the first entry that is ready.
    pub(crate) fn take_first(&mut self) -> Option<Job> {
        self.queued.pop_first().map(|(_, job)| job)
    }

    /// Whether some entry is ready.
    pub(crate) fn is_ready(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Takes entries in an arc, in order of place, as long as `fits` says so.
    pub(crate) fn take_within(
        &mut self,
        arc: Arc,
        jobs: &mut Vec<Job>,
        mut fits: impl FnMut(&Job) -> bool,
    ) {
        let lowest = (arc.from, u64::MAX);
        let ahead = self.queued.range(lowest..);
        let around = self.queued.range(..=lowest);
        let mut taken = Vec::new();
        for (at, job) in ahead.chain(around) {
            if !arc.contains(at.0) || !fits(job) {
                break;
            }
            taken.push(*at);
        }
        jobs.extend(taken.iter().filter_map(|at| self.queued.remove(at)));
    }

    /// An entry did not arrive: again after a pause. One whose time is over comes back.
    pub(crate) fn again(&mut self, at: Moment, mut job: Job) -> Option<Job> {
        if job.until <= at.wall {
            return Some(job);
        }
        let pause = FIRST_PAUSE.times(1 << job.tries.min(9)).min(MAX_PAUSE);
        job.tries += 1;
        self.next += 1;
        self.later.insert((at.now + pause, self.next), job);
        None
    }

    /// When the next entry is to be tried again.
    pub(crate) fn next_try(&self) -> Option<Time> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Queues what is to be tried again now.
    pub(crate) fn resume(&mut self, now: Time) {
        while let Some(first) = self.later.first_entry() {
            if first.key().0 > now {
                return;
            }
            let job = first.remove();
            self.queue(job);
        }
    }

    /// An entry will not be written.
    pub(crate) fn give_up(&mut self, job: &Job) {
        if Child::of(job.low).is_some() || job.node.tree == Tree::Dictionary {
            self.inner.unwritten(base_of(job.place()), job.low);
        }
    }
}

/// Until when markers and words are written for something that lasts until then.
fn lasting(until: WallMs, wall: WallMs) -> WallMs {
    let longest = wall.plus_secs(u64::from(MAX_LEASE_S));
    until.max(wall).plus_secs(LONGER_S).min(longest)
}
