//! A root brings its replicas and itself together: when to compare, and what follows.
//!
//! The root asks about its arc (`ranges`), and where a replica has something else, the newer records
//! travel in both directions (`items`). One question is in flight for each replica, and records
//! travel at a bounded pace, so that a repair does not starve the users. Where nothing differs a
//! comparison is one round trip, however many records there are, and so its period is always the
//! same, but for the first few.

use crate::due::Due;
use crate::full::ROOM_PAUSE;
use crate::member::Member;
use crate::pauses::{FIRST_RETRY, LAST_RETRY, repeat_pause, retry_pause};
use crate::progress::Tally;
use crate::ranges::Range;
use crate::view::View;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Duration, Hlc, Id, KeyRouter, Time};
use std::collections::VecDeque;

/// The least time that an answer may take; the replica may have to flush its disk first.
const MIN_PATIENCE: Duration = Duration::from_secs(1);
/// How often one question is asked before the comparison is given up.
const MAX_ATTEMPTS: u32 = 3;

/// A comparison under way.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The number of the question in flight.
    pub(crate) req: u64,
    /// When it counts as lost.
    pub(crate) until: Time,
    pub(crate) attempts: u32,
    pub(crate) stage: Stage,
    /// What the root claims: fixed at the start of the comparison.
    pub(crate) quorum: u8,
    /// When it began.
    pub(crate) began: Time,
    /// Whether no answer has come yet.
    pub(crate) first: bool,
    /// What the member said at first of what it does not have.
    pub(crate) collected: Vec<(Arc, Hlc)>,
    /// Whether it has something that was not believed.
    pub(crate) passed_over: bool,
    /// Whether it has left something out, for want of room.
    pub(crate) left_out: bool,
    /// Whether this root has.
    pub(crate) left_out_here: bool,
    /// The ranges that the question in flight is about.
    pub(crate) asked: Vec<Range>,
    /// Those that come next, the last first.
    pub(crate) pending: Vec<Range>,
    /// Records to send.
    pub(crate) push: VecDeque<Position>,
    /// How many of them are in flight, and their bytes.
    pub(crate) pushed: usize,
    pub(crate) pushed_bytes: usize,
    /// Records to get.
    pub(crate) want: VecDeque<Position>,
    /// How many of them are asked for.
    pub(crate) wanted: usize,
    /// What was moved so far.
    pub(crate) tally: Tally,
    /// When the records in flight were sent for: the pace counts from then.
    pub(crate) sent: Time,
}

