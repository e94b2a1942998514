//! Many leases at one node: renewed in batches, one message for many keys to one owner.

mod common;

use common::{World, contact, delete, holder, insert, key};
use dht::{MemoryStore, RenewMany, Renewal, Store, StoreMessage};
use overlay::{Arc, Duration, Hlc, Id, Locate, Reply, Slot};

/// In seconds.
const LEASE: u32 = 600;

/// Inserts so many leases at one node, a thousand at a time, over half a minute or so.
fn insert_all(world: &mut World, at: Id, leases: u64) {
    for first in (0..leases).step_by(1_000) {
        let calls: Vec<_> = (first..leases.min(first + 1_000))
            .map(|number| world.call(at, insert(key(number), holder(1), LEASE, "words")))
            .collect();
        for op in calls {
            let reply = world.reply(op);
            assert!(matches!(reply, Reply::Inserted(_)), "{reply:?}");
        }
        world.run_for(Duration::from_secs(3));
    }
}

/// How many leases are alive at the roots of their keys.
fn alive(world: &World, leases: u64) -> usize {
    let wall = world.wall();
    let lives = |number: &u64| {
        let root = world.node(world.root_of(key(*number)));
        let found = root.store().meta(key(*number), Slot::Holder(holder(1)));
        found.is_some_and(|found| found.is_live(wall))
    };
    (0..leases).filter(lives).count()
}

fn batches(world: &mut World) -> Vec<usize> {
    let log = world.log.take().unwrap_or_default();
    let sizes = log.iter().filter_map(|(_, _, message)| match message {
        StoreMessage::RenewMany(RenewMany { items, .. }) => Some(items.len()),
        _ => None,
    });
    sizes.collect()
}

#[test]
fn many_leases_take_few_messages() {
    const LEASES: u64 = 10_000;
    let mut world = World::of(8, 61);
    let inserter = world.ids()[0];
    insert_all(&mut world, inserter, LEASES);
    assert_eq!(world.node(inserter).status().renewed_leases, LEASES);
    let mut sizes = Vec::new();
    // Three leases long, in steps, so that the log stays small.
    for _ in 0..30 {
        world.log = Some(Vec::new());
        world.run_for(Duration::from_secs(u64::from(LEASE) / 10));
        sizes.extend(batches(&mut world));
        assert_eq!(alive(&world, LEASES), LEASES as usize);
    }
    let renewed: usize = sizes.iter().sum();
    // What the node itself is the root of does not travel.
    let remote = (0..LEASES).filter(|number| world.root_of(key(*number)) != inserter);
    let remote = remote.count() as f64;
    let rounds = renewed as f64 / remote;
    println!(
        "{} batches, {:.0} leases each, {rounds:.1} renewals of each lease",
        sizes.len(),
        renewed as f64 / sizes.len() as f64
    );
    // Nine thirds, each renewed up to an eighth early, and once more to get into step.
    assert!((9.0..14.0).contains(&rounds), "{rounds} renewals of each");
    // Every round has one batch that is not full for each owner, and some for what was apart: 265 to
    // 279 in all under twelve seeds.
    let few = rounds * (remote / 512.0 + 7.0 * 2.0 + 1.0);
    assert!(
        (sizes.len() as f64) < few,
        "{} batches, {few} allowed",
        sizes.len()
    );
}

#[test]
fn leases_outlive_the_death_of_an_owner_and_lost_messages() {
    const LEASES: u64 = 600;
    for seed in 0..6 {
        let mut world = World::of(8, 620 + seed);
        let inserter = world.ids()[seed as usize];
        insert_all(&mut world, inserter, LEASES);
        world.lose_one_in = 15;
        for _ in 0..3 {
            let ids = world.ids();
            let dead = ids.into_iter().find(|id| *id != inserter).unwrap();
            world.kill(dead);
            world.run_for(Duration::from_secs(2));
            world.bury(dead);
            world.run_for(Duration::from_secs(u64::from(LEASE)));
            assert_eq!(alive(&world, LEASES), LEASES as usize, "seed {seed}");
        }
        // And they end when their node does.
        world.lose_one_in = 0;
        world.kill(inserter);
        world.bury(inserter);
        world.run_for(Duration::from_secs(u64::from(LEASE) + 5));
        assert_eq!(alive(&world, LEASES), 0, "seed {seed}");
    }
}

