//! What is done when.

use super::*;
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;

const HASH: InfoHash = InfoHash([1; 20]);
const THERE: Written = Written::There { oldest_ms: 0 };

/// Of clients that expire after half a minute.
fn exchange() -> Exchange {
    exchange_for(30_000)
}

/// Of clients that expire after so many milliseconds.
pub(super) fn exchange_for(expiry_ms: u32) -> Exchange {
    let secret = Secret::new(&mut Pcg64Mcg::seed_from_u64(1));
    Exchange::new(expiry_ms, secret)
}

/// A swarm of so many peers of other nodes.
const fn known(peers: usize) -> Known {
    Known { peers, own: false }
}

fn hash(number: u32) -> InfoHash {
    let mut name = [0; 20];
    name[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash(name)
}

fn ms(at: u64) -> Time {
    Time(at * 1_000)
}

fn writes(task: Option<Task>) -> bool {
    matches!(task, Some(Task::Write { .. }))
}

#[test]
fn the_first_announce_looks_and_then_publishes() {
    let mut exchange = exchange();
    assert_eq!(exchange.ask(HASH, known(0), ms(0)), Knowledge::Wait);
    exchange.changed(HASH, ms(0));
    assert_eq!(exchange.next_task(ms(0)), Some(Task::Look(HASH)));
    assert_eq!(
        exchange.next_task(ms(0)),
        None,
        "nothing is written before it is known what is there"
    );
    assert_eq!(
        exchange.ask(HASH, known(0), ms(10)),
        Knowledge::Wait,
        "the same lookup"
    );
    assert_eq!(exchange.next_task(ms(10)), None);
    exchange.looked(HASH, Some(0), ms(20));
    assert!(writes(exchange.next_task(ms(20))));
    exchange.wrote(HASH, THERE, ms(40));
    assert_eq!(
        exchange.ask(HASH, known(1), ms(50)),
        Knowledge::Good,
        "still fresh"
    );
    assert_eq!(exchange.ask(HASH, known(1), ms(1_020)), Knowledge::Wait);
}

#[test]
fn many_clients_are_one_write() {
    let mut exchange = exchange();
    exchange.ask(HASH, known(0), ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(0));
    let mut written = 0;
    for at in 0..10_000 {
        exchange.changed(HASH, ms(at));
        while writes(exchange.next_task(ms(at))) {
            written += 1;
            exchange.wrote(HASH, THERE, ms(at));
        }
    }
    assert!((19..=21).contains(&written), "two a second: {written}");
}

#[test]
fn what_is_published_is_refreshed_and_removed() {
    let mut exchange = exchange();
    exchange.ask(HASH, known(0), ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(0));
    exchange.changed(HASH, ms(0));
    assert!(writes(exchange.next_task(ms(0))));
    exchange.wrote(HASH, THERE, ms(0));
    assert_eq!(exchange.next_task(ms(9_999)), None);
    assert_eq!(exchange.next_time(), Some(ms(10_000)));
    assert!(writes(exchange.next_task(ms(10_000))));
    exchange.wrote(HASH, Written::Gone, ms(10_000));
    assert_eq!(exchange.next_time(), None);
    exchange.sweep(ms(30_000));
    assert_eq!(exchange.swarms(), 0);
}

#[test]
fn a_failed_write_is_tried_again() {
    let mut exchange = exchange();
    exchange.ask(HASH, known(0), ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, None, ms(0));
    exchange.changed(HASH, ms(0));
    assert!(writes(exchange.next_task(ms(0))));
    exchange.wrote(HASH, Written::Failed, ms(100));
    assert_eq!(exchange.next_task(ms(2_000)), None);
    assert!(writes(exchange.next_task(ms(2_100))));
}

#[test]
fn plenty_of_peers_are_answered_from_memory() {
    let mut exchange = exchange();
    assert_eq!(exchange.ask(HASH, known(PLENTY), ms(0)), Knowledge::Good);
    assert_eq!(
        exchange.next_task(ms(0)),
        Some(Task::Look(HASH)),
        "and looked up meanwhile"
    );
    exchange.looked(HASH, Some(3), ms(0));
    assert_eq!(exchange.ask(HASH, known(LARGE), ms(9_000)), Knowledge::Good);
    assert_eq!(exchange.next_task(ms(9_000)), None);
}

#[test]
fn floods_of_swarms_become_a_bounded_number_of_lookups() {
    let mut exchange = exchange();
    let mut lookups = 0;
    for number in 0..100_000_u32 {
        let at = ms(u64::from(number) / 100);
        exchange.ask(hash(number), known(0), at);
        while let Some(Task::Look(hash)) = exchange.next_task(at) {
            lookups += 1;
            exchange.looked(hash, Some(0), at);
        }
    }
    assert!(
        (740..=760).contains(&lookups),
        "half a burst and one second's rate: {lookups}"
    );
}

#[test]
fn who_is_alone_looks_once() {
    let mut exchange = exchange();
    exchange.set_company(false);
    assert_eq!(exchange.ask(HASH, known(0), ms(0)), Knowledge::Wait);
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(1));
    assert_eq!(exchange.ask(HASH, known(0), ms(60_000)), Knowledge::Good);
}

