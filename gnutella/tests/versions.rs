//! What a node writes in two lives is never of one version.

mod common;

use common::{Net, put, still};
use gnutella::Gnutella;
use overlay::{Id, MemoryStore, Reply, Request, Version};

/// What was being committed when a node lost its power may be with others under a clock value that
/// the node gives again, since its disk does not know it.
#[test]
fn a_clock_value_that_is_given_in_two_lives_makes_two_versions() {
    let life = |seed| -> Version {
        let mut net = Net::new(seed, still());
        let config = net.config.clone();
        let id = Id::of(b"the same node");
        let node = net
            .world
            .add(id, |me| Gnutella::new(me, MemoryStore::new(), config, &[]));
        net.world.call(node, Request::Create);
        match net.ask(node, put(Id::of(b"key"), b"written in this life")) {
            Reply::Put(report) => report.version,
            reply => panic!("{reply:?}"),
        }
    };
    let (first, second) = (life(1), life(2));
    assert_eq!(first.clock, second.clock);
    assert_ne!(first, second, "equal versions of two values never converge");
}
