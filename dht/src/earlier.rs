//! Earlier views of an arc, whose copies could still make somebody else its root.
//!
//! A root that takes its replicas for dead draws a view with others, and goes on. Were the old ones
//! only cut off, together with another node, they would testify to that one under the old view, and
//! it would take itself for the root with equal right. Both would decide about conditions, each
//! confirmed by W members of its own view. So a root decides under a new view only once so many
//! copies of each earlier one have promised to testify under that no more that too few are left to
//! prove anything: with N = 3 and W = 2, one of the two. A root that reaches none of them cannot
//! know, and decides again when it takes them for lost. That the copies have expired meanwhile is not
//! enough: the other root has what they testified to it, and may be deciding.
//!
//! A copy is asked for its promise once it is a full copy under the new view, so that in the usual
//! case, where one replica changes at a time, nothing is missing when there is something to decide.
//! Those that are no replicas any more are asked then, after W members of the new view have
//! confirmed: until that what they know may be needed.
//!
//! A copy that somebody else has asked meanwhile says who, and the root has to prove again that it
//! holds everything.
//!
//! A copy that restarts forgets what it has promised, and to whom it has testified.

use crate::arcs::{intersect, subtract_all};
use crate::message::{Claim, Retire, Retired};
use crate::ranges::valid_s;
use crate::tenure::DEAF_FOR;
use crate::view::View;
use crate::{Dht, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Duration, Id, KeyRouter, Time};
use smallvec::SmallVec;

/// Most earlier views that count for one arc. They count for minutes, and most are over within a
/// second.
const MAX_EARLIER: usize = 64;

/// Most ids of one view that are kept in mind: copies under those before have expired, or have been told
/// a later one.
const MAX_RENUMBERED: usize = 16;
/// Most claims that are kept in mind; a ring that grows together again has one or two.
const MAX_CLAIMS: usize = 8;

/// The pause before a copy that has not answered is told again that it is over; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest. Most copies answer at once; one that does not is dead, or cut off for long.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// An earlier view of a part of an arc.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    pub(crate) view: u64,
    pub(crate) arc: Arc,
    /// Members that may be full copies under it.
    copies: SmallVec<[Contact; 3]>,
    /// Those that testify under it no more.
    silent: SmallVec<[Id; 3]>,
    /// How many of them must not.
    needed: usize,
    /// Whether decisions wait for that. Not when the root itself doubted the view: its copies may have
    /// testified to whom it heard of then, and it has proven its arc since, with that one's word or with
    /// enough copies that had not heard of it.
    is_awaited: bool,
    /// Those that know that it is over for good.
    told: SmallVec<[Id; 3]>,
    /// When the others are told again, and how often they were.
    next_at: Time,
    tries: u32,
    until: Until,
}

/// For how long a view counts that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    /// Until then its copies may testify: they count for some time after the root has last said so,
    /// and that may be late.
    copies: Time,
    /// Until then whom they testified to may decide, in a part of the network that is cut off. After
    /// that it is taken for lost.
    lost: Time,
}

impl Until {
    #[cfg(test)]
    const fn at(time: Time) -> Self {
        Self {
            copies: time,
            lost: time,
        }
    }
}

impl Earlier {
    /// A view that ends now; none when too few of its members can be full copies anyway.
    fn of(view: &View, write_quorum: usize, until: Until) -> Option<Self> {
        let may_be_full = view.replicas().filter(|member| {
            member.covered || member.compared || member.walk.is_some() || member.failures > 0
        });
        let copies: SmallVec<[Contact; 3]> = may_be_full.map(|member| member.contact).collect();
        let proving = usize::from(view.copies_needed(write_quorum));
        let needed = (copies.len() + 1).saturating_sub(proving);
        (view.is_complete() && needed > 0).then_some(Self {
            view: view.id,
            arc: view.arc,
            copies,
            silent: SmallVec::new(),
            needed,
            is_awaited: true,
            told: SmallVec::new(),
            next_at: Time::ZERO,
            tries: 0,
            until,
        })
    }

    fn is_over(&self, now: Time) -> bool {
        self.silent.len() >= self.needed || now >= self.until.lost
    }

    fn counts_for(&self, key: Id, now: Time) -> bool {
        self.arc.contains(key) && !self.is_over(now)
    }

    /// Whether a decision about a key waits for promises of its copies.
    fn holds_up(&self, key: Id, now: Time) -> bool {
        self.is_awaited && self.counts_for(key, now)
    }

    fn note(&mut self, copy: Id) {
        if self.copies.iter().any(|peer| peer.id == copy) && !self.silent.contains(&copy) {
            self.silent.push(copy);
        }
    }

