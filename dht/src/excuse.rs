//! The roots that have a node hold records, whom it asks before it leaves.

use crate::arcs::subtract_all;
use crate::due::Due;
use crate::leavers::SPARED_FOR;
use crate::{Dht, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Movement, Purpose, Time, WaitsFor};
use std::collections::VecDeque;

/// Most roots that are kept in mind: a replica of N = 3 has two, and a few more during changes.
const MAX_ASKERS: usize = 256;
/// How often a node that leaves asks them.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// How long a root that has not begun to compare itself with this node may have counted on what this
/// node acknowledged to it: longer than the question takes with which it begins at once.
const RECENT: Duration = Duration::from_secs(3);
/// After how long without any answer a root counts as dead: a dozen questions. Routers notice a death
/// within this time, and the new root asks for what the copies know.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// A root that has asked this node to hold records.
#[derive(Clone, Copy, Debug)]
struct Asker {
    root: Contact,
    heard: Time,
    /// When it was last asked the question to which it answered that it can do without this node.
    spared: Option<Time>,
    /// When the first question was asked that it has not answered, nor any later one.
    waits_since: Option<Time>,
}

/// All of them, the one that was silent longest first.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    list: VecDeque<Asker>,
    /// The question under way, and when it was asked.
    asked: Option<(u64, Time)>,
}

impl Askers {
    /// A root is gone.
    pub(crate) fn forget(&mut self, root: Id) {
        self.list.retain(|asker| asker.root.id != root);
    }

    /// A root has this node hold something.
    pub(crate) fn heard(&mut self, root: Contact, now: Time) {
        let known = self.list.iter().position(|asker| asker.root.id == root.id);
        let known = known.and_then(|at| self.list.remove(at));
        if self.list.len() >= MAX_ASKERS {
            self.list.pop_front();
        }
        self.list.push_back(Asker {
            root,
            heard: now,
            spared: known.and_then(|asker| asker.spared),
            waits_since: known.and_then(|asker| asker.waits_since),
        });
    }

    /// A root has said, asked at a time, whether it can do without this node.
    fn answered(&mut self, root: Id, spared: Option<Time>) {
        let mut list = self.list.iter_mut();
        if let Some(asker) = list.find(|asker| asker.root.id == root) {
            (asker.spared, asker.waits_since) = (spared, None);
        }
    }

    /// Notes that some are asked; gives those that have been silent for too long.
    fn ask(&mut self, roots: &[Id], now: Time) -> Vec<Id> {
        let mut silent = Vec::new();
        for asker in &mut self.list {
            if !roots.contains(&asker.root.id) {
                continue;
            }
            let since = *asker.waits_since.get_or_insert(now);
            if now.since(since) >= SILENT_FOR {
                silent.push(asker.root.id);
            }
        }
        silent
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The roots that may count on this node, and when each was last asked and could do without it.
    fn counting(&self, now: Time) -> impl Iterator<Item = (Contact, Option<Time>)> {
        let own: Vec<Arc> = self.views.iter().map(|view| view.arc).collect();
        // What this node is the root of itself by now, it hands over as such.
        let counts = move |asker: &&Asker| {
            let kept = self.covers.kept_for(asker.root.id, now).collect();
            now.since(asker.heard) < RECENT || !subtract_all(kept, own.iter().copied()).is_empty()
        };
        let counting = self.askers.list.iter().filter(counts);
        counting.map(|asker| (asker.root, asker.spared))
    }

    /// Whether all of them can do without this node.
    pub(crate) fn is_excused(&self, now: Time) -> bool {
        let counts = |spared: Option<Time>| spared.is_some_and(|at| now.since(at) < SPARED_FOR);
        self.counting(now).all(|(_, spared)| counts(spared))
    }

    /// Asks all of them.
    pub(crate) fn excuse_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leaving.is_none() {
            return;
        }
        self.forget_silent_roots(cx);
        let ready = self.has_handed_over();
        let req = self.draw_number(cx);
        self.askers.asked = Some((req, cx.now));
        let roots: Vec<_> = self.counting(cx.now).collect();
        for (root, spared) in roots {
            let holds = spared.is_some();
            self.post(cx, root, StoreMessage::MayLeave { req, ready, holds });
        }
        self.deadlines.set(Due::Excuse, cx.now + ASK_EVERY);
    }

    /// Roots that do not answer are dead: what this node has of them goes to those that are roots in
    /// their place by now, as any record that does not belong here.
    fn forget_silent_roots(&mut self, cx: &Cx<'_, Self>) {
        let asked: Vec<Id> = self.counting(cx.now).map(|(root, _)| root.id).collect();
        let silent = self.askers.ask(&asked, cx.now);
        for root in &silent {
            self.askers.forget(*root);
            self.covers.forget(*root);
        }
        if !silent.is_empty() {
            self.strays_changed(cx);
        }
    }

    /// A root has answered.
    pub(crate) fn excused(&mut self, from: Contact, req: u64, spared: bool) {
        let Some((_, at)) = self.askers.asked.filter(|(asked, _)| *asked == req) else {
            return;
        };
        self.askers.answered(from.id, spared.then_some(at));
    }

    /// The roots for which a node that leaves waits, to show.
    pub(crate) fn waits_for_roots(&self) -> Vec<Movement> {
        if self.leaving.is_none() {
            return Vec::new();
        }
        let waiting = self
            .counting(self.seen)
            .filter(|(_, spared)| spared.is_none());
        let movement = |(root, _): (Contact, _)| Movement {
            purpose: Purpose::HandOver,
            peer: Some(root),
            arc: None,
            records: 0,
            moved: 0,
            bytes: 0,
            bytes_per_s: 0,
            waits_for: WaitsFor::Peer,
        };
        waiting.map(movement).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn a_root_that_never_answers_is_given_up_and_one_that_says_no_is_not() {
        let contact = |number: u64| Contact {
            id: Id::from_u64(number),
            addr: SocketAddr::from(([127, 0, 0, 1], 4000 + number as u16)),
        };
        let (silent, slow) = (contact(1), contact(2));
        let ids = [silent.id, slow.id];
        let mut askers = Askers::default();
        askers.heard(silent, Time::ZERO);
        askers.heard(slow, Time::ZERO);
        let mut now = Time::ZERO;
        while now < Time::ZERO + SILENT_FOR {
            assert_eq!(askers.ask(&ids, now), []);
            askers.answered(slow.id, None);
            // Whatever it had us hold before it died proves nothing about now.
            askers.heard(silent, now);
            now = now + ASK_EVERY;
        }
        assert_eq!(askers.ask(&ids, now), [silent.id]);
    }
}
