//! The summary against a scan of the same records.

use super::*;
use crate::kept::Kept;
use crate::ranges::order;
use crate::{MemoryStore, Store};
use bytes::Bytes;
use overlay::{Arc, Hlc, Item, Record};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::net::SocketAddr;

fn item(key: Id, slot: Slot, clock: u64) -> Item {
    let version = Version {
        clock: Hlc(clock),
        writer: Id::from_u64(clock % 3),
    };
    let record = Record {
        version,
        body: Some(Bytes::new()),
        expires: None,
    };
    Item { key, slot, record }
}

/// Keys of three kinds: hashes, neighbours that share all but their last digits, and a few with
/// many holders.
fn place(rng: &mut Pcg64Mcg) -> Position {
    let number = rng.next_u64();
    let key = match number % 8 {
        0..=4 => Id::of(&(number >> 32).to_be_bytes()),
        5 => Id::MAX.wrapping_sub(Id::from_u64((number >> 32) % 500)),
        6 => Id::from_u64((number >> 32) % 500),
        _ => Id::from_parts(5, u128::from((number >> 32) % 2)),
    };
    let port = (number >> 16) as u16 % 300;
    let slot = match number % 8 {
        7 => Slot::Holder(SocketAddr::from(([10, 0, 0, 1], port))),
        _ => Slot::Value,
    };
    (key, slot)
}

/// The records of a stretch, the slow way.
fn scan(store: &MemoryStore, arc: Arc, after: Option<Position>, upto: Option<Position>) -> Sum {
    let mut sum = Sum::default();
    let end = upto.map(|upto| order(arc, upto));
    store.range(arc, after, &mut |key, slot, record| {
        let inside = end.is_none_or(|end| order(arc, (key, slot)) <= end);
        if inside {
            sum = sum.plus(Sum::of(key, slot, record.version));
        }
        inside
    });
    sum
}

fn check(kept: &Kept<MemoryStore>, rng: &mut Pcg64Mcg) {
    let points = [Id::ZERO, Id::MAX, place(rng).0, place(rng).0, place(rng).0];
    let mut pick = || points[rng.next_u64() as usize % points.len()];
    let arc = Arc {
        from: pick(),
        to: pick(),
    };
    let whole = scan(kept, arc, None, None);
    assert_eq!(kept.sum(arc, (None, None)), whole, "{arc}");
    if whole.count == 0 {
        return;
    }
    let first = kept.nth(arc, None, rng.next_u64() % whole.count);
    let rest = scan(kept, arc, first, None);
    assert_eq!(kept.sum(arc, (first, None)), rest, "{arc} after {first:?}");
    if rest.count == 0 {
        return;
    }
    let rank = rng.next_u64() % rest.count;
    let last = kept.nth(arc, first, rank);
    let part = kept.sum(arc, (first, last));
    assert_eq!(part.count, rank + 1, "{arc} {first:?} to {last:?}");
    assert_eq!(
        part,
        scan(kept, arc, first, last),
        "{arc} {first:?} to {last:?}"
    );
}

#[test]
fn agrees_with_a_scan_after_any_writes_and_removals() {
    for seed in 0..12 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut kept = Kept::new(MemoryStore::new());
        let mut places = Vec::new();
        for step in 0..6_000 {
            // It grows first and shrinks then, so that branches divide and merge.
            let grows = step < 3_500;
            if rng.next_u64() % 10 < if grows { 8 } else { 2 } || places.is_empty() {
                let place = place(&mut rng);
                places.push(place);
                kept.write(item(place.0, place.1, rng.next_u64() % 50));
            } else {
                let at = rng.next_u64() as usize % places.len();
                let (key, slot) = places.swap_remove(at);
                kept.remove(key, slot);
            }
            if step % 10 == 0 {
                check(&kept, &mut rng);
            }
        }
        let whole = Arc::whole(Id::MAX);
        let anew = Kept::new(kept.into_inner());
        assert_eq!(
            anew.sum(whole, (None, None)),
            scan(&anew, whole, None, None)
        );
        for _ in 0..200 {
            check(&anew, &mut rng);
        }
    }
}

struct Numbers(Vec<Id>);

impl Source for Numbers {
    fn visit(&self, low: Id, high: Id, visit: &mut dyn FnMut(Position, Version) -> bool) {
        let from = self.0.partition_point(|key| *key < low);
        for key in self.0.iter().skip(from).take_while(|key| **key <= high) {
            if !visit((*key, Slot::Value), Version::default()) {
                return;
            }
        }
    }
}

/// At every size; the worst is just after all leaves divided.
#[test]
fn takes_less_than_eight_bytes_a_record() {
    assert_eq!(size_of::<Block>(), 512);
    let mut worst = 0.0_f64;
    for size in (0..28).map(|step| (1_000.0 * 1.2_f64.powi(step)) as u64) {
        let mut keys: Vec<Id> = (0..size).map(|key| Id::of(&key.to_be_bytes())).collect();
        keys.sort_unstable();
        let summary = Summary::of(&Numbers(keys));
        worst = worst.max(summary.blocks() as f64 * 512.0 / size as f64);
    }
    println!("at most {worst:.2} bytes a record");
    assert!(worst < 8.0, "{worst}");
}

#[test]
fn holders_of_one_key_stay_one_leaf() {
    let mut kept = Kept::new(MemoryStore::new());
    for port in 1..2_000 {
        let slot = Slot::Holder(SocketAddr::from(([10, 0, 0, 1], port)));
        kept.write(item(Id::from_u64(7), slot, 1));
    }
    assert_eq!(kept.blocks(), 0);
}

/// What building costs: the sum of each record once, and one way down the tree.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "it measures time")]
fn the_time_to_sum_up_a_million_records() {
    struct Sorted(Vec<(Position, Version)>);
    impl Source for Sorted {
        fn visit(&self, low: Id, high: Id, visit: &mut dyn FnMut(Position, Version) -> bool) {
            let from = self.0.partition_point(|((key, _), _)| *key < low);
            for (position, version) in &self.0[from..] {
                if position.0 > high || !visit(*position, *version) {
                    return;
                }
            }
        }
    }
    let position = |number: u64| {
        (
            (Id::of(&number.to_be_bytes()), Slot::Value),
            Version::default(),
        )
    };
    let mut all: Vec<_> = (0..1_000_000).map(position).collect();
    all.sort_unstable_by_key(|(position, _)| *position);
    let source = Sorted(all);
    for _ in 0..5 {
        let began = std::time::Instant::now();
        let summary = Summary::of(&source);
        println!("{:?} for {}", began.elapsed(), summary.total().count);
    }
}
