//! When Zave's theorem applies, judged by what happens and not by what might.
//!
//! The theorem: from a correct ring of at least r + 1 members on, each step of the protocol
//! preserves the invariant (every member has a live entry, r + 1 members are principals). It
//! presupposes that
//!
//! 1. a member is taken for dead only when it is dead;
//! 2. no failure itself breaks the invariant, by taking a member's last live entry or one of the
//!    last r + 1 principals. A node that leaves has failed in this sense.
//!
//! So the premises hold from the moment in which the ring is the correct one of more than r
//! members (every list full, nobody skipped, nobody listed who is dead) and nobody is cut off,
//! which ends the [bootstrap phase](chord::bootstrap). On the way there, the ring must stay so for
//! [`TRAVEL`]: an answer under way, given before, carries a list that was correct for nobody. They hold until an event that breaks the
//! invariant is one of these: a death; a change by which a list loses the live entries in front of
//! its new first one; or that a member is cut off, which has then lost all its live entries. Then
//! they are suspended, and hold again from the next correct ring on. Any other event that breaks
//! the invariant is a violation, whatever the network does: losses, partitions, one-way blocks
//! and slow nodes end the premises only when they have misled members so far that the
//! invariant is gone.
//!
//! [`Scope::Strict`] excuses neither: in an experiment without losses nobody may be taken for
//! dead wrongly, and one that kills more than the lists can bear measures nothing. Only a network
//! of at most r members is passed over, and the time from there to the next correct ring.

use chord::invariants::{Incremental, Violation};
use overlay::{Duration, Id, Time};

/// Longer than any message is under way in the experiments: in `p2psim faults` a slow link takes
/// 150 ms, a late copy 400 ms more, and so does a slow node.
const TRAVEL: Duration = Duration::from_secs(1);

/// What a broken premise leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// To a violation, unless the network has at most r members.
    Strict,
    /// To a pause until the ring is correct again.
    UnderPremises,
}

/// What happened to the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A member died or left.
    Death,
    /// A member lost everybody whom it knew, and is none until it comes back. Its way back is no
    /// join in the sense of the theorem: two that are cut off may meet.
    CutOff,
    /// A member joined, or its list changed as the protocol has it.
    Step,
    /// A list lost live entries at its front: they were taken for dead.
    Mistake,
}

impl Event {
    /// What it is that the list of `me` becomes `list`. `members` has its list from before, if it
    /// was a member.
    ///
    /// By the protocol an entry gives way to one that is nearer, and goes from the front only when
    /// it is dead.
    pub(super) fn of_change(members: &Incremental, me: Id, list: &[Id]) -> Self {
        let first = list.first().map(|first| me.distance_to(*first));
        let before = members.successors(me).unwrap_or_default();
        let mut passed = before
            .iter()
            .filter(|entry| first.is_none_or(|first| me.distance_to(**entry) < first));
        match passed.any(|entry| members.successors(*entry).is_some()) {
            true => Self::Mistake,
            false => Self::Step,
        }
    }
}

/// Whether the theorem applies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Premises {
    scope: Scope,
    hold: bool,
    /// Since when the ring is correct, while they do not hold.
    correct_since: Option<Time>,
}

impl Premises {
    pub(super) const fn new(scope: Scope) -> Self {
        Self {
            scope,
            hold: false,
            correct_since: None,
        }
    }

    /// They hold from the start if the ring is the correct one: nothing is under way yet.
    pub(super) fn begin(&mut self, members: &Incremental) {
        self.hold = members.is_ideal();
    }

    /// Time has passed, and nothing happened to the ring.
    pub(super) fn pass(&mut self, now: Time) {
        if let Some(since) = self.correct_since
            && now.since(since) >= TRAVEL
        {
            self.hold = true;
            self.correct_since = None;
        }
    }

    /// Whether the theorem applies now.
    pub(super) const fn hold(&self) -> bool {
        self.hold
    }

