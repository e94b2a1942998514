//! What a node says of the copies of what is in its arcs.

mod common;

use common::{World, key};
use overlay::{Duration, Locate, RepairTally};

fn copies(world: &World) -> Vec<RepairTally> {
    let ids = world.ids().into_iter();
    ids.filter_map(|id| world.node(id).tally().repair).collect()
}

fn stored(nodes: u64) -> World {
    let mut world = World::of(nodes, 7);
    for number in 0..40 {
        let root = world.root_of(key(number));
        world.put(root, key(number), b"value");
    }
    world.run_for(Duration::from_secs(15));
    assert!(world.all_settled());
    world
}

#[test]
fn each_record_is_in_the_arcs_of_one_node() {
    let world = stored(6);
    let all = copies(&world);
    // Three nodes store each of them.
    assert_eq!(all.iter().map(|each| each.records).sum::<u64>(), 40);
    for id in world.ids() {
        let (tally, values) = (world.node(id).tally(), world.node(id).status().values);
        assert!(tally.repair.is_some_and(|repair| repair.records < values));
    }
    for each in all {
        assert_eq!((each.replicas_wanted, each.replicas_possible), (3, 3));
        assert_eq!(each.short_of_nodes, 0);
    }
}

#[test]
fn two_nodes_hold_two_copies_of_three_and_say_so() {
    for each in copies(&stored(2)) {
        assert_eq!((each.replicas_wanted, each.replicas_possible), (3, 2));
        assert_eq!(each.short_of_nodes, each.records);
    }
    // Also where nothing is stored yet.
    let alone = copies(&World::of(1, 7));
    assert_eq!((alone[0].records, alone[0].replicas_possible), (0, 1));
}
