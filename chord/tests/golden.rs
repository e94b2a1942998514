//! A script of inputs and the full text of the effects, compared with files.
//!
//! Each file in `tests/golden` holds one exchange as one node sees it. `CHORD_GOLDEN=write` writes
//! the files anew; the change then shows in review.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

use chord::{Chord, ChordConfig, ChordMessage, ChordTimer, Ring};
use overlay::lookup::Located;
use overlay::{
    Arc, Contact, Cx, Duration, Effect, Id, Input, Machine, OpId, Outbox, RouterCall, RouterEvent,
    Time, WallMs,
};
use rand_core::Rng;
use std::fmt::Write;

/// Draws zeros: every jitter is the shortest.
struct Zero;

impl rand_core::TryRng for Zero {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(0);
        Ok(())
    }
}

/// Node `number` has the id `number` in its first byte: n10 comes before n20.
fn node(number: u8) -> Contact {
    let mut bytes = [0; 20];
    bytes[0] = number;
    Contact {
        id: Id(bytes),
        addr: ([127, 0, 0, 1], 4000 + u16::from(number)).into(),
    }
}

/// Ids and contacts of the script by name.
fn named(text: &str) -> String {
    let mut text = text.to_owned();
    for number in 0..=255 {
        let Contact { id, addr } = node(number);
        text = text.replace(
            &format!("Contact {{ id: {id}, addr: {addr} }}"),
            &format!("n{number}"),
        );
        text = text.replace(&id.to_string(), &format!("#{number}"));
    }
    text
}

/// One exchange as it happens.
struct Script {
    chord: Chord,
    now: Time,
    text: String,
}

impl Script {
    fn new(chord: Chord) -> Self {
        let mut script = Self {
            chord,
            now: Time::ZERO,
            text: String::new(),
        };
        script.state();
        script
    }

    fn state(&mut self) {
        let ring: &Ring = self.chord.ring();
        let names = |contacts: &[Contact]| named(&format!("{contacts:?}"));
        let before = ring
            .predecessor()
            .map_or("none".into(), |known| named(&format!("{known:?}")));
        let list = names(ring.successors());
        writeln!(
            self.text,
            "    state: predecessor {before}, successors {list}"
        )
        .unwrap();
    }

