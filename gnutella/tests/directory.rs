//! One ultrapeer with only leaves, or hardly more: where copies go, and that nothing is cut in silence.

mod common;

use common::{Net, delete, get, holder, holder_addr, insert, put, search, search_most, still};
use gnutella::{GnutellaConfig, Role, Topology, Way};
use overlay::{Duration, Id, Item, Outcome, Reply, SearchReport, Slot, Store};

/// Ultrapeer 0 with so many leaves, from 1 on.
fn directory(way: Way, leaves: usize, items: impl Fn(usize) -> Vec<Item>) -> Net {
    let mut links = vec![(1..=leaves).collect::<Vec<_>>()];
    links.resize(leaves + 1, vec![0]);
    let mut roles = vec![Role::Ultrapeer];
    roles.resize(leaves + 1, Role::Leaf);
    let config = GnutellaConfig { way, ..still() };
    Net::given(7, config, &Topology { links, roles }, items)
}

fn misdeeds(net: &Net) -> u64 {
    let all = net.world.live().map(|(_, node)| node.tally().misdeeds);
    all.sum()
}

fn searched(reply: Reply) -> SearchReport {
    match reply {
        Reply::Searched(report) => report,
        other => panic!("{other:?}"),
    }
}

/// A leaf was told 50 holders, an ultrapeer's user 150, however many were asked for, and not a word of
/// the others.
#[test]
fn a_search_goes_on_to_what_is_wanted_or_says_that_there_is_more() {
    let key = Id::of(b"popular");
    let items = |node: usize| -> Vec<Item> {
        let has = (1..=200).contains(&node);
        let one = has.then(|| holder(key, node as u64, ""));
        one.into_iter().collect()
    };
    for (origin, limit, found, says_more) in [
        (201, 100, 100, false),
        (0, 100, 100, false),
        (0, 1_000, 200, false),
        (201, 1_000, 150, true),
    ] {
        let mut net = directory(Way::Dynamic, 201, items);
        let report = searched(net.ask(origin, search_most(key, limit)));
        let case = format!("{limit} at {origin}: {}", report.holders.len());
        assert_eq!(report.holders.len(), found, "{case}");
        let reason = report.reason.unwrap_or_default();
        assert_eq!(reason.contains("may be more"), says_more, "{case} {reason}");
        net.run(Duration::from_secs(10));
        assert_eq!((misdeeds(&net), net.rests()), (0, Ok(())));
    }
}

/// The ultrapeer of a leaf looked for holders until it had 50, whoever they were, and so some copies of
/// the deleted one lived on.
#[test]
fn a_leaf_deletes_one_of_many_holders_wherever_it_is() {
    let key = Id::of(b"popular");
    let deleted = 1_000;
    let copies = [10, 40, 70, 100];
    // Each of a hundred leaves has three holders.
    let items = |node: usize| -> Vec<Item> {
        let own = (0..3).map(|one| node as u64 * 3 + one);
        let own = own.filter(|_| (1..=100).contains(&node));
        let copy = copies.contains(&node).then_some(deleted);
        let numbers = own.chain(copy);
        numbers.map(|number| holder(key, number, "")).collect()
    };
    for way in [Way::Dynamic, Way::Flood] {
        let mut net = directory(way, 110, items);
        let Reply::Deleted(report) = net.ask(110, delete(key, Some(holder_addr(deleted)))) else {
            panic!("no delete");
        };
        assert_eq!(report.outcome, Outcome::Found, "{way:?}");
        let slot = Slot::Holder(holder_addr(deleted));
        for node in copies {
            let known = net.node(node).store().meta(key, slot);
            let is_gone = known.is_some_and(|known| known.is_tombstone());
            assert!(is_gone, "{way:?}: node {node} has {known:?}");
        }
    }
}

/// Copies that the search does not reach are known to who wrote them.
#[test]
fn whoever_wrote_a_record_deletes_its_copies_unseen() {
    const NODES: usize = 30;
    let mut net = Net::with_roles(3, &[Role::Peer; NODES]);
    let holds = |net: &Net, node: usize, key: Id| {
        let known = net.node(node).store().meta(key, Slot::Value);
        known.is_some_and(|known| !known.is_tombstone())
    };
    let mut deleted = 0;
    for writer in 0..NODES {
        let key = Id::of(&writer.to_be_bytes());
        net.ask(writer, put(key, b"value"));
        let near: Vec<Id> = net.node(writer).neighbours().map(|it| it.0.id).collect();
        let contact = |node: usize| net.world.contact(node).expect("a contact");
        let is_near = |node: &usize| near.contains(&contact(*node).id);
        let copies: Vec<usize> = (0..NODES).filter(|it| holds(&net, *it, key)).collect();
        if copies.iter().any(is_near) {
            continue;
        }
        // Its neighbours hear nothing, so its query goes nowhere.
        let near: Vec<usize> = (0..NODES).filter(is_near).collect();
        for node in &near {
            net.world.faults_mut().block(writer, *node);
        }
        net.ask(writer, delete(key, None));
        net.run(Duration::from_secs(1));
        for node in copies {
            assert!(!holds(&net, node, key), "node {node} has it yet");
        }
        deleted += 1;
        net.world.faults_mut().heal();
        net.run(Duration::from_secs(20));
    }
    assert!(deleted > 3, "{deleted} writers had copies elsewhere only");
}

/// A record that a leaf of a directory wrote was nowhere else, and went with it.
#[test]
fn what_a_leaf_writes_outlives_it() {
    for (ultrapeers, leaves, writer, copies) in [
        (1, 8, 3, 3),
        (1, 8, 0, 3),
        (1, 1, 1, 2),
        (2, 5, 4, 3),
        (3, 5, 1, 3),
    ] {
        let case = format!("{ultrapeers} ultrapeers, {leaves} leaves, node {writer}");
        let mut roles = vec![Role::Ultrapeer; ultrapeers];
        roles.resize(ultrapeers + leaves, Role::Leaf);
        let mut net = Net::with_roles(11, &roles);
        let (value, resource) = (Id::of(b"value"), Id::of(b"resource"));
        let Reply::Put(report) = net.ask(writer, put(value, b"1")) else {
            panic!("{case}: no put");
        };
        assert_eq!(
            (report.replicas_durable, report.replicas),
            (copies, copies),
            "{case}"
        );
        let Reply::Inserted(report) = net.ask(writer, insert(resource, 1, "words")) else {
            panic!("{case}: no insert");
        };
        assert_eq!(report.replicas_durable, copies, "{case}");
        assert_eq!(misdeeds(&net), 0, "{case}");
        net.run(Duration::from_secs(3));
        if writer < ultrapeers {
            continue;
        }
        net.world.crash(writer);
        net.run(Duration::from_secs(2));
        let asker = usize::from(writer == 1 && ultrapeers > 1);
        let asker = if leaves > 1 {
            ultrapeers + leaves - 1
        } else {
            asker
        };
        let Reply::Got(report) = net.ask(asker, get(value)) else {
            panic!("{case}: no get");
        };
        assert_eq!(
            report.value.as_deref(),
            Some(&b"1"[..]),
            "{case}: {report:?}"
        );
        let report = searched(net.ask(asker, search(resource)));
        assert_eq!(report.holders.len(), 1, "{case}: {report:?}");
        net.run(Duration::from_secs(30));
        assert_eq!(net.rests(), Ok(()), "{case}");
    }
}