    /// What to ask those that have not promised.
    fn questions(
        &self,
        req: u64,
        key: Id,
        for_good: bool,
    ) -> impl Iterator<Item = (Contact, Retire)> {
        let view = self.view;
        let open = |peer: &&Contact| !self.silent.contains(&peer.id);
        let question = Retire {
            req,
            key,
            view,
            for_good,
        };
        let open = self.copies.iter().filter(open);
        open.map(move |peer| (*peer, question))
    }

    /// What to tell those that have not heard that it is over for good.
    fn farewells(&self) -> impl Iterator<Item = (Contact, Retire)> {
        let untold = |(peer, _): &(Contact, Retire)| !self.told.contains(&peer.id);
        self.questions(0, self.arc.to, true).filter(untold)
    }

    /// When its copies are told next that it is over for good; none when they need not be.
    pub(crate) fn farewell_at(&self, now: Time) -> Option<Time> {
        let may_testify = now < self.until.copies && !self.is_over(now);
        let is_open = may_testify && self.farewells().next().is_some();
        is_open.then_some(self.next_at)
    }

    /// What to tell them now, until the pause is over.
    pub(crate) fn say_farewell(&mut self, now: Time) -> Vec<(Contact, Retire)> {
        let pause = FIRST_PAUSE.times(1 << self.tries.min(5)).min(MAX_PAUSE);
        self.next_at = now + pause;
        self.tries += 1;
        self.farewells().collect()
    }

    /// A copy testifies no more for good; whether it promises that it has to nobody before.
    fn note_farewell(&mut self, copy: Id, is_promise: bool) {
        if !self.told.contains(&copy) {
            self.told.push(copy);
        }
        if is_promise {
            self.note(copy);
        }
    }

    /// How many promises are missing.
    fn missing(&self) -> usize {
        self.needed.saturating_sub(self.silent.len())
    }
}

impl View {
    /// Notes that somebody has claimed something of the arc; says whether any of it is news. Copies under
    /// earlier views say it again whenever they are asked: the part must not be in doubt all the time.
    pub(crate) fn note_claim(&mut self, claim: Claim, now: Time) -> bool {
        let recent = |since: Time| now.since(since) < DEAF_FOR;
        self.claims.retain(|(_, since)| recent(*since));
        let shared = intersect(self.arc, claim.arc).to_vec();
        let known = self.claims.iter().map(|(known, _)| known);
        let known = known.filter(|known| known.by == claim.by);
        let is_news = !subtract_all(shared, known.map(|known| known.arc)).is_empty();
        if is_news && self.claims.len() < MAX_CLAIMS {
            self.claims.push((claim, now));
        }
        is_news
    }

    /// Takes over what is known of claims from the view of a part before: each once, for an arc may be
    /// put together from several and divided again, time after time.
    pub(crate) fn inherit_claims(&mut self, before: &Self, now: Time) {
        for (claim, since) in &before.claims {
            let is_known = self.claims.iter().any(|(known, _)| known == claim);
            let has_room = self.claims.len() < MAX_CLAIMS;
            if !is_known && has_room && now.since(*since) < DEAF_FOR {
                self.claims.push((*claim, *since));
            }
        }
    }

    /// The arc stays and is to be proven anew, under another number: what was the view until now
    /// is an earlier one.
    pub(crate) fn renumber(&mut self, id: u64, write_quorum: usize, until: Until) {
        if let Some(ended) = Earlier::of(self, write_quorum, until) {
            let excess = (self.earlier.len() + 1).saturating_sub(MAX_EARLIER);
            self.earlier.drain(..excess);
            self.earlier.push(Earlier {
                is_awaited: false,
                ..ended
            });
        }
        if self.renumbered.len() >= MAX_RENUMBERED {
            self.renumbered.remove(0);
        }
        self.renumbered.push(self.id);
        self.id = id;
    }