    fn input(&mut self, input: Input<Chord>) {
        let shown = match &input {
            Input::Message { from, message } => format!("from {from:?}: {message:?}"),
            Input::Timer(timer) => format!("timer {timer:?}"),
            Input::Call {
                call: RouterCall::Looked { token, found },
                ..
            } => {
                let found = found.as_ref().map(|found| (found.owner, found.previous));
                format!("call Looked {{ token: {token}, owner and previous: {found:?} }}")
            }
            Input::Call { call, .. } => format!("call {call:?}"),
            Input::PeerDown(peer) => format!("down {peer:?}"),
            Input::Durable(_) => "durable".into(),
            Input::Loaded(_) => "loaded".into(),
        };
        writeln!(self.text, "{} {}", self.now, named(&shown)).unwrap();
        let mut out = Outbox::default();
        let rng: &mut dyn Rng = &mut Zero;
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(0),
            rng,
            out: &mut out,
        };
        self.chord.handle(&mut cx, input);
        for effect in out.drain() {
            let shown = match effect {
                Effect::Send { to, message } => format!("send {to:?}: {message:?}"),
                Effect::Arm { at, timer } => format!("arm {at}: {timer:?}"),
                Effect::Emit(RouterEvent::JoinFailed { reason, .. }) => {
                    format!("emit JoinFailed: {reason}")
                }
                Effect::Emit(event) => format!("emit {event:?}"),
                Effect::HangUp { peer, fault } => format!("hang up {peer:?}: {fault:?}"),
            };
            writeln!(self.text, "    {}", named(&shown)).unwrap();
        }
        self.state();
    }

    fn from(&mut self, number: u8, message: ChordMessage) {
        self.now = self.now + Duration::from_millis(1);
        self.input(Input::Message {
            from: node(number),
            message,
        });
    }

    fn call(&mut self, call: RouterCall) {
        self.input(Input::Call { op: OpId(1), call });
    }

    fn timer(&mut self, after: Duration, timer: ChordTimer) {
        self.now = self.now + after;
        self.input(Input::Timer(timer));
    }

    fn compare(&self, name: &str) {
        let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("CHORD_GOLDEN").is_some_and(|mode| mode == "write") {
            std::fs::write(&path, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (line, (is, was)) in self.text.lines().zip(expected.lines()).enumerate() {
            assert_eq!(
                is,
                was,
                "{name}.txt, line {}; the whole exchange:\n{}",
                line + 1,
                self.text
            );
        }
        let lines = (self.text.lines().count(), expected.lines().count());
        assert_eq!(
            lines.0, lines.1,
            "{name}.txt has another length than\n{}",
            self.text
        );
    }
}

fn state(token: u64, predecessor: Option<u8>, successors: &[u8]) -> ChordMessage {
    ChordMessage::State {
        token,
        predecessor: predecessor.map(node),
        successors: successors.iter().map(|number| node(*number)).collect(),
        cut_off: false,
    }
}

fn looked(token: u64, owner: u8, previous: Option<u8>) -> RouterCall {
    let found = Located {
        key: node(owner).id,
        owner: node(owner),
        arc: Arc {
            from: node(previous.unwrap_or(owner)).id,
            to: node(owner).id,
        },
        replicas: vec![node(owner)],
        hops: 1,
        timeouts: 0,
        path: Vec::new(),
        previous: previous.map(node),
        hop_times: Box::default(),
        from_cache: false,
    };
    RouterCall::Looked {
        token,
        found: Some(found),
    }
}

/// The longest wait for every try: the scripts do not depend on how round trips are estimated.
fn config() -> ChordConfig {
    ChordConfig {
        // Fewer than by default: the scripts name each try.
        tries: 3,
        successors: 3,
        min_timeout: Duration::from_secs(3),
        // The scripts are about the ring: the paper's fingers will do.
        proximity: false,
        ..ChordConfig::default()
    }
}

fn member(me: u8, predecessor: u8, successors: &[u8]) -> Script {
    let successors = successors.iter().map(|number| node(*number)).collect();
    Script::new(Chord::with_tables(
        node(me),
        config(),
        successors,
        Some(node(predecessor)),
        vec![],
    ))
}

#[test]
fn join_between_two_members() {
    let mut script = Script::new(Chord::new(node(20), config()));
    script.call(RouterCall::Join { via: node(50) });
    script.from(99, ChordMessage::Query { token: 900 });
    script.call(looked(1, 30, Some(5)));
    script.from(30, state(2, Some(10), &[40, 50, 5]));
    script.from(10, ChordMessage::Pending { token: 3 });
    script.timer(Duration::from_millis(20), ChordTimer::Again { token: 3 });
    script.from(10, state(4, Some(5), &[30, 40, 50]));
    script.timer(Duration::ZERO, ChordTimer::Stabilize { epoch: 1 });
    script.from(30, state(5, Some(10), &[40, 50, 5]));
    script.compare("join");
}

#[test]
fn join_goes_round_a_dead_member() {
    let mut script = Script::new(Chord::new(node(20), config()));
    script.call(RouterCall::Join { via: node(50) });
    script.call(looked(1, 30, Some(5)));
    script.from(30, state(2, Some(10), &[40, 50, 5]));
    script.timer(
        Duration::from_secs(1),
        ChordTimer::Timeout {
            token: 3,
            attempt: 0,
        },
    );
    script.timer(
        Duration::from_secs(2),
        ChordTimer::Timeout {
            token: 3,
            attempt: 1,
        },
    );
    script.timer(
        Duration::from_secs(3),
        ChordTimer::Timeout {
            token: 3,
            attempt: 2,
        },
    );
    script.from(5, state(4, Some(50), &[10, 30, 40]));
    script.compare("join_dead");
}

#[test]
fn join_refuses_a_second_node_with_the_same_id() {
    let mut script = Script::new(Chord::new(node(20), config()));
    script.call(RouterCall::Join { via: node(50) });
    let RouterCall::Looked {
        token,
        found: Some(mut found),
    } = looked(1, 20, Some(5))
    else {
        unreachable!("made just now")
    };
    found.owner.addr = ([127, 0, 0, 9], 9).into();
    script.call(RouterCall::Looked {
        token,
        found: Some(found),
    });
    script.compare("join_same_id");
}

#[test]
fn stabilize_adopts_a_new_successor_that_answers() {
    let mut script = member(10, 5, &[30, 40, 50]);
    script.timer(Duration::ZERO, ChordTimer::Start);
    script.from(77, ChordMessage::Query { token: 900 });
    script.from(77, ChordMessage::Ping { token: 901 });
    script.from(30, state(1, Some(20), &[40, 50, 5]));
    script.from(30, state(1, Some(20), &[40, 50, 5]));
    script.from(20, state(2, Some(10), &[30, 40, 50]));
    script.from(77, ChordMessage::Query { token: 902 });
    script.compare("stabilize");
}

#[test]
fn stabilize_drops_a_dead_successor() {
    let mut script = member(10, 5, &[30, 40, 50]);
    script.timer(Duration::ZERO, ChordTimer::Start);
    script.timer(
        Duration::from_secs(1),
        ChordTimer::Timeout {
            token: 1,
            attempt: 0,
        },
    );
    script.input(Input::PeerDown(node(30)));
    script.timer(
        Duration::from_secs(2),
        ChordTimer::Timeout {
            token: 1,
            attempt: 1,
        },
    );
    script.timer(
        Duration::from_secs(3),
        ChordTimer::Timeout {
            token: 1,
            attempt: 2,
        },
    );
    script.compare("stabilize_dead");
}

#[test]
fn rectify_probes_the_predecessor_and_replaces_it_when_dead() {
    let mut script = member(30, 20, &[40, 50, 5]);
    script.from(25, ChordMessage::Notify);
    script.from(10, ChordMessage::Notify);
    script.from(77, ChordMessage::Query { token: 900 });
    script.from(25, ChordMessage::Pong { token: 1 });
    script.from(10, ChordMessage::Notify);
    for attempt in 0..3 {
        script.timer(
            Duration::from_secs(3),
            ChordTimer::Timeout { token: 2, attempt },
        );
    }
    script.compare("rectify");
}

#[test]
fn two_nodes_make_a_ring() {
    let mut script = Script::new(Chord::new(node(10), config()));
    script.call(RouterCall::Create);
    script.from(20, ChordMessage::Query { token: 900 });
    script.from(20, ChordMessage::Notify);
    script.from(20, state(1, Some(10), &[10]));
    script.timer(Duration::ZERO, ChordTimer::Stabilize { epoch: 1 });
    script.from(20, ChordMessage::Leaving);
    script.call(RouterCall::Leave);
    script.call(RouterCall::Leave);
    script.compare("bootstrap");
}
