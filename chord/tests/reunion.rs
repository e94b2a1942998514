//! Members that were cut off from each other: they come back, and rings grow together again.

mod common;

use chord::ChordConfig;
use common::{World, contact};
use overlay::{Claim, Duration, KeyRouter, RingChange, RouterCall};

fn config() -> ChordConfig {
    ChordConfig {
        successors: 4,
        ..ChordConfig::default()
    }
}

#[test]
fn the_survivor_of_a_pair_carries_on_alone_and_takes_the_other_back() {
    let mut world = World::grown(4, 2, &config());
    world.ideal().expect("a pair");
    world.crash(1);
    world.run_for(Duration::from_secs(25));
    let node = &world.nodes[&contact(0).id];
    assert!(
        node.is_member() && node.ring().first().is_none(),
        "{:?}",
        node.ring()
    );
    world.join(1, contact(0), &config());
    world
        .run_until_ideal(Duration::from_secs(10))
        .expect("a pair again");
}

#[test]
fn a_pair_that_a_partition_separated_reunites() {
    let mut world = World::grown(4, 2, &config());
    world.groups.insert(contact(1).id, 1);
    world.run_for(Duration::from_secs(60));
    for number in [0, 1] {
        assert!(
            world.nodes[&contact(number).id].is_member(),
            "{number} carries on alone"
        );
        assert!(world.nodes[&contact(number).id].ring().first().is_none());
    }
    world.groups.clear();
    world
        .run_until_ideal(Duration::from_secs(60))
        .expect("a pair again");
}

#[test]
fn a_member_that_loses_everybody_is_cut_off_and_comes_back() {
    let mut world = World::grown(9, 12, &config());
    world.groups.insert(contact(6).id, 1);
    world.run_for(Duration::from_secs(60));
    let node = &world.nodes[&contact(6).id];
    assert!(node.is_cut_off() && !node.is_member());
    assert_eq!(node.claim(node.me().id), Claim::NotMember);
    assert!(world.ring_changes(6).contains(&RingChange::CutOff));
    world.groups.clear();
    world
        .run_until_ideal(Duration::from_secs(90))
        .expect("it comes back");
    let back = |change: &RingChange| matches!(change, RingChange::Reunited(_));
    assert!(world.ring_changes(6).iter().any(back));
}

#[test]
fn a_partition_in_two_halves_heals() {
    for seed in 0..10 {
        let mut world = World::grown(seed, 12, &config());
        for number in 0..6 {
            world.groups.insert(contact(number).id, 1);
        }
        world.run_for(Duration::from_secs(60));
        world.groups.clear();
        let took = world.run_until_ideal(Duration::from_secs(300));
        took.unwrap_or_else(|state| panic!("seed {seed}: {state}"));
    }
}

#[test]
fn an_outage_that_separates_everybody_heals() {
    for seed in 0..10 {
        let mut world = World::grown(seed, 12, &config());
        for number in 0..12 {
            world.groups.insert(contact(number).id, number as u8);
        }
        world.run_for(Duration::from_secs(60));
        world.groups.clear();
        let took = world.run_until_ideal(Duration::from_secs(600));
        took.unwrap_or_else(|state| panic!("seed {seed}: {state}"));
    }
}

#[test]
fn a_member_restarted_as_a_founder_finds_its_old_ring() {
    let mut world = World::grown(11, 8, &config());
    world.add(contact(0), &config());
    world.call(contact(0).id, RouterCall::Create);
    world
        .run_until_ideal(Duration::from_secs(60))
        .expect("one ring");
}