#[test]
fn samples_shrink_with_the_number_of_publishers() {
    let mut exchange = exchange();
    for (publishers, expected) in [(0, MAX_SUMMARY_PEERS), (10, 40), (300, LEAST_SAMPLE)] {
        let hash = InfoHash([publishers as u8; 20]);
        exchange.ask(hash, known(0), ms(0));
        exchange.next_task(ms(0));
        exchange.looked(hash, Some(publishers), ms(0));
        exchange.changed(hash, ms(0));
        match exchange.next_task(ms(0)) {
            Some(Task::Write { sample, .. }) => assert_eq!(sample, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn half_of_the_lookups_are_kept_for_swarms_with_clients_of_this_node() {
    let mut exchange = exchange();
    for number in 0..1_000 {
        exchange.ask(hash(number), known(0), ms(0));
    }
    let mut begun = 0;
    while let Some(Task::Look(_)) = exchange.next_task(ms(0)) {
        begun += 1;
    }
    assert_eq!(begun, MAX_LOOKUPS / 2, "strangers ask");
    let own = Known {
        peers: 0,
        own: true,
    };
    assert_eq!(exchange.ask(hash(2_000), own, ms(0)), Knowledge::Wait);
}

#[test]
fn what_waits_for_the_budget_is_not_walked_and_wakes_in_time() {
    let mut exchange = exchange();
    for number in 0..10_000 {
        exchange.changed(hash(number), ms(0));
    }
    // The burst; lookups end at once.
    for _ in 0..500 {
        match exchange.next_task(ms(0)) {
            Some(Task::Look(hash)) => exchange.looked(hash, Some(0), ms(0)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        exchange.unseen.len(),
        9_500,
        "nothing was taken out in vain"
    );
    while writes(exchange.next_task(ms(0))) {}
    assert_eq!(exchange.unseen.len(), 9_500);
    assert_eq!(
        exchange.next_time(),
        Some(ms(2)),
        "when there is room for one"
    );
    assert_eq!(exchange.next_task(ms(1)), None);
    assert!(matches!(exchange.next_task(ms(2)), Some(Task::Look(_))));
}

/// Announces, looks and writes everything that may be; gives how many writes there were.
fn publish(exchange: &mut Exchange, numbers: std::ops::Range<u32>, at: &mut u64) -> usize {
    let mut written = 0;
    for number in numbers {
        *at += 2;
        exchange.changed(hash(number), ms(*at));
        while let Some(task) = exchange.next_task(ms(*at)) {
            match task {
                Task::Look(hash) => exchange.looked(hash, Some(0), ms(*at)),
                Task::Write { hash, .. } => {
                    written += 1;
                    exchange.wrote(hash, THERE, ms(*at));
                }
            }
        }
    }
    written
}

#[test]
fn a_node_publishes_a_bounded_number_of_swarms() {
    let mut exchange = exchange_for(3_600_000);
    let most = MAX_PUBLISHED as u32;
    let mut at = 0;
    assert_eq!(
        publish(&mut exchange, 0..most + 100, &mut at),
        MAX_PUBLISHED
    );
    assert_eq!(exchange.listed(), MAX_PUBLISHED);
    exchange.sweep(ms(at + 20_000));
    assert_eq!(
        exchange.swarms(),
        MAX_PUBLISHED,
        "nothing is kept of the rest"
    );
    assert!(!exchange.remains(hash(most), ms(at)), "no room");
    assert_eq!(exchange.next_task(ms(at)), None);
    // One is removed: there is room for another whose client announces again.
    exchange.changed(hash(0), ms(at));
    assert!(writes(exchange.next_task(ms(at))));
    exchange.wrote(hash(0), Written::Gone, ms(at));
    assert!(exchange.remains(hash(most), ms(at)));
    assert_eq!(exchange.next_task(ms(at)), Some(Task::Look(hash(most))));
    exchange.looked(hash(most), Some(0), ms(at));
    assert!(writes(exchange.next_task(ms(at))));
}

#[test]
fn failing_writes_become_rare_and_may_have_landed() {
    let mut exchange = exchange_for(3_600_000);
    exchange.ask(HASH, known(0), ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(0));
    let mut tried = Vec::new();
    for second in 0..1_000 {
        // Clients come and go all the time.
        exchange.changed(HASH, ms(second * 1_000));
        if let Some(Task::Write { published, .. }) = exchange.next_task(ms(second * 1_000)) {
            assert_eq!(
                published,
                !tried.is_empty(),
                "whoever writes has to remove it"
            );
            tried.push(second);
            exchange.wrote(HASH, Written::Failed, ms(second * 1_000));
        }
    }
    assert_eq!(tried, [0, 2, 6, 14, 30, 62, 126, 254, 510, 766]);
    exchange.sweep(ms(1_000_000));
    assert_eq!((exchange.swarms(), exchange.listed()), (1, 1));
}

#[test]
fn the_oldest_does_not_expire_elsewhere_before_the_refresh() {
    let next = |oldest_ms| {
        let mut exchange = exchange_for(90_000);
        exchange.ask(HASH, known(0), ms(0));
        exchange.next_task(ms(0));
        exchange.looked(HASH, Some(0), ms(0));
        exchange.changed(HASH, ms(0));
        exchange.next_task(ms(0));
        exchange.wrote(HASH, Written::There { oldest_ms }, ms(0));
        exchange.next_time().map(|at| at.0 / 1_000)
    };
    assert_eq!(next(0), Some(30_000));
    assert_eq!(
        next(60_000),
        Some(27_187),
        "two thirds, and what it may take"
    );
    assert_eq!(next(89_000), Some(10_000), "whoever dies costs little");
}
