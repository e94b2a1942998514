//! The roots that have had a node hold records, whom it asks before it leaves.

use crate::arcs::subtract_all;
use crate::due::Due;
use crate::leavers::SPARED_FOR;
use crate::message::{Intent, MAX_SPARED_ARCS};
use crate::{Dht, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Movement, Purpose, Time, WaitsFor};
use std::collections::{BTreeSet, VecDeque};

/// Most roots that are kept in mind: a replica of N = 3 has two, and a few more during changes.
const MAX_ASKERS: usize = 256;
/// How often a node that leaves asks them.
const ASK_EVERY: Duration = Duration::from_millis(300);
/// Most questions whose answers may still come: those of three seconds, the longest that a root is
/// waited for in any exchange.
const MAX_ASKED: usize = 10;
/// How long a root may count on what this node has acknowledged to it without having begun to
/// compare itself with it: much longer than the question takes with which it begins at once.
const RECENT: Duration = Duration::from_secs(10);
/// After how long without any answer a root is not waited for any more where another one has
/// claimed its arcs: a dozen questions. Routers notice a death within this time, and the new root
/// asks for what the copies know.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// After how long the same holds where nobody has claimed them: what this node has of them is handed
/// to whoever answers for it by now, record by record.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);

/// A root that has asked this node to hold records.
#[derive(Clone, Debug)]
struct Asker {
    root: Contact,
    heard: Time,
    /// When it was last asked the question to which it answered that it can do without this node, and
    /// in which arcs.
    spared: Option<(Time, Vec<Arc>)>,
    /// When the first question was asked that it has not answered, nor any later one.
    waits_since: Option<Time>,
    /// Whether it is silent while others have claimed its arcs.
    claimed: bool,
    /// Whether it has handed everything over and left.
    gone: bool,
}

impl Asker {
    /// Whether its word still counts that it can do without this node.
    fn spares(&self, now: Time) -> bool {
        let at = self.spared.as_ref().map(|(at, _)| *at);
        let is_fresh = at.is_some_and(|at| now.since(at) < SPARED_FOR && at > self.heard);
        self.claimed || is_fresh
    }
}

/// All of them, the one that was silent longest first.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    list: VecDeque<Asker>,
    /// The last questions, and when they were asked.
    asked: VecDeque<(u64, Time)>,
    /// What is accounted for, as of the last question.
    accounted: Vec<Arc>,
}

impl Askers {
    /// A root has handed everything over and leaves. What it did not take in before goes to whoever
    /// answers for it then.
    fn gone(&mut self, root: Id) {
        if let Some(asker) = self.list.iter_mut().find(|asker| asker.root.id == root) {
            asker.gone = true;
        }
    }

    /// This node begins to leave: nothing was asked yet.
    pub(crate) fn begin(&mut self) {
        self.asked.clear();
        for asker in &mut self.list {
            (asker.spared, asker.waits_since, asker.claimed) = (None, None, false);
        }
    }

    fn forget(&mut self, root: Id) {
        self.list.retain(|asker| asker.root.id != root);
    }

    /// A root has this node hold something, or asks it for what it knows.
    pub(crate) fn heard(&mut self, root: Contact, now: Time) {
        let known = self.list.iter().position(|asker| asker.root.id == root.id);
        let mut asker = known.and_then(|at| self.list.remove(at)).unwrap_or(Asker {
            root,
            heard: now,
            spared: None,
            waits_since: None,
            claimed: false,
            gone: false,
        });
        if self.list.len() >= MAX_ASKERS {
            self.list.pop_front();
        }
        (asker.root, asker.heard) = (root, now);
        (asker.claimed, asker.gone) = (false, false);
        self.list.push_back(asker);
    }

    /// A root has answered one of the last questions.
    fn answered(&mut self, root: Id, req: u64, spared: Option<Vec<Arc>>) {
        let mut asked = self.asked.iter();
        let Some((_, at)) = asked.find(|(number, _)| *number == req) else {
            return;
        };
        let mut list = self.list.iter_mut();
        if let Some(asker) = list.find(|asker| asker.root.id == root) {
            asker.spared = spared.map(|arcs| (*at, arcs));
            asker.waits_since = None;
        }
    }

    /// Notes that some are asked.
    fn ask(&mut self, roots: &[Id], req: u64, now: Time) {
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((req, now));
        let asked = |asker: &&mut Asker| roots.contains(&asker.root.id);
        for asker in self.list.iter_mut().filter(asked) {
            asker.waits_since.get_or_insert(now);
        }
    }

