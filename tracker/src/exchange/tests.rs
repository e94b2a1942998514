//! What is done when.

use super::*;

const HASH: InfoHash = InfoHash([1; 20]);

fn ms(at: u64) -> Time {
    Time(at * 1_000)
}

fn writes(task: Option<Task>) -> bool {
    matches!(task, Some(Task::Write { .. }))
}

#[test]
fn the_first_announce_looks_and_then_publishes() {
    let mut exchange = Exchange::new(30_000);
    assert_eq!(exchange.ask(HASH, 0, ms(0)), Knowledge::Wait);
    exchange.changed(HASH, ms(0));
    assert_eq!(exchange.next_task(ms(0)), Some(Task::Look(HASH)));
    assert_eq!(
        exchange.next_task(ms(0)),
        None,
        "nothing is written before it is known what is there"
    );
    assert_eq!(
        exchange.ask(HASH, 0, ms(10)),
        Knowledge::Wait,
        "the same lookup"
    );
    assert_eq!(exchange.next_task(ms(10)), None);
    exchange.looked(HASH, Some(0), ms(20));
    assert!(writes(exchange.next_task(ms(20))));
    exchange.wrote(HASH, Some(true), ms(40));
    assert_eq!(
        exchange.ask(HASH, 1, ms(50)),
        Knowledge::Good,
        "still fresh"
    );
    assert_eq!(exchange.ask(HASH, 1, ms(1_020)), Knowledge::Wait);
}

#[test]
fn many_clients_are_one_write() {
    let mut exchange = Exchange::new(30_000);
    exchange.ask(HASH, 0, ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(0));
    let mut written = 0;
    for at in 0..10_000 {
        exchange.changed(HASH, ms(at));
        while writes(exchange.next_task(ms(at))) {
            written += 1;
            exchange.wrote(HASH, Some(true), ms(at));
        }
    }
    assert!((19..=21).contains(&written), "two a second: {written}");
}

#[test]
fn what_is_published_is_refreshed_and_removed() {
    let mut exchange = Exchange::new(30_000);
    exchange.ask(HASH, 0, ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(0));
    exchange.changed(HASH, ms(0));
    assert!(writes(exchange.next_task(ms(0))));
    exchange.wrote(HASH, Some(true), ms(0));
    assert_eq!(exchange.next_task(ms(9_999)), None);
    assert_eq!(exchange.next_time(), Some(ms(10_000)));
    assert!(writes(exchange.next_task(ms(10_000))));
    exchange.wrote(HASH, Some(false), ms(10_000));
    assert_eq!(exchange.next_time(), None);
    exchange.sweep(ms(30_000));
    assert_eq!(exchange.swarms(), 0);
}

#[test]
fn a_failed_write_is_tried_again() {
    let mut exchange = Exchange::new(30_000);
    exchange.ask(HASH, 0, ms(0));
    exchange.next_task(ms(0));
    exchange.looked(HASH, None, ms(0));
    exchange.changed(HASH, ms(0));
    assert!(writes(exchange.next_task(ms(0))));
    exchange.wrote(HASH, None, ms(100));
    assert_eq!(exchange.next_task(ms(2_000)), None);
    assert!(writes(exchange.next_task(ms(2_100))));
}

#[test]
fn plenty_of_peers_are_answered_from_memory() {
    let mut exchange = Exchange::new(30_000);
    assert_eq!(exchange.ask(HASH, PLENTY, ms(0)), Knowledge::Good);
    assert_eq!(
        exchange.next_task(ms(0)),
        Some(Task::Look(HASH)),
        "and looked up meanwhile"
    );
    exchange.looked(HASH, Some(3), ms(0));
    assert_eq!(exchange.ask(HASH, LARGE, ms(9_000)), Knowledge::Good);
    assert_eq!(exchange.next_task(ms(9_000)), None);
}

#[test]
fn floods_of_swarms_become_a_bounded_number_of_lookups() {
    let mut exchange = Exchange::new(30_000);
    let mut lookups = 0;
    for number in 0..100_000_u32 {
        let mut name = [0; 20];
        name[..4].copy_from_slice(&number.to_be_bytes());
        let at = ms(u64::from(number) / 100);
        exchange.ask(InfoHash(name), 0, at);
        while let Some(Task::Look(hash)) = exchange.next_task(at) {
            lookups += 1;
            exchange.looked(hash, Some(0), at);
        }
    }
    assert!(
        (990..=1_010).contains(&lookups),
        "a burst and one second's rate: {lookups}"
    );
}

#[test]
fn who_is_alone_looks_once() {
    let mut exchange = Exchange::new(30_000);
    exchange.set_company(false);
    assert_eq!(exchange.ask(HASH, 0, ms(0)), Knowledge::Wait);
    exchange.next_task(ms(0));
    exchange.looked(HASH, Some(0), ms(1));
    assert_eq!(exchange.ask(HASH, 0, ms(60_000)), Knowledge::Good);
}

#[test]
fn samples_shrink_with_the_number_of_publishers() {
    let mut exchange = Exchange::new(30_000);
    for (publishers, expected) in [(0, MAX_SUMMARY_PEERS), (10, 40), (300, LEAST_SAMPLE)] {
        let hash = InfoHash([publishers as u8; 20]);
        exchange.ask(hash, 0, ms(0));
        exchange.next_task(ms(0));
        exchange.looked(hash, Some(publishers), ms(0));
        exchange.changed(hash, ms(0));
        match exchange.next_task(ms(0)) {
            Some(Task::Write { sample, .. }) => assert_eq!(sample, expected),
            other => panic!("{other:?}"),
        }
    }
}