/// What is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Ranges,
    Items,
    /// Nothing: records travel no faster than they may.
    Pause,
    Done,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn member(&self, (view, member): (usize, usize)) -> Option<(&View, &Member)> {
        let view = self.views.get(view)?;
        Some((view, view.members.get(member)?))
    }

    pub(crate) fn member_mut(&mut self, (view, member): (usize, usize)) -> Option<&mut Member> {
        self.views.get_mut(view)?.members.get_mut(member)
    }

    pub(crate) fn walk_mut(&mut self, at: (usize, usize)) -> Option<&mut Walk> {
        self.member_mut(at)?.walk.as_deref_mut()
    }

    /// The comparison that a question belongs to, when it is in this stage.
    pub(crate) fn walk_of(&self, from: Contact, req: u64, stage: Stage) -> Option<(usize, usize)> {
        self.views.iter().enumerate().find_map(|(view_at, view)| {
            let at = view.members.iter().position(|member| {
                let walk = member.walk.as_ref();
                member.contact.id == from.id
                    && walk.is_some_and(|walk| walk.req == req && walk.stage == stage)
            })?;
            Some((view_at, at))
        })
    }

    /// Begins and repeats what is due.
    pub(crate) fn sync_due(&mut self, cx: &mut Cx<'_, Self>) {
        let proving = self.proving(cx);
        for view in &mut self.views {
            let was_complete = view.is_complete();
            for (arc, horizon) in view.prove(&proving) {
                self.horizons.set(arc, horizon);
                self.covers.outlived(arc);
            }
            if view.is_complete() {
                view.dismiss_witnesses(!was_complete, &self.leavers, cx.now);
            }
        }
        self.call_witnesses(cx);
        let all: Vec<(usize, usize)> = self
            .views
            .iter()
            .enumerate()
            .flat_map(|(view_at, view)| (0..view.members.len()).map(move |at| (view_at, at)))
            .collect();
        for at in all {
            let Some((_, member)) = self.member(at) else {
                continue;
            };
            match &member.walk {
                None if member.next_at <= cx.now => self.start_walk(cx, at),
                Some(walk) if walk.until <= cx.now => self.repeat(cx, at),
                _ => {}
            }
        }
        self.schedule_sync(cx);
    }

    pub(crate) fn schedule_sync(&mut self, cx: &Cx<'_, Self>) {
        let members = self.views.iter().flat_map(|view| &view.members);
        let next = members
            .map(|member| {
                member
                    .walk
                    .as_ref()
                    .map_or(member.next_at, |walk| walk.until)
            })
            .min();
        // A node cut off from all others waits for the time after which it takes the rest for lost.
        let alone = self
            .views
            .iter()
            .find(|view| view.members.is_empty() && !view.is_complete());
        let lost = alone.and_then(|view| view.unproven.iter().map(|part| part.since).min());
        let lost = lost.map(|since| (since + self.config.presume_lost).max(cx.now + LAST_RETRY));
        match next.into_iter().chain(lost).min() {
            Some(at) => self.deadlines.set(Due::Sync, at),
            None => {
                self.deadlines.clear(Due::Sync);
            }
        }
    }

    pub(crate) fn start_walk(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let quorum = self.config.write_quorum;
        let Some((view, _)) = self.member(at) else {
            return;
        };
        let quorum = if view.is_complete() {
            view.copies_needed(quorum)
        } else {
            0
        };
        let walk = Walk {
            req: 0,
            until: cx.now,
            attempts: 0,
            stage: Stage::Ranges,
            quorum,
            began: cx.now,
            first: true,
            collected: Vec::new(),
            passed_over: false,
            left_out: false,
            left_out_here: false,
            asked: Vec::new(),
            pending: vec![Range::WHOLE],
            push: VecDeque::new(),
            pushed: 0,
            pushed_bytes: 0,
            want: VecDeque::new(),
            wanted: 0,
            tally: Tally::default(),
            sent: cx.now,
        };
        if let Some(member) = self.member_mut(at) {
            member.walk = Some(Box::new(walk));
        }
        self.send_ask(cx, at);
    }

    /// Sends the next question of a comparison and says how long it may take.
    pub(crate) fn sync_send(
        &mut self,
        cx: &mut Cx<'_, Self>,
        at: (usize, usize),
        stage: Stage,
        make: impl FnOnce(u64) -> StoreMessage,
    ) {
        let req = self.draw_number(cx);
        if let Some(contact) = self.sync_wait(cx, at, stage, req) {
            self.post(cx, contact, make(req));
        }
    }

    /// A comparison waits for what this number stands for; gives the replica.
    pub(crate) fn sync_wait(
        &mut self,
        cx: &Cx<'_, Self>,
        at: (usize, usize),
        stage: Stage,
        req: u64,
    ) -> Option<Contact> {
        let contact = self.member(at)?.1.contact;
        let patience = self
            .routing
            .timeout_for(contact.id)
            .times(2)
            .max(MIN_PATIENCE);
        let walk = self.walk_mut(at)?;
        walk.req = req;
        walk.stage = stage;
        walk.until = cx.now + patience.times(1 << walk.attempts.min(4));
        self.schedule_sync(cx);
        Some(contact)
    }

    /// A question was lost, or the replica is.
    pub(crate) fn repeat(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        let contact = member.contact;
        let Some(walk) = &mut member.walk else { return };
        if walk.stage == Stage::Pause {
            return self.next_items(cx, at);
        }
        walk.attempts += 1;
        if walk.attempts < MAX_ATTEMPTS {
            return match walk.stage {
                Stage::Ranges => self.send_ask(cx, at),
                Stage::Items | Stage::Pause => self.send_items(cx, at),
                Stage::Done => self.send_done(cx, at),
            };
        }
        self.give_up(cx, at);
        self.with_routing(cx, |routing, cx| routing.suspect(cx, contact));
    }

    pub(crate) fn give_up(&mut self, cx: &Cx<'_, Self>, at: (usize, usize)) {
        self.compared.comparisons_failed += 1;
        let Some(member) = self.member_mut(at) else {
            return;
        };
        member.walk = None;
        member.covered = false;
        member.next_at = cx.now + retry_pause(member.failures);
        member.failures += 1;
    }

    /// The replica is a full copy now, and what it knew counts.
    pub(crate) fn finish_walk(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let (proving, period) = (self.proving(cx), self.config.anti_entropy);
        let leaving = self.leaving_since();
        let jitter = Duration(cx.rng.next_u64() % (period.0 / 4).max(1));
        let Some(view) = self.views.get_mut(at.0) else {
            return;
        };
        let (arc, was_complete) = (view.arc, view.is_complete());
        let Some(member) = view.members.get_mut(at.1) else {
            return;
        };
        let Some(walk) = member.walk.take() else {
            return;
        };
        self.compared.comparisons += 1;
        member.no_room = walk.no_room();
        member.compared = !walk.left_out_here;
        member.covered = member.no_room.is_none();
        if member.covered {
            member.since = Some(walk.began);
        }
        for (arc, horizon) in view.prove(&proving) {
            self.horizons.set(arc, horizon);
            self.covers.outlived(arc);
        }
        let is_complete = view.is_complete();
        let Some(member) = view.members.get_mut(at.1) else {
            return;
        };
        if is_complete && walk.quorum == 0 {
            // The copy was told that it does not count yet; now it does.
            member.covered = false;
            member.failures = 0;
            member.next_at = cx.now;
        } else if member.no_room.is_some() {
            member.next_at = cx.now + ROOM_PAUSE;
            member.failures += 1;
        } else if is_complete {
            member.failures = 0;
            let usual = Duration(period.0 - period.0 / 8 + jitter.0);
            member.next_at = cx.now + usual.min(repeat_pause(member.repeats));
            member.repeats = member.repeats.saturating_add(1);
        } else {
            member.next_at = cx.now + retry_pause(member.failures);
            member.failures += 1;
        }
        view.pass_on(at.1, walk.began, (&self.leavers, leaving), cx.now);
        if is_complete {
            view.dismiss_witnesses(!was_complete, &self.leavers, cx.now);
        }
        if walk.quorum > 0 && walk.no_room().is_none() {
            self.ask_member_to_retire(cx, at);
        }
        if self.views.get(at.0).is_some_and(View::is_settled) {
            self.farewells_soon(cx);
        }
        if !walk.passed_over && !walk.left_out_here {
            self.vouch_as(cx, arc, &walk.collected);
        }
        self.collect_ready(cx);
        self.schedule_sync(cx);
    }

    /// A replica missed a write.
    pub(crate) fn resync_soon(&mut self, cx: &mut Cx<'_, Self>, peer: Id) {
        let members = self.views.iter_mut().flat_map(|view| &mut view.members);
        for member in members.filter(|member| member.contact.id == peer) {
            member.next_at = member.next_at.min(cx.now + FIRST_RETRY);
        }
        self.schedule_sync(cx);
    }

    pub(crate) fn sync_peer_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let members = self.views.iter_mut().flat_map(|view| &mut view.members);
        for member in members.filter(|member| member.contact.id == peer.id) {
            if member.walk.take().is_some() {
                self.compared.comparisons_failed += 1;
                member.next_at = cx.now + retry_pause(member.failures);
                member.failures += 1;
            }
        }
        self.schedule_sync(cx);
    }
}
