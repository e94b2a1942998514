//! What a joining node hears, and whom it tells that it is there.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

mod common;

use common::{Net, Node};
use overlay::lookup::{Located, RoutingMessage};
use overlay::{
    Arc, Contact, Cx, Duration, Effect, Id, Input, KeyRouter, Machine, OpId, Outbox, RouterCall,
    RouterEvent, Time, WallMs,
};
use pastry::{LeafSet, Pastry, PastryConfig, PastryMessage, PastryTimer, Standing, Table};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn contact(number: u64) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: ([127, 0, 0, 1], number as u16).into(),
    }
}

fn handle(node: &mut Pastry, rng: &mut ChaCha8Rng, input: Input<Pastry>) -> Vec<Effect<Pastry>> {
    let mut out = Outbox::default();
    let mut cx = Cx {
        now: Time(1),
        wall: WallMs(0),
        rng,
        out: &mut out,
    };
    node.handle(&mut cx, input);
    out.drain().collect()
}

fn call(node: &mut Pastry, rng: &mut ChaCha8Rng, call: RouterCall) -> Vec<Effect<Pastry>> {
    handle(node, rng, Input::Call { op: OpId(1), call })
}

/// A node that is no member answers a question for its rows with none, and must not get into a table
/// for that.
#[test]
fn a_node_without_rows_is_not_taken_for_a_member() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = PastryConfig {
        proximity: false,
        ..PastryConfig::default()
    };
    let mut node = Pastry::new(contact(1), config);
    let (via, hop, root) = (contact(2), contact(3), contact(4));
    let effects = call(&mut node, &mut rng, RouterCall::Join { via });
    let token = effects.iter().find_map(|effect| match effect {
        Effect::Emit(RouterEvent::Lookup { token, .. }) => Some(*token),
        _ => None,
    });
    let found = Located {
        key: node.me().id,
        owner: root,
        arc: Arc::whole(root.id),
        replicas: vec![root],
        hops: 2,
        timeouts: 0,
        path: vec![hop, root],
        previous: None,
        hop_times: Box::default(),
        from_cache: false,
    };
    let looked = RouterCall::Looked {
        token: token.unwrap(),
        found: Some(found),
    };
    let effects = call(&mut node, &mut rng, looked);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Send {
            to,
            message: PastryMessage::AskRows { token, .. },
        } if *to == hop => Some(*token),
        _ => None,
    });
    let message = PastryMessage::Rows {
        token: asked.unwrap(),
        nodes: Vec::new(),
    };
    handle(&mut node, &mut rng, Input::Message { from: hop, message });
    assert!(!node.leaves().contains(hop.id), "it is not listed");
    assert!(node.table().entry_of(hop.id).is_none(), "and no entry");
}

/// Whoever is cut off because its last leaf is a new process asks that one: it may be all that is left
/// of the network.
#[test]
fn who_is_cut_off_asks_a_leaf_that_restarted() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (me, leaf) = (contact(1), contact(2));
    let config = PastryConfig::default();
    let mut leaves = LeafSet::new(me, config.half());
    leaves.insert(leaf);
    let table = Table::new(me.id, config.digit_bits);
    let mut node = Pastry::with_tables(me, config, leaves, table);
    let message = PastryMessage::Ping {
        token: 1,
        standing: Standing::Outside,
    };
    let from = leaf;
    let effects = handle(&mut node, &mut rng, Input::Message { from, message });
    assert!(node.is_cut_off());
    let reunite = effects.into_iter().find_map(|effect| match effect {
        Effect::Arm { timer, .. } => matches!(timer, PastryTimer::Reunite { .. }).then_some(timer),
        _ => None,
    });
    let effects = handle(&mut node, &mut rng, Input::Timer(reunite.unwrap()));
    let is_question = |effect: &Effect<Pastry>| matches!(effect, Effect::Send { to, message: PastryMessage::Exchange { .. } } if *to == leaf);
    assert!(effects.iter().any(is_question), "{effects:?}");
}

const fn is_announcement(message: &<Node as Machine>::Message) -> usize {
    matches!(
        message,
        RoutingMessage::Router(PastryMessage::Announce { .. })
    ) as usize
}

/// Middleware 2001, section 2.4: who has joined tells the nodes in its neighbourhood set, leaf set and
/// routing table. The leaves have confirmed that they know it.
#[test]
fn who_has_joined_tells_everybody_in_its_tables() {
    let mut net = Net::new(3);
    net.found();
    for _ in 1..80 {
        net.join();
        net.run(Duration::from_millis(400));
    }
    net.run(Duration::from_secs(5));
    net.world.classify(is_announcement);
    let before = net.world.counters().sent_by_kind[1];
    let node = net.join();
    while !net.pastry(node).is_member() {
        net.run(Duration::from_millis(1));
    }
    let told = (net.world.counters().sent_by_kind[1] - before) as usize;
    let pastry = net.pastry(node);
    let mut known = pastry.neighbourhood();
    known.extend(
        pastry
            .table()
            .entries()
            .iter()
            .map(pastry::table::Entry::contact),
    );
    known.retain(|contact| !pastry.leaves().contains(contact.id));
    known.sort_unstable();
    known.dedup();
    let entries = pastry.table().entries().len();
    assert_eq!(told, known.len(), "{entries} entries");
    assert!(told > 10, "{told} were told");
}

/// Its neighbours think of a node that is cut off before it tries them itself: a ping of each must
/// not be the last that it hears of them.
#[test]
fn who_is_cut_off_comes_back_through_a_member_that_pings_it() {
    let mut net = Net::new(3);
    net.found();
    for _ in 0..3 {
        net.join();
        net.run(Duration::from_secs(20));
    }
    let (lost, others) = (3, [0, 1, 2]);
    net.world.faults_mut().partition(vec![0, 0, 0, 1]);
    net.run(Duration::from_secs(120));
    assert!(net.pastry(lost).is_cut_off());
    net.world.faults_mut().heal();
    let to = net.world.contact(lost).expect("it lives");
    for other in others {
        let standing = Standing::Active;
        let ping = PastryMessage::Ping { token: 1, standing };
        net.world.inject(other, to, RoutingMessage::Router(ping));
    }
    net.run(Duration::from_secs(5));
    assert!(net.pastry(lost).is_member(), "it heard from three members");
    assert_eq!(net.pastry(lost).leaves().members().len(), others.len());
}
