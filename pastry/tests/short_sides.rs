//! Whom a node takes into a side of its leaf set that has lost somebody, and whom it tells.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

use overlay::{
    Claim, Contact, Cx, Duration, Effect, Id, Input, KeyRouter, Machine, OpId, Outbox, RouterCall,
    Time, WallMs,
};
use pastry::{
    LeafSet, Leaves, Pastry, PastryConfig, PastryMessage, PastryTimer, Side, Standing, Table,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn contact(first: u8) -> Contact {
    let mut id = [0; 20];
    id[0] = first;
    Contact {
        id: Id(id),
        addr: ([127, 0, 0, 1], 1_000 + u16::from(first)).into(),
    }
}

/// The node 80 with `half` leaves on each side, in steps of one, in a network that goes on.
struct Tried {
    node: Pastry,
    rng: ChaCha8Rng,
    now: Time,
}

impl Tried {
    fn new(half: u8) -> Self {
        let config = PastryConfig {
            leaves: 2 * usize::from(half),
            ..PastryConfig::default()
        };
        let me = contact(0x80);
        let mut leaves = LeafSet::new(me, usize::from(half));
        for step in 1..=half + 1 {
            leaves.insert(contact(0x80 + step));
            leaves.insert(contact(0x80 - step));
        }
        assert!(leaves.has_gap());
        let table = Table::new(me.id, config.digit_bits);
        Self {
            node: Pastry::with_tables(me, config, leaves, table),
            rng: ChaCha8Rng::seed_from_u64(1),
            now: Time(1),
        }
    }

    fn handle(&mut self, input: Input<Pastry>) -> Vec<(Contact, PastryMessage)> {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(0),
            rng: &mut self.rng,
            out: &mut out,
        };
        self.node.handle(&mut cx, input);
        let sent = |effect| match effect {
            Effect::Send { to, message } => Some((to, message)),
            _ => None,
        };
        out.drain().filter_map(sent).collect()
    }

    fn hears(&mut self, from: u8, message: PastryMessage) -> Vec<(Contact, PastryMessage)> {
        let from = contact(from);
        self.handle(Input::Message { from, message })
    }

    /// Lets so much time pass that a question has been waited for once more.
    fn waits(&mut self) -> Vec<(Contact, PastryMessage)> {
        self.now = self.now + Duration::from_secs(4);
        self.handle(Input::Timer(PastryTimer::Probes))
    }

    fn lists(&self, first: u8) -> bool {
        self.node.leaves().contains(contact(first).id)
    }
}

/// The leaf set of a node with neighbours beyond those listed.
fn leaves(larger: &[u8], smaller: &[u8]) -> Leaves {
    let far_first = smaller.iter().rev();
    Leaves {
        standing: Standing::Active,
        gap_at: Some(larger.len() as u8),
        members: larger
            .iter()
            .chain(far_first)
            .map(|first| contact(*first))
            .collect(),
    }
}

/// Whom a leaf set was exchanged with, and by which question.
fn asked(sent: &[(Contact, PastryMessage)]) -> Vec<(u8, u64)> {
    let exchange = |(to, message): &(Contact, PastryMessage)| match message {
        PastryMessage::Exchange { token, .. } => Some((to.id.0[0], *token)),
        _ => None,
    };
    sent.iter().filter_map(exchange).collect()
}

fn told_that_one_is_gone(sent: &[(Contact, PastryMessage)]) -> Vec<u8> {
    let mut told: Vec<u8> = sent
        .iter()
        .filter(|(_, message)| matches!(message, PastryMessage::Gone { .. }))
        .map(|(to, _)| to.id.0[0])
        .collect();
    told.sort_unstable();
    told
}

const PING: PastryMessage = PastryMessage::Ping {
    token: 1,
    standing: Standing::Active,
};

/// While a side is short anybody beyond it would fit, however far away.
#[test]
fn who_calls_by_chance_is_no_leaf_of_a_short_side() {
    let mut tried = Tried::new(4);
    tried.hears(0x84, PastryMessage::Leaving);
    assert!(tried.node.leaves().is_short(Side::Larger));
    tried.hears(0xc0, PING);
    assert!(!tried.lists(0xc0), "it only pinged");
    let far = leaves(&[0xc1, 0xc2], &[0xbf, 0xbe]);
    let token = 2;
    tried.hears(0xc0, PastryMessage::Exchange { token, leaves: far });
    assert!(!tried.lists(0xc0), "its leaf set is elsewhere");
}

/// A node that knew nobody on one side took whoever pinged it for the next, and answered for all
/// keys up to midway there.
#[test]
fn who_calls_by_chance_is_not_the_next_on_a_side_that_is_gone() {
    let mut tried = Tried::new(1);
    tried.hears(0x81, PastryMessage::Leaving);
    assert!(tried.node.leaves().is_broken(Side::Larger));
    tried.hears(0xc0, PING);
    assert_eq!(tried.node.claim(contact(0x90).id), Claim::Elsewhere);
}

/// Who comes next on a side that is short is asked before whoever comes after it, and each is
/// taken in only when nobody is known in between.
#[test]
fn a_short_side_is_filled_in_order() {
    let mut tried = Tried::new(4);
    tried.hears(0x83, PastryMessage::Leaving);
    tried.hears(0x84, PastryMessage::Leaving);
    let theirs = leaves(&[0x87, 0x88, 0x89, 0x8a], &[0x85, 0x82, 0x81, 0x80]);
    let token = 2;
    let exchange = PastryMessage::Exchange {
        token,
        leaves: theirs,
    };
    let questions = asked(&tried.hears(0x86, exchange));
    assert!(!tried.lists(0x86), "85 is in between");
    let [(0x85, token)] = questions[..] else {
        panic!("{questions:x?}");
    };
    let theirs = leaves(&[0x86, 0x87, 0x88, 0x89], &[0x82, 0x81, 0x80, 0x7f]);
    let answer = PastryMessage::Exchanged {
        token,
        leaves: theirs,
    };
    let questions = asked(&tried.hears(0x85, answer));
    assert!(tried.lists(0x85));
    assert!(matches!(questions[..], [(0x86, _)]), "{questions:x?}");
}

/// A question that waits for its five tries ends with the second when a neighbour has found the leaf
/// dead, too.
#[test]
fn a_hint_shortens_a_question_that_is_out() {
    let mut tried = Tried::new(4);
    let call = RouterCall::Silent(contact(0x83));
    let op = OpId(1);
    tried.handle(Input::Call { op, call });
    tried.waits();
    let contact = contact(0x83);
    tried.hears(0x82, PastryMessage::Gone { contact });
    assert!(tried.lists(0x83), "nobody is dead without a question");
    tried.waits();
    assert!(!tried.lists(0x83));
}

/// A neighbour of the dead one that hears of it from the node on the other side tells the one leaf
/// that that node does not list. When somebody farther found it, the two tell their own sides.
#[test]
fn all_who_list_a_dead_leaf_are_told_whoever_found_it() {
    for (from, told) in [(0x82, vec![0x7d]), (0x7e, vec![0x7c, 0x7d, 0x7e, 0x7f])] {
        let mut tried = Tried::new(4);
        let contact = contact(0x81);
        tried.hears(from, PastryMessage::Gone { contact });
        tried.waits();
        let sent = tried.waits();
        assert!(!tried.lists(0x81));
        assert_eq!(told_that_one_is_gone(&sent), told, "heard from {from:x}");
    }
}
