//! Correct tables built directly: a large network without growing it.

use crate::leaves::LeafSet;
use crate::point::{POINT_BITS, Point};
use crate::table::Table;
use crate::{Pastry, PastryConfig};
use overlay::proximity::{self, Distance};
use overlay::{Contact, Id, Time};

/// How many nodes of a slot are measured when tables are built by proximity: what a node finds in
/// half an hour of upkeep: networks that grew have the same stretch as those built with 64.
pub const ALTERNATES: usize = 64;

/// The node `ids[index]` of the network `ids`, with correct leaf set and routing table.
///
/// `ids` is sorted by id, without duplicates. A slot holds the nearest of [`ALTERNATES`] nodes
/// that fit by `distance`, or without it the one that a hash of the slot picks.
///
/// # Panics
/// When `index` is not below the length of `ids`: it is the caller's own number.
#[must_use]
pub fn correct(
    ids: &[Contact],
    index: usize,
    config: PastryConfig,
    distance: Option<Distance<'_>>,
) -> Pastry {
    let me = ids[index];
    let mut leaves = LeafSet::new(me, config.half());
    let reach = (config.half() + 1).min(ids.len().saturating_sub(1));
    for step in 1..=reach {
        leaves.insert(ids[(index + step) % ids.len()]);
        leaves.insert(ids[(index + ids.len() - step) % ids.len()]);
    }
    let bits = config.bits();
    let mut table = Table::new(me.id, bits);
    for row in 0..POINT_BITS / bits {
        let (from, to) = with_prefix(ids, Point::of(me.id), row * bits);
        if to - from <= 1 {
            break;
        }
        for digit in 0..1_u8 << bits {
            if digit != Point::of(me.id).digit(row, bits) {
                fill_slot(
                    &mut table,
                    ids,
                    (from, to),
                    (row, digit, bits),
                    (index, distance),
                );
            }
        }
    }
    Pastry::with_tables(me, config, leaves, table)
}

/// The indices of the nodes that share `count` leading bits with a point.
fn with_prefix(ids: &[Contact], point: Point, count: u32) -> (usize, usize) {
    let mask = u128::MAX.checked_shl(POINT_BITS - count).unwrap_or(0);
    let low = point.0 & mask;
    let high = low | !mask;
    let from = ids.partition_point(|contact| Point::of(contact.id).0 < low);
    let to = ids.partition_point(|contact| Point::of(contact.id).0 <= high);
    (from, to)
}

fn fill_slot(
    table: &mut Table,
    ids: &[Contact],
    (from, to): (usize, usize),
    (row, digit, bits): (u32, u8, u32),
    (index, distance): (usize, Option<Distance<'_>>),
) {
    let me = Point::of(ids[index].id);
    let shift = POINT_BITS - (row + 1) * bits;
    let prefix = (me.0 >> shift) & !((1 << bits) - 1) | u128::from(digit);
    let first = Point(prefix << shift);
    let part = &ids[from..to];
    let (low, high) = with_prefix(part, first, (row + 1) * bits);
    let (low, count) = (from + low, high - low);
    if count == 0 {
        return;
    }
    // Which of many nodes: spread over the slot, another for each node.
    let start = hashed(ids[index].id, row, digit) as usize % count;
    let tried = if distance.is_some() { ALTERNATES } else { 1 };
    for step in proximity::spread(start, count, tried) {
        let at = low + step;
        let rtt = distance.map(|distance| distance(index, at));
        table.offer(ids[at], rtt, Time::ZERO);
    }
}

/// A number that depends on the node and the slot only.
fn hashed(id: Id, row: u32, digit: u8) -> u64 {
    let (_, low) = id.parts();
    let mixed =
        (low as u64) ^ (u64::from(row) << 8 | u64::from(digit)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.wrapping_mul(0xd134_2543_de82_ef95) >> 17
}

/// The node closest to `key`: what every lookup must find. `ids` is sorted and not empty.
#[must_use]
pub fn closest_to(ids: &[Contact], key: Id) -> Contact {
    let at = ids.partition_point(|contact| contact.id < key);
    let around = [ids[at % ids.len()], ids[(at + ids.len() - 1) % ids.len()]];
    let point = Point::of(key);
    let closeness = |contact: &Contact| Point::of(contact.id).closeness_to(point);
    around
        .into_iter()
        .min_by_key(closeness)
        .unwrap_or(around[0])
}
