//! A root that has lost a part tells the one who has it now, if that does not ask by itself.
//!
//! Usually nothing needs to be told: who takes a part over asks those before it what they know
//! (`proof`). But where a ring had come apart, because more nodes died at once than a list of
//! neighbours names, or because the network was split, two nodes were roots of the same part, and
//! when the rings grow together one of them just ceases to be. The other never lost the part and
//! has nobody to ask: it would call absent what its rival acknowledged, until that is handed over.
//! So a former root whom nobody has asked for a while says that it was one. The present root takes
//! what they had in common for unproven, and brings its records together with those of the other.

use crate::arcs::{intersect, subtract_all};
use crate::due::Due;
use crate::former::Former;
use crate::member::Member;
use crate::message::{Evidence, Proof};
use crate::view::{Unproven, View};
use crate::witnesses::MAX_WITNESSES;
use crate::{Dht, Store, StoreMessage};
use overlay::lookup::{Located, LookupRequest};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Time};
use std::collections::VecDeque;

/// How long a former root waits to be asked: a few round trips, and a flush of a disk.
pub(crate) const FIRST_NOTICE: Duration = Duration::from_secs(2);
/// The pause before it says so again: the notice was lost, or the root is another one by now.
const NEXT_NOTICE: Duration = Duration::from_secs(5);
/// How often it says so. After half a minute its records are being handed over.
const MAX_NOTICES: u32 = 6;
/// How long a peer is not believed again, so that it cannot keep a part in doubt.
pub(crate) const DEAF_FOR: Duration = Duration::from_secs(30);
/// Most peers of which it is kept in mind that they were believed: more than can have been roots
/// of one part in that time. Beyond that nobody is believed.
const MAX_BELIEVED: usize = 64;

/// Notices to the roots of parts that were this node's.
#[derive(Debug, Default)]
pub(crate) struct Tenures {
    /// The root that is looked up, and for which part.
    looking: Option<(u64, Arc)>,
    /// Who was believed about which arc when; oldest first.
    believed: VecDeque<(Contact, Arc, Time)>,
}

impl Tenures {
    /// Whether a peer may cast doubt on a part now.
    fn believes(&mut self, peer: Contact, arc: Arc, (now, kept_for): (Time, Duration)) -> bool {
        self.believed
            .retain(|(_, _, since)| now.since(*since) < kept_for);
        let is_recent = |(known, _, since): &(Contact, Arc, Time)| {
            known.id == peer.id && now.since(*since) < DEAF_FOR
        };
        if self.believed.iter().any(is_recent) || self.believed.len() >= MAX_BELIEVED {
            return false;
        }
        self.believed.push_back((peer, arc, now));
        true
    }

    /// Those that were believed.
    pub(crate) fn rivals(&self) -> impl Iterator<Item = Contact> {
        self.believed.iter().map(|(peer, _, _)| *peer)
    }
}

/// When a former root says next that it was one, and how often it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    at: Time,
    given: u32,
}

impl Notice {
    /// The first notice about a part that was lost at a time.
    pub(crate) fn first(lost: Time) -> Self {
        let at = lost + FIRST_NOTICE;
        Self { at, given: 0 }
    }
}

impl Former {
    /// Whether this node waits to be asked by whoever is the root now, who may know nothing of it.
    pub(crate) const fn is_untold(&self) -> bool {
        self.taken_by.is_none() && self.notice.given == 0
    }

    /// When the next notice is due; none when somebody has asked, or it was given often enough.
    fn notice_at(&self) -> Option<Time> {
        let is_open = self.taken_by.is_none() && self.notice.given < MAX_NOTICES;
        is_open.then_some(self.notice.at)
    }
}

impl View {
    /// What rivals that were compared add: where this root held everything, and one of them was a
    /// root beside it, both together have everything.
    pub(crate) fn rivals_heard(&self, rivals: &[Id]) -> Vec<(Id, Vec<Evidence>)> {
        let heard = self.members.iter().filter(|member| member.compared);
        let heard = heard.map(|member| member.contact.id);
        let heard = heard.filter(|id| rivals.contains(id));
        let beside = |rival: Id| {
            let before = Proof::Held {
                complete: true,
                next: Some(rival),
            };
            let since = Proof::Held {
                complete: false,
                next: None,
            };
            let own = self.own_evidence.iter();
            let shared = own.filter(|known| known.proof == before);
            shared
                .map(|known| Evidence::new(known.arc, since))
                .collect()
        };
        heard.map(|rival| (rival, beside(rival))).collect()
    }

