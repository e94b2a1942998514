//! Two nodes and what is between them, by hand.

use super::*;
use crate::announce::Event;
use crate::exchange::PLENTY;
use crate::front_end::FrontEnd;
use crate::ids::PeerId;
use crate::table::Bounds;
use crate::{Config, Families, Scope};
use overlay::{HolderInfo, Id, SearchReport};
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use std::num::NonZeroU16;

const HASH: InfoHash = InfoHash([7; 20]);
const EPOCH_MS: u64 = 1_790_000_000_000;

fn node(number: u8) -> Sharing {
    let config = Config {
        bounds: Bounds {
            swarms: 100,
            peers: 10_000,
        },
        ..Config::default()
    };
    let tracker = Tracker::new(config, &mut Pcg64Mcg::seed_from_u64(number.into()));
    Sharing::new(
        tracker,
        SocketAddr::from(([10, 0, 0, number], 4000)),
        WallMs(EPOCH_MS),
    )
}

fn clocks(ms: u64) -> Clocks {
    Clocks {
        now: Time(ms * 1_000),
        wall: WallMs(EPOCH_MS + ms),
    }
}

fn announce(node: &mut Sharing, client: u16, event: Event, ms: u64) -> Begun {
    let [high, low] = client.to_be_bytes();
    let mut peer_id = [0; 20];
    peer_id[..2].copy_from_slice(&[high, low]);
    let announce = Announce {
        by: FrontEnd::Http,
        info_hash: HASH,
        peer_id: PeerId(peer_id),
        port: NonZeroU16::new(6881),
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event,
        key: None,
        numwant: None,
        claimed_ip: None,
    };
    let ip = IpAddr::from([192, 0, high, low]);
    node.begin(clocks(ms).now, ip, None, &announce).unwrap()
}

fn next(node: &mut Sharing, ms: u64) -> Option<Call> {
    node.next_call(clocks(ms))
}

fn searched(holders: Vec<HolderInfo>, outcome: Outcome) -> Reply {
    Reply::Searched(SearchReport {
        key: Id::from(HASH),
        outcome,
        holders,
        replicas_answered: 2,
        replicas_asked: 2,
        reason: None,
        reached: None,
    })
}

/// Lets the lookup that is to be made end with this.
fn finds(node: &mut Sharing, holders: Vec<HolderInfo>, ms: u64) {
    let call = next(node, ms).expect("a lookup");
    assert!(matches!(call.request, Request::Search { .. }));
    let outcome = if holders.is_empty() {
        Outcome::Absent
    } else {
        Outcome::Found
    };
    assert_eq!(
        node.ended(call.about, &searched(holders, outcome), clocks(ms)),
        Some(HASH)
    );
}

/// What the write that is to be made publishes.
fn publishes(node: &mut Sharing, ms: u64) -> (About, HolderInfo) {
    let call = next(node, ms).expect("a write");
    let Request::Insert {
        holder,
        text,
        lease_s,
        ..
    } = call.request
    else {
        panic!("{:?} is no insert", call.request);
    };
    let holder = HolderInfo {
        addr: holder,
        text,
        expires_in_s: lease_s.into(),
    };
    (call.about, holder)
}

fn inserted() -> Reply {
    Reply::Inserted(overlay::InsertReport {
        key: Id::from(HASH),
        holder: SocketAddr::from(([10, 0, 0, 1], 4000)),
        version: overlay::Version::default(),
        expires_in_s: 2_700,
        replicas_durable: 2,
        replicas: 3,
    })
}

#[test]
fn a_client_of_one_node_is_offered_by_the_other() {
    let (mut one, mut two) = (node(1), node(2));
    let begun = announce(&mut one, 1, Event::Started, 0);
    assert!(begun.waits && begun.roused);
    finds(&mut one, Vec::new(), 10);
    let (about, holder) = publishes(&mut one, 10);
    assert_eq!(one.ended(about, &inserted(), clocks(20)), None);
    let begun = announce(&mut two, 2, Event::Started, 30);
    assert!(begun.waits);
    finds(&mut two, vec![holder], 40);
    let mut offer = crate::choice::Offer::default();
    let scope = Scope {
        most: 50,
        families: Families::Both,
    };
    let rng = &mut Pcg64Mcg::seed_from_u64(1);
    let answer = two
        .tracker
        .answer(clocks(41).now, &begun.entered, scope, rng, &mut offer, None);
    assert_eq!(
        offer.addresses(),
        [SocketAddr::from(([192, 0, 0, 1], 6881))]
    );
    assert_eq!(answer.counts.incomplete, 2);
}

#[test]
fn who_leaves_is_removed_and_a_failed_write_is_made_again() {
    let mut one = node(1);
    announce(&mut one, 1, Event::Started, 0);
    finds(&mut one, Vec::new(), 10);
    let (about, _) = publishes(&mut one, 10);
    one.ended(
        about,
        &Reply::Failed(overlay::Failure::NotMember),
        clocks(20),
    );
    assert_eq!(one.next_time(), Some(clocks(2_020).now));
    let (about, _) = publishes(&mut one, 2_020);
    one.ended(about, &inserted(), clocks(2_030));
    assert!(announce(&mut one, 1, Event::Stopped, 9_000).roused);
    let call = next(&mut one, 9_000).expect("a removal");
    assert!(matches!(
        call.request,
        Request::Delete {
            holder: Some(_),
            ..
        }
    ));
}

#[test]
fn a_lookup_in_the_background_rouses_the_driver() {
    let mut one = node(1);
    for client in 0..=PLENTY as u16 {
        announce(&mut one, client, Event::Started, 0);
    }
    finds(&mut one, Vec::new(), 0);
    publishes(&mut one, 0);
    // Nothing changes, and what was looked up is old by now.
    let begun = announce(&mut one, 1, Event::Regular, 11_000);
    assert!(!begun.waits, "plenty is known");
    assert!(begun.roused, "and somebody must look");
    finds(&mut one, Vec::new(), 11_000);
}

#[test]
fn downloads_are_told_of_when_everybody_has_left() {
    let mut one = node(1);
    announce(&mut one, 1, Event::Completed, 0);
    finds(&mut one, Vec::new(), 0);
    let (about, _) = publishes(&mut one, 0);
    one.ended(about, &inserted(), clocks(0));
    announce(&mut one, 1, Event::Stopped, 600);
    let (_, holder) = publishes(&mut one, 600);
    let counts = Summary::decode(&holder.text).unwrap().counts;
    assert_eq!(
        (counts.complete + counts.incomplete, counts.downloaded),
        (0, 1)
    );
}
