//! Networks grow, shrink, break apart and grow together again.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

mod common;

use common::Net;
use overlay::Duration;

fn grown(seed: u64, count: usize) -> Net {
    let mut net = Net::new(seed);
    net.found();
    for _ in 1..count {
        net.join();
        net.run(Duration::from_millis(400));
    }
    net.run(Duration::from_secs(5));
    net
}

#[test]
fn one_by_one() {
    for (seed, count) in [(1, 2), (2, 3), (3, 9), (4, 17), (5, 18), (6, 60)] {
        let mut net = grown(seed, count);
        let (joined, failed) = net.joins();
        assert_eq!((joined, failed), (count, vec![]), "seed {seed}");
        net.settled()
            .unwrap_or_else(|text| panic!("seed {seed}: {text}"));
        let found = net.look_up(200, Duration::from_secs(30));
        for (key, found) in found {
            let owner = found.map(|found| found.owner.id);
            assert_eq!(owner, Some(net.closest(key)), "seed {seed}, key {key}");
        }
    }
}

#[test]
fn all_at_once() {
    for seed in 0..10 {
        let mut net = Net::new(seed);
        net.found();
        for _ in 1..40 {
            net.join();
        }
        net.run(Duration::from_secs(20));
        let (joined, failed) = net.joins();
        assert_eq!((joined, failed), (40, vec![]), "seed {seed}");
        let took = net.settle(Duration::from_secs(60));
        assert!(took < Duration::from_secs(30), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_tenth_dies_at_once() {
    for seed in 0..5 {
        let mut net = grown(seed, 60);
        let members = net.members();
        for node in &members[10..16] {
            net.world.crash(*node);
        }
        let took = net.settle(Duration::from_secs(120));
        let found = net.look_up(100, Duration::from_secs(30));
        for (key, found) in found {
            let owner = found.map(|found| found.owner.id);
            assert_eq!(
                owner,
                Some(net.closest(key)),
                "seed {seed}, after {took:?}, key {key}"
            );
        }
    }
}

#[test]
fn a_partition_heals() {
    for (seed, count) in [(1, 2), (2, 6), (3, 20), (4, 40)] {
        let mut net = grown(seed, count);
        let sides = (0..count).map(|node| (node % 2) as u8).collect();
        net.world.faults_mut().partition(sides);
        net.run(Duration::from_secs(60));
        net.world.faults_mut().heal();
        let took = net.settle(Duration::from_secs(600));
        assert!(took < Duration::from_secs(300), "seed {seed}: {took:?}");
    }
}