    /// Asks one more node for what it knows of the arc.
    fn call_rival(&mut self, rival: Contact, now: Time) {
        let has_room = self.members.len() < self.replicas.len() + MAX_WITNESSES;
        let mut known = self.members.iter_mut();
        match known.find(|member| member.contact.id == rival.id) {
            // What it said before, it said before it told this.
            Some(member) => *member = Member::new(rival, member.replica, now),
            None if has_room => self.members.push(Member::new(rival, false, now)),
            None => {}
        }
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Sets the time for the next notice.
    pub(crate) fn schedule_notice(&mut self, now: Time) {
        let next = self.former.iter().filter_map(Former::notice_at).min();
        match next.filter(|_| !self.left && self.tenures.looking.is_none()) {
            Some(at) => self.deadlines.set(Due::Notice, at.max(now)),
            None => {
                self.deadlines.clear(Due::Notice);
            }
        }
    }

    /// A notice is due, or the root that should get one was not found.
    pub(crate) fn notice_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.tenures.looking = None;
        let is_due = |former: &&mut Former| former.notice_at().is_some_and(|at| at <= cx.now);
        let Some(former) = self.former.iter_mut().find(is_due) else {
            return self.schedule_notice(cx.now);
        };
        former.notice.given += 1;
        former.notice.at = cx.now + NEXT_NOTICE;
        let part = former.arc;
        let number = self.draw_number(cx);
        self.tenures.looking = Some((number, part));
        let until = cx.now + self.config.op_timeout;
        self.deadlines.set(Due::Notice, until);
        let what = LookupRequest {
            fresh: true,
            ..LookupRequest::new(part.to)
        };
        self.look_up(cx, number, what);
    }

    /// A lookup has ended; says whether it was for a notice.
    pub(crate) fn notice_located(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        found: Option<&Located>,
    ) -> bool {
        let Some((_, arc)) = self.tenures.looking.filter(|(asked, _)| *asked == number) else {
            return false;
        };
        self.tenures.looking = None;
        if let Some(found) = found.filter(|found| found.owner.id != self.my().id) {
            self.post(cx, found.owner, StoreMessage::Tenure { arc });
        }
        self.schedule_notice(cx.now);
        true
    }

    /// Somebody was the root of an arc until a moment ago, and nobody has asked it.
    pub(crate) fn tenure_told(&mut self, cx: &mut Cx<'_, Self>, from: Contact, arc: Arc) {
        let shares = |view: &View| !intersect(view.arc, arc).is_empty();
        let age = (cx.now, self.config.presume_lost);
        if !self.views.iter().any(shares) || !self.tenures.believes(from, arc, age) {
            return;
        }
        for at in 0..self.views.len() {
            let Some(view) = self.views.get(at) else {
                break;
            };
            let shared = intersect(view.arc, arc);
            if shared.is_empty() {
                continue;
            }
            let holes = view.unproven.iter().map(|hole| hole.arc);
            let proven = subtract_all(shared.to_vec(), holes);
            if !proven.is_empty() {
                self.doubt(cx, at, &shared, from.id);
            }
            if let Some(view) = self.views.get_mut(at) {
                view.call_rival(from, cx.now);
            }
        }
        self.deadlines.set(Due::Sync, cx.now);
    }

    /// Asks those that were roots beside this one, before a new view is proven.
    pub(crate) fn call_rivals(&self, cx: &Cx<'_, Self>, view: &mut View) {
        for (rival, arc, _) in &self.tenures.believed {
            let is_open = |hole: &Unproven| !intersect(hole.arc, *arc).is_empty();
            if view.unproven.iter().any(is_open) {
                view.call_rival(*rival, cx.now);
            }
        }
    }

    /// Others may have acknowledged writes in parts of an arc that this root took for its own: they
    /// have to be proven complete again, under a new view.
    pub(crate) fn doubt(&mut self, cx: &mut Cx<'_, Self>, at: usize, parts: &[Arc], by: Id) {
        let (quorum, until) = (self.config.write_quorum, self.views_count_until(cx.now));
        let Some(view) = self.views.get_mut(at) else {
            return;
        };
        view.renumber(cx.rng.next_u64(), quorum, until);
        let doubted: Vec<Arc> = parts
            .iter()
            .flat_map(|part| intersect(view.arc, *part))
            .collect();
        let holes = view.unproven.iter().map(|hole| hole.arc);
        let proven = subtract_all(doubted.clone(), holes);
        // What this root held until then counts, together with the word of the other.
        let proof = Proof::Held {
            complete: true,
            next: Some(by),
        };
        // Should the part go to the other for good, it needs to hear of that from here.
        let tenures = proven.iter().map(|arc| Former::passed_to(*arc, by, cx.now));
        self.former.extend(tenures);
        let evidence = proven.iter().map(|arc| Evidence::new(*arc, proof));
        let evidence = self.horizons.annotate(evidence.collect());
        view.reopen(&doubted, evidence, cx.now);
        view.called_witnesses = false;
        view.members.retain(|member| member.replica);
        for member in &mut view.members {
            *member = Member::new(member.contact, true, cx.now);
        }
        self.deadlines.set(Due::Sync, cx.now);
    }
}