    /// How many promises of copies under earlier views this root lacks to decide about a key.
    pub(crate) fn promises_missing(&self, key: Id, now: Time) -> usize {
        let open = self.earlier.iter().filter(|it| it.holds_up(key, now));
        open.map(Earlier::missing).sum()
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// For how long a view counts that ends now.
    pub(crate) fn views_count_until(&self, now: Time) -> Until {
        let copies = Duration::from_secs(2 * u64::from(valid_s(&self.config)));
        Until {
            copies: now + copies,
            lost: now + copies.max(self.config.presume_lost),
        }
    }

    /// The earlier views of an arc, when those `before` end now.
    pub(crate) fn earlier_views(&self, before: &[View], arc: Arc, now: Time) -> Vec<Earlier> {
        let (quorum, until) = (self.config.write_quorum, self.views_count_until(now));
        let ended = before
            .iter()
            .filter_map(|view| Earlier::of(view, quorum, until));
        let known = before.iter().flat_map(|view| &view.earlier);
        let known = self.homeless.iter().chain(known).cloned();
        let mut all = Vec::new();
        for earlier in known.chain(ended) {
            if earlier.is_over(now) {
                continue;
            }
            let shared = intersect(earlier.arc, arc).into_iter();
            all.extend(shared.map(|arc| Earlier {
                arc,
                ..earlier.clone()
            }));
        }
        let excess = all.len().saturating_sub(MAX_EARLIER);
        all.drain(..excess);
        all
    }

    /// Keeps the earlier views of what is no longer ours: it may come back before their copies have
    /// expired.
    pub(crate) fn keep_homeless(&mut self, before: &[View], now: Time) {
        let whole = Arc::whole(Id::MAX);
        let mut left = Vec::new();
        for earlier in self.earlier_views(before, whole, now) {
            let parts = subtract_all(vec![earlier.arc], self.views.iter().map(|view| view.arc));
            left.extend(parts.into_iter().map(|arc| Earlier {
                arc,
                ..earlier.clone()
            }));
        }
        let excess = left.len().saturating_sub(MAX_EARLIER);
        left.drain(..excess);
        self.homeless = left;
    }

    /// Whether nobody can become the root of a key by what copies under earlier views say.
    pub(crate) fn is_seated(&self, key: Id, now: Time) -> bool {
        let view = self.views.iter().find(|view| view.arc.contains(key));
        view.is_some_and(|view| view.promises_missing(key, now) == 0)
    }

    /// Asks the copies under earlier views for their promise, before a decision about a key.
    pub(crate) fn ask_to_retire(&mut self, cx: &mut Cx<'_, Self>, req: u64, key: Id) {
        let Some(view) = self.views.iter().find(|view| view.arc.contains(key)) else {
            return;
        };
        let open = view.earlier.iter();
        let open = open.filter(|it| it.holds_up(key, cx.now));
        let questions = open.flat_map(|it| it.questions(req, key, false)).collect();
        self.post_retire(cx, questions);
    }

    /// Asks a member of a view, which is a full copy under it now, for its promise.
    pub(crate) fn ask_member_to_retire(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some((view, member)) = self.member(at) else {
            return;
        };
        let copy = member.contact.id;
        let earlier = view.earlier.iter();
        let open = earlier.filter(|it| it.is_awaited && !it.is_over(cx.now));
        let questions = open.flat_map(|it| it.questions(0, it.arc.to, false));
        let questions = questions.filter(|(peer, _)| peer.id == copy).collect();
        self.post_retire(cx, questions);
    }

    pub(crate) fn post_retire(&mut self, cx: &mut Cx<'_, Self>, questions: Vec<(Contact, Retire)>) {
        for (peer, question) in questions {
            self.post(cx, peer, StoreMessage::Retire(question));
        }
    }

    /// A root has a new view, or none, and asks to count no more under the old one.
    pub(crate) fn retire_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, asked: Retire) {
        let claimed = self.own_claim(asked.key);
        let claimed = claimed.or_else(|| self.covers.claimed(from.id, asked.view, asked.key));
        // One that knows nothing of this root may have forgotten what it said to others.
        let retires = claimed.is_none() || asked.for_good;
        if retires && !self.covers.retire(from.id, asked.view) {
            return;
        }
        let answer = Retired { asked, claimed };
        self.post(cx, from, StoreMessage::Retired(answer));
    }

    /// A copy under an earlier view has promised, or somebody has claimed the key.
    pub(crate) fn retired(&mut self, cx: &mut Cx<'_, Self>, from: Contact, answer: Retired) {
        let Retired { asked, claimed } = answer;
        let (req, key, now) = (asked.req, asked.key, cx.now);
        let view = self.views.iter_mut().find(|view| view.arc.contains(key));
        let known = view.map_or(&mut self.homeless, |view| &mut view.earlier);
        let concerned = known.iter_mut().filter(|it| {
            let is_asked = it.copies.iter().any(|peer| peer.id == from.id);
            it.view == asked.view && is_asked && it.counts_for(key, now)
        });
        if asked.for_good {
            concerned.for_each(|it| it.note_farewell(from.id, claimed.is_none()));
            return;
        }
        let mut concerned = concerned.peekable();
        if concerned.peek().is_none() {
            return;
        }
        if let Some(claim) = claimed {
            return self.deposed(cx, key, claim);
        }
        concerned.for_each(|it| it.note(from.id));
        if self.deciding.contains_key(&req) {
            self.decide_if_known(cx, req);
        } else if self.coordinated.contains_key(&req) {
            self.answer_if_safe(cx, req);
        }
    }
}

#[cfg(test)]
mod tests;