    /// Those that have not answered for some time.
    fn silent(&self, time: Duration, now: Time) -> Vec<Id> {
        let is_silent = |asker: &&Asker| {
            let since = asker.waits_since;
            !asker.gone && since.is_some_and(|since| now.since(since) >= time)
        };
        let silent = self.list.iter().filter(is_silent);
        silent.map(|asker| asker.root.id).collect()
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The roots that may count on this node, and whether they can do without it.
    fn counting(&self, now: Time) -> impl Iterator<Item = (Contact, bool)> {
        // What this node is the root of itself by now, it hands over as such.
        let own: Vec<Arc> = self.views.iter().map(|view| view.arc).collect();
        let counts = move |asker: &&Asker| {
            if asker.gone {
                return false;
            }
            let kept = self.covers.of_root(asker.root.id).collect();
            let is_recent = now.since(asker.heard) < RECENT;
            is_recent || !subtract_all(kept, own.iter().copied()).is_empty()
        };
        let counting = self.askers.list.iter().filter(counts);
        counting.map(move |asker| (asker.root, asker.spares(now)))
    }

    /// The arcs whose records a node that leaves need not hand over one by one: roots can do without
    /// it there, or are still asked.
    pub(crate) fn accounted_for(&self) -> Vec<Arc> {
        let mut arcs = Vec::new();
        for asker in &self.askers.list {
            match &asker.spared {
                Some((_, spared)) => arcs.extend(spared),
                None if asker.gone => {}
                None => arcs.extend(self.covers.of_root(asker.root.id)),
            }
        }
        arcs
    }

    /// Whether all of them can do without this node.
    pub(crate) fn is_excused(&self, now: Time) -> bool {
        self.counting(now).all(|(_, is_spared)| is_spared)
    }

    /// Asks all of them, and tells the neighbours.
    pub(crate) fn excuse_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leaving.is_none() {
            return;
        }
        self.pass_over_silent_roots(cx);
        let req = self.draw_number(cx);
        let roots: BTreeSet<Contact> = self.counting(cx.now).map(|(root, _)| root).collect();
        let ids: Vec<Id> = roots.iter().map(|root| root.id).collect();
        self.askers.ask(&ids, req, cx.now);
        self.accounted_anew(cx);
        let ready = self.has_handed_over() && self.is_excused(cx.now);
        for peer in self.near().union(&roots) {
            let copies = roots.contains(peer);
            let said = Intent { req, ready, copies };
            self.post(cx, *peer, StoreMessage::MayLeave(said));
        }
        self.deadlines.set(Due::Excuse, cx.now + ASK_EVERY);
    }

    /// Looks for records to hand over where others are accounted for than before.
    fn accounted_anew(&mut self, cx: &Cx<'_, Self>) {
        if self.leaving.is_none() {
            return;
        }
        let accounted = self.accounted_for();
        if self.askers.accounted != accounted {
            self.askers.accounted = accounted;
            self.strays_changed(cx);
        }
    }

    /// Roots that do not answer may be dead. Whoever has claimed their arcs is asked instead; without
    /// anybody, what this node has of them goes where any record goes that does not belong here.
    fn pass_over_silent_roots(&mut self, cx: &Cx<'_, Self>) {
        for root in self.askers.silent(SILENT_FOR, cx.now) {
            let kept = self.covers.of_root(root).collect();
            let own = self.views.iter().map(|view| view.arc);
            let claimed = self.covers.claimed_from(root).chain(own);
            let is_claimed = subtract_all(kept, claimed).is_empty();
            let mut list = self.askers.list.iter_mut();
            if let Some(asker) = list.find(|asker| asker.root.id == root && is_claimed) {
                asker.claimed = true;
            }
        }
        for root in self.askers.silent(GIVEN_UP_AFTER, cx.now) {
            self.askers.forget(root);
            self.covers.forget(root);
        }
    }

    /// A root leaves. What it did not take in is looked for at once: this node must not go before.
    pub(crate) fn root_gone(&mut self, cx: &Cx<'_, Self>, root: Id) {
        self.askers.gone(root);
        self.accounted_anew(cx);
    }

    /// A root has answered.
    pub(crate) fn excused(&mut self, from: Contact, req: u64, mut spared: Option<Vec<Arc>>) {
        if let Some(arcs) = &mut spared {
            arcs.truncate(MAX_SPARED_ARCS);
        }
        self.askers.answered(from.id, req, spared);
    }

    /// The roots for which a node that leaves waits, to show.
    pub(crate) fn waits_for_roots(&self) -> Vec<Movement> {
        if self.leaving.is_none() {
            return Vec::new();
        }
        let counting = self.counting(self.seen);
        let waiting = counting.filter(|(_, is_spared)| !is_spared);
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

    fn contact(number: u64) -> Contact {
        Contact {
            id: Id::from_u64(number),
            addr: SocketAddr::from(([127, 0, 0, 1], 4000 + number as u16)),
        }
    }

    #[test]
    fn a_root_that_never_answers_is_silent_and_one_that_says_no_or_is_slow_is_not() {
        let (silent, unwilling, slow) = (contact(1), contact(2), contact(3));
        let ids = [silent.id, unwilling.id, slow.id];
        let mut askers = Askers::default();
        for root in [silent, unwilling, slow] {
            askers.heard(root, Time::ZERO);
        }
        let mut now = Time::ZERO;
        for req in 0..17 {
            assert_eq!(askers.silent(SILENT_FOR, now), []);
            askers.ask(&ids, req, now);
            askers.answered(unwilling.id, req, None);
            // Two questions late, all the time.
            askers.answered(slow.id, req.wrapping_sub(2), Some(Vec::new()));
            // Whatever it had us hold before it died proves nothing about now.
            askers.heard(silent, now);
            now = now + ASK_EVERY;
        }
        assert_eq!(askers.silent(SILENT_FOR, now), [silent.id]);
    }
}
