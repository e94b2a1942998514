//! Fingers by proximity: of the nodes that may be a finger, the nearest.
//!
//! After Dabek et al. (NSDI 2004) and ToN 2003, section 6.5: a finger may be any node from its
//! start up to the start of the next one. A lookup finds one of them, whose successors are more;
//! they are measured, and the nearest is taken. The number of hops grows a little, and each hop is
//! shorter. Each later search begins at another point.
//!
//! Deviation: an octave has [`PARTS`] fingers instead of one. With one, 10,000 nodes on measured
//! latencies have a stretch of 1.82 (median), of which the last hops, to nodes that are nobody's
//! choice, are the larger part; more fingers take fewer hops: 1.45 with four (lists of 20).
//!
//! One survey is under way at a time; it costs two messages and two for each alternate.

use crate::message::{ChordMessage, ChordTimer};
use crate::node::Chord;
use crate::slots::may_be_finger;
use overlay::proximity::Nearest;
use overlay::{Contact, Cx, Duration, RttEstimator, Time};

/// Fingers of an octave, a power of two. Our choice, see above: eight gain little more.
pub const PARTS: u16 = 4;
/// How many nodes a finger of a network that is built is the nearest of (ToN 2003, section 6.5: 16):
/// about what a node has measured for each after two searches. Also the most that are told at once.
pub const ALTERNATES: usize = 16;
/// How many nodes a search for a nearer finger measures.
const SEARCHED: usize = 8;
/// How many are measured for a slot that has no finger, after joining or because it died: it routes at
/// once, and is improved later. With sessions of an hour half of what 1,000 nodes send for their
/// fingers is spent on those that died.
const FIRST_ALTERNATES: usize = 4;
/// How long a survey waits for its answers. Our choice: the longest round trips of the measured
/// matrix are about so long; whoever is slower is not the nearest.
const SURVEY_LIMIT: Duration = Duration::from_secs(1);

/// The alternates of one finger, being measured.
#[derive(Debug)]
pub(crate) struct Survey {
    slot: u16,
    owner: Contact,
    /// How many are measured.
    most: usize,
    /// Whether the owner is known by hearsay, and has a slot only when it answers.
    is_told: bool,
    /// Names the question for the list, and the end of the survey.
    token: u64,
    /// Who was asked, by token.
    asked: Vec<(u64, Contact)>,
    sent: Time,
    best: Option<(Duration, Contact)>,
}

impl Chord {
    /// A lookup has found the first node of a finger: asks it who comes after it.
    /// `nearer`: the slot has a finger, and a nearer one is wanted.
    pub(crate) fn begin_survey(
        &mut self,
        cx: &mut Cx<'_, Self>,
        slot: u16,
        owner: Contact,
        nearer: bool,
    ) {
        let fits = may_be_finger(self.me.id, slot, self.parts(), owner.id);
        if !self.config.proximity || !fits || self.survey.is_some() {
            return;
        }
        let token = self.token();
        self.survey = Some(Box::new(Survey {
            slot,
            owner,
            most: if nearer { SEARCHED } else { FIRST_ALTERNATES },
            is_told: false,
            token,
            asked: Vec::new(),
            sent: cx.now,
            best: None,
        }));
        cx.send(owner, ChordMessage::AskList { token });
        cx.arm(cx.now + SURVEY_LIMIT, ChordTimer::Survey { token });
    }

    /// The same from a node that the successor has told for an empty slot.
    pub(crate) fn survey_told(&mut self, cx: &mut Cx<'_, Self>, slot: u16, told: Contact) {
        self.begin_survey(cx, slot, told, false);
        if let Some(survey) = &mut self.survey {
            survey.is_told = true;
        }
    }

    /// Somebody wants to know our successors.
    pub(crate) fn on_ask_list(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let mut successors = self.ring.successors().to_vec();
        successors.truncate(ALTERNATES);
        cx.send(from, ChordMessage::List { token, successors });
    }

    /// The nodes after the first one of a finger.
    pub(crate) fn on_list(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
        list: &[Contact],
    ) {
        let Some(mut survey) = self.survey.take_if(|survey| {
            survey.token == token && survey.owner.id == from.id && survey.asked.is_empty()
        }) else {
            return;
        };
        let (me, parts) = (self.me.id, self.parts());
        let rtt = cx.now.since(survey.sent);
        self.measured(from.id, rtt, cx.now);
        survey.best = Some((rtt, from));
        survey.sent = cx.now;
        let fits = |contact: &&Contact| {
            contact.id != me && may_be_finger(me, survey.slot, parts, contact.id)
        };
        for contact in list.iter().filter(fits).take(survey.most) {
            if let Some(known) = self.rtt.get(contact.id).map(RttEstimator::smoothed) {
                survey.best = survey.best.into_iter().chain([(known, *contact)]).min();
                continue;
            }
            let token = self.token();
            survey.asked.push((token, *contact));
            cx.send(*contact, ChordMessage::Ping { token });
        }
        self.survey = Some(survey);
        self.end_survey_if_done(cx);
    }

    /// An alternate answered; says whether it was one.
    pub(crate) fn alternate_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
    ) -> bool {
        let Some(survey) = &mut self.survey else {
            return false;
        };
        let asked = |(asked, to): &(u64, Contact)| *asked == token && to.id == from.id;
        let Some(at) = survey.asked.iter().position(asked) else {
            return false;
        };
        survey.asked.remove(at);
        let rtt = cx.now.since(survey.sent);
        survey.best = survey.best.into_iter().chain([(rtt, from)]).min();
        self.measured(from.id, rtt, cx.now);
        self.end_survey_if_done(cx);
        true
    }

    fn end_survey_if_done(&mut self, cx: &mut Cx<'_, Self>) {
        if self
            .survey
            .as_ref()
            .is_some_and(|survey| survey.asked.is_empty())
        {
            self.end_survey(cx);
        }
    }

    /// The time of a survey is over.
    pub(crate) fn on_survey_over(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        if self
            .survey
            .as_ref()
            .is_some_and(|survey| survey.token == token)
        {
            self.end_survey(cx);
        } else {
            self.on_fingers_silent(cx, token);
        }
    }

    fn end_survey(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(survey) = self.survey.take() else {
            return;
        };
        if let Some((rtt, nearest)) = survey.best {
            let offered = Nearest::new(nearest, Some(rtt), cx.now);
            if self.fingers.offer(self.me.id, survey.slot, offered) {
                self.search.found();
            }
        } else if survey.is_told {
            self.fingers.was_told_dead(survey.slot, survey.owner.id);
        }
        self.go_on_filling(cx);
    }
}