    /// Judges the members after an event.
    ///
    /// # Errors
    /// When they held, and the event broke the invariant without an excuse.
    pub(super) fn judge(
        &mut self,
        members: &Incremental,
        event: Event,
        nobody_is_cut_off: bool,
        now: Time,
    ) -> Result<(), Violation> {
        self.pass(now);
        if !self.hold {
            let is_correct = nobody_is_cut_off && members.is_ideal();
            let since = self.correct_since.unwrap_or(now);
            self.correct_since = is_correct.then_some(since);
            return Ok(());
        }
        let broken = match event {
            Event::CutOff => Err(Violation {
                invariant: "live successor",
                text: "a member was cut off".to_owned(),
            }),
            _ => members.check(),
        };
        let Err(mut violation) = broken else {
            return Ok(());
        };
        let is_excused = match self.scope {
            Scope::Strict => event == Event::Death && members.members() <= members.length(),
            Scope::UnderPremises => event != Event::Step,
        };
        self.hold = false;
        if is_excused {
            return Ok(());
        }
        if event == Event::Death {
            violation.text += " after a death: more die at a time than such lists can bear";
        }
        Err(violation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 3;

    fn id(number: u64) -> Id {
        Id::from_u64(number)
    }

    fn ring(count: u64) -> Incremental {
        let mut ring = Incremental::new(LENGTH);
        for at in 0..count {
            let list = (1..=LENGTH as u64).map(|step| id((at + step) % count));
            ring.set(id(at), list.collect());
        }
        ring
    }

    fn begun(scope: Scope, ring: &Incremental) -> Premises {
        let mut premises = Premises::new(scope);
        premises.begin(ring);
        premises
    }

    /// Gives `at` a list, as an event of whatever kind it is.
    fn change(ring: &mut Incremental, at: u64, list: &[u64]) -> Event {
        let list: Vec<Id> = list.iter().copied().map(id).collect();
        let event = Event::of_change(ring, id(at), &list);
        ring.set(id(at), list);
        event
    }

    #[test]
    fn a_step_that_breaks_the_invariant_is_never_excused() {
        for scope in [Scope::Strict, Scope::UnderPremises] {
            let mut ring = ring(5);
            let mut premises = begun(scope, &ring);
            // The first stays, so nobody was taken for dead; but 3 and 4 are skipped.
            let event = change(&mut ring, 1, &[2, 0]);
            assert_eq!(event, Event::Step);
            let broken = premises
                .judge(&ring, event, true, Time::ZERO)
                .expect_err("3 principals");
            assert_eq!(broken.invariant, "principals");
        }
    }

    #[test]
    fn a_live_successor_that_is_dropped_was_taken_for_dead() {
        let mut ring = ring(4);
        let mut premises = begun(Scope::UnderPremises, &ring);
        let mut strict = begun(Scope::Strict, &ring);
        let event = change(&mut ring, 0, &[2, 3]);
        assert_eq!(event, Event::Mistake);
        strict
            .judge(&ring, event, true, Time::ZERO)
            .expect_err("nobody may err here");
        premises
            .judge(&ring, event, true, Time::ZERO)
            .expect("excused");
        assert!(!premises.hold());
        change(&mut ring, 0, &[1, 2, 3]);
        premises
            .judge(&ring, Event::Step, true, Time::ZERO)
            .expect("repaired");
        assert!(!premises.hold(), "older answers may be under way");
        premises.pass(Time::ZERO + TRAVEL);
        assert!(premises.hold(), "the ring is correct again");
    }

    #[test]
    fn while_a_node_is_cut_off_nothing_is_presumed() {
        let mut ring = ring(6);
        let mut premises = begun(Scope::UnderPremises, &ring);
        let mut strict = begun(Scope::Strict, &ring);
        ring.remove(id(5));
        strict
            .judge(&ring, Event::CutOff, false, Time::ZERO)
            .expect_err("not by itself");
        premises
            .judge(&ring, Event::CutOff, false, Time::ZERO)
            .expect("excused");
        let others = self::ring(5);
        premises
            .judge(&others, Event::Step, false, Time::ZERO)
            .expect("fine");
        premises.pass(Time::ZERO + TRAVEL);
        assert!(!premises.hold(), "5 may come back any way it can");
        premises
            .judge(&others, Event::Step, true, Time::ZERO)
            .expect("fine");
        premises.pass(Time::ZERO + TRAVEL);
        assert!(premises.hold());
    }

    #[test]
    fn a_dead_successor_is_dropped_by_the_protocol_and_so_is_one_that_is_farther() {
        let mut ring = ring(8);
        ring.remove(id(1));
        assert_eq!(change(&mut ring, 0, &[2, 3]), Event::Step);
        ring.set(id(1), [2, 3, 4].map(id).to_vec());
        assert_eq!(change(&mut ring, 0, &[1, 2, 3]), Event::Step);
        assert_eq!(change(&mut ring, 0, &[]), Event::Mistake);
        assert_eq!(change(&mut ring, 0, &[5, 6, 7]), Event::Step, "a rejoin");
    }

    #[test]
    fn one_death_too_many_is_the_fault_of_an_experiment_that_promised_none() {
        let mut ring = ring(5);
        let mut premises = begun(Scope::UnderPremises, &ring);
        let mut strict = begun(Scope::Strict, &ring);
        for (dead, strict_is_fine) in [(0, true), (1, true)] {
            ring.remove(id(dead));
            assert_eq!(
                strict.judge(&ring, Event::Death, true, Time::ZERO).is_ok(),
                strict_is_fine
            );
            premises
                .judge(&ring, Event::Death, true, Time::ZERO)
                .expect("excused");
        }
        assert!(!premises.hold() && !strict.hold(), "a bootstrap phase now");
        let mut large = ring_without_successors_of_zero();
        let mut strict = Premises {
            scope: Scope::Strict,
            hold: true,
            correct_since: None,
        };
        let mut premises = Premises {
            scope: Scope::UnderPremises,
            hold: true,
            correct_since: None,
        };
        large.remove(id(3));
        let broken = strict
            .judge(&large, Event::Death, true, Time::ZERO)
            .expect_err("0 has nobody");
        assert_eq!(broken.invariant, "live successor");
        premises
            .judge(&large, Event::Death, true, Time::ZERO)
            .expect("excused");
    }

    fn ring_without_successors_of_zero() -> Incremental {
        let mut ring = ring(10);
        ring.remove(id(1));
        ring.remove(id(2));
        ring
    }
}
