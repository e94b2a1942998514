//! Whatever peers, timers and callers say in whatever order: no panic, bounded tables, ordered
//! lists, and one final event for each call.

use chord::invariants::{Member, ordered_lists};
use chord::{Chord, ChordConfig, ChordMessage, ChordTimer};
use overlay::lookup::Located;
use overlay::{
    Arc, Contact, Cx, Effect, Id, Input, KeyRouter, Machine, OpId, Outbox, RouterCall, RouterEvent,
    Time, WallMs,
};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use smallvec::SmallVec;

const LIST: usize = 3;

fn contact(number: u8) -> Contact {
    let mut bytes = [0; 20];
    bytes[0] = number.wrapping_mul(16);
    Contact {
        id: Id(bytes),
        addr: ([127, 0, 0, 1], 4000 + u16::from(number)).into(),
    }
}

/// One thing that happens. Tokens are small or the last one that the node sent.
#[derive(Clone, Debug)]
enum Step {
    Say(u8, u8, Option<u64>, Vec<u8>, Option<u8>),
    LastTimer,
    EarlierTimer(prop::sample::Index),
    Call(u8, u8, Option<u8>),
    Down(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let list = proptest::collection::vec(0_u8..16, 0..6);
    prop_oneof![
        8 => (0_u8..16, 0_u8..9, proptest::option::of(0_u64..20), list,
              proptest::option::of(0_u8..16))
            .prop_map(|(from, kind, token, list, before)| Step::Say(from, kind, token, list, before)),
        4 => Just(Step::LastTimer),
        2 => any::<prop::sample::Index>().prop_map(Step::EarlierTimer),
        2 => (0_u8..5, 0_u8..16, proptest::option::of(0_u8..16))
            .prop_map(|(kind, peer, found)| Step::Call(kind, peer, found)),
        1 => (0_u8..16).prop_map(Step::Down),
    ]
}

struct Driver {
    chord: Chord,
    rng: ChaCha8Rng,
    now: Time,
    timers: Vec<(Time, ChordTimer)>,
    asked: Option<(Contact, u64)>,
    lookup: u64,
    asked_ops: Vec<OpId>,
    answered_ops: Vec<OpId>,
}

impl Driver {
    fn input(&mut self, input: Input<Chord>) {
        let mut out = Outbox::default();
        let (now, wall) = (self.now, WallMs(0));
        let mut cx = Cx {
            now,
            wall,
            rng: &mut self.rng,
            out: &mut out,
        };
        self.chord.handle(&mut cx, input);
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => match message {
                    ChordMessage::Query { token } | ChordMessage::Ping { token } => {
                        self.asked = Some((to, token));
                    }
                    _ => {}
                },
                Effect::Arm { at, timer } => self.timers.push((at, timer)),
                Effect::Emit(RouterEvent::Lookup { token, .. }) => self.lookup = token,
                Effect::Emit(
                    RouterEvent::Joined { op }
                    | RouterEvent::JoinFailed { op, .. }
                    | RouterEvent::Left { op },
                ) => self.answered_ops.push(op),
                Effect::Emit(_) | Effect::HangUp { .. } => {}
            }
        }
    }

    fn fire(&mut self, index: usize) {
        let (at, timer) = self.timers.remove(index);
        self.now = self.now.max(at);
        self.input(Input::Timer(timer));
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Say(from, kind, token, list, before) => {
                // Half of the time an answer to what was asked, from whom it was asked.
                let (from, token) = match (token, self.asked) {
                    (None, Some((peer, token))) => (peer, token),
                    (token, _) => (contact(from), token.unwrap_or(0)),
                };
                let message = match kind {
                    0 => ChordMessage::Query { token },
                    1 => ChordMessage::Pending { token },
                    2 => ChordMessage::Notify,
                    3 => ChordMessage::Ping { token },
                    4 => ChordMessage::Pong { token },
                    5 => ChordMessage::NotMember { token },
                    6 => ChordMessage::Leaving,
                    7 => ChordMessage::Changed,
                    _ => {
                        let mut successors: Vec<Contact> = list.into_iter().map(contact).collect();
                        successors.sort_unstable_by_key(|entry| from.id.distance_to(entry.id));
                        successors.dedup();
                        ChordMessage::State {
                            token,
                            predecessor: before.map(contact),
                            cut_off: successors.is_empty() && before.is_none(),
                            successors,
                        }
                    }
                };
                self.input(Input::Message { from, message });
            }
            Step::LastTimer if !self.timers.is_empty() => self.fire(self.timers.len() - 1),
            Step::EarlierTimer(index) if !self.timers.is_empty() => {
                self.fire(index.index(self.timers.len()));
            }
            Step::LastTimer | Step::EarlierTimer(_) => {}
            Step::Call(kind, peer, found) => self.call(kind, contact(peer), found.map(contact)),
            Step::Down(peer) => self.input(Input::PeerDown(contact(peer))),
        }
    }

    fn call(&mut self, kind: u8, peer: Contact, owner: Option<Contact>) {
        let op = OpId(self.asked_ops.len() as u64);
        let call = match kind {
            0 => RouterCall::Create,
            1 => RouterCall::Join { via: peer },
            2 => RouterCall::Silent(peer),
            3 if owner.is_none() => RouterCall::Leave,
            _ => RouterCall::Looked {
                token: self.lookup,
                found: owner.map(|owner| Located {
                    key: owner.id,
                    owner,
                    arc: Arc {
                        from: peer.id,
                        to: owner.id,
                    },
                    replicas: vec![owner],
                    hops: 1,
                    timeouts: 0,
                    path: Vec::new(),
                    previous: Some(peer),
                    hop_times: Box::default(),
                    from_cache: false,
                }),
            },
        };
        if !matches!(call, RouterCall::Silent(_) | RouterCall::Looked { .. }) {
            self.asked_ops.push(op);
        }
        self.input(Input::Call { op, call });
    }

    fn check(&self) {
        let list: Vec<Id> = self
            .chord
            .ring()
            .successors()
            .iter()
            .map(|c| c.id)
            .collect();
        assert!(list.len() <= LIST);
        let id = self.chord.me().id;
        let member = Member {
            id,
            alive: true,
            successors: &list,
            predecessor: None,
        };
        ordered_lists::check_one(&member).expect("ordered");
        assert_ne!(
            self.chord.ring().predecessor().map(|known| known.id),
            Some(id)
        );
        let mut hops = SmallVec::new();
        for key in 0..16 {
            self.chord
                .next_hops(contact(key).id, key % 2 == 0, 8, &|_| false, &mut hops);
        }
        assert!(hops.iter().all(|hop| hop.contact.id != id));
        let mut answered = self.answered_ops.clone();
        answered.sort_unstable();
        answered.dedup();
        assert_eq!(
            answered.len(),
            self.answered_ops.len(),
            "a call was answered twice"
        );
        let open = self.asked_ops.len() - answered.len();
        assert!(
            open <= 1,
            "{open} calls without an answer; only a join may be under way"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn anything_may_happen_in_any_order(
        steps in proptest::collection::vec(step(), 1..120),
        begin in 0_u8..3,
    ) {
        let config = ChordConfig { successors: LIST, ..ChordConfig::default() };
        let mut driver = Driver {
            chord: Chord::new(contact(0), config),
            rng: ChaCha8Rng::seed_from_u64(1),
            now: Time::ZERO,
            timers: Vec::new(),
            asked: None,
            lookup: 0,
            asked_ops: Vec::new(),
            answered_ops: Vec::new(),
        };
        driver.call(begin.min(1), contact(5), None);
        for step in steps {
            driver.apply(step);
            driver.check();
        }
    }
}