/// A holder is removed at another node than the one that renews its lease, which renews it at a root
/// that has not heard of it.
#[test]
fn a_renewal_does_not_undo_what_its_root_has_not_heard_of() {
    const LEASES: u64 = 60;
    let mut world = World::of(4, 63);
    let new = contact(4).id;
    let mut ring: Vec<Id> = (0..5).map(|number| contact(number).id).collect();
    ring.sort_unstable();
    let at = ring.iter().position(|id| *id == new).unwrap();
    // Those two before the new one have no copies of its arc.
    let (inserter, other) = (ring[(at + 4) % 5], ring[(at + 3) % 5]);
    insert_all(&mut world, inserter, LEASES);
    for number in 0..LEASES {
        let reply = world.ask(other, delete(key(number), Some(holder(1))));
        assert!(matches!(reply, Reply::Deleted(_)), "{reply:?}");
    }
    // A new root hears only of who renews, and that one has no copy.
    let silent = world.ids().into_iter().filter(|id| *id != inserter);
    world.cut.extend(silent.map(|id| (new, id)));
    world.join(4);
    let is_apart = |number: &u64| {
        let replicas = world.replicas_of(key(*number));
        replicas[0] == new && !replicas.contains(&inserter)
    };
    let apart: Vec<u64> = (0..LEASES).filter(is_apart).collect();
    assert!(apart.len() > 3, "{apart:?}");
    world.run_for(Duration::from_secs(u64::from(LEASE) / 2));
    let lives = |world: &World, number: u64| {
        let wall = world.wall();
        let found = world
            .node(new)
            .store()
            .meta(key(number), Slot::Holder(holder(1)));
        found.is_some_and(|found| found.is_live(wall))
    };
    let revived = apart
        .iter()
        .filter(|number| lives(&world, **number))
        .count();
    assert!(revived > 0, "nothing was renewed there");
    world.cut.clear();
    world.run_for(Duration::from_secs(60));
    assert_eq!(alive(&world, LEASES), 0);
    world.run_for(Duration::from_secs(u64::from(LEASE)));
    assert_eq!(alive(&world, LEASES), 0);
    assert_eq!(world.node(inserter).status().renewed_leases, 0);
}

/// A root that was started again alone does not know whether it has everything. Of deletions it vouches
/// for a time after the lease began: the lease may go on where it cannot see, or have been removed there.
#[test]
fn a_root_that_may_not_have_everything_takes_no_renewal_for_a_new_lease() {
    let mut world = World::new(37);
    let (root, asker) = (contact(0), contact(1));
    let mut store = MemoryStore::on_disk();
    store.set_shared();
    store.set_vouched(vec![(Arc::whole(Id::MAX), Hlc::at(world.wall()))]);
    world.lay_disk(0, store);
    world.oracle.borrow_mut().add(root);
    world.oracle.borrow_mut().add(asker);
    world.start(0);
    world.touch_all();
    world.run_for(Duration::from_secs(1));
    let mine = (0..).map(key).find(|key| world.root_of(*key) == root.id);
    let (key, holder) = (mine.unwrap(), holder(7));
    let renewal = Renewal {
        key,
        holder,
        clock: Hlc(1),
        lease_s: 600,
        text: bytes::Bytes::new(),
    };
    let asked = RenewMany {
        req: 1,
        items: vec![renewal],
        seen: Hlc(1),
    };
    world.deliver(asker, root.id, StoreMessage::RenewMany(asked));
    let known = world.node(root.id).store().meta(key, Slot::Holder(holder));
    assert_eq!(known, None, "it may have been removed");
}
