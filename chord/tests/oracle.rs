//! Next hops against a sorted vector of the nodes.

use chord::{Chord, ChordConfig, ChordMessage, tables};
use overlay::{Claim, Contact, Cx, Hop, Id, Input, KeyRouter, Machine, Outbox, Time, WallMs};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use smallvec::SmallVec;
use std::collections::BTreeSet;

fn network(seeds: &BTreeSet<u16>) -> Vec<Contact> {
    let mut ids: Vec<Contact> = seeds
        .iter()
        .map(|seed| Contact {
            id: Id::of(&seed.to_be_bytes()),
            addr: ([127, 0, 0, 1], *seed).into(),
        })
        .collect();
    ids.sort_unstable();
    ids
}

fn hops(chord: &Chord, key: Id, last: bool, limit: usize, skip: &BTreeSet<Id>) -> Vec<Hop> {
    let mut hops = SmallVec::new();
    chord.next_hops(key, last, limit, &|id| skip.contains(&id), &mut hops);
    hops.to_vec()
}

proptest! {
    #[test]
    fn hops_are_the_best_that_the_tables_know(
        seeds in proptest::collection::btree_set(any::<u16>(), 1..80),
        list in 1_usize..10,
        node in any::<prop::sample::Index>(),
        key in any::<u64>(),
        limit in 1_usize..12,
        dead in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let ids = network(&seeds);
        let key = Id::of(&key.to_be_bytes());
        let config = ChordConfig { successors: list, ..ChordConfig::default() };
        let chord = tables::correct(&ids, node.index(ids.len()), config, None);
        let me = chord.me().id;
        let skip: BTreeSet<Id> = dead.iter().map(|index| ids[index.index(ids.len())].id).collect();
        let found = hops(&chord, key, false, limit, &skip);
        let root = tables::successor_of(&ids, key);

        prop_assert_eq!(chord.claim(key) == Claim::Mine, root.id == me);
        prop_assert!(found.len() <= limit);
        let distinct: BTreeSet<Id> = found.iter().map(|hop| hop.contact.id).collect();
        prop_assert_eq!(distinct.len(), found.len());
        prop_assert!(!distinct.contains(&me) && distinct.is_disjoint(&skip));

        // The oracle: everything in the tables, by the same rule, without their structure.
        let distance = |id: Id| me.distance_to(id);
        let reach = chord.ring().successors().last().map(|last| distance(last.id));
        let within = reach.is_some_and(|reach| distance(key) <= reach);
        let known = |before: bool| {
            let mut known: Vec<Contact> = chord.contacts();
            // The predecessor is in the ring state, but no table for going forward.
            let forward = chord.ring().predecessor().filter(|p| {
                !chord.ring().successors().contains(p) && !is_finger(&chord, p)
            });
            known.retain(|contact| {
                Some(*contact) != forward
                    && !skip.contains(&contact.id)
                    && (distance(contact.id) < distance(key)) == before
            });
            known.sort_unstable_by_key(|contact| distance(contact.id));
            known
        };
        let mut expected = Vec::new();
        if within {
            let list = chord.ring().successors();
            let after = known(false).into_iter().filter(|contact| list.contains(contact));
            expected.extend(after.map(|contact| Hop { contact, last: true }));
        }
        let before = known(true);
        let list = chord.ring().successors();
        let before = before.into_iter().rev().filter(|contact| !within || list.contains(contact));
        expected.extend(before.map(|contact| Hop { contact, last: false }));
        expected.truncate(limit);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_node_taken_for_the_root_names_its_predecessor(
        seeds in proptest::collection::btree_set(any::<u16>(), 2..40),
        node in any::<prop::sample::Index>(),
        key in any::<u64>(),
    ) {
        let ids = network(&seeds);
        let key = Id::of(&key.to_be_bytes());
        let mut chord = tables::correct(&ids, node.index(ids.len()), ChordConfig::default(), None);
        if chord.claim(key) == Claim::Elsewhere {
            let contact = chord.ring().predecessor().unwrap();
            let unheard = hops(&chord, key, true, 8, &BTreeSet::new());
            prop_assert!(unheard.is_empty(), "it gave no sign of life yet");
            hear(&mut chord, contact);
            let found = hops(&chord, key, true, 8, &BTreeSet::new());
            prop_assert_eq!(&found, &[Hop { contact, last: true }]);
            let silent = BTreeSet::from([contact.id]);
            prop_assert!(hops(&chord, key, true, 8, &silent).is_empty());
        }
    }
}

/// Lets the node hear of a peer.
fn hear(chord: &mut Chord, from: Contact) {
    let mut out = Outbox::default();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (now, wall) = (Time::ZERO, WallMs(0));
    let mut cx = Cx {
        now,
        wall,
        rng: &mut rng,
        out: &mut out,
    };
    let message = ChordMessage::Notify;
    chord.handle(&mut cx, Input::Message { from, message });
}

fn is_finger(chord: &Chord, contact: &Contact) -> bool {
    let overlay::Neighbours::Ring { fingers, .. } = chord.neighbours() else {
        return false;
    };
    fingers.contains(contact)
}
