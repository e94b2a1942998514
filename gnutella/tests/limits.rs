//! How much one node tells, what of that a user sees, and that what was deleted takes no place.

mod common;

use common::{Net, delete, holder, holder_addr, search, search_one, still};
use gnutella::{GnutellaConfig, Role, Topology, Way};
use overlay::{Consistency, Duration, Id, Item, Outcome, Reply, Request, SearchReport};

/// Nodes in a row, the first of which searches; the second has what `items` says.
fn pair(items: impl Fn() -> Vec<Item>) -> Net {
    let topology = Topology {
        links: vec![vec![1], vec![0]],
        roles: vec![Role::Peer; 2],
    };
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    let of = |node: usize| if node == 1 { items() } else { Vec::new() };
    Net::given(1, config, &topology, of)
}

fn searched(reply: Reply) -> SearchReport {
    match reply {
        Reply::Searched(report) => report,
        other => panic!("{other:?}"),
    }
}

fn words(limit: u32) -> Request {
    Request::SearchText {
        text: "film".to_owned(),
        limit,
        consistency: Consistency::Quorum,
    }
}

/// A tombstone counted as one of the results wanted, and the live holder behind it was not told.
#[test]
fn what_was_deleted_hides_nobody() {
    let key = Id::of(b"key");
    let items = || -> Vec<Item> {
        let mut items: Vec<Item> = (0..300).map(|number| holder(key, number, "")).collect();
        for item in &mut items[..299] {
            item.record.body = None;
            item.record.expires = None;
        }
        items
    };
    let mut net = pair(items);
    let report = searched(net.ask(0, search_one(key)));
    let addrs: Vec<_> = report.holders.iter().map(|it| it.addr).collect();
    assert_eq!(addrs, [holder_addr(299)], "{report:?}");
}

/// One node gave 128 hits and no word of the others.
#[test]
fn one_node_gives_as_much_as_is_wanted() {
    let key = Id::of(b"key");
    let mut net = pair(|| (0..700).map(|number| holder(key, number, "")).collect());
    for node in [1, 0] {
        let report = searched(net.ask(node, search(key)));
        assert_eq!(report.holders.len(), 700, "asked at node {node}");
        assert_eq!(report.reason, None, "nothing is left out");
    }
    net.run(Duration::from_secs(10));
    assert_eq!(net.rests(), Ok(()));
}

/// A node looks at so many texts for one query and no more, and the answer says that it did.
#[test]
fn what_was_not_looked_at_is_said() {
    let colours = |number: u64| {
        if number.is_multiple_of(2) {
            "red"
        } else {
            "blue"
        }
    };
    let texts = |count: u64| {
        let text = move |number| holder(Id::of(&[number as u8]), number, colours(number));
        pair(move || (0..count).map(text).collect())
    };
    let call = Request::SearchText {
        text: "red blue".to_owned(),
        limit: 10,
        consistency: Consistency::Quorum,
    };
    for (count, is_cut) in [(2 * gnutella::MAX_LOOKED as u64 + 2, true), (100, false)] {
        for node in [0, 1] {
            let Reply::TextSearched(report) = texts(count).ask(node, call.clone()) else {
                panic!("no search");
            };
            let reason = report.reason.expect("how far it came");
            assert_eq!(reason.contains("may be more"), is_cut, "{node}: {reason}");
        }
    }
}

/// Texts of a kilobyte fill eight messages before there are as many as are wanted, and the answer says
/// that there may be more.
#[test]
fn what_is_cut_is_said() {
    let key = Id::of(b"key");
    let text = format!("film {}", "é".repeat(500));
    let mut net = pair(|| (0..500).map(|number| holder(key, number, &text)).collect());
    let report = searched(net.ask(0, search(key)));
    assert!(
        (100..500).contains(&report.holders.len()),
        "{}",
        report.holders.len()
    );
    let reason = report.reason.expect("a word about the others");
    assert!(reason.contains("there may be more"), "{reason}");
    let Reply::TextSearched(report) = net.ask(0, words(1_000)) else {
        panic!("no search");
    };
    let reason = report.reason.expect("a word about the others");
    assert!(reason.contains("there may be more"), "{reason}");
    let Reply::TextSearched(report) = net.ask(0, words(20)) else {
        panic!("no search");
    };
    let reason = report.reason.expect("why it is not complete");
    assert!(!reason.contains("there may be more"), "{reason}");
}

/// A node passes 512 hits of one query on, and nobody was told that there were more.
#[test]
fn what_a_node_on_the_way_leaves_out_is_said() {
    let key = Id::of(b"key");
    for (others, is_cut) in [(500, false), (600, true)] {
        let mut links = vec![vec![1], (0..others + 2).filter(|node| *node != 1).collect()];
        links.extend((0..others).map(|_| vec![1]));
        let topology = Topology {
            roles: vec![Role::Peer; links.len()],
            links,
        };
        let config = GnutellaConfig {
            way: Way::Flood,
            ..still()
        };
        let of = |node: usize| match node {
            0 | 1 => Vec::new(),
            other => vec![holder(key, other as u64, "")],
        };
        let mut net = Net::given(1, config, &topology, of);
        let report = searched(net.ask(0, search(key)));
        let reason = report.reason.unwrap_or_default();
        assert_eq!(report.holders.len(), others.min(512));
        assert_eq!(reason.contains("there may be more"), is_cut, "{reason}");
    }
}

/// Who deletes one of many holders finds it at a node that has others under the same key.
#[test]
fn one_of_many_holders_can_be_deleted_elsewhere() {
    let key = Id::of(b"key");
    let mut net = pair(|| (0..5).map(|number| holder(key, number, "")).collect());
    let Reply::Deleted(report) = net.ask(0, delete(key, Some(holder_addr(3)))) else {
        panic!("no deletion");
    };
    assert_eq!(report.outcome, Outcome::Found, "{report:?}");
    let report = searched(net.ask(1, search(key)));
    assert_eq!(report.holders.len(), 4, "{report:?}");
}
